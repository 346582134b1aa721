"""Make one VGG with random weights, in every peer's own format, by each peer's own tools.

    peer_models.py DIR ARCH CLASSES HEIGHT [--only FORMAT,...]

Run under the Python that has PyTorch, with the environment's packages on PYTHONPATH. Into DIR go:
weights.pth (ours, PyTorch), half.pth (classifier weights as fp16, the rest fp32: ours, where a peer keeps them so),
model.onnx (ONNX Runtime, and what the others convert from), and with `environment python` of run: the rest.
He-distributed weights keep activations and logits of ordinary size. The same seed gives the same weights at every
input size, so that files are comparable. The average pool to 7x7 is written as what it is where the size is not 224:
ONNX has no adaptive pool, so there it is two multiplications with a constant matrix, which is the same function.
"""
import argparse
import os

import torch
from torch import nn

WIDTHS = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


class AveragePool(nn.Module):
    """AdaptiveAvgPool2d(7) for one known size, as two multiplications."""

    def __init__(self, side):
        super().__init__()
        matrix = torch.zeros(7, side)
        for i in range(7):
            low, high = i * side // 7, -(-(i + 1) * side // 7)
            matrix[i, low:high] = 1 / (high - low)
        self.register_buffer("matrix", matrix, persistent=False)

    def forward(self, x):
        return torch.matmul(torch.matmul(self.matrix, x), self.matrix.t())


class Vgg(nn.Module):
    def __init__(self, arch, classes, pool):
        super().__init__()
        layers, inputs = [], 3
        for stage, count in enumerate(WIDTHS[arch.removesuffix("_bn")]):
            for _ in range(count):
                outputs = min(64 << stage, 512)
                layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
                if arch.endswith("_bn"):
                    layers.append(nn.BatchNorm2d(outputs))
                layers.append(nn.ReLU(True))
                inputs = outputs
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.avgpool = pool
        self.classifier = nn.Sequential(nn.Linear(512 * 49, 4096), nn.ReLU(True), nn.Dropout(), nn.Linear(4096, 4096),
                                        nn.ReLU(True), nn.Dropout(), nn.Linear(4096, classes))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def fill(model):
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            fan = module.weight[0].numel()
            bound = (6 / fan) ** 0.5
            module.weight.data.uniform_(-bound, bound)
            module.bias.data.uniform_(-0.1, 0.1)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.8, 1.2)
            module.bias.data.uniform_(-0.2, 0.2)
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.8, 1.2)


def export_onnx(model, height, path):
    """Any batch; weights inside the file when they fit, which they do."""
    if height != 224:
        model.avgpool = AveragePool(height // 32)
    else:
        model.avgpool = nn.Identity()
    x = torch.zeros(2, 3, height, height)
    torch.onnx.export(model, (x,), path, input_names=["input"], output_names=["logits"], external_data=False,
                      dynamo=True, dynamic_shapes={"x": {0: torch.export.Dim("batch")}}, verbose=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("arch")
    parser.add_argument("classes", type=int)
    parser.add_argument("height", type=int)
    options = parser.parse_args()
    with torch.device("meta"):
        model = Vgg(options.arch, options.classes, nn.AdaptiveAvgPool2d(7))
    model = model.to_empty(device="cpu").eval()
    fill(model)
    os.makedirs(options.dir, exist_ok=True)
    at = lambda name: os.path.join(options.dir, name)
    state = model.state_dict()
    torch.save(state, at("weights.pth"))
    torch.save({k: v.half() if k.startswith("classifier") and k.endswith("weight") else v for k, v in state.items()},
               at("half.pth"))
    with torch.no_grad():
        torch.jit.trace(model, torch.zeros(1, 3, options.height, options.height)).save(at("traced.pt"))
        export_onnx(model, options.height, at("model.onnx"))


if __name__ == "__main__":
    main()
