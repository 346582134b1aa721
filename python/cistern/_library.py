"""The shared library: where it is, its structures and its functions. Everything else of the package calls it through here.

Each structure is laid out as in the header that is named beside it, which the tests compare with what a C compiler says. They
may have grown at their ends: that is what ``_ROOM`` is for.
"""
from __future__ import annotations

import ctypes
import ctypes.util
import os
import pathlib
import threading
from ctypes import CFUNCTYPE, POINTER, c_char, c_char_p, c_double, c_float, c_int, c_size_t, c_uint, c_uint32, c_uint64, c_void_p
from typing import Any, Dict, List, Optional, Tuple

SONAME = "libcistern.so.0"
SERIES = "0.1"  # of the library's version: layouts may change with the next
_ROOM = 256  # bytes behind each structure, for members that a newer library has


class _Sized(ctypes.Structure):
    """A structure whose first member says how many bytes it has."""

    def __init__(self, **members: Any) -> None:
        super().__init__(**members)
        if self._fields_[0][0] == "size":
            self.size = ctypes.sizeof(self)


class CError(ctypes.Structure):  # error.h
    _fields_ = [("status", c_int), ("os_errno", c_int), ("has_offset", c_int), ("offset", c_uint64), ("frame_count", c_uint),
                ("text", c_char * 1024), ("frame", c_char * 256 * 6)]


class Progress(_Sized):  # context.h
    _fields_ = [("size", c_size_t), ("step", c_char_p), ("done", c_uint64), ("total", c_uint64), ("resumed", c_uint64),
                ("last", c_int)]


PROGRESS_FN = CFUNCTYPE(None, c_void_p, POINTER(Progress))
LOG_FN = CFUNCTYPE(None, c_void_p, c_int, c_char_p)


class Call(_Sized):  # context.h
    _fields_ = [("size", c_size_t), ("cancel", c_void_p), ("progress", PROGRESS_FN), ("user", c_void_p), ("_room", c_char * _ROOM)]


class PullOptions(_Sized):  # pull.h
    # "as_" is as, "update" and "ignore_name_digest" are 0 or 1
    _fields_ = [("size", c_size_t), ("as_", c_char_p), ("sha256", c_char_p), ("update", c_int), ("ignore_name_digest", c_int),
                ("architecture", c_char_p), ("preprocess", c_char_p), ("labels", c_char_p), ("config", c_char_p),
                ("why", c_char_p), ("bn_epsilon", c_char_p), ("data_format", c_char_p), ("_room", c_char * _ROOM)]


class PullResult(_Sized):  # pull.h
    _fields_ = [("size", c_size_t), ("outcome", c_int), ("requests", c_uint64), ("bytes_received", c_uint64),
                ("bytes_resumed", c_uint64), ("note", c_char_p), ("_room", c_char * _ROOM)]


class File(_Sized):  # version.h
    _fields_ = [("size", c_size_t), ("path", c_char_p), ("sha256", c_char_p), ("bytes", c_uint64), ("_room", c_char * _ROOM)]


class Facts(_Sized):  # version.h
    _fields_ = [("size", c_size_t), ("architecture", c_char_p), ("architecture_source", c_char_p), ("preset", c_char_p),
                ("preprocess_source", c_char_p), ("input_height", c_uint32), ("input_width", c_uint32),
                ("resize_short", c_uint32), ("interpolation", c_char_p), ("mean", c_float * 3), ("std", c_float * 3),
                ("classes", c_uint32), ("label_set", c_char_p), ("labels_source", c_char_p), ("kind", c_char_p),
                ("resize", c_char_p), ("resize_height", c_uint32), ("resize_width", c_uint32), ("sampling", c_char_p),
                ("colour", c_char_p), ("scale", c_char_p), ("head", c_char_p), ("bn_epsilon", c_double),
                ("bn_epsilon_source", c_char_p), ("data_format", c_char_p), ("_room", c_char * _ROOM)]


class Event(_Sized):  # version.h
    _fields_ = [("size", c_size_t), ("kind", c_char_p), ("tag", c_char_p), ("alias", c_char_p), ("number", c_uint64),
                ("from_", c_char_p), ("digest", c_char_p), ("who", c_char_p), ("when", c_char_p), ("why", c_char_p),
                ("_room", c_char * _ROOM)]


class Tensor(_Sized):  # model.h
    _fields_ = [("size", c_size_t), ("name", c_char_p), ("dtype", c_char_p), ("rank", c_size_t), ("shape", c_uint64 * 8),
                ("stride", c_uint64 * 8), ("data", c_void_p), ("file", c_char_p), ("offset", c_uint64),
                ("_room", c_char * _ROOM)]


class SessionOptions(_Sized):  # session.h
    _fields_ = [("size", c_size_t), ("max_batch", c_uint32), ("height", c_uint32), ("width", c_uint32),
                ("_room", c_char * _ROOM)]


class FeaturesOptions(_Sized):  # features.h
    _fields_ = [("size", c_size_t), ("height", c_uint32), ("width", c_uint32), ("_room", c_char * _ROOM)]


class Prediction(ctypes.Structure):  # session.h
    _fields_ = [("class_index", c_uint32), ("probability", c_float), ("logit", c_float)]


#: What the tests compare: the structure, its name in C, and members whose names C does not share with Python.
LAYOUTS: List[Tuple[Any, str, Dict[str, str]]] = [
    (CError, "cistern_error", {}),
    (Progress, "cistern_progress", {}),
    (Call, "cistern_call", {}),
    (PullOptions, "cistern_pull_options", {"as_": "as"}),
    (PullResult, "cistern_pull_result", {}),
    (File, "cistern_file", {}),
    (Facts, "cistern_facts", {}),
    (Event, "cistern_event", {"from_": "from"}),
    (Tensor, "cistern_tensor", {}),
    (SessionOptions, "cistern_session_options", {}),
    (FeaturesOptions, "cistern_features_options", {}),
    (Prediction, "cistern_prediction", {}),
]

_ERR = POINTER(CError)
_OUT = POINTER(c_void_p)
_FLOATS = POINTER(c_float)
#: name -> result, arguments. A handle is a void pointer.
PROTOTYPES: Dict[str, Tuple[Any, List[Any]]] = {
    "cistern_library_version": (c_char_p, []),
    "cistern_status_name": (c_char_p, [c_int]),
    "cistern_status_text": (c_char_p, [c_int]),
    "cistern_error_format": (c_size_t, [_ERR, c_char_p, c_size_t]),
    "cistern_cancel_new": (c_int, [_OUT, _ERR]),
    "cistern_cancel_free": (None, [c_void_p]),
    "cistern_cancel_set": (None, [c_void_p]),
    "cistern_options_new": (c_int, [_OUT, _ERR]),
    "cistern_options_free": (None, [c_void_p]),
    "cistern_options_load": (c_int, [c_void_p, _ERR]),
    "cistern_options_set": (c_int, [c_void_p, c_char_p, c_char_p, _ERR]),
    "cistern_options_set_log": (None, [c_void_p, LOG_FN, c_void_p]),
    "cistern_new": (c_int, [c_void_p, _OUT, _ERR]),
    "cistern_free": (None, [c_void_p]),
    "cistern_isa": (c_char_p, [c_void_p]),
    "cistern_threads": (c_uint, [c_void_p]),
    "cistern_traffic": (None, [c_void_p, POINTER(c_uint64), POINTER(c_uint64)]),
    "cistern_init": (c_int, [c_void_p, _ERR]),
    "cistern_pull": (c_int, [c_void_p, c_char_p, POINTER(PullOptions), POINTER(Call), POINTER(PullResult), _OUT, _ERR]),
    "cistern_add": (c_int, [c_void_p, POINTER(c_char_p), c_size_t, POINTER(PullOptions), POINTER(Call), POINTER(PullResult), _OUT,
                            _ERR]),
    "cistern_path": (c_int, [c_void_p, c_char_p, c_char_p, c_char_p, c_size_t, _ERR]),
    "cistern_tag": (c_int, [c_void_p, c_char_p, c_char_p, c_char_p, c_char_p, _OUT, _ERR]),
    "cistern_rollback": (c_int, [c_void_p, c_char_p, c_char_p, c_char_p, _OUT, _ERR]),
    "cistern_remove": (c_int, [c_void_p, c_char_p, c_int, c_int, c_char_p, POINTER(c_size_t), _ERR]),
    "cistern_resolve": (c_int, [c_void_p, c_char_p, _OUT, _ERR]),
    "cistern_list_versions": (c_int, [c_void_p, c_char_p, _OUT, _ERR]),
    "cistern_list_count": (c_size_t, [c_void_p]),
    "cistern_list_peek": (c_void_p, [c_void_p, c_size_t]),
    "cistern_list_free": (None, [c_void_p]),
    "cistern_history_read": (c_int, [c_void_p, c_char_p, _OUT, _ERR]),
    "cistern_history_count": (c_size_t, [c_void_p]),
    "cistern_history_event": (c_int, [c_void_p, c_size_t, POINTER(Event)]),
    "cistern_history_free": (None, [c_void_p]),
    "cistern_version_free": (None, [c_void_p]),
    **{"cistern_version_" + name: (c_char_p, [c_void_p])
       for name in ("name", "tag", "digest", "reference", "origin", "when", "who")},
    "cistern_version_bytes": (c_uint64, [c_void_p]),
    "cistern_version_alias_count": (c_size_t, [c_void_p]),
    "cistern_version_alias": (c_char_p, [c_void_p, c_size_t]),
    "cistern_version_is_here": (c_int, [c_void_p]),
    "cistern_version_file_count": (c_size_t, [c_void_p]),
    "cistern_version_file": (c_int, [c_void_p, c_size_t, POINTER(File)]),
    "cistern_version_facts": (None, [c_void_p, POINTER(Facts)]),
    "cistern_version_label": (c_char_p, [c_void_p, c_uint32]),
    "cistern_argument_is_path": (c_int, [c_void_p, c_char_p, POINTER(c_int), _ERR]),
    "cistern_model_open": (c_int, [c_void_p, c_char_p, POINTER(Call), _OUT, _ERR]),
    "cistern_model_open_file": (c_int, [c_void_p, c_char_p, POINTER(PullOptions), POINTER(Call), _OUT, _ERR]),
    "cistern_model_free": (None, [c_void_p]),
    "cistern_model_check": (c_int, [c_void_p, _ERR]),
    "cistern_model_version": (c_void_p, [c_void_p]),
    "cistern_model_tensor_count": (c_size_t, [c_void_p]),
    "cistern_model_tensor": (c_int, [c_void_p, c_size_t, POINTER(Tensor)]),
    "cistern_model_tensor_by_name": (c_int, [c_void_p, c_char_p, POINTER(Tensor)]),
    "cistern_sigbus_guard": (c_int, [_ERR]),
    "cistern_image_open": (c_int, [c_char_p, _OUT, _ERR]),
    "cistern_image_decode": (c_int, [c_char_p, c_size_t, _OUT, _ERR]),
    "cistern_image_from_rgb": (c_int, [c_void_p, c_uint32, c_uint32, c_size_t, _OUT, _ERR]),
    "cistern_image_free": (None, [c_void_p]),
    "cistern_session_new": (c_int, [c_void_p, POINTER(SessionOptions), _OUT, _ERR]),
    "cistern_session_free": (None, [c_void_p]),
    "cistern_session_classes": (c_uint32, [c_void_p]),
    "cistern_session_height": (c_uint32, [c_void_p]),
    "cistern_session_width": (c_uint32, [c_void_p]),
    "cistern_session_preprocess": (c_int, [c_void_p, c_void_p, _FLOATS, _ERR]),
    "cistern_session_run": (c_int, [c_void_p, _FLOATS, c_uint32, _FLOATS, c_void_p, _ERR]),
    "cistern_features_new": (c_int, [c_void_p, c_char_p, POINTER(FeaturesOptions), _OUT, _ERR]),
    "cistern_features_free": (None, [c_void_p]),
    "cistern_features_shape": (c_uint32, [c_void_p, POINTER(c_uint64)]),
    "cistern_features_height": (c_uint32, [c_void_p]),
    "cistern_features_width": (c_uint32, [c_void_p]),
    "cistern_features_preprocess": (c_int, [c_void_p, c_void_p, _FLOATS, _ERR]),
    "cistern_features_run": (c_int, [c_void_p, _FLOATS, c_uint32, _FLOATS, c_void_p, _ERR]),
    "cistern_top": (c_uint32, [_FLOATS, c_uint32, c_uint32, POINTER(Prediction)]),
}


def _places() -> List[str]:
    """Where the library may be, best first: CISTERN_LIBRARY alone if it is set, else beside the package, else the system's."""
    given = os.environ.get("CISTERN_LIBRARY")
    if given:
        return [given]
    bundled = pathlib.Path(__file__).resolve().parent / "_native/lib" / SONAME
    return [str(bundled)] if bundled.exists() else [SONAME, *filter(None, [ctypes.util.find_library("cistern")])]


def _open() -> ctypes.CDLL:
    tried = []
    for place in _places():
        try:
            return ctypes.CDLL(place)
        except OSError as fault:
            tried.append(str(fault))
    raise ImportError("%s cannot be loaded: %s; install cistern, or set CISTERN_LIBRARY to the library's path"
                      % (SONAME, "; ".join(tried)))


def _load() -> ctypes.CDLL:
    found = _open()
    try:
        for name, (result, arguments) in PROTOTYPES.items():
            function = getattr(found, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError as fault:
        raise ImportError("this is not cistern %s: %s" % (SERIES, fault)) from None
    version = found.cistern_library_version().decode()
    if not version.startswith(SERIES + "."):
        raise ImportError("the library is cistern %s, and this package is for %s.x" % (version, SERIES))
    return found


_lock = threading.Lock()
_loaded: Optional[ctypes.CDLL] = None


def library() -> ctypes.CDLL:
    """The library, loaded at the first call. ImportError says where it was looked for."""
    global _loaded
    if _loaded is None:
        with _lock:
            if _loaded is None:
                _loaded = _load()
    return _loaded
