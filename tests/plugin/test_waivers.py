"""Waivers: a broken promise is let through for a reason, by somebody, until a day, and every report says so."""

from __future__ import annotations

import datetime
import json

import pytest

from pytest_modelcheck import ConfigError
from pytest_modelcheck.waivers import Waiver, Waivers, given_waiver, parse_waivers

GATES = """
import pytest
from pytest_modelcheck import assert_parameters

@pytest.mark.modelcheck_small(at_most=1)
def test_broken():
    print("the body runs")

@pytest.mark.modelcheck_small(at_most=9)
def test_kept(): ...

@pytest.mark.modelcheck
def test_own():
    assert 1 == 2
"""

FULL = 'reason = "labels are being redone", owner = "vision", expires = 2199-12-31'


def waivers(**entries: str) -> str:
    lines = [f'"test_it.py::{gate}" = {{ {entry} }}' for gate, entry in entries.items()]
    return "[tool.pytest.ini_options]\n\n[tool.modelcheck.waivers]\n" + "\n".join(lines) + "\n"


@pytest.fixture
def session(small_check: pytest.Pytester) -> pytest.Pytester:
    small_check.makepyfile(test_it=GATES)
    return small_check


def run(session: pytest.Pytester, *options: str, toml: str = "") -> tuple[pytest.RunResult, dict]:
    if toml:
        session.makepyprojecttoml(toml)
    report = session.path / "r.json"
    report.unlink(missing_ok=True)
    options = ("--modelcheck", "-p", "no:cacheprovider", f"--modelcheck-report={report}", *options)
    result = session.runpytest_inprocess(*options)
    return result, json.loads(report.read_text()) if report.exists() else {}


def outcomes(report: dict) -> dict[str, str]:
    return {f"{row['gate'].partition('::')[2]} {row['check']}": row["outcome"] for row in report["rows"]}


def test_a_waiver_lets_a_broken_promise_through_and_stands_in_the_report(session: pytest.Pytester, processes: str):
    result, report = run(session, processes, "-rA", toml=waivers(test_broken=FULL, test_own=FULL))
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "waived   test_broken  small  at most 1   *-400.00 %",
            "waived   test_own *",
            "3 promises: 2 waived, 1 passed; device auto, seed 0",
            "waived: test_broken small until 2199-12-31 (vision): labels are being redone",
            "waived: test_own test until 2199-12-31 (vision): labels are being redone",
        ]
    )
    result.stdout.re_match_lines([".*1 passed, 2 waived.*"])
    assert outcomes(report) == {"test_broken small": "waived", "test_own test": "waived", "test_kept small": "passed"}
    told = {"reason": "labels are being redone", "owner": "vision", "expires": "2199-12-31"}
    assert [row["waiver"] for row in report["rows"]] == [told, told, None]
    assert report["passed"] is True
    assert "5 is more than 1" in report["rows"][0]["message"]


def test_the_body_of_a_test_runs_behind_a_waived_marker(session: pytest.Pytester):
    session.makepyfile(test_it=GATES.replace('print("the body runs")', "raise ValueError('in the body')"))
    result, report = run(session, toml=waivers(test_broken=FULL, test_own=FULL))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert outcomes(report)["test_broken test"] == "error"
    assert outcomes(report)["test_broken small"] == "waived"


def test_an_assert_form_with_a_waiver_lets_the_test_go_on(session: pytest.Pytester):
    session.makepyfile(
        test_it="""
        import torch
        from pytest_modelcheck import assert_parameters

        def test_broken(modelcheck):
            assert not assert_parameters(torch.nn.Linear(1, 1), total=3).ok
            assert_parameters(torch.nn.Linear(1, 1), total=2)
        """
    )
    result, report = run(session, toml=waivers(test_broken=FULL))
    assert result.ret == pytest.ExitCode.OK
    assert [row["outcome"] for row in report["rows"]] == ["waived", "passed"]


def test_the_command_line_accepts_for_its_run(session: pytest.Pytester, processes: str):
    accept = (
        "--modelcheck-accept=test_it.py::test_broken:known: the labels",
        "--modelcheck-accept=test_it.py::test_own:y",
    )
    result, report = run(session, processes, *accept)
    assert result.ret == pytest.ExitCode.OK
    assert report["rows"][0]["waiver"] == {
        "reason": "known: the labels",
        "owner": "the command line",
        "expires": "this run's end",
    }


PARAMETRIZED = """
import pytest

@pytest.mark.modelcheck
@pytest.mark.parametrize("x", ["a", "b:c"])
def test_own(x):
    assert x == "a"
"""


@pytest.mark.parametrize("gate", ["test_own", "test_own[b:c]"])
def test_one_gate_or_all_of_its_parameters(session: pytest.Pytester, gate: str):
    session.makepyfile(test_it=PARAMETRIZED)
    result, report = run(session, f"--modelcheck-accept=test_it.py::{gate}:why")
    assert result.ret == pytest.ExitCode.OK
    assert outcomes(report) == {"test_own[a] test": "passed", "test_own[b:c] test": "waived"}


def test_of_another_parameter_it_is_not(session: pytest.Pytester):
    session.makepyfile(test_it=PARAMETRIZED)
    result, _ = run(session, "--modelcheck-accept=test_it.py::test_own[a]:why")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "the waiver of test_it.py::test_own[[]a[]] is not needed any more, the gate passes: remove it "
            "(the command line)"
        ]
    )


def test_a_waiver_of_one_check_lets_no_other_through(session: pytest.Pytester):
    toml = waivers(test_broken=FULL + ', check = "small"', test_own=FULL + ', check = "small"')
    result, report = run(session, toml=toml)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert outcomes(report)["test_broken small"] == "waived"
    assert outcomes(report)["test_own test"] == "failed"


def test_what_is_not_measured_is_not_let_through(session: pytest.Pytester):
    session.makepyfile(
        test_it="""
        import pytest

        @pytest.fixture
        def number():
            return ValueError("no number")

        @pytest.mark.modelcheck_small(at_most=1)
        def test_broken(): ...

        @pytest.fixture
        def bad():
            raise AssertionError("a fixture")

        @pytest.mark.modelcheck
        def test_own(bad): ...
        """
    )
    result, report = run(session, toml=waivers(test_broken=FULL, test_own=FULL))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert set(outcomes(report).values()) == {"error"}


FAILING = {
    "expired": (
        waivers(test_broken=FULL.replace("2199-12-31", "2020-01-31"), test_own=FULL),
        "the waiver of test_it.py::test_broken expired on 2020-01-31 (vision: labels are being redone): mend the gate, "
        "or have the waiver renewed",
    ),
    "not needed": (
        waivers(test_broken=FULL, test_own=FULL, test_kept=FULL),
        "the waiver of test_it.py::test_kept is not needed any more, the gate passes: remove it (vision)",
    ),
    "of no test": (
        waivers(test_broken=FULL, test_own=FULL, test_gone=FULL),
        "the waiver of test_it.py::test_gone is of no gate: there is no such test",
    ),
    "of no file": (
        waivers(test_broken=FULL, test_own=FULL).replace("test_it.py::test_own", "test_gone.py::test_own"),
        "the waiver of test_gone.py::test_own is of no gate: there is no such test",
    ),
    "of no check": (
        waivers(test_broken=FULL, test_own=FULL, test_kept=FULL + ', check = "smal"'),
        "the waiver of test_it.py::test_kept is of no check: 'smal' is none of small",
    ),
}


@pytest.mark.parametrize(("toml", "problem"), FAILING.values(), ids=FAILING)
def test_a_waiver_that_does_not_fit_fails_the_run(session: pytest.Pytester, toml: str, problem: str):
    result, report = run(session, toml=toml)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert problem in result.outlines
    assert problem in report["problems"]
    assert report["passed"] is False


def test_they_are_judged_under_xdist(session: pytest.Pytester):
    for name in ("not needed", "of no test"):
        toml, problem = FAILING[name]
        result, _ = run(session, "-n2", toml=toml)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert problem in result.outlines


@pytest.mark.parametrize(
    "options",
    [("-k", "test_kept"), ("test_it.py::test_kept",), ("--deselect", "test_it.py::test_broken", "-k", "kept")],
)
def test_nothing_is_said_of_gates_that_were_not_asked_for(session: pytest.Pytester, options: tuple[str, ...]):
    result, _ = run(session, *options, toml=waivers(test_broken=FULL, test_own=FULL))
    assert result.ret == pytest.ExitCode.OK


REFUSED = {
    "no reason": (waivers(test_broken='owner = "x", expires = 2199-01-01'), "has no reason: say why it may fail"),
    "blank reason": (
        waivers(test_broken='reason = " ", owner = "x", expires = 2199-01-01'),
        "has no reason: say why it may fail",
    ),
    "no owner": (waivers(test_broken='reason = "x", expires = 2199-01-01'), "has no owner: say who will mend it"),
    "no day": (
        waivers(test_broken='reason = "x", owner = "x"'),
        "has no expires: say until which day it may fail, expires = 2030-01-31",
    ),
    "a day that is none": (
        waivers(test_broken='reason = "x", owner = "x", expires = "soon"'),
        ": expires is a day such as 2030-01-31, not 'soon'",
    ),
    "a number for a reason": (waivers(test_broken='reason = 1, owner = "x"'), ": reason is a text, not 1"),
    "a key misspelt": (
        waivers(test_broken='reasn = "x", owner = "x"'),
        "has no key 'reasn' (did you mean 'reason'?); its keys are reason, owner, expires, check",
    ),
}


@pytest.mark.parametrize(("toml", "problem"), REFUSED.values(), ids=REFUSED)
def test_a_waiver_without_all_that_it_needs_is_a_usage_error(session: pytest.Pytester, toml: str, problem: str):
    result, _ = run(session, toml=toml)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    gap = "" if problem.startswith(":") else " "
    assert result.stderr.lines[0] == f"ERROR: modelcheck: the waiver of test_it.py::test_broken{gap}{problem}"


def test_what_is_refused_moves_no_cursor_and_fills_no_screen(session: pytest.Pytester):
    name = "\\u001b[2J" + "k" * 1_000_000
    result, _ = run(session, toml=f'[tool.modelcheck.waivers]\n"{name}" = {{}}\n')
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[0] == (
        f"ERROR: modelcheck: the waiver of \\x1b[2J{'k' * 196}… is of no test: "
        'write its name in quotes, "tests/test_it.py::test_it"'
    )


def test_a_file_in_deep_nesting_is_a_usage_error(session: pytest.Pytester):
    session.makeini("[pytest]")  # of its own accord, pytest would read the file too
    result, _ = run(session, "-c", "tox.ini", toml=f"x = {'[' * 100_000}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[0] == (
        f"ERROR: modelcheck: {session.path / 'pyproject.toml'} cannot be read: it is nested too deeply"
    )


@pytest.mark.parametrize("text", ["test_it.py::test_own", "test_it.py::test_own:", "test_it.py::test_own: ", "", "::"])
def test_a_reason_stands_behind_the_gate(session: pytest.Pytester, text: str):
    result, _ = run(session, f"--modelcheck-accept={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[0].startswith(
        f"ERROR: modelcheck: --modelcheck-accept={text}: a gate and, after a colon, the reason are expected, as in "
    )


def test_other_tables_of_ours_are_refused(session: pytest.Pytester):
    result, _ = run(session, toml="[tool.modelcheck]\nseed = 1\n[tool.pytest.ini_options]\n")
    assert result.stderr.lines[0] == (
        "ERROR: modelcheck: [tool.modelcheck] has no key 'seed': its key is waivers; options stand in pytest's own "
        "table"
    )


def test_without_modelcheck_nothing_is_read(session: pytest.Pytester):
    session.makepyprojecttoml(REFUSED["no reason"][0])
    session.runpytest_inprocess().assert_outcomes(skipped=3)
    result = session.runpytest_inprocess("--modelcheck-accept=test_it.py::test_own:x")
    assert (
        result.stderr.lines[0] == "ERROR: modelcheck: --modelcheck-accept lets gates through: give --modelcheck as well"
    )


def test_a_day_may_be_a_text_and_holds_to_its_end():
    entry = {"reason": "r", "owner": "o", "expires": "2030-01-31"}
    (waiver,) = parse_waivers({"t.py::test": entry})
    assert waiver == Waiver("t.py::test", "r", "o", datetime.date(2030, 1, 31))
    assert not waiver.is_expired(datetime.date(2030, 1, 31))
    assert waiver.is_expired(datetime.date(2030, 2, 1))
    assert Waivers([waiver], datetime.date(2030, 2, 1)).of("t.py::test", "accuracy") is None
    with pytest.raises(ConfigError, match="waivers are a table from gates to their reason, owner and expires, not 3"):
        parse_waivers(3)


@pytest.mark.parametrize(
    ("text", "gate", "reason"),
    [
        ("t.py::test:why", "t.py::test", "why"),
        ("a/t.py::TestIt::test[x:y::z]: a: b", "a/t.py::TestIt::test[x:y::z]", "a: b"),
        ("t.py::test[a]: see [b]: c", "t.py::test[a]", "see [b]: c"),
    ],
)
def test_the_gate_ends_at_a_colon_of_its_own(text: str, gate: str, reason: str):
    found = given_waiver(text)
    assert (found.gate, found.reason, found.expires) == (gate, reason, None)


def test_a_waiver_is_of_a_gate_on_all_devices_unless_it_names_one(session: pytest.Pytester):
    session.makepyfile(test_it=PARAMETRIZED)
    for gate in ("test_own[b:c]", "test_own[cpu-b:c]"):
        result, report = run(session, "--modelcheck-device=cpu,auto", f"--modelcheck-accept=test_it.py::{gate}:why")
        found = outcomes(report)
        assert found["test_own[cpu-b:c] test"] == "waived"
        assert found["test_own[auto-b:c] test"] == ("failed" if "cpu" in gate else "waived")
        assert result.ret == (pytest.ExitCode.TESTS_FAILED if "cpu" in gate else pytest.ExitCode.OK)
        assert report["problems"] == []
