"""Wheels: what is in them, and that one with the library needs nothing else of cistern."""
import base64
import csv
import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest
from conftest import FILE, TOP, sample
import cli_support

MAKE = TOP / "python/make_wheel"
BUILD = pathlib.Path(cli_support.BIN).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if not shutil.which("cmake"):
        pytest.skip("no cmake")
    out = tmp_path_factory.mktemp("wheels")
    done = subprocess.run([sys.executable, str(MAKE), str(BUILD), str(out)], check=True, stdout=subprocess.PIPE, text=True)
    return pathlib.Path(done.stdout.splitlines()[-1])


def unpack(wheel, directory):
    """As pip does: files, and the mark of what may be executed."""
    with zipfile.ZipFile(wheel) as z:
        for info in z.infolist():
            path = pathlib.Path(z.extract(info, directory))
            path.chmod(0o755 if info.external_attr >> 16 & 0o111 else 0o644)


def test_every_file_is_in_the_record_with_its_digest(wheel):
    with zipfile.ZipFile(wheel) as z:
        [record] = [n for n in z.namelist() if n.endswith(".dist-info/RECORD")]
        rows = {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(z.read(record).decode()))}
        assert set(rows) == set(z.namelist())
        for name, (digest, size) in rows.items():
            data = z.read(name)
            if name != record:
                hashed = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                assert (digest, size) == ("sha256=" + hashed, str(len(data)))
        assert "cistern/py.typed" in rows
        modules = {"cistern/" + p.name for p in (TOP / "python/cistern").glob("*.py")}
        assert modules <= set(rows)


def test_the_tag_names_the_platform_only_with_the_library(wheel, tmp_path):
    assert wheel.name.startswith("cistern-0.1.0-py3-none-linux_")
    pure = subprocess.run([sys.executable, str(MAKE), "--pure", str(BUILD), str(tmp_path)], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.split()[-1]
    assert os.path.basename(pure) == "cistern-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(pure) as z:
        assert not [n for n in z.namelist() if "_native" in n]
        assert "Root-Is-Purelib: true" in z.read("cistern-0.1.0.dist-info/WHEEL").decode()


def test_equal_sources_make_equal_wheels(wheel, tmp_path):
    again = subprocess.run([sys.executable, str(MAKE), str(BUILD), str(tmp_path)], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.split()[-1]
    assert pathlib.Path(again).read_bytes() == wheel.read_bytes()


def test_the_library_in_the_wheel_is_found_and_imports(wheel, place):
    unpack(wheel, place.dir / "site")
    place.env["PYTHONPATH"] = str(place.dir / "site")
    del place.env["CISTERN_LIBRARY"]
    code, out, notes = place.run("import cistern, sys\ncistern.add(sys.argv[1], as_='digits')\n"
                                 "print(cistern.open('digits').classify(sys.argv[2])[0].label)\n"
                                 "print(cistern._library.library()._name)", FILE, sample("eight"))
    assert code == 0, notes
    label, library = out.split()
    assert label == "eight" and library.startswith(str(place.dir / "site"))


def test_pip_installs_it(wheel, place):
    if subprocess.run([sys.executable, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no pip")
    target = place.dir / "target"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(target), str(wheel)],
                   check=True)
    assert os.access(target / "cistern/_native/libexec/cistern/cistern-import", os.X_OK)
    assert os.access(target / "cistern/__init__.py", os.R_OK)


def test_the_source_distribution_builds_the_same_wheel(tmp_path):
    code = ("import sys, tarfile; sys.path.insert(0, sys.argv[1]); import build_backend as b; "
            "name = b.build_sdist(sys.argv[2]); t = tarfile.open(sys.argv[2] + '/' + name); t.extractall(sys.argv[2]); "
            "print(b.build_wheel(sys.argv[2]))")
    subprocess.run([sys.executable, "-c", code, str(TOP / "python"), str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    first = (tmp_path / "cistern-0.1.0-py3-none-any.whl").read_bytes()
    code = "import sys; sys.path.insert(0, sys.argv[1]); import build_backend as b; b.build_wheel(sys.argv[2])"
    os.mkdir(tmp_path / "again")
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "cistern-0.1.0"), str(tmp_path / "again")], check=True)
    assert (tmp_path / "again/cistern-0.1.0-py3-none-any.whl").read_bytes() == first
