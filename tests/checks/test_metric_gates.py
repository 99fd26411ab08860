"""What gates on metrics share, what they leave alone, and what is refused: many gates, one pass, one metric object."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassAveragePrecision,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
)

from pytest_modelcheck import ConfigError, assert_metric
from pytest_modelcheck.checks.accuracy import accuracy
from pytest_modelcheck.checks.metric import metric
from pytest_modelcheck.context import Context

_RANDOM = torch.Generator().manual_seed(7)
LABELS = torch.arange(103) % 4
SCORES = torch.randn(103, 4, generator=_RANDOM) + 2 * torch.eye(4)[LABELS]

# The identity is right for 3 of these 4.
EYE, FEW = torch.eye(4), torch.tensor([0, 1, 2, 0])

F1 = MulticlassF1Score(4, average="weighted")


class Rows(Dataset):
    """A data set of the user's own, which nobody can read as whole tensors."""

    def __init__(self, *columns):
        self.rows = list(zip(*columns, strict=True))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


def numbers(value):
    return [item.item() for item in value.values()] if isinstance(value, dict) else [value.item()]


@pytest.mark.parametrize("members", [False, True], ids=["metric", "collection"])
def test_the_users_metric_is_left_alone_and_what_it_saw_before_does_not_count(members):
    asked = MulticlassAccuracy(4, average="micro")
    asked = MetricCollection({"a": asked, "b": MulticlassAccuracy(4)}) if members else asked
    asked.update(-SCORES, LABELS)
    before = numbers(asked.compute())
    with Context().active():
        first, second = (metric(nn.Identity(), (SCORES, LABELS), metric=asked, min=0) for _ in range(2))
    asked.reset()
    asked.update(SCORES, LABELS)
    values = [value["value"] for value in first.evidence["values"].values()]
    assert values == numbers(asked.compute()) != before
    assert first.evidence == second.evidence


def test_a_metric_that_was_read_before_still_holds_its_own_samples():
    asked = MulticlassAccuracy(4, average="micro").train()
    asked.update(EYE, FEW)
    metric(nn.Identity(), (SCORES, LABELS), metric=asked, min=0)
    assert (asked.compute().item(), asked._update_count, asked.training, asked.device.type) == (0.75, 1, True, "cpu")


@pytest.mark.parametrize("data", [(SCORES, LABELS), Rows(SCORES, LABELS)], ids=["tensors", "rows"])
def test_a_metric_that_writes_into_its_inputs_spoils_no_other_gate(data):
    class Writing(Metric):
        def update(self, outputs, targets):
            outputs.neg_()
            targets.zero_()

        def compute(self):
            return torch.tensor(1.0)

    model = nn.Identity()
    with Context().active():
        before, _, after = (
            metric(model, data, metric=asked, min=0).evidence
            for asked in (MulticlassAccuracy(4), Writing(), MulticlassAccuracy(4))
        )
    assert before == after


def test_eight_gates_share_one_pass():
    seen = []

    class Counting(nn.Module):
        def forward(self, inputs):
            seen.append(len(inputs))
            return inputs

    asked = [
        *(MulticlassF1Score(4, average=name) for name in ("micro", "macro", None)),
        MulticlassAUROC(4),
        MulticlassCalibrationError(4),
        MulticlassConfusionMatrix(4),
        MetricCollection([MulticlassF1Score(4), MulticlassAccuracy(4)]),
    ]
    # Whole tensors cost more than 103 samples once, since the first batch is also judged among others.
    # The first samples are looked at again by each gate, and those of other data in their batch.
    for data, most, again in (
        ((SCORES, LABELS), 5 * 103, 8),
        (DataLoader(Rows(SCORES, LABELS), batch_size=20), 103, 20),
    ):
        seen.clear()
        model = Counting()
        with Context().active():
            accuracy(model, data, min=0)
            first = sum(seen)
            for item in asked:
                assert metric(model, data, metric=item, min=0).evidence["seen"] == 103
        assert 103 <= first <= most
        assert sum(seen) == first + len(asked) * again


def _logits_in_half_of_the_batches():
    scores = torch.rand(40, 4, generator=_RANDOM)
    scores[::8] -= 1
    return scores


# The scores, and how many batches a metric that looks at them sees: of 40 samples, in batches of 4.
SCORED = {
    "logits": (torch.randn(40, 4, generator=_RANDOM) - 3, 1),
    "probabilities": (torch.randn(40, 4, generator=_RANDOM).softmax(1), 1),
    "probabilities of 0 and 1": (torch.eye(4).repeat(10, 1), 1),
    "logits in half of the batches": (_logits_in_half_of_the_batches(), 10),
    "logits of 16 bits": (torch.randn(40, 4, generator=_RANDOM).bfloat16() - 3, 10),
}


@pytest.mark.parametrize(("scores", "updates"), SCORED.values(), ids=SCORED)
@pytest.mark.parametrize(
    "asked",
    [
        MulticlassAUROC(4, average=None),
        MulticlassAUROC(4, thresholds=20),
        MulticlassAUROC(4, ignore_index=-1),
        MulticlassAveragePrecision(4),
        MulticlassCalibrationError(4),
        MetricCollection([MulticlassF1Score(4), MulticlassCalibrationError(4)]),
    ],
    ids=lambda asked: type(asked).__name__,
)
def test_scores_are_shown_in_the_users_batches_wherever_those_decide(monkeypatch, asked, scores, updates):
    data = TensorDataset(scores, torch.arange(40) * 7 % 4)
    by_hand = asked.clone()
    for batch in DataLoader(data, batch_size=4):
        by_hand.update(*batch)
    seen = []
    for kind in (MulticlassAUROC, MulticlassAveragePrecision, MulticlassCalibrationError):
        update = kind.update
        monkeypatch.setattr(kind, "update", lambda self, *batch, own=update: (seen.append(batch), own(self, *batch))[1])
    found = metric(nn.Identity(), DataLoader(data, batch_size=4), metric=asked, min=0)
    expected = by_hand.compute()
    expected = expected if isinstance(expected, dict) else {"": expected}
    values = [value["value"] for value in found.evidence["values"].values()]
    assert values == [number for item in expected.values() for number in item.flatten().tolist()]
    assert len(seen) == updates


def test_a_precision_of_lightnings_is_that_of_the_outputs():
    torch.manual_seed(0)
    model, asked = nn.Linear(4, 4), MulticlassAUROC(4)
    full, narrow = (
        metric(model, (SCORES, LABELS), metric=asked, min=0, precision=name).evidence["values"]["MulticlassAUROC"]
        for name in (None, "bf16-mixed")
    )
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        by_hand = asked(model(SCORES).float(), LABELS).item()
    assert narrow["value"] == by_hand != full["value"]


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({"min": 0.5}, "metric needs either metric=, a torchmetrics metric, or logged=, the name that a step logs"),
        (
            {"metric": F1, "logged": "acc", "min": 0.5},
            "metric needs either metric=, a torchmetrics metric, or logged=, the name that a step logs",
        ),
        ({"metric": F1}, "metric needs the promise 'min' or 'max'"),
        ({"logged": "acc", "min": None}, "metric needs the promise 'min' or 'max'"),
        (
            {"logged": "acc", "min": 0.5, "confidence": 0.95},
            "logged= is a number that the model's own step gave: confidence needs metric=",
        ),
        (
            {"logged": "acc", "min": 0.5, "step": print},
            "logged= is a number that the model's own step gave: step needs metric=",
        ),
        (
            {"metric": MulticlassAccuracy, "min": 0.5},
            "metric=<class 'torchmetrics.classification.accuracy.MulticlassAccuracy'>: a torchmetrics metric or "
            "MetricCollection is expected",
        ),
        ({"metric": "f1", "min": 0.5}, "metric='f1': a torchmetrics metric or MetricCollection is expected"),
        ({"metric": F1, "min": math.nan}, "min=nan: a finite number is expected"),
        ({"metric": F1, "max": "0.5"}, "max='0.5': a finite number is expected"),
        ({"metric": F1, "min": {}}, "min={}: a number, or a mapping from names of values to numbers, is expected"),
        ({"metric": F1, "max": {"a": True}}, "max['a']=True: a finite number is expected"),
        (
            {"metric": F1, "min": 0.5, "confidence": 1},
            "confidence=1: a number from 0.5 to below 1 is expected, such as 0.95",
        ),
        ({"metric": F1, "min": 0.5, "stage": "fit"}, "stage='fit': one of test, validate is expected"),
        ({"metric": F1, "min": 0.5, "step": 5}, "step=5: a function of the model and a batch is expected"),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_metric(nn.Identity(), (EYE, FEW), **promises)
    assert str(raised.value) == message


GATES = """
import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC

@pytest.fixture
def model():
    return torch.nn.Identity()

@pytest.fixture
def data():
    return torch.eye(4), torch.tensor([0, 1, 2, 0])

class Undefined(MulticlassAccuracy):
    def compute(self):
        return torch.tensor(float("nan"))

SHARED = MulticlassAccuracy(4, average="micro")

@pytest.mark.modelcheck_metric(metric=SHARED, min=0.75)
@pytest.mark.modelcheck_metric(metric=SHARED, max=0.75)
def test_kept(): ...

@pytest.mark.modelcheck_metric(metric=SHARED, min=0.8)
def test_broken(): ...

@pytest.mark.modelcheck_metric(metric=Undefined(4, average="micro"), min={"Undefined": 0})
def test_undefined(): ...
"""


def test_markers_gate_metrics(pytester, run_gates, processes):
    pytester.makepyfile(test_it=GATES)
    result, rows = run_gates(processes)
    result.assert_outcomes(passed=1, failed=2)
    value = "MulticlassAccuracy 0.75 (micro; 95 %: 0.249 to 0.987)"
    assert sorted(
        (row["gate"].partition("::")[2], row["outcome"], row["promised"], row["measured"]) for row in rows
    ) == [
        ("test_broken", "failed", "at least 0.8", value),
        ("test_kept", "passed", "at least 0.75", value),
        ("test_kept", "passed", "at most 0.75", value),
        ("test_undefined", "failed", "at least Undefined 0", "Undefined nan (micro)"),
    ]
    assert [row["evidence"]["values"]["Undefined"]["value"] for row in rows if "Undefined" in row["promised"]] == [
        "nan"
    ]


def test_a_marker_that_makes_no_sense_is_an_error_at_collection(pytester, processes):
    pytester.makepyfile("import pytest\n@pytest.mark.modelcheck_metric(min=0.5)\ndef test_it(): ...\n")
    result = pytester.runpytest_inprocess("--modelcheck", processes)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*test_it*metric needs either metric=, a torchmetrics metric, or logged=, the name*"])
