"""`--modelcheck-timeout`: a gate that hangs is ended, and the session goes on."""

from __future__ import annotations

import signal

import pytest

from pytest_modelcheck.plugin.timeout import time_limit

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs SIGALRM")

MESSAGE = "not measured: still running after 0.3 s (--modelcheck-timeout)"

GATES = """
import time
import pytest

@pytest.fixture
def slow():
    time.sleep(60)

@pytest.mark.modelcheck
def test_hangs():
    time.sleep(60)

@pytest.mark.modelcheck
def test_fixture_hangs(slow): ...

@pytest.mark.modelcheck
def test_swallows():
    try:
        time.sleep(60)
    except Exception:
        pass

@pytest.mark.modelcheck
def test_next(): ...
"""

BAD = ["soon", "0", "-1", "nan", "inf", "1e400"]


def _judged(result, rows):
    result.assert_outcomes(passed=1, failed=2, errors=1)
    assert {row["gate"].partition("::")[2]: (row["outcome"], row["message"]) for row in rows} == {
        "test_hangs": ("error", f"call: GateTimeout: {MESSAGE}"),
        "test_fixture_hangs": ("error", f"setup: GateTimeout: {MESSAGE}"),
        "test_swallows": ("error", f"call: GateTimeout: {MESSAGE}"),
        "test_next": ("passed", ""),
    }


def test_a_gate_that_hangs_is_ended_and_the_session_goes_on(pytester, run_gates, processes):
    pytester.makepyfile(test_it=GATES)
    result, rows = run_gates("--modelcheck-timeout=0.3", processes)
    _judged(result, rows)
    result.stdout.fnmatch_lines(["*time.sleep(60)", f"E * pytest_modelcheck.GateTimeout: {MESSAGE}"])


def test_the_ini_key_sets_the_limit(pytester, run_gates):
    pytester.makeini("[pytest]\nmodelcheck_timeout = 0.3\n")
    pytester.makepyfile(test_it=GATES)
    _judged(*run_gates())


def test_an_ordinary_test_has_no_limit(pytester):
    pytester.makepyfile("import time\ndef test_ordinary(): time.sleep(0.3)\ndef test_gate(modelcheck): ...\n")
    pytester.runpytest_inprocess("--modelcheck", "--modelcheck-timeout=0.1").assert_outcomes(passed=2)


def test_the_timer_is_off_after_a_gate(pytester):
    pytester.makepyfile("def test_gate(modelcheck): ...\n")
    before = signal.getsignal(signal.SIGALRM)
    pytester.runpytest_inprocess("--modelcheck", "--modelcheck-timeout=50").assert_outcomes(passed=1)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_limit_beyond_the_systems_timer_is_none(pytester):
    pytester.makepyfile("def test_gate(modelcheck): ...\n")
    pytester.runpytest_inprocess("--modelcheck", "--modelcheck-timeout=1e300").assert_outcomes(passed=1)


@pytest.mark.parametrize("text", BAD)
def test_a_limit_that_is_none_is_a_usage_error(pytester, text):
    result = pytester.runpytest_inprocess("--modelcheck", f"--modelcheck-timeout={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    expected = f"ERROR: modelcheck: --modelcheck-timeout={text}: a number of seconds above 0 is expected"
    assert result.stderr.lines[0] == expected


def test_so_is_one_of_the_ini_key_and_under_xdist(pytester, processes):
    pytester.makeini("[pytest]\nmodelcheck_timeout = soon\n")
    result = pytester.runpytest_inprocess("--modelcheck", processes)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    expected = "ERROR: modelcheck: --modelcheck-timeout=soon: a number of seconds above 0 is expected"
    assert expected in result.stderr.lines


def test_another_alarm_goes_on():
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        signal.setitimer(signal.ITIMER_REAL, 50)
        with time_limit(20):
            pass
        assert 40 < signal.getitimer(signal.ITIMER_REAL)[0] <= 50
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
