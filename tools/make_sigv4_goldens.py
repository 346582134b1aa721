#!/usr/bin/env python3
"""What botocore sends for objects in S3: URLs and signatures, for tests/cloud/data/sigv4.json.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install botocore
    /tmp/venv/bin/python tools/make_sigv4_goldens.py > tests/cloud/data/sigv4.json

Time and keys are fixed and no request leaves the machine: each is caught just before it would. Two kinds of cases:
"object": a GetObject or HeadObject of a client (bucket, key, endpoint, region, addressing style -> URL and signature);
"request": botocore's signer alone, for URLs and fields that its client does not make.
"""
import datetime
import json
import sys

import botocore
import botocore.auth
import botocore.session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials

TIME = datetime.datetime(2026, 1, 31, 23, 59, 8, tzinfo=datetime.timezone.utc)
KEYS = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TOKEN = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQW=="

caught = {}
botocore.auth.get_current_datetime = lambda *_, **__: TIME.replace(tzinfo=None)
real_canonical = S3SigV4Auth.canonical_request


def canonical_request(self, request):
    caught["canonical"] = real_canonical(self, request)
    caught["region"] = self._region_name
    return caught["canonical"]


S3SigV4Auth.canonical_request = canonical_request


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def finish(case, request, method):
    headers = {name.lower(): text(value) for name, value in request.headers.items()}
    signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    case.update(method=method, url=request.url, region=caught["region"], time=headers["x-amz-date"],
                token=headers.get("x-amz-security-token", ""), payload=headers["x-amz-content-sha256"],
                fields={name: headers[name] for name in signed if name != "host"},
                canonical=caught["canonical"], authorization=headers["authorization"])
    return case


def of_object(bucket, key, region="us-east-1", endpoint=None, style="auto", token="", head=False, **parameters):
    session = botocore.session.Session()
    session.set_credentials(*KEYS, token or None)
    session.set_config_variable("region", region)
    client = session.create_client("s3", region_name=region, endpoint_url=endpoint,
                                   config=Config(s3={"addressing_style": style}, retries={"max_attempts": 0},
                                                 request_checksum_calculation="when_required",
                                                 response_checksum_validation="when_required"))
    sent = []

    def before_send(request, **_):
        sent.append(request)
        return AWSResponse(request.url, 404, {}, None)

    client.meta.events.register("before-send.s3", before_send)
    try:
        (client.head_object if head else client.get_object)(Bucket=bucket, Key=key, **parameters)
    except Exception as error:  # the empty answer is no answer of S3
        if not sent:
            raise SystemExit("%s/%s: %s" % (bucket, key, error))
    case = {"kind": "object", "bucket": bucket, "key": key, "version": parameters.get("VersionId", ""),
            "endpoint": endpoint or "", "style": style}
    return finish(case, sent[0], "HEAD" if head else "GET")


def of_request(url, token="", method="GET", region="eu-west-1", **fields):
    request = AWSRequest(method=method, url=url, headers={name.replace("_", "-"): value for name, value in fields.items()})
    S3SigV4Auth(Credentials(*KEYS, token or None), "s3", region).add_auth(request)
    return finish({"kind": "request"}, request, method)


def cases():
    local = "http://127.0.0.1:9000"
    keys = ["vgg16.pth", "path/to/vgg16_pretrained.pth", "with space.pth", "plus+plus.pth", "per%cent%20.pth", "tilde~.pth",
            "double//slash///.pth", "/leading.pth", "ü/日本語/🙂.pth", "a?b=c&d#e.pth", "!'()*;:@&=$,[]{}|\\^`\"<>.pth",
            "dots/../up/./here.pth", "_-.~AZaz09", "versionId=1", "x" * 1024]
    for key in keys:
        yield of_object("models", key)
        yield of_object("models", key, endpoint=local, head=True)
    for region in ("us-east-2", "eu-central-1", "ap-southeast-1", "cn-north-1", "us-gov-west-1"):
        yield of_object("models", "a b.pth", region=region)
        yield of_object("models", "a b.pth", region=region, style="path")
    for bucket in ("with.dots", "Upper", "under_score", "a-b", "xn", "192.168.1.1", "x" * 63, "123", "-x", "y-", "a..b", "a.-b"):
        if len(bucket) > 2:
            yield of_object(bucket, "k", region="eu-west-1")
        yield of_object(bucket, "k", endpoint=local)
    for endpoint in ("https://minio.example:9000", "https://minio.example", "http://minio.example:80", "https://minio.example:443",
                     "https://minio.example/base/path", "https://minio.example/base/", "http://[::1]:9000", "https://Minio.Example"):
        yield of_object("models", "a b.pth", endpoint=endpoint)
    yield of_object("models", "a b.pth", endpoint="https://minio.example:9000", style="virtual")
    yield of_object("with.dots", "a b.pth", endpoint=local.replace("127.0.0.1", "localhost"), style="virtual")
    for extra in ({"VersionId": "null"}, {"VersionId": "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo"},
                  {"Range": "bytes=0-0"}, {"Range": "bytes=33554432-"}, {"IfMatch": '"9b2cf535f27731c974343645a3985328-67"'},
                  {"IfNoneMatch": '"9b2cf5"'}, {"RequestPayer": "requester"}, {"ChecksumMode": "ENABLED"},
                  {"VersionId": "a b", "Range": "bytes=5-10", "IfMatch": '"x"', "RequestPayer": "requester"}):
        yield of_object("models", "a b.pth", region="eu-west-1", **extra)
        yield of_object("models", "a b.pth", region="eu-west-1", token=TOKEN, endpoint=local, head=True, **extra)
    host = "https://models.s3.eu-west-1.amazonaws.com"
    for url in (host + "/", host + "/k?versionId=x&a=1", host + "/k?b=2&a=1&a=0&B=3", host + "/k?a&b=", host + "/k?a=b=c",
                host + "/k?a-b=1&a=2&a.b=3", host + "/k?%C3%BC=%2F&~=-._~", host + "/k?x=1&", host + ":443/k", host + ":8443/k",
                "http://models:80/k", "http://models:8080/k", "https://[2001:db8::1]/k", "https://[2001:db8::1]:444/k"):
        yield of_request(url)
        yield of_request(url, token=TOKEN, method="HEAD")
    yield of_request(host + "/k", x_amz_meta_a="  two   spaces\tand tabs  ", x_amz_b="", if_match='"a  b"')
    yield of_request(host + "/k", Range="bytes=0-1", X_Amz_Request_Payer="requester", accept="*/*")


json.dump({"botocore": botocore.__version__, "python": "%d.%d" % sys.version_info[:2], "access_key_id": KEYS[0],
           "secret_access_key": KEYS[1], "cases": list(cases())}, sys.stdout, ensure_ascii=True, indent=None, separators=(",", ":"))
print()
