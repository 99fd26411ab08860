"""`--modelcheck-tolerances`: the project's table of how far two runs may be apart."""

from __future__ import annotations

import pytest

GATES = """
import pytest
from pytest_modelcheck.context import current

@pytest.mark.modelcheck
def test_table():
    assert dict(current().tolerances) == TABLE
"""


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_a_gate_knows_the_projects_table(pytester, processes):
    pytester.makepyfile(test_it=GATES.replace("TABLE", repr({"float32": 1e-4, "bfloat16@cuda": 0.1})))
    pytester.makeini("[pytest]\nmodelcheck_tolerances = float32=1e-4, bfloat16@cuda=0.1\n")
    pytester.runpytest_inprocess("--modelcheck", processes).assert_outcomes(passed=1)


def test_the_option_goes_before_the_ini(pytester):
    pytester.makepyfile(test_it=GATES.replace("TABLE", repr({"float64": 0.5})))
    pytester.makeini("[pytest]\nmodelcheck_tolerances = float32=1e-4\n")
    pytester.runpytest_inprocess("--modelcheck", "--modelcheck-tolerances=float64=0.5").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("float=1e-4", "'float=1e-4': 'float' is no dtype: float64, float32, float16 or bfloat16 is expected"),
        ("float32=0", "'float32=0': '0' is no figure: a finite number above 0 is expected"),
        ("float32=nan", "'float32=nan': 'nan' is no figure: a finite number above 0 is expected"),
        ("float32@tpu=1", "'float32@tpu=1': 'tpu' is no kind of device: cpu, cuda or mps is expected"),
        (",", "',' names no tolerance: 'float32=1e-4, bfloat16@cuda=0.1' is expected"),
    ],
)
def test_a_table_that_makes_no_sense_is_a_usage_error(pytester, text, message):
    result = pytester.runpytest_inprocess("--modelcheck", f"--modelcheck-tolerances={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: modelcheck: --modelcheck-tolerances: {message}"])
