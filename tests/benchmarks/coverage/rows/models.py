"""What a forward does, and models that are unusual."""

from __future__ import annotations

from tests.benchmarks.coverage.row import MODELCHECK, TORCH, TORCHTEST, Group, Row, Use, restored, sound
from tests.benchmarks.coverage.rows.texts import of_model

HERE = "SUBJECT"

WEIGHTS = """
BEFORE = {name: tensor.clone() for name, tensor in MODEL.state_dict().items()}

def test_after():
    assert all(torch.equal(tensor, BEFORE[name]) for name, tensor in MODEL.state_dict().items())
"""

FLAGS = """
def test_after():
    assert not any(module.training for module in MODEL.modules())
"""

INPUT = """
BEFORE = INPUTS.clone()

def test_after():
    assert torch.equal(INPUTS, BEFORE)
"""

# The control leaves what is drawn where nothing else has drawn.
DRAWN = """
import json
from pathlib import Path

def test_after():
    path, drawn = Path("drawn.json"), torch.rand(3).tolist()
    if not path.exists():
        path.write_text(json.dumps(drawn))
    assert json.loads(path.read_text()) == drawn
"""


def after(condition: str) -> str:
    """A test that looks at the world afterwards."""
    return f"\ndef test_after():\n    assert {condition}\n"


GRU = """
import pytest
import torch
from torch import nn

class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 5, batch_first=True)

    def forward(self, inputs):
        output, state = self.gru(inputs)
        return SUBJECT

MODEL = Encoder().eval()
INPUTS = torch.randn(3, 7, 4)
"""

INVARIANT = {
    MODELCHECK: "from pytest_modelcheck import assert_batch_invariant\n\n@pytest.mark.modelcheck\ndef test_it():\n"
    "    assert_batch_invariant(MODEL, INPUTS)\n",
    TORCH: "from pytest_torch import assert_batch_invariant\n\ndef test_it():\n"
    "    assert_batch_invariant(MODEL, INPUTS)\n",
    TORCHTEST: "import torchtest2\n\ndef test_it():\n    torchtest2.assert_model_ok(MODEL, INPUTS)\n",
}

FORWARD = Group(
    "What a forward does",
    (
        Row(
            "the forward raises",
            "no such layer",
            of_model("...", "raise ValueError('no such layer')", forward=HERE),
        ),
        Row(
            "the forward ends the process by `sys.exit(0)`",
            "SystemExit",
            of_model("...", "raise SystemExit(0)", forward=HERE),
        ),
        Row(
            "the host has no more memory for the forward",
            "MemoryError|memory",
            of_model("...", "raise MemoryError", forward=HERE),
        ),
        Row(
            "a weight is NaN",
            r"\bnan\b|finite",
            of_model("", "MODEL.layer.weight.data[1, 1] = float('nan')", then=HERE),
        ),
        Row(
            "the forward changes a weight",
            r"layer\.bias was changed|changed.{0,60}layer\.bias",
            of_model("...", "self.layer.bias.data += 1", forward=HERE, after=WEIGHTS),
            restored,
        ),
        Row(
            "the forward changes a buffer",
            r"\bseen was changed|changed.{0,60}\bseen\b",
            of_model("...", "self.seen += 1", forward=HERE, after=WEIGHTS),
            restored,
        ),
        Row(
            "the forward sets a layer to training",
            "training|train flag",
            of_model("...", "self.layer.train()", forward=HERE, after=FLAGS),
            restored,
        ),
        Row(
            "the forward writes into its input",
            r"inputs? (was|were|is|has been) (chang|modif|mutat|written)|in.place",
            of_model("...", "inputs += 1", forward=HERE, after=INPUT),
            restored,
        ),
        Row(
            "the forward draws global random numbers",
            r"random|RNG",
            of_model("...", "torch.rand(5)", forward=HERE, after=DRAWN, options={TORCH: ("--torch-autoseed",)}),
            restored,
        ),
        Row(
            "the forward sets the default dtype",
            "default dtype",
            of_model(
                "...",
                "torch.set_default_dtype(torch.float64)",
                forward=HERE,
                after=after("torch.get_default_dtype() == torch.float32"),
                marks={TORCH: '@pytest.mark.torch_default_dtype("float32")'},
                without=(TORCHTEST,),
            ),
            restored,
        ),
        Row(
            "the forward turns gradients on",
            "grad mode",
            of_model(
                "...",
                "torch.set_grad_enabled(True)",
                forward=HERE,
                then="torch.set_grad_enabled(False)",
                after=after("not torch.is_grad_enabled()"),
                without=(TORCHTEST,),
            ),
            restored,
        ),
        Row(
            "the forward sets the number of threads",
            "threads",
            of_model(
                "...",
                "torch.set_num_threads(3)",
                forward=HERE,
                after=after("torch.get_num_threads() == 1"),
                marks={TORCH: "@pytest.mark.torch_threads(1)"},
                without=(TORCHTEST,),
            ),
            restored,
        ),
    ),
)

UNUSUAL = Group(
    "Models that are unusual, and to be measured or refused by name",
    (
        Row(
            "a buffer of NaN that nobody touches",
            r"\bnan\b",
            of_model("", "MODEL.register_buffer('unused', torch.tensor(float('nan')))", then=HERE),
            sound,
        ),
        Row("the model is on the meta device", r"\bmeta\b", of_model("", "MODEL.to('meta')", then=HERE), sound),
        Row(
            "a lazy layer has never run",
            "lazy|uninitiali|no size before",
            of_model("", "MODEL.layer = nn.LazyLinear(3)", then=HERE),
            sound,
        ),
        Row(
            "an output has its batch on another axis (the state of a GRU)",
            r"batch.{0,20}(axis|dim)",
            {tool: Use(GRU + text, "output", "output, state") for tool, text in INVARIANT.items()},
            sound,
        ),
    ),
)
