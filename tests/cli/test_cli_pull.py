#!/usr/bin/env python3
"""Pull as a user sees it: once, together, interrupted, updated, rolled back, through a proxy, over https."""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

import cli_support
from cli_support import MODEL, PATIENCE, REFERENCE, big_file, wait_until


class Once(cli_support.Case):
    def test_pull_prints_the_reference_last_and_says_what_happened(self):
        self.publish()
        server = self.origin()
        out = self.ok("pull", server.url + "digits.pth", "--as", "digits")
        self.assertRegex(out.splitlines()[-1], REFERENCE)
        self.assertRegex(self.notes, r"(?m)^digits:1 fetched, [0-9.]+ [kM]B in [0-9.]+ m?s$")
        self.assertRegex(self.notes, r"(?m)^  vgg11_bn, 10 classes, input 32x32, labels: config.json, preprocessing: config.json$")
        stats = server.stats()
        size = os.path.getsize(self.root / "digits.pth")
        self.assertEqual(stats["paths"]["/digits.pth"]["bytes"], size)
        [version] = self.json("ls")["versions"]
        self.assertEqual(version["digest"], hashlib.sha256((self.root / "digits.pth").read_bytes()).hexdigest())
        self.assertEqual(version["origin"], server.url + "digits.pth")

    def test_second_pull_makes_no_request(self):
        self.publish()
        server = self.origin()
        url = server.url + "digits.pth"
        first = self.json("pull", url, "--as", "digits")
        self.assertEqual(first["outcome"], "fetched")
        self.assertGreater(first["requests"], 0)
        server.reset()
        second = self.json("pull", url, "--as", "digits")
        self.assertEqual((second["outcome"], second["requests"], second["bytes_received"]), ("hit", 0, 0))
        self.assertEqual(second["reference"], first["reference"])
        self.assertEqual(list(second), ["reference", "name", "tag", "digest", "bytes", "outcome", "requests",
                                        "bytes_received", "bytes_resumed", "note"])
        self.assertIn("no request was made", self.notes)
        self.ok("pull", "digits")
        self.ok("classify", "digits", self.sample())
        stats = server.stats()
        self.assertEqual((stats["requests"], stats["connections"]), (0, 0))

    def test_name_is_made_from_the_address(self):
        digest = hashlib.sha256((MODEL / "digits-vgg11_bn.pth").read_bytes()).hexdigest()
        name = "Digits-%s.pth" % digest[:8]
        self.publish(name=name)
        server = self.origin()
        self.assertTrue(self.ok("pull", server.url + name).startswith("digits:1@sha256:" + digest))

    def test_server_gone_everything_still_works(self):
        self.publish()
        server = cli_support.Origin(self.root)
        self.ok("pull", server.url + "digits.pth", "--as", "digits")
        server.stop()
        [result] = self.json("classify", "digits", self.sample("five"))["results"]
        self.assertEqual(result["top"][0]["label"], "five")
        self.ok("pull", server.url + "digits.pth", "--as", "digits")
        self.ok("verify")

    def test_offline_hit_works(self):
        self.publish()
        server = self.origin()
        url = server.url + "digits.pth"
        self.fails(4, "pull", url, "--as", "digits", "--offline", says=["offline"])
        self.ok("pull", url, "--as", "digits")
        self.ok("pull", url, "--as", "digits", "--offline")
        self.env["CISTERN_OFFLINE"] = "yes"
        self.ok("pull", url, "--as", "digits")
        self.fails(4, "pull", "digits", "--update")

    def test_eight_processes_make_one_transfer(self):
        big_file(self.root / "big.safetensors", 8)
        server = self.origin()
        server.fault("/big.safetensors", rate=8 << 20)
        pulls = [self.start("pull", server.url + "big.safetensors", "--as", "big", "--config", "none") for _ in range(8)]
        outs = [p.communicate(timeout=PATIENCE) for p in pulls]
        self.assertEqual([p.returncode for p in pulls], [0] * 8, outs)
        self.assertEqual(len({out for out, _ in outs}), 1)
        self.assertEqual(server.stats()["bytes"], os.path.getsize(self.root / "big.safetensors"))
        self.assertEqual(len(self.json("ls")["versions"]), 1)


class Interrupted(cli_support.Case):
    MIB = 24

    def begin(self, rate=6 << 20):
        big_file(self.root / "big.safetensors", self.MIB)
        self.server = self.origin()
        self.server.fault("/big.safetensors", rate=rate)
        self.arguments = ["pull", self.server.url + "big.safetensors", "--as", "big", "--config", "none", "--parallel", "1"]
        return self.start(*self.arguments)

    def bytes_sent(self):
        return self.server.stats()["bytes"]

    def finish(self, sent_before):
        self.server.faults()
        report = self.json(*self.arguments)
        whole = os.path.getsize(self.root / "big.safetensors")
        self.assertEqual(report["outcome"], "fetched")
        self.assertGreater(report["bytes_resumed"], 0)
        self.assertEqual(report["bytes_resumed"] + report["bytes_received"], whole)
        # What a transfer that was cut down had under way is all that may be sent twice.
        self.assertLess(self.bytes_sent() - sent_before, whole)
        self.assertEqual(self.partials(), {})
        self.ok("verify")

    def test_kill_halfway_and_resume(self):
        process = self.begin()
        wait_until(lambda: self.bytes_sent() > self.MIB << 19, "half of the transfer")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.assertEqual(self.published(), [])
        self.assertEqual(self.json("ls"), {"versions": []})
        time.sleep(0.2)
        self.finish(self.bytes_sent())

    def interrupt(self, number):
        process = self.begin()
        wait_until(lambda: self.bytes_sent() > self.MIB << 18, "a quarter of the transfer")
        begun = time.monotonic()
        process.send_signal(number)
        out, notes = process.communicate(timeout=PATIENCE)
        took = time.monotonic() - begun
        self.assertEqual(process.returncode, 130)
        self.assertEqual(out, "")
        self.assertRegex(notes, r"\Acistern: [^\n]*interrupted[^\n]*\n\Z")
        # 100 ms is promised; leave room for a loaded machine.
        self.assertLess(took, 2 * cli_support.SLOW)
        self.assertEqual(self.published(), [])
        self.assertNotEqual(self.partials(), {})
        self.finish(self.bytes_sent())

    def test_interrupt_keeps_the_partial(self):
        self.interrupt(signal.SIGINT)

    def test_closed_descriptors_are_not_given_to_files_of_the_store(self):
        self.begin().kill()
        process = subprocess.Popen(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', cli_support.BIN, *self.arguments], env=self.env)
        sent = self.bytes_sent()
        wait_until(lambda: self.bytes_sent() > sent + (1 << 20), "some of the transfer")
        for descriptor in range(3):
            self.assertEqual(os.readlink("/proc/%d/fd/%d" % (process.pid, descriptor)), "/dev/null")
        process.kill()
        process.wait()

    def test_terminate_is_an_interrupt_too(self):
        self.interrupt(signal.SIGTERM)

    def test_connection_lost_for_good_keeps_the_partial_and_says_how_to_go_on(self):
        process = self.begin(rate=1 << 30)
        process.kill()
        process.communicate()
        shutil.rmtree(self.store, ignore_errors=True)
        self.server.fault("/big.safetensors", cut_after=8 << 20)
        result = self.run_raw(*self.arguments, "--tries", "1", "--quiet")
        self.assertEqual(result.returncode, 5)
        self.assertRegex(result.stderr, r"\Acistern: [^\n]+\n\Z")
        self.assertNotEqual(self.partials(), {})
        self.assertEqual(self.published(), [])
        self.finish(self.bytes_sent())

    def test_wait_ends_with_9(self):
        process = self.begin(rate=1 << 20)
        wait_until(lambda: self.bytes_sent() > 0, "the first byte")
        self.fails(9, *self.arguments, "--wait", "1", "--quiet", says=["--wait"])
        process.kill()
        process.communicate()

    def test_who_waits_tries_with_its_own_credentials_after_a_refusal(self):
        self.publish(config=False)
        server = self.origin()
        server.faults(**{"digits.pth": {"status": 503, "times": 1, "retry_after": 2, "require_auth": "me:sesame"}})
        netrc = self.dir / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password sesame\n")
        netrc.chmod(0o600)
        url = server.url + "digits.pth"
        stranger = self.start("pull", url, "--as", "digits")  # told to wait two seconds, and then refused
        while server.stats()["requests"] == 0:
            time.sleep(0.01)
        friend = self.start("pull", url, "--as", "digits", "--netrc", netrc, "-v")
        refused, brought = stranger.communicate(), friend.communicate()
        self.assertEqual((stranger.returncode, friend.returncode), (6, 0), refused[1] + brought[1])
        self.assertIn("waiting for another process", brought[1])
        self.assertTrue(brought[0].startswith("digits:1@"))

    def test_retry_after_one_500(self):
        self.publish()
        server = self.origin()
        server.fault("/digits.pth", status=503, times=1, retry_after=0)
        self.ok("pull", server.url + "digits.pth", "--as", "digits")


class Versions(cli_support.Case):
    def test_update_fetches_only_a_change_and_can_be_rolled_back(self):
        self.publish()
        server = self.origin()
        url = server.url + "digits.pth"
        one = self.json("pull", url, "--as", "digits")["reference"]
        server.reset()
        report = self.json("pull", "digits", "--update")
        self.assertEqual((report["outcome"], report["reference"]), ("unchanged", one))
        self.assertEqual(server.stats()["paths"]["/digits.pth"]["bytes"], 0)
        self.publish("v2")
        self.assertEqual(self.json("pull", url, "--as", "digits")["outcome"], "hit")  # not asked, so not noticed
        report = self.json("pull", "digits", "--update")
        self.assertEqual((report["outcome"], report["tag"]), ("fetched", "2"))
        self.assertEqual(self.json("show", "digits")["tag"], "2")
        self.assertEqual(self.ok("rollback", "digits").strip(), one)
        self.assertEqual(self.json("classify", "digits", self.sample())["model"], one)
        self.ok("classify", "digits:2", self.sample())
        self.ok("pull", "digits:2")

    def test_same_bytes_are_the_same_version(self):
        self.publish()
        server = self.origin()
        self.ok("pull", server.url + "digits.pth", "--as", "digits")
        shutil.copy(self.root / "digits.pth", self.root / "copy.pth")
        report = self.json("pull", server.url + "copy.pth", "--as", "digits")
        self.assertEqual(report["tag"], "1")
        self.assertIn(report["outcome"], ("same", "recorded"))

    def test_named_version(self):
        self.publish()
        server = self.origin()
        self.assertTrue(self.ok("pull", server.url + "digits.pth", "--as", "digits:2025-03").startswith("digits:2025-03@"))
        self.publish("v2", name="new.pth")
        self.fails(7, "pull", server.url + "new.pth", "--as", "digits:2025-03", says=["2025-03"], parts=("models",))
        self.fails(7, "pull", server.url + "new.pth", "--as", "digits:latest", says=["latest"])

    def test_sha256_expected_and_found(self):
        self.publish()
        server = self.origin()
        digest = hashlib.sha256((self.root / "digits.pth").read_bytes()).hexdigest()
        self.ok("pull", server.url + "digits.pth", "--as", "digits", "--sha256", digest)


class Ways(cli_support.Case):
    def test_redirects_are_followed(self):
        self.publish()
        server = self.origin()
        server.fault("/digits.pth", redirect_chain=3)
        self.ok("pull", server.url + "digits.pth", "--as", "digits")

    def test_proxy_by_option_and_not_by_environment(self):
        self.publish()
        server = self.origin()
        self.env["http_proxy"] = self.env["HTTP_PROXY"] = "http://127.0.0.1:1/"
        self.ok("pull", server.url + "digits.pth", "--as", "digits")
        self.assertEqual(server.stats()["proxied"], 0)
        self.ok("pull", "http://models.invalid/digits.pth", "--as", "other", "--proxy", server.url)
        self.assertGreater(server.stats()["proxied"], 0)

    def certificate(self):
        openssl = shutil.which("openssl")
        if not openssl:
            self.skipTest("no openssl program to make a certificate with")
        subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.dir / "key.pem", "-out",
                        self.dir / "ca.pem"], check=True, capture_output=True)
        return str(self.dir / "ca.pem"), str(self.dir / "key.pem")

    def test_https_with_its_own_authority(self):
        ca, key = self.certificate()
        self.publish()
        server = self.origin("--tls", ca, key, tls=True)
        url = server.url + "digits.pth"
        self.fails(5, "pull", url, "--as", "digits", "--tries", "1", says=["certificate"])
        self.ok("pull", url, "--as", "digits", "--ca", ca)
        server.reset()
        self.ok("pull", url, "--as", "digits")  # a hit: no connection, no authority needed
        self.assertEqual(server.stats()["connections"], 0)

    def test_secrets_of_an_address_are_neither_kept_nor_shown(self):
        self.publish()
        server = self.origin()
        address = server.url.replace("//", "//me:geheim@") + "digits.pth?X-Amz-Signature=feedbeef&X-Amz-Credential=me"
        self.ok("pull", address, "--as", "digits", "--verbose")
        everything = self.notes + self.ok("show", "digits", "--json") + self.ok("history", "digits")
        for path in self.store.rglob("*"):
            if path.is_file():
                everything += path.read_bytes().decode("latin-1")
        self.assertNotIn("geheim", everything)
        self.assertNotIn("feedbeef", everything)


if __name__ == "__main__":
    cli_support.main()
