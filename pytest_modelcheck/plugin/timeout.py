"""A limit to how long one phase of a gate may run, and an end for what does not hear that it is over."""

from __future__ import annotations

import faulthandler
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

import pytest

# How long what was told to end may take to do so, in seconds: as long as it was to run, within these.
_GRACE = (1.0, 30.0)

# How much longer it may take to give up, and then to end the session, before nothing is waited for.
_LAST = (1.0, 30.0)


class GateTimeout(BaseException):
    """A gate ran too long. Not an `Exception`, so that no `except Exception` on its way can swallow it."""

    __module__ = "pytest_modelcheck"


class TeardownTimeout(Exception):
    """A gate's teardown ran too long. An `Exception`, so that pytest goes on with what is left to tear down."""

    __module__ = "pytest_modelcheck"


@dataclass
class Limit:
    """How long a phase may run.

    When `seconds` are over, the `error` is raised in whatever runs. Code in C does not hear of it before it returns,
    and so, after a while, `give_up` is called from another thread, if there is one to call, and at last the process is
    ended with the stacks of all threads in `stacks`.
    """

    seconds: float
    stacks: IO[str]
    error: type[BaseException] = GateTimeout
    give_up: Callable[[], object] | None = None
    is_over: bool = field(default=False, init=False)
    _others: tuple[Any, float, float] = field(default=(None, 0.0, 0.0), init=False)
    _thread: threading.Timer | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _ended: bool = field(default=False, init=False)

    def start(self) -> None:
        """Let the time begin."""
        before = signal.signal(signal.SIGALRM, self._end)
        armed, _ = signal.setitimer(signal.ITIMER_REAL, self.seconds)
        self._others = (before, armed, time.monotonic())
        if 0 < armed < self.seconds:  # somebody else's alarm is due first
            signal.setitimer(signal.ITIMER_REAL, armed)
        patience = self.seconds + min(max(self.seconds, _GRACE[0]), _GRACE[1])
        if self.give_up is not None:
            self._thread = threading.Timer(patience, self._lose_patience)
            self._thread.daemon = True
            self._thread.start()
            patience += _LAST[0]
        faulthandler.dump_traceback_later(patience, exit=True, file=self.stacks)

    def stop(self) -> None:
        """End it; somebody else's alarm goes on, less the time that has passed."""
        self._ended = True
        with self._lock:  # whoever gave up never lets go of it
            pass
        if self._thread is not None:
            self._thread.cancel()
        faulthandler.cancel_dump_traceback_later()
        before, armed, started = self._others
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, max(armed - (time.monotonic() - started), 0.001) if armed else 0)

    def told(self, where: str = "") -> str:
        """What is said of a phase that ran too long."""
        return f"still running after {self.seconds:g} s{where} (--modelcheck-timeout)"

    def _lose_patience(self) -> None:
        with self._lock:
            if not self._ended and self.give_up is not None:
                faulthandler.dump_traceback_later(_LAST[1], exit=True, file=self.stacks)
                self.give_up()

    def _end(self, number: int, frame: FrameType | None) -> None:
        before, armed, started = self._others
        passed = time.monotonic() - started
        if 0 < armed < self.seconds and not self._ended:
            self._others = (before, 0.0, started)
            signal.setitimer(signal.ITIMER_REAL, max(self.seconds - passed, 0.001))
            if callable(before):
                before(number, frame)
            return
        self.is_over = True
        if self._ended:
            return
        with self._lock:
            raise self.error(f"not measured: {self.told(_place(frame))}")


@contextmanager
def time_limit(limit: Limit) -> Iterator[None]:
    """Raise the limit's error in whatever runs when the time is over, and again if that was swallowed."""
    __tracebackhide__ = True
    if not hasattr(signal, "setitimer"):
        raise pytest.UsageError("modelcheck: --modelcheck-timeout needs SIGALRM, which this platform has not")
    limit.start()
    try:
        yield
    finally:
        limit.stop()
    if limit.is_over:
        raise limit.error(f"not measured: {limit.told()}")


def _place(frame: FrameType | None) -> str:
    """The innermost line of the user's own code, which is neither Python's nor of an installed package."""
    others = tuple(sysconfig.get_paths()[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib"))
    package = str(Path(__file__).parents[1])
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((*others, package, sys.prefix, "<")):
            return f", in {frame.f_code.co_name} at {Path(file).name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
