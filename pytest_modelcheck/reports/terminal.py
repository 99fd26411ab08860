"""The gate table at the end of a run, as lines for a terminal of any width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports.columns import Line, aligned, cut_end
from pytest_modelcheck.reports.run import Row, Run, shown_check, shown_gate, shown_margin
from pytest_modelcheck.reports.sizes import sizes

_STYLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "error": ("red", "bold"),
        "failed": ("red", "bold"),
        "xpassed": ("yellow",),
        "waived": ("yellow", "bold"),
        "xfailed": ("yellow",),
        "skipped": ("yellow",),
        "passed": ("green",),
    }
)
_WORDS: Mapping[str, str] = MappingProxyType({"error": "ERROR", "failed": "FAILED", "passed": "ok"})
_GATE = 1
_PAST = 6
_HEADINGS = ("verdict", "gate", "check", "promised", "measured", "margin", "history", "device", "s")

# Columns that shrink when the terminal is narrow, and how narrow each may get.
_SHRINKING: Mapping[int, int] = MappingProxyType({_GATE: 12, 2: 23, 3: 10, 4: 10})

# A sparkline's, from the lowest value to the highest.
BLOCKS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_DIGITS = "12345678"
_HISTORY = 10

# How many changed baselines are told, and how much is left of a narrow terminal for each.
_CHANGES = 10
_SIGNS: Mapping[str, str] = MappingProxyType({"added": "+", "changed": "~", "removed": "-"})

# Columns that a narrow terminal does without, and the width from which on they are shown.
_WIDE: Mapping[int, int] = MappingProxyType({2: 72, 6: 100, 7: 100, 8: 100})


def render(run: Run, *, width: int = 80, quiet: bool = False, blocks: bool = False) -> list[Line]:
    """The table, worst gates first, and the lines under it. Quiet leaves out the gates that passed.

    `blocks` says that the terminal has the characters of which a history is drawn; digits do without them.
    """
    rows = _collapsed([row for row in run.sorted_rows if not (quiet and row["outcome"] == "passed")])
    lines = _table(rows, width, BLOCKS if blocks else _DIGITS) if rows else []
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
    lines += [Line(f"waived: {printable(told)}", ("yellow",)) for told in _waivers(run)]
    lines += [Line(printable(problem), ("red",)) for problem in run.problems]
    lines += _baselines(run, width)
    if any(row["outcome"] in ("failed", "error") for row in run.rows):
        lines.append(Line(f"run the failed gates again: {run.command} --lf"))
    return lines if quiet else [*lines, *_sizes(run, width)]


def _waivers(run: Run) -> list[str]:
    """The gates that only a waiver lets through, with its reason, its owner and its last day."""
    told = ((shown_gate(row), shown_check(row), row["waiver"]) for row in run.sorted_rows if row["outcome"] == "waived")
    return list(
        dict.fromkeys(
            f"{gate} {check} until {waiver['expires']} ({waiver['owner']}): {waiver['reason']}"
            for gate, check, waiver in told
        )
    )


def _baselines(run: Run, width: int) -> list[Line]:
    """What the run changed of the baselines, as a short difference."""
    if not run.baselines:
        return []
    removed = sum(change["change"] == "removed" for change in run.baselines)
    numbers = {"recorded": len(run.baselines) - removed, "removed": removed}
    told = ", ".join(f"{word}: {number}" for word, number in numbers.items() if number)
    lines = [Line(f"baselines {told}; review them: git diff '*__modelcheck__/*'")]
    for change in run.baselines[:_CHANGES]:
        lines.append(Line(cut_end(f"  {_SIGNS[change['change']]} {printable(change['key'])}", width)))
        lines += [Line(cut_end(f"      {printable(line)}", width)) for line in change["lines"]]
    more = len(run.baselines) - _CHANGES
    return lines + [Line(f"  ... and {more:,} more")] * (more > 0)


def _sizes(run: Run, width: int) -> list[Line]:
    lines = []
    for size in sizes(run):
        lines.append(Line(cut_end(printable(size.headline), width)))
        lines += [Line(cut_end(f"  {printable(bar)}", width)) for bar in size.bars]
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


def _table(rows: Sequence[Row], width: int, levels: str) -> list[Line]:
    cells = [_cells(row, levels) for row in rows]
    kept = [index for index in range(len(_HEADINGS)) if width >= _WIDE.get(index, 0)]
    if not any(values[_PAST] for values in cells):
        kept = [index for index in kept if index != _PAST]
    least = {kept.index(index): narrowest for index, narrowest in _SHRINKING.items() if index in kept}
    heading, *texts = aligned(
        [[values[index] for index in kept] for values in (_HEADINGS, *cells)], width, least, {_GATE}
    )
    lines = [Line(heading, ("bold",))]
    lines += [Line(text, _STYLES[row["outcome"]]) for text, row in zip(texts, rows, strict=True)]
    return lines


def _cells(row: Row, levels: str) -> tuple[str, ...]:
    return (
        _WORDS.get(row["outcome"], row["outcome"]),
        printable(shown_gate(row)),
        "" if row["check"] == "test" else printable(row["part"] or row["check"]),
        printable(row["promised"]),
        printable(row["measured"]),
        shown_margin(row),
        _sparkline(row, levels),
        printable(row["device"]),
        _seconds(row["seconds"]),
    )


def _seconds(seconds: float) -> str:
    """Seconds in at most four characters, so that a slow machine makes no column wider."""
    return f"{seconds:.2f}" if seconds < 9.995 else f"{seconds:.1f}" if seconds < 99.95 else f"{seconds:.0f}"


def _sparkline(row: Row, levels: str) -> str:
    """What a number was at earlier baselines, and is now; nothing where there is no past."""
    number, past = row.get("number"), list(row.get("history", ()))
    values = [*past, number["value"]][-_HISTORY:] if number and len(past) > 1 else []
    low, high = min(values, default=0), max(values, default=0)
    room = high / 2 - low / 2  # halves, whose difference is finite whatever they are
    shares = ((value / 2 - low / 2) / room if room > 0 else 0.0 for value in values)
    return "".join(levels[round(share * (len(levels) - 1))] for share in shares)


def _summary(run: Run) -> str:
    number = len(run.rows)
    totals = run.totals() or "none judged"
    return f"{number} promise{'s' * (number != 1)}: {totals}; device {run.devices}, seed {run.seed}"
