"""How each tool records a baseline and compares with it, and where the file lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.benchmarks.coverage.row import Use

Change = Callable[[bytes], bytes]

LETTERS = """
import pytest

class Letters:
    def encode(self, text):
        return [ord(letter) for letter in text]

    def decode(self, ids):
        return "".join(map(chr, ids))

@pytest.fixture
def tokenizer():
    return Letters()
"""

# 100 samples in one batch, of which so many are wrong.
CLASSIFIER = """
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WRONG = SUBJECT
LABELS = torch.arange(100) % 3
SCORES = 5.0 * torch.eye(3)[LABELS]

class Classifier(nn.Module):
    def forward(self, inputs):
        return torch.cat([inputs[:WRONG].roll(1, 1), inputs[WRONG:]])

MODEL = Classifier()
LOADER = DataLoader(TensorDataset(SCORES, LABELS), batch_size=100)
"""

METRICS = """
def accuracy(output, batch):
    return (output.argmax(-1) == batch[1]).float()

def test_it(metric_baseline):
    metric_baseline(MODEL, LOADER, {"accuracy": accuracy}, context={"dataset": "letters"})
"""

UPDATE_METRICS, STRICT = ("--torch-update-metrics",), ("--torch-metrics-strict",)
UPDATE_GOLDEN = ("--torch-update-golden",)
UPDATE_SNAPSHOTS = ("--snapshot-update",)
UPDATE, UPDATE_ALL = ("--modelcheck-update",), ("--modelcheck-update=all",)
SAVE = ("--benchmark-save=release", "--benchmark-save-data")
COMPARE = ("--benchmark-compare", "--benchmark-compare-fail=min:900%")

OF_MODELCHECK = Use(
    LETTERS + '\n@pytest.mark.modelcheck_token_ids(text="abc")\ndef test_it(): ...\n',
    record=UPDATE,
    baseline="__modelcheck__/test_it.json",
)
OF_ACCURACY = Use(
    CLASSIFIER
    + """
from pytest_modelcheck import assert_accuracy

@pytest.mark.modelcheck
def test_it():
    assert_accuracy(MODEL, LOADER, max_drop=0.05, baseline="release")
""",
    "0",
    "0",
    record=UPDATE,
    baseline="__modelcheck__/test_it.json",
)
OF_METRICS = Use(
    CLASSIFIER + METRICS,
    "0",
    "0",
    options=STRICT,
    record=UPDATE_METRICS,
    baseline=".torch-metric-baselines.json",
)
OF_GOLDEN = Use(
    "import torch\n\ndef test_it(golden):\n    golden.check(torch.arange(SUBJECT))\n",
    "9",
    "9",
    record=UPDATE_GOLDEN,
    baseline="__golden__/test_it.pt",
)
OF_SYRUPY = Use(
    "def test_it(snapshot):\n    assert SUBJECT == snapshot\n",
    "['one', 1.5]",
    "['one', 1.5]",
    record=UPDATE_SNAPSHOTS,
    baseline="__snapshots__/test_it.ambr",
)
OF_BENCHMARK = Use(
    "def test_it(benchmark):\n    benchmark(sorted, list(range(SUBJECT)))\n",
    "100",
    "100",
    options=("--benchmark-max-time=0.05",),
    compare=COMPARE,
    record=SAVE,
    baseline=".benchmarks/*/0001_release.json",
)


def damaged(use: Use, change: Change, **more: Any) -> Use:
    """The same use, of a file that is changed after the control."""

    def damage(root: Path) -> None:
        path = _file(use, root)
        content = path.read_bytes()
        assert change(content) != content, content[:2000]
        path.write_bytes(change(content))

    return replace(use, damage=damage, **more)


def deleted(use: Use, **more: Any) -> Use:
    """The same use, of a file that is gone after the control."""
    return replace(use, damage=lambda root: _file(use, root).unlink(), **more)


def _file(use: Use, root: Path) -> Path:
    (path,) = root.glob(use.baseline)
    return path
