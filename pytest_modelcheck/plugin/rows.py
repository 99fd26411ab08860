"""The rows of a gate: plain dictionaries that travel on test reports and end in every report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

import pytest

from pytest_modelcheck.errors import ModelCheckFailure, remedy_of, text_of
from pytest_modelcheck.escape import discreet, unicode_of
from pytest_modelcheck.reports.run import shown_check
from pytest_modelcheck.result import Part, Result
from pytest_modelcheck.waivers import Waivers

Row = dict[str, Any]

# The outcomes of promises that were not kept, or not measured.
BROKEN = ("failed", "error", "xpassed")

# What no check gives by intention: evidence nested so deeply, integers of so many bits.
_DEEPEST = 100
_LONGEST = 3000

_CAUGHT: Mapping[str, str] = MappingProxyType({"failed": "xfailed", "xpassed": "xfailed", "error": "skipped"})


def phase_rows(
    report: pytest.TestReport,
    results: Sequence[Result],
    error: BaseException | None,
    waivers: Waivers,
    card: Mapping[str, str],
    *,
    is_of_unittest: bool = False,
) -> list[Row]:
    """The rows that one phase of a gate adds: those of its checks, and one of its own where they do not tell it all.

    A gate without checks of this package is judged by its own assertions. One that fails for another reason than its
    checks, or is skipped, gets a row that says so. Broken promises that have a waiver are waived.
    """
    rows = _phase_rows(report, [_waived(row, waivers) for row in _rows_of(report, results)], error)
    # What a check has raised is its own rows' to say; a waiver of the test is for the test's own assertions, which in
    # a unittest cannot be told from those of its setUp.
    is_own = not is_of_unittest and not isinstance(error, ModelCheckFailure)
    last = waivers if is_own else Waivers((), waivers.today)
    return [{**_waived(row, last), "card": dict(card)} for row in rows]


def let_through(report: pytest.TestReport, rows: Sequence[Row]) -> None:
    """Let a test pass whose own assertion broke what a waiver covers; how it broke stays to be read."""
    outcomes = {row["outcome"] for row in rows}
    if report.when == "call" and report.failed and "waived" in outcomes and outcomes.isdisjoint(BROKEN):
        report.sections.append(("waived", report.longreprtext))
        report.outcome, report.longrepr = "passed", None


def _waived(row: Row, waivers: Waivers) -> Row:
    """The row, let through if its promise is broken and has a waiver. What was not measured has none."""
    waiver = waivers.of(row["gate"], shown_check(row)) if row["outcome"] == "failed" else None
    return row if waiver is None else {**row, "outcome": "waived", "waiver": plain(waiver.as_dict())}


def _rows_of(report: pytest.TestReport, results: Sequence[Result]) -> list[Row]:
    return [row for result in results for row in _checked(report, result)]


def _phase_rows(report: pytest.TestReport, checks: list[Row], error: BaseException | None) -> list[Row]:
    if report.when != "call" and report.passed and not checks:
        return []
    if hasattr(report, "wasxfail") and not report.failed:
        # Some versions of pytest write this before the reason that a test itself gives to pytest.xfail.
        reason = str(report.wasxfail).removeprefix("reason: ")
        # What ended before its call was not measured, whatever was expected of it.
        outcome = "xpassed" if report.passed else "xfailed" if report.when == "call" else "skipped"
        # A test that broke on its own is one that was expected to fail only where an assertion did.
        expected = error is None or isinstance(error, (AssertionError, pytest.xfail.Exception))
        broke = "skipped" if outcome == "xfailed" and not expected else outcome
        rows = checks or [_own(report, broke, reason)]
        # A broken promise may be expected; one that could not be measured is no promise that was looked at.
        return [_as_row({**row, "outcome": _expected(row, outcome)}) for row in rows]
    if report.passed:  # the test itself expected what broke, and caught it; what was not measured, nobody could expect
        checks = [{**row, "outcome": _CAUGHT.get(row["outcome"], row["outcome"])} for row in checks]
    told = any(row["outcome"] in BROKEN for row in checks) if report.failed else bool(checks)
    if not told or report.skipped or report.when == "setup":
        checks.append(_own(report, _outcome(report, error), _reason(report, error)))
    return [_as_row(row) for row in checks]


def _expected(row: Row, outcome: str) -> str:
    """The outcome of a row of a test that was expected to fail: a part that is not broken stays what it is."""
    if row["outcome"] in ("error", "skipped"):
        return "skipped"
    return str(row["outcome"]) if row["part"] and row["outcome"] not in BROKEN else outcome


def lost_rows(report: pytest.TestReport) -> list[Row]:
    """The row of a test whose process ended while it ran: its report belongs to no phase and carries no rows."""
    if report.when in ("setup", "call", "teardown"):
        return []
    return [_as_row(_own(report, "error", f"not measured: {report.longrepr}"))]


def _checked(report: pytest.TestReport, result: Result) -> list[Row]:
    """The row of a check, or those of its parts, with texts made so: a check of another package may give anything."""
    whole = {**_place(report), "part": "", **vars(result), **_told(result), "subject": str(result.subject)}
    whole["device"] = str(result.device)
    if not whole.pop("parts"):
        return [whole]
    rest = {"changes": (), "history": ()}
    rows = [{**whole, **vars(part), **_told(part), "part": part.name, **rest} for part in result.parts]
    rows[0].update(changes=result.changes, history=result.history)
    return [{key: value for key, value in row.items() if key != "name"} for row in rows]


def _told(found: Result | Part) -> Row:
    number = None if found.number is None else asdict(found.number)
    return {**{name: str(getattr(found, name)) for name in ("promised", "measured", "message")}, "number": number}


def _place(report: pytest.TestReport) -> Row:
    """The gate, and the file and line where its test stands; the line is 0 where pytest knows of none."""
    file, line, _ = report.location
    return {"gate": report.nodeid, "file": file, "line": 0 if line is None else line + 1, "waiver": None, "card": {}}


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
    text = text_of(error)
    if not report.failed:
        return text
    if isinstance(error, pytest.FixtureLookupError) and error.msg is None:
        text = f"there is no fixture {error.argname!r}: write it, or name another one"
    if isinstance(error, ModuleNotFoundError) and (remedy := remedy_of(error.name or "")):
        text = f"{text}. {remedy}"  # as a check would have said it that missed the package
    return f"{report.when}: {type(error).__name__}: {text}"


def _own(report: pytest.TestReport, outcome: str, reason: str) -> Row:
    """The row of a test as a whole."""
    first = reason.strip().partition("\n")[0]
    return {
        **_place(report),
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
        "number": None,
        "history": [],
    }


def _as_row(row: Row) -> Row:
    """The row in JSON's own types, without what is nobody's business; its test keeps its name, which waivers have."""
    found = plain(row)
    return {key: item if key in ("gate", "file") else _discreet(item) for key, item in found.items()}


def _discreet(value: Any) -> Any:
    if isinstance(value, str):
        return discreet(value)
    if isinstance(value, dict):
        keys = {key: discreet(key) for key in value}
        # Two that would become one stay as they are: no evidence is lost.
        shown = keys if len(set(keys.values())) == len(keys) else {key: key for key in keys}
        return {shown[key]: _discreet(item) for key, item in value.items()}
    return [_discreet(item) for item in value] if isinstance(value, list) else value


def plain(value: Any, depth: int = 0) -> Any:
    """The value in JSON's own types, which xdist carries and every file takes; of anything else, the type's name.

    Numbers that are not finite become texts, and lone surrogates, which are no Unicode text, are escaped. Of integers
    of a thousand digits and of what is nested too deeply, the types' names are left.
    """
    if depth > _DEEPEST:
        return f"<{type(value).__name__}>"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return unicode_of(value)
    if isinstance(value, int):
        bits = value.bit_length()
        return int(value) if bits < _LONGEST else f"<{type(value).__name__} of {bits:,} bits>"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    return f"<{type(value).__name__}>"
