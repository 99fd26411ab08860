"""`--modelcheck-device`: where gates run."""

from __future__ import annotations

import pytest
import torch

EXPECTED = "auto, cpu, cuda, cuda:N or mps is expected"

BAD = [
    ("gpu", f"unknown device 'gpu': {EXPECTED}"),
    ("", f"unknown device '': {EXPECTED}"),
    ("cuda:x", f"unknown device 'cuda:x': {EXPECTED}"),
    ("CPU", f"unknown device 'CPU': {EXPECTED}"),
    ("cpu,", f"unknown device '': {EXPECTED}"),
    ("cpu,cpu", "a device is named twice in 'cpu,cpu'"),
]

GATE = """
import pytest

@pytest.mark.modelcheck
def test_gate(modelcheck):
    print("runs on", modelcheck.device_name, modelcheck.device.type)
"""


@pytest.fixture
def session(pytester):
    pytester.makepyfile(test_it=GATE)
    return pytester


def test_auto_is_the_default(session):
    result = session.runpytest_inprocess("--modelcheck", "-s")
    there = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    result.stdout.fnmatch_lines([f"*runs on auto {there}", "1 promise: 1 passed; device auto, seed 0"])


def test_the_option_names_a_device(session):
    result = session.runpytest_inprocess("--modelcheck", "--modelcheck-device=cpu", "-s")
    result.stdout.fnmatch_lines(["*runs on cpu cpu", "1 promise: 1 passed; device cpu, seed 0"])


def test_the_ini_key_names_a_device(session):
    session.makeini("[pytest]\nmodelcheck = true\nmodelcheck_device = cpu\n")
    result = session.runpytest_inprocess()
    result.stdout.fnmatch_lines(["1 promise: 1 passed; device cpu, seed 0"])


def test_a_comma_list_runs_each_gate_once_for_each(small_check, processes):
    small_check.makepyfile("import pytest\n@pytest.mark.modelcheck_small(at_most=9)\ndef test_gate(): ...\n")
    result = small_check.runpytest_inprocess("--modelcheck", "--modelcheck-device=cpu,auto", processes)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["2 promises: 2 passed; device cpu,auto, seed 0"])


@pytest.mark.parametrize(("text", "message"), BAD, ids=[text or "empty" for text, _ in BAD])
def test_a_device_that_makes_no_sense_is_a_usage_error(session, text, message):
    result = session.runpytest_inprocess("--modelcheck", f"--modelcheck-device={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[0] == f"ERROR: modelcheck: {message}"


def test_so_is_one_of_the_ini_key_and_under_xdist(session, processes):
    session.makeini("[pytest]\nmodelcheck_device = gpu\n")
    result = session.runpytest_inprocess("--modelcheck", processes)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: modelcheck: unknown device 'gpu': {EXPECTED}" in result.stderr.lines


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there_is_a_usage_error(session, processes):
    result = session.runpytest_inprocess("--modelcheck", "--modelcheck-device=cpu,cuda", processes)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    message = (
        "ERROR: modelcheck: --modelcheck-device=cuda: this torch finds no CUDA device. "
        "Use cpu or auto, or a machine that has one"
    )
    assert message in result.stderr.lines


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_whose_number_is_too_high_is_a_usage_error(session):
    result = session.runpytest_inprocess("--modelcheck", "--modelcheck-device=cuda:99")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: modelcheck: --modelcheck-device=cuda:99: this torch finds " in result.stderr.str()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gate_runs_on_the_gpu(session):
    result = session.runpytest_inprocess("--modelcheck", "--modelcheck-device=cuda", "-s")
    result.stdout.fnmatch_lines(["*runs on cuda cuda", "1 promise: 1 passed; device cuda, seed 0"])


def test_no_gpu_is_asked_for_where_no_gate_runs(session):
    result = session.runpytest_inprocess("--modelcheck-device=cuda:99")
    result.assert_outcomes(skipped=1)
    assert result.ret == pytest.ExitCode.OK
