"""The output of one layer as a NumPy file. Read here without NumPy; the values themselves are tests/nn/test_nn_features.c's."""
import array
import ast
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support
from cli_support import Case, small_vgg11


def read_npy(path):
    data = Path(path).read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    size = int.from_bytes(data[8:10], "little")
    assert (10 + size) % 64 == 0 and data[10 + size - 1:10 + size] == b"\n"
    header = ast.literal_eval(data[10:10 + size].decode())
    assert header["descr"] == "<f4" and header["fortran_order"] is False
    values = array.array("f", data[10 + size:])
    count = 1
    for n in header["shape"]:
        count *= n
    assert len(values) == count, (len(values), header)
    return header["shape"], values


class Features(Case):
    def setUp(self):
        super().setUp()
        self.out = self.dir / "f.npy"

    def features(self, model, layer, *images):
        self.ok("features", model, *images, "--layer", layer, "-o", self.out)
        return read_npy(self.out)

    def test_last_layer_is_the_logits(self):
        self.add()
        images = [self.sample("three"), self.sample("seven")]
        shape, values = self.features("digits", "classifier.6", *images)
        self.assertEqual(shape, (2, 10))
        results = self.json("classify", "digits", *images, "--top", "10")["results"]
        for i, result in enumerate(results):
            for top in result["top"]:
                self.assertAlmostEqual(values[i * 10 + top["class"]], top["logit"], delta=1e-4)

    def test_shapes_are_images_channels_height_width(self):
        self.add()
        facts = self.json("show", "digits")["facts"]
        side = facts["input_height"] if "input_height" in facts else 32
        shape, first = self.features("digits", "features.0", self.sample())
        self.assertEqual((shape[0], shape[2]), (1, shape[3]))
        shape, both = self.features("digits", "features.0", self.sample(), self.sample("seven"))
        self.assertEqual(shape[0], 2)
        self.assertEqual(both[:len(first)], first)
        self.assertGreater(side, 0)
        shape, pooled = self.features("digits", "avgpool", self.sample())
        self.assertEqual(shape[2:], (7, 7))
        self.assertGreaterEqual(min(pooled), 0)

    def test_relu_is_the_layer_before_without_what_is_negative(self):
        self.add()
        _, before = self.features("digits", "features.1", self.sample())
        _, after = self.features("digits", "features.2", self.sample())
        self.assertLess(min(before), 0)
        self.assertEqual([max(v, 0) for v in before], list(after))

    def test_json_says_what_was_written(self):
        self.add()
        told = self.json("features", "digits", self.sample(), "--layer", "avgpool", "-o", self.out)
        self.assertEqual(told["shape"], list(read_npy(self.out)[0]))
        self.assertEqual((told["layer"], told["output"]), ("avgpool", str(self.out)))

    def test_unknown_layer_is_answered_with_all_names(self):
        self.add()
        self.fails(2, "features", "digits", self.sample(), "--layer", "conv1", "-o", self.out,
                   says=["conv1", "features.0, features.1", "avgpool", "classifier.6"])
        self.fails(2, "features", "digits", self.sample(), "-o", self.out, says=["--layer"])
        self.fails(2, "features", "digits", self.sample(), "--layer", "avgpool", says=["--output"])
        self.assertFalse(self.out.exists())

    def test_a_file_without_a_classifier_has_features(self):
        def drop(shapes):
            for name in [n for n in shapes if n.startswith("classifier")]:
                del shapes[name]
        path = small_vgg11(self.dir / "features.safetensors", change=drop)
        self.fails(66, "classify", path, self.sample(), says=["features"])
        shape, values = self.features(path, "features", self.sample())
        self.assertEqual(shape[:2], (1, 64))
        self.assertEqual(values, self.features(path, "features.20", self.sample())[1])
        self.fails(2, "features", path, self.sample(), "--layer", "classifier.0", "-o", self.out, says=["avgpool"])

    def test_an_image_that_cannot_be_read_leaves_no_file(self):
        self.add()
        (self.dir / "bad.png").write_bytes(b"not a picture")
        self.fails(66, "features", "digits", self.sample(), "./bad.png", self.sample(), "--layer", "avgpool", "-o",
                   self.out, says=["bad.png"])
        self.assertEqual([p.name for p in self.dir.glob("f.npy*")], [])
        self.fails(3, "features", "digits", self.sample(), "--layer", "avgpool", "-o", self.dir / "no" / "f.npy",
                   says=["no/f.npy"])


if __name__ == "__main__":
    cli_support.main()
