#!/usr/bin/env python3
"""Make tests/image/data/presets-keras.txt and presets-timm.txt: what the genuine libraries make of pictures before a VGG
sees them. Deterministic; run after make_image_goldens.py, whose pictures it reads.

    make_preset_goldens.py keras    in an environment with tensorflow (2.21, which brings Keras 3.15) and Pillow
    make_preset_goldens.py timm     in one with timm (0.9.16), PyTorch, torchvision

Lines: preset NAME PICTURE SHA256    of the tensor (3, 224, 224) as little-endian f32, planes in the network's order.
PICTURE is a file beside it, or WIDTHxHEIGHT of a computed one: red, green, blue of pixel (x, y) are the low 8 bits of
7 x + 13 y + 31 c + (x y mod 251), for c = 0, 1, 2.

keras...  keras.utils.load_img(target_size=(224, 224)) with each interpolation, img_to_array, vgg16.preprocess_input.
tf-slim   the operations of tensorflow/models, research/slim/preprocessing/vgg_preprocessing.py, preprocess_for_eval with
          a resize side of 256, in its order, by TensorFlow's own kernels.
timm      timm.data.create_transform with the pretrained_cfg of its VGGs.
caffe     torchvision's resize and crop; the authors' colour order and means.
"""
import hashlib
import io
import os
import platform
import sys

import numpy
import PIL
from PIL import Image

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "image", "data")
FILES = ("photo-420.jpg", "photo.png", "odd-17x3.jpg", "odd-1x1.jpg", "odd-33x65-progressive.jpg", "grey.jpg", "interlaced.png")
COMPUTED = ((601, 403), (403, 601), (1000, 257), (256, 256), (224, 224), (999, 999), (343, 300))


def computed(width, height):
    y, x, c = numpy.mgrid[0:height, 0:width, 0:3]
    return Image.fromarray(((7 * x + 13 * y + 31 * c + x * y % 251) % 256).astype(numpy.uint8))


def pictures():
    """Name, the bytes of a file."""
    for name in FILES:
        with open(os.path.join(DATA, name), "rb") as file:
            yield name, file.read()
    for width, height in COMPUTED:
        buffer = io.BytesIO()
        computed(width, height).save(buffer, "PNG", compress_level=1)
        yield f"{width}x{height}", buffer.getvalue()


def line(preset, name, tensor):
    """A line for a tensor of height, width, channel."""
    planes = numpy.ascontiguousarray(numpy.asarray(tensor).transpose(2, 0, 1))
    assert planes.shape == (3, 224, 224) and planes.dtype == numpy.float32
    return f"preset {preset} {name} {hashlib.sha256(planes.astype('<f4').tobytes()).hexdigest()}"


def slim(tf, data):
    image = tf.constant(numpy.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    height, width = (tf.cast(tf.shape(image)[i], tf.float32) for i in (0, 1))
    side = tf.cast(256, tf.float32)
    scale = side / width if height > width else side / height
    size = [tf.cast(tf.math.rint(height * scale), tf.int32), tf.cast(tf.math.rint(width * scale), tf.int32)]
    image = tf.compat.v1.image.resize_bilinear(image[None], size, align_corners=False)[0]
    top, left = (tf.cast((tf.shape(image)[i] - 224) / 2, tf.int32) for i in (0, 1))
    image = tf.cast(tf.slice(image, tf.stack([top, left, 0]), [224, 224, 3]), tf.float32)
    red, green, blue = tf.split(image, 3, axis=2)
    return tf.concat([red - 123.68, green - 116.78, blue - 103.94], axis=2).numpy()


def keras_lines():
    import keras
    import tensorflow as tf
    names = {"nearest": "keras"}
    lines = [f"# Keras {keras.__version__}, TensorFlow {tf.__version__}, Pillow {PIL.__version__}, NumPy {numpy.__version__}, "
             f"Python {platform.python_version()}. Tolerance: none."]
    for name, data in pictures():
        for kind in ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"):
            image = keras.utils.load_img(io.BytesIO(data), target_size=(224, 224), interpolation=kind)
            tensor = keras.applications.vgg16.preprocess_input(keras.utils.img_to_array(image)[None])[0]
            lines.append(line(names.get(kind, "keras-" + kind), name, tensor))
        lines.append(line("tf-slim", name, slim(tf, data)))
    return lines


def timm_lines():
    import timm.data
    import torchvision
    from torchvision import transforms
    from timm.models.vgg import default_cfgs
    cfg = default_cfgs["vgg16"].cfgs["tv_in1k"]
    how = timm.data.create_transform(input_size=cfg.input_size, interpolation=cfg.interpolation, mean=cfg.mean, std=cfg.std,
                                     crop_pct=cfg.crop_pct, crop_mode=cfg.crop_mode, is_training=False)
    lines = [f"# timm {timm.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}, "
             f"Python {platform.python_version()}. Tolerance: none."]
    for name, data in pictures():
        tensor = how(Image.open(io.BytesIO(data)).convert("RGB")).numpy().transpose(1, 2, 0)
        lines.append(line("timm", name, tensor))
        image = transforms.CenterCrop(224)(transforms.Resize(256)(Image.open(io.BytesIO(data)).convert("RGB")))
        blue_first = numpy.asarray(image).astype(numpy.float32)[..., ::-1]
        lines.append(line("caffe", name, blue_first - numpy.array([103.939, 116.779, 123.68], numpy.float32)))
    return lines


def main(what):
    lines = {"keras": keras_lines, "timm": timm_lines}[what]()
    with open(os.path.join(DATA, f"presets-{what}.txt"), "w", encoding="ascii") as file:
        file.write("".join(text + "\n" for text in lines))


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ("keras", "timm"):
        sys.exit(__doc__)
    main(sys.argv[1])
