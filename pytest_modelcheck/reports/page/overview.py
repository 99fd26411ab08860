"""What a page says of a run as a whole."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports.page.markup import Markup, element, percent
from pytest_modelcheck.reports.page.plots.margins import Margin, margins
from pytest_modelcheck.reports.page.plots.treemap import treemap
from pytest_modelcheck.reports.page.texts import cut, duration, is_number
from pytest_modelcheck.reports.run import OUTCOMES, Row, Run, shown_check, shown_gate
from pytest_modelcheck.reports.sizes import sizes

# How many of each are shown, and how many lines of a difference; the JSON report has all.
_MOST = 100
_MOST_MODELS = 12
_MOST_LINES = 40

_LONG = 400


class Model(NamedTuple):
    """A model of the run, in a line and as a picture."""

    headline: str
    plot: Markup


class Change(NamedTuple):
    """A baseline that the run changed, and how."""

    what: str
    change: str
    lines: str


class Waived(NamedTuple):
    """A gate that fails and is let through."""

    gate: str
    anchor: str
    reason: str
    owner: str
    expires: str


class Overview(NamedTuple):
    """All of it: texts that are inert, and pictures."""

    verdict: str
    totals: str
    complete: bool
    problems: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    command: str
    counts: tuple[tuple[str, int], ...]
    proportions: Markup
    environment: tuple[tuple[str, str], ...]
    changes: tuple[Change, ...]
    waived: tuple[Waived, ...]
    models: tuple[Model, ...]
    margins: Markup
    more: Mapping[str, int]


def overview(run: Run, rows: Sequence[Row]) -> Overview:
    """What the run is told as; `rows` are its rows in the order of the page."""
    waived, models = _waived(rows), sizes(run)
    counts = Counter(row["outcome"] for row in rows)
    told = tuple((outcome, counts[outcome]) for outcome in OUTCOMES if counts[outcome])
    return Overview(
        verdict=verdict(run),
        totals=run.totals() or "no gate ran",
        complete=run.complete,
        problems=tuple(cut(str(problem), 2000) for problem in run.problems),
        facts=tuple(_facts(run)),
        command=command(run),
        counts=told,
        proportions=_proportions(told),
        environment=tuple((cut(str(key), 80), cut(str(value), _LONG)) for key, value in run.environment.items()),
        changes=tuple(map(_change, run.baselines[:_MOST])),
        waived=tuple(waived[:_MOST]),
        models=tuple(Model(cut(size.headline, _LONG), treemap(size)) for size in models[:_MOST_MODELS]),
        margins=margins(_margins(rows)),
        more={
            "changes": max(len(run.baselines) - _MOST, 0),
            "waived": max(len(waived) - _MOST, 0),
            "models": max(len(models) - _MOST_MODELS, 0),
        },
    )


def verdict(run: Run) -> str:
    """`"passed"`, `"failed"`, or `"incomplete"` where nothing is broken so far and the run was cut short."""
    if run.passed:
        return "passed"
    broken = run.problems or any(row["outcome"] in ("error", "failed") for row in run.rows)
    return "failed" if broken or run.complete else "incomplete"


def command(run: Run) -> str:
    """How to run the same again.

    >>> command(Run((), 7, "cuda:0"))
    'pytest --modelcheck --modelcheck-seed=7 --modelcheck-device=cuda:0'
    >>> command(Run((), 0, "auto"))
    'pytest --modelcheck --modelcheck-seed=0'
    """
    told = f"pytest --modelcheck --modelcheck-seed={run.seed}"
    return told if run.devices == "auto" else f"{told} --modelcheck-device={shlex.quote(printable(run.devices))}"


def _facts(run: Run) -> list[tuple[str, str]]:
    facts = [
        ("Promises", f"{len(run.rows):,}"),
        ("Device", cut(run.devices, _LONG)),
        ("Seed", str(run.seed)),
        ("Started", cut(run.started, 80)),
        ("Duration", duration(run.seconds) if run.seconds > 0 else ""),
    ]
    if run.early_stops:
        words = f"{len(run.early_stops)}, any of them wrong with probability {sum(run.early_stops):.2g} at most"
        facts.append(("Early verdicts", words))
    return [(name, value) for name, value in facts if value]


def _proportions(counts: Sequence[tuple[str, int]]) -> Markup:
    """The outcomes as parts of a bar, each with its own width however few they are."""
    whole = sum(number for _, number in counts)
    if not whole:
        return Markup()
    least = 0.01
    weights = [max(number / whole, least) for _, number in counts]
    parts, start = [], 0.0
    for (outcome, _), weight in zip(counts, weights, strict=True):
        width = weight / sum(weights)
        parts.append(element("rect", x=percent(start), width=percent(width), height="100%", class_=f"o-{outcome}"))
        start += width
    told = ", ".join(f"{number} {outcome}" for outcome, number in counts)
    return element("svg", *parts, role="img", aria_label=told, height=10, class_="proportions")


def _margins(rows: Sequence[Row]) -> list[Margin]:
    return [
        Margin(f"{shown_gate(row)} {'' if row['check'] == 'test' else shown_check(row)}", row["margin"], f"g{index}")
        for index, row in enumerate(rows)
        if is_number(row["margin"])
    ]


def _waived(rows: Sequence[Row]) -> list[Waived]:
    found = [(index, row, row["waiver"]) for index, row in enumerate(rows) if isinstance(row.get("waiver"), dict)]
    return [
        Waived(
            cut(f"{shown_gate(row)} {shown_check(row)}", _LONG),
            f"g{index}",
            *(cut(str(waiver.get(name, "")), 2000) for name in ("reason", "owner", "expires")),
        )
        for index, row, waiver in found
    ]


def _change(change: Row) -> Change:
    lines = [str(line) for line in change.get("lines", ())]
    shown = [cut(line, _LONG) for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"… ({len(lines) - _MOST_LINES:,} more lines: see the JSON report)")
    what = f"{change.get('file', '')}: {change.get('key', '')}"
    return Change(cut(what, _LONG), cut(str(change.get("change", "")), 40), "\n".join(shown))
