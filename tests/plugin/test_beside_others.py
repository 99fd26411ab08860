"""Beside other plugins: `MODELCHECK_BESIDE` names a folder with pytest-timeout, pytest-rerunfailures and others.

It is one that `pip install --no-deps --target` has filled; on PYTHONPATH, all plugins in it are loaded.
"""

from __future__ import annotations

import json
import os
import sys

import pytest

FOLDER = os.environ.get("MODELCHECK_BESIDE", "")

pytestmark = pytest.mark.skipif(
    not FOLDER,
    reason="needs MODELCHECK_BESIDE: a folder with pytest-timeout, pytest-rerunfailures and others",
)

PLUGINS = ("timeout", "rerunfailures", "pytest_cov", "asyncio", "syrupy", "randomly")

# What this environment has beside them, and costs every process a while.
OTHERS = ("anyio", "jaxtyping")

GATES = """
import random
import pytest
from conftest import small
from hypothesis import given, settings
from hypothesis import strategies as st

@pytest.mark.modelcheck_small(at_most=9)
def test_kept(): ...

@pytest.mark.modelcheck_small(at_most=1)
def test_broken(): ...

@pytest.fixture
def drawn():
    return random.random()

def test_numbers(modelcheck, drawn):
    assert (drawn, random.random()) == (0.8444218515250481, 0.7579544029403025)

@pytest.mark.modelcheck_small(at_most=9)
@settings(max_examples=3, database=None, deadline=None)
@given(st.just(4))
def test_examples(number_of_hypothesis):
    small.assert_form(number_of_hypothesis, at_most=5)

@pytest.mark.modelcheck
class TestIt:
    def test_own(self):
        assert 1 == 2

    @pytest.mark.xfail(reason="known", strict=True)
    @pytest.mark.modelcheck_small(at_most=2)
    def test_expected(self): ...

    def test_skipped(self):
        pytest.skip("not today")

def test_ordinary(): ...
"""


@pytest.fixture
def beside(small_check, monkeypatch):
    """Run gates beside some of the plugins of the folder: what pytest said, and the JSON report."""

    def run(plugins, *options):
        path = small_check.path / "r.json"
        path.unlink(missing_ok=True)
        with monkeypatch.context() as patch:
            if plugins:
                patch.setenv("PYTHONPATH", FOLDER, prepend=os.pathsep)
            absent = [*OTHERS, *(name for name in PLUGINS if name not in plugins)]
            result = small_check.run(
                sys.executable,
                "-m",
                "pytest",
                *(f"-pno:{name}" for name in absent),
                "-pno:cacheprovider",
                "--modelcheck",
                "--modelcheck-report=r.json",
                *options,
            )
        return result, json.loads(path.read_text(encoding="utf-8"))

    return run


def told(report):
    return [{**row, "seconds": 0} for row in report["rows"]]


def verdicts(report):
    return sorted((row["gate"].partition("::")[2], row["check"], row["outcome"]) for row in report["rows"])


@pytest.mark.parametrize("plugins", [*((name,) for name in PLUGINS), PLUGINS], ids=[*PLUGINS, "all"])
def test_the_gates_are_the_same_beside_them(small_check, beside, plugins):
    small_check.makepyfile(test_it=GATES)
    alone, expected = beside(())
    assert len(expected["rows"]) > 7
    assert {row["outcome"] for row in expected["rows"]} == {"passed", "failed", "xfailed", "skipped"}
    for options in ((), ("-n2",)):
        result, report = beside(plugins, *options)
        assert (result.ret, report["passed"], report["complete"]) == (alone.ret, False, True), result.outlines
        assert told(report) == told(expected)
        assert report["problems"] == expected["problems"]


TRIED = """
import pytest
from conftest import small
from pathlib import Path

def times(name):
    path = Path(__file__).with_name(f"{name}.tries")
    path.write_text(f"{path.read_text() if path.exists() else ''}x")
    return len(path.read_text())

@pytest.mark.modelcheck_small(at_most=1)
def test_broken(): ...

@pytest.mark.flaky(reruns=1)
@pytest.mark.modelcheck
def test_two_verdicts():
    small.assert_form(10 - times("two"), at_most=8)

@pytest.mark.modelcheck
def test_measured_later():
    if times("later") == 1:
        raise OSError("no file")
"""


def test_what_runs_again_has_one_set_of_rows_and_no_second_verdict(small_check, beside, processes):
    small_check.makepyfile(test_it=TRIED)
    result, report = beside(("rerunfailures",), "--reruns=2", processes)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert verdicts(report) == [
        ("test_broken", "small", "failed"),
        ("test_measured_later", "test", "passed"),
        ("test_two_verdicts", "small", "passed"),
    ]
    assert report["problems"] == [
        "test_it.py::test_two_verdicts has two verdicts: its last try keeps what an earlier one broke (small of int: "
        "9 is more than 8). None is chosen: have the gate measure the same every time."
    ]
    result.stdout.fnmatch_lines(["note: test_it.py::test_measured_later: not measured in an earlier try: *no file"])


LIMITED = """
import time
import pytest

@pytest.mark.timeout(0.5)
@pytest.mark.modelcheck
def test_its_own_limit():
    time.sleep(60)

@pytest.mark.timeout(60)
@pytest.mark.modelcheck
def test_the_limit_of_gates():
    time.sleep(60)

@pytest.mark.timeout(60)
@pytest.mark.modelcheck
def test_kept(): ...
"""


def test_of_two_limits_the_shorter_one_holds(small_check, beside):
    small_check.makepyfile(test_it=LIMITED)
    result, report = beside(("timeout",), "--modelcheck-timeout=1.5")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    messages = {row["gate"].partition("::")[2]: (row["outcome"], row["message"]) for row in report["rows"]}
    assert messages["test_kept"] == ("passed", "")
    outcome, message = messages["test_its_own_limit"]
    assert (outcome, message.splitlines()[0]) == ("error", "call: Failed: Timeout (>0.5s) from pytest-timeout.")
    assert messages["test_the_limit_of_gates"] == (
        "error",
        "call: GateTimeout: not measured: still running after 1.5 s, in test_the_limit_of_gates at test_it.py:12 "
        "(--modelcheck-timeout)",
    )


MEASURED = """
import pytest

@pytest.mark.modelcheck
def test_kept():
    from subject import doubled

    assert doubled(2) == 4
"""


def test_coverage_is_measured_of_what_gates_run(small_check, beside, processes):
    small_check.makepyfile(
        subject="def doubled(number):\n    return 2 * number\n\n\ndef never():\n    return 5\n", test_it=MEASURED
    )
    result, report = beside(("pytest_cov",), "--cov=subject", "--cov-report=json:cov.json", processes)
    assert (result.ret, verdicts(report)) == (pytest.ExitCode.OK, [("test_kept", "test", "passed")])
    found = json.loads((small_check.path / "cov.json").read_text(encoding="utf-8"))["files"]["subject.py"]
    assert found["missing_lines"] == [6]


COROUTINES = """
import asyncio
import pytest
import pytest_asyncio
from conftest import small

pytestmark = pytest.mark.asyncio(loop_scope="module")

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def late_number():
    await asyncio.sleep(0)
    yield 5

@pytest.mark.modelcheck_small(at_most=9, number="late_number")
async def test_kept(late_number):
    await asyncio.sleep(0)
    small.assert_form(late_number, at_most=5)

@pytest.mark.modelcheck_small(at_most=1, number="late_number")
async def test_marker_broken(): ...

@pytest.mark.modelcheck
async def test_body_broken(late_number):
    await asyncio.sleep(0)
    small.assert_form(late_number, at_most=2)
"""


def test_coroutines_are_gates(small_check, beside):
    small_check.makepyfile(test_it=COROUTINES)
    result, report = beside(("asyncio",))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert verdicts(report) == [
        ("test_body_broken", "small", "failed"),
        ("test_kept", "small", "passed"),
        ("test_kept", "small", "passed"),
        ("test_marker_broken", "small", "failed"),
    ]


SNAPSHOT = """
import pytest

@pytest.mark.modelcheck_small(at_most=9)
def test_size(snapshot):
    assert {"layers": 4} == snapshot
"""


def test_a_gate_may_have_a_snapshot(small_check, beside):
    small_check.makepyfile(test_it=SNAPSHOT)
    result, report = beside(("syrupy",))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert verdicts(report) == [("test_size", "small", "passed"), ("test_size", "test", "failed")]
    beside(("syrupy",), "--snapshot-update")
    result, report = beside(("syrupy",))
    assert (result.ret, verdicts(report)) == (pytest.ExitCode.OK, [("test_size", "small", "passed")])
