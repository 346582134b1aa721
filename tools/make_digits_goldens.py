#!/usr/bin/python3
"""Write tests/golden/digits: every held-out picture of the bundled model, and what PyTorch makes of each.

    heldout.tar.gz   <index>.png for each held-out drawing; the index is its number in scikit-learn's data set
    expected.json    {"made_by": versions,
                      "labels":   {index: class, ...},
                      "versions": [{"model": path below models/, "sha256": of the file, "correct": count,
                                    "logits": {index: [10 numbers], ...}}, ...]}

The pictures go one by one through Pillow, torchvision's Resize, CenterCrop, ToTensor and Normalize with the numbers of
the model's own config.json, and through the network in eval mode. The same input gives the same files.
"""
import gzip
import hashlib
import io
import json
import os
import tarfile
from fractions import Fraction

import numpy
import PIL
import sklearn
import torch
import torchvision
from PIL import Image
from torchvision import transforms

import digits_data as data
from vgg_of_width import Vgg

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
OUT = os.path.join(TOP, "tests", "golden", "digits")
MODELS = ("digits-vgg11_bn", "digits-vgg11_bn/v2")


def png_of(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write_tar(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    with open(os.path.join(OUT, "heldout.tar.gz"), "wb") as file:
        file.write(gzip.compress(buffer.getvalue(), 9, mtime=0))


def preprocessing(directory):
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        config = json.load(file)["pretrained_cfg"]
    assert config["interpolation"] == "bilinear" and config["crop_pct"] == 1.0
    side = config["input_size"][1]
    return transforms.Compose([transforms.Resize(side), transforms.CenterCrop(side), transforms.ToTensor(),
                               transforms.Normalize(config["mean"], config["std"])])


def expected(model, files, labels):
    directory = os.path.join(TOP, "models", model)
    path = os.path.join(directory, "digits-vgg11_bn.pth")
    net = Vgg("vgg11_bn", Fraction(1, 8), len(data.LABELS), hidden=64)
    net.load_state_dict(torch.load(path))
    net.eval()
    prepare = preprocessing(directory)
    logits = {}
    with torch.no_grad():
        for name, content in files:
            picture = Image.open(io.BytesIO(content)).convert("RGB")
            answer = net(prepare(picture)[None])[0].numpy()
            logits[name.removesuffix(".png")] = [float(str(value)) for value in answer] # the shortest text of each f32
    correct = sum(int(numpy.argmax(logits[index])) == labels[index] for index in labels)
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    print(f"{model}: {correct} of {len(labels)} correct")
    return {"model": f"{model}/digits-vgg11_bn.pth", "sha256": digest, "correct": correct, "logits": logits}


def main():
    os.makedirs(OUT, exist_ok=True)
    drawings, classes, _, held_out = data.split()
    files = [(f"{index:04}.png", png_of(data.render_held_out(drawings, index))) for index in held_out]
    labels = {f"{index:04}": int(classes[index]) for index in held_out}
    write_tar(files)
    made_by = (f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}, "
               f"scikit-learn {sklearn.__version__}, NumPy {numpy.__version__}")
    document = {"made_by": made_by, "labels": labels, "versions": [expected(model, files, labels) for model in MODELS]}
    with open(os.path.join(OUT, "expected.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(document, indent=1).replace(",\n     ", ", ").replace("[\n     ", "[").replace("\n    ]", "]"))
        file.write("\n")


if __name__ == "__main__":
    main()
