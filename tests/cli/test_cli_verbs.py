#!/usr/bin/env python3
"""Each verb: what it does, what it prints, the shape of its JSON, its help."""
import json
import math
import os
import pathlib
import shutil
import subprocess

import cli_support
from cli_support import MODEL, REFERENCE, small_vgg11

VERBS = ["pull", "add", "import", "export", "link", "classify", "ls", "show", "path", "history", "tag", "rollback", "verify", "rm", "prepare", "init", "config",
         "version", "help"]
OPTIONS = ["store", "offline", "wait", "ca", "proxy", "no-proxy", "tries", "connect-timeout", "low-speed-limit",
           "low-speed-time", "parallel", "threads", "isa", "import-program", "state", "cache", "s3-endpoint", "s3-region", "s3-profile",
           "s3-addressing", "s3-anonymous", "s3-requester-pays", "s3-config-file", "s3-credentials-file",
           "s3-access-key-id", "s3-secret-access-key", "s3-session-token", "torch-home", "keras-home", "netrc", "headers-file",
           "keep-removed", "keep-partial"]
SECRETS = ["s3-access-key-id", "s3-secret-access-key", "s3-session-token"]  # a command line can be read by other users of the machine


class Help(cli_support.Case):
    def test_every_verb_has_help_with_examples(self):
        overview = self.ok("help")
        for verb in VERBS:
            self.assertIn("\n  %s " % verb, overview)
            text = self.ok("help", verb)
            self.assertTrue(text.startswith("usage: cistern %s" % verb), text)
            self.assertIn("\nExamples\n  ", text)
            self.assertEqual(self.ok(verb, "--help"), text)
        self.assertEqual(self.ok("--help"), overview)

    def test_help_lines_fit_a_terminal(self):
        for arguments in [["help"]] + [["help", verb] for verb in VERBS]:
            for line in self.ok(*arguments).splitlines():
                self.assertLessEqual(len(line), 120, line)

    def test_man_page_names_every_verb_and_option(self):
        page = (cli_support.TOP / "man/cistern.1").read_text()
        text = self.ok("help") + "".join(self.ok("help", verb) for verb in VERBS)
        for verb in VERBS:
            self.assertIn(".It Cm %s" % verb, page)
        for word in text.split():
            if word.startswith("--") and word[2:].replace("-", "").isalpha():
                self.assertIn("Fl Fl " + word[2:], page)

    def test_man_page_is_well_formed(self):
        if not shutil.which("mandoc"):
            self.skipTest("mandoc is not installed")
        found = subprocess.run(["mandoc", "-Tlint", str(cli_support.TOP / "man/cistern.1")], capture_output=True, text=True)
        self.assertEqual(found.stdout + found.stderr, "")

    def test_version(self):
        self.assertRegex(self.ok("version"), r"\Acistern \d+\.\d+\.\d+\n\Z")
        self.assertEqual(self.ok("-V"), self.ok("version"))
        self.assertEqual(set(self.json("version")), {"version", "library"})

    def test_every_option_of_the_library_is_a_flag(self):
        names = [o["name"] for o in self.json("config")["options"]]
        self.assertEqual(names, OPTIONS)
        for name in names:
            if name in SECRETS:
                self.assertNotIn("--%s" % name, self.ok("help"))
            else:
                self.assertIn("--%s" % name, self.ok("help"))


class Config(cli_support.Case):
    def sources(self, *arguments):
        return {o["name"]: (o["value"], o["source"]) for o in self.json("config", *arguments)["options"]}

    def test_flag_beats_environment_beats_file_beats_default(self):
        self.assertEqual(self.sources()["tries"][1], "default")
        config = pathlib.Path(self.env["XDG_CONFIG_HOME"]) / "cistern"
        config.mkdir(parents=True)
        (config / "config.ini").write_text("; mine\ntries = 7\n")
        value, source = self.sources()["tries"]
        self.assertEqual((value, source), ("7", "%s:2" % (config / "config.ini")))
        self.env["CISTERN_TRIES"] = "8"
        self.assertEqual(self.sources()["tries"], ("8", "environment CISTERN_TRIES"))
        self.assertEqual(self.sources("--tries", "9")["tries"], ("9", "flag"))
        self.assertRegex(self.ok("config"), r"(?m)^tries +8 +environment CISTERN_TRIES$")

    def test_flags_stand_before_or_behind_the_verb(self):
        self.assertIn("environment", self.sources()["store"][1])
        for arguments in (["--store", "/x", "config"], ["config", "--store=/x"]):
            self.assertRegex(self.ok(*arguments), r"(?m)^store +/x +flag$")

    def test_password_of_a_proxy_is_not_shown(self):
        self.assertNotIn("geheim", self.ok("config", "--proxy", "http://me:geheim@proxy:3128"))

    def test_default_store_is_in_xdg_data_home(self):
        del self.env["CISTERN_STORE"]
        self.assertEqual(self.sources()["store"][0], os.path.join(self.env["XDG_DATA_HOME"], "cistern"))


class Store(cli_support.Case):
    def test_absent_store_lists_nothing(self):
        self.assertEqual(self.ok("ls"), "")
        self.assertEqual(self.json("ls"), {"versions": []})
        self.assertFalse(self.store.exists())

    def test_init_is_idempotent(self):
        self.ok("init")
        first = (self.store / "cistern.json").read_bytes()
        self.assertEqual(self.json("init"), {"store": str(self.store)})
        self.assertEqual((self.store / "cistern.json").read_bytes(), first)

    def test_add_then_look(self):
        reference = self.add("--why", "first")
        self.assertRegex(reference, REFERENCE)
        self.assertRegex(self.notes, r"\Adigits:1 added, [0-9.]+ MB in ")
        self.assertTrue(reference.startswith("digits:1@sha256:"))
        self.assertRegex(self.ok("ls"), r"\AMODEL +ALIASES .*\ndigits:1 +latest +vgg11_bn +[0-9.]+ [kM]B ")
        [version] = self.json("ls")["versions"]
        shown = self.json("show", "digits")
        self.assertEqual(shown["facts"].pop("kind"), "PyTorch zip")
        self.assertEqual(version, shown)
        self.assertEqual(version["reference"], reference)
        self.assertEqual(version["aliases"], ["latest"])
        self.assertEqual(version["facts"]["architecture"], "vgg11_bn")
        self.assertEqual(version["facts"]["architecture_source"], "config.json")
        self.assertEqual((version["facts"]["input_height"], version["facts"]["input_width"]), (32, 32))
        self.assertEqual([round(x, 6) for x in version["facts"]["mean"]], [0.602, 0.605, 0.603])
        self.assertEqual(version["facts"]["classes"], 10)
        self.assertTrue(version["here"])
        [file] = version["files"]
        original = (MODEL / "digits-vgg11_bn.pth").read_bytes()
        self.assertEqual(file["path"], "digits-vgg11_bn.pth")
        self.assertEqual(file["bytes"], len(original))
        self.assertEqual(pathlib.Path(self.ok("path", "digits").rstrip("\n")).read_bytes(), original)
        self.assertEqual(self.json("path", "digits:1")["path"] + "\n", self.ok("path", reference))
        self.assertIn(version["digest"], self.ok("show", "digits:latest"))

    def test_show_tensors(self):
        self.add()
        tensors = self.json("show", "digits", "--tensors")["tensors"]
        [first] = [t for t in tensors if t["name"].endswith("features.0.weight")]
        self.assertEqual((first["dtype"], first["shape"], first["stride"]), ("F32", [8, 3, 3, 3], [27, 9, 3, 1]))
        self.assertRegex(self.ok("show", "digits", "--tensors"), r"(?m)^features\.0\.weight +F32 +8 x 3 x 3 x 3 ")

    def test_pull_of_a_path_is_an_add(self):
        reference = self.ok("pull", MODEL / "digits-vgg11_bn.pth", "--as", "digits").strip()
        self.assertTrue(reference.startswith("digits:1@"))
        self.ok("pull", "file:" + str(MODEL / "digits-vgg11_bn.pth"), "--as", "digits")
        self.assertEqual(len(self.json("ls")["versions"]), 1)
        self.assertEqual(self.json("pull", "digits")["outcome"], "hit")

    def test_versions_aliases_rollback_and_history(self):
        one = self.add("--why", "first")
        two = self.add(version="v2")
        self.assertTrue(two.startswith("digits:2@"))
        self.assertEqual(self.json("show", "digits")["tag"], "2")
        self.assertEqual(self.ok("tag", "digits:1", "production", "--expect", "").strip(), one)
        self.assertEqual(self.ok("tag", "digits:2", "production", "--expect", "1", "--why", "better").strip(), two)
        self.assertEqual(self.ok("rollback", "digits:production").strip(), one)
        self.assertEqual(self.json("rollback", "digits")["tag"], "1")
        self.assertEqual(self.json("show", "digits:1")["aliases"], ["latest", "production"])
        events = self.json("history", "digits")["events"]
        self.assertEqual([(e["kind"], e["tag"], e["alias"]) for e in events if e["alias"] == "production"],
                         [("move", "1", "production"), ("move", "2", "production"), ("rollback", "1", "production")])
        self.assertEqual([e["tag"] for e in events if e["kind"] == "add"], ["1", "2"])
        self.assertEqual([e["why"] for e in events if e["tag"] == "2" and e["alias"] == "production"], ["better"])
        text = self.ok("history", "digits")
        self.assertIn("production: 1 -> 2", text)
        self.assertIn("production rolled back: 2 -> 1", text)

    def test_rm_needs_force_for_what_an_alias_points_to(self):
        self.add()
        self.add(version="v2")
        self.ok("rm", "digits:1")
        self.assertIn("bytes stay", self.notes)
        self.assertEqual([v["tag"] for v in self.json("ls")["versions"]], ["2"])
        self.fails(7, "rm", "digits:2", says=["latest", "--force"])
        self.assertEqual(self.json("rm", "digits:2", "--force"), {"removed": [{"reference": "digits:2", "versions": 1}]})
        self.assertEqual(self.json("ls"), {"versions": []})
        self.assertTrue(self.add(version="v2").startswith("digits:3@"))  # a removed tag is never used again

    def test_verify_says_which_file_is_damaged(self):
        self.add()
        self.add(version="v2")
        self.assertRegex(self.ok("verify"), r"\Aok  digits:1  digits-vgg11_bn.pth  .*\n(ok  digits:1  made here: .*\n)+ok  digits:2  ")
        self.assertTrue(self.json("verify", "digits:1")["ok"])
        path = pathlib.Path(self.ok("path", "digits:1").rstrip("\n"))
        path.chmod(0o600)
        with open(path, "r+b") as blob:
            blob.seek(1000)
            byte = blob.read(1)
            blob.seek(1000)
            blob.write(bytes([byte[0] ^ 1]))
        path.chmod(0o400)
        result = self.run_raw("verify", "--json")
        self.assertEqual(result.returncode, 65)
        report = json.loads(result.stdout)
        self.assertFalse(report["ok"])
        self.assertEqual([f["status"] for f in report["files"] if not f["derived"]], ["DAMAGED", "OK"])
        result = self.run_raw("verify", "digits:2", "digits:1")
        self.assertEqual(result.returncode, 65)
        self.assertIn("BAD digits:1", result.stdout)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertEqual(self.run_raw("verify", "digits:1", "digits:2").returncode, 65)


class Prepare(cli_support.Case):
    def test_packed_weights_are_made_once_and_named_in_json(self):
        self.ok("add", MODEL / "digits-vgg11_bn.pth", "--as", "digits")
        first = json.loads(self.ok("prepare", "digits", "--json"))["prepared"][0]
        self.assertTrue(first["made"])
        self.assertGreater(first["bytes"], 100000)
        self.assertFalse(json.loads(self.ok("prepare", "digits:1", "--json"))["prepared"][0]["made"])
        self.assertEqual(len(list(pathlib.Path(self.store).glob("derived/*/packed-*"))), 1)

    def test_a_store_that_may_not_be_written_is_packed_for_in_the_users_cache(self):
        self.ok("add", MODEL / "digits-vgg11_bn.pth", "--as", "digits")
        root = pathlib.Path(self.store) / "cistern.json"
        document = json.loads(root.read_text())
        document["write_features"] = ["later"]  # as a later version would leave it: also root may not write it
        root.unlink()
        root.write_text(json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")
        first = self.ok("classify", "digits", MODEL / "samples/seven.png")
        self.assertEqual(list(pathlib.Path(self.store).glob("derived/*/packed-*")), [])
        self.assertEqual(len(list(self.dir.glob("home/.cache/cistern/derived/*/packed-*"))), 1)
        self.assertFalse(json.loads(self.ok("prepare", "digits", "--json"))["prepared"][0]["made"])
        self.assertEqual(self.ok("classify", "digits", MODEL / "samples/seven.png"), first)
        self.assertTrue(json.loads(self.ok("prepare", "digits", "--json", "--cache", self.dir / "other"))["prepared"][0]["made"])
        self.assertEqual(len(list(self.dir.glob("other/derived/*/packed-*"))), 1)

    def test_what_is_not_there_cannot_be_prepared(self):
        self.fails(3, "prepare", "digits")


class Classify(cli_support.Case):
    def test_json_is_as_documented_and_floats_round_trip(self):
        self.add()
        report = self.json("classify", "digits", self.sample("three"), self.sample("eight"))
        self.assertEqual(set(report), {"model", "results"})
        self.assertRegex(report["model"], REFERENCE)
        for result, name in zip(report["results"], ("three", "eight")):
            self.assertEqual(set(result), {"image", "top"})
            self.assertEqual(result["image"], self.sample(name))
            self.assertEqual(len(result["top"]), 5)
            best = result["top"][0]
            self.assertEqual(set(best), {"class", "label", "probability", "logit"})
            self.assertEqual(best["label"], name)
            logits = [t["logit"] for t in result["top"]]
            self.assertEqual(logits, sorted(logits, reverse=True))
            self.assertLessEqual(sum(t["probability"] for t in result["top"]), 1.000001)
            for t in result["top"]:  # softmax
                self.assertAlmostEqual(t["probability"] / best["probability"], math.exp(t["logit"] - best["logit"]), 5)

    def test_table_of_one_and_of_several_images(self):
        self.add()
        one = self.ok("classify", "digits", self.sample("seven"), "--top", "1")
        self.assertRegex(one, r"\A +\d+\.\d\d %  seven  class 7  logit -?\d+\.\d{3}\n\Z")
        several = self.ok("classify", "digits", *[self.sample(n) for n in ("one", "two", "three", "four", "five", "six")])
        headings = [line for line in several.splitlines() if not line.startswith(" ")]
        self.assertEqual(headings, [self.sample(n) for n in ("one", "two", "three", "four", "five", "six")])

    def test_of_several_images_each_is_tried_and_the_first_failure_is_the_code(self):
        self.add()
        result = self.run_raw("classify", "digits", self.dir / "gone.png", self.sample("three"), str(MODEL / "config.json"),
                              "--json")
        self.assertEqual(result.returncode, 3)
        self.assertEqual(len(result.stderr.splitlines()), 2)
        self.assertEqual([r["image"] for r in json.loads(result.stdout)["results"]], [self.sample("three")])
        result = self.run_raw("classify", "digits", str(MODEL / "config.json"), self.dir / "gone.png")
        self.assertEqual(result.returncode, 66)

    def test_a_batch_gives_what_single_images_give(self):
        self.add()
        names = ["zero", "one", "two", "three", "four", "five", "six"]
        together = self.json("classify", "digits", *map(self.sample, names))["results"]
        for name, result in zip(names, together):
            [alone] = self.json("classify", "digits", self.sample(name))["results"]
            self.assertEqual([t["class"] for t in alone["top"]][:1], [t["class"] for t in result["top"]][:1])
            for a, b in zip(alone["top"], result["top"]):
                self.assertAlmostEqual(a["logit"], b["logit"], delta=1e-4)

    def test_a_path_needs_no_store(self):
        [result] = self.json("classify", MODEL / "digits-vgg11_bn.pth", self.sample("nine"))["results"]
        self.assertEqual(result["top"][0]["label"], "nine")
        self.assertFalse(self.store.exists())

    def test_without_labels_the_class_is_printed_and_how_to_name_it(self):
        small_vgg11(self.dir / "plain.safetensors")
        text = self.ok("classify", "./plain.safetensors", self.sample())
        self.assertRegex(text, r"class \d")
        self.assertIn("--labels", self.notes)
        (self.dir / "names.txt").write_text("ant\nbee\ncat\n")
        text = self.ok("classify", "./plain.safetensors", self.sample(), "--labels", "names.txt")
        self.assertRegex(text, r"(ant|bee|cat)")
        self.assertEqual(self.notes, "")
        [result] = self.json("classify", "./plain.safetensors", self.sample())["results"]
        self.assertEqual([t["label"] for t in result["top"]], [None] * 3)

    def test_a_name_that_is_file_and_model_is_refused_naming_both(self):
        small_vgg11(self.dir / "plain.safetensors")
        self.ok("classify", "plain.safetensors", self.sample())  # a file only
        self.ok("add", "./plain.safetensors", "--as", "plain.safetensors")
        self.fails(2, "classify", "plain.safetensors", self.sample(),
                   says=["./plain.safetensors", "plain.safetensors:latest"])
        self.ok("classify", "./plain.safetensors", self.sample())
        self.ok("classify", "plain.safetensors:latest", self.sample())

    def test_facts_are_declared_for_files_only(self):
        self.add()
        (self.dir / "names.txt").write_text("a\n" * 10)
        for option in (["--labels", "names.txt"], ["--arch", "vgg11_bn"], ["--config", "none"]):
            self.fails(2, "classify", "digits", self.sample(), *option, says=["pull and add"])
            self.ok("classify", MODEL / "digits-vgg11_bn.pth", self.sample(), *option)

    def test_timings(self):
        self.add()
        report = self.json("classify", "digits", self.sample(), "--timings")
        self.assertEqual(set(report["timings_ms"]), {"open", "prepare", "images", "network", "whole"})
        self.ok("classify", "digits", self.sample(), "--timings")
        self.assertRegex(self.notes, r"network [0-9.]+ ms")

    def test_kernels_agree(self):
        self.add()
        results = [self.json("classify", "digits", self.sample(), "--isa", isa)["results"][0]["top"]
                   for isa in ("portable", "auto")]
        for a, b in zip(*results):
            self.assertEqual(a["class"], b["class"])
            self.assertAlmostEqual(a["logit"], b["logit"], delta=1e-3)


if __name__ == "__main__":
    cli_support.main()
