"""The Markdown report, as a parser of GitHub's Markdown reads it."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from rows_of_reports import EVERY, HOSTILE, MODEL, WAIVER, row, runs

from pytest_modelcheck.escape import printable, printable_lines
from pytest_modelcheck.reports import markdown, markup
from pytest_modelcheck.reports.run import Run

PARSER = MarkdownIt("gfm-like")

# What GitHub's filters look for in the text of a page: mentions, references, commits, mathematics, emoji, addresses.
MEANT = re.compile(r"@|#|\$|GH-|\b(?=[0-9a-f]*[a-f0-9])[0-9a-f]{7,40}\b|:[\w+-]+:|www\.|://|\[\^|~~", re.IGNORECASE)

EXPECTED = """\
<!-- pytest-modelcheck -->
## modelcheck failed: 1 error, 1 failed, 1 waived, 1 passed

- `the waiver of a::b is expired`

| verdict | gate | check | promised | measured | margin | device |
|---|---|---|---|---|---|---|
| error | `t.py::test_2` | accuracy | at least 0.98 (98 of 100) | not measured |  | cpu |
| failed | `t.py::test_0[a\\|b]` | conforms: padding | at least 0.98 | 0.9700 (97 of 100) | -1.00 % | `cuda:0` |
| waived | `t.py::test_3` | accuracy | at least 0.98 (98 of 100) | 0.9700 (97 of 100) |  | cpu |
| passed | `t.py::test_1` | parameters | total 23 | total 23 | exact | cpu |

### `t.py::test_2` `accuracy`

    accuracy of Net: not measured: no data

### `t.py::test_0[a|b]` `conforms: padding`

    accuracy of Net: 97 of 100
      recall of class 3: 8 of 10

### `t.py::test_3` `accuracy`

    accuracy of Net: 97 of 100
      recall of class 3: 8 of 10

### waived

| gate | check | reason | owner | expires |
|---|---|---|---|---|
| `t.py::test_3` | accuracy | class 3 is relabelled until May | `vision@example.org` | `2026-12-31` |

### changed baselines

changed: `test_it token_ids` of `__modelcheck__/t.json`

    -1
    +2

`Net: 23 parameters, 65.2 % trainable, 0.000 MB (float32)`

    0  15  #############-------  65.2 %
    2   8  #######-------------  34.8 %

Device `cpu,cuda:0`, seed 7.

Run it again: `pytest --modelcheck --modelcheck-seed=7 --modelcheck-device=cpu,cuda:0`
"""

RUN = Run(
    (
        row(
            "failed",
            gate="t.py::test_0[a|b]",
            check="conforms",
            part="padding",
            margin=-0.01,
            device="cuda:0",
            promised="at least 0.98",
        ),
        row(gate="t.py::test_1", check="parameters", promised="total 23", measured="total 23", evidence=MODEL),
        row("error", gate="t.py::test_2", measured="not measured", message="accuracy of Net: not measured: no data"),
        row("waived", gate="t.py::test_3", waiver=WAIVER),
    ),
    7,
    "cpu,cuda:0",
    baselines=(
        {"file": "__modelcheck__/t.json", "key": "test_it token_ids", "change": "changed", "lines": ["-1", "+2"]},
    ),
    problems=("the waiver of a::b is expired",),
)


def test_it_is_this_to_the_letter():
    assert markdown.render(RUN) == EXPECTED


HEADS = {
    "passed": (Run((row(),), 0, "auto"), ["## modelcheck passed: 1 passed", ""]),
    "failed": (Run((row("failed"),), 0, "auto"), ["## modelcheck failed: 1 failed", ""]),
    "a problem": (Run((row(),), 0, "auto", problems=("a b",)), ["## modelcheck failed: 1 passed", "", "- a b"]),
    "no gate": (Run((), 0, "auto"), ["## modelcheck failed: no gate ran", "", "Device auto, seed 0."]),
    "cut short": (
        Run((row(),), 0, "auto", complete=False),
        ["## modelcheck incomplete: 1 passed", "", "**Incomplete: the run was cut short.**"],
    ),
}


@pytest.mark.parametrize(("run", "head"), HEADS.values(), ids=HEADS)
def test_the_first_lines(run, head):
    lines = markdown.render(run).split("\n")
    assert lines[: len(head) + 1] == ["<!-- pytest-modelcheck -->", *head]


def test_what_is_default_is_not_in_the_command():
    assert markdown.render(Run((), 0, "auto")).endswith("\nRun it again: `pytest --modelcheck`\n")
    assert markdown.render(Run((), 0, "a b;c")).endswith("`pytest --modelcheck '--modelcheck-device=a b;c'`\n")


def shape(report):
    """The kinds of the blocks of a document, of its HTML the text too, with the kinds of what is in its lines."""
    found = []
    for token in PARSER.parse(report):
        if token.type == "inline":
            kinds = ["code" if item.type in ("text", "code_inline") else item.type for item in token.children]
            found.append("".join(sorted(set(kinds) - {"code"})))
        elif token.type not in ("code_block",):
            found.append(token.content if token.type == "html_block" else token.type)
    return found


def cells(report):
    """What a reader sees in the cells of the tables."""
    tokens = PARSER.parse(report)
    inline = [after for before, after in itertools.pairwise(tokens) if before.type == "td_open"]
    return ["".join(item.content for item in token.children) for token in inline]


def texts(report):
    """The texts outside of code, where GitHub looks for more than Markdown."""
    return [
        item.content
        for token in PARSER.parse(report)
        if token.type == "inline"
        for item in token.children
        if item.type == "text"
    ]


def told(text):
    """A run that says one text in every place."""
    named = dict.fromkeys(("gate", "file", "check", "part", "subject", "promised", "measured", "device"), text)
    sized = {**MODEL, "model": text, "dtypes": {text: 1}, "largest": [[text, 15]]}
    waiver = dict.fromkeys(("reason", "owner", "expires"), text)
    rows = [row("failed", **named, message=f"x\n{text}", evidence=sized), row("waived", **named, waiver=waiver)]
    change = {"file": text, "key": text, "change": "added", "lines": [text]}
    return Run(rows, 0, text, problems=(text or "x",), baselines=(change,))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_a_hostile_text_changes_no_structure(text):
    report = markdown.render(told(text))
    assert shape(report) == shape(markdown.render(told("x")))
    assert [item for item in texts(report) if MEANT.search(item)] == []
    assert all(line.isprintable() for line in report.split("\n"))
    shown = markup.cut(printable(text))
    if "`" * 8 not in text and "\\|" not in text and shown.strip() == shown:
        assert cells(report)[1] == shown


@settings(max_examples=80, deadline=None)
@given(runs())
def test_any_texts_change_no_structure(run):
    def tame(value):
        if isinstance(value, dict):
            return {name: tame(item) for name, item in value.items()}
        return (
            [tame(item) for item in value]
            if isinstance(value, list)
            else "x"
            if isinstance(value, str) and value
            else value
        )

    kept = ("outcome", "margin", "evidence", "number", "card", "line", "seconds")
    rows = [{**item, **{name: tame(item[name]) for name in item if name not in kept}} for item in run.rows]
    rows = [
        {**new, "message": "x" if printable_lines(old["message"]).strip() else ""}
        for new, old in zip(rows, run.rows, strict=True)
    ]
    changes = [{**tame(change), "change": change["change"]} for change in run.baselines]
    harmless = replace(run, rows=rows, devices="x", problems=tame(run.problems), baselines=changes)
    report = markdown.render(run)
    assert sorted(shape(report)) == sorted(shape(markdown.render(harmless)))
    assert [item for item in texts(report) if MEANT.search(item)] == []


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()], ids=lambda text: ascii(text[:20]))
def test_messages_are_shown_as_they_are(text):
    tokens = PARSER.parse(markdown.render(Run((row("failed", message=f"x {text}"),), 0, "auto")))
    shown = [token.content.rstrip() for token in tokens if token.type == "code_block"]
    assert shown == [markup.cut(printable_lines(f"x {text}"), 3000).rstrip()]


PIPES = ["|", "||", "\\|", "\\\\|", "\\\\\\|", "a|b\\|c\\\\|d", "`|`", "``|", "\\`|", "|\\", "\\"]


@pytest.mark.parametrize("text", PIPES)
def test_no_pipe_ends_a_cell(text):
    found = cells(markdown.render(Run((row(gate=text, promised=text, measured="end"),), 0, "auto")))
    assert len(found) == 7
    assert found[4] == "end"
    # After an odd number of backslashes, one more is seen.
    assert re.sub(r"\\+\|", "|", found[1]) == re.sub(r"\\+\|", "|", text)
    # A parser that reads a backslash before a backslash as an escape finds the same cells.
    line = next(line for line in markdown.render(Run((row(gate=text),), 0, "auto")).split("\n") if "passed |" in line)
    assert len(re.findall(r"(?:\\.|[^|\\])+", line)) == 7


LINES = {
    "": "",
    " ": "` `",
    "plain words, 1,234.5 (of 10) +0.88 %": "plain words, 1,234.5 (of 10) +0.88 %",
    "a_b": "`a_b`",
    "deadbeef": "`deadbeef`",
    "1234567": "`1234567`",
    "٣": "`٣`",
    "two  spaces": "`two  spaces`",
    "`": "`` ` ``",
    " a ": "`  a  `",
    "a`b``c": "```a`b``c```",
    "`" * 8: "`" + r"\x60" * 8 + "`",
    "a\nb": r"`a\nb`",
    "x" * 301: "`" + "x" * 298 + "..`",
    "-": "`-`",
    "1.": "1.",
    "---": "`---`",
}


@pytest.mark.parametrize(("told", "shown"), LINES.items())
def test_a_text_in_a_line(told, shown):
    assert markup.text(told) == shown


def test_a_long_message_is_cut():
    lines = markup.block("\n".join(map(str, range(150))))
    assert lines[:2] == ["    0", "    1"]
    assert lines[99:] == ["    99", "    ... and 50 more lines"]
    assert len(markup.block("x" * 100_000)[0]) == 3004
    assert markup.block(" \n\n ") == []


def passing(number):
    return [row(gate=f"tests/test_it.py::test_{index:05}") for index in range(number)]


def test_gates_that_passed_are_folded_from_the_fifty_first_on():
    assert "<details>" not in markdown.render(Run(passing(50), 0, "auto"))
    report = markdown.render(Run([row("failed"), *passing(1051)], 0, "auto"))
    assert shape(report).count("table_open") == 2
    assert [item for item in shape(report) if item.startswith("<")] == [
        "<!-- pytest-modelcheck -->\n",
        "<details>\n<summary>1,001 more that passed</summary>\n",
        "</details>\n",
    ]
    assert len(cells(report)) == 7 * 1052


def failing(number):
    return [
        row("failed", gate=f"tests/test_it.py::test_broken_{index:05}", message="x " * 400) for index in range(number)
    ]


NOTICES = {
    "nothing": (Run([*failing(2), *passing(100)], 0, "auto"), markdown.LARGEST, ""),
    "passed": (
        Run([*failing(2), *passing(100)], 0, "auto"),
        10_000,
        r"**Left out, for there is no room: \d+ of 102 rows. The JSON report has them all.**",
    ),
    "messages": (
        Run([*failing(20), *passing(20)], 0, "auto"),
        10_000,
        r"**Left out, for there is no room: \d+ of 20 messages, 20 of 40 rows. The JSON report has them all.**",
    ),
    "rows": (
        Run([*failing(900), *passing(200)], 0, "auto", problems=("a b",)),
        20_000,
        r"**Left out, for there is no room: \d+ of 1,100 rows, 900 of 900 messages. The JSON report has them all.**",
    ),
    "all": (
        replace(EVERY, problems=("x" * 99_999,) * 50),
        10_000,
        r"**Left out, for there is no room: \d+ of 50 problems, 11 of 11 rows, 4 of 4 messages, 1 of 1 waivers, "
        r"2 of 2 baselines, 1 of 1 models. The JSON report has them all.**",
    ),
}


@pytest.mark.parametrize(("run", "limit", "notice"), NOTICES.values(), ids=NOTICES)
def test_what_has_no_room_is_left_out_and_counted(run, limit, notice):
    report = markdown.render(run, limit=limit)
    assert len(report.encode()) <= limit
    line = report.split("\n")[3] if notice else ""
    assert re.fullmatch(notice.replace("**", r"\*\*").replace(".", r"\."), line)
    tags = [item.partition("\n")[0] for item in shape(report) if item.startswith(("<d", "</d"))]
    assert tags in ([], ["<details>", "</details>"])
    assert report.endswith("Run it again: `pytest --modelcheck`\n") or run is NOTICES["all"][0]
    rows = [line for line in report.split("\n") if line.startswith(("| failed", "| passed"))]
    whole = [line for line in markdown.render(run).split("\n") if line.startswith(("| failed", "| passed"))]
    assert rows == whole[: len(rows)]


@pytest.mark.parametrize("limit", [*range(0, 3000, 100), 5000, 10_000, 50_000])
def test_no_limit_is_passed_and_every_document_is_whole(limit):
    report = markdown.render(Run([*failing(30), *passing(300)], 0, "auto"), limit=limit)
    assert len(report.encode()) <= limit
    assert report == "" or report.startswith(
        "<!-- pytest-modelcheck -->\n## modelcheck failed: 30 failed, 300 passed\n"
    )
    assert report.count("<details>") == report.count("</details>")


def test_the_largest_report_is_below_what_github_takes():
    wide = [row(gate=f"{index}" + "\u4e2d" * 400, promised="\u4e2d" * 400) for index in range(2000)]
    report = markdown.render(Run(wide, 0, "auto"))
    assert 2**20 - 10_000 < len(report.encode()) <= 2**20 - 4096
    assert len(markdown.render(Run(wide, 0, "auto"), limit=markdown.LARGEST_COMMENT)) <= 65_536


def test_a_step_summary_goes_behind_what_is_there():
    assert markdown.step_summary(RUN, 0) == markdown.render(RUN)
    assert markdown.step_summary(RUN, 10) == "\n\n" + markdown.render(RUN)
    many = Run(passing(9000), 0, "auto")
    for existing in (1, 500_000, 1_000_000, 2**20 - 4097, 2**20, 2**21):
        added = markdown.step_summary(many, existing)
        assert existing + len(added.encode()) < 2**20 or added == ""
    assert markdown.step_summary(many, 1_000_000)
    assert markdown.step_summary(many, 2**20 - 4097) == ""
