#!/usr/bin/env python3
"""Fill tests/fuzz/corpus/ for the weight-file readers from the golden files of tests/formats/data/.

    make_format_seeds.py IMPORT_PROGRAM      e.g. build/debug/libexec/cistern/cistern-import

The import program is asked for the answers and stored indexes; all else is cut out of the golden files.
"""
import fcntl
import json
import os
import pickletools
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
    make_program_seeds()
    for name in ("zip_views.pth", "zip_dtypes.pth", "legacy_parallel.pth", "plain.safetensors", "module.pth"):
        answer = answer_of(program, DATA / name)
        put("ingest_answer", name + ".answer", answer)
        if answer[8] == 1:
            put("model_index", name + ".index", answer[24:])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
