"""The tests that rows share, as each tool's documentation writes them."""

from __future__ import annotations

from tests.benchmarks.coverage.row import MODELCHECK, TORCH, TORCHTEST, Use

MODEL = """
import pytest
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, inputs):
        {forward}
        return self.layer(inputs)


MODEL = Classifier().eval()
{then}
INPUTS = torch.randn(8, 4)
TARGETS = INPUTS[:, :3].argmax(-1)
"""

GATES = {
    MODELCHECK: """
from pytest_modelcheck import assert_shape

@pytest.mark.modelcheck
{mark}
def test_it():
    assert_shape(MODEL, INPUTS, expected=[8, 3], finite=True)
""",
    TORCH: """
from pytest_torch import check_inference_contract

{mark}
def test_it():
    check_inference_contract(MODEL, INPUTS)
""",
    TORCHTEST: """
import torchtest2

{mark}
def test_it():
    optimizer = torch.optim.Adam(MODEL.parameters(), lr=0.1)
    torchtest2.assert_model_ok(
        MODEL, INPUTS, TARGETS, loss_fn=F.cross_entropy, optimizer=optimizer, output_shape=(None, 3), strict=True
    )
""",
}

DATA = """
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LABELS = torch.arange({samples}) % 3
SCORES = 5 * torch.eye(3)[LABELS]
MODEL = nn.Identity()
{then}
"""

ACCURACIES = {
    MODELCHECK: """
from pytest_modelcheck import assert_accuracy

@pytest.mark.modelcheck
def test_it():
    assert_accuracy(MODEL, {data}, min={minimum})
""",
    TORCH: """
def accuracy(output, batch):
    return (output.argmax(-1) == batch[1]).float()

def test_it(metric_baseline):
    metric_baseline(MODEL, {data}, {{"accuracy": accuracy}}, minimum={{"accuracy": {minimum}}})
""",
    TORCHTEST: """
import torchtest2

def test_it():
    torchtest2.assert_minimum_functionality(MODEL, SCORES, LABELS, min_accuracy={minimum})
""",
}

LOADER = "DataLoader(TensorDataset(SCORES, LABELS), batch_size=500)"


def of_model(
    healthy: str,
    faulty: str,
    *,
    forward: str = "...",
    then: str = "",
    after: str = "",
    marks: dict[str, str] | None = None,
    without: tuple[str, ...] = (),
    options: dict[str, tuple[str, ...]] | None = None,
) -> dict[str, Use]:
    """A model, given to each check of models; `SUBJECT` stands in its forward or behind its making."""
    head = MODEL.format(forward=forward, then=then)
    return {
        tool: Use(
            head + gate.format(mark=(marks or {}).get(tool, "")) + after,
            healthy,
            faulty,
            options=(options or {}).get(tool, ()),
        )
        for tool, gate in GATES.items()
        if tool not in without
    }


def of_data(
    healthy: str,
    faulty: str,
    *,
    then: str = "",
    data: str | dict[str, str] = LOADER,
    minimum: str = "0.9",
    samples: int = 21,
    without: tuple[str, ...] = (),
) -> dict[str, Use]:
    """Data and a model that gives them back, given to each check of accuracy."""
    head = DATA.format(samples=samples, then=then)
    loaders = data if isinstance(data, dict) else dict.fromkeys(ACCURACIES, data)
    return {
        tool: Use(head + gate.format(data=loaders.get(tool), minimum=minimum), healthy, faulty)
        for tool, gate in ACCURACIES.items()
        if tool not in without
    }
