"""Looking into weights: figures of tensors, differences of models, models written as other kinds of files."""
import json
import shutil
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support
from cli_support import Case, MODEL, TOP, safetensors, small_vgg11

KERAS = TOP / "tests/formats/data/keras/keras3_model.h5"
FILE = MODEL / "digits-vgg11_bn.pth"


def header_of(path):
    data = Path(path).read_bytes()
    size, = struct.unpack("<Q", data[:8])
    return size, data[8:8 + size], json.loads(data[8:8 + size]), len(data) - 8 - size


class See(Case):
    def test_stats_are_exact_and_count_nan(self):
        nan, inf = float("nan"), float("inf")
        path = safetensors(self.dir / "w.safetensors", {
            "a": ((2, 3), struct.pack("<6f", 1, -2, nan, 4, 0.5, nan)),
            "b": ((2,), struct.pack("<2f", nan, nan)),
            "c": ((3,), struct.pack("<3f", inf, 1, 2)),
            "none": ((0,), b"")})
        self.ok("add", path, "--as", "w")
        told = {t["name"]: t for t in self.json("show", "w", "--stats")["tensors"]}
        self.assertEqual((told["a"]["minimum"], told["a"]["maximum"], told["a"]["nans"]), (-2, 4, 2))
        self.assertAlmostEqual(told["a"]["mean"], 3.5 / 4)
        self.assertEqual((told["b"]["mean"], told["b"]["nans"]), (None, 2))
        self.assertEqual((told["c"]["minimum"], told["c"]["infinities"]), (1, 1))
        self.assertEqual((told["none"]["minimum"], told["none"]["nans"]), (None, 0))
        lines = self.ok("show", "w", "--stats").splitlines()
        self.assertTrue(any(line.split()[0] == "TENSOR" and "NAN" in line for line in lines if line))
        self.assertNotIn("minimum", self.json("show", "w", "--tensors")["tensors"][0])

    def test_a_foreign_tensor_is_listed_once_with_its_layer(self):
        self.ok("add", KERAS, "--as", "k")
        rows = [line.split() for line in self.ok("show", "k", "--tensors").splitlines()]
        head = next(i for i, row in enumerate(rows) if row[:2] == ["TENSOR", "LAYER"])
        names = [row[0] for row in rows[head + 1:]]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(sum(row[1] == "features.0.weight" for row in rows[head + 1:]), 1)
        self.assertFalse(any(name.startswith("features.") for name in names))
        told = {t["name"]: t for t in self.json("show", "k", "--tensors")["tensors"]}
        self.assertIn(told["features.0.weight"]["view_of"], told)

    def test_equal_and_different(self):
        self.add()
        self.add(version="v2", name="next")
        self.assertEqual(self.ok("diff", "digits", FILE).splitlines()[-1],
                         "equal: 54 tensors, compared layer by layer")
        out = self.ok("diff", "digits", "next")
        self.assertIn("DIFFERS IN", out)
        self.assertTrue(out.splitlines()[-1].startswith("different: "), out)
        told = self.json("diff", "digits", "next")
        self.assertFalse(told["same"])
        worst = next(t for t in told["tensors"] if t["name"] == "classifier.6.bias")
        self.assertEqual((worst["change"], worst["elements"]), ("values", 10))
        self.assertGreater(worst["max_absolute"], 0)
        self.assertEqual(self.run_raw("diff", "digits", FILE, "--exit-code").returncode, 0)
        self.assertEqual(self.run_raw("diff", "digits", "next", "--exit-code").returncode, 7)
        self.fails(3, "diff", "digits", "nowhere", says=["nowhere"])
        self.fails(2, "diff", "digits")

    def test_one_changed_element_is_found(self):
        def pack(values):
            return {"w": ((2, 2), struct.pack("<4f", *values)), "v": ((1,), struct.pack("<f", 1))}
        a = safetensors(self.dir / "a.safetensors", pack([1, 2, 3, -8]))
        b = safetensors(self.dir / "b.safetensors", {**pack([1, 2, 3.5, -8]), "x": ((1,), bytes(4))})
        told = self.json("diff", a, b)
        by_name = {t["name"]: t for t in told["tensors"]}
        self.assertEqual(sorted(by_name), ["w", "x"])
        self.assertEqual((by_name["w"]["differing"], by_name["w"]["at"]), (1, 2))
        self.assertEqual((by_name["w"]["max_absolute"], by_name["w"]["relative"]), (0.5, 0.0625))
        self.assertEqual((by_name["x"]["change"], by_name["x"]["left"]), ("only right", None))
        self.assertEqual((told["equal"], told["different"], told["only_right"]), (1, 1, 1))

    def test_foreign_weights_are_equal_to_what_is_made_of_them(self):
        for kind in ("safetensors", "onnx"):
            out = self.dir / ("k." + kind)
            self.ok("convert", KERAS, "--to", kind, "-o", out)
            self.assertIn("--preprocess keras", self.notes)
            self.assertTrue(self.ok("diff", KERAS, out).splitlines()[-1].startswith("equal: 22 tensors"))

    def test_safetensors_is_as_the_reference_writes_it(self):
        self.add()
        out = self.dir / "d.safetensors"
        told = self.json("convert", "digits", "--to", "safetensors", "-o", out)
        size, text, header, data = header_of(out)
        self.assertEqual((size % 8, text[:1]), (0, b"{"))
        self.assertEqual(header.pop("__metadata__"), {"format": "pt"})
        self.assertEqual(len(header), told["tensors"])
        at = 0
        for entry in sorted(header.values(), key=lambda e: e["data_offsets"]):
            self.assertEqual(entry["data_offsets"][0], at)
            self.assertEqual(at % {"F32": 4, "I64": 8}[entry["dtype"]], 0)
            at = entry["data_offsets"][1]
        self.assertEqual(at, data)
        self.assertEqual(header["features.1.num_batches_tracked"]["dtype"], "I64")
        a = self.json("classify", "digits", self.sample(), "--top", "10")["results"][0]["top"]
        b = self.json("classify", out, self.sample(), "--top", "10", "--config", MODEL / "config.json")
        self.assertEqual([t["logit"] for t in a], [t["logit"] for t in b["results"][0]["top"]])

    def test_refusals_leave_nothing(self):
        out = self.dir / "o.onnx"
        other = safetensors(self.dir / "other.safetensors", {"w": ((1,), bytes(4))})
        self.fails(66, "convert", other, "--to", "onnx", "-o", out, says=["not a VGG"])
        self.fails(2, "convert", FILE, "-o", out, says=["--to"])
        self.fails(2, "convert", FILE, "--to", "caffe", "-o", out, says=["onnx"])
        self.fails(2, "convert", FILE, "--to", "onnx", says=["--output"])
        self.fails(2, "convert", FILE, "--to", "onnx", "-o", out, "--size", "8", says=["32"])
        self.fails(2, "convert", FILE, "--to", "safetensors", "-o", out, "--size", "64", says=["--size"])
        self.fails(3, "convert", FILE, "--to", "onnx", "-o", self.dir / "no" / "o.onnx", says=["no/o.onnx"])
        self.assertEqual([p.name for p in self.dir.glob("*o.onnx*")] + list(self.dir.glob(".tmp-*")), [])
        out.write_bytes(b"mine")
        self.fails(7, "convert", FILE, "--to", "onnx", "-o", out, says=["--force"])
        self.assertEqual(out.read_bytes(), b"mine")
        self.ok("convert", FILE, "--to", "onnx", "-o", out, "--force")
        self.assertGreater(out.stat().st_size, 100000)

    def test_external_data_lies_beside(self):
        path = small_vgg11(self.dir / "s.safetensors")
        home = self.dir / "e"
        home.mkdir()
        told = self.json("convert", path, "--to", "onnx", "-o", home / "m.onnx", "--external-data")
        self.assertTrue(told["external_data"])
        self.assertEqual(sorted(p.name for p in home.iterdir()), ["m.onnx", "m.onnx.data"])
        self.assertEqual(sum(p.stat().st_size for p in home.iterdir()), told["bytes"])
        self.assertTrue(self.ok("diff", path, home).splitlines()[-1].startswith("equal: 22 tensors"))


if __name__ == "__main__":
    cli_support.main()
