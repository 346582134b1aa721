"""cistern: fetch a pretrained model once; verify it, keep it, map it, run it.

    import cistern

    cistern.pull("torchvision:vgg16")                            # makes requests once
    model.load_state_dict(torch.load(cistern.path("vgg16")))     # … and any program can have the file

    vgg = cistern.open("vgg16")                                  # mapped, not read
    vgg.classify("cat.jpg")                                      # without any framework
    vgg.tensors["features.0.weight"]                             # a read-only array over the mapping

The functions here use one store, that of the configuration and the environment (CISTERN_STORE, …); Store() is another one.
Failures are exceptions below cistern.Error, one class for each thing that a caller can act on. Messages of the library go to
the logger "cistern".
"""
from __future__ import annotations

from typing import Any, List, Optional

from . import _library
from ._call import Progress, ProgressFn
from .errors import (CancelledError, ConflictError, DamagedError, DeniedError, Error, NetworkError, NoMemoryError, NoSpaceError,
                     NotFoundError, OfflineError, RefusedError, TimedOutError, UnexpectedError, UnreadableError, UsageError,
                     check as _check)
from .hub import load_state_dict_from_url
from .model import Model, Prediction, TensorInfo, Tensors
from .store import PathLike, Store, default as _default, set_default
from .versions import Event, Facts, File, Pulled, Version

__version__ = "0.1.0"
__all__ = [
    "CancelledError", "ConflictError", "DamagedError", "DeniedError", "Error", "Event", "Facts", "File", "Model", "NetworkError",
    "NoMemoryError", "NoSpaceError", "NotFoundError", "OfflineError", "Prediction", "Progress", "Pulled", "RefusedError", "Store",
    "TensorInfo", "Tensors", "TimedOutError", "UnexpectedError", "UnreadableError", "UsageError", "Version", "add", "history",
    "library_version", "load_state_dict_from_url", "open", "path", "pull", "resolve", "rollback", "set_default", "sigbus_guard",
    "tag", "versions",
]


def pull(origin: PathLike, as_: Optional[str] = None, *, progress: Optional[ProgressFn] = None, **options: Any) -> Pulled:
    """Bring a model into the store unless it is there: see Store.pull."""
    return _default().pull(origin, as_, progress=progress, **options)


def add(*paths: PathLike, as_: str, progress: Optional[ProgressFn] = None, **options: Any) -> Pulled:
    """Make a version of local files: see Store.add."""
    return _default().add(*paths, as_=as_, progress=progress, **options)


def path(reference: str, file: Optional[str] = None) -> str:
    """The path of a version's file, read only. Makes no request."""
    return _default().path(reference, file)


def resolve(reference: str) -> Version:
    """What a reference means. Makes no request."""
    return _default().resolve(reference)


def versions(name: Optional[str] = None) -> List[Version]:
    """The versions of one model, or of all, newest last."""
    return _default().versions(name)


def history(name: str) -> List[Event]:
    """What happened to a model, oldest first."""
    return _default().history(name)


def tag(reference: str, alias: str, *, expect: Optional[str] = None, why: Optional[str] = None) -> Version:
    """Move an alias: see Store.tag."""
    return _default().tag(reference, alias, expect=expect, why=why)


def rollback(name: str, alias: Optional[str] = None, *, why: Optional[str] = None) -> Version:
    """Undo the last move of an alias (None: latest)."""
    return _default().rollback(name, alias, why=why)


def open(model: PathLike, *, progress: Optional[ProgressFn] = None) -> Model:
    """Open a version by reference, or a weight file by path: see Store.open."""
    return _default().open(model, progress=progress)


def sigbus_guard() -> None:
    """Turn a weight file that becomes shorter while it is mapped into DamagedError. Installs a handler of SIGBUS."""
    _check(_library.library().cistern_sigbus_guard)


def library_version() -> str:
    """The version of the shared library."""
    return str(_library.library().cistern_library_version().decode())
