#!/usr/bin/python3
"""Train the bundled model: VGG-11 with batch norm, width 1/8, 64 hidden units, 32x32 RGB input, 10 digits.

    train_digits.py            writes models/digits-vgg11_bn/ (version 1) and models/digits-vgg11_bn/v2/ (version 2)

Version 2 is version 1 trained further. Deterministic on one machine with the versions that the model's README names
(Debian 12: PyTorch 1.13, torchvision 0.14, scikit-learn 1.2). About a minute on two cores.
"""
import json
import os
from fractions import Fraction

import torch
from torch.nn import functional

import digits_data as data
from vgg_of_width import Vgg

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models", "digits-vgg11_bn")
NAME = "digits-vgg11_bn.pth"
WEIGHTS_SEED = 3
VARIANTS = ((0, 40), (1, 96), (2, 24), (3, 64)) # colour variant and side of the pictures trained on
EPOCHS = (6, 24)                                # of version 1, and of version 2 from there on
BATCH = 128
SAMPLE_VARIANT, SAMPLE_SIDE = 5, 96


def tensors(images, indices, variant, side):
    return torch.stack([data.PREPROCESS(data.render(images[i], i, variant, side)) for i in indices])


def moved(batch, generator):
    """Each picture turned, scaled and shifted a little."""
    n = len(batch)
    turn, scale = (torch.rand(n, generator=generator) - 0.5) * 0.4, 1 + (torch.rand(n, generator=generator) - 0.5) * 0.3
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = torch.cos(turn) * scale
    theta[:, 0, 1], theta[:, 1, 0] = -torch.sin(turn) * scale, torch.sin(turn) * scale
    theta[:, :, 2] = (torch.rand(n, 2, generator=generator) - 0.5) * 0.25
    grid = functional.affine_grid(theta, batch.shape, align_corners=False)
    return functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)


def train(net, x, y, epochs, rate, generator):
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.02)
    steps = epochs * ((len(x) + BATCH - 1) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    net.train()
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for part in order.split(BATCH):
            optimiser.zero_grad()
            loss = functional.cross_entropy(net(moved(x[part], generator)), y[part], label_smoothing=0.05)
            loss.backward()
            optimiser.step()
            schedule.step()
    net.eval()


def accuracy(net, x, y):
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


def write_config(path):
    config = {"architecture": "vgg11_bn", "num_classes": len(data.LABELS), "label_names": data.LABELS,
              "pretrained_cfg": {"input_size": [3, data.INPUT, data.INPUT], "mean": data.MEAN, "std": data.STD,
                                 "interpolation": "bilinear", "crop_pct": 1.0}}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")


def publish(net, directory):
    os.makedirs(directory, exist_ok=True)
    torch.save(net.state_dict(), os.path.join(directory, NAME))
    write_config(os.path.join(directory, "config.json"))


def write_samples(images, labels, held_out):
    """The first held-out drawing of each class, in colours that no training picture has."""
    directory = os.path.join(OUT, "samples")
    os.makedirs(directory, exist_ok=True)
    for label, name in enumerate(data.LABELS):
        index = next(i for i in held_out if labels[i] == label)
        data.render(images[index], index, SAMPLE_VARIANT, SAMPLE_SIDE).save(os.path.join(directory, f"{name}.png"), optimize=True)


def main():
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(2)
    torch.manual_seed(WEIGHTS_SEED)
    generator = torch.Generator().manual_seed(WEIGHTS_SEED)
    images, labels, training, held_out = data.split()
    x = torch.cat([tensors(images, training, variant, side) for variant, side in VARIANTS])
    y = torch.from_numpy(labels[training]).repeat(len(VARIANTS))
    test_x = torch.stack([data.PREPROCESS(data.render_held_out(images, i)) for i in held_out])
    test_y = torch.from_numpy(labels[held_out])
    pixels = x * torch.tensor(data.STD).view(3, 1, 1) + torch.tensor(data.MEAN).view(3, 1, 1)
    print("mean", pixels.mean((0, 2, 3)), "std", pixels.std((0, 2, 3)))

    net = Vgg("vgg11_bn", Fraction(1, 8), len(data.LABELS), hidden=64, dropout=0.3)
    for version, (epochs, rate, directory) in enumerate(((EPOCHS[0], 2e-3, OUT), (EPOCHS[1], 1e-3, os.path.join(OUT, "v2"))), 1):
        train(net, x, y, epochs, rate, generator)
        print(f"version {version}: accuracy on {len(test_y)} held-out pictures {accuracy(net, test_x, test_y):.4f}, "
              f"on the training pictures {accuracy(net, x, y):.4f}")
        publish(net, directory)
    write_samples(images, labels, held_out)


if __name__ == "__main__":
    main()
