#!/usr/bin/python3
"""Make tests/image/data: small images of every kind that matters, and goldens.txt with what Pillow and torchvision
make of them. Deterministic; run it from anywhere, then look at `git diff`.

Needs Debian 12's python3-pil (9.4), python3-torchvision (0.14.1), python3-numpy and, for the kinds of JPEG that Pillow
cannot write, cjpeg (libjpeg-turbo-progs 2.1.5). The versions used are written into versions.txt.

The lines of goldens.txt, fields separated by one blank:
    decode FILE WIDTH HEIGHT SHA256          of Image.open(FILE).convert("RGB").tobytes()
    refuse FILE WORDS...                     FILE must be refused with a message that begins with WORDS
    resize FILE WIDTH HEIGHT FILTER SHA256   of Image.resize((WIDTH, HEIGHT), FILTER).tobytes()
    prepare FILE SHORT HEIGHT WIDTH FILTER MEAN*3 STD*3 SHA256
                                             of Compose([Resize(SHORT, FILTER), CenterCrop((HEIGHT, WIDTH)), ToTensor(),
                                             Normalize(MEAN, STD)]) as little-endian f32; SHORT 0: no Resize
FILTER is nearest, bilinear, bicubic, lanczos, box or hamming.
"""
import hashlib
import io
import os
import platform
import struct
import subprocess
import tempfile
import zlib

import numpy
import PIL
import torch
import torchvision
from PIL import Image, features
from torchvision import transforms
from torchvision.transforms import InterpolationMode

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "image", "data")
FILTERS = {"nearest": (Image.NEAREST, InterpolationMode.NEAREST), "bilinear": (Image.BILINEAR, InterpolationMode.BILINEAR),
           "bicubic": (Image.BICUBIC, InterpolationMode.BICUBIC), "lanczos": (Image.LANCZOS, InterpolationMode.LANCZOS),
           "box": (Image.BOX, InterpolationMode.BOX), "hamming": (Image.HAMMING, InterpolationMode.HAMMING)}
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Adam7: first column, first row, column step, row step of each pass.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
random = numpy.random.default_rng(20230204)
lines = []


def picture(width, height):
    """Smooth colour, edges and noise: every part of a codec and of a filter has something to do."""
    y, x = numpy.mgrid[0:height, 0:width]
    smooth = numpy.stack([127 + 120 * numpy.sin(x / 9 + y / 13), 127 + 120 * numpy.cos(x / 7 - y / 5),
                          (3 * x + 5 * y) % 256], axis=-1)
    smooth[(x // 11 + y // 17) % 5 == 0] = (250, 20, 60)
    noisy = smooth + random.normal(0, 6, smooth.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(numpy.uint8))


def put(name, data):
    with open(os.path.join(OUT, name), "wb") as file:
        file.write(data)


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def cjpeg(image, *options):
    ppm = b"P6\n%d %d\n255\n" % image.size + image.tobytes()
    return subprocess.run(["cjpeg", *options], input=ppm, stdout=subprocess.PIPE, check=True).stdout


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, rows, interlace=0, extra=b""):
    """A PNG by hand, for what Pillow cannot write. `rows` are scan lines without filter bytes."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def interlaced(image):
    pixels = numpy.asarray(image)
    rows = []
    for x, y, across, down in PASSES:
        part = pixels[y::down, x::across]
        if part.size:
            rows += [numpy.ascontiguousarray(row).tobytes() for row in part]
    return png(*image.size, 8, 2 if image.mode == "RGB" else 0, rows, interlace=1)


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


def decode(name, data):
    put(name, data)
    image = Image.open(io.BytesIO(data)).convert("RGB")
    lines.append(f"decode {name} {image.width} {image.height} {hashlib.sha256(image.tobytes()).hexdigest()}")


def refuse(name, data, words):
    put(name, data)
    lines.append(f"refuse {name} {words}")


def opened(name):
    return Image.open(os.path.join(OUT, name)).convert("RGB")


def resize(name, width, height, kind):
    image = opened(name).resize((width, height), FILTERS[kind][0])
    lines.append(f"resize {name} {width} {height} {kind} {hashlib.sha256(image.tobytes()).hexdigest()}")


def prepare(name, short, height, width, kind, mean, std):
    steps = [transforms.Resize(short, interpolation=FILTERS[kind][1])] if short else []
    steps += [transforms.CenterCrop((height, width)), transforms.ToTensor(), transforms.Normalize(mean, std)]
    tensor = transforms.Compose(steps)(opened(name)).contiguous()
    assert tensor.shape == (3, height, width) and tensor.dtype == torch.float32
    digest = hashlib.sha256(tensor.numpy().astype("<f4").tobytes()).hexdigest()
    numbers = " ".join(str(x) for x in (*mean, *std))
    lines.append(f"prepare {name} {short} {height} {width} {kind} {numbers} {digest}")


def decoded_files():
    photo = picture(160, 120)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        decode(f"photo-{name}.jpg", saved(photo, "JPEG", quality=80, subsampling=subsampling))
    decode("photo-progressive.jpg", saved(photo, "JPEG", quality=70, progressive=True))
    decode("photo-quality-5.jpg", saved(photo, "JPEG", quality=5))
    decode("photo-quality-100.jpg", saved(photo.crop((0, 0, 40, 30)), "JPEG", quality=100))
    decode("photo-rotated-by-exif.jpg", saved(photo.crop((0, 0, 60, 40)), "JPEG", exif=orientation(6)))
    decode("photo-and-trailing-bytes.jpg", saved(photo.crop((0, 0, 60, 40)), "JPEG") + b"trailing bytes")
    decode("odd-17x3.jpg", saved(picture(17, 3), "JPEG"))
    decode("odd-1x1.jpg", saved(picture(1, 1), "JPEG"))
    decode("odd-33x65-progressive.jpg", saved(picture(33, 65), "JPEG", progressive=True))
    decode("grey.jpg", saved(photo.convert("L"), "JPEG", quality=80))
    decode("grey-progressive.jpg", saved(picture(50, 31).convert("L"), "JPEG", progressive=True))
    small = picture(61, 47)
    decode("restart-each-row.jpg", cjpeg(small, "-sample", "2x2", "-restart", "1"))
    decode("restart-each-block-progressive.jpg", cjpeg(small, "-restart", "1B", "-progressive"))
    with tempfile.NamedTemporaryFile("w", suffix=".scans") as script:  # whole coefficients in each scan
        script.write("0: 0-0, 0, 0;\n0: 1-63, 0, 0;\n")
        script.flush()
        decode("grey-two-scans.jpg", cjpeg(small, "-grayscale", "-scans", script.name))
    decode("sampling-411.jpg", cjpeg(small, "-sample", "4x1"))
    decode("sampling-440.jpg", cjpeg(small, "-sample", "1x2"))
    decode("rgb-inside.jpg", cjpeg(small, "-rgb"))
    decode("arithmetic.jpg", cjpeg(small, "-arithmetic"))
    decode("photo.png", saved(photo.crop((3, 5, 100, 70)), "PNG", optimize=True))
    decode("grey.png", saved(photo.convert("L").crop((0, 0, 64, 48)), "PNG"))
    decode("odd-1x1.png", saved(picture(1, 1), "PNG"))
    decode("interlaced.png", interlaced(picture(37, 29)))
    decode("interlaced-grey-3x5.png", interlaced(picture(3, 5).convert("L")))
    decode("with-profile-and-text.png", saved(picture(20, 20), "PNG", icc_profile=b"not a profile" * 20, dpi=(72, 72)))
    rows = [picture(9, 1).tobytes() for _ in range(4)]
    decode("transparent-colour.png", png(9, 4, 8, 2, rows, extra=chunk(b"tRNS", b"\0\7\0\7\0\7")))
    decode("gamma.png", png(9, 4, 8, 2, rows, extra=chunk(b"gAMA", struct.pack(">I", 100000))))


def refused_files():
    image = picture(20, 15)
    refuse("animation.gif", saved(image, "GIF"), "a GIF; ")
    refuse("picture.bmp", saved(image, "BMP"), "a BMP; ")
    refuse("picture.tiff", saved(image, "TIFF"), "a TIFF; ")
    refuse("picture.ppm", saved(image, "PPM"), "a PNM (PBM, PGM or PPM); ")
    refuse("picture.ico", saved(image, "ICO"), "a Windows icon; ")
    refuse("picture.jp2", saved(image, "JPEG2000"), "a JPEG 2000; ")
    pdf = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    refuse("document.pdf", pdf, "a PDF document; ")
    refuse("page-named.jpg", b"\n<!DOCTYPE HTML>\n<html><title>404</title></html>\n", "an HTML page (")
    refuse("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>\n", "an SVG, ")
    refuse("text.txt", "just some text, \u00fcber\n".encode(), "a text file, ")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1234\n"
    refuse("pointer-named.jpg", pointer, "a Git LFS pointer (")
    refuse("empty.png", b"", "an empty file; ")
    refuse("noise.bin", bytes([3, 0, 255, 7]) * 4, "not an image of a known kind (16 bytes, beginning with 03 00 ff 07); ")


def packed(values, depth):
    """A row of `depth`-bit values as bytes, the first in the highest bits."""
    bits = "".join(format(int(v), f"0{depth}b") for v in values)
    return int(bits.ljust(-len(bits) // 8 * -8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def small_png(name, width, height, depth, colour, samples, extra=b"", adam7=False):
    """Random samples of any PNG kind, in order or interlaced."""
    values = random.integers(0, 1 << depth, (height, width, samples))
    parts = [values[y::down, x::across] for x, y, across, down in PASSES] if adam7 else [values]
    rows = [packed(row.reshape(-1), depth) for part in parts if part.size for row in part]
    decode(name, png(width, height, depth, colour, rows, interlace=int(adam7), extra=extra))


def palette_of(count):
    return chunk(b"PLTE", random.integers(0, 256, 3 * count, dtype=numpy.uint8).tobytes())


def converted_pngs():
    image = picture(20, 15)
    decode("palette.png", saved(image.quantize(16), "PNG"))
    decode("alpha.png", saved(image.convert("RGBA"), "PNG"))
    decode("grey-alpha.png", saved(image.convert("LA"), "PNG"))
    decode("grey-16.png", saved(Image.fromarray(numpy.arange(300, dtype=numpy.uint16).reshape(15, 20)), "PNG"))
    decode("rgb-16.png", png(2, 2, 16, 2, [bytes(range(12))] * 2))
    decode("grey-1.png", saved(image.convert("1"), "PNG"))
    decode("grey-4.png", png(4, 2, 4, 0, [b"\x12\x34"] * 2))
    holes = numpy.dstack([numpy.asarray(image), numpy.arange(300, dtype=numpy.uint16).reshape(15, 20) % 256]).astype(numpy.uint8)
    decode("colour-beneath-alpha.png", saved(Image.fromarray(holes, "RGBA"), "PNG"))
    for adam7 in (False, True):
        order = "-interlaced" if adam7 else ""
        for depth in (1, 2, 4, 8, 16):
            small_png(f"kind-grey-{depth}{order}.png", 13, 11, depth, 0, 1, adam7=adam7)
        for depth in (1, 2, 4, 8):
            small_png(f"kind-palette-{depth}{order}.png", 13, 11, depth, 3, 1, palette_of(1 << depth), adam7)
        for depth in (8, 16):
            small_png(f"kind-rgb-{depth}{order}.png", 13, 11, depth, 2, 3, adam7=adam7)
            small_png(f"kind-grey-alpha-{depth}{order}.png", 13, 11, depth, 4, 2, adam7=adam7)
            small_png(f"kind-rgb-alpha-{depth}{order}.png", 13, 11, depth, 6, 4, adam7=adam7)
    clear = chunk(b"tRNS", b"\0\x80\xff\0")
    small_png("palette-transparent.png", 9, 7, 8, 3, 1, palette_of(256) + clear)
    small_png("palette-short.png", 9, 7, 4, 3, 1, palette_of(5))  # indexes without a colour
    small_png("grey-1-transparent.png", 9, 7, 1, 0, 1, chunk(b"tRNS", b"\0\1"))
    small_png("grey-16-transparent.png", 9, 7, 16, 0, 1, chunk(b"tRNS", b"\0\1"))


def adobe(data, transform):
    """The JPEG with another colour transform in its Adobe marker: 0 none, 2 YCCK; None: without that marker."""
    at = data.index(b"\xff\xee\0\x0eAdobe")
    return data[:at] + (b"" if transform is None else data[at:at + 15] + bytes([transform])) + data[at + 16:]


def converted_jpegs():
    inks = Image.merge("CMYK", [*picture(40, 30).split(), picture(40, 30).convert("L")])
    plain = saved(inks, "JPEG", quality=90)
    decode("cmyk.jpg", plain)
    decode("cmyk-no-adobe.jpg", adobe(plain, None))
    decode("ycck.jpg", adobe(plain, 2))
    decode("cmyk-progressive.jpg", saved(inks, "JPEG", quality=60, progressive=True))
    decode("cmyk-1x1.jpg", saved(inks.crop((7, 7, 8, 8)), "JPEG"))


def riff(*chunks):
    body = b"WEBP" + b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def u24(value):
    return struct.pack("<I", value)[:3]


def animated(width, height, left, top, image, flags=0):
    """An animation of one frame that does not fill its canvas; left and top are even."""
    part = saved(image, "WEBP", lossless=True)
    frame = u24(left // 2) + u24(top // 2) + u24(image.width - 1) + u24(image.height - 1) + u24(100) + bytes([flags]) + part[12:]
    size = bytes([0x12, 0, 0, 0]) + u24(width - 1) + u24(height - 1)  # animation, alpha
    return riff((b"VP8X", size), (b"ANIM", b"\x40\x80\xc0\xff\0\0"), (b"ANMF", frame))


def converted_webps():
    image = picture(61, 47)
    holes = image.copy()
    holes.putalpha(picture(61, 47).convert("L").point(lambda v: 0 if v < 80 else v))
    decode("picture.webp", saved(image.crop((0, 0, 20, 15)), "WEBP"))
    decode("lossy.webp", saved(image, "WEBP", quality=60))
    decode("lossy-quality-5.webp", saved(image, "WEBP", quality=5))
    decode("lossless.webp", saved(image, "WEBP", lossless=True))
    decode("lossy-alpha.webp", saved(holes, "WEBP", quality=60))
    decode("lossless-alpha.webp", saved(holes, "WEBP", lossless=True, exact=True))
    decode("odd-1x1.webp", saved(picture(1, 1), "WEBP"))
    decode("odd-17x3.webp", saved(picture(17, 3), "WEBP"))
    decode("grey.webp", saved(image.convert("L"), "WEBP", quality=80))
    decode("rotated-by-exif.webp", saved(image.crop((0, 0, 30, 20)), "WEBP", exif=orientation(6), icc_profile=b"not a profile"))
    two = [image.crop((0, 0, 30, 20)), picture(30, 20)]
    decode("animation.webp", saved(two[0], "WEBP", save_all=True, append_images=two[1:], lossless=True))
    for flags, name in ((0, "blended"), (2, "unblended"), (1, "disposed")):
        decode(f"animation-part-{name}.webp", animated(40, 31, 6, 4, holes.crop((0, 0, 21, 13)), flags))


def resized_files():
    names = ("photo.png", "photo-420.jpg", "odd-17x3.jpg", "grey.png")
    sizes = ((224, 224), (32, 32), (33, 97), (1, 1), (1, 200), (200, 1), (97, 65), (97, 20), (20, 65), (300, 65), (97, 301),
             (96, 64), (98, 66), (512, 7), (7, 512))
    for name in names:
        for width, height in sizes:
            resize(name, width, height, "bilinear")
    for kind in ("nearest", "bicubic", "lanczos", "box", "hamming"):
        for width, height in sizes:
            resize("photo.png", width, height, kind)
        resize("odd-17x3.jpg", 64, 48, kind)
        resize("photo-420.jpg", 51, 37, kind)
    resize("odd-1x1.png", 40, 30, "bilinear")
    resize("interlaced-grey-3x5.png", 2, 100, "bilinear")


def prepared_files():
    every = ("photo-420.jpg", "photo.png", "odd-17x3.jpg", "odd-1x1.jpg", "odd-33x65-progressive.jpg", "grey.jpg",
             "interlaced.png", "interlaced-grey-3x5.png", "restart-each-row.jpg")
    for name in every:
        prepare(name, 256, 224, 224, "bilinear", *IMAGENET)
        prepare(name, 32, 32, 32, "bilinear", *HALVES)
    # An odd difference of sides, both ways of rounding a half; padding on one side, on both, by odd amounts.
    for short, height, width in ((0, 61, 90), (0, 60, 91), (0, 59, 92), (0, 58, 93), (0, 70, 50), (0, 40, 101), (0, 200, 203),
                                 (40, 64, 30), (73, 97, 131), (33, 33, 33), (65, 65, 65), (17, 30, 21)):
        prepare("photo.png", short, height, width, "bilinear", *IMAGENET)
    prepare("photo-420.jpg", 64, 56, 56, "bicubic", *IMAGENET)
    prepare("photo-420.jpg", 64, 56, 56, "nearest", *IMAGENET)
    prepare("photo-420.jpg", 64, 56, 56, "lanczos", (0, 0, 0), (1, 1, 1))
    prepare("photo-420.jpg", 256, 224, 224, "bilinear", (0.48235, 0.45882, 0.40784), (1 / 255, 1 / 255, 1 / 255))


def main():
    os.makedirs(OUT, exist_ok=True)
    decoded_files()
    refused_files()
    resized_files()
    prepared_files()
    converted_pngs()
    converted_jpegs()
    converted_webps()
    put("goldens.txt", "".join(line + "\n" for line in lines).encode())
    cjpeg_version = subprocess.run(["cjpeg", "-version"], capture_output=True, text=True, check=True).stderr.split("\n")[0]
    put("versions.txt", (f"Made by tools/make_image_goldens.py with Python {platform.python_version()}, Pillow {PIL.__version__} "
                         f"(libjpeg {features.version('jpg')}, libjpeg-turbo: {features.check_feature('libjpeg_turbo')}, "
                         f"zlib {features.version('zlib')}, libwebp {features.version('webp')}), torchvision {torchvision.__version__}, PyTorch "
                         f"{torch.__version__}, NumPy {numpy.__version__}, {cjpeg_version}.\n"
                         "Tolerance: none. Pixels and tensors are compared by their SHA-256.\n"
                         "The pictures are computed by that script; they are under this project's licence.\n").encode())


if __name__ == "__main__":
    main()
