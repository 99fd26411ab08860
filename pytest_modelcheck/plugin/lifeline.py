"""The end of a gate that nothing but the end of its process can end: what it was doing, and what the run still says."""

from __future__ import annotations

import faulthandler
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import pytest

from pytest_modelcheck.plugin.options import is_worker
from pytest_modelcheck.plugin.stash import session_of
from pytest_modelcheck.plugin.timeout import Limit, time_limit

_FOLDER = "modelcheck_stacks"

# Frames of the machinery around a gate, which say nothing of where it hangs.
_MACHINERY = (
    "/_pytest/",
    "/pluggy/",
    "/xdist/",
    "/execnet/",
    "/pytest/",
    "/pytest_modelcheck/plugin/",
    "/threading.py",
    '"<',
)

# How many frames are shown.
_MOST_LINES = 40

_SERIAL = "The session ends here; with pytest-xdist (-n1 or more) another process goes on"
_PARALLEL = "Another process goes on with the gates after it"


class Lifeline:
    """What ends a gate that hangs in C, for a session with a time limit.

    In a process of pytest-xdist the process ends, and its controller says what its gate did and starts another one. In
    a process of its own the session ends: its table and its reports tell of all gates so far, and that it is not whole.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seconds = session_of(config).settings.timeout or 0.0
        self._errors = _errors()
        self._folder = "" if is_worker(config) else tempfile.mkdtemp(prefix="pytest-modelcheck-stacks-")
        self._running: Limit | None = None

    @contextmanager
    def limited(self, item: pytest.Item, error: type[BaseException]) -> Iterator[None]:
        """Limit one phase of a gate."""
        __tracebackhide__ = True
        path = _file(self._config.workerinput[_FOLDER], item.nodeid) if is_worker(self._config) else None  # type: ignore[attr-defined]
        with nullcontext(self._errors) if path is None else path.open("w", encoding="utf-8") as stacks:
            limit = self._running = Limit(self._seconds, stacks, error)
            if path is None:
                limit.give_up = lambda: self._give_up(item, limit)
            with time_limit(limit):
                yield
        if path is not None:
            path.unlink(missing_ok=True)

    def pytest_enter_pdb(self) -> None:
        if self._running is not None:
            self._running.stop()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_FOLDER] = self._folder

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        path = _file(self._folder, crashitem)
        stacks = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        if stacks:
            report.longrepr = _told(Limit(self._seconds, self._errors), _PARALLEL, stacks)

    def pytest_unconfigure(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._errors.close()

    def _give_up(self, item: pytest.Item, limit: Limit) -> None:
        """From a thread of its own, while another one hangs: report the gate, end the session, and the process."""
        status = int(pytest.ExitCode.TESTS_FAILED)
        try:
            capture = self._config.pluginmanager.getplugin("capturemanager")
            if capture is not None:
                capture.suspend(in_=True)
            text = _told(limit, _SERIAL, _stacks())
            # As xdist tells of a test whose process ended.
            report = pytest.TestReport(item.nodeid, item.location, {}, "failed", text, "???")  # type: ignore[arg-type]
            session = item.session
            session.shouldstop = f"{item.nodeid} hangs"
            self._config.hook.pytest_runtest_logreport(report=report)
            session.exitstatus = status
            self._config.hook.pytest_sessionfinish(session=session, exitstatus=status)
            sys.stdout.flush()
        finally:
            os._exit(status)


def _errors() -> IO[str]:
    """The terminal's standard error, whatever pytest captures of it once tests run."""
    try:
        return os.fdopen(os.dup(sys.__stderr__.fileno()), "w", encoding="utf-8")  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):  # there is none
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123


def _file(folder: str, nodeid: str) -> Path:
    return Path(folder) / f"{hashlib.sha256(nodeid.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}.txt"


def _stacks() -> str:
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        return file.read()


def _told(limit: Limit, why: str, stacks: str) -> str:
    """What is said of a gate that had to be ended with its process: the frames of the user's code, innermost first."""
    lines = [line.strip() for line in stacks.splitlines() if line.startswith("  File ")]
    own = [line for line in lines if not any(part in line.replace(os.sep, "/") for part in _MACHINERY)]
    more = [f"... and {len(own) - _MOST_LINES} more"] if len(own) > _MOST_LINES else []
    shown = "\n".join(f"  {line}" for line in [*own[:_MOST_LINES], *more])
    return f"{limit.told()}, and it did not end when it was told to, so its process was ended. {why}\n{shown}"
