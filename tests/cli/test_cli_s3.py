#!/usr/bin/env python3
"""Pulling from S3, against a server that recomputes every signature (tests/support/s3_server.py)."""
import hashlib
import json
import shutil
import subprocess
import sys
import urllib.request

import cli_support

ID, SECRET, TOKEN = "AKIDCLITEST", "geheim/+Key", "tok/en+=="


class S3:
    def __init__(self, *arguments):
        script = cli_support.TOP / "tests/support/s3_server.py"
        self.process = subprocess.Popen([sys.executable, str(script), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])
        self.control = int(self.process.stdout.readline().split()[1])
        self.url = "%s://127.0.0.1:%d" % ("https" if "--tls" in arguments else "http", self.port)

    def call(self, path, body=None):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request("http://127.0.0.1:%d/%s" % (self.control, path), data=body)
        with opener.open(request, timeout=cli_support.PATIENCE) as answer:
            return answer.read()

    def set(self, **config):
        self.call("__set", json.dumps(config).encode())

    def reset(self):
        self.call("__reset", b"")

    def stats(self):
        return json.loads(self.call("__stats"))

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Case(cli_support.Case):
    def setUp(self):
        super().setUp()
        self.s3 = S3()
        self.addCleanup(self.s3.stop)
        self.env.update(AWS_ACCESS_KEY_ID=ID, AWS_SECRET_ACCESS_KEY=SECRET, AWS_ENDPOINT_URL=self.s3.url, AWS_REGION="eu-west-1")
        self.publish()
        self.key, self.bucket, self.object = {"secret": SECRET}, {"region": "eu-west-1"}, {"file": str(self.root / "digits.pth")}
        self.serve()

    def serve(self, key="path/digits.pth", **more):
        beside = key.rpartition("/")[0] + "/config.json"
        self.bucket["objects"] = {key: self.object, beside: {"file": str(self.root / "config.json")}}
        config = {"keys": {ID: self.key}, "buckets": {"models": self.bucket}}
        config.update(more)
        self.s3.set(**config)

    def without_keys(self):
        del self.env["AWS_ACCESS_KEY_ID"], self.env["AWS_SECRET_ACCESS_KEY"]


class Pull(Case):
    address = "s3://models/path/digits.pth"

    def test_signed_pull_then_no_request(self):
        report = self.json("pull", self.address, "--as", "digits")
        self.assertEqual(report["outcome"], "fetched")
        log = self.s3.stats()["log"]
        self.assertTrue(all(entry["signed"] for entry in log))
        self.assertEqual([(e["method"], e["status"]) for e in log[:2]], [("HEAD", 200), ("GET", 206)])
        self.assertEqual(log[1]["headers"]["if-match"], '"%s"' % hashlib.md5((self.root / "digits.pth").read_bytes()).hexdigest())
        self.s3.reset()
        report = self.json("pull", self.address, "--as", "digits")
        self.assertEqual((report["outcome"], report["requests"]), ("hit", 0))
        self.ok("classify", "digits", self.sample())
        self.assertEqual(self.s3.stats()["requests"], 0)
        self.assertEqual(self.json("show", "digits")["origin"], self.address)

    def test_update_asks_once_and_a_change_is_the_next_version(self):
        self.ok("pull", self.address, "--as", "digits")
        self.s3.reset()
        self.assertEqual(self.json("pull", self.address, "--as", "digits", "--update")["outcome"], "unchanged")
        self.assertEqual([(e["method"], e["status"]) for e in self.s3.stats()["log"]], [("HEAD", 304)])
        self.publish("v2")
        report = self.json("pull", "digits", "--update")
        self.assertEqual((report["outcome"], report["tag"]), ("fetched", "2"))

    def test_keys_with_any_letters(self):
        for key in ("with space+plus%25~.pth", "a//b///c.pth", "ü/日本語.pth", "q?x=1&y#f.pth", "!'()*;:@&=$,[].pth", "a/../b.pth"):
            with self.subTest(key=key):
                self.serve(key)
                self.ok("pull", "s3://models/" + key, "--as", "digits")
                self.s3.reset()
                self.ok("pull", "s3://models/" + key, "--as", "digits")
                self.assertEqual(self.s3.stats()["requests"], 0)

    def test_bucket_in_the_host_name(self):
        self.env["AWS_ENDPOINT_URL"] = "http://localhost:%d" % self.s3.port
        self.ok("pull", self.address, "--as", "digits", "--s3-addressing", "virtual")
        entry = self.s3.stats()["log"][0]
        self.assertEqual((entry["headers"]["host"], entry["path"]), ("models.localhost:%d" % self.s3.port, "/path/digits.pth"))

    def test_one_version_of_an_object(self):
        self.object.update(version="new", versions={"old": {"file": str(self.root / "old.pth")}, "gone": {"deleted": True}})
        self.publish("v2", name="old.pth")
        self.serve()
        self.ok("pull", self.address, "--as", "new")
        self.ok("pull", self.address + "?versionId=old", "--as", "old")
        self.assertNotEqual(self.json("show", "new")["digest"], self.json("show", "old")["digest"])
        self.fails(3, "pull", self.address + "?versionId=none", "--as", "x", says=["no such version"])
        self.fails(3, "pull", self.address + "?versionId=gone", "--as", "x", says=["marks a deletion"])

    def test_default_name_is_the_last_part_of_the_key(self):
        self.serve("a/Digits.PTH")
        self.assertTrue(self.ok("pull", "s3://models/a/Digits.PTH").startswith("digits:1@"))

    def test_slow_down_is_waited_out(self):
        self.serve(slow_down=2)
        self.ok("pull", self.address, "--as", "digits", "--verbose")
        self.assertIn("trying again", self.notes)
        self.serve(slow_down=100)
        self.fails(5, "pull", self.address, "--as", "other", "--tries", "2", "--quiet", says=["given up after 2 tries"])

    def test_digest_that_s3_keeps_is_compared(self):
        self.object["sha256"] = "kept"
        self.serve()
        self.ok("pull", self.address, "--as", "digits")
        self.object["sha256"] = "wrong"
        self.serve()
        self.fails(65, "pull", self.address, "--as", "other", says=["the service keeps the SHA-256"], parts=("models/other",))

    def test_named_config_in_a_bucket(self):
        self.bucket["objects"]["elsewhere.json"] = {"file": str(self.root / "config.json")}
        self.s3.set(keys={ID: self.key}, buckets={"models": self.bucket})
        self.ok("pull", self.address, "--as", "digits", "--config", "s3://models/elsewhere.json")

    def test_offline(self):
        self.fails(4, "pull", self.address, "--as", "digits", "--offline", says=["--offline"])
        self.assertEqual(self.s3.stats()["requests"], 0)
        self.ok("pull", self.address, "--as", "digits")
        self.ok("pull", self.address, "--as", "digits", "--offline")


class Tls(Case):
    def test_endpoint_with_its_own_authority(self):
        openssl = shutil.which("openssl")
        if not openssl:
            self.skipTest("no openssl program to make a certificate with")
        subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1,DNS:*.localhost", "-keyout", self.dir / "key.pem", "-out",
                        self.dir / "ca.pem"], check=True, capture_output=True)
        self.s3 = S3("--tls", str(self.dir / "ca.pem"), str(self.dir / "key.pem"))
        self.addCleanup(self.s3.stop)
        self.serve()
        self.env["AWS_ENDPOINT_URL"] = self.s3.url
        self.fails(5, "pull", Pull.address, "--as", "x", "--tries", "1", says=["certificate"])
        self.ok("pull", Pull.address, "--as", "digits", "--ca", str(self.dir / "ca.pem"))
        self.serve(redirect="http://127.0.0.1:1")
        self.fails(6, "pull", Pull.address, "--as", "x", "--ca", str(self.dir / "ca.pem"), says=["from https to http"])


class Region(Case):
    def test_wrong_region_is_followed(self):
        for way in ("malformed", "redirect"):
            with self.subTest(way=way):
                self.serve(wrong_region=way)
                self.ok("pull", Pull.address, "--as", way, "--s3-region", "us-west-2")

    def test_wrong_region_that_is_not_told(self):
        self.serve(wrong_region="silent")
        self.fails(5, "pull", Pull.address, "--as", "x", "--s3-region", "us-west-2", says=["us-west-2", "--s3-region"])

    def test_region_that_always_changes(self):
        self.serve(wrong_region="liar")
        self.fails(5, "pull", Pull.address, "--as", "x", says=["xx-liar", "--s3-region"])
        self.assertLess(self.s3.stats()["requests"], 6)


class Refused(Case):
    def refused(self, code, address=Pull.address, says=(), **more):
        self.fails(code, "pull", address, "--as", "x", "--tries", "1", says=says, **more)

    def test_missing(self):
        self.refused(3, "s3://nowhere/k.pth", says=["no bucket 'nowhere'", self.s3.url])
        self.refused(3, "s3://models/none.pth", says=["no object of this key"])
        self.object["deleted"] = True
        self.serve()
        self.refused(3, says=["no object of this key"])

    def test_without_the_right_to_list_a_missing_key_may_be_either(self):
        self.key["list"] = False
        self.serve()
        self.refused(6, "s3://models/none.pth", says=["s3:GetObject", "does not exist", "s3:ListBucket"])

    def test_forbidden(self):
        self.key["deny"] = True
        self.serve()
        self.refused(6, says=["AccessDenied", "s3:GetObject"])

    def test_expired_token_keeps_what_came(self):
        self.env["AWS_SESSION_TOKEN"] = TOKEN
        self.key["token"] = TOKEN
        self.serve(cut_after=1000000, expire_after=2)
        self.fails(6, "pull", Pull.address, "--as", "digits", "--quiet", says=["token has expired", "is kept"])
        self.env["AWS_SESSION_TOKEN"] = self.key["token"] = "renewed"
        self.serve()
        report = self.json("pull", Pull.address, "--as", "digits")
        self.assertGreater(report["bytes_resumed"], 0)

    def test_wrong_token(self):
        self.env["AWS_SESSION_TOKEN"] = "other"
        self.refused(6, says=["AWS_SESSION_TOKEN"])

    def test_wrong_keys(self):
        self.env["AWS_SECRET_ACCESS_KEY"] = "wrong"
        self.refused(6, says=["SignatureDoesNotMatch", "secret access key"])
        self.env["AWS_ACCESS_KEY_ID"] = "AKIDOTHER"
        self.refused(6, says=["InvalidAccessKeyId"])

    def test_clocks_apart(self):
        self.serve(clock=3600)
        self.refused(6, says=["clock", "this machine says 2", "the server 2"])

    def test_no_keys(self):
        self.without_keys()
        self.refused(6, says=["no credentials were found", "AWS_ACCESS_KEY_ID", "--s3-profile"])
        self.bucket["public"] = True
        self.serve()
        self.ok("pull", Pull.address, "--as", "digits")
        self.assertFalse(any("authorization" in entry["headers"] for entry in self.s3.stats()["log"]))

    def test_anonymous_on_purpose(self):
        self.fails(6, "pull", Pull.address, "--as", "x", "--s3-anonymous", says=["leave --s3-anonymous out"])
        self.bucket["public"] = True
        self.serve()
        self.ok("pull", Pull.address, "--as", "digits", "--s3-anonymous")
        self.assertFalse(any(entry["signed"] for entry in self.s3.stats()["log"]))

    def test_requester_pays(self):
        self.bucket["payer"] = True
        self.serve()
        self.refused(6, says=["AccessDenied"])
        self.ok("pull", Pull.address, "--as", "digits", "--s3-requester-pays")

    def test_bad_addresses(self):
        for address in ("s3://", "s3://models", "s3://models/dir/", "s3://mo:dels/k", "s3:models/k"):
            self.refused(2, address)

    def test_nobody_there(self):
        self.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
        self.refused(5, says=["no connection"])


class Profiles(Case):
    def setUp(self):
        super().setUp()
        self.without_keys()
        self.aws = self.dir / "home/.aws"
        self.aws.mkdir(parents=True)
        (self.aws / "credentials").write_text("[default]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = x\n"
                                              "[work]\naws_access_key_id = %s\naws_secret_access_key = %s\n" % (ID, SECRET))
        (self.aws / "config").write_text("[profile work]\nregion = eu-west-1\nendpoint_url = %s\ns3 =\n  addressing_style = path\n" % self.s3.url)
        del self.env["AWS_ENDPOINT_URL"], self.env["AWS_REGION"]

    def pull(self, *arguments):
        self.ok("pull", Pull.address, "--as", "digits", *arguments)
        self.assertGreater(self.s3.stats()["requests"], 0)

    def test_by_variable(self):
        self.env["AWS_PROFILE"] = "work"
        self.pull()

    def test_by_flag_before_keys_of_the_environment(self):
        self.env.update(AWS_ACCESS_KEY_ID="AKIDOTHER", AWS_SECRET_ACCESS_KEY="x", AWS_PROFILE="default")
        self.pull("--s3-profile", "work")

    def test_keys_of_the_environment_before_a_profile_of_the_environment(self):
        self.env.update(AWS_ACCESS_KEY_ID="AKIDOTHER", AWS_SECRET_ACCESS_KEY="x", AWS_PROFILE="work")
        self.fails(6, "pull", Pull.address, "--as", "x", says=["InvalidAccessKeyId"])

    def test_files_elsewhere(self):
        elsewhere = self.dir / "home/other"
        (self.aws / "credentials").rename(elsewhere)
        self.env.update(AWS_SHARED_CREDENTIALS_FILE="~/other", AWS_PROFILE="work")
        self.pull()

    def test_options_of_the_configuration_file(self):
        config = self.dir / "my.ini"
        config.write_text("s3-profile = work\ns3-addressing = path\n")
        self.env["CISTERN_CONFIG"] = str(config)
        self.pull()

    def test_unknown_profile(self):
        self.fails(2, "pull", Pull.address, "--as", "x", "--s3-profile", "gone", says=["no profile 'gone'", "credentials"])

    def test_process_is_refused_by_name(self):
        (self.aws / "config").write_text("[profile p]\ncredential_process = /bin/echo\n")
        self.fails(2, "pull", Pull.address, "--as", "x", "--s3-profile", "p", says=["credential_process", "export-credentials"])

    def test_damaged_file_names_its_line(self):
        (self.aws / "credentials").write_text("[default]\nnonsense\n")
        self.fails(2, "pull", Pull.address, "--as", "x", says=["credentials", "line 2"])

    def test_a_hit_needs_no_file(self):
        self.env["AWS_PROFILE"] = "work"
        self.pull()
        (self.aws / "credentials").write_text("nonsense\n")
        self.ok("pull", Pull.address, "--as", "digits")


class Secrets(Case):
    def test_no_secret_is_kept_or_shown(self):
        self.env["AWS_SESSION_TOKEN"] = TOKEN
        self.key["token"] = TOKEN
        self.serve(slow_down=1)
        self.ok("pull", Pull.address, "--as", "digits", "--verbose", "--verbose", "--verbose")
        everything = self.notes + self.ok("config") + self.ok("config", "--json") + self.ok("show", "digits", "--json") \
            + self.ok("history", "digits")
        options = {o["name"]: o["value"] for o in self.json("config")["options"]}
        self.assertEqual({options["s3-%s" % name] for name in ("access-key-id", "secret-access-key", "session-token")}, {"***"})
        self.serve(fail={"status": 400, "code": "Odd", "echo": True})
        failed = self.run_raw("pull", "s3://models/other", "--as", "x", "--verbose", "--verbose")
        everything += failed.stdout + failed.stderr
        for path in self.dir.rglob("*"):
            if path.is_file() and self.root not in path.parents:
                everything += path.read_bytes().decode("latin-1")
        for secret in (ID, SECRET, TOKEN, "Signature="):
            self.assertNotIn(secret, everything)

    def test_a_key_of_the_environment_goes_with_no_token_of_a_file(self):
        config = self.dir / "my.ini"
        config.write_text("s3-access-key-id = A\ns3-secret-access-key = B\ns3-session-token = C\n")
        self.env["CISTERN_CONFIG"] = str(config)
        self.ok("pull", Pull.address, "--as", "digits")
        self.assertNotIn("x-amz-security-token", self.s3.stats()["log"][0]["headers"])

    def test_half_a_pair(self):
        del self.env["AWS_SECRET_ACCESS_KEY"]
        self.fails(2, "pull", Pull.address, "--as", "x", says=["AWS_SECRET_ACCESS_KEY"])


if __name__ == "__main__":
    cli_support.main()
