"""`--modelcheck-full`: read all the data, also where the verdict is certain before."""

from __future__ import annotations

import pytest

CONFTEST = """
import pytest
import torch

@pytest.fixture
def model():
    return torch.nn.Identity()

@pytest.fixture
def data():
    return torch.eye(2).repeat(500, 1), torch.tensor([1, 0]).repeat(500)
"""

GATE = """
import pytest

@pytest.mark.modelcheck_accuracy(min=0.9)
def test_it(): ...
"""


@pytest.fixture
def session(pytester):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_it=GATE)
    return pytester


def _evidence(result, rows):
    result.assert_outcomes(failed=1)
    evidence = rows[0]["evidence"]
    return evidence["complete"], evidence["seen"]


def test_a_lost_gate_reads_no_further(session, run_gates):
    assert _evidence(*run_gates()) == (False, 250)


def test_the_option_reads_on(session, run_gates):
    assert _evidence(*run_gates("--modelcheck-full")) == (True, 1000)


def test_the_ini_key_reads_on(session, run_gates):
    session.makeini("[pytest]\nmodelcheck_full = true\n")
    assert _evidence(*run_gates()) == (True, 1000)


@pytest.mark.slow  # two processes load torch
def test_the_option_reaches_the_processes_of_xdist(session, run_gates):
    assert _evidence(*run_gates("--modelcheck-full", "-n2")) == (True, 1000)


def test_an_ini_key_that_is_neither_is_a_usage_error(session):
    session.makeini("[pytest]\nmodelcheck_full = 7\n")
    result = session.runpytest_inprocess("--modelcheck")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[0] == "ERROR: modelcheck: the ini key modelcheck_full: invalid truth value '7'"
