#!/usr/bin/python3
"""Write a random VGG of any of the eight kinds as a weight file, full size unless told otherwise.

    make_full_size.py --arch vgg16 --kind legacy --out DIR          DIR/vgg16-<8 hex>.pth, 553 MB
    make_full_size.py --arch vgg16 --kind zip --out DIR/name.pth
    make_full_size.py --arch vgg11_bn --kind safetensors --width 1/8 --classes 10 --dtype f16 --out x.safetensors

If --out is a directory, the file is named as torchvision names its own: <arch>-<first 8 hex digits of its
SHA-256>.<pth|safetensors>. The path written is printed on stdout. The same arguments give the same weights.
"""
import argparse
import hashlib
import json
import os
from fractions import Fraction

import torch

from vgg_of_width import KINDS, Vgg, randomise

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64}
SAFETENSORS_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64",
                      torch.int64: "I64"}


def write_safetensors(state, path, metadata=None):
    """8 bytes of header length, the header (JSON, padded with spaces to 8), the data without holes, widest first."""
    order = sorted(state, key=lambda name: (-state[name].element_size(), name))
    header, offset = {"__metadata__": metadata or {"format": "pt"}}, 0
    for name in order:
        tensor = state[name]
        end = offset + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": SAFETENSORS_DTYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in order:
            plain = state[name].contiguous()
            file.write((plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain).numpy().tobytes())


def write(state, kind, path):
    if kind == "safetensors":
        write_safetensors(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", choices=KINDS, default="vgg16")
    parser.add_argument("--kind", choices=["zip", "legacy", "safetensors"], default="legacy")
    parser.add_argument("--dtype", choices=DTYPES, default="f32")
    parser.add_argument("--width", type=Fraction, default=Fraction(1), help="times the channels, e.g. 1/8")
    parser.add_argument("--hidden", type=int, help="hidden units (default: 4096 times the width, at least 8)")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True, help="a file, or a directory to name the file by its digest")
    options = parser.parse_args()

    net = randomise(Vgg(options.arch, options.width, options.classes, options.hidden), options.seed)
    dtype = DTYPES[options.dtype]
    state = net.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            state[name] = tensor.to(dtype)

    if not os.path.isdir(options.out):
        write(state, options.kind, options.out)
        print(options.out)
        return
    suffix = "safetensors" if options.kind == "safetensors" else "pth"
    temporary = os.path.join(options.out, f".{options.arch}-{os.getpid()}.{suffix}")
    try:
        write(state, options.kind, temporary)
        path = os.path.join(options.out, f"{options.arch}-{digest_of(temporary)[:8]}.{suffix}")
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    print(path)


if __name__ == "__main__":
    main()
