"""What the tests share: the package of this tree, a store of its own for each, a local origin that counts and fails as told."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "python"), str(TOP / "tests/cli")]

import cli_support  # noqa: E402

MODEL = cli_support.MODEL
FILE = MODEL / "digits-vgg11_bn.pth"


class Place:
    """Directories, an origin over one of them, a store in another."""

    def __init__(self, directory):
        self.dir = directory
        self.root = directory / "origin"
        self.root.mkdir()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
                    "PYTHONPATH": str(TOP / "python"), "CISTERN_LIBRARY": os.environ.get("CISTERN_LIBRARY", ""),
                    "XDG_STATE_HOME": str(directory / "state"), "XDG_CONFIG_HOME": str(directory / "config"),
                    "CISTERN_STORE": str(directory / "store")}
        self.server = None

    def serve(self):
        self.server = cli_support.Origin(self.root)
        return self.server

    def publish(self, version="", name="digits.pth"):
        shutil.copy(MODEL / version / FILE.name, self.root / name)
        shutil.copy(MODEL / version / "config.json", self.root / "config.json")
        return (self.server or self.serve()).url + name

    def store(self, **options):
        import cistern
        return cistern.Store(self.dir / "store", load=False, state=self.dir / "state", tries=2, **options)

    def blob(self, version):
        return self.dir / "store/blobs/sha256" / version.digest[:2] / version.digest

    def program(self, *arguments):
        done = subprocess.run([cli_support.BIN, *map(str, arguments)], env=self.env, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def python(self, text, *arguments, **options):
        """A process of its own, in this place's environment."""
        return subprocess.Popen([sys.executable, "-c", text, *map(str, arguments)], env=self.env, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **options)

    def run(self, text, *arguments):
        process = self.python(text, *arguments)
        out, notes = process.communicate(timeout=cli_support.PATIENCE)
        return process.returncode, out, notes


@pytest.fixture
def place(tmp_path):
    here = Place(tmp_path)
    yield here
    if here.server:
        here.server.stop()
    for path in tmp_path.rglob("*"):  # the store's are read only
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)


@pytest.fixture
def digits(place):
    """A store with the bundled model."""
    store = place.store()
    store.version = store.add(FILE, as_="digits")
    return store


def sample(name):
    return str(MODEL / "samples" / (name + ".png"))
