"""Where one gate runs: by the option's list, and by its own mark."""

from __future__ import annotations

import pytest
import torch

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

MODEL = """
import pytest
import torch

@pytest.fixture
def model():
    return torch.nn.Linear(4, 3)

@pytest.fixture
def inputs():
    return torch.zeros(2, 4)
"""

GATES = """
import pytest

@pytest.mark.modelcheck_shape(expected="batch 3")
def test_shape(): ...

@pytest.mark.parametrize("turn", [1, 2])
def test_fixture(turn, modelcheck_device): ...

def test_ordinary(): ...
"""


@pytest.fixture
def session(pytester):
    pytester.makeconftest(MODEL)
    pytester.makepyfile(test_it=GATES)
    return pytester


def _ids(rows):
    return sorted({row["gate"].partition("::")[2] for row in rows})


def test_one_device_adds_nothing_to_the_ids(session, run_gates):
    result, rows = run_gates("--modelcheck-device=cpu")
    result.assert_outcomes(passed=4)
    assert _ids(rows) == ["test_fixture[1]", "test_fixture[2]", "test_shape"]


def test_a_list_of_devices_names_them_in_the_ids(session, run_gates):
    result, rows = run_gates("--modelcheck-device=cpu,auto")
    result.assert_outcomes(passed=7)
    assert _ids(rows) == [
        "test_fixture[auto-1]",
        "test_fixture[auto-2]",
        "test_fixture[cpu-1]",
        "test_fixture[cpu-2]",
        "test_shape[auto]",
        "test_shape[cpu]",
    ]


def test_without_modelcheck_a_list_makes_no_copies(session):
    session.runpytest_inprocess("--modelcheck-device=cpu,auto").assert_outcomes(passed=1, skipped=3)


def test_the_row_names_the_device_that_measured(session, run_gates):
    _, rows = run_gates("--modelcheck-device=cpu", "-k", "test_shape")
    assert [row["device"] for row in rows] == ["cpu"]


def test_the_mark_asks_for_one_device(pytester, run_gates):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.modelcheck_device("cpu")
        def test_it(modelcheck):
            assert modelcheck.device_name == "cpu"
        """
    )
    result, rows = run_gates("--modelcheck-device=auto,cpu")
    result.assert_outcomes(passed=1)
    assert _ids(rows) == ["test_it"]


@NO_GPU
def test_a_gate_whose_device_is_not_there_is_skipped_before_its_fixtures(pytester, run_gates):
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def dear():
            raise RuntimeError("built")

        @pytest.mark.modelcheck_device("cuda")
        def test_gpu(dear): ...

        @pytest.mark.modelcheck
        def test_cpu(): ...
        """
    )
    result, rows = run_gates("--modelcheck-device=cpu")
    result.assert_outcomes(passed=1, skipped=1)
    reason = "the gate asks for cuda: this torch finds no CUDA device"
    assert [(row["outcome"], row["measured"], row["message"]) for row in rows] == [
        ("skipped", f"skipped: {reason}", reason),
        ("passed", "it passes", ""),
    ]


@NO_GPU
def test_a_run_whose_only_gate_asks_for_a_missing_device_fails(pytester):
    pytester.makepyfile('import pytest\n@pytest.mark.modelcheck_device("cuda")\ndef test_gpu(): ...\n')
    result = pytester.runpytest_inprocess("--modelcheck")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["no gate ran (all 1 were skipped), and --modelcheck passes nothing that was not measured."]
    )


@GPU
def test_each_device_of_a_list_measures_its_own_gate(session, run_gates):
    result, rows = run_gates("--modelcheck-device=cpu,cuda:0", "-k", "test_shape")
    result.assert_outcomes(passed=2)
    assert sorted((row["gate"].partition("::")[2], row["device"]) for row in rows) == [
        ("test_shape[cpu]", "cpu"),
        ("test_shape[cuda:0]", "cuda:0"),
    ]


@GPU
def test_a_gate_may_ask_for_the_gpu(pytester, run_gates):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.modelcheck_device("cuda")
        def test_gpu(modelcheck_device):
            assert modelcheck_device.type == "cuda"
        """
    )
    result, _ = run_gates("--modelcheck-device=cpu")
    result.assert_outcomes(passed=1)
