"""What the tests of the checks share: the sample project's subjects, and how a broken promise is read."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path
from textwrap import dedent

import pytest

SAMPLE_PROJECT = Path(__file__).parents[2] / "sample_project"

if str(SAMPLE_PROJECT) not in sys.path:
    sys.path.insert(0, str(SAMPLE_PROJECT))


@pytest.fixture(scope="session")
def mnist():
    from pytest_modelcheck.evaluation.mnist import mnist_test_split

    return mnist_test_split(SAMPLE_PROJECT / "data")


@pytest.fixture
def network():
    from modelrepo.vision.network import trained_digit_network

    return trained_digit_network()


@pytest.fixture
def classifier(network):
    from modelrepo.vision.classifier import DigitClassifier

    return DigitClassifier(network)


@pytest.fixture(scope="session")
def uncased():
    from modelrepo.text.tokenizer import uncased_tokenizer

    return uncased_tokenizer()


@pytest.fixture
def expect():
    """Compare a result with an outcome and, to the letter, with a message; and the assert form with both."""

    def compare(check, *subjects, outcome, message, **promises):
        result = check(*subjects, **promises)
        assert result.message == dedent(message).strip("\n")
        assert result.outcome == outcome
        return result

    return compare


@pytest.fixture
def examples():
    """Run the examples in a check's docstring; the number of them."""

    def run(check):
        found = doctest.DocTestFinder().find(check.function, check.name)
        runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
        report = []
        for example in found:
            runner.run(example, out=report.append)
        assert runner.failures == 0, "".join(report)
        return runner.tries

    return run
