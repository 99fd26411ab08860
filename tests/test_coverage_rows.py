"""The comparison of what tools survive, as far as it needs none of them: its rules, its rows and its page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.coverage import row as rules
from tests.benchmarks.coverage.harness import OF_TOOL
from tests.benchmarks.coverage.page import rendered
from tests.benchmarks.coverage.row import (
    CRASHES,
    HANGS,
    HARMS,
    MODELCHECK,
    MUTE,
    PASSES,
    SKIPS,
    SURVIVES,
    TOOLS,
    WORDS,
    Group,
    Row,
    Seen,
    Told,
    Use,
)
from tests.benchmarks.coverage.table import GROUPS

ROWS = [row for group in GROUPS for row in group.rows]
USES = [pytest.param(row, tool, id=f"{row.name} ({tool})") for row in ROWS for tool in row.uses]

GREEN = Seen(0, "1 passed", (Told("test_it.py::test_it", "passed", ""),))
NAMED = Seen(1, "1 failed", (Told("test_it.py::test_it", "failed", "accuracy is nan, promised 0.9"),))
MUTTERED = Seen(1, "the metric is nan", (Told("test_it.py::test_it", "failed", "assert False"),))
SKIPPED = Seen(0, "1 skipped", (Told("test_it.py::test_it", "skipped", ""),))
REFUSED = Seen(4, "ERROR: --modelcheck-device=nan: unknown device")
TRACED = """Traceback (most recent call last):
  File "/site-packages/_pytest/config/__init__.py", line 309, in console_main
    return _console_main()
OSError: [Errno 27] nan"""
AFTER = (Told("test_it.py::test_it", "passed", ""), Told("test_it.py::test_after", "failed", "assert nan"))
BOTH = (Told("test_it.py::test_it", "failed", "assert 1"), Told("test_it.py::test_after", "failed", "assert nan"))


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (NAMED, SURVIVES),
        (REFUSED, SURVIVES),
        (MUTTERED, MUTE),  # what was printed besides is no message of the failure
        (GREEN, PASSES),
        (SKIPPED, SKIPS),
        (replace(SKIPPED, told=(*SKIPPED.told, *GREEN.told)), PASSES),
        (Seen(3, "INTERNALERROR> Traceback: nan"), CRASHES),
        (Seen(1, TRACED), CRASHES),
        (Seen(-11, "nan"), CRASHES),
        (Seen(None, ""), HANGS),
        (replace(NAMED, changed=("baseline.json",)), HARMS),
        (replace(GREEN, outside=("/elsewhere",)), HARMS),
        (replace(NAMED, canary=True), HARMS),
        (replace(GREEN, recording=Seen(1, TRACED)), CRASHES),
    ],
)
def test_an_outcome_is_read_from_what_was_seen(seen, word):
    assert rules.judged(seen, r"\bnan\b") == word


@pytest.mark.parametrize(
    ("judge", "seen", "word"),
    [
        (rules.sound, GREEN, SURVIVES),
        (rules.sound, SKIPPED, SKIPS),
        (rules.sound, MUTTERED, MUTE),
        (rules.restored, GREEN, SURVIVES),
        (rules.restored, NAMED, SURVIVES),
        (rules.restored, replace(MUTTERED, told=AFTER), PASSES),
        (rules.restored, replace(MUTTERED, told=BOTH), MUTE),
        (rules.reported, GREEN, PASSES),
        (rules.reported, replace(GREEN, output="nan is of no test"), SURVIVES),
        (rules.kept, Seen(-9, "", again=0), SURVIVES),
        (rules.kept, Seen(-9, "", again=1), HARMS),
        (rules.kept, Seen(-9, "", changed=("baseline.json",), again=0), HARMS),
        (rules.none_lost, GREEN, SURVIVES),
        (rules.none_lost, MUTTERED, HARMS),
        (rules.stays, replace(GREEN, changed=("baseline.json",), again=0), SURVIVES),
        (rules.stays, replace(GREEN, again=1), HARMS),
        (rules.stays, replace(GREEN, outside=("/elsewhere",), again=0), HARMS),
        (rules.old_kept, GREEN, SURVIVES),
        (rules.old_kept, replace(GREEN, told=(Told("t::test_old", "failed", "nan"),)), HARMS),
        (rules.untold, replace(NAMED, written=("report.json",)), SURVIVES),
        (rules.untold, replace(NAMED, written=("report.json",), leaked=("report.json",)), HARMS),
        (rules.inert, NAMED, SURVIVES),
        (rules.inert, replace(NAMED, output="a\x1b[2Jb"), HARMS),
        (rules.inert, replace(NAMED, output="a\n ::error::evil"), HARMS),
    ],
)
def test_some_rows_have_another_rule(judge, seen, word):
    assert judge(seen, r"\bnan\b") == word


def test_a_run_that_was_to_be_killed_and_was_not_is_an_error_of_the_benchmark():
    with pytest.raises(AssertionError, match="the run was not killed"):
        rules.kept(replace(GREEN, again=0), "")


def test_a_report_that_was_not_written_has_not_kept_a_secret():
    with pytest.raises(AssertionError, match="no report was written"):
        rules.untold(GREEN, "")


def test_there_are_rows_for_each_tool():
    assert len(ROWS) >= 60
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert set(OF_TOOL) == set(TOOLS)
    assert {tool for row in ROWS for tool in row.uses} == set(TOOLS)


def test_each_row_can_be_given_to_this_tool_and_to_another():
    assert [row.name for row in ROWS if len(row.uses) < 2 or MODELCHECK not in row.uses] == []


@pytest.mark.parametrize(("row", "tool"), USES)
def test_each_fault_differs_from_its_control(row, tool):
    use = row.uses[tool]
    assert tool in TOOLS
    differences = (
        use.healthy != use.faulty and "SUBJECT" in use.test,
        use.damage is not None,
        use.control_options != use.fault_options,
        bool(use.fault_environment),
    )
    assert any(differences)
    assert use.record is not None or (use.anew is None and use.updates is None and not use.baseline)


def page(word: str) -> str:
    row = Row("a name with a | in it", "", {MODELCHECK: Use("")})
    return rendered([Group("a | title", (row,))], {(row.name, MODELCHECK): word}, dict.fromkeys(TOOLS, "1.0"))


@pytest.mark.parametrize("word", WORDS)
def test_the_page_tells_each_word_and_what_it_means(word):
    text = page(word)
    shown = word if word == SURVIVES else f"**{word}**"
    assert f"| a name with a \\| in it | {shown} | – | – | – | – |" in text
    assert f"- **{word}**: " in text


def test_the_tables_of_the_page_are_whole():
    lines = page(PASSES).splitlines()
    tables = [line.replace("\\|", "").count("|") for line in lines if line.startswith("|")]
    assert tables == [7] * 4 + [10] * 7
    assert "| pytest-modelcheck | 1 |  |  | 1 |  |  |  |  |" in lines
    assert all(line.startswith("### ") for line in lines if line.startswith("#"))
