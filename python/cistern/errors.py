"""What goes wrong: one class for each thing that a caller can act on, each with ``status``, ``name`` and ``message``."""
from __future__ import annotations

import ctypes
from typing import Any, Dict, Optional, Type

from ._library import CError, library

__all__ = ["Error", "UnexpectedError", "UsageError", "NotFoundError", "OfflineError", "NetworkError", "RefusedError",
           "ConflictError", "NoSpaceError", "TimedOutError", "NoMemoryError", "DamagedError", "UnreadableError", "DeniedError",
           "CancelledError"]


class Error(Exception):
    """Any failure of cistern.

    status    the library's number, which is the command line's exit code for all but NO_MEMORY
    name      its short name, such as "NOT_FOUND"
    message   one line: what was seen, what is allowed, what to do next
    os_errno  of the system call that failed, else 0
    offset    byte position in the file at fault, or None
    """

    status: int = 1

    def __init__(self, message: str, status: Optional[int] = None, os_errno: int = 0, offset: Optional[int] = None) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status
        self.os_errno = os_errno
        self.offset = offset

    @property
    def name(self) -> str:
        return str(library().cistern_status_name(self.status).decode())


class UnexpectedError(Error):
    """Something that nobody thought of, or an installation that is not complete."""
    status = 1


class UsageError(Error, ValueError):
    """A bad reference, option, size or layer."""
    status = 2


class NotFoundError(Error, LookupError):
    """No such model, version, file or address."""
    status = 3


class OfflineError(Error):
    """It is not here, and requests are not allowed."""
    status = 4


class NetworkError(Error):
    """The network or the server failed, after all tries. What had come is kept for the next."""
    status = 5


class RefusedError(Error):
    """The server wants other credentials."""
    status = 6


class ConflictError(Error):
    """Another content under the same name, or an alias that is not where it was expected."""
    status = 7


class NoSpaceError(Error):
    """The disk, or the quota, is full."""
    status = 8


class TimedOutError(Error):
    """Another process's fetch took too long."""
    status = 9


class NoMemoryError(Error, MemoryError):
    """Out of memory."""
    status = 10


class DamagedError(Error):
    """The bytes are not what was expected or recorded."""
    status = 65


class UnreadableError(Error):
    """Not a weight file, image or network that can be read."""
    status = 66


class DeniedError(Error):
    """No permission here."""
    status = 77


class CancelledError(Error):
    """Interrupted; a fetch goes on where it stopped, the next time."""
    status = 130


_CLASSES: Dict[int, Type[Error]] = {cls.status: cls for cls in Error.__subclasses__()}


def from_c(status: int, err: CError) -> Error:
    """The exception for a failed call."""
    lib = library()
    size = lib.cistern_error_format(ctypes.byref(err), None, 0) + 1
    text = ctypes.create_string_buffer(size)
    lib.cistern_error_format(ctypes.byref(err), text, size)
    message = text.value.decode("utf-8", "replace") or lib.cistern_status_text(status).decode()
    return _CLASSES.get(status, UnexpectedError)(message, status, err.os_errno, err.offset if err.has_offset else None)


def check(function: Any, *arguments: Any) -> None:
    """Call ``function(*arguments, &error)``; raise what it says."""
    err = CError()
    status = function(*arguments, ctypes.byref(err))
    if status:
        raise from_c(status, err)
