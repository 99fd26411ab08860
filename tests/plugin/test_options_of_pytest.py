"""Beside pytest's own options, and those of xdist, a gate has the verdict and the rows that it has without them."""

from __future__ import annotations

import pytest

from tests.installed import before

GATES = """
import pytest
from conftest import small

@pytest.mark.modelcheck_small(at_most=9)
def test_kept(): ...

@pytest.mark.modelcheck_small(at_most=1)
def test_broken(): ...

@pytest.mark.modelcheck
class TestIt:
    def test_twice(self):
        small.assert_form(3, at_most=4)
        small.assert_form(4, at_most=4)

    def test_own(self):
        assert 1 == 2
"""

ALL = [
    ("TestIt::test_own", "test", 1, "failed"),
    ("TestIt::test_twice", "small", 1, "passed"),
    ("TestIt::test_twice", "small", 2, "passed"),
    ("test_broken", "small", 1, "failed"),
    ("test_kept", "small", 1, "passed"),
]
INCOMPLETE = "incomplete: the run was cut short, and some gates may be missing"


@pytest.fixture
def session(small_check):
    small_check.makepyfile(test_it=GATES)
    return small_check


def told(rows):
    return sorted((row["gate"].partition("::")[2], row["check"], row["call"], row["outcome"]) for row in rows)


@pytest.mark.parametrize("option", ["--import-mode=importlib", "--maxfail=9", "-pno:cacheprovider", "--ff", "--nf"])
def test_an_option_that_leaves_nothing_out_changes_nothing(session, run_gates, option):
    result, rows = run_gates(option)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert told(rows) == ALL
    result.stdout.no_fnmatch_line("incomplete:*")


@pytest.mark.parametrize("options", [("--dist=loadfile",), ("--dist=loadscope",), ("--dist=worksteal",)], ids=str)
def test_nor_does_the_way_in_which_xdist_deals_tests_out(session, run_gates, options):
    result, rows = run_gates("-n2", *options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert told(rows) == ALL


def test_where_each_process_runs_all_tests_each_has_its_rows(session, run_gates):
    result, rows = run_gates("--dist=each", "--tx=2*popen")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert told(rows) == sorted(
        (*gate, number, outcome)
        for *gate, number, outcome in [
            *ALL,
            *(("TestIt::test_twice", "small", call, "passed") for call in (3, 4)),
            *((gate, check, 2, outcome) for gate, check, _, outcome in ALL if gate != "TestIt::test_twice"),
        ]
    )


def test_a_run_that_ends_at_its_first_failure_is_not_complete(session, run_gates, processes):
    result, rows = run_gates("--maxfail=1", processes)
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert "failed" in {outcome for *_, outcome in told(rows)}
    assert set(told(rows)) <= {*ALL}
    result.stdout.fnmatch_lines([INCOMPLETE])


def test_only_what_failed_runs_again(session, run_gates):
    run_gates()
    result, rows = run_gates("--lf")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert told(rows) == [row for row in ALL if row[-1] == "failed"]
    result, rows = run_gates("--ff")
    assert told(rows) == ALL


def test_without_a_terminal_the_reports_and_the_verdict_are_the_same(session, run_gates):
    result, rows = run_gates("-pno:terminal")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    broken, *others = told(rows)
    assert others == ALL[1:]
    # Older versions of pytest ask for --verbose where they tell why an assertion failed, and break.
    assert broken[:-1] == ALL[0][:-1] if before("pytest", "9") else broken == ALL[0]


KILLED = """
import os
import signal
import pytest

pytestmark = pytest.mark.modelcheck

@pytest.mark.parametrize("number", range(6))
def test_gate(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_costs_the_gate_that_it_ran(small_check, run_gates):
    small_check.makepyfile(test_it=KILLED)
    result, rows = run_gates("-n1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    lost = "test_gate[[]2]"
    assert [(row["gate"], row["outcome"]) for row in rows if row["outcome"] != "passed"] == [
        ("test_it.py::test_gate[2]", "error")
    ]
    assert len(rows) == 6, rows
    result.stdout.fnmatch_lines([f"ERROR *{lost}*not measured: work*", "6 promises: 1 error, 5 passed; *"])
    result.stdout.no_fnmatch_line("incomplete:*")
    assert "not measured: worker 'gw0' crashed while running 'test_it.py::test_gate[2]'" in rows[0]["message"]


# By files, xdist deals out again what has killed a process, until it gives up.
@pytest.mark.parametrize("options", [("--max-worker-restart=0",), ("--max-worker-restart=1", "--dist=loadfile")])
def test_where_no_other_process_goes_on_the_report_says_so(small_check, run_gates, options):
    small_check.makepyfile(test_it=KILLED)
    result, rows = run_gates("-n1", *options)
    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines([INCOMPLETE])
    assert {(row["gate"], row["outcome"]) for row in rows} == {
        ("test_it.py::test_gate[0]", "passed"),
        ("test_it.py::test_gate[1]", "passed"),
        ("test_it.py::test_gate[2]", "error"),
    }
