"""The bundled model answers every held-out picture as PyTorch did: same class, same accuracy, same logits.

The pictures and PyTorch's answers: tests/golden/digits/README.md.
"""
import hashlib
import json
import tarfile

import cli_support

GOLDEN = cli_support.TOP / "tests/golden/digits"
MODELS = cli_support.TOP / "models"
TOLERANCE = 1e-4  # of the largest logit of a picture; measured: below 4e-6


class Accuracy(cli_support.Case):
    def setUp(self):
        super().setUp()
        self.expected = json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))
        self.labels = self.expected["labels"]
        with tarfile.open(GOLDEN / "heldout.tar.gz") as tar:
            for entry in tar.getmembers():
                self.assertTrue(entry.isfile() and "/" not in entry.name, entry.name)
                (self.dir / entry.name).write_bytes(tar.extractfile(entry).read())
        self.pictures = [index + ".png" for index in sorted(self.labels)]

    def answers(self, model):
        """index -> logits in the order of the classes, of all pictures in one call."""
        report = self.json("classify", "--top", "10", model, *self.pictures)
        self.assertEqual([result["image"] for result in report["results"]], self.pictures)
        return {result["image"].removesuffix(".png"):
                [line["logit"] for line in sorted(result["top"], key=lambda line: line["class"])]
                for result in report["results"]}

    def test_every_picture_is_answered_as_by_pytorch(self):
        self.assertEqual(len(self.labels), 360)
        self.assertEqual(len(self.expected["versions"]), 2)
        worst = 0.0
        for version in self.expected["versions"]:
            path = MODELS / version["model"]
            self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(), version["sha256"])
            answers = self.answers(path)
            correct = 0
            for index, label in self.labels.items():
                ours, theirs = answers[index], version["logits"][index]
                self.assertEqual(len(ours), len(theirs))
                self.assertEqual(ours.index(max(ours)), theirs.index(max(theirs)), index)
                largest = max(map(abs, theirs))
                difference = max(abs(a - b) for a, b in zip(ours, theirs)) / largest
                self.assertLessEqual(difference, TOLERANCE, index)
                worst = max(worst, difference)
                correct += ours.index(max(ours)) == label
            self.assertEqual(correct, version["correct"])
            self.assertGreaterEqual(correct, 0.97 * len(self.labels))
        print("largest difference of a logit: %.1e of the largest" % worst)

    def test_the_versions_are_told_apart(self):
        first, second = (version["logits"] for version in self.expected["versions"])
        moved = max(abs(a - b) for index in first for a, b in zip(first[index], second[index]))
        self.assertGreater(moved, 1.0)

    def test_the_samples_are_what_they_are_named(self):
        names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
        report = self.json("classify", "--top", "1", MODELS / "digits-vgg11_bn/digits-vgg11_bn.pth",
                           *(self.sample(name) for name in names))
        self.assertEqual([result["top"][0]["label"] for result in report["results"]], names)


if __name__ == "__main__":
    cli_support.main()
