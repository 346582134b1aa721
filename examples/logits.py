#!/usr/bin/env python3
"""Every logit of one picture, as logits.c prints them; messages, progress and requests go to standard error.

    python3 logits.py torchvision:vgg16 vgg16 cat.jpg
"""
import logging
import sys

import cistern


def show(progress):
    if progress.last:
        print("%s: %d bytes" % (progress.step, progress.done), file=sys.stderr)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: logits.py ORIGIN NAME IMAGE")
    origin, name, image = sys.argv[1:]
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    cistern.sigbus_guard()  # a truncated weight file becomes an exception
    version = cistern.pull(origin, name, progress=show)  # ^C cancels it, and the next time it goes on there
    print("%s: %d requests" % (version.reference, version.requests), file=sys.stderr)
    model = cistern.open(name)
    for logit in model.run(model.preprocess(image)):
        print("%.9g" % logit)


if __name__ == "__main__":
    try:
        main()
    except cistern.Error as fault:
        print("logits: %s" % fault.message, file=sys.stderr)
        sys.exit(fault.status)
