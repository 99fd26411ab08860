"""What runs for ever, with `--modelcheck-timeout`."""

from __future__ import annotations

from tests.faults.fault import Fault, Group
from tests.faults.rows.forward import model

TIMEOUT = ("--modelcheck-timeout=0.5",)
OVER = "not measured: still running after {} s, in {} (--modelcheck-timeout)"

LOADER = """
import time
import pytest
import torch
from torch.utils.data import DataLoader
from pytest_modelcheck import assert_accuracy

class Samples(torch.utils.data.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        while index == 4:
            time.sleep(0.01)
        return torch.ones(4), 1

@pytest.mark.modelcheck
def test_fault():
    assert_accuracy(torch.nn.Linear(4, 3), DataLoader(Samples(), batch_size=2, num_workers={workers}), min=0)
"""

METRIC = """
import time
import pytest
import torch
import torchmetrics
from pytest_modelcheck import assert_metric

class Slow(torchmetrics.MeanSquaredError):
    def compute(self):
        time.sleep(60)

@pytest.mark.modelcheck
def test_fault():
    data = torch.utils.data.TensorDataset(torch.ones(6, 4), torch.ones(6, 1))
    assert_metric(torch.nn.Linear(4, 1), data, metric=Slow(), max=9)
"""

TEARDOWN = """
import time
import pytest

@pytest.fixture
def resource():
    yield
    time.sleep(60)

@pytest.mark.modelcheck
def test_fault(resource): ...
"""

IN_C = """
import ctypes
import pytest

@pytest.mark.modelcheck
def test_fault():
    lock, libc = (ctypes.c_char * 64)(), ctypes.CDLL(None)
    libc.pthread_mutex_lock(lock)
    libc.pthread_mutex_lock(lock)
"""

ENDED = (
    "not measured: still running after 0.5 s (--modelcheck-timeout), and it did not end when it was told to, so its "
    "process was ended. {}\n  File …test_fault.py…"
)

GROUP = Group(
    "What runs for ever, with `--modelcheck-timeout`",
    {
        "the forward hangs": Fault(
            model("while True: pass"),
            f"call: GateTimeout: {OVER.format(0.5, 'forward at test_fault.py:15')}",
            options=TIMEOUT,
        ),
        "the data set hangs": Fault(
            LOADER.format(workers=0),
            f"call: GateTimeout: {OVER.format(0.5, '__getitem__ at test_fault.py:14')}",
            options=TIMEOUT,
        ),
        "the data set hangs in a worker of the loader": Fault(
            LOADER.format(workers=1),
            f"call: GateTimeout: {OVER.format(4, 'test_fault at test_fault.py:19')}",
            options=("--modelcheck-timeout=4",),
        ),
        "the metric hangs": Fault(
            METRIC,
            f"call: GateTimeout: {OVER.format(4, 'compute at test_fault.py:10')}",
            options=("--modelcheck-timeout=4",),
            needs="torchmetrics",
        ),
        "a fixture hangs in its teardown": Fault(
            TEARDOWN,
            f"teardown: TeardownTimeout: {OVER.format(0.5, 'resource at test_fault.py:8')}",
            options=TIMEOUT,
        ),
        "a test hangs in C, under pytest-xdist": Fault(
            IN_C, ENDED.format("Another process goes on with the gates after it"), options=(*TIMEOUT, "-n1")
        ),
        "a test hangs in C, in one process": Fault(
            IN_C,
            ENDED.format("The session ends here; with pytest-xdist (-n1 or more) another process goes on"),
            options=TIMEOUT,
            goes_on=False,
        ),
    },
)
