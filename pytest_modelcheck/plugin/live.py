"""The terminal as it is seen while a test runs and pytest captures what is written."""

from __future__ import annotations

import io
import sys

import pytest


class LiveTerminal(io.TextIOBase):
    """Writes to the person at the terminal, past pytest's capture, from a line of its own on."""

    def __init__(self, config: pytest.Config) -> None:
        # The workers of pytest-xdist share a terminal that is not theirs.
        is_worker = hasattr(config, "workerinput")
        self._capture = None if is_worker else config.pluginmanager.get_plugin("capturemanager")
        self._begun = False

    def isatty(self) -> bool:
        """Whether anybody can see what is written."""
        if self._capture is None or sys.__stderr__ is None:
            return False
        with self._capture.global_and_fixture_disabled():
            return sys.__stderr__.isatty()

    def write(self, text: str, /) -> int:
        """Write at once."""
        if self._capture is None or sys.__stderr__ is None or not text:
            return 0
        with self._capture.global_and_fixture_disabled():
            sys.__stderr__.write(text if self._begun else f"\n{text}")
            sys.__stderr__.flush()
        self._begun = True
        return len(text)
