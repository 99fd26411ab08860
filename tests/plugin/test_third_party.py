"""Checks of other packages and of conftest files: one hook, and they are checks like the others."""

from __future__ import annotations

import sys

import pytest

PACKAGE = '''
from pytest_modelcheck import Result, check

@check
def {name}(number, /, *, divisor: int = 2) -> Result:
    """The number is a multiple."""
    ok = number % divisor == 0
    return Result("passed" if ok else "failed", f"divisor {{divisor}}", str(number), "" if ok else "a rest is left")

def pytest_modelcheck_checks(config):
    return [{name}]
'''

GATE = """
import pytest

@pytest.fixture
def number():
    return 6

@pytest.mark.modelcheck_multiple(divisor=3)
def test_kept(): ...

@pytest.mark.modelcheck_multiple(divisor=4)
def test_broken(): ...
"""


@pytest.fixture
def plugin(pytester, monkeypatch):
    pytester.makepyfile(others=PACKAGE.format(name="multiple"), test_it=GATE)
    pytester.syspathinsert()
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    return pytester


def _verdicts(rows):
    return [(row["gate"], row["check"], row["outcome"], row["message"]) for row in rows]


EXPECTED = [
    ("test_it.py::test_broken", "multiple", "failed", "multiple of int: a rest is left"),
    ("test_it.py::test_kept", "multiple", "passed", ""),
]


def test_a_plugin_brings_a_check(plugin, run_gates):
    result, rows = run_gates("-p", "others")
    result.assert_outcomes(passed=1, failed=1)
    assert _verdicts(rows) == EXPECTED


def test_a_plugin_brings_a_check_to_the_processes_of_xdist(plugin):
    result = plugin.run(sys.executable, "-m", "pytest", "--modelcheck", "-p", "others", "-n2")
    result.assert_outcomes(passed=1, failed=1)
    assert "E   multiple of int: a rest is left" in result.stdout.lines


@pytest.mark.parametrize("option", ["", "--modelcheck"])
def test_a_conftest_file_that_is_loaded_too_late_brings_none(pytester, option):
    folder = pytester.mkdir("below")
    (folder / "conftest.py").write_text(PACKAGE.format(name="multiple"), encoding="utf-8")
    (folder / "test_it.py").write_text(GATE, encoding="utf-8")
    quiet = ("-W", "ignore::pytest.PytestUnknownMarkWarning")
    result = pytester.runpytest_inprocess(*quiet, *([option] if option else []))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*: unknown mark 'modelcheck_multiple' (did you mean *"])


def test_a_conftest_file_brings_a_check(pytester, run_gates, processes):
    pytester.makeconftest(PACKAGE.format(name="multiple"))
    pytester.makepyfile(test_it=GATE)
    result, rows = run_gates(processes)
    result.assert_outcomes(passed=1, failed=1)
    assert _verdicts(rows) == EXPECTED


def test_its_marker_is_in_the_list(plugin):
    result = plugin.runpytest_inprocess("-p", "others", "--markers")
    expected = "@pytest.mark.modelcheck_multiple(divisor=2): The number is a multiple. Subjects: the fixtures number."
    assert expected in result.stdout.lines


def test_strict_markers_know_it(plugin):
    result = plugin.runpytest_inprocess("-p", "others", "--modelcheck", "--strict-markers", "-k", "kept")
    result.assert_outcomes(passed=1, deselected=1)


def test_two_checks_of_one_name_are_a_usage_error(plugin, processes):
    plugin.makeconftest(PACKAGE.format(name="multiple"))
    result = plugin.runpytest_inprocess("-p", "others", processes)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in result.stderr.lines if line.startswith("ERROR:")]
    assert line.startswith("ERROR: modelcheck: two checks are named multiple: ")
    assert sorted(line.partition("multiple: ")[2].split(" and ")) == ["conftest", "others"]


@pytest.mark.parametrize("name", ["parameters", "device"])
def test_so_is_one_that_has_a_name_of_this_package(pytester, name):
    pytester.makeconftest(PACKAGE.format(name=name))
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    expected = f"ERROR: modelcheck: two checks are named {name}: pytest_modelcheck and conftest"
    assert result.stderr.lines[0] == expected


OFFERS = {
    "a function": ("[print]", "offers print, which is no check: put @pytest_modelcheck.check on it"),
    "a word": ("['small']", "offers str, which is no check: put @pytest_modelcheck.check on it"),
    "no list": ("3", "returns a list of checks, not int"),
}


@pytest.mark.parametrize(("offer", "message"), OFFERS.values(), ids=OFFERS)
def test_an_offer_that_is_no_check_is_a_usage_error(pytester, offer, message):
    pytester.makeconftest(f"def pytest_modelcheck_checks(config): return {offer}\n")
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[0] == f"ERROR: modelcheck: pytest_modelcheck_checks {message}"


def test_an_empty_offer_is_fine(pytester):
    pytester.makeconftest("def pytest_modelcheck_checks(config): return []\n")
    pytester.makepyfile("def test_it(modelcheck_texts): ...\n")
    pytester.runpytest_inprocess("--modelcheck").assert_outcomes(passed=1)
