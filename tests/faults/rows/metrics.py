"""Metrics that are not what was meant."""

from __future__ import annotations

from tests.faults.fault import Fault, Group

OWN = """
import pytest
import torch
import torchmetrics
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy
from pytest_modelcheck import assert_accuracy, assert_metric

MODEL = torch.nn.Identity()
SCORES = torch.eye(3)[[0, 1, 2, 0]]
WRONG = TensorDataset(SCORES, torch.tensor([1, 2, 0, 1]))
RIGHT = TensorDataset(SCORES, torch.tensor([0, 1, 2, 0]))
METRIC = MulticlassAccuracy(3, average="micro")


class Own(torchmetrics.Metric):
    def __init__(self):
        super().__init__()
        self.add_state("seen", torch.tensor(0.0))

    def update(self, outputs, targets):
        {update}

    def compute(self):
        {compute}


class Hoarder(torchmetrics.Metric):
    seen = 0

    def update(self, outputs, targets):
        self.seen += len(outputs)

    def compute(self):
        return self.seen


{before}

@pytest.mark.modelcheck
def test_fault():
    {body}
"""

SHARED = """
@pytest.mark.modelcheck
def test_before():
    assert_metric(MODEL, DataLoader(RIGHT, batch_size=2), metric=METRIC, min=1)

"""

LIGHTNING = """
import pytest
import torch
import pytorch_lightning
from pytest_modelcheck import assert_metric


class Classifier(pytorch_lightning.LightningModule):
    def test_step(self, batch, index):
        return batch[0].mean()

    def test_step_end(self, output):
        self.log("test_acc", output)


@pytest.mark.modelcheck
def test_fault():
    assert_metric(Classifier(), (torch.eye(4), torch.arange(4)), logged="test_acc", min=0)
"""


def gate(
    body: str, message: str, outcome: str = "failed", *, before: str = "", update: str = "...", compute: str = ""
) -> Fault:
    """A gate on always the same scores, whose predicted classes are all wrong."""
    text = OWN.format(body=body, before=before, update=update, compute=compute or "return self.seen")
    return Fault(text, message, outcome, needs="torchmetrics")


def measured(metric: str, message: str, promise: str = "min=0.5", **own: str) -> Fault:
    """The same, of a metric."""
    body = f"assert_metric(MODEL, DataLoader(WRONG, batch_size=2), metric={metric}, {promise})"
    outcome = "error" if message.startswith(("not measured", "call")) else "failed"
    return gate(body, message if message.startswith("call") else f"metric of Identity: {message}", outcome, **own)


ZERO = "MulticlassAccuracy (micro) is 0, promised at least 0.5 (0.5 too low)."

GROUP = Group(
    "Metrics",
    {
        "the metric was updated before and never reset": measured(
            "METRIC", ZERO, before="for _ in range(9): METRIC.update(SCORES, torch.tensor([0, 1, 2, 0]))"
        ),
        "two gates share a metric": measured("METRIC", ZERO, before=SHARED),
        "the metric keeps what reset does not take back": measured(
            "Hoarder()",
            "not measured: Hoarder declares no state (add_state): reset() takes back nothing that it saw before",
        ),
        "the metric gives nothing": measured(
            "Own()", "Own is None, which is no finite number, promised at least 0.5.", compute="return None"
        ),
        "the metric gives a text": measured(
            "Own()", "Own is 'good', which is no finite number, promised at least 0.5.", compute="return 'good'"
        ),
        "the metric gives a mapping with a text": measured(
            "Own()",
            "share is 'high', which is no finite number, promised at least 0.5.",
            compute="return {'share': 'high', 'rate': 0.75}",
        ),
        "the metric gives an empty mapping": measured("Own()", "not measured: Own gave no number", compute="return {}"),
        "one of several values of a metric is too low": measured(
            "Own()", "Own[1] is 0.2, promised at least 0.5 (0.3 too low).", compute="return torch.tensor([0.9, 0.2])"
        ),
        "the metric has no value of the promised name": measured(
            "Own()", "not measured: the metric gives no 'recall': it gives Own", "min={'recall': 0.5}"
        ),
        "the metric does not take the batch": measured(
            "Own()",
            "not measured: batch 0: Own.update raised ValueError: no scores\n"
            "  outputs [2, 3] of torch.float32, targets [2] of torch.int64",
            update="raise ValueError('no scores')",
        ),
        "the metric raises at the end": measured(
            "Own()", "not measured: Own.compute raised ZeroDivisionError: division by zero", compute="return 1 / 0"
        ),
        "the metric knows fewer classes than the model": measured(
            "MulticlassAccuracy(2)",
            "not measured: samples 0 to 3: MulticlassAccuracy.update raised ValueError: …\n"
            "  outputs [4, 3] of torch.float32, targets [4] of torch.int64",
        ),
        "a class of metrics in the place of a metric": measured(
            "MulticlassAccuracy",
            "call: ConfigError: metric=<class 'torchmetrics.classification.accuracy.MulticlassAccuracy'>: a "
            "torchmetrics metric or MetricCollection is expected",
        ),
        "a confidence of a metric without an interval": measured(
            "Own()", "not measured: Own has no bound at 95 %: …", "min=0, confidence=0.95"
        ),
        "the mean over the classes is lower than that over the samples": gate(
            "assert_accuracy(MODEL, SKEWED, min=0.7, average='macro')",
            "accuracy of Identity: the mean of the classes' recalls is 0.500000, promised at least 0.7.\n"
            "  recall of class 2: 0 of 1\n  class 2 taken for 0: 1\n  first wrong samples: 9",
            before="SKEWED = TensorDataset(torch.eye(3)[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], torch.tensor([0] * 9 + [2]))",
        ),
        "the step logs in a hook that Lightning no longer calls": Fault(
            LIGHTNING,
            "metric of Classifier: not measured: Classifier logged nothing in its test step; it has test_step_end, "
            "which Lightning 2 no longer calls: log in the step",
            needs="pytorch_lightning",
        ),
    },
)
