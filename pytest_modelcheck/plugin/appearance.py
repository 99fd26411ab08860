"""How the report of a gate looks: its message first, nothing in it that a terminal or a log would obey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_modelcheck.escape import discreet, printable_lines
from pytest_modelcheck.plugin.rows import Row
from pytest_modelcheck.reports.github import defuse


def status_of(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """How pytest shows a test that only a waiver lets through."""
    rows: Sequence[Row] = getattr(report, "modelcheck", ())
    is_waived = report.when == "call" and report.passed and any(row["outcome"] == "waived" for row in rows)
    return ("waived", "w", ("WAIVED", {"yellow": True})) if is_waived else None


def show_message_first(report: pytest.TestReport, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """A broken marker has no line of the test to show: its message stands alone, and what caused it in a section."""
    shown: Any = excinfo.getrepr(style="value", chain=False)
    for entry in shown.reprtraceback.reprentries:
        entry.style, entry.lines = "short", [f"E   {line}" for line in entry.lines]
    report.longrepr = shown
    cause = excinfo.value.__cause__
    if cause is not None:
        raised = pytest.ExceptionInfo.from_exception(cause).getrepr(style="short")
        report.sections.append(("where it was raised", _inert(str(raised))))


def make_inert(longrepr: Any) -> None:
    """Escape what a model or a file has put into a traceback: a terminal would obey it, and xdist may not carry it."""
    for traceback, crash, _ in getattr(longrepr, "chain", ()):
        for entry in traceback.reprentries:
            entry.lines = [_inert(line.expandtabs()) for line in entry.lines]
        if crash is not None:
            crash.message = _inert(crash.message)


def _inert(text: str) -> str:
    return defuse(printable_lines(discreet(text)))
