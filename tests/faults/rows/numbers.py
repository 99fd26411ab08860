"""Numbers that are none: NaN and infinity wherever they may stand."""

from __future__ import annotations

from tests.faults.fault import Fault, Group
from tests.faults.rows.forward import classifier, model

METRIC = """
import pytest
import torch
import torchmetrics
from torch.utils.data import DataLoader, TensorDataset
from pytest_modelcheck import assert_metric

MODEL = torch.nn.Identity()


class Share(torchmetrics.Metric):
    def __init__(self):
        super().__init__()
        self.add_state("seen", torch.tensor(0.0))

    def update(self, outputs, targets): ...

    def compute(self):
        return self.seen / 0


@pytest.mark.modelcheck
def test_fault():
    data = TensorDataset(torch.tensor({outputs}), torch.tensor({targets}))
    assert_metric(MODEL, DataLoader(data, batch_size=2), metric={metric}, {promise})
"""

MARKED = """
import pytest

@pytest.mark.modelcheck_accuracy(min={promise})
def test_fault(): ...
"""

TABLE = """
import pytest
import torch
from pytest_modelcheck import assert_embedding_table

MODEL = torch.nn.Embedding(4, 3)
MODEL.weight.data[2, 1] = float("inf")

@pytest.mark.modelcheck
def test_fault():
    assert_embedding_table(MODEL, num_embeddings=4)
"""

NAN_BUFFER = "MODEL = Classifier()\nMODEL.register_buffer('unused', torch.tensor(float('nan')))\n"

UNJUDGED = "accuracy of Classifier: not measured: batch {}: the scores of {} of 2 samples are NaN or infinite; {}"
OF_FORWARD = "the outputs of all layers are finite, and what the forward makes of them is not"


def broken(statement: str, first: str) -> Fault:
    """A model that is changed after it was made, and what is named first."""
    text = classifier("...").replace("MODEL = Classifier()\n", f"MODEL = Classifier()\n{statement}\n")
    return Fault(text, UNJUDGED.format(0, 2, first))


def metric(message: str, outputs: str = "[1.0, 2.0]", targets: str = "[1.0, 2.0]", **made: str) -> Fault:
    """A metric of numbers, whose value is none."""
    text = METRIC.format(outputs=outputs, targets=targets, **made)
    is_measured = "not measured" not in message
    return Fault(text, f"metric of Identity: {message}", "failed" if is_measured else "error", needs="torchmetrics")


def promise(written: str, shown: str) -> Fault:
    """A promise that is no number, which is an error before any test."""
    message = f"test_fault.py::test_fault: min={shown}: a number from 0 to 1 is expected"
    return Fault(MARKED.format(promise=written), message, "", exit=2, goes_on=False)


GROUP = Group(
    "Numbers that are none",
    {
        "a weight is NaN": broken(
            "MODEL.layer.weight.data[1, 1] = float('nan')", "parameter layer.weight is not finite"
        ),
        "a weight is infinite": broken("MODEL.norm.bias.data[2] = float('-inf')", "parameter norm.bias is not finite"),
        "a buffer is NaN": broken(
            "MODEL.norm.running_mean[0] = float('nan')", "the output of layer norm is not finite"
        ),
        "a row of an embedding table is infinite": Fault(
            TABLE, "embedding_table of Embedding: row 2 holds NaN or infinite values.", "failed"
        ),
        "the forward divides by zero": Fault(
            classifier("return self.norm(self.layer(inputs)) / 0"), UNJUDGED.format(0, 2, OF_FORWARD)
        ),
        "the scores of one late sample are NaN": Fault(
            classifier("return self.layer(inputs) * torch.where(inputs[:, :1] > 16, float('nan'), 1.0)"),
            UNJUDGED.format(2, 1, OF_FORWARD),
        ),
        "an output is infinite where all are promised to be finite": Fault(
            model("return self.layer(inputs) / 0").replace("[2, 3])", "[2, 3], finite=True)"),
            "shape of Classifier: output is not finite: 6 of 6 elements are NaN or infinite, promised finite.\n"
            f"The first: {OF_FORWARD}.",
            "failed",
        ),
        "a sample of the data is NaN": Fault(
            classifier("...").replace(
                "batch_size=2", "batch_size=2, shuffle=DATA.tensors[0][3].fill_(torch.nan) is None"
            ),
            UNJUDGED.format(1, 1, "the input is not finite"),
        ),
        "a target is NaN": metric(
            "not measured: batch 0: the targets of 1 of 2 samples are NaN",
            targets="[1.0, float('nan')]",
            metric="torchmetrics.MeanSquaredError()",
            promise="max=1",
        ),
        "a loss is infinite": metric(
            "MeanSquaredError is inf, which is no finite number, promised at most 1.",
            outputs="[1e30, 2.0]",
            metric="torchmetrics.MeanSquaredError()",
            promise="max=1",
        ),
        "a metric is NaN": metric(
            "Share is nan, which is no finite number, promised at least 0.", metric="Share()", promise="min=0"
        ),
        "a promise is NaN": promise("float('nan')", "nan"),
        "a promise is infinite": promise("float('inf')", "inf"),
        "a promise is in percent": promise("98", "98"),
        "a promise is a boolean": promise("True", "True"),
        "a shape is wrong, and a buffer of NaN that nobody touched is no change": Fault(
            model("...").replace("MODEL = Classifier()\n", NAN_BUFFER).replace("[2, 3])", "[2, 5])"),
            "shape of Classifier: output is [2, 3], promised [2, 5]: axis 1 is 3, promised 5 (made by layer norm).",
            "failed",
            options=("--modelcheck-strict-leaks",),
        ),
    },
)
