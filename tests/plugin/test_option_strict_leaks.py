"""`--modelcheck-strict-leaks`: what leaves its surroundings changed is told, and with the option it is no pass."""

from __future__ import annotations

import pytest

CHECKS = """
import pytest
import torch
from pytest_modelcheck import Part, Result, check

@check
def whole(number, /, *, at_most: int) -> Result:
    '''The number is at most this.'''
    torch.set_num_threads(3)
    if number > at_most:
        return Result("failed", f"at most {at_most}", str(number), f"{number} is more than {at_most}")
    return Result("passed", f"at most {at_most}", str(number), margin=0.5)

@check
def parted(number, /, *, at_most: int) -> Result:
    '''The number is at most this, in parts.'''
    torch.set_num_threads(3)
    return Result("passed", "2 parts", "2 kept", parts=(
        Part("one", "passed", "kept", "kept"), Part("two", "passed", "kept", "kept")))

def pytest_modelcheck_checks(config):
    return [whole, parted]

@pytest.fixture
def number():
    return 5

@pytest.fixture
def leaving():
    yield
    torch.set_num_threads(3)
"""

CHANGE = f"the number of threads was changed from {1} to 3"
REMEDY = "Have it take that back, or run without --modelcheck-strict-leaks"
BROKEN = f"it changed its surroundings (restored): {CHANGE}. {REMEDY}"

# What is run; the rows (part, outcome, message, changes) without the option, and with it.
GATES = {
    "a check": (
        "@pytest.mark.modelcheck_whole(at_most=9)\ndef test_it(): ...",
        [("", "passed", "", [CHANGE])],
        [("", "failed", f"whole of int: {BROKEN}", [CHANGE])],
    ),
    "a check that is broken anyway": (
        "@pytest.mark.modelcheck_whole(at_most=1)\ndef test_it(): ...",
        [("", "failed", "whole of int: 5 is more than 1", [CHANGE])],
        [("", "failed", "whole of int: 5 is more than 1", [CHANGE])],
    ),
    "an assert form": (
        "from conftest import whole\n@pytest.mark.modelcheck\ndef test_it(): whole.assert_form(5, at_most=9)",
        [("", "passed", "", [CHANGE])],
        [("", "failed", f"whole of int: {BROKEN}", [CHANGE])],
    ),
    "a check of parts": (
        "@pytest.mark.modelcheck_parted(at_most=9)\ndef test_it(): ...",
        [("one", "passed", "", [CHANGE]), ("two", "passed", "", [])],
        [("surroundings", "failed", BROKEN, [CHANGE]), ("one", "passed", "", []), ("two", "passed", "", [])],
    ),
    "the test's own body": (
        "@pytest.mark.modelcheck\ndef test_it(): torch.set_num_threads(3)",
        [("", "passed", "", [CHANGE])],
        [
            (
                "",
                "failed",
                f"call: ModelCheckFailure: the test changed its surroundings (restored): {CHANGE}. {REMEDY}",
                [CHANGE],
            )
        ],
    ),
    "a test that fails": (
        "@pytest.mark.modelcheck\ndef test_it():\n    torch.set_num_threads(3)\n    assert 1 == 2, 'no'",
        [("", "failed", "call: AssertionError: no\nassert 1 == 2", [CHANGE])],
        [("", "failed", "call: AssertionError: no\nassert 1 == 2", [CHANGE])],
    ),
    "a fixture": (
        "@pytest.mark.modelcheck\ndef test_it(leaving): ...",
        [("", "passed", "", [])],
        [
            (
                "",
                "error",
                "teardown: ModelCheckFailure: a fixture of the test changed its surroundings (restored): "
                f"{CHANGE}. {REMEDY}",
                [CHANGE],
            ),
            ("", "passed", "", []),
        ],
    ),
    "a test that takes it back": (
        "@pytest.mark.modelcheck\ndef test_it():\n    torch.set_num_threads(3)\n    torch.set_num_threads(1)",
        [("", "passed", "", [])],
        [("", "passed", "", [])],
    ),
    "a drawn number": (
        "@pytest.mark.modelcheck\ndef test_it(): torch.rand(3)",
        [("", "passed", "", [])],
        [("", "passed", "", [])],
    ),
    "a fixture that takes it back": (
        "@pytest.fixture\ndef threads():\n    torch.set_num_threads(3)\n    yield\n    torch.set_num_threads(1)\n"
        "@pytest.mark.modelcheck\ndef test_it(threads): ...",
        [("", "passed", "", [])],
        [("", "passed", "", [])],
    ),
    "a fixture that outlives the gate": (
        "@pytest.fixture(scope='module')\ndef threads():\n    torch.set_num_threads(3)\n    yield\n"
        "    torch.set_num_threads(1)\n@pytest.mark.modelcheck\ndef test_it(threads): ...",
        [("", "passed", "", [])],
        [("", "passed", "", [])],
    ),
}


@pytest.fixture(autouse=True)
def _one_thread():
    from pytest_modelcheck.process import preserved_world

    with preserved_world():
        import torch

        torch.set_num_threads(1)
        yield


def _seen(rows):
    return [(row["part"], row["outcome"], row["message"], row["changes"]) for row in rows]


@pytest.mark.parametrize("name", GATES)
def test_what_was_changed_is_told_and_with_the_option_no_pass(pytester, run_gates, name):
    gate, told, strict = GATES[name]
    pytester.makeconftest(CHECKS)
    pytester.makepyfile(test_it=f"import pytest\nimport torch\n{gate}\n")
    assert _seen(run_gates()[1]) == told
    assert _seen(run_gates("--modelcheck-strict-leaks")[1]) == strict


def test_the_ini_key_says_the_same_and_processes_too(pytester, run_gates, processes):
    pytester.makeconftest(CHECKS)
    pytester.makeini("[pytest]\nmodelcheck_strict_leaks = true\n")
    pytester.makepyfile(test_it="import pytest\n@pytest.mark.modelcheck_whole(at_most=9)\ndef test_it(): ...\n")
    result, rows = run_gates(processes)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert _seen(rows) == [("", "failed", f"whole of int: {BROKEN}", [CHANGE])]


def test_the_table_tells_what_a_fixture_left(pytester):
    pytester.makeconftest(CHECKS)
    pytester.makepyfile(test_it="import pytest\n@pytest.mark.modelcheck\ndef test_it(leaving): ...\n")
    result = pytester.runpytest_inprocess("--modelcheck")
    result.assert_outcomes(passed=1)
    assert f"note: test_it.py::test_it: a fixture left changed (restored): {CHANGE}" in result.outlines


def test_a_failure_says_once_what_was_changed(pytester):
    pytester.makeconftest(CHECKS)
    pytester.makepyfile(test_it="import pytest\n@pytest.mark.modelcheck_whole(at_most=9)\ndef test_it(): ...\n")
    result = pytester.runpytest_inprocess("--modelcheck", "--modelcheck-strict-leaks")
    assert result.outlines.count(f"E   whole of int: {BROKEN}") == 1
    result.stdout.no_fnmatch_line("*The check also changed*")


def test_a_waiver_lets_it_through(pytester, run_gates):
    pytester.makeconftest(CHECKS)
    pytester.makepyfile(test_it="import pytest\n@pytest.mark.modelcheck_whole(at_most=9)\ndef test_it(): ...\n")
    result, rows = run_gates("--modelcheck-strict-leaks", "--modelcheck-accept=test_it.py::test_it:known")
    assert result.ret == pytest.ExitCode.OK
    assert [row["outcome"] for row in rows] == ["waived"]
