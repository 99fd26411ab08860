"""Models that change themselves, and models that are none."""

from __future__ import annotations

from tests.faults.fault import Fault, Group
from tests.faults.rows.forward import model
from tests.faults.rows.world import REMEDY, STRICT

OTHER = """
import warnings
import pytest
import torch
from torch import nn
from pytest_modelcheck import assert_accuracy, assert_flops, assert_parameters, assert_shape

DATA = (torch.ones(6, 4), torch.zeros(6, dtype=torch.long))

class Classifier(nn.Linear):
    def __init__(self):
        super().__init__(4, 3)

{model}


@pytest.mark.modelcheck
def test_fault():
    {body}
"""

FIXTURE = """
import pytest
import torch

@pytest.fixture
def model():
    made = torch.nn.Linear(4, 3)  # and it is not returned

@pytest.fixture
def data():
    return torch.ones(6, 4), torch.zeros(6, dtype=torch.long)

@pytest.mark.modelcheck_accuracy(min=0)
def test_fault(): ...
"""

TIED = "MODEL = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))\nMODEL[1].weight = MODEL[0].weight"

QUANTIZED = """
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    MODEL = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3)), dtype=torch.qint8)
"""

SCRIPTED = """
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    MODEL = torch.jit.script(nn.Sequential(nn.Linear(4, 3)))
"""

NO_MODULE = "not measured: {} is no torch.nn.Module: give the model itself"
COUNTED = "parameters of {}: total is 15, promised {} ({}).\n{}If the change is meant, promise total=15."


def changing(statement: str, *changes: str) -> Fault:
    """A model whose forward changes it, where nothing may be changed."""
    told = "; ".join(changes)
    return Fault(
        model(statement),
        f"shape of Classifier: it changed its surroundings (restored): {told}{REMEDY}",
        "failed",
        options=STRICT,
        changes=changes,
    )


def other(made: str, message: str, body: str = "assert_accuracy(MODEL, DATA, min=0)", outcome: str = "error") -> Fault:
    """A gate on another model."""
    return Fault(OTHER.format(model=made, body=body), message, outcome)


GROUP = Group(
    "Models",
    {
        "the forward changes a weight": changing(
            "with torch.no_grad(): self.layer.bias += 1", "layer.bias was changed"
        ),
        "the forward puts another parameter in the place of one": changing(
            "self.layer.weight = nn.Parameter(torch.zeros(3, 4))", "layer.weight was changed"
        ),
        "the forward trains its BatchNorm": changing(
            "self.norm.train()",
            "norm.running_mean was changed",
            "norm.running_var was changed",
            "norm.num_batches_tracked was changed",
        ),
        "the forward writes into its input": changing("inputs += 1", "the input was changed in place"),
        "the forward leaves a hook": changing(
            "self.layer.register_forward_hook(lambda *_: None)", "the hooks of layer were changed"
        ),
        "the forward freezes a parameter": changing(
            "self.layer.weight.requires_grad_(False)", "requires_grad of layer.weight was changed from True to False"
        ),
        "the forward adds a layer": changing(
            "self.more = nn.Linear(4, 3)",
            "more.weight was added",
            "more.bias was added",
            "the layers of the model were changed",
        ),
        "the forward removes a layer": changing(
            "del self.norm; return self.layer(inputs)",
            "norm.weight was removed",
            "norm.bias was removed",
            "norm.running_mean was removed",
            "norm.running_var was removed",
            "norm.num_batches_tracked was removed",
            "the layers of the model were changed",
        ),
        "a lazy layer has never run": other(
            "MODEL = nn.LazyLinear(3)",
            "accuracy of LazyLinear: not measured: weight, bias have no size before the first forward pass: run the "
            "model once, then check it",
        ),
        "the model is on the meta device": other(
            "MODEL = nn.Linear(4, 3, device='meta')",
            "accuracy of Linear: not measured: the model is on the meta device and has no weights: evaluate a real one",
        ),
        "the model is spread over two devices": other(
            "MODEL = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3, device='meta'))",
            "shape of Sequential: not measured: the model is spread over cpu, meta: check it on one device",
            "assert_shape(MODEL, DATA[0], expected=[6, 3])",
        ),
        "the model is of another dtype than its data": other(
            "MODEL = nn.Linear(4, 3).double()",
            "accuracy of Linear: not measured: batch 0: forward raised RuntimeError: …\n  inputs: input [6, 4]",
        ),
        "tied parameters are promised twice": other(
            TIED,
            COUNTED.format("Sequential", 24, "9 fewer", "  0: 12\n  1: 12\n  one tensor: 0.weight = 1.weight\n"),
            "assert_parameters(MODEL, total=24)",
            "failed",
        ),
        "a compiled model has another size": other(
            "MODEL = torch.compile(nn.Linear(4, 3), backend='eager')",
            COUNTED.format("Linear", 16, "1 fewer", ""),
            "assert_parameters(MODEL, total=16)",
            "failed",
        ),
        "a model inside of DataParallel has another size": other(
            "MODEL = nn.DataParallel(nn.Linear(4, 3))",
            COUNTED.format("Linear", 16, "1 fewer", ""),
            "assert_parameters(MODEL, total=16)",
            "failed",
        ),
        "a dynamically quantized layer hides its weights": other(
            QUANTIZED,
            "parameters of Sequential: not measured: 0 is quantized and hides its weights from parameters(): count the "
            "model before it is quantized",
            "assert_parameters(MODEL, total=15)",
        ),
        "a layer of a scripted model is asked for": other(
            SCRIPTED,
            "shape of RecursiveScriptModule: not measured: layer '0' is scripted, and cannot be looked into: check the "
            "model itself",
            "assert_shape(MODEL, DATA[0], expected=[6, 3], layer='0')",
        ),
        "a path in the place of a model": other(
            "PATH = 'model.pt'", f"accuracy of str: {NO_MODULE.format('str')}", "assert_accuracy(PATH, DATA, min=0)"
        ),
        "weights in the place of a model": other(
            "STATE = nn.Linear(4, 3).state_dict()",
            f"accuracy of OrderedDict: {NO_MODULE.format('OrderedDict')}",
            "assert_accuracy(STATE, DATA, min=0)",
        ),
        "a class in the place of a model": other(
            "...",
            f"accuracy of Classifier: {NO_MODULE.format('type')}, one that is made of the class Classifier",
            "assert_accuracy(Classifier, DATA, min=0)",
        ),
        "the fixture of a model gives nothing": Fault(FIXTURE, f"accuracy of NoneType: {NO_MODULE.format('NoneType')}"),
    },
)
