"""Faults of a model's forward, and what it does to its surroundings."""

from __future__ import annotations

from tests.faults.fault import Fault, Group

MODEL = """
import pytest
import torch
from torch import nn
from pytest_modelcheck import assert_shape


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)

    def forward(self, inputs):
        {forward}
        return self.norm(self.layer(inputs))


MODEL = Classifier()


@pytest.mark.modelcheck
def test_fault():
    assert_shape(MODEL, torch.ones(2, 4), expected=[2, 3])
"""


def model(forward: str) -> str:
    return MODEL.format(forward=forward)


GROUP = Group(
    "A model's forward",
    {
        "the forward raises": Fault(
            model('raise ValueError("no such layer")'),
            "shape of Classifier: not measured: forward raised ValueError: no such layer\n  inputs: input [2, 4]",
        ),
    },
)
