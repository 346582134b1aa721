"""Long calls: progress on the caller's thread, and ^C.

Python runs signal handlers between its own instructions, on the main thread: while that is inside the library, ^C waits. So
the main thread starts a helper that makes the call, and itself waits in Python for reports of progress and the end.

    caller:  start helper --> take report --> user's callback --> … --> end: result or exception
                                  |  ^C, or the callback raises
                                  v
                          cancel, wait for the helper's end, raise that
"""
from __future__ import annotations

import ctypes
import queue
import threading
from typing import Any, Callable, NamedTuple, Optional

from . import _library
from .errors import check


class Progress(NamedTuple):
    """Where a long call is: ``step`` is "wait", "fetch", "copy", "hash" or "import"; the rest are bytes.

    ``total`` is 0 where it is not known; ``resumed`` bytes of ``done`` were here before; ``last`` ends a step.
    """
    step: str
    done: int
    total: int
    resumed: int
    last: bool


ProgressFn = Callable[[Progress], Any]


class _Helper:
    """One call on a thread of its own."""

    def __init__(self, work: Callable[[Any], None], with_progress: bool) -> None:
        self.reports: "queue.SimpleQueue[Optional[Progress]]" = queue.SimpleQueue()
        self.fault: Optional[BaseException] = None
        self.work = work
        self.call = _library.Call()
        self.report_fn = _library.PROGRESS_FN(self.report)  # kept: the library holds only its address
        if with_progress:
            self.call.progress = self.report_fn
        self.thread = threading.Thread(target=self.run, name="cistern call", daemon=True)

    def report(self, _user: Any, pointer: Any) -> None:
        p = pointer.contents
        self.reports.put(Progress(p.step.decode(), p.done, p.total, p.resumed, bool(p.last)))

    def run(self) -> None:
        try:
            self.work(self.call)
        except BaseException as fault:  # handed to the thread that waits
            self.fault = fault
        finally:
            self.reports.put(None)


def _wait(helper: _Helper, progress: Optional[ProgressFn]) -> None:
    while True:
        report = helper.reports.get()
        if report is None:
            return
        if progress is not None:
            progress(report)


def _join(thread: threading.Thread) -> None:
    """Wait for the helper's end, whatever is typed meanwhile: it uses memory that is freed next."""
    interrupted: Optional[BaseException] = None
    while thread.is_alive():
        try:
            thread.join()
        except KeyboardInterrupt as fault:
            interrupted = fault
    if interrupted is not None:
        raise interrupted


def long_call(work: Callable[[Any], None], progress: Optional[ProgressFn] = None) -> None:
    """Call ``work(call)``, where call is a C structure with a token that ^C sets. Raises what work or progress raises."""
    lib = _library.library()
    if progress is None and threading.current_thread() is not threading.main_thread():
        work(_library.Call())  # no ^C arrives here, and nobody listens
        return
    helper = _Helper(work, progress is not None)
    token = ctypes.c_void_p()
    check(lib.cistern_cancel_new, ctypes.byref(token))
    helper.call.cancel = token
    try:
        helper.thread.start()
        _wait(helper, progress)
    except BaseException:
        lib.cistern_cancel_set(token)  # the call returns within 100 ms
        raise
    finally:
        _join(helper.thread)
        lib.cistern_cancel_free(token)
    if helper.fault is not None:
        raise helper.fault
