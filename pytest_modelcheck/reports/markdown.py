"""The report as Markdown, for a pull request or a job summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports.markup import block, cell, code, text
from pytest_modelcheck.reports.run import Row, Run, shown_check, shown_margin
from pytest_modelcheck.reports.sizes import sizes

# By this line a comment that is written anew is found again.
MARKER = "<!-- pytest-modelcheck -->"

# GitHub takes 1 MiB of a step's summary and 65,536 characters of a comment, each with a little room left here.
LARGEST = 2**20 - 4096
LARGEST_COMMENT = 65_000

# So many gates that passed are shown at once; the others are folded.
_SHOWN = 50

# The headings, the notice and what else is written around the items take less.
_AROUND = 2000

_TOLD = ("error", "failed", "xpassed", "waived")

_TABLE = "| verdict | gate | check | promised | measured | margin | device |\n|---|---|---|---|---|---|---|"
_WAIVERS = "| gate | check | reason | owner | expires |\n|---|---|---|---|---|"


class _Item(NamedTuple):
    """Something that is shown whole or not at all, and what it is one of."""

    kind: str
    text: str


def render(run: Run, *, limit: int = LARGEST) -> str:
    """The verdict, all rows, worst first, the message of each promise that is not kept, and what else there is to tell.

    Nothing of a row's texts is markup, a mention or a reference. The report has at most `limit` bytes: what is too much
    is left out whole, gates that passed before all else, and counted under the headline. It is empty where not even
    the headline fits.
    """
    items = list(_items(run))
    used, shown = len(_document(run, (), items).encode()) + _AROUND, 0
    for item in items:
        used += len(item.text.encode()) + 2
        if used > limit:
            break
        shown += 1
    whole = _document(run, items[:shown], items[shown:])
    return whole if len(whole.encode()) <= limit else ""


def step_summary(run: Run, existing_bytes: int) -> str:
    """The same, to append to a step's summary that has so many bytes: GitHub refuses one of more than 1 MiB."""
    gap = "\n\n" if existing_bytes else ""
    told = render(run, limit=LARGEST - existing_bytes - len(gap))
    return gap + told if told else ""


def _items(run: Run) -> Iterator[_Item]:
    """All there is to tell, what matters most first."""
    rows = run.sorted_rows
    yield from (_Item("problem", f"- {text(problem)}") for problem in run.problems)
    yield from (_Item("row", _row(row)) for row in rows if row["outcome"] != "passed")
    yield from (_Item("message", told) for row in rows if row["outcome"] in _TOLD and (told := _message(row)))
    yield from (_Item("waiver", _waiver(row)) for row in rows if row.get("waiver"))
    yield from (_Item("baseline", _baseline(change)) for change in run.baselines)
    for size in sizes(run):
        yield _Item("model", "\n\n".join([text(size.headline), "\n".join(block(_lines(size.bars)))]).rstrip())
    yield from (_Item("kept", _row(row)) for row in rows if row["outcome"] == "passed")


def _document(run: Run, items: Sequence[_Item], missing: Sequence[_Item]) -> str:
    told: dict[str, list[str]] = {}
    for item in items:
        told.setdefault(item.kind, []).append(item.text)
    rows, kept = told.get("row", []), told.get("kept", [])
    verdict = "passed" if run.passed else "failed" if run.complete else "incomplete"
    paragraphs = [
        f"{MARKER}\n## modelcheck {verdict}: {run.totals() or 'no gate ran'}",
        "" if run.complete else "**Incomplete: the run was cut short.**",
        _left_out(items, missing),
        "\n".join(told.get("problem", ())),
        _table(_TABLE, rows + kept[:_SHOWN]),
        *_folded(kept[_SHOWN:]),
        *told.get("message", ()),
        _table(f"### waived\n\n{_WAIVERS}", told.get("waiver", ())),
        *_headed("### changed baselines", told.get("baseline", ())),
        *told.get("model", ()),
        f"Device {text(run.devices)}, seed {run.seed}.",
        f"Run it again: {code(run.command)}",
    ]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def _left_out(items: Sequence[_Item], missing: Sequence[_Item]) -> str:
    """How much is missing of each kind, where anything is."""
    left, all = Counter(map(_noun, missing)), Counter(map(_noun, (*items, *missing)))
    numbers = ", ".join(f"{number:,} of {all[noun]:,} {noun}" for noun, number in left.items())
    return f"**Left out, for there is no room: {numbers}. The JSON report has them all.**" if numbers else ""


def _noun(item: _Item) -> str:
    return "rows" if item.kind == "kept" else f"{item.kind}s"


def _table(head: str, rows: Sequence[str]) -> str:
    return "\n".join((head, *rows)) if rows else ""


def _folded(rows: Sequence[str]) -> list[str]:
    """More gates that passed, which a click shows."""
    if not rows:
        return []
    return [
        f"<details>\n<summary>{len(rows):,} more that passed</summary>",
        _table(_TABLE, rows),
        "</details>",
    ]


def _headed(head: str, paragraphs: Sequence[str]) -> list[str]:
    return [head, *paragraphs] if paragraphs else []


def _row(row: Row) -> str:
    texts = (row["gate"], shown_check(row), row["promised"], row["measured"], shown_margin(row), row["device"])
    return f"| {row['outcome']} | {' | '.join(map(cell, texts))} |"


def _message(row: Row) -> str:
    lines = block(row["message"])
    return "\n".join([f"### {code(row['gate'])} {code(shown_check(row))}", "", *lines]) if lines else ""


def _waiver(row: Row) -> str:
    waiver: Mapping[str, str] = row["waiver"]
    texts = (row["gate"], shown_check(row), waiver["reason"], waiver["owner"], waiver["expires"])
    return f"| {' | '.join(map(cell, texts))} |"


def _baseline(change: Row) -> str:
    named = f"{change['change']}: {code(change['key'])} of {code(change['file'])}"
    return "\n".join([named, "", *block(_lines(change["lines"]))]).rstrip()


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(map(printable, lines))
