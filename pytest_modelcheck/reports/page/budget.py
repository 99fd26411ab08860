"""What fits on a page that still opens at once: texts first, then evidence, of the worst gates first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pytest_modelcheck.reports.page.evidence import has_evidence, may_have_figures
from pytest_modelcheck.reports.page.gates import Line, Room, Shown, line_of
from pytest_modelcheck.reports.page.markup import Markup
from pytest_modelcheck.reports.run import Row

# Bytes of a page. What a mail server, a review tool and a telephone take.
LARGEST = 4_800_000

# Characters of a cell and of a message, from plenty to hardly any. No text is left out as a whole.
_ROOMS = ((400, 20_000), (240, 4_000), (120, 1_000), (80, 300))

# Bytes of what opens and closes evidence.
_FRAME = 40


class Writer(NamedTuple):
    """How the parts of a gate are written: its line, its evidence with figures, and without them."""

    line: Callable[[Line], str]
    full: Callable[[Row], str]
    plain: Callable[[Row], str]


def fitted(rows: Sequence[Row], used: int, writer: Writer) -> list[Shown]:
    """The rows, worst first, as far as each can be shown, where the rest of the page takes `used` bytes.

    Figures are left out from the passing end on, and where that is not enough, evidence is.
    """
    lines, taken = _lines(rows, LARGEST - used, writer.line)
    kept = _evidence(rows, LARGEST - used - taken, writer)
    return [Shown(line, Markup(evidence), left_out) for line, (evidence, left_out) in zip(lines, kept, strict=True)]


def _lines(rows: Sequence[Row], room: int, render: Callable[[Line], str]) -> tuple[list[Line], int]:
    for texts in _ROOMS:
        lines = [line_of(row, index, Room(*texts)) for index, row in enumerate(rows)]
        taken = sum(_bytes(render(line)) for line in lines)
        if taken <= room:
            break
    return lines, taken


def _evidence(rows: Sequence[Row], room: int, writer: Writer) -> list[tuple[str, str]]:
    """The evidence of each row and what of it is left out: all figures that fit beside what the others say plainly."""
    plain = [writer.plain(row) if has_evidence(row) else "" for row in rows]
    spare = room - sum(map(_bytes, plain))
    if spare < 0:
        return _least(rows, plain, room)
    kept = []
    full = False
    for row, least in zip(rows, plain, strict=True):
        evidence = writer.full(row) if may_have_figures(row) and not full else least
        cost = _bytes(evidence) - _bytes(least)
        full = full or cost > spare
        spare -= 0 if full else cost
        kept.append((least, _figures(row)) if full else (evidence, ""))
    return kept


def _least(rows: Sequence[Row], plain: Sequence[str], room: int) -> list[tuple[str, str]]:
    kept = []
    for row, least in zip(rows, plain, strict=True):
        room -= _bytes(least)
        kept.append((least, _figures(row)) if room >= 0 else ("", "evidence" if has_evidence(row) else ""))
    return kept


def _figures(row: Row) -> str:
    return "figures" if may_have_figures(row) else ""


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace")) + _FRAME if text else 0
