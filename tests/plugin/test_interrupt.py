"""Ctrl-C: the run stops as pytest's runs do, and the report says that it is not whole."""

from __future__ import annotations

import json
import signal
import sys

import pytest

GATES = """
import os
import signal
import time
import pytest

@pytest.mark.modelcheck_small(at_most=9)
def test_1_kept(): ...

@pytest.mark.modelcheck
def test_2_stops():
    {how}

@pytest.mark.modelcheck
def test_3_never(): ...
"""

REPORTS = ("r.json", "r.md", "r.html")


def _session(pytester, how):
    pytester.makepyfile(test_it=GATES.format(how=how))
    return [f"--modelcheck-report={name}" for name in REPORTS]


def _incomplete(pytester, result):
    result.stdout.fnmatch_lines(
        [
            "1 promise: 1 passed; device auto, seed 0",
            "incomplete: the run was cut short, and some gates may be missing",
        ]
    )
    content = json.loads((pytester.path / "r.json").read_text())
    assert content["complete"] is False
    assert [row["gate"] for row in content["rows"]] == ["test_it.py::test_1_kept"]
    assert "\n**Incomplete: the run was cut short.**\n" in (pytester.path / "r.md").read_text()
    assert "<p class='error'>Incomplete: the run was cut short.</p>" in (pytester.path / "r.html").read_text()


def test_a_keyboard_interrupt_in_a_gate(small_check):
    reports = _session(small_check, "raise KeyboardInterrupt")
    result = small_check.runpytest_inprocess("--modelcheck", *reports, no_reraise_ctrlc=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    _incomplete(small_check, result)


def test_an_exit_that_claims_success(small_check):
    reports = _session(small_check, "pytest.exit('enough', returncode=0)")
    result = small_check.runpytest_inprocess("--modelcheck", *reports)
    _incomplete(small_check, result)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_a_signal_from_outside(small_check):
    # A process that was started in the background ignores the signal, and so would the run that it starts.
    heeding = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    reports = _session(small_check, f"{heeding}; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)")
    result = small_check.run(sys.executable, "-m", "pytest", "--modelcheck", *reports)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    _incomplete(small_check, result)


def test_it_leaves_the_signals_as_they_were(small_check):
    before = signal.getsignal(signal.SIGINT)
    _session(small_check, "raise KeyboardInterrupt")
    small_check.runpytest_inprocess("--modelcheck", "--modelcheck-timeout=50", no_reraise_ctrlc=True)
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_run_to_its_end_is_complete(small_check):
    reports = _session(small_check, "assert 0")
    result = small_check.runpytest_inprocess("--modelcheck", *reports)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert json.loads((small_check.path / "r.json").read_text())["complete"] is True
    result.stdout.no_fnmatch_line("incomplete:*")
