"""What bench says; how fast anything is, is not tested."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support
from cli_support import Case


class Bench(Case):
    def test_the_machine_alone(self):
        told = self.json("bench")
        self.assertGreater(told["peak_flops"], 1e6)
        self.assertGreater(told["memory_bytes_per_second"], 1e6)
        self.assertEqual(told["batches"], [])
        self.assertFalse(self.store.exists())

    def test_a_model_by_batch_and_layer(self):
        self.add()
        told = self.json("bench", "digits", "--batch", "3", "--runs", "3", "--layers")
        self.assertEqual([b["images"] for b in told["batches"]], [1, 3])
        for batch in told["batches"]:
            self.assertGreaterEqual(batch["median_ms"], batch["least_ms"])
            self.assertGreater(batch["least_ms"], 0)
        names = [layer["name"] for layer in told["layers"]]
        self.assertEqual(names[0], "features.0")
        self.assertEqual(names[-2:], ["classifier.6", "other"])
        self.assertEqual(len(names), 8 + 3 + 1)
        text = self.ok("bench", "digits", "--batch", "1", "--runs", "1", "--layers")
        self.assertIn("classifier.6", text)
        self.assertNotIn("images:", text)

    def test_refusals(self):
        self.fails(3, "bench", "nothing", says=["nothing"])
        self.fails(2, "bench", "--batch", "1000", says=["256"])


if __name__ == "__main__":
    cli_support.main()
