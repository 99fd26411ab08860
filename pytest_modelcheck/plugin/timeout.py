"""A limit to how long one phase of a gate may run."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import pytest


class GateTimeout(BaseException):
    """A gate ran too long. Not an `Exception`, so that no `except Exception` on its way can swallow it."""

    __module__ = "pytest_modelcheck"


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `GateTimeout` in whatever runs when the time is over; the traceback shows where that was."""
    if seconds is None:
        yield
        return
    if not hasattr(signal, "setitimer"):
        raise pytest.UsageError("modelcheck: --modelcheck-timeout needs SIGALRM, which this platform has not")

    def end(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise GateTimeout(f"not measured: still running after {seconds:g} s (--modelcheck-timeout)")

    before = signal.signal(signal.SIGALRM, end)
    started = time.monotonic()
    armed, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        # Somebody else's alarm goes on, less the time that has passed.
        left = max(armed - (time.monotonic() - started), 0.001) if armed else 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, left)
