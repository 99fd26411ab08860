"""The traceback of an assert form ends at the user's own line."""

from __future__ import annotations

import pytest

BROKEN = """
import torch
from pytest_modelcheck import assert_parameters, assert_shape

def helper(model):
    assert_parameters(model, total=16)

def test_broken():
    helper(torch.nn.Linear(4, 3))

def test_not_measured():
    assert_shape(torch.nn.Linear(4, 3), torch.zeros(2, 5), expected=[2, 3])

def test_no_sense():
    assert_parameters(torch.nn.Linear(4, 3), totl=16)
"""


@pytest.fixture
def session(pytester):
    pytester.makepyfile(test_it=BROKEN)
    return pytester


@pytest.mark.parametrize("arguments", [(), ("--modelcheck",)], ids=["ordinary", "gates"])
def test_it_ends_at_the_line_of_the_promise(session, arguments):
    session.makepyfile(test_gate="def test_gate(modelcheck): ...\n")
    result = session.runpytest_inprocess("-k", "test_broken or test_gate", *arguments)
    result.stdout.fnmatch_lines(
        [
            ">       assert_parameters(model, total=16)*",
            "E       pytest_modelcheck.ModelCheckFailure: parameters of Linear: total is 15, promised 16 (1 fewer).",
            "E       If the change is meant, promise total=15.",
            "test_it.py:*: ModelCheckFailure",
        ]
    )
    result.stdout.no_fnmatch_line("*mechanism.py*")


def test_what_could_not_be_measured_ends_there_too(session):
    result = session.runpytest_inprocess("-k", "test_not_measured")
    result.stdout.fnmatch_lines(
        [
            ">       assert_shape(torch.nn.Linear(4, 3), torch.zeros(2, 5), expected=[[]2, 3])",
            "E       pytest_modelcheck.ModelCheckError: shape of Linear: not measured: forward raised RuntimeError: *",
            "test_it.py:*: ModelCheckError",
        ]
    )


def test_a_promise_that_makes_no_sense_is_shown_at_its_line(session):
    result = session.runpytest_inprocess("-k", "test_no_sense")
    result.stdout.fnmatch_lines(
        [
            ">       assert_parameters(torch.nn.Linear(4, 3), totl=16)",
            "E       pytest_modelcheck.ConfigError: parameters has no promise 'totl' (did you mean 'total'?); its "
            "promises are total, trainable, non_trainable, max_total, max_trainable, max_size_mb, frozen_fraction, "
            "layers, dtype, tied",
        ]
    )


def test_with_every_frame_shown_it_still_names_the_promise(session):
    result = session.runpytest_inprocess("-k", "test_broken", "--full-trace")
    result.stdout.fnmatch_lines(["*assert_parameters(model, total=16)*", "E * parameters of Linear: total is 15, *"])
