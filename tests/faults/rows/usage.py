"""What is asked of a run, and makes no sense: it is said before any test."""

from __future__ import annotations

from tests.faults.fault import Fault, Group

KEPT = """
import pytest

@pytest.mark.modelcheck
def test_fault(): ...
"""

MARKED = """
import pytest

@pytest.mark.{mark}
def test_fault(tokenizer): ...
"""

CHECK = """
from pytest_modelcheck import Result, check

@check
def small(number, /, *, at_most: int) -> Result:
    '''The number is small.'''

def pytest_modelcheck_checks(config):
    return [small]
"""


def option(*options: str, message: str, **rest: object) -> Fault:
    """An option that makes no sense."""
    text = f"ERROR: modelcheck: {message}"
    return Fault(KEPT, text, "", exit=4, options=options, goes_on=False, **rest)  # type: ignore[arg-type]


def mark(written: str, message: str) -> Fault:
    """A mark that makes no sense."""
    return Fault(MARKED.format(mark=written), f"test_fault.py::test_fault: {message}", "", exit=2, goes_on=False)


PROMISES = "its promises are text, ids, texts"

GROUP = Group(
    "What makes no sense, and is said before any test",
    {
        "the GPU that is asked for is not there": option(
            "--modelcheck-device=cuda:99",
            message="--modelcheck-device=cuda:99: this torch finds …. Use cpu or auto, or a machine that has one",
            needs="torch",
            files={"loaded.py": "import torch"},
        ),
        "the device is unknown": option(
            "--modelcheck-device=gpu", message="unknown device 'gpu': auto, cpu, cuda, cuda:N or mps is expected"
        ),
        "a device is named twice": option(
            "--modelcheck-device=cpu,cpu", message="a device is named twice in 'cpu,cpu'"
        ),
        "the seed is no number": option(
            "--modelcheck-seed=x", message="--modelcheck-seed=x: an integer from 0 to 4294967295 is expected"
        ),
        "the time limit is below 0": option(
            "--modelcheck-timeout=-1", message="--modelcheck-timeout=-1: a number of seconds above 0 is expected"
        ),
        "the report is of an unknown kind": option(
            "--modelcheck-report=report.pdf",
            message="--modelcheck-report=report.pdf: a path ending in .json, .md, .html, .txt, .yaml is expected",
        ),
        "two packages have checks of one name": option(
            "-p",
            "first_package",
            "-p",
            "second_package",
            message="two checks are named small: second_package and first_package",
            files={"first_package.py": CHECK, "second_package.py": CHECK},
        ),
        "a mark is unknown": mark(
            "modelcheck_token_idz(text='abc')",
            "unknown mark 'modelcheck_token_idz' (did you mean 'modelcheck_token_ids'?); the marks are "
            "modelcheck_roundtrip, …, modelcheck_device, modelcheck_card",
        ),
        "a promise is unknown": mark(
            "modelcheck_token_ids(txt='abc')",
            f"token_ids has no promise 'txt' (did you mean 'text'?); {PROMISES}",
        ),
        "a mark promises nothing": mark(
            "modelcheck_token_ids", "token_ids promises nothing: give at least one of text, ids, texts"
        ),
        "a promise has no keyword": mark(
            "modelcheck_token_ids('abc')", f"modelcheck_token_ids takes keywords only, not 'abc'; {PROMISES}"
        ),
        "a subject is no name of a fixture": mark(
            "modelcheck_token_ids(text='abc', tokenizer=5)",
            "modelcheck_token_ids(tokenizer=...) is the name of a fixture, not 5",
        ),
        "a gate asks for an unknown device": mark(
            "modelcheck_device('gpu')", "unknown device 'gpu': auto, cpu, cuda, cuda:N or mps is expected"
        ),
    },
)
