#!/usr/bin/env python3
"""Models of other frameworks on the command line: files and directories in, one version each, the same answer from everywhere."""
import json
import os
import shutil

import cli_support
from cli_support import MODEL, TOP

FOREIGN = TOP / "tests/formats/foreign"
IMAGE = MODEL / "samples/seven.png"


class Foreign(cli_support.Case):
    def top(self, model, *more):
        """The five classes of an image, with the same preprocessing for all."""
        answer = self.json("classify", model, IMAGE, "--preprocess", "torchvision", *more)
        return [p["class"] for p in answer["results"][0]["top"]]

    def test_a_directory_is_one_version_whose_files_keep_their_paths(self):
        for verb in ("add", "pull"):
            name = "slim-" + verb
            out = self.ok(verb, FOREIGN / "tf_slim", "--as", name)
            self.assertTrue(out.startswith(name + ":1@sha256:"))
            shown = self.json("show", name)
            self.assertEqual([f["path"] for f in shown["files"]],
                             ["variables/variables.data-00000-of-00001", "variables/variables.index"])
            self.assertEqual(shown["facts"]["kind"], "TensorFlow checkpoint")
            self.assertEqual(shown["facts"]["preset"], "tf-slim")

    def test_the_same_directory_again_is_the_same_version(self):
        self.ok("add", FOREIGN / "sharded", "--as", "m")
        self.assertTrue(self.ok("add", FOREIGN / "sharded", "--as", "m").startswith("m:1@"))

    def test_a_directory_needs_a_name_and_cannot_be_asked(self):
        self.fails(2, "pull", FOREIGN / "tf_slim", says=["is a directory, which needs a name: --as NAME"])
        self.fails(2, "pull", FOREIGN / "tf_slim", "--as", "m", "--update", says=["cannot be asked whether it changed"])

    def test_one_set_of_weights_answers_alike_from_every_kind(self):
        want = None
        for name in ("torch_script.onnx", "external", "tf_slim", "tf_frozen.pb", "tf_export"):
            got = self.top(FOREIGN / name)
            want = want or got
            self.assertEqual(got, want, name)

    def test_external_data_that_is_not_given_is_asked_for(self):
        self.fails(66, "add", FOREIGN / "external/model.onnx", "--as", "m",
                   says=["is in the file 'model.onnx.data', which is not here: give it together with this one"])
        self.fails(66, "classify", FOREIGN / "external/model.onnx", IMAGE, says=["model.onnx.data"])
        self.ok("add", FOREIGN / "external/model.onnx", FOREIGN / "external/model.onnx.data", "--as", "m")

    def test_links_in_a_directory_are_not_followed(self):
        directory = self.dir / "d"
        shutil.copytree(FOREIGN / "external", directory)
        (directory / "model.onnx.data").unlink()
        os.symlink(FOREIGN / "external/model.onnx.data", directory / "model.onnx.data")
        self.fails(2, "add", directory, "--as", "m", says=["a symbolic link, which is not followed"])
        self.assertEqual(self.json("ls")["versions"], [])

    def test_a_shard_that_is_missing_is_named(self):
        directory = self.dir / "d"
        shutil.copytree(FOREIGN / "sharded", directory)
        (directory / "model-00002-of-00002.safetensors").unlink()
        self.fails(66, "add", directory, "--as", "m",
                   says=["is in the shard 'model-00002-of-00002.safetensors', which is not here"])

    def test_config_beside_the_files_declares_facts_and_is_no_file(self):
        directory = self.dir / "d"
        shutil.copytree(FOREIGN / "sharded", directory)
        (directory / "README.md").write_text("# a model\n")
        (directory / "config.json").write_text(json.dumps(
            {"architecture": "vgg11_bn", "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}))
        self.ok("add", directory, "--as", "m")
        shown = self.json("show", "m")
        self.assertNotIn("config.json", [f["path"] for f in shown["files"]])
        self.assertIn("README.md", [f["path"] for f in shown["files"]])
        self.assertEqual(shown["facts"]["mean"], [0.5, 0.5, 0.5])

    def test_a_graph_that_is_not_known_is_stored_and_not_run(self):
        other = self.dir / "other.pb"
        other.write_bytes((FOREIGN / "tf_frozen_bn.pb").read_bytes().replace(b"Rsqrt", b"Rsqrx"))
        self.ok("add", other, "--as", "m")
        self.assertIn("not laid out as a VGG: 'vgg11_1/block5_bn2_1/batchnorm/add_1' (AddV2)", self.notes)
        self.fails(66, "classify", "m", IMAGE, says=["not a VGG"])


if __name__ == "__main__":
    cli_support.main()
