"""One row of the table of faults: what is broken, and what a run of pytest must say and leave behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# Stands in a message for what differs from machine to machine.
ANYTHING = "…"


@dataclass(frozen=True)
class Fault:
    """A fault and what must become of it.

    `test` is the text of `test_fault.py`, and `files` are others beside it. The first gate of that file that is not
    kept has the outcome and the message; `…` stands for any text and `{root}` for the session's folder. Where no gate
    can have a row, `outcome` is empty and the message stands in the output. `changes` are what the rows tell of
    surroundings that the gate changed, and `prepare` makes what is no text. `check` asserts what only this row has.
    What would run code tries to leave a file named `canary`, which is there after no row; `network` is what the fault
    itself asked of the network, and was refused.

    Tests of another file follow in the same session: one finds the world as it was, and one is a gate with a baseline;
    `goes_on` is false where the session ends before them. `needs` is a module without which there is no such fault.
    `fresh` asks for a new interpreter, where a fork of one that has loaded torch would not do.
    """

    test: str
    message: str
    outcome: str = "error"
    exit: int = pytest.ExitCode.TESTS_FAILED
    options: tuple[str, ...] = ()
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    prepare: Callable[[Path], object] | None = None
    check: Callable[[Session], object] | None = None
    goes_on: bool = True
    needs: str = ""
    network: str = ""
    fresh: bool = False


class Group(NamedTuple):
    """Faults under one heading, by name; `hostile` are inputs that somebody made to do harm."""

    title: str
    rows: Mapping[str, Fault]
    hostile: bool = False


@dataclass(frozen=True)
class Session:
    """A run that is over: its exit code, what it printed, its JSON report, and its folder."""

    exit: int
    output: str
    report: Mapping[str, Any]
    root: Path

    def rows(self, file: str) -> list[Mapping[str, Any]]:
        """The rows of the gates of one file."""
        return [row for row in self.report.get("rows", []) if row["gate"].startswith(f"{file}::")]


def fits(message: str, text: str) -> bool:
    """Whether a text is a message in which `…` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, message.split(ANYTHING))), text, flags=re.DOTALL) is not None


def judge(fault: Fault, session: Session) -> None:
    """Assert that the run ended as it must."""
    message = fault.message.replace("{root}", str(session.root))
    assert session.exit == fault.exit, session.output
    assert "INTERNALERROR" not in session.output, session.output
    assert not (session.root / "canary").exists(), session.output
    assert network_of(session.root) == fault.network
    if fault.outcome:
        rows = session.rows("test_fault.py")
        broken = [row for row in rows if row["outcome"] not in ("passed", "skipped")]
        assert broken, session.output
        assert broken[0]["outcome"] == fault.outcome, broken[0]
        assert fits(message, broken[0]["message"]), broken[0]["message"]
        assert [change for row in rows for change in row["changes"]] == list(fault.changes)
        assert session.report["passed"] is False
    else:
        assert fits(f"{ANYTHING}{message}{ANYTHING}", session.output), session.output
        assert not session.report.get("passed", False)
    if fault.goes_on:
        assert [row["outcome"] for row in session.rows("test_next.py")] == ["passed"], session.output
        assert "test_next.py::test_world passed" in (session.root / "ended").read_text().splitlines(), session.output
    if fault.check is not None:
        fault.check(session)


def network_of(root: Path) -> str:
    """What a session asked of the network, one line for each kind."""
    path = root / "network"
    return "\n".join(dict.fromkeys(path.read_text().splitlines())) if path.exists() else ""


def report_of(root: Path) -> Mapping[str, Any]:
    """The JSON report of a run; nothing where it was not written."""
    path = root / "report.json"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return json.loads(text) if text else {}
