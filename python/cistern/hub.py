"""For programs written against torch.hub: the same call, one download."""
from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import sys
from typing import Any, Optional

from . import store as _store
from ._call import Progress
from .errors import UsageError
from .versions import Pulled


class _Bar:
    """One line of progress on a terminal, nothing elsewhere."""

    def __call__(self, p: Progress) -> None:
        if not sys.stderr.isatty():
            return
        of = " of %.1f" % (p.total / 1e6) if p.total else ""
        sys.stderr.write("\r%s: %.1f%s MB%s" % (p.step, p.done / 1e6, of, "\n" if p.last else ""))
        sys.stderr.flush()


def _pull(store: "_store.Store", url: str, name: Optional[str], **options: Any) -> Pulled:
    try:
        return store.pull(url, name, **options)
    except UsageError:
        # The file's name is no NAME; any other will do, since the version is looked up by its address.
        return store.pull(url, "url-" + hashlib.sha256(url.encode()).hexdigest()[:16], **options)


def load_state_dict_from_url(url: str, model_dir: Optional[str] = None, map_location: Any = None, progress: bool = True,
                             check_hash: bool = False, file_name: Optional[str] = None, weights_only: bool = False) -> Any:
    """What torch.hub.load_state_dict_from_url does, from the store: fetched once, however many processes ask at once.

    url            any origin that pull() takes
    model_dir      None: the default store; else a store in its directory "cistern"
    map_location   as for torch.load
    progress       show a line of progress on a terminal
    check_hash     the digits at the end of the file's name ("-397923af.pth") must be the beginning of its SHA-256
    file_name      the name in the store, without its suffix; None: made from the address
    weights_only   as for torch.load, which decides by itself what it executes; True is the safe one
    """
    torch: Any = importlib.import_module("torch")

    store = _store.default() if model_dir is None else _store.Store(os.path.join(model_dir, "cistern"))
    name = None if file_name is None else os.path.splitext(os.path.basename(file_name))[0].lower()
    version = _pull(store, url, name, progress=_Bar() if progress else None, ignore_name_digest=not check_hash)
    known = inspect.signature(torch.load).parameters  # PyTorch before 1.13 has no such thing
    more = {"weights_only": weights_only} if weights_only or "weights_only" in known else {}
    return torch.load(store.path(version.reference), map_location=map_location, **more)
