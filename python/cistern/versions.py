"""What the store knows of a model's versions: plain values, copied out of the library."""
from __future__ import annotations

import ctypes
import dataclasses
from typing import Any, Dict, Optional, Tuple

from . import _library


def _text(raw: Optional[bytes]) -> str:
    return (raw or b"").decode("utf-8", "surrogateescape")


@dataclasses.dataclass(frozen=True)
class File:
    """One file of a version."""
    path: str
    sha256: str
    bytes: int


@dataclasses.dataclass(frozen=True)
class Facts:
    """What weights alone cannot tell. A ``*_source`` says who does: "flag", "config.json", "published table", "family", "none"."""
    architecture: str
    architecture_source: str
    preset: str
    preprocess_source: str
    input_height: int
    input_width: int
    resize: str
    resize_short: int
    resize_height: int
    resize_width: int
    interpolation: str
    sampling: str
    colour: str
    scale: str
    mean: Tuple[float, float, float]
    std: Tuple[float, float, float]
    classes: int
    label_set: str
    labels_source: str
    kind: str
    head: str


@dataclasses.dataclass(frozen=True)
class Version:
    """One release of a model. ``reference`` names exactly these bytes, for ever."""
    name: str
    tag: str
    digest: str
    reference: str
    origin: str
    when: str
    who: str
    bytes: int
    aliases: Tuple[str, ...]
    is_here: bool
    files: Tuple[File, ...]
    facts: Facts = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Pulled(Version):
    """A version, and what it took to have it here.

    outcome   "hit" (no request), "fetched", "unchanged" (the origin was asked), "recorded" (the bytes were here),
              "same" (the bytes came, and were here)
    requests  made for this call; 0 for a hit
    note      such as "latest points to 4", or ""
    """
    outcome: str = "hit"
    requests: int = 0
    bytes_received: int = 0
    bytes_resumed: int = 0
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened to a model: ``kind`` is "add", "move", "rollback" or "remove"."""
    kind: str
    tag: str
    alias: str
    number: int
    from_tag: str
    digest: str
    who: str
    when: str
    why: str


_OUTCOMES = ("hit", "fetched", "unchanged", "recorded", "same")


def facts_of(handle: Any) -> Facts:
    raw = _library.Facts()
    _library.library().cistern_version_facts(handle, ctypes.byref(raw))
    values: Dict[str, Any] = {}
    for field in dataclasses.fields(Facts):
        value = getattr(raw, field.name)
        if isinstance(value, ctypes.Array):
            value = tuple(value)
        values[field.name] = _text(value) if value is None or isinstance(value, bytes) else value
    return Facts(**values)


def _files_of(handle: Any) -> Tuple[File, ...]:
    lib, files, raw = _library.library(), [], _library.File()
    for i in range(lib.cistern_version_file_count(handle)):
        lib.cistern_version_file(handle, i, ctypes.byref(raw))
        files.append(File(_text(raw.path), _text(raw.sha256), raw.bytes))
    return tuple(files)


def _members(handle: Any) -> Dict[str, Any]:
    lib = _library.library()
    texts = {name: _text(getattr(lib, "cistern_version_" + name)(handle))
             for name in ("name", "tag", "digest", "reference", "origin", "when", "who")}
    aliases = tuple(_text(lib.cistern_version_alias(handle, i)) for i in range(lib.cistern_version_alias_count(handle)))
    return dict(texts, bytes=lib.cistern_version_bytes(handle), aliases=aliases,
                is_here=bool(lib.cistern_version_is_here(handle)), files=_files_of(handle), facts=facts_of(handle))


def version_of(handle: Any) -> Version:
    return Version(**_members(handle))


def pulled_of(handle: Any, result: _library.PullResult) -> Pulled:
    outcome = _OUTCOMES[result.outcome] if result.outcome < len(_OUTCOMES) else str(result.outcome)
    return Pulled(**_members(handle), outcome=outcome, requests=result.requests, bytes_received=result.bytes_received,
                  bytes_resumed=result.bytes_resumed, note=_text(result.note))


def event_of(raw: _library.Event) -> Event:
    return Event(_text(raw.kind), _text(raw.tag), _text(raw.alias), raw.number, _text(raw.from_), _text(raw.digest),
                 _text(raw.who), _text(raw.when), _text(raw.why))
