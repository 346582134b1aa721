#!/usr/bin/env python3
"""What people have instead of weights: said what it is and what to do, by add, pull and import alike; nothing is left."""
import gzip
import io
import shutil
import tarfile
import unittest
import zipfile

import cli_support
from cli_support import TOP

DATA = TOP / "tests/formats/data"


def tar(names, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name in names:
            archive.add(DATA / "zip_plain.pth", name)
    return out.getvalue()


def zipped(name, path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, name)
    return out.getvalue()


def quantised():
    """ONNX: a graph whose only node is DequantizeLinear."""
    node = b"\x22\x10DequantizeLinear"
    graph = b"\x0a" + bytes([len(node)]) + node
    return b"\x08\x08\x3a" + bytes([len(graph)]) + graph


CASES = {
    "empty.pb": (b"", "the file is empty"),
    "page.h5": (b"<!DOCTYPE html><html><body>404</body></html>", "an HTML page, not a weight file"),
    "error.pth": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
    "answer.keras": (b'{"error": "gated"}', "a JSON document, not a weight file"),
    "notes.onnx": (b"nothing but words\n", "a text, not a weight file"),
    "pointer.safetensors": (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 553433881\n",
                            "a Git LFS pointer, not the file itself: fetch the file with 'git lfs pull'"),
    "one.pth": (gzip.compress((DATA / "zip_plain.pth").read_bytes()), "compressed with gzip: unpack it first"),
    "many.tar.gz": (tar(["vgg16.pth"], "w:gz"), "with tar -x"),
    "many.tar": (tar(["vgg16.pth"]), "a tar archive: unpack it first, with tar -x"),
    "old.pth": (tar(["sys_info", "pickle", "storages"]), "that tar format is not supported"),
    "model.zip": (zipped("vgg.h5", DATA / "keras/keras3_model.h5"), "it holds 'vgg.h5': unpack it first"),
    "script.pt": ((DATA / "torchscript.pt").read_bytes(), "a TorchScript file (it holds code, which is never run)"),
    "int8.onnx": (quantised(), "a quantised ONNX model (operator DequantizeLinear)"),
    "picture.h5": (b"\x89PNG\r\n\x1a\n" + bytes(20), "a PNG image, not a weight file"),
    "program.pth": (b"\x7fELF" + bytes(60), "a program, not a weight file"),
}


class Text(cli_support.Case):
    def test_each_is_told_by_every_way_in(self):
        for name, (data, says) in CASES.items():
            (self.dir / name).write_bytes(data)
            self.fails(66, "add", f"./{name}", "--as", "x", says=[name, says])
            self.fails(66, "pull", f"file:{self.dir / name}", "--as", "x", says=[name, says])
            self.fails(66, "classify", f"./{name}", self.sample(), says=[name, says])
            versions = self.dir / "versions"
            versions.mkdir()
            shutil.copy(self.dir / name, versions)
            (versions / "metadata.json").write_text('{"1": "%s"}' % name)
            self.fails(66, "import", versions, "--as", "x", says=[name, says])
            shutil.rmtree(versions)

    def test_a_server_that_answers_so_is_told_too(self):
        server = self.origin()
        for name, (data, says) in CASES.items():
            (self.root / name).write_bytes(data)
            self.fails(66, "pull", server.url + name, "--as", "x", parts=(), says=[says])


if __name__ == "__main__":
    unittest.main()
