#!/usr/bin/env python3
"""What models say of their input, and what a user says for those that do not: read, kept, shown, computed with."""
import shutil
import unittest

import cli_support
from cli_support import TOP

INPUT = TOP / "tests/formats/input"
KERAS = TOP / "tests/formats/data/keras"
DIGITS = TOP / "models/digits-vgg11_bn"
FACTS = ("preset", "input_height", "input_width", "resize", "resize_short", "resize_height", "resize_width", "interpolation",
         "sampling", "colour", "scale", "mean", "std")


class Input(cli_support.Case):
    def logits(self, model, *arguments, image="three"):
        [result] = self.json("classify", model, self.sample(image), "--top", "5", *arguments)["results"]
        return {t["class"]: t["logit"] for t in result["top"]}

    def assert_near(self, one, other, part=1e-4):
        self.assertEqual(sorted(one), sorted(other))
        most = max(abs(value) for value in one.values())
        for index, value in one.items():
            self.assertAlmostEqual(value, other[index], delta=part * most)

    def assert_far(self, one, other):
        most = max(abs(value) for value in one.values())
        self.assertGreater(max(abs(value - other.get(index, 1e30)) for index, value in one.items()), 1e-3 * most)

    def facts(self, reference):
        return self.json("show", reference)["facts"]

    def test_onnx_comes_back_as_it_went_at_every_size(self):
        self.ok("add", DIGITS / "digits-vgg11_bn.pth", "--as", "digits")
        want = self.facts("digits")
        for size in (32, 64, 96, 224, 320):
            self.ok("convert", "digits", "--to", "onnx", "--size", size, "--output", self.dir / "m.onnx", "--force")
            # the labels of the model are its own: only names of sets are written
            self.ok("add", "./m.onnx", "--as", f"back{size}", "--labels", self.labels())
            back = self.facts(f"back{size}")
            self.assertEqual((back["architecture"], back["bn_epsilon"], back["preprocess_source"]), ("vgg11_bn", 1e-5, "file"))
            for name in FACTS:
                expected = size if name in ("input_height", "input_width") else want[name]
                self.assertEqual(back[name], "file" if name == "preset" else expected, (size, name))
            self.assertIn("equal:", self.run_raw("diff", "digits", f"back{size}").stdout)
        self.assert_near(self.logits("digits"), self.logits("back32"), 1e-5)

    def labels(self):
        path = self.dir / "labels.txt"
        path.write_text("\n".join("zero one two three four five six seven eight nine".split()))
        return path

    def test_a_named_preset_and_named_labels_come_back(self):
        cli_support.small_vgg11(self.dir / "m.safetensors", classes=1000)
        self.ok("add", "./m.safetensors", "--as", "plain", "--preprocess", "keras-lanczos")
        self.ok("convert", "plain", "--to", "onnx", "--output", self.dir / "m.onnx")
        self.ok("add", "./m.onnx", "--as", "back")
        before, back = self.facts("plain"), self.facts("back")
        for name in FACTS + ("label_set",):
            self.assertEqual(back[name], before[name])
        self.assertEqual((back["preset"], back["preprocess_source"], back["labels_source"]), ("keras-lanczos", "file", "file"))
        self.ok("add", "./m.onnx", "--as", "other", "--preprocess", "timm")
        self.assertEqual((self.facts("other")["preset"], self.facts("other")["preprocess_source"]), ("timm", "flag"))

    def test_what_a_model_says_is_shown_with_its_source(self):
        self.ok("add", INPUT / "keras_rescaling.keras", "--as", "m")
        self.assertIn("it normalises its pictures itself", self.notes)
        self.assertIn("preprocessing: the file's own", self.notes)
        facts = self.facts("m")
        self.assertEqual((facts["bn_epsilon"], facts["bn_epsilon_source"], facts["head"]), (0.02, "file", "probabilities"))
        self.assertEqual((facts["preset"], facts["preprocess_source"], facts["scale"], facts["std"]),
                         ("file", "file", "255", [255, 255, 255]))
        text = self.ok("show", "m")
        self.assertIn("variance + 0.02", text)

    def test_a_saved_model_that_prepares_its_pictures_is_shown_or_told(self):
        self.ok("add", INPUT / "saved_export", "--as", "m")
        self.assertIn("it normalises its pictures itself", self.notes)
        facts = self.facts("m")
        self.assertEqual((facts["bn_epsilon"], facts["bn_epsilon_source"], facts["head"]), (0.02, "file", "probabilities"))
        self.assertEqual((facts["preprocess_source"], facts["scale"]), ("file", "255"))
        for value in facts["std"]:  # the graph has 1/255 in 32 bits
            self.assertAlmostEqual(value, 255, delta=1e-4)
        self.ok("add", INPUT / "saved_call", "--as", "n")
        self.assertIn("its graph is not followed (a function is called among its operators)", self.notes)
        self.assertIn("--preprocess", self.notes)
        self.assertEqual(self.facts("n")["architecture"], "vgg11")

    def test_probabilities_are_of_one_softmax(self):
        [result] = self.json("classify", INPUT / "keras_rescaling.keras", self.sample(), "--top", "14")["results"]
        import math
        top = result["top"]
        most = top[0]["logit"]
        whole = sum(math.exp(t["logit"] - most) for t in top)
        for t in top:
            self.assertAlmostEqual(t["probability"], math.exp(t["logit"] - most) / whole, delta=1e-5)

    def test_an_epsilon_is_declared_kept_and_computed_with(self):
        weights = KERAS / "keras3_bn_bare.h5"
        plain = self.logits(weights)
        other = self.logits(weights, "--bn-epsilon", "0.25")
        self.assert_far(plain, other)
        self.ok("add", weights, "--as", "bn")
        self.ok("add", weights, "--as", "bn", "--bn-epsilon", "0.25")
        self.assertEqual([(self.facts(f"bn:{v}")["bn_epsilon"], self.facts(f"bn:{v}")["bn_epsilon_source"]) for v in (1, 2)],
                         [(0.001, "file"), (0.25, "flag")])
        for _ in range(2):  # the second time from packed weights: each version has its own
            self.assert_near(plain, self.logits("bn:1"), 1e-5)
            self.assert_near(other, self.logits("bn:2"), 1e-5)
        self.ok("add", weights, "--as", "bn", "--bn-epsilon", "0.25")
        self.assertEqual(len(self.json("ls", "bn")["versions"]), 2)
        self.assertIn("batch norm epsilon", self.run_raw("diff", "bn:1", "bn:2").stdout)

    def test_an_epsilon_for_pytorch(self):
        plain = DIGITS / "digits-vgg11_bn.pth"
        self.assert_far(self.logits(plain), self.logits(plain, "--bn-epsilon", "0.3"))
        self.assert_near(self.logits(plain), self.logits(plain, "--bn-epsilon", "1e-05"), 1e-6)
        for bad, says in (("0", "above 0 to 1 allowed"), ("nan", "is no number"), ("-1", "above 0"), ("1,5", "is no number"),
                          ("2", "above 0 to 1")):
            self.fails(2, "classify", plain, self.sample(), "--bn-epsilon", bad, says=[says])
        self.fails(2, "add", KERAS / "keras3.weights.h5", "--as", "x", "--bn-epsilon", "0.1", says=["has no batch norm"])

    def test_the_order_of_channels_is_declared(self):
        weights = INPUT / "keras_first_raw.weights.h5"
        order = ("--data-format", "channels_first", "--bn-epsilon", "0.004")
        last, first = self.logits(weights, "--bn-epsilon", "0.004"), self.logits(weights, *order)
        self.assert_far(last, first)
        self.ok("add", weights, "--as", "m", *order)
        self.ok("add", weights, "--as", "m", "--bn-epsilon", "0.004", "--data-format", "channels_last")
        self.assertEqual(self.facts("m:1")["data_format"], "channels_first")
        self.assertEqual(self.facts("m:2")["data_format"], "channels_last")
        for _ in range(2):
            self.assert_near(first, self.logits("m:1"), 1e-5)
            self.assert_near(last, self.logits("m:2"), 1e-5)
        self.assertIn("channels_first", self.ok("show", "m:1"))
        self.fails(2, "add", weights, "--as", "x", "--data-format", "first", says=["channels_last, channels_first"])
        self.fails(2, "classify", "m:1", self.sample(), "--data-format", "channels_first", says=["are for weight files"])

    def test_a_note_says_why_a_model_is_not_run(self):
        self.ok("add", INPUT / "refused_epsilons.keras", "--as", "x")
        self.assertIn("layer 'norm6' (BatchNormalization): it adds 0.01", self.notes)
        self.assertIn("notes", self.ok("show", "x"))
        self.assertIn("layer 'norm6' (BatchNormalization): it adds 0.01", self.json("show", "x")["notes"][0])
        self.fails(66, "classify", "x", self.sample(), parts=(), says=["not a VGG"])
        refused = self.run_raw("add", INPUT / "refused_sigmoid.keras", "--as", "y", "--arch", "vgg11")
        self.assertEqual(refused.returncode, 66)
        self.assertIn("layer 'dense_17' (Dense): activation 'sigmoid'", refused.stderr)
        self.assertIn("not a vgg11", refused.stderr)


if __name__ == "__main__":
    unittest.main()
