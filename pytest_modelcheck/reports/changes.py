"""A comparison of two reports as lines for a terminal, and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType

from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports import markup
from pytest_modelcheck.reports.columns import Line, aligned
from pytest_modelcheck.reports.comparing import Change, Comparison
from pytest_modelcheck.reports.noise import Difference
from pytest_modelcheck.reports.run import shown_check, shown_gate

_STYLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "worse": ("red", "bold"),
        "gone": ("red", "bold"),
        "not comparable": ("red",),
        "changed": ("yellow",),
        "better": ("green",),
        "new": ("yellow",),
        "same": (),
    }
)

_GATE = 1

# The columns that shrink when the terminal is narrow, and how narrow each may get.
_SHRINKING: Mapping[int, int] = MappingProxyType({_GATE: 12, 2: 8, 3: 26})
_MOVED = 4
_MOVED_AT_LEAST = (8, 34)  # without bounds, and with them

# A terminal that is narrower than this does without the files of gates and the bounds of differences.
_WIDE = 120

_TABLE = "| verdict | gate | check | device | before and now | difference |\n|---|---|---|---|---|---|"

# How many bytes of rows, and of what is beside them, a job summary of 1 MiB has room for.
_LARGEST = 480_000

# Digits of a number that does not differ, or not by less.
_DIGITS = 4
_MOST_DIGITS = 9

_ROUNDING = 1e-6

# Numbers from here on are written with an exponent.
_LARGE = 10**15


def lines(
    comparison: Comparison, regressions: Sequence[str], *, width: int = 80, everything: bool = False
) -> list[Line]:
    """The summary, the rows that differ, worst first, what else differs, and whether it is a regression.

    `everything` shows what is the same as well.
    """
    changes = _listed(comparison, everything)
    found = [Line(comparison.summary(), ("bold",))]
    is_wide = width >= _WIDE
    least = {**_SHRINKING, _MOVED: _MOVED_AT_LEAST[is_wide]}
    texts = aligned([_cells(change, is_wide=is_wide) for change in changes], width, least, [_GATE])
    found += [Line(text, _STYLES[change.verdict]) for text, change in zip(texts, changes, strict=True)]
    found += [Line(printable(problem), ("red", "bold")) for problem in comparison.problems]
    found += [Line(f"note: {printable(note)}") for note in comparison.notes]
    if not regressions:
        return [*found, Line("no regression", ("green", "bold"))]
    return [*found, Line(f"regression: {', '.join(regressions)}", ("red", "bold"))]


def markdown(comparison: Comparison, regressions: Sequence[str], *, everything: bool = False) -> str:
    """The same for a pull request or a job summary, which takes no more than 1 MiB: rows beyond that are counted."""
    changes = _listed(comparison, everything)
    rows, left = _fitting([_markdown_row(change) for change in changes])
    told, notes_left = _fitting([f"- {markup.text(item)}" for item in (*comparison.problems, *comparison.notes)])
    told += [f"- and {left + notes_left:,} more, for which there is no room"] if left + notes_left else []
    paragraphs = [
        f"## modelcheck: {comparison.summary()}",
        "\n".join([_TABLE, *rows]) if rows else "",
        "\n".join(told),
        f"**regression**: {', '.join(regressions)}" if regressions else "**no regression**",
    ]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def _markdown_row(change: Change) -> str:
    verdict, gate, _, values, moved = _cells(change, is_wide=True)
    cells = (verdict, gate, _check(change), change.row["device"], values, moved)
    return "| " + " | ".join(map(markup.cell, cells)) + " |"


def _fitting(items: Sequence[str]) -> tuple[list[str], int]:
    """The first of the items, as many as there is room for, and the number of the others."""
    sizes = accumulate(len(item.encode()) + 1 for item in items)
    fitting = sum(size <= _LARGEST for size in sizes)
    return list(items[:fitting]), len(items) - fitting


def _listed(comparison: Comparison, everything: bool) -> list[Change]:
    return [change for change in comparison.changes if everything or change.verdict != "same"]


def _cells(change: Change, *, is_wide: bool) -> tuple[str, ...]:
    gate = change.row["gate"] if is_wide else shown_gate(change.row)
    check = "" if change.row["check"] == "test" else _check(change)
    return change.verdict, printable(gate), check, _before_and_now(change), _moved(change, is_wide=is_wide)


def _check(change: Change) -> str:
    return printable(shown_check(change.row)) + (f" #{change.call}" if change.call else "")


def _before_and_now(change: Change) -> str:
    """The numbers, and the outcomes where they differ or there is no number."""
    near = change.difference.value if change.difference else 0.0
    rows = [row for row in (change.old, change.new) if row is not None]
    has_outcomes = len({row["outcome"] for row in rows}) > 1 or len(rows) < 2 or None in change.numbers
    sides = [
        " ".join(([row["outcome"]] if has_outcomes else []) + ([] if number is None else [_shown(number.value, near)]))
        for row, number in zip((change.old, change.new), change.numbers, strict=True)
        if row is not None
    ]
    return " -> ".join(dict.fromkeys(sides))


def _moved(change: Change, *, is_wide: bool) -> str:
    """How far the number moved, within which bounds, and what no number tells."""
    moved = [_difference(change.difference, is_wide)] if change.difference and change.difference.value else []
    return "; ".join([*moved, *map(printable, change.reasons)])


def _difference(difference: Difference, has_bounds: bool) -> str:
    near = difference.value
    value, low, high = (_signed(number, near) for number in (difference.value, difference.low, difference.high))
    if difference.is_exact or not has_bounds:
        return value
    return f"{value} ({100 * difference.confidence:.6g} %: {low} to {high})"


def _signed(number: float, near: float) -> str:
    return f"{'-' if number < 0 else '+'}{_shown(abs(number), near)}"


def _shown(number: float, near: float) -> str:
    """A number with the digits that tell it from one that is `near` away.

    >>> _shown(53_994, 0), _shown(0.9888, -0.0187), _shown(0.98881, 0.00001), _shown(1234.5, 0.0), _shown(1e-9, 0.0)
    ('53,994', '0.9888', '0.988810', '1,234.5000', '1e-09')
    """
    if isinstance(number, int):
        return f"{number:,}" if abs(number) < _LARGE else f"{number:.6g}"
    # A difference of floats is off by some 1e-16 of them: 0.00001 may be a little less.
    digits = max(_DIGITS, 1 - math.floor(math.log10(abs(near)) + _ROUNDING)) if near else _DIGITS
    fits = number == 0 or 10**-digits <= abs(number) < _LARGE
    return f"{number:,.{digits}f}" if fits and digits <= _MOST_DIGITS else f"{number!r}"
