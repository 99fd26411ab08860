"""The gate table at the end of a run, as lines for a terminal of any width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports.run import Row, Run, shown_gate, shown_margin
from pytest_modelcheck.reports.sizes import sizes

_STYLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "error": ("red", "bold"),
        "failed": ("red", "bold"),
        "xpassed": ("yellow",),
        "xfailed": ("yellow",),
        "skipped": ("yellow",),
        "passed": ("green",),
    }
)
_WORDS: Mapping[str, str] = MappingProxyType({"error": "ERROR", "failed": "FAILED", "passed": "ok"})
_GATE = 1
_HEADINGS = ("verdict", "gate", "check", "promised", "measured", "margin", "device", "s")

# Columns that shrink when the terminal is narrow, and how narrow each may get.
_SHRINKING: Mapping[int, int] = MappingProxyType({_GATE: 12, 3: 10, 4: 10})

# Columns that a narrow terminal does without, and the width from which on they are shown.
_WIDE: Mapping[int, int] = MappingProxyType({2: 72, 6: 100, 7: 100})
_GAP = 2


@dataclass(frozen=True)
class Line:
    """A line of text and pytest's names of its styles."""

    text: str
    styles: tuple[str, ...] = ()


def render(run: Run, *, width: int = 80, quiet: bool = False) -> list[Line]:
    """The table, worst gates first, and the lines under it. Quiet leaves out the gates that passed."""
    rows = _collapsed([row for row in run.sorted_rows if not (quiet and row["outcome"] == "passed")])
    lines = _table(rows, width) if rows else []
    lines += [
        Line(f"note: {printable(shown_gate(row))}: {printable(change)} (restored)", ("yellow",))
        for row in run.sorted_rows
        for change in row["changes"]
    ]
    lines.append(Line(_summary(run), ("bold",)))
    if run.early_stops:
        number = len(run.early_stops)
        lines.append(
            Line(f"early verdicts: {number}, any of them wrong with probability {sum(run.early_stops):.2g} at most")
        )
    if not run.complete:
        lines.append(Line("incomplete: the run was cut short, and some gates may be missing", ("red",)))
    if any(row["outcome"] in ("failed", "error") for row in run.rows):
        lines.append(Line("run the failed gates again: pytest --modelcheck --lf"))
    return lines if quiet else [*lines, *_sizes(run, width)]


def _sizes(run: Run, width: int) -> list[Line]:
    lines = []
    for size in sizes(run):
        lines.append(Line(_cut_end(printable(size.headline), width)))
        lines += [Line(_cut_end(f"  {printable(bar)}", width)) for bar in size.bars]
    return lines


def _collapsed(rows: Sequence[Row]) -> list[Row]:
    """The rows, with promises that one test keeps many times told once, by the worst: it may call a check in a loop."""
    same: dict[tuple[str, ...], list[Row]] = {}
    for number, row in enumerate(rows):
        promise = tuple(row[name] for name in ("gate", "check", "part", "promised", "device"))
        same.setdefault(promise if row["outcome"] == "passed" else (str(number),), []).append(row)
    return [
        {
            **group[0],
            "measured": f"{len(group)} x {group[0]['measured']}",
            "seconds": sum(row["seconds"] for row in group),
        }
        if len(group) > 1
        else group[0]
        for group in same.values()
    ]


def _table(rows: Sequence[Row], width: int) -> list[Line]:
    cells = [_cells(row) for row in rows]
    kept = [index for index in range(len(_HEADINGS)) if width >= _WIDE.get(index, 0)]
    widths = [max(len(row[index]) for row in [_HEADINGS, *cells]) for index in kept]
    _shrink(widths, {kept.index(index): least for index, least in _SHRINKING.items()}, width - _GAP * (len(kept) - 1))
    lines = [Line(_row([_HEADINGS[index] for index in kept], widths), ("bold",))]
    for row, values in zip(rows, cells, strict=True):
        lines.append(Line(_row([values[index] for index in kept], widths), _STYLES[row["outcome"]]))
    return lines


def _cells(row: Row) -> tuple[str, ...]:
    return (
        _WORDS.get(row["outcome"], row["outcome"]),
        printable(shown_gate(row)),
        "" if row["check"] == "test" else row["part"] or row["check"],
        printable(row["promised"]),
        printable(row["measured"]),
        shown_margin(row),
        row["device"],
        f"{row['seconds']:.2f}",
    )


def _shrink(widths: list[int], least: Mapping[int, int], room: int) -> None:
    """Take from the widest column that may still shrink, until all fit or none may."""
    while sum(widths) > room:
        wide = [index for index in least if widths[index] > least[index]]
        if not wide:
            return
        widths[max(wide, key=widths.__getitem__)] -= 1


def _row(values: Sequence[str], widths: Sequence[int]) -> str:
    cuts = [_cut_middle if index == _GATE else _cut_end for index in range(len(values))]
    cells = (cut(value, width).ljust(width) for cut, value, width in zip(cuts, values, widths, strict=True))
    return (" " * _GAP).join(cells).rstrip()


def _cut_end(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 2]}.."


def _cut_middle(text: str, width: int) -> str:
    """The text within a width; its middle makes room, since both ends tell tests apart."""
    if len(text) <= width:
        return text
    head = (width - 2) // 2
    return f"{text[:head]}..{text[len(text) - (width - 2 - head) :]}"


def _summary(run: Run) -> str:
    number = len(run.rows)
    totals = run.totals() or "none judged"
    return f"{number} promise{'s' * (number != 1)}: {totals}; device {run.devices}, seed {run.seed}"
