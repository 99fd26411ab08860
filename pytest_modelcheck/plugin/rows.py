"""The rows of a gate: plain dictionaries that travel on test reports and end in every report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_modelcheck.result import Result

Row = dict[str, Any]


def phase_rows(report: pytest.TestReport, results: Sequence[Result], error: BaseException | None) -> list[Row]:
    """The rows that one phase of a gate adds: those of its checks, and one of its own where they do not tell it all.

    A gate without checks of this package is judged by its own assertions. One that fails for another reason than its
    checks, or is skipped, gets a row that says so.
    """
    checks = [{"gate": report.nodeid, **result.as_dict()} for result in results] if report.when == "call" else []
    if report.when != "call" and report.passed:
        return []
    if hasattr(report, "wasxfail") and not report.failed:
        reason = str(report.wasxfail)
        outcome = "xfailed" if report.skipped else "xpassed"
        return [_clean({**row, "outcome": outcome}) for row in checks or [_own(report, outcome, reason)]]
    told = any(row["outcome"] != "passed" for row in checks) if report.failed else bool(checks)
    if not told or report.skipped:
        checks.append(_own(report, _outcome(report, error), _reason(report, error)))
    return [_clean(row) for row in checks]


def _outcome(report: pytest.TestReport, error: BaseException | None) -> str:
    if report.skipped:
        return "skipped"
    if report.passed:
        return "passed"
    return "failed" if report.when == "call" and isinstance(error, AssertionError) else "error"


def _reason(report: pytest.TestReport, error: BaseException | None) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    if error is None:
        return ""
    return f"{report.when}: {type(error).__name__}: {error}" if report.failed else str(error)


def _own(report: pytest.TestReport, outcome: str, reason: str) -> Row:
    """The row of a test as a whole."""
    first = reason.strip().partition("\n")[0]
    return {
        "gate": report.nodeid,
        "check": "test",
        "subject": "",
        "outcome": outcome,
        "promised": "the test passes",
        "measured": {"passed": "it passes", "skipped": f"skipped: {first}"}.get(outcome, first),
        "margin": None,
        "message": reason,
        "evidence": {},
        "device": "",
        "seconds": report.duration,
        "changes": [],
    }


def _clean(value: Any) -> Any:
    """The value with lone surrogates escaped: they are no Unicode text, and neither xdist nor a file takes them."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value
