"""The table of outcomes as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.benchmarks.coverage.row import (
    CRASHES,
    HANGS,
    HARMS,
    MUTE,
    PASSES,
    SKIPS,
    SURVIVES,
    TOOLS,
    WORDS,
    Group,
)

# By the name of a row and of a tool.
Outcomes = dict[tuple[str, str], str]

_HEAD = """Each fault was given to each tool that has a feature for it, used as its documentation says and with its
strictest options, in a pytest of its own, most of them forked from a process that had loaded torch. Before that, the
same test had passed there with a healthy subject. The words are read by code from exit codes, messages and files, by
the same rules for each tool. The rows are faults that pytest-modelcheck is tested for, which is to its advantage: read
them one by one, and the totals not as a rate. Where pytest itself or pytest-xdist speaks, of an option or a mark that
is not known, of a worker that crashed, or in the text of an assert, each tool has it from them, for good or ill.
"""

_LEGEND = (
    (SURVIVES, "the run failed with a message that names the fault, or nothing came of it; files are as they were"),
    (MUTE, "the run failed, and no message names the fault (of a damaged baseline: neither it nor its file)"),
    (PASSES, "the run was green, and the fault went through"),
    (SKIPS, "the run was green, because the test was skipped"),
    (CRASHES, "pytest itself ended by an error, and with it the session"),
    (HANGS, "the run had to be ended from outside"),
    (
        HARMS,
        "a file was destroyed, lost what was recorded or was written outside the project, foreign code ran, a report "
        "told a secret, or a foreign text reached the terminal as a command",
    ),
    ("–", "the tool has no feature that this could be given to; it is not counted"),
)


def rendered(groups: Sequence[Group], outcomes: Outcomes, versions: Mapping[str, str]) -> str:
    """The section: the table, what its words mean, and the totals."""
    tools = [f"{tool} {versions[tool]}" for tool in TOOLS]
    count = sum(len(group.rows) for group in groups)
    return "\n".join(
        [
            f"### {count} faults, and who survives them\n",
            _HEAD,
            *_table(["what is wrong", *tools], _rows(groups, outcomes)),
            "",
            *(f"- **{word}**: {meaning}." for word, meaning in _LEGEND),
            "",
            *_table(["tool", "faults given", *WORDS], _totals(outcomes)),
        ]
    )


def _rows(groups: Sequence[Group], outcomes: Outcomes) -> Iterator[list[str]]:
    for group in groups:
        yield [f"**{group.title}**", *("" for _ in TOOLS)]
        for row in group.rows:
            yield [row.name, *(_shown(outcomes[row.name, tool]) if tool in row.uses else "–" for tool in TOOLS)]


def _shown(word: str) -> str:
    return word if word == SURVIVES else f"**{word}**"


def _totals(outcomes: Outcomes) -> Iterator[list[str]]:
    for tool in TOOLS:
        words = [word for (_, other), word in outcomes.items() if other == tool]
        yield [tool, str(len(words)), *(str(words.count(word) or "") for word in WORDS)]


def _table(head: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield _line(head)
    yield "|" + "---|" * len(head)
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
