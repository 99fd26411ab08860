"""Faults of a model's forward, and what it does to its surroundings."""

from __future__ import annotations

from tests.faults.fault import Fault, Group, Session

HEAD = """
import pytest
import torch
from torch import nn
from pytest_modelcheck import assert_accuracy, assert_shape


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)

    def forward(self, inputs):
        {forward}
        return self.norm(self.layer(inputs))


MODEL = Classifier()
"""

SHAPE = """

@pytest.mark.modelcheck
def test_fault():
    assert_shape(MODEL, torch.ones(2, 4), expected=[2, 3])
"""

ACCURACY = """
DATA = torch.utils.data.TensorDataset(torch.arange(24.0).reshape(6, 4), torch.zeros(6, dtype=torch.long))


@pytest.mark.modelcheck
def test_fault():
    assert_accuracy(MODEL, torch.utils.data.DataLoader(DATA, batch_size=2), min=0)
"""

# What the forward held when the memory was over is gone when its gate has ended.
AFTER = """

def test_memory():
    import gc
    gc.collect()
    assert MODEL.held() is None
"""


def model(forward: str) -> str:
    """A gate on the shape of a model with this line in its forward."""
    return HEAD.format(forward=forward) + SHAPE


def classifier(forward: str) -> str:
    """A gate on the accuracy of a model with this line in its forward."""
    return HEAD.format(forward=forward) + ACCURACY


def is_let_go(session: Session) -> None:
    """The memory that the gate had asked for was free in the test after it."""
    assert "test_fault.py::test_memory passed" in (session.root / "ended").read_text().splitlines(), session.output


def is_short(session: Session) -> None:
    """The report has a part of the text that a reader can do with."""
    assert all(len(row["message"]) < 2_500 for row in session.rows("test_fault.py"))


UNMEASURED = "shape of Classifier: not measured: forward raised {}\n  inputs: input [2, 4]"
UNJUDGED = "accuracy of Classifier: not measured: batch 0: forward raised {}\n  inputs: input [2, 4]"
FEWER = (
    "\n  There was not enough memory. Give fewer samples at a time, as by a smaller batch_size of the DataLoader, or "
    "run where there is more"
)

HOLDING = "import weakref; big = torch.zeros(1000); self.held = weakref.ref(big); raise {}"

GROUP = Group(
    "A model's forward",
    {
        "the forward raises": Fault(
            model('raise ValueError("no such layer")'), UNMEASURED.format("ValueError: no such layer")
        ),
        "the forward raises in the middle of the data": Fault(
            classifier("if inputs.max() > 20: raise ValueError('no such layer')"),
            UNJUDGED.replace("batch 0", "batch 2").format("ValueError: no such layer"),
        ),
        "the host has no more memory": Fault(
            model(HOLDING.format("MemoryError()")) + AFTER,
            UNMEASURED.format("MemoryError") + FEWER,
            check=is_let_go,
        ),
        "the host has no more memory for a batch": Fault(
            classifier(
                HOLDING.format(
                    "RuntimeError(\"[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
                    'memory: you tried to allocate 64 bytes.")'
                )
            )
            + AFTER,
            UNJUDGED.format(
                "RuntimeError: [enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
                "memory: you tried to allocate 64 bytes."
            )
            + FEWER,
            check=is_let_go,
        ),
        "the GPU has no more memory": Fault(
            classifier(HOLDING.format('torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")'))
            + AFTER,
            UNJUDGED.format("OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.") + FEWER,
            check=is_let_go,
        ),
        "the GPU is lost": Fault(
            classifier("raise RuntimeError('CUDA error: unspecified launch failure')"),
            UNJUDGED.format("RuntimeError: CUDA error: unspecified launch failure"),
        ),
        "the forward ends the process by sys.exit": Fault(
            model("import sys; sys.exit(0)"), UNMEASURED.format("SystemExit: 0")
        ),
        "the forward never ends to call itself": Fault(
            model("return self(inputs)"), UNMEASURED.format("RecursionError: maximum recursion depth exceeded…")
        ),
        "the forward warns, and warnings are errors": Fault(
            model("import warnings; warnings.warn('the old way')").replace(
                "@pytest.mark.modelcheck", "@pytest.mark.filterwarnings('error')\n@pytest.mark.modelcheck"
            ),
            UNMEASURED.format("UserWarning: the old way"),
        ),
        "the forward raises a text of ten megabytes": Fault(
            model("raise ValueError('x' * 10_000_000)"),
            UNMEASURED.format("ValueError: xxx…xxx... (10,000,000 characters)"),
            check=is_short,
        ),
        "the forward raises what cannot be written": Fault(
            model("raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})()"),
            UNMEASURED.format("Mute: <its text cannot be read: ZeroDivisionError>"),
        ),
        "a hook of a layer raises": Fault(
            model("...").replace(
                "MODEL = Classifier()\n",
                "MODEL = Classifier()\nMODEL.layer.register_forward_hook(lambda *_: {}['scale'])\n",
            ),
            UNMEASURED.format("KeyError: 'scale'"),
        ),
        "the forward needs other arguments": Fault(
            model("...").replace("forward(self, inputs)", "forward(self, inputs, mask)"),
            UNMEASURED.format("TypeError: Classifier.forward() missing 1 required positional argument: 'mask'"),
        ),
        "the forward gives nothing": Fault(
            model("return"), "shape of Classifier: not measured: the output holds no tensor: it is a NoneType"
        ),
        "the forward gives nothing to be judged": Fault(
            classifier("return 'three'"),
            "accuracy of Classifier: not measured: batch 0: the output is a str: a tensor, or an output with logits, "
            "is needed, or step=, a function of the model and a batch that gives outputs and targets",
        ),
    },
)
