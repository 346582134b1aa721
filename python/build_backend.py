"""Makes wheels of this package, as PEP 517 asks for: files and their digests in a zip, so the standard library suffices.

A wheel is pure and finds the system's library, unless CISTERN_PREFIX (or the setting "prefix") names an installed cistern:
then library and import program go into it, and its tag says for which platform. ./make_wheel does both steps.
"""
import base64
import csv
import hashlib
import io
import os
import pathlib
import sysconfig
import tarfile
import zipfile

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
STEM = "%s-%s" % (PROJECT["name"], PROJECT["version"])
WHEN = (1980, 1, 1, 0, 0, 0)  # equal sources make equal wheels
SONAME = "libcistern.so.0"


def _metadata():
    lines = ["Metadata-Version: 2.1", "Name: " + PROJECT["name"], "Version: " + PROJECT["version"],
             "Summary: " + PROJECT["description"], "Requires-Python: " + PROJECT["requires-python"]]
    lines += ["Classifier: " + text for text in PROJECT["classifiers"]]
    for extra, needs in PROJECT["optional-dependencies"].items():
        lines.append("Provides-Extra: " + extra)
        lines += ['Requires-Dist: %s; extra == "%s"' % (need, extra) for need in needs]
    lines.append("Description-Content-Type: text/markdown")
    return "\n".join(lines) + "\n\n" + (HERE / PROJECT["readme"]).read_text(encoding="utf-8")


def _native(prefix):
    """name in the wheel -> file, of an installed tree."""
    libraries = sorted(pathlib.Path(prefix).rglob(SONAME))
    program = pathlib.Path(prefix) / "libexec/cistern/cistern-import"
    if not libraries or not program.is_file():
        raise SystemExit("%s: no %s and libexec/cistern/cistern-import there; run: cmake --install BUILD --prefix %s"
                         % (prefix, SONAME, prefix))
    return {"cistern/_native/lib/" + SONAME: libraries[0], "cistern/_native/libexec/cistern/cistern-import": program}


def _sources():
    names = sorted(p for p in (HERE / "cistern").iterdir() if p.suffix == ".py" or p.name == "py.typed")
    return {"cistern/" + p.name: p for p in names}


def _tag(prefix):
    return "py3-none-" + (sysconfig.get_platform().replace("-", "_").replace(".", "_") if prefix else "any")


class _Wheel:
    def __init__(self, path):
        self.zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self.record = []

    def put(self, name, data, mode=0o644):
        info = zipfile.ZipInfo(name, WHEN)
        info.external_attr = (0o100000 | mode) << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        self.zip.writestr(info, data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        self.record.append((name, "sha256=" + digest, len(data)))

    def close(self, name):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*self.record, (name, "", "")])
        self.put(name, text.getvalue().encode())
        self.zip.close()


def _info_files(tag, prefix):
    wheel = "Wheel-Version: 1.0\nGenerator: cistern\nRoot-Is-Purelib: %s\nTag: %s\n" % ("false" if prefix else "true", tag)
    return {"METADATA": _metadata(), "WHEEL": wheel}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    prefix = (config_settings or {}).get("prefix") or os.environ.get("CISTERN_PREFIX")
    tag = _tag(prefix)
    name = "%s-%s.whl" % (STEM, tag)
    wheel = _Wheel(pathlib.Path(wheel_directory) / name)
    for place, path in {**_sources(), **(_native(prefix) if prefix else {})}.items():
        wheel.put(place, path.read_bytes(), 0o755 if os.access(path, os.X_OK) else 0o644)
    for place, text in _info_files(tag, prefix).items():
        wheel.put("%s.dist-info/%s" % (STEM, place), text.encode())
    wheel.close("%s.dist-info/RECORD" % STEM)
    return name


def build_sdist(sdist_directory, config_settings=None):
    name = STEM + ".tar.gz"
    with tarfile.open(pathlib.Path(sdist_directory) / name, "w:gz", format=tarfile.PAX_FORMAT) as out:
        for path in [HERE / "pyproject.toml", HERE / "README.md", HERE / "build_backend.py", *_sources().values()]:
            out.add(path, "%s/%s" % (STEM, path.relative_to(HERE)))
        info, data = tarfile.TarInfo(STEM + "/PKG-INFO"), _metadata().encode()
        info.size = len(data)
        out.addfile(info, io.BytesIO(data))
    return name
