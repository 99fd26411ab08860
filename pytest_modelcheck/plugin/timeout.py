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
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import IO, Any

import pytest

# How long what was told to end may take to do so, in seconds: as long as it was to run, within these.
_GRACE = (1.0, 30.0)

# The shortest time that a timer is set to, in seconds: 0 would be none.
_SOON = 0.001

# How much longer it may take to give up, and then to end the session, before nothing is waited for.
_LAST = (1.0, 30.0)


class GateTimeout(BaseException):
    """A gate ran too long. Not an `Exception`, so that no `except Exception` on its way can swallow it."""

    __module__ = "pytest_modelcheck"


class TeardownTimeout(Exception):
    """A gate's teardown ran too long. An `Exception`, so that pytest goes on with what is left to tear down."""

    __module__ = "pytest_modelcheck"


@dataclass(frozen=True)
class _Alarm:
    """Somebody else's alarm: who hears it, when it is due (0 if it is not), and how long after that again."""

    handler: Any
    due: float
    interval: float


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
    _other: _Alarm = field(default_factory=lambda: _Alarm(None, 0.0, 0.0), init=False)
    _due: float = field(default=0.0, init=False)
    _thread: threading.Timer | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _ended: bool = field(default=False, init=False)

    def start(self) -> None:
        """Let the time begin."""
        before = signal.signal(signal.SIGALRM, self._end)
        due, interval = signal.setitimer(signal.ITIMER_REAL, self.seconds)
        now = time.monotonic()
        self._other, self._due = _Alarm(before, due and now + due, interval), now + self.seconds
        self._arm()
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
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._other.handler)
        if self._other.due:
            left = max(self._other.due - time.monotonic(), _SOON)
            signal.setitimer(signal.ITIMER_REAL, left, self._other.interval)

    def told(self, where: str = "") -> str:
        """What is said of a phase that ran too long."""
        return f"still running after {self.seconds:g} s{where} (--modelcheck-timeout)"

    def _lose_patience(self) -> None:
        with self._lock:
            if not self._ended and self.give_up is not None:
                faulthandler.dump_traceback_later(_LAST[1], exit=True, file=self.stacks)
                self.give_up()

    def _arm(self) -> None:
        """Ring for whoever is due first."""
        due = min(self._due, self._other.due or self._due)
        signal.setitimer(signal.ITIMER_REAL, max(due - time.monotonic(), _SOON))

    def _end(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() < self._due - _SOON and not self._ended:
            self._ring(number, frame)
            return
        self.is_over = True
        if self._ended:
            return
        with self._lock:
            raise self.error(f"not measured: {self.told(_place(frame))}")

    def _ring(self, number: int, frame: FrameType | None) -> None:
        """Ring for somebody else, who may have the alarm ring again."""
        other = self._other
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            if callable(other.handler):
                other.handler(number, frame)
        finally:
            again = signal.getitimer(signal.ITIMER_REAL)[0] or other.interval
            self._other = replace(other, due=again and time.monotonic() + again)
            self._arm()


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
