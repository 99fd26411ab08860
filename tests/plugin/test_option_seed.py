"""`--modelcheck-seed`: what every gate starts from."""

from __future__ import annotations

import random

import pytest
import torch

BAD = ["abc", "", "-1", "1.5", "4294967296", "1e3", "\u00b2", "\u0663", "9" * 5000, " 1"]

# Each gate draws from all sources; what a gate draws depends on its seed alone.
GATES = """
import random
import numpy
import pytest
import torch

def drawn():
    return random.randrange(10**6), int(numpy.random.randint(10**6)), int(torch.randint(10**6, ()))

@pytest.mark.modelcheck
@pytest.mark.parametrize("turn", range(4))
def test_draws(turn, modelcheck, record_property):
    assert (modelcheck.seed, *drawn()) == SEED_AND_NUMBERS
"""


def _numbers(seed):
    import numpy as np

    state = np.random.RandomState(seed)
    generator = torch.Generator().manual_seed(seed)
    return (
        seed,
        random.Random(seed).randrange(10**6),
        int(state.randint(10**6)),
        int(torch.randint(10**6, (), generator=generator)),
    )


def _session(pytester, seed):
    pytester.makepyfile(test_it=GATES.replace("SEED_AND_NUMBERS", repr(_numbers(seed))))
    return pytester


def test_every_gate_starts_from_seed_0(pytester):
    result = _session(pytester, 0).runpytest_inprocess("--modelcheck")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["4 promises: 4 passed; device auto, seed 0"])


@pytest.mark.slow  # two processes load torch
def test_every_gate_starts_from_the_seed_under_xdist(pytester):
    result = _session(pytester, 7).runpytest_inprocess("--modelcheck", "--modelcheck-seed=7", "-n2")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["4 promises: 4 passed; device auto, seed 7"])


def test_the_option_gives_a_seed(pytester):
    _session(pytester, 4294967295).runpytest_inprocess("--modelcheck", "--modelcheck-seed=4294967295").assert_outcomes(
        passed=4
    )


def test_the_ini_key_gives_a_seed(pytester):
    pytester.makeini("[pytest]\nmodelcheck = true\nmodelcheck_seed = 12\n")
    result = _session(pytester, 12).runpytest_inprocess()
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["4 promises: 4 passed; device auto, seed 12"])


def test_another_seed_gives_other_numbers():
    assert _numbers(0)[1:] != _numbers(1)[1:]


@pytest.mark.parametrize("text", BAD, ids=[ascii(text)[:12] for text in BAD])
def test_a_seed_that_is_none_is_a_usage_error(small_check, text):
    result = small_check.runpytest_inprocess("--modelcheck", f"--modelcheck-seed={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    expected = f"ERROR: modelcheck: --modelcheck-seed={text}: an integer from 0 to 4294967295 is expected"
    assert result.stderr.lines[0] == expected


def test_so_is_one_of_the_ini_key_and_under_xdist(small_check, processes):
    small_check.makeini("[pytest]\nmodelcheck_seed = many\n")
    result = small_check.runpytest_inprocess("--modelcheck", processes)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    expected = "ERROR: modelcheck: --modelcheck-seed=many: an integer from 0 to 4294967295 is expected"
    assert expected in result.stderr.lines


SEEDS = """
import random
import numpy
import torch

def seeded(item):
    random.seed(99)
    numpy.random.seed(99)
    torch.manual_seed(99)

pytest_runtest_setup = pytest_runtest_call = seeded
"""

FIXTURE = """
@pytest.fixture
def numbers():
    return drawn()

def test_a_fixture_draws(modelcheck, numbers):
    assert (modelcheck.seed, *numbers) == SEED_AND_NUMBERS
    assert drawn() != numbers

def test_an_ordinary_test_is_seeded_by_others():
    assert random.randrange(10**6) == random.Random(99).randrange(10**6)
"""


def test_a_plugin_that_seeds_each_test_seeds_no_gate(pytester):
    pytester.makeconftest(SEEDS)
    pytester.makepyfile(test_it=(GATES + FIXTURE).replace("SEED_AND_NUMBERS", repr(_numbers(3))))
    pytester.runpytest_inprocess("--modelcheck", "--modelcheck-seed=3").assert_outcomes(passed=6)


def test_numbers_of_a_method_of_unittest_are_not_drawn_again_after_a_fixture(pytester):
    pytester.makepyfile(
        """
        import random
        import unittest
        import pytest

        @pytest.fixture
        def late(): ...

        @pytest.mark.modelcheck
        class TestNumbers(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def asked(self, request):
                self.request = request

            def test_numbers(self):
                first = random.random()
                self.request.getfixturevalue("late")
                assert random.random() != first
        """
    )
    pytester.runpytest_inprocess("--modelcheck").assert_outcomes(passed=1)
