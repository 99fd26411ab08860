"""Rows travel: on test reports, through xdist, into JUnit's file, and whatever a check gives, they arrive."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

GATES = """
import pytest

@pytest.mark.modelcheck_small(at_most=9)
def test_kept(): ...

@pytest.mark.modelcheck_small(at_most=1)
def test_broken(): ...

@pytest.mark.modelcheck
def test_plain(): ...

@pytest.fixture
def late():
    yield
    raise ValueError("late")

@pytest.mark.modelcheck_small(at_most=9)
def test_late(late): ...
"""

PROPERTIES = {
    "test_kept": [("modelcheck.small", "passed: promised at most 9; measured 5")],
    "test_broken": [("modelcheck.small", "failed: promised at most 1; measured 5")],
    "test_plain": [("modelcheck.test", "passed: promised the test passes; measured it passes")],
    "test_late": [
        ("modelcheck.small", "passed: promised at most 9; measured 5"),
        ("modelcheck.test", "error: promised the test passes; measured teardown: ValueError: late"),
    ],
}

FIELDS = {
    "gate",
    "check",
    "part",
    "subject",
    "outcome",
    "promised",
    "measured",
    "margin",
    "message",
    "evidence",
    "device",
    "seconds",
    "changes",
}


@pytest.fixture
def session(small_check):
    small_check.makepyfile(test_it=GATES)
    return small_check


def test_rows_survive_xdist(session, run_gates):
    def told(rows):
        return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]

    _, here = run_gates()
    _, there = run_gates("-n2")
    assert len(here) == 5
    assert told(here) == told(there)


def test_a_row_has_all_its_fields(session, run_gates):
    _, rows = run_gates()
    assert all(set(row) >= FIELDS for row in rows)


def test_rows_are_on_the_test_report(session):
    with (session.path / "conftest.py").open("a") as file:
        file.write(
            "\ndef pytest_runtest_logreport(report):\n"
            "    for row in getattr(report, 'modelcheck', []):\n"
            "        print('ROW', report.when, row['gate'], row['outcome'])\n"
        )
    result = session.runpytest_inprocess("--modelcheck", "-s", "-n0", "-k", "kept or late")
    result.stdout.fnmatch_lines(
        [
            "*ROW call test_it.py::test_kept passed",
            "*ROW call test_it.py::test_late passed",
            "*ROW teardown test_it.py::test_late error",
        ]
    )


def _junit_properties(path):
    return {
        case.get("name"): [(item.get("name"), item.get("value")) for item in case.iter("property")]
        for case in ElementTree.parse(path).iter("testcase")  # noqa: S314  (pytest wrote it)
    }


def test_junit_has_them_as_properties(session, processes):
    session.runpytest_inprocess("--modelcheck", "--junitxml=junit.xml", processes)
    assert _junit_properties(session.path / "junit.xml") == PROPERTIES


def test_without_modelcheck_there_are_none(session):
    session.runpytest_inprocess("--junitxml=junit.xml")
    assert set(map(tuple, _junit_properties(session.path / "junit.xml").values())) == {()}


ODD = '''
import pytest
from pytest_modelcheck import Result, check

class Odd(float): ...

class Count(int): ...

VALUES = {
    "nan": dict(evidence={"x": float("nan"), "y": [float("inf")]}),
    "object": dict(evidence={"x": object(), 3: {1, 2}, None: b"bytes"}),
    "generator": dict(evidence={"x": (n for n in range(3))}),
    "subclass": dict(evidence={"x": Odd(0.5), "n": Count(3), "t": True}, margin=Odd(0.5)),
    "surrogate": dict(evidence={"x\\ud800": "y\\udfff"}),
    "secret": dict(evidence={"https://me:pass@host": ["/home/me/m.pt"]}),
}

@check
def odd(number, /, *, kind: str) -> Result:
    """The number is odd."""
    if kind == "texts":
        return Result("passed", 5, None)
    return Result("passed", "promised", "measured", **VALUES[kind])

def pytest_modelcheck_checks(config):
    return [odd]

@pytest.fixture
def number():
    return 5
'''

EVIDENCE = {
    "nan": {"x": "nan", "y": ["inf"]},
    "object": {"x": "<object>", "3": "<set>", "None": "<bytes>"},
    "generator": {"x": "<generator>"},
    "subclass": {"x": 0.5, "n": 3, "t": True},
    "surrogate": {"x\\ud800": "y\\udfff"},
    "secret": {"https://…@host": ["/home/…/m.pt"]},
    "texts": {},
}


def test_whatever_a_check_gives_arrives_as_json(pytester, run_gates, processes):
    pytester.makeconftest(ODD)
    pytester.makepyfile(
        test_it="".join(
            f"import pytest\n@pytest.mark.modelcheck_odd(kind={kind!r})\ndef test_{kind}(): ...\n" for kind in EVIDENCE
        )
    )
    result, rows = run_gates("--modelcheck-report=r.html", "--modelcheck-report=r.md", processes)
    result.assert_outcomes(passed=len(EVIDENCE))
    assert result.ret == pytest.ExitCode.OK
    assert {row["gate"].partition("test_it.py::test_")[2]: row["evidence"] for row in rows} == EVIDENCE
    assert [(row["promised"], row["measured"]) for row in rows if row["gate"].endswith("texts")] == [("5", "None")]


PARTED = '''
import pytest
from pytest_modelcheck import Result, check
from pytest_modelcheck.result import Part

@check
def parted(number, /, *, outcomes: str) -> Result:
    """Every part is kept."""
    parts = tuple(Part(f"p{n}", item, "kept", item, "why", {"n": n}) for n, item in enumerate(outcomes.split()))
    broken = [part.outcome for part in parts if part.broken]
    outcome = ("error" if set(broken) == {"error"} else "failed") if broken else "passed"
    return Result(outcome, "whole", "measured", "why", parts=parts)

def pytest_modelcheck_checks(config):
    return [parted]

@pytest.fixture
def number():
    return 5
'''

MARKED = """
import pytest

@pytest.mark.modelcheck_parted(outcomes="passed skipped xfailed")
def test_kept(number): ...

@pytest.mark.modelcheck_parted(outcomes="passed failed error")
def test_broken(number): ...

@pytest.mark.xfail(reason="known", strict=False)
@pytest.mark.modelcheck_parted(outcomes="passed failed skipped xfailed error xpassed")
def test_expected(number): ...

@pytest.mark.xfail(reason="known", strict=False)
@pytest.mark.modelcheck_parted(outcomes="passed skipped")
def test_better(number): ...
"""

MARGINS = """
import pytest
from pytest_modelcheck import Part, Result, check

@check
def parted(number, /, *, at_most: int) -> Result:
    \"\"\"Every part is kept.\"\"\"
    parts = Part("near", "passed", "p", "m", margin=0.25), Part("bare", "passed", "p", "m")
    return Result("passed", "p", "m", margin=0.125, parts=parts)

def pytest_modelcheck_checks(config):
    return [parted]

@pytest.fixture
def number():
    return 5
"""


def test_a_part_has_its_own_margin_and_not_that_of_the_whole(pytester, run_gates):
    pytester.makeconftest(MARGINS)
    pytester.makepyfile("import pytest\n\n@pytest.mark.modelcheck_parted(at_most=5)\ndef test_it(): ...")
    _, rows = run_gates()
    assert [(row["part"], row["margin"]) for row in rows] == [("near", 0.25), ("bare", None)]


PART_OUTCOMES = {
    "test_kept": ["passed", "skipped", "xfailed"],
    "test_broken": ["passed", "failed", "error"],
    # What could not be measured was not looked at, and what is not broken stays what it is.
    "test_expected": ["passed", "xfailed", "skipped", "xfailed", "skipped", "xfailed"],
    "test_better": ["passed", "skipped"],
}


def test_each_part_is_a_row_with_an_outcome_of_its_own(pytester, run_gates, processes):
    pytester.makeconftest(PARTED)
    pytester.makepyfile(test_it=MARKED)
    result, rows = run_gates("--junitxml=junit.xml", processes)
    result.assert_outcomes(passed=1, failed=1, xfailed=1, xpassed=1)
    assert all((row["check"], row["part"]) == ("parted", f"p{row['evidence']['n']}") for row in rows)
    found = {}
    for row in sorted(rows, key=lambda row: row["part"]):
        found.setdefault(row["gate"].partition("::")[2], []).append(row["outcome"])
    assert found == PART_OUTCOMES
    properties = _junit_properties(pytester.path / "junit.xml")
    assert properties["test_broken"] == [
        ("modelcheck.parted.p0", "passed: promised kept; measured passed"),
        ("modelcheck.parted.p1", "failed: promised kept; measured failed"),
        ("modelcheck.parted.p2", "error: promised kept; measured error"),
    ]


@pytest.mark.parametrize(("outcomes", "passed"), [("passed xfailed", True), ("passed xpassed", False)])
def test_a_part_that_is_kept_against_expectation_fails_the_run(pytester, run_gates, outcomes, passed):
    pytester.makeconftest(PARTED)
    gate = f"import pytest\n@pytest.mark.modelcheck_parted(outcomes={outcomes!r})\ndef test_it(): ...\n"
    pytester.makepyfile(test_it=gate)
    result, _ = run_gates()
    result.assert_outcomes(passed=int(passed), failed=int(not passed))
    report = json.loads((pytester.path / "rows.json").read_text(encoding="utf-8"))
    assert (report["passed"], result.ret == pytest.ExitCode.OK) == (passed, passed)


def test_a_gate_whose_process_ended_has_a_row(small_check, run_gates):
    small_check.makepyfile(
        test_it="""
        import os
        import pytest

        @pytest.mark.modelcheck
        def test_dies():
            os._exit(7)

        @pytest.mark.modelcheck
        def test_lives(): ...
        """
    )
    result, rows = run_gates("-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    told = {row["gate"]: (row["outcome"], row["measured"]) for row in rows}
    assert told.keys() == {"test_it.py::test_dies", "test_it.py::test_lives"}
    assert told["test_it.py::test_lives"] == ("passed", "it passes")
    outcome, measured = told["test_it.py::test_dies"]
    assert outcome == "error"
    assert measured.startswith("not measured: worker 'gw")
    assert measured.endswith("' crashed while running 'test_it.py::test_dies'")


def test_the_report_is_the_controllers_alone(session):
    session.runpytest_inprocess("--modelcheck", "-n2", "--modelcheck-report=r.json")
    assert len(json.loads((session.path / "r.json").read_text())["rows"]) == 5
    assert [path.name for path in session.path.glob("**/*.json")] == ["r.json"]
