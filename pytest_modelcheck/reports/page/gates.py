"""A row of a run as the page shows it: a line of the table, and what explains it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports.page.markup import Markup
from pytest_modelcheck.reports.page.texts import cut, cut_lines, is_number, shown
from pytest_modelcheck.reports.run import OUTCOMES, Row, shown_check, shown_gate, shown_margin

BROKEN = ("error", "failed", "xpassed")

# How many broken gates are open when the page is.
_OPEN = 20

_SEPARATOR = " \u00b7 "


class Room(NamedTuple):
    """How many characters a cell and a message may have."""

    cell: int
    message: int


class Line(NamedTuple):
    """What the table shows of a row: texts that are inert and no longer than there is room for."""

    anchor: str
    outcome: str
    gate: str
    check: str
    promised: str
    measured: str
    margin: str
    device: str
    seconds: str
    order: str
    place: str
    message: str
    command: str
    waiver: str
    changes: tuple[str, ...]
    open: bool

    @property
    def explained(self) -> bool:
        """Whether there is more to say than the line does."""
        return bool(self.message or self.waiver or self.changes)


class Shown(NamedTuple):
    """A line with its evidence, and what of that is left out: nothing, `"figures"` or all of the `"evidence"`."""

    line: Line
    evidence: Markup
    left_out: str


def line_of(row: Row, index: int, room: Room) -> Line:
    """The line of the row that stands at this place, the worst one at 0."""
    outcome = row["outcome"] if row["outcome"] in OUTCOMES else "error"
    waiver = row.get("waiver")
    margin = row["margin"]
    return Line(
        anchor=f"g{index}",
        outcome=outcome,
        gate=cut(shown_gate(row), room.cell),
        check="" if row["check"] == "test" else cut(shown_check(row), room.cell),
        promised=cut(str(row["promised"]), room.cell),
        measured=cut(str(row["measured"]), room.cell),
        margin=shown_margin(row),
        device=cut(str(row["device"]), room.cell),
        seconds=f"{row['seconds']:.2f}",
        order=f"{margin:.6g}" if is_number(margin) else "",
        place=cut(_SEPARATOR.join(_place(row)), room.cell),
        message=cut_lines(str(row["message"]), room.message) if row["message"] else "",
        command=_command(row) if outcome in BROKEN else "",
        waiver=cut(waiver_words(waiver), room.message) if isinstance(waiver, dict) else "",
        changes=tuple(cut(str(change), room.message) for change in row["changes"]),
        open=outcome in BROKEN and index < _OPEN,
    )


def waiver_words(waiver: dict[str, Any]) -> str:
    """Why a gate that fails does not fail the run, who says so, and until when."""
    owner, expires = waiver.get("owner"), waiver.get("expires")
    told = f"{waiver.get('reason', '')}"
    return told + (f"; owner {owner}" if owner else "") + (f"; until {expires}" if expires else "")


def _place(row: Row) -> Sequence[str]:
    """Where the test stands, what it looks at, and the number that its verdict is about."""
    file = str(row.get("file") or row["gate"].partition("::")[0])
    line = row.get("line")
    parts = [f"{file}:{line}" if line else file, str(row["subject"]), _number(row.get("number"))]
    return [part for part in parts if part]


def _number(number: Any) -> str:
    if not (isinstance(number, dict) and is_number(number.get("value"))):
        return ""
    low, high = number.get("low"), number.get("high")
    bounds = f" ({shown(low)} to {shown(high)})" if is_number(low) and is_number(high) else ""
    return f"{number.get('name')} {shown(number['value'])}{bounds}"


def _command(row: Row) -> str:
    """How to run this gate alone; nothing where its name cannot be typed."""
    gate = row["gate"]
    return f"pytest --modelcheck {shlex.quote(gate)}" if printable(gate) == gate and len(gate) <= 300 else ""
