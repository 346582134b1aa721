"""A store of models, and all that is done with it."""
from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
import weakref
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

from . import _library
from ._call import ProgressFn, long_call
from .errors import UsageError, check
from .model import Model
from .versions import Event, Pulled, Version, event_of, pulled_of, version_of

PathLike = Union[str, "os.PathLike[str]"]
LogFn = Callable[[int, str], Any]

_PATH_BYTES = 8192  # longer than any path of Linux
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
_log = logging.getLogger("cistern")


def _bytes(text: Optional[PathLike]) -> Optional[bytes]:
    return None if text is None else os.fsencode(text)


def log_to_logging(level: int, line: str) -> None:
    """What happens to the library's messages unless another function is given: the logger "cistern"."""
    _log.log(_LEVELS[min(level, 2)], "%s", line)


def _make_options(log_fn: Any, given: Sequence[Tuple[str, str]], load: bool) -> ctypes.c_void_p:
    lib, options = _library.library(), ctypes.c_void_p()
    check(lib.cistern_options_new, ctypes.byref(options))
    try:
        for name, value in given:
            check(lib.cistern_options_set, options, name.encode(), os.fsencode(value))
        if load:
            check(lib.cistern_options_load, options)
    except BaseException:
        lib.cistern_options_free(options)
        raise
    lib.cistern_options_set_log(options, log_fn, None)
    return options


def _option_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return os.fsdecode(os.fspath(value)) if isinstance(value, os.PathLike) else str(value)


class Store:
    """A context of the library over one local store. Any number of threads may use it, and a forked child.

    store      its directory; None: what the configuration and the environment say, else ~/.local/share/cistern
    load       read the configuration files and the environment, as the program does; what is given here wins
    log        ``log(level, line)`` for messages, level 0 a warning, 1 a note, 2 detail; default: the logger "cistern"
    options    any other option by its name, "-" as "_": ``offline=True``, ``proxy="http://…"``, ``threads=4``
    """

    def __init__(self, store: Optional[PathLike] = None, *, load: bool = True, log: Optional[LogFn] = None, **options: Any) -> None:
        self._lib = _library.library()
        tell = log or log_to_logging

        def forward(_user: Any, level: int, line: bytes) -> None:
            try:
                tell(level, line.decode("utf-8", "replace"))
            except Exception:  # a message must not end the call that it is about
                sys.excepthook(*sys.exc_info())

        self._log_fn = _library.LOG_FN(forward)  # kept: the library holds only its address
        given = [] if store is None else [("store", os.fspath(store))]
        given += [(name.replace("_", "-"), _option_text(value)) for name, value in options.items() if value is not None]
        made, handle = _make_options(self._log_fn, given, load), ctypes.c_void_p()
        try:
            check(self._lib.cistern_new, made, ctypes.byref(handle))
        finally:
            self._lib.cistern_options_free(made)
        self._handle = handle
        # Models hold their store, so this comes last. At the interpreter's end all of it is left to the system.
        weakref.finalize(self, _free_context, self._lib, handle, self._log_fn).atexit = False

    # Bringing models in

    def pull(self, origin: PathLike, as_: Optional[str] = None, *, progress: Optional[ProgressFn] = None, update: bool = False,
             sha256: Optional[str] = None, ignore_name_digest: bool = False, architecture: Optional[str] = None,
             preprocess: Optional[str] = None, labels: Optional[PathLike] = None, config: Optional[PathLike] = None,
             bn_epsilon: Optional[float] = None, data_format: Optional[str] = None, why: Optional[str] = None) -> Pulled:
        """Bring a model into the store unless it is there, in which case no request is made.

        origin     an address (https://…, s3://…, torchvision:vgg16 …), a path, or a reference
        as_        NAME[:VERSION]; None: made from the address
        progress   called with a Progress, at most ten times a second
        update     ask the origin whether it changed
        sha256     what the bytes must be
        architecture, preprocess, labels, config, bn_epsilon, data_format   declared facts; None: found out

        ^C cancels it; what had come is kept for the next time.
        """
        return self._bring(lambda *rest: check(self._lib.cistern_pull, self._handle, _bytes(origin), *rest), progress,
                           as_=_bytes(as_), update=int(update), sha256=_bytes(sha256),
                           ignore_name_digest=int(ignore_name_digest), architecture=_bytes(architecture),
                           preprocess=_bytes(preprocess), labels=_bytes(labels), config=_bytes(config),
                           bn_epsilon=None if bn_epsilon is None else _bytes(repr(float(bn_epsilon))),
                           data_format=_bytes(data_format), why=_bytes(why))

    def add(self, *paths: PathLike, as_: str, progress: Optional[ProgressFn] = None, sha256: Optional[str] = None,
            architecture: Optional[str] = None, preprocess: Optional[str] = None, labels: Optional[PathLike] = None,
            config: Optional[PathLike] = None, bn_epsilon: Optional[float] = None, data_format: Optional[str] = None,
            why: Optional[str] = None) -> Pulled:
        """Make one version of local files; the rest as for pull."""
        files = (ctypes.c_char_p * len(paths))(*map(_bytes, paths))
        return self._bring(lambda *rest: check(self._lib.cistern_add, self._handle, files, len(paths), *rest), progress,
                           as_=_bytes(as_), sha256=_bytes(sha256), architecture=_bytes(architecture),
                           preprocess=_bytes(preprocess), labels=_bytes(labels), config=_bytes(config),
                           bn_epsilon=None if bn_epsilon is None else _bytes(repr(float(bn_epsilon))),
                           data_format=_bytes(data_format), why=_bytes(why))

    def _bring(self, function: Callable[..., None], progress: Optional[ProgressFn], **members: Any) -> Pulled:
        options, result, handle = _library.PullOptions(**members), _library.PullResult(), ctypes.c_void_p()
        refs = [ctypes.byref(options), ctypes.byref(result), ctypes.byref(handle)]
        try:
            long_call(lambda call: function(refs[0], ctypes.byref(call), refs[1], refs[2]), progress)
            return pulled_of(handle, result)
        finally:
            self._lib.cistern_version_free(handle)

    # Looking

    def path(self, reference: str, file: Optional[str] = None) -> str:
        """The path of a version's file, its bytes as published, read only. Makes no request. `file` where it has several."""
        out = ctypes.create_string_buffer(_PATH_BYTES)
        check(self._lib.cistern_path, self._handle, _bytes(reference), _bytes(file), out, _PATH_BYTES)
        return os.fsdecode(out.value)

    def resolve(self, reference: str) -> Version:
        """What a reference (NAME[:TAG][@sha256:HEX]) means. Makes no request."""
        return self._version(self._lib.cistern_resolve, _bytes(reference))

    def versions(self, name: Optional[str] = None) -> List[Version]:
        """The versions of one model, or of all, newest last."""
        handle = ctypes.c_void_p()
        check(self._lib.cistern_list_versions, self._handle, _bytes(name), ctypes.byref(handle))
        try:
            return [version_of(self._lib.cistern_list_peek(handle, i)) for i in range(self._lib.cistern_list_count(handle))]
        finally:
            self._lib.cistern_list_free(handle)

    def history(self, name: str) -> List[Event]:
        """What happened to a model, oldest first."""
        handle, raw, events = ctypes.c_void_p(), _library.Event(), []
        check(self._lib.cistern_history_read, self._handle, _bytes(name), ctypes.byref(handle))
        try:
            for i in range(self._lib.cistern_history_count(handle)):
                self._lib.cistern_history_event(handle, i, ctypes.byref(raw))
                events.append(event_of(raw))
            return events
        finally:
            self._lib.cistern_history_free(handle)

    # Changing

    def init(self) -> None:
        """Make the store, if its directory is absent or empty."""
        check(self._lib.cistern_init, self._handle)

    def tag(self, reference: str, alias: str, *, expect: Optional[str] = None, why: Optional[str] = None) -> Version:
        """Move an alias. `expect`: the version it must point to now ("" for none), else ConflictError."""
        return self._version(self._lib.cistern_tag, _bytes(reference), _bytes(alias), _bytes(expect), _bytes(why))

    def rollback(self, name: str, alias: Optional[str] = None, *, why: Optional[str] = None) -> Version:
        """Undo the last move of an alias (None: latest). Repeated, it walks back."""
        return self._version(self._lib.cistern_rollback, _bytes(name), _bytes(alias), _bytes(why))

    def remove(self, reference: str, *, all: bool = False, force: bool = False, why: Optional[str] = None) -> int:
        """Remove a version, or all of a name; how many were removed."""
        count = ctypes.c_size_t()
        check(self._lib.cistern_remove, self._handle, _bytes(reference), int(all), int(force), _bytes(why), ctypes.byref(count))
        return count.value

    def _version(self, function: Any, *arguments: Any) -> Version:
        handle = ctypes.c_void_p()
        check(function, self._handle, *arguments, ctypes.byref(handle))
        try:
            return version_of(handle)
        finally:
            self._lib.cistern_version_free(handle)

    # Using

    def open(self, model: PathLike, *, progress: Optional[ProgressFn] = None) -> Model:
        """Open a version by reference, or a weight file that is in no store by its path. The weights are mapped, not read.

        A text is a path if it begins with / ./ ../ or ~, or names an existing file and ends in a known suffix.
        """
        text = os.path.expanduser(model) if isinstance(model, str) else os.fspath(model)
        is_path = ctypes.c_int(1)
        if isinstance(model, str):
            check(self._lib.cistern_argument_is_path, self._handle, _bytes(text), ctypes.byref(is_path))
        handle = ctypes.c_void_p()
        out = ctypes.byref(handle)

        def work(call: Any) -> None:
            if is_path.value:
                check(self._lib.cistern_model_open_file, self._handle, _bytes(text), None, ctypes.byref(call), out)
            else:
                check(self._lib.cistern_model_open, self._handle, _bytes(text), ctypes.byref(call), out)

        try:
            long_call(work, progress)
        except BaseException:
            self._lib.cistern_model_free(handle)
            raise
        return Model(self, handle)

    @property
    def traffic(self) -> Tuple[int, int]:
        """Requests made to origins by this object, and bytes of bodies received."""
        requests, received = ctypes.c_uint64(), ctypes.c_uint64()
        self._lib.cistern_traffic(self._handle, ctypes.byref(requests), ctypes.byref(received))
        return requests.value, received.value

    @property
    def isa(self) -> str:
        """The kernels that compute: "amx", "avx512", "avx2" or "portable"."""
        return str(self._lib.cistern_isa(self._handle).decode())

    @property
    def threads(self) -> int:
        """Compute threads."""
        return int(self._lib.cistern_threads(self._handle))


def _free_context(lib: Any, handle: ctypes.c_void_p, _log_fn: Any) -> None:
    lib.cistern_free(handle)


_lock = threading.Lock()
_default: Optional[Store] = None


def default() -> Store:
    """The store that the functions of the package use: the configuration's and the environment's. Made at the first call."""
    global _default
    if _default is None:
        with _lock:
            if _default is None:
                _default = Store()
    return _default


def set_default(store: Optional[Store]) -> None:
    """Use another store from now on; None: the configuration's again."""
    global _default
    if store is not None and not isinstance(store, Store):
        raise UsageError("a cistern.Store is needed, not %r" % (store,))
    with _lock:
        _default = store
