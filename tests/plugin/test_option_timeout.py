"""`--modelcheck-timeout`: a gate that hangs is ended, and the session goes on."""

from __future__ import annotations

import json
import signal
import sys
import time

import pytest

from pytest_modelcheck.plugin.timeout import GateTimeout, Limit, time_limit

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs SIGALRM")

MESSAGE = "not measured: still running after 0.3 s, in {} (--modelcheck-timeout)"

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
def test_swallows_all():
    try:
        time.sleep(60)
    except BaseException:
        pass

@pytest.fixture
def slow_at_the_end():
    yield
    time.sleep(60)

@pytest.mark.modelcheck
def test_teardown_hangs(slow_at_the_end): ...

@pytest.mark.modelcheck
def test_next(): ...
"""

BAD = ["soon", "0", "-1", "nan", "inf", "1e400"]


def _judged(result, rows):
    result.assert_outcomes(passed=2, failed=3, errors=2)
    assert sorted((row["gate"].partition("::")[2], row["outcome"], row["message"]) for row in rows) == [
        ("test_fixture_hangs", "error", f"setup: GateTimeout: {MESSAGE.format('slow at test_it.py:6')}"),
        ("test_hangs", "error", f"call: GateTimeout: {MESSAGE.format('test_hangs at test_it.py:10')}"),
        ("test_next", "passed", ""),
        ("test_swallows", "error", f"call: GateTimeout: {MESSAGE.format('test_swallows at test_it.py:18')}"),
        ("test_swallows_all", "error", f"call: GateTimeout: {MESSAGE.replace(', in {}', '')}"),
        (
            "test_teardown_hangs",
            "error",
            f"teardown: TeardownTimeout: {MESSAGE.format('slow_at_the_end at test_it.py:32')}",
        ),
        ("test_teardown_hangs", "passed", ""),
    ]


def test_a_gate_that_hangs_is_ended_and_the_session_goes_on(pytester, run_gates, processes):
    pytester.makepyfile(test_it=GATES)
    result, rows = run_gates("--modelcheck-timeout=0.3", processes)
    _judged(result, rows)
    result.stdout.fnmatch_lines(
        ["*time.sleep(60)", f"E * pytest_modelcheck.GateTimeout: {MESSAGE.format('test_hangs at test_it.py:10')}"]
    )


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


HANGS = """
import collections
import ctypes
import itertools
import threading
import time
import pytest

def in_c():
    lock = (ctypes.c_char * 64)()
    ctypes.CDLL(None).pthread_mutex_lock(lock)
    ctypes.CDLL(None).pthread_mutex_lock(lock)

def in_c_alone():
    collections.deque(itertools.repeat(0), maxlen=0)

def deaf():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

@pytest.mark.modelcheck
def test_1_before(): ...

@pytest.mark.modelcheck
def test_2_hangs():
    {how}()

@pytest.mark.modelcheck
def test_3_after(): ...
"""

ENDED = (
    "not measured: still running after 0.3 s (--modelcheck-timeout), and it did not end when it was told to, so its "
    "process was ended. "
)
SERIAL = "The session ends here; with pytest-xdist (-n1 or more) another process goes on"


@pytest.mark.parametrize("how", ["in_c", "in_c_alone", "deaf"])
def test_what_hears_of_nothing_ends_its_process_and_another_one_goes_on(pytester, how):
    pytester.makepyfile(test_it=HANGS.format(how=how))
    result, report = _run_of_its_own(pytester, "-n1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    rows = {row["gate"].partition("::")[2]: row for row in report["rows"]}
    assert {name: row["outcome"] for name, row in rows.items()} == {
        "test_1_before": "passed",
        "test_2_hangs": "error",
        "test_3_after": "passed",
    }
    lines = rows["test_2_hangs"]["message"].splitlines()
    assert lines[0] == f"{ENDED}Another process goes on with the gates after it"
    assert f", line {HANGS.splitlines().index('    {how}()')} in test_2_hangs" in lines[-1]
    assert any(f" in {how}" in line for line in lines)
    assert report["complete"] is True


@pytest.mark.parametrize("how", ["in_c", "deaf"])
def test_in_one_process_the_session_ends_with_its_reports(pytester, how):
    pytester.makepyfile(test_it=HANGS.format(how=how))
    result, report = _run_of_its_own(pytester, "-n0", "--junitxml=junit.xml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    rows = {row["gate"].partition("::")[2]: row for row in report["rows"]}
    assert {name: row["outcome"] for name, row in rows.items()} == {"test_1_before": "passed", "test_2_hangs": "error"}
    lines = rows["test_2_hangs"]["message"].splitlines()
    assert lines[0] == f"{ENDED}{SERIAL}"
    assert f" in {how}" in lines[1]
    assert report["complete"] is False
    assert report["passed"] is False
    result.stdout.fnmatch_lines(["incomplete: the run was cut short, and some gates may be missing"])
    assert 'errors="1"' in (pytester.path / "junit.xml").read_text(encoding="utf-8")


def test_where_python_cannot_run_at_all_the_stacks_are_left(pytester):
    pytester.makepyfile(test_it=HANGS.format(how="in_c_alone"))
    result, report = _run_of_its_own(pytester, "-n0")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stderr.fnmatch_lines(["Timeout (*)!", "*test_it.py*in in_c_alone", "*test_it.py*in test_2_hangs"])
    assert report == {}


def _run_of_its_own(pytester, *options):
    path = pytester.path / "rows.json"
    arguments = ("--modelcheck", "--modelcheck-timeout=0.3", f"--modelcheck-report={path}", *options)
    result = pytester.runpytest_subprocess(*arguments)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return result, json.loads(text) if text else {}


def test_a_debugger_has_all_the_time(pytester):
    pytester.makepyfile(
        test_it="""
        import time
        import pytest

        @pytest.mark.modelcheck
        def test_gate(request):
            request.config.hook.pytest_enter_pdb(config=request.config, pdb=None)
            time.sleep(0.4)
        """
    )
    pytester.runpytest_inprocess("--modelcheck", "--modelcheck-timeout=0.2").assert_outcomes(passed=1)


def test_another_alarm_goes_on():
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        signal.setitimer(signal.ITIMER_REAL, 50)
        with time_limit(Limit(20, sys.stderr)):
            pass
        assert 40 < signal.getitimer(signal.ITIMER_REAL)[0] <= 50
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_another_alarm_that_is_due_first_rings_first():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
    started = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(GateTimeout, match="still running after 0.4 s"), time_limit(Limit(0.4, sys.stderr)):
            time.sleep(60)
        assert time.monotonic() - started >= 0.4
        assert len(rung) == 1
        assert rung[0] - started < 0.4
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("by_itself", [False, True], ids=["by its handler", "by itself"])
def test_another_alarm_that_rings_again_and_again_is_not_taken_for_the_limit(by_itself):
    rung = []

    def beat(*_):
        rung.append(time.monotonic())
        if not by_itself:
            signal.setitimer(signal.ITIMER_REAL, 0.05)

    before = signal.signal(signal.SIGALRM, beat)
    started = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05 if by_itself else 0)
        with pytest.raises(GateTimeout, match="still running after 0.4 s"), time_limit(Limit(0.4, sys.stderr)):
            while True:
                time.sleep(0.01)
        assert time.monotonic() - started >= 0.4
        assert len(rung) >= 2
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
