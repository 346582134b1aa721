#!/usr/bin/env python3
"""Published names and mirrors: torchvision:vgg16 from a local server, messages, what is stored, headers, netrc."""
import json
import shutil
import unittest

import cli_support
from cli_support import MODEL

PUBLISHED = "https://download.pytorch.org/models/vgg16-397923af.pth"


class Mirror(cli_support.Case):
    def setUp(self):
        super().setUp()
        (self.root / "torch").mkdir()
        shutil.copy(MODEL / "digits-vgg11_bn.pth", self.root / "torch/vgg16-397923af.pth")
        shutil.copy(MODEL / "config.json", self.root / "torch/config.json")
        self.server = self.origin()
        self.configure("[mirror]\nhttps://download.pytorch.org/models/ = %storch/\n" % self.server.url)

    def configure(self, text):
        (self.dir / "config/cistern").mkdir(parents=True, exist_ok=True)
        (self.dir / "config/cistern/config.ini").write_text(text)

    def test_published_name_is_fetched_from_the_mirror_once(self):
        first = self.json("pull", "torchvision:vgg16", "--ignore-name-digest")
        self.assertTrue(first["reference"].startswith("vgg16:1@sha256:"))
        self.assertIn("%s came from its mirror %storch/vgg16-397923af.pth" % (PUBLISHED, self.server.url), self.notes)
        self.assertIn("/torch/config.json", self.server.stats()["paths"])
        self.assertEqual(self.json("show", "vgg16")["origin"], PUBLISHED)
        self.server.reset()
        for address in ("torchvision:vgg16", PUBLISHED, "Torchvision:vgg16.IMAGENET1K_V1"):
            again = self.json("pull", address)
            self.assertEqual((again["outcome"], again["requests"]), ("hit", 0))
        self.configure("")  # the mirror is gone; what is here is here
        self.assertEqual(self.json("pull", "torchvision:vgg16", "--offline")["outcome"], "hit")
        self.assertEqual(self.server.stats()["requests"], 0)

    def test_digest_of_the_published_file_is_demanded_of_the_mirror(self):
        failed = self.run_raw("pull", "torchvision:vgg16")
        self.assertEqual(failed.returncode, 65)
        for text in ("397923af8e79cdbb", "--ignore-name-digest", PUBLISHED, self.server.url):
            self.assertIn(text, failed.stderr)
        self.assertEqual(self.published(), [])

    def test_a_file_of_a_branch_may_change(self):
        (self.root / "hub").mkdir()
        shutil.copy(MODEL / "digits-vgg11_bn.pth", self.root / "hub/model.safetensors")
        url = "https://huggingface.co/timm/vgg16.tv_in1k/resolve/main/model.safetensors"
        mirror = "https://huggingface.co/timm/vgg16.tv_in1k/resolve/main=%shub" % self.server.url
        self.assertTrue(self.ok("pull", url, "--mirror", mirror).startswith("vgg16:1@"))
        self.assertNotIn("published", self.json("show", "vgg16"))  # recognised by its bytes, not by its address
        shutil.copy(MODEL / "v2/digits-vgg11_bn.pth", self.root / "hub/model.safetensors")
        self.assertTrue(self.ok("pull", "vgg16", "--update", "--mirror", mirror).startswith("vgg16:2@"))

    def test_md5_of_a_published_file_is_demanded(self):
        (self.root / "vgg16").mkdir()
        name = "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
        shutil.copy(MODEL / "digits-vgg11_bn.pth", self.root / "vgg16" / name)
        mirror = "https://storage.googleapis.com/tensorflow/keras-applications=" + self.server.url
        self.configure("")
        failed = self.run_raw("pull", "keras:vgg16", "--mirror", mirror)
        self.assertEqual(failed.returncode, 65)
        self.assertIn("an MD5 that begins with 64373286793e3c8b2b4e3219cbf3544b", failed.stderr)
        self.assertEqual(self.published(), [])
        self.assertEqual(self.partials(), {})
        self.ok("pull", "keras:vgg16", "--mirror", mirror, "--ignore-name-digest")
        self.assertNotIn("published", self.json("show", "vgg16"))

    def test_update_asks_the_mirror(self):
        self.ok("pull", "torchvision:vgg16", "--ignore-name-digest")
        self.assertEqual(self.json("pull", "vgg16", "--update")["outcome"], "unchanged")
        shutil.copy(MODEL / "v2/digits-vgg11_bn.pth", self.root / "torch/vgg16-397923af.pth")
        self.assertTrue(self.json("pull", "vgg16", "--update", "--ignore-name-digest")["reference"].startswith("vgg16:2@"))

    def test_failures_name_the_mirror_and_the_published_address(self):
        self.fails(3, "pull", "torchvision:vgg19", says=["vgg19-dcbb9e9d.pth, through its mirror", self.server.url])

    def test_what_is_not_published_lists_what_is(self):
        self.fails(3, "pull", "torchvision:resnet50", says=["vgg19_bn", "vgg16.IMAGENET1K_FEATURES"])
        self.fails(3, "pull", "keras:vgg11", says=["vgg16.notop"])
        self.assertEqual(self.server.stats()["requests"], 0)

    def test_longest_prefix_wins_and_a_flag_beats_the_file(self):
        self.configure("[mirror]\nhttps://download.pytorch.org = http://127.0.0.1:9/\n"
                       "https://download.pytorch.org/models = %storch\n" % self.server.url)
        self.ok("pull", "torchvision:vgg16", "--ignore-name-digest")
        self.fails(5, "pull", "torchvision:vgg19", "--tries", "1", "--mirror",
                   "https://download.pytorch.org/models=http://127.0.0.1:9/", says=["127.0.0.1:9"])

    def test_config_shows_mirrors_without_secrets(self):
        self.configure("tries = 2\n[mirror]\nhttps://a.example/ = http://b.example/x/\nhttps://c.example = http://u:hush@d.example\n")
        out = self.ok("config")
        self.assertRegex(out, r"mirror https://a\.example/ +http://b\.example/x/ +\S+config\.ini")
        self.assertRegex(out, r"mirror https://c\.example/ +\*\*\*")
        self.assertNotIn("hush", out)

    def test_bad_mirrors_are_refused_with_their_line(self):
        for line, words in (("https://a.example/", "a mirror is written"), ("https://a.example = /srv", "http"),
                            ("https://a.example = ftp://b", "http"), ("a = b", "http"),
                            ("https://a.example = http://b/" + "x" * 200, "at most 198")):
            self.configure("\n[mirror]\n%s\n" % line)
            self.fails(2, "ls", says=["config.ini:3", words])
        self.configure("[miror]\n")
        self.ok("ls")
        self.configure("[miror]\na = b\n")
        self.fails(2, "ls", says=["miror"])

    def test_headers_and_netrc_go_to_the_mirror(self):
        self.server.faults(every={"require_auth": "me:sesame"})
        self.fails(6, "pull", "torchvision:vgg16", "--ignore-name-digest")
        netrc = self.dir / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password sesame\nmachine download.pytorch.org login a password hush\n")
        self.ok("pull", "torchvision:vgg16", "--ignore-name-digest", "--netrc", netrc)
        self.assertNotIn("sesame", self.notes)
        tokens = self.dir / "tokens"
        tokens.write_text("[%s]\nAuthorization: Basic bWU6c2VzYW1l\nX-Team: sesame\n[https://download.pytorch.org]\nX-Team: hush\n"
                          % self.server.url.rstrip("/"))
        self.server.reset()
        self.ok("pull", "torchvision:vgg16", "--as", "second", "--ignore-name-digest", "--headers-file", tokens, "-v")
        self.assertNotIn("sesame", self.notes)
        self.assertEqual({r["headers"].get("x-team") for r in self.server.stats()["log"]}, {"sesame"})
        stored = b"".join(p.read_bytes() for p in (self.store / "models").rglob("*.json"))
        self.assertNotIn(b"sesame", stored)
        out = self.ok("config", "--headers-file", tokens)
        self.assertNotIn("sesame", out)


if __name__ == "__main__":
    cli_support.main()
