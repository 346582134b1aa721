"""What every peer speaks: one process holds one network and answers lines on standard input with lines of JSON.

    logits FILE FILE   f32 images (batch, 3, H, W) in, logits out; answers {}
    run N              N runs of the whole batch, answers {"ms": [...], "cpu_ms": [...]}: wall time, and all threads' CPU time
    quit

`main(load, versions)`: load(options) returns a function from an f32 array to logits. With --image the process does what
a user's own script does, and ends: decode, resize, normalise, run once, print the five best.
Standard output is kept for answers: what a library prints goes to standard error.
"""
import time

STARTED = time.perf_counter()  # before numpy and the peer itself are imported

import argparse
import json
import os
import sys

OUT = os.fdopen(os.dup(1), "w")  # before a peer is imported: some print then
os.dup2(2, 1)

import numpy


def preprocess(path):
    """As torchvision's classification preset: shorter side 256, the middle 224, mean and deviation of ImageNet."""
    from PIL import Image

    image = Image.open(path).convert("RGB")
    scale = 256 / min(image.size)
    width, height = (256 if side == min(image.size) else int(side * scale) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - 224) / 2), round((height - 224) / 2)
    pixels = numpy.asarray(image.crop((left, top, left + 224, top + 224)), dtype=numpy.float32) / 255
    pixels = (pixels - numpy.array([0.485, 0.456, 0.406], numpy.float32)) / numpy.array([0.229, 0.224, 0.225], numpy.float32)
    return numpy.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=numpy.float32)


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", help="what peer_models.py made")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--height", type=int, default=224)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--arch", default="vgg16")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--half", action="store_true", help="weights of linear layers in fp16, where the peer can")
    parser.add_argument("--image", help="classify this picture once, and end")
    parser.add_argument("--convert", action="store_true", help="make this peer's own files, and end")
    return parser.parse_args()


def answer(line):
    OUT.write(json.dumps(line) + "\n")
    OUT.flush()


def once(options, load, imported, imported_cpu):
    start = time.perf_counter()
    run = load(options)
    loaded = time.perf_counter()
    logits = numpy.asarray(run(preprocess(options.image))).reshape(-1)
    best = numpy.argsort(-logits, kind="stable")[:5]
    answer({"top": [[int(i), float(logits[i])] for i in best], "import_ms": imported, "import_cpu_ms": imported_cpu,
                 "load_ms": (loaded - start) * 1000, "run_ms": (time.perf_counter() - loaded) * 1000})


def serve(options, run):
    shape = (options.batch, 3, options.height, options.height)
    x = numpy.random.default_rng(7).standard_normal(shape, dtype=numpy.float32)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "logits":
            x = numpy.fromfile(words[1], dtype=numpy.float32).reshape(shape)
            numpy.asarray(run(x), dtype=numpy.float32).tofile(words[2])
            answer({})
        elif words[0] == "run":
            times, used = [], []
            for _ in range(int(words[1])):
                start, before = time.perf_counter(), time.process_time()
                run(x)
                times.append((time.perf_counter() - start) * 1000)
                used.append((time.process_time() - before) * 1000)
            answer({"ms": times, "cpu_ms": used})
        else:
            return


def main(load, version, convert=None):
    imported, imported_cpu = (time.perf_counter() - STARTED) * 1000, time.process_time() * 1000
    options = parse()
    if options.convert:
        if convert:
            convert(options)
    elif options.image:
        once(options, load, imported, imported_cpu)
    else:
        run = load(options)
        answer({"version": version})
        serve(options, run)
