"""Names of baselines that lead elsewhere, that two tests have, or that no test has any more."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.coverage.row import (
    BENCHMARK,
    MODELCHECK,
    SYRUPY,
    TORCH,
    Group,
    Row,
    Use,
    reported,
    sound,
    stays,
)
from tests.benchmarks.coverage.rows.baselines import MISSING
from tests.benchmarks.coverage.rows.stores import (
    COMPARE,
    LETTERS,
    OF_BENCHMARK,
    OF_METRICS,
    OF_MODELCHECK,
    OF_SYRUPY,
    UPDATE,
    UPDATE_GOLDEN,
    UPDATE_SNAPSHOTS,
)

NAMED_ACCURACY = """
import pytest
import torch
from pytest_modelcheck import assert_accuracy

@pytest.mark.modelcheck
def test_it():
    assert_accuracy(torch.nn.Identity(), (torch.eye(4), torch.arange(4)), max_drop=0, baseline="SUBJECT")
"""

NAMED_GOLDEN = """
import pytest
import torch

@pytest.mark.torch_golden("SUBJECT")
def test_it(golden):
    golden.check(torch.arange(9))
"""

# Of syrupy's extensions, those with a file for each snapshot make a path of its name.
NAMED_SNAPSHOT = """
from syrupy.extensions.json import JSONSnapshotExtension

def test_it(snapshot):
    assert [1, 2] == snapshot(name="SUBJECT", extension_class=JSONSnapshotExtension)
"""


def named(name: str) -> dict[str, Use]:
    """A name of a baseline, or of what a run saves."""
    keeping = (*UPDATE_SNAPSHOTS, "--snapshot-no-cleanup")
    return {
        MODELCHECK: Use(NAMED_ACCURACY, "inside", name, record=UPDATE, updates=UPDATE, again=True),
        TORCH: Use(NAMED_GOLDEN, "inside", name, record=UPDATE_GOLDEN, updates=UPDATE_GOLDEN, again=True),
        SYRUPY: Use(
            NAMED_SNAPSHOT, "inside", name, ("--snapshot-warn-unused",), record=keeping, updates=keeping, again=True
        ),
        BENCHMARK: Use(
            "def test_it(benchmark):\n    benchmark(sorted, [2, 1])\n",
            options=("--benchmark-max-time=0.05",),
            control_options=("--benchmark-save=inside",),
            fault_options=(f"--benchmark-save={name}",),
            again=True,
        ),
    }


APART = "def test_one({fixture}):\n    {one}\n\ndef test_two({fixture}):\n    {two}\n"
CLASSES = (
    "class TestOne:\n    def test_it(self, {fixture}):\n        {one}\n\n"
    "class TestTwo:\n    def test_it(self, {fixture}):\n        {two}\n"
)
PARAMETERS = '@pytest.mark.parametrize("number", [1, 2])\ndef test_it({fixture}, number):\n    {both}\n'

FORMS = {
    MODELCHECK: {
        "fixture": "tokenizer",
        "one": "assert_token_ids(tokenizer, text='a')",
        "two": "assert_token_ids(tokenizer, text='b')",
        "both": "assert_token_ids(tokenizer, text=str(number))",
    },
    TORCH: {
        "fixture": "golden",
        "one": "golden.check(torch.arange(1))",
        "two": "golden.check(torch.arange(2))",
        "both": "golden.check(torch.arange(number))",
    },
    SYRUPY: {
        "fixture": "snapshot",
        "one": "assert 1 == snapshot",
        "two": "assert 2 == snapshot",
        "both": "assert number == snapshot",
    },
    BENCHMARK: {
        "fixture": "benchmark",
        "one": "benchmark(sorted, [2, 1])",
        "two": "benchmark(sorted, list(range(9_000)))",
        "both": "benchmark(sorted, list(range(100 ** number)))",
    },
}

HEADS = {
    MODELCHECK: (
        LETTERS + "\nfrom pytest_modelcheck import assert_token_ids\n\npytestmark = pytest.mark.modelcheck\n",
        UPDATE,
    ),
    TORCH: ("import pytest\nimport torch\n", UPDATE_GOLDEN),
    SYRUPY: ("import pytest\n", UPDATE_SNAPSHOTS),
    BENCHMARK: ("import pytest\n", ("--benchmark-save=second",)),
}


def together(faulty: str) -> dict[str, Use]:
    """Two baselines, first of two names and then of names that may be one."""
    return {
        tool: Use(
            f"{head}\nSUBJECT",
            APART.format(**FORMS[tool]),
            faulty.format(**FORMS[tool]),
            options=("--benchmark-max-time=0.05",) if tool == BENCHMARK else (),
            compare=COMPARE if tool == BENCHMARK else (),
            record=record,
            anew=record,
        )
        for tool, (head, record) in HEADS.items()
    }


def renamed(use: Use) -> Use:
    """The test has another name than when it was recorded."""
    test = use.test.replace("SUBJECT", use.healthy).replace("def test_it", "def SUBJECT")
    return replace(use, test=test, healthy="test_it", faulty="test_renamed")


def removed(use: Use, other: str) -> Use:
    """A second test was recorded, and is gone."""
    return replace(use, test=use.test.replace("SUBJECT", use.healthy) + "\n\nSUBJECT\n", healthy=other, faulty="")


MEASURED = 'def test_gone(metric_baseline):\n    metric_baseline(MODEL, LOADER, {"accuracy": accuracy})'

NAMES = Group(
    "Names of baselines",
    (
        Row("a name leads out of the folder (`../../outside`)", r"outside|characters", named("../../outside"), stays),
        Row("two classes have tests of one name", "(?!)", together(CLASSES), sound),
        Row("a test has two parameters", "(?!)", together(PARAMETERS), sound),
        Row(
            "the test was renamed",
            MISSING,
            {
                MODELCHECK: renamed(OF_MODELCHECK),
                TORCH: renamed(OF_METRICS),
                SYRUPY: renamed(OF_SYRUPY),
                BENCHMARK: renamed(OF_BENCHMARK),
            },
        ),
        Row(
            "no test uses what is recorded any more",
            "unused|no test uses",
            {
                MODELCHECK: removed(
                    OF_MODELCHECK, '@pytest.mark.modelcheck_token_ids(text="xyz")\ndef test_gone(): ...'
                ),
                TORCH: removed(OF_METRICS, MEASURED),
                SYRUPY: removed(OF_SYRUPY, "def test_gone(snapshot):\n    assert 2 == snapshot"),
                BENCHMARK: removed(OF_BENCHMARK, "def test_gone(benchmark):\n    benchmark(sorted, [2, 1])"),
            },
            reported,
        ),
    ),
)
