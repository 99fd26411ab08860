"""Gates that another plugin runs again: one set of rows, one seed, and no verdict that is chosen among several."""

from __future__ import annotations

import json

import pytest

# As pytest-rerunfailures does it: a report of a try that is not the last has an outcome of its own.
AGAIN = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for left in (1, 0):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        again = left and any(report.failed for report in reports)
        for report in reports:
            if again and report.failed:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        if not again:
            return True

def pytest_report_teststatus(report):
    return ("rerun", "R", "RERUN") if report.outcome == "rerun" else None

TRIES = []

def first(name):
    TRIES.append(name)
    return TRIES.count(name) == 1
"""

GATES = """
import random
import pytest
from conftest import first, small

@pytest.fixture
def number():
    return 9 if first("number") else 3

@pytest.fixture
def late():
    yield
    if first("late"):
        small.assert_form(9, at_most=1)

@pytest.mark.modelcheck_small(at_most=1, number="nine")
def test_always(): ...

@pytest.fixture
def nine():
    return 9

@pytest.mark.modelcheck_small(at_most=5)
def test_two_verdicts(): ...

@pytest.mark.modelcheck_small(at_most=9, number="nine")
def test_late(late): ...

@pytest.mark.modelcheck
def test_measured_later():
    if first("file"):
        raise OSError("no file\\nyet")

@pytest.mark.modelcheck
def test_draws():
    assert random.random() == {drawn!r}
    assert not first("draws")

def test_ordinary():
    assert not first("ordinary")
"""

# What Python draws first from seed 0.
DRAWN = 0.8444218515250481

TWO = "test_it.py::{} has two verdicts: its last try keeps what an earlier one broke ({}). {}"
NONE = "None is chosen: have the gate measure the same every time."


@pytest.fixture
def tried(small_check):
    with (small_check.path / "conftest.py").open("a") as file:
        file.write(AGAIN)
    small_check.makepyfile(test_it=GATES.format(drawn=DRAWN))

    def run(*options):
        result = small_check.runpytest_inprocess("--modelcheck", "--modelcheck-report=r.json", *options)
        return result, json.loads((small_check.path / "r.json").read_text(encoding="utf-8"))

    return run


def test_each_gate_has_one_set_of_rows_of_its_last_try(tried):
    result, report = tried()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    rows = [(row["gate"].partition("::")[2], row["check"], row["call"], row["outcome"]) for row in report["rows"]]
    assert sorted(rows) == [
        ("test_always", "small", 1, "failed"),
        ("test_draws", "test", 1, "passed"),
        ("test_late", "small", 1, "passed"),
        ("test_measured_later", "test", 1, "passed"),
        ("test_two_verdicts", "small", 1, "passed"),
    ]
    assert report["complete"] is True


def test_a_promise_that_one_try_broke_is_not_kept_by_another(tried):
    result, report = tried("-k", "two_verdicts or late")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert report["passed"] is False
    assert report["problems"] == [
        TWO.format("test_two_verdicts", "small of int: 9 is more than 5", NONE),
        TWO.format("test_late", "small of int: 9 is more than 1", NONE),
    ]
    assert all(problem in result.outlines for problem in report["problems"])
    [row] = [row for row in report["rows"] if row["gate"].endswith("two_verdicts")]
    assert row["evidence"]["earlier tries"] == ["small of int: 9 is more than 5"]


def test_what_could_not_be_measured_may_be_so_later_and_is_told(tried):
    result, report = tried("-k", "measured_later or ordinary")
    assert result.ret == pytest.ExitCode.OK
    assert (report["passed"], report["problems"]) == (True, [])
    assert report["rows"][0]["evidence"]["earlier tries"] == ["call: OSError: no file\nyet"]
    told = "note: test_it.py::test_measured_later: not measured in an earlier try: call: OSError: no file"
    assert told in result.outlines


def test_each_try_starts_from_the_seed(tried):
    _, report = tried("-k", "test_draws")
    assert [row["outcome"] for row in report["rows"]] == ["passed"]
    assert report["problems"][0].startswith("test_it.py::test_draws has two verdicts: ")


def test_a_promise_that_is_broken_in_each_try_is_told_once(tried):
    result, report = tried("-k", "always")
    assert [row["outcome"] for row in report["rows"]] == ["failed"]
    assert (report["problems"], report["rows"][0]["evidence"]) == ([], {})
    result.assert_outcomes(failed=1)
