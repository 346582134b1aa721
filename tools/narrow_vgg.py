"""One set of weights of a narrow VGG-11, with and without batch norm; a module for the other tools. Needs numpy only.

All dimensions differ (channels 4 to 11, hidden units 12 and 13, 14 classes), nothing is neutral, and the numbers are a
formula, so that every framework and the tests can be given the same ones.
"""
import numpy

CHANNELS = [4, 5, 6, 7, 8, 9, 10, 11]
POOL_AFTER = {0, 1, 3, 5, 7}
HIDDEN = [12, 13]
CLASSES = 14
POOLED = 7
SIDE = 224


def noise(seed, shape):
    """Numbers in [-1, 1): a hash of place and seed (the finaliser of MurmurHash3)."""
    x = (numpy.arange(int(numpy.prod(shape)), dtype=numpy.uint64) + numpy.uint64(seed * 1000003)) & numpy.uint64(0xffffffff)
    for multiplier in (0x85ebca6b, 0xc2b2ae35):
        x = ((x ^ (x >> numpy.uint64(16 if multiplier == 0x85ebca6b else 13))) * numpy.uint64(multiplier)) \
            & numpy.uint64(0xffffffff)
    x ^= x >> numpy.uint64(16)
    return (x.astype(numpy.float64) / 2**31 - 1).astype(numpy.float32).reshape(shape)


def picture():
    """(1, 3, 224, 224)"""
    return noise(99, (1, 3, SIDE, SIDE)) * numpy.float32(2)


def weights(batch_norm):
    """Torchvision's names and axes."""
    out, seed, number, before = {}, 1, 0, 3

    def put(name, values):
        nonlocal seed
        out[name] = values.astype(numpy.float32)
        seed += 1

    for i, channels in enumerate(CHANNELS):
        put(f"features.{number}.weight", noise(seed, (channels, before, 3, 3)) * (6 / (before * 9)) ** 0.5)
        put(f"features.{number}.bias", noise(seed, (channels,)) * 0.3)
        if batch_norm:
            put(f"features.{number + 1}.weight", 1 + noise(seed, (channels,)) * 0.5)
            put(f"features.{number + 1}.bias", noise(seed, (channels,)) * 0.3)
            put(f"features.{number + 1}.running_mean", noise(seed, (channels,)) * 0.3)
            put(f"features.{number + 1}.running_var", 0.2 + 2 * numpy.abs(noise(seed, (channels,))))
        number += (3 if batch_norm else 2) + (i in POOL_AFTER)
        before = channels
    inputs = before * POOLED * POOLED
    for number, outputs in zip((0, 3, 6), HIDDEN + [CLASSES]):
        put(f"classifier.{number}.weight", noise(seed, (outputs, inputs)) * (6 / inputs) ** 0.5)
        put(f"classifier.{number}.bias", noise(seed, (outputs,)) * 0.3)
        inputs = outputs
    return out


class Golden:
    """The file that the tests read: one line per model.

    model PATH | KIND | FAMILY | ARCHITECTURE | HEAD | logits
    """

    def __init__(self, path, versions):
        self.path, self.lines = path, [f"# {versions}"]

    def model(self, name, kind, family, architecture, head, logits):
        values = " ".join(repr(float(v)) for v in numpy.asarray(logits).reshape(-1))
        self.lines.append(f"model {name} | {kind} | {family} | {architecture} | {head} | {values}")

    def close(self):
        with open(self.path, "w") as file:
            file.write("\n".join(self.lines) + "\n")
