#!/usr/bin/env python3
"""Keras' files through the program: kept and run like any other, decoded once, refused by name."""
import shutil
import unittest

import cli_support
from cli_support import TOP

KERAS = TOP / "tests/formats/data/keras"


class Keras(cli_support.Case):
    def top(self, model):
        [result] = self.json("classify", model, self.sample(), "--top", "5")["results"]
        return [(t["class"], t["logit"]) for t in result["top"]]

    def assert_near(self, one, other):
        self.assertEqual([c for c, _ in one], [c for c, _ in other])
        most = max(abs(value) for _, value in one)
        for (_, a), (_, b) in zip(one, other):
            self.assertAlmostEqual(a, b, delta=1e-4 * most)

    def test_the_same_weights_of_every_kind_give_the_same_classes(self):
        want = self.top(KERAS / "keras3.keras")
        for name in ("keras3.weights.h5", "keras3_model.h5", "keras1_tf.h5", "keras1_theano.h5", "keras2_gzip.h5",
                     "keras2_theano.h5", "keras2_odd_chunks.h5"):
            self.assert_near(want, self.top(KERAS / name))
        self.assertFalse(self.store.exists())

    def test_a_name_tells_nothing(self):
        shutil.copy(KERAS / "keras3.keras", self.dir / "model.pth")
        self.assert_near(self.top(KERAS / "keras3.keras"), self.top("./model.pth"))

    def test_what_is_compressed_is_decoded_into_the_store_once(self):
        self.ok("add", KERAS / "keras2_odd_chunks.h5", "--as", "odd")
        self.assertIn("turned by 180 degrees", self.notes)
        [tensors] = self.store.glob("derived/*/tensors-1-any")
        before = tensors.stat()
        self.assert_near(self.top(KERAS / "keras3.keras"), self.top("odd"))
        self.assertEqual(tensors.stat().st_ino, before.st_ino)
        self.assertEqual({t["file"] for t in self.json("show", "odd", "--tensors")["tensors"]}, {"(decoded)"})
        self.assertEqual(self.temporaries(), [])

    def test_plain_files_are_used_in_place(self):
        self.ok("add", KERAS / "keras3_bn_model.h5", "--as", "plain")
        self.assertNotIn("batch norm is taken", self.notes)
        self.assertEqual(list(self.store.glob("derived/*/tensors-*")), [])
        facts = self.json("show", "plain")["facts"]
        self.assertEqual((facts["architecture"], facts["kind"], facts["preset"], facts["colour"]),
                         ("vgg11_bn", "Keras HDF5 model", "keras", "bgr"))
        self.assertEqual((facts["bn_epsilon"], facts["bn_epsilon_source"]), (0.001, "file"))

    def test_other_files_on_this_machine_are_never_opened(self):
        for name, what in (("external.h5", "external storage, which is never followed"),
                           ("external_link.h5", "is an external link, which is never followed"),
                           ("virtual.h5", "a virtual dataset")):
            self.fails(66, "add", KERAS / "refused" / name, "--as", "x", says=[name, what])
            self.fails(66, "classify", KERAS / "refused" / name, self.sample(), says=[name, what])

    def test_damage_in_a_compressed_part_leaves_nothing(self):
        data = bytearray((KERAS / "keras2_gzip.h5").read_bytes())
        at = data.index(b"\x78\x5e") if b"\x78\x5e" in data else data.index(b"\x78\x9c")
        data[at + 10] ^= 0xff
        (self.dir / "bad.h5").write_bytes(data)
        self.fails(66, "add", "./bad.h5", "--as", "x", says=["bad.h5", "a compressed chunk does not unpack"])
        self.assertEqual(list(self.store.glob("derived/*/*")), [])


if __name__ == "__main__":
    unittest.main()
