"""What a gate changes of its process, where nothing may be changed."""

from __future__ import annotations

from tests.faults.fault import Fault, Group
from tests.faults.rows.forward import model

STRICT = ("--modelcheck-strict-leaks",)

REMEDY = ". Have it take that back, or run without --modelcheck-strict-leaks"


def in_forward(statement: str, change: str) -> Fault:
    """A forward that changes a setting of the process."""
    return Fault(
        model(statement),
        f"shape of Classifier: it changed its surroundings (restored): {change}{REMEDY}",
        "failed",
        options=STRICT,
        changes=(change,),
    )


BODY = """
import pytest
import torch

@pytest.fixture
def setting():
    yield
    {teardown}

@pytest.mark.modelcheck
def test_fault(setting):
    {body}
"""

DATA = """
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from pytest_modelcheck import assert_accuracy

MODEL = nn.Linear(4, 3)


class Samples(torch.utils.data.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        torch.set_num_threads(3)
        return torch.ones(4), 1


@pytest.mark.modelcheck
def test_fault():
    assert_accuracy(MODEL, DataLoader(Samples(), batch_size=2), min=0)
"""

DTYPE = "the default dtype was changed from torch.float32 to torch.float64"
THREADS = "the number of threads was changed from 1 to 3"

GROUP = Group(
    "The process around a gate, with `--modelcheck-strict-leaks`",
    {
        "the forward sets the default dtype": in_forward("torch.set_default_dtype(torch.float64)", DTYPE),
        "the forward sets the grad mode": in_forward(
            "torch.set_grad_enabled(True)", "the grad mode was changed from False to True"
        ),
        "the forward sets the number of threads": in_forward("torch.set_num_threads(3)", THREADS),
        "the forward turns autocast on": in_forward(
            "torch.set_autocast_enabled('cpu', True)", "autocast on the CPU was changed from False to True"
        ),
        "the forward asks for deterministic algorithms": in_forward(
            "torch.use_deterministic_algorithms(True)",
            "deterministic algorithms was changed from (False, False) to (True, False)",
        ),
        "the forward sets the default device": in_forward(
            "result = self.norm(self.layer(inputs)); torch.set_default_device('meta'); return result",
            "the default device was changed from cpu to meta",
        ),
        "the forward turns anomaly detection on": in_forward(
            "torch.autograd.set_detect_anomaly(True)", "anomaly detection was changed from False to True"
        ),
        "the data set sets the number of threads": Fault(
            DATA,
            f"accuracy of Linear: it changed its surroundings (restored): {THREADS}{REMEDY}",
            "failed",
            options=STRICT,
            changes=(THREADS,),
        ),
        "the test itself sets the default dtype": Fault(
            BODY.format(body="torch.set_default_dtype(torch.float64)", teardown="..."),
            f"call: ModelCheckFailure: the test changed its surroundings (restored): {DTYPE}{REMEDY}",
            "failed",
            options=STRICT,
            changes=(DTYPE,),
        ),
        "a fixture leaves another default dtype": Fault(
            BODY.format(body="...", teardown="torch.set_default_dtype(torch.float64)"),
            f"teardown: ModelCheckFailure: a fixture of the test changed its surroundings (restored): {DTYPE}{REMEDY}",
            "error",
            options=STRICT,
            changes=(DTYPE,),
        ),
    },
)
