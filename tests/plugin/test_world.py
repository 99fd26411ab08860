"""A gate leaves the world as it found it, whatever it did and however it ended."""

from __future__ import annotations

import sys

import pytest
import torch

CHANGES = {
    "the default dtype": "torch.set_default_dtype(torch.float64)",
    "the grad mode": "torch.set_grad_enabled(False)",
    "threads": "torch.set_num_threads(3)",
    "torch's random numbers": "torch.rand(3)",
    "python's random numbers": "random.random()",
    "numpy's random numbers": "numpy.random.rand(3)",
    "seeds": "torch.manual_seed(99); random.seed(99); numpy.random.seed(99)",
    "deterministic algorithms": "torch.use_deterministic_algorithms(True)",
    "autocast": "torch.set_autocast_enabled('cpu', True)",
    "matmul precision": "torch.set_float32_matmul_precision('medium')",
    "cudnn": "torch.backends.cudnn.benchmark = True",
}

ENDINGS = {"passes": "...", "fails": "assert 0", "raises": "raise ValueError('no')", "skips": "pytest.skip('no')"}

TESTS = """
import random
import numpy
import pytest
import torch

def world():
    return (
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        torch.get_rng_state().tolist(),
        random.getstate(),
        numpy.random.get_state()[1].tolist(),
        numpy.random.get_state()[2:],
        torch.are_deterministic_algorithms_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.benchmark,
    )

BEFORE = world()

@pytest.fixture
def fixture():
    {in_setup}
    yield
    {in_teardown}

@pytest.mark.modelcheck
def test_gate(fixture):
    {in_call}
    {ending}

def test_next():
    assert world() == BEFORE
"""


def _next_test_passes(pytester, **parts):
    blank = {"in_setup": "...", "in_call": "...", "in_teardown": "...", "ending": "..."}
    pytester.makepyfile(test_it=TESTS.format(**{**blank, **parts}))
    result = pytester.runpytest_inprocess("--modelcheck", "-v")
    result.stdout.fnmatch_lines(["test_it.py::test_next PASSED*"])


@pytest.fixture(autouse=True)
def _world_of_the_tests():
    from pytest_modelcheck.process import preserved_world

    with preserved_world():
        yield


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_next_test_sees_none_of_it(pytester, change):
    _next_test_passes(pytester, in_call=change)


@pytest.mark.parametrize("where", ["in_setup", "in_teardown"])
def test_nor_of_what_fixtures_did(pytester, where):
    _next_test_passes(pytester, **{where: CHANGES["the default dtype"]})


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_however_the_gate_ended(pytester, ending):
    _next_test_passes(pytester, in_call="; ".join(CHANGES.values()), ending=ending)


def test_a_gate_starts_from_the_seed_whatever_the_one_before_drew(pytester):
    pytester.makepyfile(
        """
        import random
        import pytest

        @pytest.mark.modelcheck
        @pytest.mark.parametrize("draws", [3, 1, 2])
        def test_it(draws):
            assert random.random() == 0.8444218515250481
            for _ in range(draws):
                random.random()
        """
    )
    pytester.runpytest_inprocess("--modelcheck").assert_outcomes(passed=3)


def test_a_model_that_changes_the_world_is_named(pytester, run_gates):
    pytester.makepyfile(
        """
        import pytest
        import torch

        class Rude(torch.nn.Linear):
            def forward(self, inputs):
                torch.set_default_dtype(torch.float64)
                return super().forward(inputs)

        @pytest.fixture
        def model():
            return Rude(4, 3)

        @pytest.fixture
        def inputs():
            return torch.zeros(2, 4)

        @pytest.mark.modelcheck_shape(expected=[2, 3])
        def test_it(): ...
        """
    )
    result, rows = run_gates()
    result.assert_outcomes(passed=1)
    assert rows[0]["changes"] == ["the default dtype was changed from torch.float32 to torch.float64"]


@pytest.mark.slow  # a process of its own loads torch
def test_a_gate_that_loads_torch_itself_leaves_its_defaults(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.modelcheck
        def test_gate():
            import torch

            torch.set_default_dtype(torch.float64)
            torch.set_grad_enabled(False)

        def test_next():
            import torch

            assert torch.get_default_dtype() == torch.float32
            assert torch.is_grad_enabled()
        """
    )
    pytester.run(sys.executable, "-m", "pytest", "--modelcheck").assert_outcomes(passed=2)


def test_a_session_fixture_holds_for_the_tests_after_the_gate_that_needed_it_first(pytester):
    pytester.makepyfile(
        """
        import pytest
        import torch

        @pytest.fixture(scope="session", autouse=True)
        def double():
            torch.set_default_dtype(torch.float64)
            yield
            torch.set_default_dtype(torch.float32)

        @pytest.mark.modelcheck
        def test_1_gate():
            assert torch.zeros(1).dtype == torch.float64
            torch.set_default_dtype(torch.bfloat16)

        def test_2_ordinary():
            assert torch.zeros(1).dtype == torch.float64

        @pytest.mark.modelcheck
        def test_3_gate():
            assert torch.zeros(1).dtype == torch.float64
        """
    )
    pytester.runpytest_inprocess("--modelcheck").assert_outcomes(passed=3)
    assert torch.get_default_dtype() == torch.float32


def test_a_session_fixture_is_the_same_whichever_gate_needs_it_first(pytester):
    pytester.makepyfile(
        """
        import pytest
        import torch

        @pytest.fixture(scope="session")
        def noise():
            return torch.rand(1).item()

        @pytest.fixture(scope="module")
        def model():
            return torch.rand(1).item()

        @pytest.mark.modelcheck
        def test_a(noise, model): ...

        @pytest.mark.modelcheck
        def test_b(model):
            print("drawn", model, torch.rand(1).item())
        """
    )
    runs = [pytester.runpytest_inprocess("--modelcheck", "-s", *options) for options in ([], ["-k", "test_b"])]
    drawn = [[line.partition("drawn")[2] for line in run.outlines if "drawn" in line] for run in runs]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 1
