#!/usr/bin/python3
"""Golden outputs of VGG networks, computed by PyTorch; read by tests/nn/test_nn_golden.c.

    tools/make_vgg_goldens.py tests/golden/vgg_small.golden           the committed file (some seconds)
    tools/make_vgg_goldens.py --full-size vgg16_bn OUT.golden         one full-size kind, three images

Needs Debian 12's python3-torch (1.13.1) and numpy, run by /usr/bin/python3.

Weights and inputs are not stored: both sides make them from the same counter-based generator, given by the name of the
net and of the tensor (see `bits`, and tests/nn/nn_fixture.h). Nothing in them is neutral: kernels and matrices
N(0, 2 / fan in), biases N(0, 0.1), gamma U(0.5, 1.5), beta and running mean N(0, 0.3), running variance U(0.5, 2);
"N" being the sum of four uniforms.

The file: text lines, some followed by little-endian floats.
    net NAME ARCHITECTURE HIDDEN HIDDEN CLASSES CHANNELS,CHANNELS,...
    image NUMBER HEIGHT WIDTH                       an input of that net
    layer NAME CHANNELS HEIGHT WIDTH all COUNT      then COUNT floats: every element
    layer NAME CHANNELS HEIGHT WIDTH sample COUNT   then 1 + COUNT floats: the greatest magnitude, then elements drawn
                                                    by the generator
    mutant NAME COUNT                               then the COUNT logits of a network with one mistake in it
The reference runs in float64 (small) or float32 (full size).
"""
import argparse
import sys

import numpy as np
import torch
import torch.nn.functional as F

torch.set_grad_enabled(False)

STAGES = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
KINDS = [name + suffix for name in STAGES for suffix in ("", "_bn")]
EPSILON = 1e-5
MUTANTS = ("no-bias", "no-batch-norm", "epsilon-1e-3", "hwc-flatten", "flipped-kernel", "bgr")
SAMPLES = 500 # elements of a layer that is not kept whole


def bits(name, count):
    """`count` 64-bit words: splitmix64 of a counter, seeded by the FNV-1a hash of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def normal(name, shape, deviation):
    z = bits(name, int(np.prod(shape)))
    total = np.zeros(z.shape, np.int64)
    for shift in (0, 16, 32, 48):
        total += ((z >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64)
    values = (total - 131070).astype(np.float64) * (deviation / 37837.0)
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def uniform(name, shape, low, high):
    z = (bits(name, int(np.prod(shape))) >> np.uint64(32)).astype(np.float64)
    return torch.from_numpy((low + (high - low) * (z * 2.0**-32)).astype(np.float32).reshape(shape))


class Net:
    """One network's weights under torchvision's names, and its layers."""

    def __init__(self, name, kind, channels, hidden, classes, dtype):
        self.name, self.kind, self.dtype = name, kind, dtype
        self.channels, self.hidden, self.classes = channels, hidden, classes
        self.norm = kind.endswith("_bn")
        self.tensors, self.plan = {}, []
        number, conv, inputs = 0, 0, 3
        for stage in STAGES[kind.removesuffix("_bn")]:
            for _ in range(stage):
                outputs = channels[conv]
                self.plan.append(("conv", number))
                self.layer(f"features.{number}", (outputs, inputs, 3, 3))
                if self.norm:
                    self.batch_norm(f"features.{number + 1}", outputs)
                number += 3 if self.norm else 2
                conv, inputs = conv + 1, outputs
            self.plan.append(("pool", number))
            number += 1
        sizes = [inputs * 49, *hidden, classes]
        for i, layer in enumerate((0, 3, 6)):
            self.layer(f"classifier.{layer}", (sizes[i + 1], sizes[i]))

    def layer(self, key, shape):
        deviation = float(np.sqrt(2.0 / np.prod(shape[1:])))
        self.put(key + ".weight", normal(f"{self.name}/{key}.weight", shape, deviation))
        self.put(key + ".bias", normal(f"{self.name}/{key}.bias", shape[:1], 0.1))

    def batch_norm(self, key, n):
        self.put(key + ".weight", uniform(f"{self.name}/{key}.weight", (n,), 0.5, 1.5))
        self.put(key + ".bias", normal(f"{self.name}/{key}.bias", (n,), 0.3))
        self.put(key + ".running_mean", normal(f"{self.name}/{key}.running_mean", (n,), 0.3))
        self.put(key + ".running_var", uniform(f"{self.name}/{key}.running_var", (n,), 0.5, 2.0))

    def put(self, key, value):
        self.tensors[key] = value.to(self.dtype)

    def run(self, x, mutant=None):
        """Yields (layer, output) for every pooling, the average pool and the linear layers."""
        get = self.tensors.__getitem__
        bias = (lambda key: None) if mutant == "no-bias" else get
        epsilon = 1e-3 if mutant == "epsilon-1e-3" else EPSILON
        x = x.to(self.dtype)
        if mutant == "bgr":
            x = x.flip(1)
        for what, number in self.plan:
            if what == "pool":
                x = F.max_pool2d(x, 2, 2)
                yield f"features.{number}", x
                continue
            weight = get(f"features.{number}.weight")
            if mutant == "flipped-kernel":
                weight = weight.flip(2, 3)
            x = F.conv2d(x, weight, bias(f"features.{number}.bias"), padding=1)
            if self.norm and mutant != "no-batch-norm":
                key = f"features.{number + 1}."
                x = F.batch_norm(x, get(key + "running_mean"), get(key + "running_var"), get(key + "weight"),
                                 get(key + "bias"), False, 0.0, epsilon)
            x = F.relu(x)
        x = F.adaptive_avg_pool2d(x, (7, 7))
        yield "avgpool", x
        x = torch.flatten(x.permute(0, 2, 3, 1) if mutant == "hwc-flatten" else x, 1)
        for layer in (0, 3, 6):
            x = F.linear(x, get(f"classifier.{layer}.weight"), bias(f"classifier.{layer}.bias"))
            x = F.relu(x) if layer < 6 else x
            yield f"classifier.{layer + 1 if layer < 6 else 6}", x


class Writer:
    def __init__(self, path):
        self.file = open(path, "wb")

    def line(self, *words):
        self.file.write((" ".join(str(word) for word in words) + "\n").encode())

    def floats(self, values):
        self.file.write(np.ascontiguousarray(values, dtype="<f4").tobytes())

    def layer(self, net, name, image, x, whole):
        flat = x.reshape(-1).to(torch.float64).numpy()
        shape = list(x.shape[1:]) + [1] * (4 - x.dim())
        if whole or flat.size <= SAMPLES:
            self.line("layer", name, *shape, "all", flat.size)
            self.floats(flat)
            return
        index = bits(f"{net.name}/{name}/{image}", SAMPLES) % np.uint64(flat.size)
        self.line("layer", name, *shape, "sample", SAMPLES)
        self.floats([np.abs(flat).max(), *flat[index.astype(np.int64)]])

    def net(self, net, images, whole, mutants):
        self.line("net", net.name, net.kind, *net.hidden, net.classes, ",".join(map(str, net.channels)))
        for number, (height, width) in enumerate(images):
            self.line("image", number, height, width)
            x = normal(f"{net.name}/image.{number}", (1, 3, height, width), 1.0)
            for layer, out in net.run(x):
                self.layer(net, layer, number, out, whole)
            for mutant in mutants if net.norm else [m for m in mutants if m not in ("no-batch-norm", "epsilon-1e-3")]:
                *_, (_, logits) = net.run(x, mutant)
                self.line("mutant", mutant, logits.numel())
                self.floats(logits.reshape(-1).numpy())


def conv_count(kind):
    return sum(STAGES[kind.removesuffix("_bn")])


def of_width(kind, divisor):
    stages = STAGES[kind.removesuffix("_bn")]
    return [min(64 << stage, 512) // divisor for stage, count in enumerate(stages) for _ in range(count)]


def small(path):
    """All eight kinds with every dimension different, and one at width 1/8 over many sizes and classes."""
    out = Writer(path)
    for i, kind in enumerate(KINDS):
        channels = [(9 + 2 * conv + i) for conv in range(conv_count(kind))]
        net = Net(f"small-{kind}", kind, channels, [channels[-1] + 5, channels[-1] + 14], [10, 7, 3, 11][i % 4], torch.float64)
        out.net(net, [(32, 32), (45, 70)], True, MUTANTS)
    for classes, kind, sizes in ((1, "vgg11", [(33, 33)]), (2, "vgg13_bn", [(64, 64), (97, 131)]),
                                 (1000, "vgg16_bn", [(224, 224), (320, 240)]), (10, "vgg11_bn", [(131, 97), (33, 500)])):
        net = Net(f"eighth-{kind}", kind, of_width(kind, 8), [64, 64] if kind != "vgg16_bn" else [512, 512], classes,
                  torch.float64)
        out.net(net, sizes, False, MUTANTS)
    net = Net("half-vgg13", "vgg13", of_width("vgg13", 2), [8, 2048], 10, torch.float64)
    out.net(net, [(64, 48)], False, ())


def full_size(kind, path, dtype):
    out = Writer(path)
    net = Net(f"full-{kind}", kind, of_width(kind, 1), [4096, 4096], 1000, dtype)
    out.net(net, [(224, 224), (224, 224), (320, 240)], False, MUTANTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--full-size", choices=KINDS, metavar="KIND")
    parser.add_argument("--float64", action="store_true", help="the full-size reference in double precision (slow)")
    args = parser.parse_args()
    if args.full_size:
        full_size(args.full_size, args.out, torch.float64 if args.float64 else torch.float32)
    else:
        small(args.out)


if __name__ == "__main__":
    sys.exit(main())
