#!/usr/bin/env python3
"""What botocore reads out of AWS's configuration files, for tests/cloud/data/aws_config.json.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install botocore
    /tmp/venv/bin/python tools/make_aws_config_goldens.py > tests/cloud/data/aws_config.json

Each case is a pair of files, a profile and perhaps variables of the environment; the answer is what a client of botocore
would use, or the name of botocore's exception.
"""
import json
import os
import sys
import tempfile

import botocore
import botocore.session

KEYS = "aws_access_key_id = AKID%s\naws_secret_access_key = secret%s\n"

CASES = {
    "nothing": ("", ""),
    "default in credentials": ("", "[default]\n" + KEYS % (1, 1)),
    "default in config": ("[default]\n" + KEYS % (2, 2) + "region = eu-west-1\n", ""),
    "credentials file wins": ("[default]\n" + KEYS % (2, 2) + "region = eu-west-1\n", "[default]\n" + KEYS % (1, 1)),
    "credentials file's region wins": ("[default]\nregion = eu-west-1\n", "[default]\nregion = eu-west-2\n" + KEYS % (1, 1)),
    "profile word": ("[profile a]\nregion=eu-west-3\n[a]\nregion=us-west-1\n", "[a]\n" + KEYS % (3, 3), "a"),
    "profile default beside default": ("[default]\nregion=a-1\n[profile default]\nregion=b-1\n", ""),
    "default behind profile default": ("[profile default]\nregion=b-1\n[default]\nregion=a-1\n", ""),
    "quoted profile": ("[profile \"my name\"]\nregion = c-1\n", "[my name]\n" + KEYS % (4, 4), "my name"),
    "single quotes": ("[profile 'my name']\nregion = c-1\n", "", "my name"),
    "spaces in the head": ("[profile   b  ]\nregion = d-1\n", "", "b"),
    "profile that is nowhere": ("[default]\nregion = e-1\n", "[default]\n" + KEYS % (1, 1), "gone"),
    "token": ("", "[default]\n" + KEYS % (1, 1) + "aws_session_token = t/o+k=en==\n"),
    "old token wins": ("", "[default]\n" + KEYS % (1, 1) + "aws_session_token = new\naws_security_token = old\n"),
    "half a pair": ("", "[default]\naws_access_key_id = A\n"),
    "secret alone": ("", "[default]\naws_secret_access_key = S\n"),
    "colon": ("", "[default]\naws_access_key_id: A\naws_secret_access_key : S:=#;x\n"),
    "comments": ("# x = y\n; [z]\n[default]\n  # indented\nregion = f-1\n;region = g-1\n", ""),
    "comment at the end of a line is none": ("[default]\nregion = h-1\noutput = x # y\n", "[default]\naws_access_key_id=A\naws_secret_access_key=S # T\n"),
    "upper case keys": ("[default]\nREGION = i-1\n", "[default]\nAWS_ACCESS_KEY_ID=A\nAws_Secret_Access_Key=S\n"),
    "indented keys": ("[default]\n  region = j-1\n  output = json\n", ""),
    "nested": ("[default]\nregion = k-1\ns3 =\n  addressing_style = path\n  max_concurrent_requests = 4\noutput = json\n", ""),
    "nested with a blank line and a comment": ("[default]\ns3 =\n  a = b\n\n  # c = d\n  addressing_style = virtual\nregion = l-1\n", ""),
    "nested upper case is another key": ("[default]\ns3 =\n  Addressing_Style = path\n", ""),
    "nested without equals": ("[default]\ns3 =\n  addressing_style\n", ""),
    "endpoint": ("[default]\nendpoint_url = http://127.0.0.1:9000\nregion = n-1\n", ""),
    "endpoint of services": ("[default]\nservices = local\nendpoint_url = http://global:1\n[services local]\ns3 =\n  endpoint_url = http://s3:2\n", ""),
    "services without s3": ("[default]\nservices = local\nendpoint_url = http://global:1\n[services local]\nec2 =\n  endpoint_url = http://ec2:2\n", ""),
    "services that are nowhere": ("[default]\nservices = gone\n", ""),
    "endpoints ignored": ("[default]\nignore_configured_endpoint_urls = true\nendpoint_url = http://global:1\n", ""),
    "continued value": ("[default]\nregion = o-1\n  p-1\n", ""),
    "section twice": ("[default]\nregion = a-1\n[default]\nregion = b-1\n", ""),
    "key twice": ("[default]\nregion = a-1\nregion = b-1\n", ""),
    "key before a section": ("region = a-1\n[default]\n", ""),
    "line without equals": ("[default]\nregion\n", ""),
    "empty key": ("[default]\n= x\n", ""),
    "no end of the head": ("[default\nregion = a-1\n", ""),
    "text behind the head": ("[default] ; x\nregion = q-1\n", ""),
    "carriage returns": ("[default]\r\nregion = r-1\r\n", "[default]\r\n" + (KEYS % (5, 5)).replace("\n", "\r\n")),
    "no newline at the end": ("[default]\nregion = s-1", ""),
    "DEFAULT holds everywhere": ("[DEFAULT]\nregion = t-1\n[profile a]\noutput = json\n", "", "a"),
    "empty region": ("[default]\nregion =\n", ""),
    "tabs": ("[default]\n\tregion\t=\tu-1\t\n", ""),
    "environment wins over default": ("", "[default]\n" + KEYS % (1, 1), None, {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "F"}),
    "environment with token": ("", "", None, {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "F", "AWS_SESSION_TOKEN": "T"}),
    "environment without secret": ("", "[default]\n" + KEYS % (1, 1), None, {"AWS_ACCESS_KEY_ID": "E"}),
    "environment's profile after its keys": ("", "[a]\n" + KEYS % (6, 6), None, {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "F", "AWS_PROFILE": "a"}),
    "environment's profile": ("", "[a]\n" + KEYS % (6, 6), None, {"AWS_PROFILE": "a"}),
    "named profile before the environment": ("", "[a]\n" + KEYS % (6, 6), "a", {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "F"}),
    "endpoint of the environment": ("[default]\nendpoint_url = http://file:1\n", "", None, {"AWS_ENDPOINT_URL": "http://env:2"}),
    "endpoint for s3 of the environment": ("", "", None, {"AWS_ENDPOINT_URL": "http://env:2", "AWS_ENDPOINT_URL_S3": "http://s3:3"}),
}


def answer(directory, config, credentials, profile=None, environment=None):
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    for name, content in (("config", config), ("credentials", credentials)):
        with open(os.path.join(directory, name), "w", newline="") as stream:
            stream.write(content)
    os.environ.update(AWS_CONFIG_FILE=os.path.join(directory, "config"), AWS_EC2_METADATA_DISABLED="true",
                      AWS_SHARED_CREDENTIALS_FILE=os.path.join(directory, "credentials"), **(environment or {}))
    session = botocore.session.Session(profile=profile)
    try:
        session.get_scoped_config()
        keys = session.get_credentials()
        region = session.get_config_variable("region")
        client = session.create_client("s3", region_name=region or "us-east-1")
    except Exception as error:
        return {"error": type(error).__name__}
    given = client.meta.config.s3 or {}
    endpoint = client.meta.endpoint_url
    return {"access_key_id": keys.access_key if keys else "", "secret_access_key": keys.secret_key if keys else "",
            "session_token": keys.token or "" if keys else "", "region": region or "us-east-1",
            "endpoint": "" if "amazonaws" in endpoint else endpoint, "style": given.get("addressing_style") or "auto"}


def main():
    cases = []
    with tempfile.TemporaryDirectory() as directory:
        for name, case in CASES.items():
            case = tuple(case) + (None, None)
            cases.append({"name": name, "config": case[0], "credentials": case[1], "profile": case[2] or "", "environment": case[3] or {},
                          "answer": answer(directory, *case[:4])})
    json.dump({"botocore": botocore.__version__, "python": "%d.%d" % sys.version_info[:2], "cases": cases}, sys.stdout, indent=1)
    print()


main()
