#!/usr/bin/python3
"""Outputs of every layer as PyTorch's forward hooks see them; read by tests/nn/test_nn_features.c.

    tools/make_feature_goldens.py tests/nn/data/features.txt

Needs Debian 12's python3-torch (1.13.1), python3-torchvision and numpy, run by /usr/bin/python3. Weights and inputs are
made as tools/make_vgg_goldens.py makes them; the network is torchvision's own VGG module in double precision, with a hook
on each of its layers that copies the output (the ReLUs work in place, and change it afterwards).

    net NAME ARCHITECTURE HIDDEN HIDDEN CLASSES CHANNELS,CHANNELS,... HEIGHT WIDTH
    layer NAME CHANNELS HEIGHT WIDTH GREATEST VALUE ...      the greatest magnitude; elements drawn by the generator
"""
import sys

import torch
from torchvision.models import vgg

from make_vgg_goldens import Net, STAGES, bits, conv_count, normal

SAMPLES = 8


def module(net):
    stages, channels = STAGES[net.kind.removesuffix("_bn")], list(net.channels)
    layers = []
    for stage in stages:
        layers += [channels.pop(0) for _ in range(stage)] + ["M"]
    out = vgg.VGG(vgg.make_layers(layers, batch_norm=net.norm), init_weights=False)
    sizes = [net.channels[-1] * 49, *net.hidden, net.classes]
    for i, layer in enumerate((0, 3, 6)):
        out.classifier[layer] = torch.nn.Linear(sizes[i], sizes[i + 1])
    out = out.double().eval()
    missing = out.load_state_dict(net.tensors, strict=False)
    assert all(key.endswith("num_batches_tracked") for key in missing.missing_keys) and not missing.unexpected_keys
    return out


def main():
    with open(sys.argv[1], "w") as file:
        for kind, size, classes in (("vgg13", (45, 70), 7), ("vgg11_bn", (64, 33), 10)):
            channels = [(9 + 2 * conv) for conv in range(conv_count(kind))]
            net = Net(f"features-{kind}", kind, channels, [21, 34], classes, torch.float64)
            print("net", net.name, kind, *net.hidden, classes, ",".join(map(str, channels)), *size, file=file)
            model = module(net)

            def hook(name):
                def call(_module, _inputs, output):
                    flat = output.clone().reshape(-1)
                    shape = list(output.shape[1:]) + [1] * (4 - output.dim())
                    index = bits(f"{net.name}/{name}", SAMPLES) % flat.numel()
                    print("layer", name, *shape, "%.9g" % float(flat.abs().max()),
                          *("%.9g" % float(flat[int(i)]) for i in index), file=file)
                return call

            for name, layer in model.named_modules():
                if name:
                    layer.register_forward_hook(hook(name))
            model(normal(f"{net.name}/image.0", (1, 3, *size), 1.0).double())


if __name__ == "__main__":
    sys.exit(main())
