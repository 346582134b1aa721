"""Scikit-learn's handwritten digits as pictures that a person can read; a module for the other tools.

Each 8x8 drawing gets a margin, is enlarged, and is drawn in a random ink on random paper (or light on dark). The split
into training and held-out drawings, and each picture's colours, depend on the numbers below and on nothing else.
"""
import colorsys

import numpy
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torchvision import transforms

SPLIT_SEED = 7
HELD_OUT = 360        # of 1797, the same share of each class
COLOUR_SEED = 11
HELD_OUT_VARIANT = 4  # colours of the held-out pictures, which no training picture has
HELD_OUT_SIDES = (24, 32, 40, 57) # pixels, in turn: enlarged, as it is, reduced, reduced by an odd factor
LABELS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
INPUT = 32            # pixels, height and width of the network's input
MEAN = (0.602, 0.605, 0.603)  # of the training pictures, rounded
STD = (0.263, 0.262, 0.261)

PREPROCESS = transforms.Compose([transforms.Resize(INPUT), transforms.CenterCrop(INPUT), transforms.ToTensor(),
                                 transforms.Normalize(MEAN, STD)])


def split():
    """(drawings (1797, 8, 8) of 0 to 16, labels, training indices, held-out indices), indices ascending."""
    digits = load_digits()
    train, held_out = train_test_split(numpy.arange(len(digits.target)), test_size=HELD_OUT, random_state=SPLIT_SEED,
                                       stratify=digits.target)
    return digits.images, digits.target, numpy.sort(train), numpy.sort(held_out)


def colours(index, variant):
    """(paper, ink) of one picture, each RGB 0 to 255."""
    random = numpy.random.default_rng([COLOUR_SEED, int(index), variant])
    light = colorsys.hsv_to_rgb(random.random(), random.uniform(0.05, 0.4), random.uniform(0.8, 1.0))
    dark = colorsys.hsv_to_rgb(random.random(), random.uniform(0.5, 1.0), random.uniform(0.1, 0.5))
    pair = (light, dark) if random.random() < 0.8 else (dark, light)
    return [numpy.array(colour) * 255 for colour in pair]


def render(drawing, index, variant, side):
    """A side x side RGB picture of one drawing."""
    framed = numpy.pad(drawing, 1) * (255 / 16)
    alpha = Image.fromarray(framed.round().astype(numpy.uint8)).resize((side, side), Image.BICUBIC)
    share = numpy.asarray(alpha)[..., None] / 255
    paper, ink = colours(index, variant)
    return Image.fromarray((paper + (ink - paper) * share).round().astype(numpy.uint8))


def render_held_out(drawings, index):
    return render(drawings[index], index, HELD_OUT_VARIANT, HELD_OUT_SIDES[index % len(HELD_OUT_SIDES)])
