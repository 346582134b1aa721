"""What the tests of the command line share: runs of the program, an origin, small weight files. Standard library only.

CISTERN_BIN is the program under test. Each test has its own home, store and working directory, and an environment without
anything of the user's.
"""
import array
import json
import math
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("CISTERN_BIN", str(TOP / "build/debug/bin/cistern"))
MODEL = TOP / "models/digits-vgg11_bn"
SERVER = TOP / "tests/support/origin_server.py"
SLOW = float(os.environ.get("CISTERN_TEST_SLOW", "1"))  # sanitizer builds: a multiple of all patience
PATIENCE = 120 * SLOW


class Origin:
    """A local web server that counts and fails as told: see tests/support/origin_server.py."""

    def __init__(self, root, *arguments, tls=False):
        self.process = subprocess.Popen([sys.executable, str(SERVER), "--root", str(root), *arguments],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])
        self.control = int(self.process.stdout.readline().split()[1])
        self.url = "%s://127.0.0.1:%d/" % ("https" if tls else "http", self.port)

    def call(self, path, body=None):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request("http://127.0.0.1:%d/%s" % (self.control, path), data=body)
        with opener.open(request, timeout=PATIENCE) as answer:
            return answer.read()

    def stats(self):
        return json.loads(self.call("__stats"))

    def reset(self):
        self.call("__reset", b"")

    def faults(self, **by_path):
        self.call("__faults", json.dumps({"*" if k == "every" else "/" + k: v for k, v in by_path.items()}).encode())

    def fault(self, path, **members):
        self.call("__faults", json.dumps({path: members}).encode())

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Case(unittest.TestCase):
    """One test: directories, the program, what is checked about each failure."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="cistern-cli-"))
        self.addCleanup(self.clean)
        self.store = self.dir / "store"
        self.root = self.dir / "origin"
        self.root.mkdir()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.dir / "home"), "TERM": "xterm", "LANG": "C.UTF-8",
                    "XDG_DATA_HOME": str(self.dir / "data"), "XDG_STATE_HOME": str(self.dir / "state"),
                    "XDG_CONFIG_HOME": str(self.dir / "config"), "CISTERN_STORE": str(self.store)}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def clean(self):
        for path in self.dir.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(self.dir, ignore_errors=True)

    def origin(self, *arguments, **options):
        server = Origin(self.root, *arguments, **options)
        self.addCleanup(server.stop)
        return server

    def publish(self, version="", name="digits.pth", config=True):
        """Put a version of the bundled model where the origin serves it."""
        shutil.copy(MODEL / version / "digits-vgg11_bn.pth", self.root / name)
        if config:
            shutil.copy(MODEL / version / "config.json", self.root / "config.json")

    def sample(self, name="three"):
        return str(MODEL / "samples" / (name + ".png"))

    def start(self, *arguments, **options):
        options.setdefault("env", self.env)
        options.setdefault("cwd", self.dir)
        return subprocess.Popen([BIN, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **options)

    def run_raw(self, *arguments, **options):
        options.setdefault("env", self.env)
        options.setdefault("cwd", self.dir)
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([BIN, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE, **options)

    def ok(self, *arguments, **options):
        """Run it; it must succeed. Its standard output."""
        result = self.run_raw(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.notes = result.stderr
        return result.stdout

    def json(self, *arguments, **options):
        return json.loads(self.ok(*arguments, "--json", **options))

    def add(self, *arguments, version="", name="digits"):
        return self.ok("add", MODEL / version / "digits-vgg11_bn.pth", "--as", name, *arguments).strip()

    def fails(self, code, *arguments, says=(), parts=("blobs", "chunks", "models"), **options):
        """Run it; it must fail with this code, one line on standard error and nothing on standard output, and leave the
        store without anything new in these parts of it, and without a temporary."""
        before = self.published(parts)
        result = self.run_raw(*arguments, **options)
        self.assertEqual(result.returncode, code, (arguments, result.stdout, result.stderr))
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"\Acistern: [^\n]+\n\Z")
        self.assertNotRegex(result.stderr, r"[\x00-\x09\x0b-\x1f]")
        for text in says:
            self.assertIn(text, result.stderr)
        self.assertEqual(self.published(parts), before)
        self.assertEqual(self.temporaries(), [])
        return result.stderr

    def published(self, parts=("blobs", "chunks", "models")):
        found = []
        for part in parts:
            found += [str(p.relative_to(self.store)) for p in (self.store / part).rglob("*") if p.is_file()]
        return sorted(found)

    def temporaries(self):
        return [str(p) for p in self.store.rglob(".tmp-*")]

    def partials(self):
        """Bytes on disk of unfinished fetches, by file."""
        return {p.name: p.stat().st_blocks * 512 for p in (self.store / "partial").rglob("*.data")}


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("in vain: " + what)
        time.sleep(0.01)


def safetensors(path, tensors):
    """tensors: {name: (shape, bytes)}, little-endian f32."""
    header, offset = {}, 0
    for name, (shape, data) in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, data in tensors.values():
            out.write(data)
    return path


def big_file(path, mib, seed=1):
    """A weight file that is no VGG, of about so many MiB, whose bytes do not compress."""
    return safetensors(path, {"weight": ((mib << 18,), random.Random(seed).randbytes(mib << 20))})


VGG11 = [(0, 3, 8), (3, 8, 16), (6, 16, 32), (8, 32, 32), (11, 32, 64), (13, 64, 64), (16, 64, 64), (18, 64, 64)]


def small_vgg11(path, classes=3, change=None):
    """A VGG-11 of width 1/8 with random weights, 16 hidden units."""
    source = random.Random(7)
    shapes = {}
    for index, inputs, outputs in VGG11:
        shapes["features.%d.weight" % index] = (outputs, inputs, 3, 3)
        shapes["features.%d.bias" % index] = (outputs,)
    for index, inputs, outputs in ((0, 64 * 49, 16), (3, 16, 16), (6, 16, classes)):
        shapes["classifier.%d.weight" % index] = (outputs, inputs)
        shapes["classifier.%d.bias" % index] = (outputs,)
    if change:
        change(shapes)
    tensors = {}
    for name, shape in shapes.items():
        count = 1
        for size in shape:
            count *= size
        tensors[name] = (shape, array.array("f", (source.gauss(0, 0.05) for _ in range(count))).tobytes())
    return safetensors(path, tensors)


def wide_vgg11(path):
    """A VGG-11 of full width, 37 MiB of convolutions: its packed weights take a while to write."""
    shapes = {}
    for index, inputs, outputs in VGG11:
        shapes["features.%d.weight" % index] = (8 * outputs, inputs if inputs == 3 else 8 * inputs, 3, 3)
        shapes["features.%d.bias" % index] = (8 * outputs,)
    for index, inputs, outputs in ((0, 512 * 49, 16), (3, 16, 16), (6, 16, 3)):
        shapes["classifier.%d.weight" % index] = (outputs, inputs)
        shapes["classifier.%d.bias" % index] = (outputs,)
    return safetensors(path, {name: (shape, array.array("f", [0.01]).tobytes() * math.prod(shape))
                              for name, shape in shapes.items()})


REFERENCE = re.compile(r"\A[a-z0-9._/-]+:[a-z0-9._-]+@sha256:[0-9a-f]{64}\n?\Z")


def main():
    """Run the script's tests; exit 77 if every one of them was skipped."""
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    if result.skipped and len(result.skipped) >= result.testsRun:
        sys.exit(77)
    sys.exit(not result.wasSuccessful())
