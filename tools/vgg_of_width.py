"""A VGG of torchvision's shape with its channels and hidden units scaled by a width; a module for the other tools.

Keys, order and layers are those of torchvision.models.vgg: features.N.*, classifier.{0,3,6}.*, an adaptive
average pool to 7x7 between them. At width 1 the state dict has exactly torchvision's shapes.

Needs PyTorch and torchvision (Debian 12: python3-torch 1.13, python3-torchvision 0.14).
"""
from fractions import Fraction

import torch
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

CONFIGURATION = {"vgg11": "A", "vgg13": "B", "vgg16": "D", "vgg19": "E"}
KINDS = [name + suffix for name in CONFIGURATION for suffix in ("", "_bn")]
POOLED = 7          # side of the pooled map in front of the classifier
HIDDEN = 4096       # hidden units at width 1
HIDDEN_LEAST = 8    # hidden units of the narrowest classifier
CHANNELS_LAST = 512 # channels of the last stage at width 1


class Vgg(nn.Module):
    """VGG with `width` times the channels; `hidden` None means width times 4096, at least 8."""

    def __init__(self, arch, width=Fraction(1), classes=1000, hidden=None, dropout=0.5):
        super().__init__()
        width = Fraction(width)
        plan = [x if x == "M" else scaled(x, width) for x in cfgs[CONFIGURATION[arch.removesuffix("_bn")]]]
        hidden = hidden or max(HIDDEN_LEAST, scaled(HIDDEN, width))
        self.features = make_layers(plan, batch_norm=arch.endswith("_bn"))
        self.avgpool = nn.AdaptiveAvgPool2d((POOLED, POOLED))
        self.classifier = nn.Sequential(
            nn.Linear(scaled(CHANNELS_LAST, width) * POOLED * POOLED, hidden), nn.ReLU(True), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(True), nn.Dropout(dropout),
            nn.Linear(hidden, classes))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def scaled(count, width):
    product = count * width
    if product < 1 or product != int(product):
        raise SystemExit(f"width {width} does not divide {count} channels evenly")
    return int(product)


def randomise(net, seed):
    """Weights under which nothing is neutral: leaving out a bias, a batch norm or its epsilon changes the answer.

    Kernels and matrices N(0, 2 / fan in), biases N(0, 0.1), gamma U(0.5, 1.5), beta and running mean N(0, 0.3),
    running variance U(0.5, 2).
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                fan_in = layer.weight[0].numel()
                layer.weight.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
                layer.bias.normal_(0, 0.1, generator=generator)
            elif isinstance(layer, nn.BatchNorm2d):
                layer.weight.uniform_(0.5, 1.5, generator=generator)
                layer.bias.normal_(0, 0.3, generator=generator)
                layer.running_mean.normal_(0, 0.3, generator=generator)
                layer.running_var.uniform_(0.5, 2, generator=generator)
                layer.num_batches_tracked.fill_(1000)
    return net.eval()
