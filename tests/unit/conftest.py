"""What the tests of single files share: the digits, and the network that reads them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import settings

SAMPLE_PROJECT = Path(__file__).parents[2] / "sample_project"

if str(SAMPLE_PROJECT) not in sys.path:
    sys.path.insert(0, str(SAMPLE_PROJECT))

# The same examples every time, and no failure because a machine is slow.
settings.register_profile("unit", deadline=None, derandomize=True)
settings.load_profile("unit")


@pytest.fixture(scope="session")
def data_root():
    return SAMPLE_PROJECT / "data"


@pytest.fixture(scope="session")
def mnist(data_root):
    from pytest_modelcheck.evaluation.mnist import mnist_test_split

    return mnist_test_split(data_root)


@pytest.fixture
def network():
    from modelrepo.vision.network import trained_digit_network

    return trained_digit_network()
