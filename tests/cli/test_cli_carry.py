#!/usr/bin/env python3
"""Other people's layouts: a directory with metadata.json in and out, torch hub's cache in and out."""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import time
import unittest

import cli_support
from cli_support import MODEL, small_vgg11

VGG16 = "vgg16-397923af.pth"


def load_model_with_versioning(model_dir, version):
    """What programs do that keep versions by hand, without the framework: the bytes, or None."""
    try:
        with open(os.path.join(model_dir, "metadata.json"), "r") as f:
            metadata = json.load(f)
            model_path = os.path.join(model_dir, metadata[str(version)])
        with open(model_path, "rb") as f:
            return f.read()
    except (FileNotFoundError, KeyError):
        return None


class Carry(cli_support.Case):
    def setUp(self):
        super().setUp()
        self.models = self.dir / "pretrained_models"
        self.models.mkdir()
        self.first = (MODEL / "digits-vgg11_bn.pth").read_bytes()
        self.second = (MODEL / "v2/digits-vgg11_bn.pth").read_bytes()
        self.torch = self.dir / "torch"
        self.env["TORCH_HOME"] = str(self.torch)
        self.checkpoints = self.torch / "hub/checkpoints"

    def metadata(self, value, text=None):
        (self.models / "metadata.json").write_text(text if text is not None else json.dumps(value))

    def two_versions(self):
        (self.models / "vgg16_v1.pth").write_bytes(self.first)
        (self.models / "vgg16_v2.pth").write_bytes(self.second)
        self.metadata({"1": "vgg16_v1.pth", "2": "vgg16_v2.pth"})


class Directory(Carry):
    def test_directory_becomes_versions_with_its_numbers(self):
        self.two_versions()
        out = self.ok("import", self.models, "--as", "vgg16")
        self.assertEqual([line.split("@")[0] for line in out.splitlines()], ["vgg16:1", "vgg16:2"])
        self.assertEqual(self.json("show", "vgg16")["tag"], "2")
        self.assertEqual(pathlib.Path(self.ok("path", "vgg16:1").strip()).read_bytes(), self.first)
        again = self.json("import", self.models, "--as", "vgg16")["imported"]
        self.assertEqual([i["outcome"] for i in again], ["same", "same"])
        self.assertEqual(len(self.json("ls")["versions"]), 2)

    def test_numbers_are_taken_in_their_order_and_may_have_gaps(self):
        (self.models / "a").mkdir()
        (self.models / "a/x.pth").write_bytes(self.second)
        (self.models / "old.pth").write_bytes(self.first)
        self.metadata({"10": "a/x.pth", "9": "old.pth"})
        self.ok("import", self.models, "--as", "vgg16")
        self.assertEqual([v["tag"] for v in self.json("ls", "vgg16")["versions"]], ["9", "10"])
        self.assertEqual(self.json("show", "vgg16:latest")["tag"], "10")

    def test_export_after_import_is_an_equal_value_and_equal_bytes(self):
        self.two_versions()
        (self.models / "sub").mkdir()
        shutil.copy(self.models / "vgg16_v2.pth", self.models / "sub/final model.pth")
        value = {"1": "vgg16_v1.pth", "2": "vgg16_v2.pth", "4": "sub/final model.pth", "5": "vgg16_v1.pth"}
        self.metadata(value)
        self.ok("import", self.models, "--as", "vgg16")
        shutil.rmtree(self.models)
        out = self.dir / "out"
        self.ok("export", "vgg16", out)
        self.assertEqual(json.loads((out / "metadata.json").read_text()), value)
        self.assertEqual(list(json.loads((out / "metadata.json").read_text())), ["1", "2", "4", "5"])
        self.assertEqual(load_model_with_versioning(out, 1), self.first)
        self.assertEqual(load_model_with_versioning(out, 4), self.second)
        self.assertIsNone(load_model_with_versioning(out, 3))
        self.assertEqual(sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()),
                         ["metadata.json", "sub/final model.pth", "vgg16_v1.pth", "vgg16_v2.pth"])
        stamp = (out / "metadata.json").stat().st_mtime_ns
        again = self.json("export", "vgg16", out)["placed"]
        self.assertTrue(all(p["was_there"] for p in again))
        self.assertEqual((out / "metadata.json").stat().st_mtime_ns, stamp)

    def test_exported_files_belong_to_their_directory(self):
        self.two_versions()
        self.ok("import", self.models, "--as", "vgg16")
        out = self.dir / "out"
        self.ok("export", "vgg16", out)
        file = out / "vgg16_v1.pth"
        self.assertEqual(file.stat().st_nlink, 1)
        file.write_bytes(b"mine now")
        self.ok("verify")
        self.assertEqual(load_model_with_versioning(out, 1), b"mine now")

    def test_equal_names_get_their_number(self):
        self.ok("add", MODEL / "digits-vgg11_bn.pth", "--as", "vgg16")
        self.ok("add", MODEL / "v2/digits-vgg11_bn.pth", "--as", "vgg16")
        out = self.dir / "out"
        self.ok("export", "vgg16", out)
        self.assertEqual(json.loads((out / "metadata.json").read_text()),
                         {"1": "digits-vgg11_bn.pth", "2": "digits-vgg11_bn-v2.pth"})
        self.assertEqual(load_model_with_versioning(out, 2), self.second)

    def test_one_version_joins_what_is_there(self):
        self.two_versions()
        self.metadata({"note": "by hand", "1": "vgg16_v1.pth", "7": "vgg16_v2.pth"})
        self.ok("add", MODEL / "v2/digits-vgg11_bn.pth", "--as", "vgg16:12")
        self.ok("export", "vgg16:12", self.models)
        self.assertEqual(json.loads((self.models / "metadata.json").read_text()),
                         {"note": "by hand", "1": "vgg16_v1.pth", "7": "vgg16_v2.pth", "12": "digits-vgg11_bn.pth"})

    def test_other_bytes_for_a_number_are_a_conflict(self):
        self.two_versions()
        self.ok("add", MODEL / "v2/digits-vgg11_bn.pth", "--as", "vgg16:1")
        self.fails(7, "export", "vgg16", self.models, says=["vgg16:1", "vgg16_v1.pth", "--force"])
        self.assertEqual(load_model_with_versioning(self.models, 1), self.first)
        self.ok("export", "vgg16", self.models, "--force")
        self.assertEqual(load_model_with_versioning(self.models, 1), self.second)
        self.assertEqual((self.models / "vgg16_v1.pth").read_bytes(), self.first)  # another entry may name it

    def test_import_of_other_bytes_under_a_number_is_a_conflict_and_the_others_come(self):
        self.two_versions()
        self.ok("add", MODEL / "v2/digits-vgg11_bn.pth", "--as", "vgg16:1")
        result = self.run_raw("import", self.models, "--as", "vgg16")
        self.assertEqual(result.returncode, 7, result.stderr)
        self.assertIn("vgg16_v1.pth", result.stderr)
        self.assertEqual([line.split("@")[0] for line in result.stdout.splitlines()], ["vgg16:2"])

    def test_what_is_not_there_is_an_answer(self):
        self.two_versions()
        self.ok("import", self.models, "--as", "vgg16")
        for arguments in (("path", "vgg16:9"), ("export", "vgg16:9", self.dir / "none"), ("export", "vgg19", self.dir / "none"),
                          ("import", self.dir / "none", "--as", "x")):
            self.fails(3, *arguments)
        self.assertFalse((self.dir / "none").exists())
        (self.models / "vgg16_v2.pth").unlink()
        self.fails(3, "import", self.models, "--as", "other", says=["vgg16_v2.pth", "version 2"])
        (self.models / "metadata.json").unlink()
        self.fails(3, "import", self.models, "--as", "other", says=["metadata.json", "cistern add"])

    def test_only_numbered_versions_of_one_file_fit(self):
        self.add("--as", "mine:trial")
        self.fails(2, "export", "mine:trial", self.dir / "out", says=["numbers only"])
        self.fails(3, "export", "mine", self.dir / "out2", says=["no numbered version"])

    def test_hostile_metadata_is_refused_before_anything_is_stored(self):
        (self.models / "good.pth").write_bytes(self.first)
        (self.dir / "outside.pth").write_bytes(self.first)
        (self.models / "link.pth").symlink_to(self.dir / "outside.pth")
        (self.models / "dir").symlink_to(self.dir)
        os.mkfifo(self.models / "fifo.pth")
        for value in ({"1": "good.pth", "2": "../outside.pth"}, {"1": "good.pth", "2": str(self.dir / "outside.pth")},
                      {"1": "good.pth", "2": "link.pth"}, {"1": "good.pth", "2": "dir/outside.pth"},
                      {"1": "good.pth", "2": "fifo.pth"}, {"1": "good.pth", "2": "."}, {"1": "good.pth", "2": ""},
                      {"1": "good.pth", "2": "a//b"}, {"1": "good.pth", "2": "a\\b"}, {"1": "good.pth", "2": "x\n.pth"},
                      {"1": "good.pth", "2": "x\u0000.pth"}, {"1": "good.pth", "2": 5}, {"1": "good.pth", "2": ["good.pth"]},
                      {"1": "good.pth", "02": "good.pth"}, {"1": "good.pth", "0": "good.pth"}, {"1": "good.pth", "-1": "good.pth"},
                      {"1": "good.pth", "latest": "good.pth"}, {"1": "good.pth", "9" * 30: "good.pth"}, {}):
            self.metadata(value)
            self.fails(65, "import", self.models, "--as", "vgg16")
        for text in ("", "[]", "{", '{"1": "good.pth", "1": "good.pth"}', '{"1": "good.pth"} x', "null"):
            self.metadata(None, text)
            self.fails(65, "import", self.models, "--as", "vgg16")
        (self.models / "metadata.json").unlink()
        (self.models / "metadata.json").symlink_to(self.dir / "outside.pth")
        self.fails(65, "import", self.models, "--as", "vgg16")
        self.assertFalse(self.store.exists())

    def test_a_config_behind_a_link_is_not_read(self):
        self.two_versions()
        config = json.loads((MODEL / "config.json").read_text())
        (self.dir / "secret.json").write_text(json.dumps(config))
        (self.models / "config.json").symlink_to(self.dir / "secret.json")
        self.ok("import", self.models, "--as", "one")
        self.assertNotEqual(self.json("show", "one")["facts"]["preprocess_source"], "config.json")
        (self.models / "config.json").unlink()
        (self.models / "config.json").write_text(json.dumps(config))
        self.ok("import", self.models, "--as", "two")
        self.assertEqual(self.json("show", "two")["facts"]["preprocess_source"], "config.json")

    def test_export_does_not_leave_its_directory(self):
        self.two_versions()
        (self.models / "sub").mkdir()
        shutil.copy(self.models / "vgg16_v1.pth", self.models / "sub/x.pth")
        self.metadata({"1": "sub/x.pth"})
        self.ok("import", self.models, "--as", "vgg16")
        out, away = self.dir / "out", self.dir / "away"
        out.mkdir()
        away.mkdir()
        (out / "sub").symlink_to(away)
        self.fails(65, "export", "vgg16", out)
        self.assertEqual(list(away.iterdir()), [])

    def test_links_only_when_asked_for(self):
        self.add(name="vgg16")
        blob = pathlib.Path(self.ok("path", "vgg16").strip())
        for flag, check in (("--hardlink", lambda p: os.path.samefile(p, blob) and not p.is_symlink()),
                            ("--symlink", lambda p: p.is_symlink() and p.resolve() == blob.resolve())):
            out = self.dir / flag
            self.ok("export", "vgg16", out, flag)
            placed = out / "digits-vgg11_bn.pth"
            self.assertTrue(check(placed), flag)
            self.assertTrue(self.json("export", "vgg16", out, flag)["placed"][0]["was_there"])
        self.ok("verify")
        self.fails(2, "export", "vgg16", self.dir / "x", "--hardlink", "--symlink")

    def test_usage(self):
        self.two_versions()
        self.fails(2, "import", self.models, says=["--as"])
        self.fails(2, "import", self.models, "--as", "vgg16:3", says=["leave ':3' out"])
        self.fails(2, "import", self.models / "vgg16_v1.pth", "--as", "vgg16", says=["not a directory"])
        self.fails(2, "import", "hf", says=["./hf"])
        self.fails(2, "import", "torch", "--as", "x")
        self.fails(2, "link", "jax", says=["torch and keras"])


class Ended(Carry):
    """What export and convert leave in a user's directory when they are killed or interrupted in the middle."""

    def temporaries(self):
        return [p.name for p in self.out.iterdir() if p.name.startswith(".tmp-")]

    def begin(self, *arguments):
        """Start it, and return as soon as its temporary is there; None: it was too fast to be caught."""
        process = self.start(*arguments)
        while process.poll() is None:
            if self.temporaries():
                return process
            time.sleep(0.0005)
        self.assertEqual(process.returncode, 0, process.communicate()[1])
        process.communicate()
        return None

    def catch(self, number, *arguments):
        """End it by a signal while it writes. Its exit code."""
        for _ in range(40):
            process = self.begin(*arguments)
            if process:
                process.send_signal(number)
                process.communicate()
                if process.returncode != 0:
                    return process.returncode
            for path in self.out.iterdir():
                path.unlink()
        self.skipTest("this machine writes faster than it can be interrupted")

    def verbs(self):
        self.out = self.dir / "out"
        self.out.mkdir()
        self.ok("add", cli_support.big_file(self.dir / "big.safetensors", 48), "--as", "big")
        return (("export", "big:1", self.out), ("convert", "big:1", "--to", "safetensors", "-o", self.out / "m"))

    def test_killed_and_cleared_away_by_the_next(self):
        for arguments in self.verbs():
            self.assertEqual(self.catch(signal.SIGKILL, *arguments), -signal.SIGKILL)
            self.assertEqual(len(self.temporaries()), 1)
            self.ok(*arguments)
            self.assertEqual(self.temporaries(), [])

    def test_interrupted_and_nothing_is_left(self):
        for arguments in self.verbs():
            self.assertEqual(self.catch(signal.SIGINT, *arguments), 130)
            self.assertEqual(list(self.out.iterdir()), [])


class Torch(Carry):
    def cache(self, name, data):
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        (self.checkpoints / name).write_bytes(data)

    def test_import_takes_what_its_name_promises(self):
        digest = hashlib.sha256(self.first).hexdigest()[:8]
        self.cache("vgg_digits-%s.pth" % digest, self.first)
        self.cache("digits-%s.pth" % digest, self.first)
        self.cache("plain.pth", self.first)
        out = self.ok("import", "torch")
        self.assertEqual([line.split("@")[0] for line in out.splitlines()], ["vgg_digits:1"])
        self.assertIn("2 other files are left alone", self.notes)
        out = self.ok("import", "torch", "--all")
        self.assertEqual(sorted(line.split(":")[0] for line in out.splitlines()), ["digits", "vgg_digits"])
        self.ok("classify", "vgg_digits", self.sample())

    def test_a_file_that_is_not_what_its_name_says_is_refused(self):
        self.cache(VGG16, self.first)
        self.cache("vgg-00000000.pth", self.first)
        result = self.run_raw("import", "torch")
        self.assertEqual(result.returncode, 65)
        self.assertIn("397923af8e79cdbb", result.stderr)
        self.assertIn("00000000", result.stderr)
        self.assertEqual((result.stdout, self.published(("blobs", "models"))), ("", []))
        self.assertEqual(self.partials(), {})

    def test_no_cache_is_not_found(self):
        self.fails(3, "import", "torch", says=["hub/checkpoints"])
        self.fails(3, "link", "torch")

    def test_link_gives_torchvision_the_name_it_asks_for(self):
        (self.root / "models").mkdir()
        shutil.copy(MODEL / "digits-vgg11_bn.pth", self.root / "models" / VGG16)
        server = self.origin()
        mirror = "https://download.pytorch.org=" + server.url
        self.ok("pull", "torchvision:vgg16", "--mirror", mirror, "--ignore-name-digest")
        self.add(name="other")
        out = self.ok("link", "torch")
        self.assertEqual(out, "%s\n" % (self.checkpoints / VGG16))
        self.assertEqual((self.checkpoints / VGG16).read_bytes(), self.first)
        self.assertEqual((self.checkpoints / VGG16).stat().st_nlink, 1)
        self.assertEqual([p.name for p in self.checkpoints.iterdir()], [VGG16])
        self.assertTrue(self.json("link", "torch")["placed"][0]["was_there"])
        # a newer version takes the name only when that is wanted
        shutil.copy(MODEL / "v2/digits-vgg11_bn.pth", self.root / "models" / VGG16)
        self.ok("pull", "vgg16", "--update", "--mirror", mirror, "--ignore-name-digest")
        self.fails(7, "link", "torch", says=[VGG16, "--force"])
        self.assertEqual((self.checkpoints / VGG16).read_bytes(), self.first)
        self.ok("link", "torch", "--force")
        self.assertEqual((self.checkpoints / VGG16).read_bytes(), self.second)
        self.ok("link", "torch", "vgg16:1", "--force", "--symlink")
        self.assertTrue((self.checkpoints / VGG16).is_symlink())
        self.ok("link", "torch", "vgg16:2", "--force")
        self.assertFalse((self.checkpoints / VGG16).is_symlink())
        self.ok("verify")

    def test_link_of_a_reference_keeps_its_own_name_and_tries_all(self):
        self.add(name="mine")
        result = self.run_raw("link", "torch", "none", "mine", "none:2")
        self.assertEqual(result.returncode, 3)
        self.assertEqual(result.stderr.count("no model"), 2, result.stderr)
        self.assertEqual((self.checkpoints / "digits-vgg11_bn.pth").read_bytes(), self.first)

    def test_home_of_torch_is_found_as_torch_does(self):
        self.add(name="mine")
        del self.env["TORCH_HOME"]
        self.assertIn(str(self.dir / "home/.cache/torch/hub/checkpoints"), self.ok("link", "torch", "mine"))
        self.env["XDG_CACHE_HOME"] = str(self.dir / "cache")
        self.assertIn(str(self.dir / "cache/torch/hub/checkpoints"), self.ok("link", "torch", "mine"))
        self.env["TORCH_HOME"] = "~/torchy"
        self.assertIn(str(self.dir / "home/torchy/hub/checkpoints"), self.ok("link", "torch", "mine"))
        self.assertIn(str(self.dir / "flag/hub/checkpoints"), self.ok("link", "torch", "mine", "--torch-home", self.dir / "flag"))


class Keras(Carry):
    NAME = "vgg16_weights_tf_dim_ordering_tf_kernels.h5"

    def setUp(self):
        super().setUp()
        self.env["KERAS_HOME"] = str(self.dir / "keras")
        self.cache = self.dir / "keras/models"

    def test_published_files_are_known_by_their_md5(self):
        self.fails(3, "import", "keras", says=["keras/models"])
        self.cache.mkdir(parents=True)
        shutil.copy(MODEL / "digits-vgg11_bn.pth", self.cache / "mine.h5")
        self.ok("import", "keras")
        self.assertIn("1 other file is left alone", self.notes)
        shutil.copy(MODEL / "digits-vgg11_bn.pth", self.cache / self.NAME)
        failed = self.run_raw("import", "keras")
        self.assertEqual(failed.returncode, 65)
        self.assertIn("64373286793e3c8b2b4e3219cbf3544b", failed.stderr)
        self.assertEqual(self.published(), [])

    def test_link_gives_keras_the_name_it_asks_for(self):
        (self.root / "vgg16").mkdir()
        shutil.copy(MODEL / "digits-vgg11_bn.pth", self.root / "vgg16" / self.NAME)
        server = self.origin()
        self.fails(3, "link", "keras", says=["no store"])
        self.add(name="other")
        self.fails(3, "link", "keras", says=["cistern pull keras:vgg16"])
        self.ok("pull", "keras:vgg16", "--ignore-name-digest", "--mirror",
                "https://storage.googleapis.com/tensorflow/keras-applications=" + server.url)
        self.assertEqual(self.ok("link", "keras"), "%s\n" % (self.cache / self.NAME))
        self.assertEqual((self.cache / self.NAME).read_bytes(), self.first)
        self.fails(3, "link", "torch")  # it is none of torchvision's
        del self.env["KERAS_HOME"]
        self.assertIn(str(self.dir / "home/.keras/models/digits-vgg11_bn.pth"), self.ok("link", "keras", "other"))


class Several(Carry):
    """More than one file for a version: shards of safetensors, with their index or without."""

    def test_sharded_safetensors_become_one_version_and_run(self):
        whole = small_vgg11(self.dir / "whole.safetensors")
        shards = self.shard(whole, 3)
        self.ok("add", whole, "--as", "whole")
        self.ok("add", *shards, "--as", "shards")
        self.assertEqual(len(self.json("show", "shards")["files"]), 3)
        self.assertEqual(self.json("show", "shards")["facts"]["architecture"], "vgg11")
        want = self.json("classify", "whole", self.sample())["results"][0]["top"]
        self.assertEqual(self.json("classify", "shards", self.sample())["results"][0]["top"], want)
        self.fails(2, "path", "shards", says=["model-00001-of-00003.safetensors"])
        self.assertTrue(os.path.exists(self.ok("path", "shards", shards[1].name).strip()))
        self.fails(2, "export", "shards", self.dir / "out", says=["3 files"])
        self.fails(2, "link", "torch", "shards", says=["3 files"])

    def test_the_index_of_shards_may_be_one_of_the_files(self):
        shards = self.shard(small_vgg11(self.dir / "whole.safetensors"), 2)
        weights = {name: shard.name for shard in shards
                   for name in json.loads(shard.read_bytes()[8:8 + int.from_bytes(shard.read_bytes()[:8], "little")])}
        index = self.dir / "model.safetensors.index.json"
        index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weights}))
        self.ok("add", index, *shards, "--as", "indexed")
        self.ok("add", *shards, "--as", "plain")
        self.assertEqual(len(self.json("show", "indexed")["files"]), 3)
        want = self.json("classify", "plain", self.sample())["results"][0]["top"]
        self.assertEqual(self.json("classify", "indexed", self.sample())["results"][0]["top"], want)
        index.write_text(json.dumps({"weight_map": dict(weights, **{"features.0.weight": "gone.safetensors"})}))
        self.fails(66, "add", index, *shards, "--as", "wrong", says=["gone.safetensors"])

    def test_a_shard_alone_is_no_model(self):
        shards = self.shard(small_vgg11(self.dir / "whole.safetensors"), 2)
        self.fails(66, "add", shards[0], "--as", "half", "--arch", "vgg11", says=["vgg11"])

    def shard(self, path, count):
        data = path.read_bytes()
        n = int.from_bytes(data[:8], "little")
        header = json.loads(data[8:8 + n])
        names = sorted(header)
        shards = []
        for i in range(count):
            tensors = {}
            for name in names[i::count]:
                begin, end = header[name]["data_offsets"]
                tensors[name] = (header[name]["shape"], data[8 + n + begin:8 + n + end])
            shards.append(cli_support.safetensors(self.dir / ("model-%05d-of-%05d.safetensors" % (i + 1, count)), tensors))
        return shards


if __name__ == "__main__":
    cli_support.main()
