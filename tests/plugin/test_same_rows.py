"""The rows of a report are the same in one process and in four, whatever gates share and in which order they run."""

from __future__ import annotations

import json

import pytest

GATES = """
import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassF1Score
from pytest_modelcheck import assert_accuracy

class Own(torch.utils.data.Dataset):
    def __init__(self, x, y):
        self.x, self.y = x, y
    def __len__(self):
        return len(self.y)
    def __getitem__(self, index):
        return self.x[index], int(self.y[index])

generator = torch.Generator().manual_seed(0)
Y = torch.randint(4, (1000,), generator=generator)
X = torch.eye(4)[torch.where(torch.rand(1000, generator=generator) < 0.1, (Y + 1) % 4, Y)]

@pytest.fixture(params=["tensors", "own"])
def data(request):
    return (X, Y) if request.param == "tensors" else Own(X, Y)

@pytest.fixture
def model():
    layer = nn.Linear(4, 4, bias=False)
    nn.init.eye_(layer.weight)
    return layer

@pytest.mark.modelcheck_accuracy(min=0.99)
def test_1_lost_early(): ...

@pytest.mark.modelcheck_accuracy(min=0.88, confidence=0.95)
@pytest.mark.modelcheck_accuracy(min=0.85, early_stop=1e-6)
def test_2_kept(): ...

@pytest.mark.modelcheck_accuracy(min=0.95)
@pytest.mark.modelcheck_accuracy(min=0.95, early_stop=1e-6)
def test_3_lost(): ...

@pytest.mark.modelcheck_metric(metric=MulticlassF1Score(4), min=0.5)
@pytest.mark.modelcheck_accuracy(min=0.93, per_class=True)
def test_4_whole(): ...

@pytest.mark.modelcheck_parameters(total=16)
@pytest.mark.modelcheck_shape(inputs="batch", expected="batch 4")
@pytest.mark.modelcheck_batch_invariant(inputs="batch")
def test_5_size(): ...

@pytest.fixture
def batch():
    return X[:8]

def test_6_plain(modelcheck, model, data):
    assert_accuracy(model, data, min=0.5)
    assert 1 == 2, "a test's own"

@pytest.mark.modelcheck
@pytest.mark.skip(reason="not today")
def test_7_skipped(): ...
"""


def rows(pytester: pytest.Pytester, *options: str) -> list[dict]:
    path = pytester.path / "r.json"
    pytester.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", f"--modelcheck-report={path}", *options)
    found = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return [{**row, "seconds": 0} for row in found]


@pytest.mark.slow  # starts four workers that import torch
def test_serial_and_in_four_processes(pytester: pytest.Pytester):
    pytester.makepyfile(test_it=GATES)
    serial = rows(pytester)
    assert {row["outcome"] for row in serial} == {"passed", "failed", "skipped"}
    assert rows(pytester, "-n4") == serial


def test_forwards_and_backwards_and_each_alone(pytester: pytest.Pytester):
    pytester.makepyfile(test_it=GATES)
    serial = rows(pytester)
    pytester.makeconftest("def pytest_collection_modifyitems(items): items.reverse()")
    assert rows(pytester) == serial
    pytester.makeconftest("")
    alone = [row for name in (1, 2, 3) for row in rows(pytester, "-k", f"test_{name}_")]
    assert len(alone) == 10
    assert all(row in serial for row in alone)
