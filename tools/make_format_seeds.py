#!/usr/bin/env python3
"""Fill tests/fuzz/corpus/ for the weight-file readers from the golden files of tests/formats/data/.

    make_format_seeds.py IMPORT_PROGRAM      e.g. build/debug/libexec/cistern/cistern-import

The import program is asked for the answers and stored indexes; all else is cut out of the golden files.
"""
import fcntl
import json
import os
import pickletools
import re
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
DATA = TOP / "tests/formats/data"
CORPUS = TOP / "tests/fuzz/corpus"


def put(target, name, data):
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def answer_of(program, file):
    ours, theirs = socket.socketpair()
    with open(file, "rb") as handle:
        def place():  # the numbers that the program expects
            low, high = os.dup(theirs.fileno()), os.dup(handle.fileno())
            nothing = os.open("/dev/null", os.O_RDONLY)  # no place for decoded tensors
            low, high, nothing = (fcntl.fcntl(fd, fcntl.F_DUPFD, 16) for fd in (low, high, nothing))
            os.dup2(low, 3)
            os.dup2(nothing, 4)
            os.dup2(high, 5)
        child = subprocess.Popen([program, "w"], preexec_fn=place, close_fds=False)
    theirs.close()
    answer = b""
    while piece := ours.recv(65536):
        answer += piece
    child.wait()
    return answer


def make_configuration_seeds():
    """Configurations of Keras models, each layer's once with the numbers of the weights that fuzz_formats_keras has."""
    for path in (DATA / "keras/keras3.keras", DATA / "keras/keras3_nested.keras", DATA / "keras/tf213.keras",
                 DATA.parent / "input/keras_first.keras", DATA.parent / "input/keras_preprocess.keras",
                 DATA.parent / "input/keras_learnt.keras", DATA.parent / "input/keras_trunk.keras",
                 DATA.parent / "input/refused_lambda.keras"):
        with zipfile.ZipFile(path) as archive:
            text = archive.read("config.json")
        document = json.loads(text)
        norms = b"BatchNormalization" in text
        drop(document, re.compile("(build|compile)_config$|registered_name$|.*(initializer|regularizer|constraint)$|dtype$"))
        put("formats_keras", path.stem, bytes([norms]) + json.dumps(document, separators=(",", ":")).encode())


def drop(document, key):
    """Members of such names, wherever they are: the reader does not look at them."""
    if isinstance(document, dict):
        for name in [n for n in document if key.match(n)]:
            del document[name]
        for value in document.values():
            drop(value, key)
    elif isinstance(document, list):
        for value in document:
            drop(value, key)


def make_program_seeds():
    """One of each kind, as fuzz_ingest_program takes them: which names, the second file's length, the files."""
    def one(name, path):
        put("ingest_program", name, b"\0" + path.read_bytes())

    def two(name, kind, first, second):
        put("ingest_program", name, bytes([kind]) + len(second).to_bytes(2, "little") + first + second)

    for name in ("zip_views.pth", "legacy_parallel.pth", "deflated.pth", "plain.safetensors"):
        one(name, DATA / name)
    for name in ("chunks.h5", "keras1.h5", "numbered.keras"):
        one(name, CORPUS / "formats_hdf5" / name)
    for name in ("mxnet", "keras_bn"):
        one(name + ".onnx", CORPUS / "formats_onnx" / name)
    graph = (CORPUS / "formats_tensorflow/tf_slim.graph").read_bytes()
    put("ingest_program", "tf_slim.graph", b"\0" + graph[1:])
    two("external.onnx", 1, (CORPUS / "formats_onnx/external_model").read_bytes(), bytes(256))
    for name in ("tf_slim", "tf_keras2_bn", "tf_saved"):
        two(name + ".index", 2, (CORPUS / f"formats_tensorflow/{name}.index").read_bytes()[1:], b"")
    shard = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    two("list.json", 3, b'{"weight_map":{"a":"a.safetensors"}}', len(shard).to_bytes(8, "little") + shard + b"\0")


def main(program):
    for path in sorted(DATA.iterdir()):
        if path.name == "deflated.pth":  # goes to the target that takes what is decoded
            put("formats_hdf5", path.name, path.read_bytes())
        if path.suffix == ".pth" and path.stat().st_size < 3500:
            put("formats_pth", path.name, path.read_bytes())
        if path.name.startswith(("zip_", "v3_")):
            with zipfile.ZipFile(path) as archive:
                name = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
                put("formats_pickle", path.stem + ".pkl", archive.read(name))
        if path.name.startswith("py2_"):
            data, at = path.read_bytes(), 0
            for number in range(5):
                at_next = at + max(at_op for _, _, at_op in pickletools.genops(data[at:])) + 1
                put("formats_pickle", f"{path.stem}-{number}.pkl", data[at:at_next])
                at = at_next
        if path.suffix == ".safetensors":
            data = path.read_bytes()
            length = int.from_bytes(data[:8], "little")
            header = json.dumps(json.loads(data[8:8 + length]), separators=(",", ":"), ensure_ascii=False).encode()
            put("formats_safetensors", path.stem, header + (len(data) - 8 - length).to_bytes(2, "little"))
            put("formats_pth", path.name, data)
    put("formats_safetensors", "escapes", (
        '{"a\\u00e9\\ud83d\\ude00\u00e9\u20ac\U0001f600":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        '"__metadata__":{"x":"\\n\\"\\\\\\/\\b\\f\\r\\t"}}').encode() + b"\1\0")
    packed = re.search(r"packed\[\] = \{(.*?)\};", (DATA.parent / "test_formats_snappy.c").read_text(), re.S)[1]
    put("formats_snappy", "library", bytes(int(b, 16) for b in re.findall("0x([0-9a-f]{2})", packed)))
    put("formats_snappy", "forms", b"\x14" b"\x0cabcd" b"\x01\x04" b"\x06\x04\0" b"\x0b\x04\0\0\0" b"\xf0\x03efgh" b"\x05\x01")
    make_configuration_seeds()
    make_program_seeds()
    for name in ("zip_views.pth", "zip_dtypes.pth", "legacy_parallel.pth", "plain.safetensors", "module.pth", "keras_first.keras"):
        answer = answer_of(program, DATA.parent / "input" / name if name.endswith(".keras") else DATA / name)
        put("ingest_answer", name + ".answer", answer)
        if answer[8] == 1:
            put("model_index", name + ".index", answer[24:])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
