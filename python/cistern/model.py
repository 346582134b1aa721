"""A model: tensors over the mapping of its files, and running it. NumPy is needed from here on, and imported only then."""
from __future__ import annotations

import ctypes
import dataclasses
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Iterator, List, Mapping, NamedTuple, Optional, Tuple, cast

from . import _library
from ._call import long_call
from .errors import UsageError, check
from .versions import Facts, Version, version_of

if TYPE_CHECKING:
    import numpy
    from .store import Store

    Array = numpy.ndarray[Any, Any]

#: What the library calls them, and what NumPy does. (It has none for BF16.)
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U8": "|u1",
           "BOOL": "|b1"}


def _numpy() -> Any:
    try:
        import numpy
    except ImportError:
        raise ImportError("cistern needs NumPy for arrays; install it (Debian: apt install python3-numpy)") from None
    return numpy


class Prediction(NamedTuple):
    """One class of a picture: its number, its name (or None), its probability and its logit."""
    class_index: int
    label: Optional[str]
    probability: float
    logit: float


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """A tensor without its elements. ``stride`` counts elements, ``offset`` bytes of ``file``."""
    name: str
    dtype: str
    shape: Tuple[int, ...]
    stride: Tuple[int, ...]
    file: str
    offset: int


class _Block:
    """Memory of a mapping, and the model that keeps it mapped: the base of an array."""

    def __init__(self, owner: Any, raw: _library.Tensor, typestr: str, itemsize: int) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "version": 3, "typestr": typestr, "data": (raw.data, True), "shape": tuple(raw.shape[:raw.rank]),
            "strides": tuple(s * itemsize for s in raw.stride[:raw.rank])}


class Tensors(Mapping[str, "Array"]):
    """The tensors of a model by name, as read-only arrays that lie in its mapped file: nothing is read or copied.

    An array keeps its memory mapped, also after the model is gone and its file was removed. What NumPy has no type for
    (bfloat16) is a TypeError; `bits(name)` gives its 16-bit patterns.
    """

    def __init__(self, model: Any, handle: ctypes.c_void_p) -> None:
        self._model, self._handle, self._lib = model, handle, _library.library()

    def __len__(self) -> int:
        return int(self._lib.cistern_model_tensor_count(self._handle))

    def __iter__(self) -> Iterator[str]:
        raw = _library.Tensor()
        for i in range(len(self)):
            self._lib.cistern_model_tensor(self._handle, i, ctypes.byref(raw))
            yield raw.name.decode()

    def __contains__(self, name: object) -> bool:
        raw = _library.Tensor()
        return isinstance(name, str) and bool(
            self._lib.cistern_model_tensor_by_name(self._handle, name.encode(), ctypes.byref(raw)))

    def _raw(self, name: str) -> _library.Tensor:
        raw = _library.Tensor()
        if not self._lib.cistern_model_tensor_by_name(self._handle, name.encode(), ctypes.byref(raw)):
            raise KeyError(name)
        return raw

    def __getitem__(self, name: str) -> Array:
        raw = self._raw(name)
        typestr = _DTYPES.get(raw.dtype.decode())
        if typestr is None:
            raise TypeError("%s: NumPy has no type for %s; .bits(%r) gives it as integers" % (name, raw.dtype.decode(), name))
        return self._array(raw, typestr)

    def bits(self, name: str) -> Array:
        """A tensor of 16-bit elements (F16, BF16) as unsigned integers."""
        raw = self._raw(name)
        if raw.dtype not in (b"F16", b"BF16"):
            raise TypeError("%s: %s is not of 16-bit elements" % (name, raw.dtype.decode()))
        return self._array(raw, "<u2")

    def _array(self, raw: _library.Tensor, typestr: str) -> Array:
        numpy = _numpy()
        dtype = numpy.dtype(typestr)
        if not raw.data:
            empty = numpy.empty(tuple(raw.shape[:raw.rank]), dtype)
            empty.flags.writeable = False
            return cast("Array", empty)
        return cast("Array", numpy.asarray(_Block(self._model, raw, typestr, dtype.itemsize)))

    def info(self, name: str) -> TensorInfo:
        """What there is to know without touching it."""
        raw = self._raw(name)
        return TensorInfo(name, raw.dtype.decode(), tuple(raw.shape[:raw.rank]), tuple(raw.stride[:raw.rank]),
                          os.fsdecode(raw.file), raw.offset)


def _image_of(image: Any) -> ctypes.c_void_p:
    """A picture of the library, which the caller frees."""
    lib, out = _library.library(), ctypes.c_void_p()
    if isinstance(image, (str, os.PathLike)):
        check(lib.cistern_image_open, os.fsencode(image), ctypes.byref(out))
    elif isinstance(image, (bytes, bytearray, memoryview)):
        data = bytes(image)
        check(lib.cistern_image_decode, data, len(data), ctypes.byref(out))
    elif hasattr(image, "convert") and hasattr(image, "tobytes"):  # Pillow's
        rgb = image.convert("RGB")
        check(lib.cistern_image_from_rgb, rgb.tobytes(), rgb.width, rgb.height, 3 * rgb.width, ctypes.byref(out))
    else:
        numpy = _numpy()
        pixels = numpy.ascontiguousarray(image)
        if pixels.dtype != numpy.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise UsageError("a picture is a path, the bytes of a file, a Pillow image, or a uint8 array (height, width, 3), "
                             "not %s %s" % (pixels.dtype, pixels.shape))
        height, width = pixels.shape[:2]
        check(lib.cistern_image_from_rgb, pixels.ctypes.data, width, height, 3 * width, ctypes.byref(out))
    return out


class _Runner:
    """A network that is ready for pictures of one size. One call at a time: the model's lock."""

    height: int
    width: int
    shape: Tuple[int, ...]  # of one picture's output

    def __init__(self, store: Any, kind: str) -> None:
        self._lib, self._store, self.handle = _library.library(), store, ctypes.c_void_p()
        self._run = getattr(self._lib, "cistern_%s_run" % kind)
        self._preprocess = getattr(self._lib, "cistern_%s_preprocess" % kind)

    def _opened(self, kind: str) -> None:
        weakref.finalize(self, _free_runner, getattr(self._lib, "cistern_%s_free" % kind), self.handle, self._store).atexit = False
        self.height = getattr(self._lib, "cistern_%s_height" % kind)(self.handle)
        self.width = getattr(self._lib, "cistern_%s_width" % kind)(self.handle)

    def run(self, x: Any) -> Any:
        numpy = _numpy()
        out = numpy.empty((len(x), *self.shape), numpy.float32)
        long_call(lambda call: check(self._run, self.handle, _floats(x), len(x), _floats(out), call.cancel))
        return out

    def preprocess(self, image: Any) -> Any:
        out = _numpy().empty((3, self.height, self.width), "float32")
        picture = _image_of(image)
        try:
            check(self._preprocess, self.handle, picture, _floats(out))
        finally:
            self._lib.cistern_image_free(picture)
        return out


class _Session(_Runner):
    """The whole network, for so many pictures at once."""

    def __init__(self, store: Any, model: ctypes.c_void_p, batch: int, height: int, width: int) -> None:
        super().__init__(store, "session")
        self.batch = batch
        options = _library.SessionOptions(max_batch=batch, height=height, width=width)
        check(self._lib.cistern_session_new, model, ctypes.byref(options), ctypes.byref(self.handle))
        self._opened("session")
        self.shape = (self._lib.cistern_session_classes(self.handle),)


class _Features(_Runner):
    """The network up to one layer."""

    def __init__(self, store: Any, model: ctypes.c_void_p, layer: str, height: int, width: int) -> None:
        super().__init__(store, "features")
        self.layer = layer
        options = _library.FeaturesOptions(height=height, width=width)
        check(self._lib.cistern_features_new, model, layer.encode(), ctypes.byref(options), ctypes.byref(self.handle))
        self._opened("features")
        shape = (ctypes.c_uint64 * 3)()
        self.shape = tuple(shape[:self._lib.cistern_features_shape(self.handle, shape)])


def _floats(array: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


def _free_runner(free: Any, handle: ctypes.c_void_p, _store: Any) -> None:
    free(handle)


def _batch_of(x: Any) -> Any:
    """Preprocessed pictures as the library takes them: (N, 3, height, width)."""
    numpy = _numpy()
    x = numpy.ascontiguousarray(x, numpy.float32)
    if x.ndim not in (3, 4) or x.shape[-3] != 3 or 0 in x.shape:
        raise UsageError("an input has the shape (N, 3, height, width) or (3, height, width), not %s" % (x.shape,))
    return x if x.ndim == 4 else x[None]


def _free_model(lib: Any, handle: ctypes.c_void_p, _store: Any) -> None:
    lib.cistern_model_free(handle)


class Model:
    """One version, mapped. Made by open(). Any number of threads may use it; runs of one model follow each other."""

    def __init__(self, store: "Store", handle: ctypes.c_void_p) -> None:
        self._lib, self._store, self._handle = _library.library(), store, handle
        weakref.finalize(self, _free_model, self._lib, handle, store).atexit = False
        self._lock = threading.Lock()
        self._session: Optional[_Session] = None
        self._features: Optional[_Features] = None
        self.version: Version = version_of(self._lib.cistern_model_version(handle))
        self.tensors: Tensors = Tensors(self, handle)

    def __repr__(self) -> str:
        return "<cistern.Model %s>" % (self.version.reference or self.version.name)

    @property
    def facts(self) -> Facts:
        """Architecture, preprocessing, labels, and who said so."""
        return self.version.facts

    def label(self, class_index: int) -> Optional[str]:
        """The name of a class, or None."""
        raw = self._lib.cistern_version_label(self._lib.cistern_model_version(self._handle), class_index)
        return raw.decode("utf-8", "replace") if raw is not None else None

    def check(self) -> None:
        """DamagedError if the guard (sigbus_guard) had to put zeros in the place of weights; for who reads tensors."""
        check(self._lib.cistern_model_check, self._handle)

    def _ready(self, batch: int = 1, height: int = 0, width: int = 0) -> _Session:
        """A session for this much; the lock is held."""
        s = self._session
        if s is None or s.batch < batch or (height and (s.height, s.width) != (height, width)):
            self._session = None  # its memory before the next one's
            del s
            s = self._session = _Session(self._store, self._handle, batch, height, width)
        return s

    def _layer(self, layer: str, height: int = 0, width: int = 0) -> _Features:
        """The network up to there; the lock is held."""
        f = self._features
        if f is None or f.layer != layer or (height and (f.height, f.width) != (height, width)):
            self._features = None
            del f
            f = self._features = _Features(self._store, self._handle, layer, height, width)
        return f

    def _own_size(self) -> _Session:
        facts = self.facts
        return self._ready(1, facts.input_height, facts.input_width)

    def preprocess(self, image: Any) -> Array:
        """A picture as this model wants it: float32 (3, height, width).

        image   a path, the bytes of a JPEG, PNG or WebP file, a Pillow image, or a uint8 array (height, width, 3)
        """
        _numpy()
        with self._lock:
            if self.facts.head != "none":
                return cast("Array", self._own_size().preprocess(image))
            facts = self.facts
            return cast("Array", self._layer("features", facts.input_height, facts.input_width).preprocess(image))

    def run(self, x: Any) -> Array:
        """Logits, float32 (N, classes), of preprocessed pictures (N, 3, height, width), or (classes,) of one (3, height, width)."""
        batch = _batch_of(x)
        with self._lock:
            out = self._ready(len(batch), *batch.shape[2:]).run(batch)
        return cast("Array", out if _numpy().ndim(x) == 4 else out[0])

    def features(self, x: Any, layer: str) -> Array:
        """A layer's output, as PyTorch's forward hook is given it: float32 (N, C, H, W), (N, K) in the classifier.

        x       preprocessed pictures (N, 3, height, width), or one (3, height, width), whose output then has no N; or a
                picture as for preprocess()
        layer   torchvision's name: "features.28", "avgpool", "classifier.4"; UsageError lists all that there are
        """
        is_input = getattr(x, "ndim", 0) in (3, 4) and x.dtype.kind == "f"
        batch = _batch_of(x if is_input else self.preprocess(x))
        with self._lock:
            out = self._layer(layer, *batch.shape[2:]).run(batch)
        return cast("Array", out if is_input and x.ndim == 4 else out[0])

    def classify(self, image: Any, top: int = 5) -> List[Prediction]:
        """The `top` best classes of a picture, best first; see preprocess() for what a picture may be."""
        with self._lock:
            session = self._own_size()
            logits = session.run(session.preprocess(image)[None])[0]
        best = (_library.Prediction * max(top, 0))()
        count = self._lib.cistern_top(_floats(logits), len(logits), len(best), best)
        return [Prediction(b.class_index, self.label(b.class_index), b.probability, b.logit) for b in best[:count]]
