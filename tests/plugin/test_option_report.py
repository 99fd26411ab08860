"""`--modelcheck-report`: files beside the table."""

from __future__ import annotations

import json

import pytest

GATES = """
import pytest

@pytest.mark.modelcheck_small(at_most=9)
def test_kept(): ...

@pytest.mark.modelcheck_small(at_most=1)
def test_broken(): ...
"""

GOOD = GATES[: GATES.index("@pytest.mark.modelcheck_small(at_most=1)")]


@pytest.fixture
def session(small_check):
    small_check.makepyfile(test_it=GATES)
    return small_check


def test_the_ending_picks_the_format(session, processes):
    names = ["r.json", "r.md", "deep/er/r.html"]
    result = session.runpytest_inprocess("--modelcheck", processes, *(f"--modelcheck-report={name}" for name in names))
    result.stdout.fnmatch_lines([f"report: {session.path / name}" for name in names], consecutive=True)
    assert [row["outcome"] for row in json.loads((session.path / "r.json").read_text())["rows"]] == ["failed", "passed"]
    assert (session.path / "r.md").read_text().startswith("<!-- pytest-modelcheck -->\n## modelcheck failed: ")
    assert (session.path / "deep/er/r.html").read_text().startswith("<!doctype html>\n")


ADDING = """
def pytest_sessionstart(session):
    session.config.addinivalue_line("modelcheck_report", "r.pdf")
"""


def test_the_reports_of_one_run_are_not_those_of_the_next_in_the_process(session):
    session.makeconftest(session.path.joinpath("conftest.py").read_text() + ADDING)
    session.runpytest_inprocess("--modelcheck")
    session.runpytest_inprocess("--modelcheck", "-k", "kept").assert_outcomes(passed=1, deselected=1)


def test_the_ini_key_is_a_list_of_lines(session):
    session.makeini("[pytest]\nmodelcheck = true\nmodelcheck_report =\n    one.md\n    two.json\n")
    session.runpytest_inprocess()
    assert (session.path / "one.md").exists()
    assert (session.path / "two.json").exists()


def test_a_path_is_relative_to_where_pytest_was_started(session, monkeypatch):
    folder = session.mkdir("elsewhere")
    monkeypatch.chdir(folder)
    session.runpytest_inprocess("--modelcheck", "--modelcheck-report=r.md", "..")
    assert (folder / "r.md").exists()


def test_it_replaces_an_older_report_and_leaves_nothing_else(session):
    folder = session.mkdir("out")
    (folder / "r.md").write_text("old")
    session.runpytest_inprocess("--modelcheck", "--modelcheck-report=out/r.md")
    assert [path.name for path in folder.iterdir()] == ["r.md"]
    assert (folder / "r.md").read_text().startswith("<!-- pytest-modelcheck -->")


def test_none_is_written_where_gates_do_not_run(session):
    session.runpytest_inprocess("--modelcheck-report=r.md")
    session.runpytest_inprocess("--modelcheck", "--modelcheck-report=r.md", "--collect-only")
    assert not (session.path / "r.md").exists()


ENDINGS = ".json, .md, .html, .txt, .yaml"


@pytest.mark.parametrize("text", ["r.xml", "r", "", "r.JSON", "folder/"])
def test_an_unknown_ending_is_a_usage_error(session, text):
    result = session.runpytest_inprocess("--modelcheck", f"--modelcheck-report={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    expected = f"ERROR: modelcheck: --modelcheck-report={text}: a path ending in {ENDINGS} is expected"
    assert result.stderr.lines[0] == expected


def test_so_is_one_of_the_ini_key_and_under_xdist(session, processes):
    session.makeini("[pytest]\nmodelcheck_report = r.xml\n")
    result = session.runpytest_inprocess("--modelcheck", processes)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    expected = f"ERROR: modelcheck: --modelcheck-report=r.xml: a path ending in {ENDINGS} is expected"
    assert expected in result.stderr.lines


@pytest.mark.parametrize("where", ["taken.md", "file.txt/r.md"])
def test_a_report_that_cannot_be_written_turns_green_into_red(session, where):
    session.makepyfile(test_it=GOOD)
    session.mkdir("taken.md")
    (session.path / "file.txt").write_text("a file")
    result = session.runpytest_inprocess("--modelcheck", f"--modelcheck-report={where}", "--modelcheck-report=r.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [f"the report {session.path / where} could not be written: *", f"report: {session.path / 'r.json'}"]
    )
    assert list((session.path / "taken.md").iterdir()) == []


def test_a_report_that_cannot_be_written_does_not_turn_red_into_green(session):
    session.mkdir("taken.md")
    result = session.runpytest_inprocess("--modelcheck", "--modelcheck-report=taken.md")
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
