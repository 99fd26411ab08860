"""The rows of a gate: plain dictionaries that travel on test reports and end in every report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_modelcheck.result import Part, Result

Row = dict[str, Any]

_BROKEN = ("failed", "error", "xpassed")


def phase_rows(report: pytest.TestReport, results: Sequence[Result], error: BaseException | None) -> list[Row]:
    """The rows that one phase of a gate adds: those of its checks, and one of its own where they do not tell it all.

    A gate without checks of this package is judged by its own assertions. One that fails for another reason than its
    checks, or is skipped, gets a row that says so.
    """
    checks = [row for result in results for row in _checked(report, result)] if report.when == "call" else []
    if report.when != "call" and report.passed:
        return []
    if hasattr(report, "wasxfail") and not report.failed:
        reason = str(report.wasxfail)
        # What ended before its call was not measured, whatever was expected of it.
        outcome = "xpassed" if report.passed else "xfailed" if report.when == "call" else "skipped"
        rows = checks or [_own(report, outcome, reason)]
        # A broken promise may be expected; one that could not be measured is no promise that was looked at.
        return [plain({**row, "outcome": _expected(row, outcome)}) for row in rows]
    if report.passed:  # the test itself expected what broke, and caught it
        checks = [{**row, "outcome": "xfailed"} if row["outcome"] in _BROKEN else row for row in checks]
    told = any(row["outcome"] in _BROKEN for row in checks) if report.failed else bool(checks)
    if not told or report.skipped:
        checks.append(_own(report, _outcome(report, error), _reason(report, error)))
    return [plain(row) for row in checks]


def _expected(row: Row, outcome: str) -> str:
    """The outcome of a row of a test that was expected to fail: a part that is not broken stays what it is."""
    if row["outcome"] in ("error", "skipped"):
        return "skipped"
    return str(row["outcome"]) if row["part"] and row["outcome"] not in _BROKEN else outcome


def lost_rows(report: pytest.TestReport) -> list[Row]:
    """The row of a test whose process ended while it ran: its report belongs to no phase and carries no rows."""
    if report.when in ("setup", "call", "teardown"):
        return []
    return [plain(_own(report, "error", f"not measured: {report.longrepr}"))]


def _checked(report: pytest.TestReport, result: Result) -> list[Row]:
    """The row of a check, or those of its parts, with texts made so: a check of another package may give anything."""
    whole = {"gate": report.nodeid, "part": "", **vars(result), **_texts(result), "device": str(result.device)}
    if not whole.pop("parts"):
        return [whole]
    rows = [{**whole, **vars(part), **_texts(part), "part": part.name, "changes": ()} for part in result.parts]
    rows[0]["changes"] = result.changes
    return [{key: value for key, value in row.items() if key != "name"} for row in rows]


def _texts(found: Result | Part) -> Row:
    return {name: str(getattr(found, name)) for name in ("promised", "measured", "message")}


def _outcome(report: pytest.TestReport, error: BaseException | None) -> str:
    if report.skipped:
        return "skipped"
    if report.passed:
        return "passed"
    broken = error is None or isinstance(error, AssertionError)
    return "failed" if report.when == "call" and broken else "error"


def _reason(report: pytest.TestReport, error: BaseException | None) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    if error is None:
        return report.longreprtext
    return f"{report.when}: {type(error).__name__}: {error}" if report.failed else str(error)


def _own(report: pytest.TestReport, outcome: str, reason: str) -> Row:
    """The row of a test as a whole."""
    first = reason.strip().partition("\n")[0]
    return {
        "gate": report.nodeid,
        "check": "test",
        "part": "",
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


def plain(value: Any) -> Any:
    """The value in JSON's own types, which xdist carries and every file takes; of anything else, the type's name.

    Numbers that are not finite become texts, and lone surrogates, which are no Unicode text, are escaped.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else f"<{type(value).__name__}>"
