"""The promise of any metric on data: its value is that of the user's own loop, and what it promises is held."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchmetrics import MeanMetric, MeanSquaredError, Metric, MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)
from torchmetrics.text import Perplexity, WordErrorRate
from torchmetrics.wrappers import ClasswiseWrapper

from pytest_modelcheck import ModelCheckError, assert_metric
from pytest_modelcheck.checks.metric import metric
from pytest_modelcheck.evaluation import predictions

_RANDOM = torch.Generator().manual_seed(7)
LABELS = torch.arange(103) % 4
SCORES = torch.randn(103, 4, generator=_RANDOM) + 2 * torch.eye(4)[LABELS]
SIZES = torch.randn(103, generator=_RANDOM)
TOKENS = torch.randint(0, 6, (23, 5), generator=_RANDOM)
TEXTS = [("the cat sat", "the cat sat"), ("on a mat", "on the mat"), ("and slept", "and it slept")]

# The identity is right for 3 of these 4.
EYE, FEW = torch.eye(4), torch.tensor([0, 1, 2, 0])


class Rows(Dataset):
    """A data set of the user's own, which nobody can read as whole tensors."""

    def __init__(self, *columns, classes=None):
        self.rows = list(zip(*columns, strict=True))
        self.classes = classes

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


class Shouting(nn.Module):
    def forward(self, texts):
        return [text.upper() for text in texts]


class Computing(Metric):
    """A metric of the user's own: what a function makes of all outputs and targets."""

    def __init__(self, compute, average=None):
        super().__init__()
        self.function = compute
        self.average = average
        self.add_state("outputs", [], dist_reduce_fx="cat")
        self.add_state("targets", [], dist_reduce_fx="cat")

    def update(self, outputs, targets):
        self.outputs.append(outputs)
        self.targets.append(targets)

    def compute(self):
        return self.function(torch.cat(self.outputs), torch.cat(self.targets))


def nan(outputs, targets):
    return outputs.sum() * float("nan")


def shares(outputs, targets):
    right = (outputs.argmax(1) == targets).double()
    return {"right": right.mean(), "wrong": 1 - right.mean()}


def tokens(seed=0):
    torch.manual_seed(seed)
    return nn.Embedding(6, 6).train()


def loop(asked, model, loader, step):
    """The value that a user gets in a loop of their own."""
    asked = asked.clone()
    with torch.no_grad():
        for inputs, targets in loader:
            asked.update(*(step(model, (inputs, targets)) if step else (model(inputs), targets)))
    return asked.compute()


def numbers(value):
    if isinstance(value, Mapping):
        return [number for item in value.values() for number in numbers(item)]
    return value.flatten().tolist()


def read_alike(model, *columns, step=None):
    """The same samples as whole tensors, and behind a class that is not known."""
    yield model, DataLoader(TensorDataset(*columns), batch_size=10), step
    yield model, DataLoader(Rows(*columns), batch_size=10), step


def loss(model, batch):
    """The first score of each sample, each of the same weight."""
    return model(batch[0])[:, 0], torch.ones(len(batch[1]))


CLASSES = list(read_alike(nn.Identity(), SCORES, LABELS))
ALIKE = [
    *((f"f1 {name}", MulticlassF1Score(4, average=name), CLASSES) for name in ("micro", "macro", "weighted", None)),
    ("accuracy", MulticlassAccuracy(4), CLASSES),
    ("confusion", MulticlassConfusionMatrix(4), CLASSES),
    ("auroc", MulticlassAUROC(4), CLASSES),
    ("calibration", MulticlassCalibrationError(4), CLASSES),
    ("thresholds", MulticlassAUROC(4, thresholds=7, average=None), CLASSES),
    ("binary", BinaryAccuracy(), list(read_alike(nn.Flatten(0), SIZES[:, None], LABELS % 2))),
    ("binary auroc", BinaryAUROC(), list(read_alike(nn.Flatten(0), SIZES[:, None], LABELS % 2))),
    ("regression", MeanSquaredError(), list(read_alike(nn.Flatten(0), SIZES[:, None], SCORES[:, 0]))),
    ("regression column", MeanSquaredError(), list(read_alike(nn.Identity(), SIZES[:, None], SCORES[:, :1]))),
    ("root", MeanSquaredError(squared=False), list(read_alike(nn.Identity(), SIZES[:, None], SCORES[:, :1]))),
    ("outputs", MeanSquaredError(num_outputs=4), list(read_alike(nn.Identity(), SCORES, SCORES.flip(1)))),
    ("perplexity", Perplexity(), list(read_alike(tokens(), TOKENS, TOKENS.flip(1)))),
    ("loss", MeanMetric(), list(read_alike(nn.Identity(), SCORES, LABELS, step=loss))),
    ("collection", MetricCollection([MulticlassF1Score(4), MulticlassRecall(4), MulticlassPrecision(4)]), CLASSES),
    ("prefix", MetricCollection({"a": MulticlassAUROC(4), "b": MulticlassF1Score(4)}, prefix="test_"), CLASSES),
    ("mapping", Computing(shares), CLASSES),
    ("class names", ClasswiseWrapper(MulticlassRecall(4, average=None), labels=list("abcd")), CLASSES),
    ("mixed", MetricCollection({"a": MulticlassF1Score(4), "b": Computing(shares)}), CLASSES),
    ("own", Computing(lambda outputs, targets: (outputs[targets > 1] ** 3).mean()), CLASSES),
]


@pytest.mark.parametrize("confidence", [None, 0.95])
@pytest.mark.parametrize(("asked", "subjects"), [row[1:] for row in ALIKE], ids=[row[0] for row in ALIKE])
def test_the_value_is_that_of_the_users_own_loop(asked, subjects, confidence):
    for model, loader, step in subjects:
        result = metric(model, loader, metric=asked, min=-100, step=step)
        assert result.message == ""
        found = [value["value"] for value in result.evidence["values"].values()]
        assert found == pytest.approx(numbers(loop(asked, model, loader, step)), rel=1e-6)


@pytest.mark.parametrize("data", ["list", "tensors"])
def test_texts_are_judged_by_a_step_of_the_users_own(data):
    def step(model, batch):
        columns = batch if data == "list" else [[TEXTS[index][side] for index in batch[0]] for side in (0, 1)]
        return model(columns[0]), [text.upper() for text in columns[1]]

    rows = Rows(*zip(*TEXTS, strict=True)) if data == "list" else (torch.arange(3), torch.arange(3))
    result = metric(Shouting(), rows, metric=WordErrorRate(), max=0.25, step=step)
    assert (result.outcome, result.measured) == ("passed", "WordErrorRate 0.222222")
    assert result.evidence["values"]["WordErrorRate"]["why_no_bounds"] == "its outputs are no tensors"


AVERAGES = [
    (MulticlassAccuracy(4), "MulticlassAccuracy 0.625 (macro; 95 %: "),
    (MulticlassAccuracy(4, average="micro"), "MulticlassAccuracy 0.75 (micro; 95 %: 0.249 to 0.987)"),
    (MulticlassAUROC(4, average="weighted"), "MulticlassAUROC 0.875 (weighted)"),
    (MulticlassAUROC(4), "MulticlassAUROC 0.6875 (macro)"),
    (Computing(lambda outputs, targets: {"a": 0.5}, average="micro"), "a 0.5 (micro)"),
]


@pytest.mark.filterwarnings("ignore:No (posi|nega)tive samples")
@pytest.mark.parametrize(("asked", "measured"), AVERAGES)
def test_the_average_is_always_told(asked, measured):
    assert metric(nn.Identity(), (EYE, FEW), metric=asked, min=0).measured.startswith(measured)


F1 = MulticlassF1Score(4, average="weighted")
RECALLS = MulticlassRecall(4, average=None)
BROKEN = [
    (
        "min",
        {"metric": F1, "min": 0.9},
        "MulticlassF1Score (weighted) is 0.833333, promised at least 0.9 (0.0666666 too low).",
    ),
    (
        "max",
        {"metric": F1, "max": 0.8},
        "MulticlassF1Score (weighted) is 0.833333, promised at most 0.8 (0.0333334 too high).",
    ),
    (
        "both",
        {"metric": F1, "min": 0.5, "max": 0.8},
        "MulticlassF1Score (weighted) is 0.833333, promised at most 0.8 (0.0333334 too high).",
    ),
    (
        "every class",
        {"metric": RECALLS, "min": 0.75},
        """
        MulticlassRecall[0] is 0.5, promised at least 0.75 (0.25 too low).
        MulticlassRecall[3] is 0, promised at least 0.75 (0.75 too low).
        """,
    ),
    (
        "some classes",
        {"metric": RECALLS, "min": {"MulticlassRecall[0]": 0.6, "MulticlassRecall[1]": 1}},
        "MulticlassRecall[0] is 0.5, promised at least 0.6 (0.1 too low).",
    ),
    (
        "many",
        {"metric": MulticlassConfusionMatrix(4), "min": 1},
        """
        MulticlassConfusionMatrix[0][1] is 0, promised at least 1 (1 too low).
        MulticlassConfusionMatrix[0][2] is 0, promised at least 1 (1 too low).
        MulticlassConfusionMatrix[1][0] is 0, promised at least 1 (1 too low).
        MulticlassConfusionMatrix[1][2] is 0, promised at least 1 (1 too low).
        MulticlassConfusionMatrix[1][3] is 0, promised at least 1 (1 too low).
        ... and 7 more
        """,
    ),
    (
        "collection",
        {
            "metric": MetricCollection({"f1": F1, "recall": MulticlassRecall(4)}, prefix="test_"),
            "min": {"test_recall": 0.7},
        },
        "test_recall (macro) is 0.625, promised at least 0.7 (0.075 too low).",
    ),
    (
        "lower bound",
        {"metric": MulticlassAccuracy(4, average="micro"), "min": 0.5, "confidence": 0.95},
        "MulticlassAccuracy (micro) is 0.75, and at least 0.248605 at 95 % (Clopper-Pearson), promised at "
        "least 0.5 (0.251395 too low).",
    ),
    (
        "upper bound",
        {"metric": MulticlassAccuracy(4, average="micro"), "max": 0.9, "confidence": 0.9},
        "MulticlassAccuracy (micro) is 0.75, and at most 0.974004 at 90 % (Clopper-Pearson), promised at "
        "most 0.9 (0.0740037 too high).",
    ),
    (
        "nan, min",
        {"metric": Computing(nan), "min": -1e9},
        "Computing is nan, which is no finite number, promised at least -1000000000.0.",
    ),
    (
        "nan, max",
        {"metric": Computing(nan), "max": 1e9},
        "Computing is nan, which is no finite number, promised at most 1000000000.0.",
    ),
    (
        "nan, confidence",
        {"metric": Computing(nan), "max": 1, "confidence": 0.95},
        "Computing is nan, which is no finite number, promised at most 1.",
    ),
    (
        "infinite",
        {"metric": Computing(lambda *_: torch.tensor(math.inf)), "min": 1},
        "Computing is inf, which is no finite number, promised at least 1.",
    ),
    (
        "true",
        {"metric": Computing(lambda *_: torch.tensor(True)), "min": 1},
        "Computing is 1, which is no finite number, promised at least 1.",
    ),
    (
        "nothing",
        {"metric": MetricCollection({"a": F1, "b": Computing(lambda *_: None)}), "min": 0.5},
        "b is None, which is no finite number, promised at least 0.5.",
    ),
]


@pytest.mark.parametrize(("promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_value_that_is_not_what_was_promised_fails(promises, message):
    result = metric(nn.Identity(), (EYE, FEW), **promises)
    lines = [line.strip() for line in message.strip().splitlines()]
    assert result.message.removeprefix("metric of Identity: ").splitlines() == lines
    assert result.outcome == "failed"
    assert result.margin is None or result.margin < 0


UNMEASURED = [
    (
        "unknown name",
        {"metric": F1, "min": {"f1": 0.5}},
        "the metric gives no 'f1': it gives MulticlassF1Score",
    ),
    (
        "unknown class",
        {"metric": RECALLS, "max": {"MulticlassRecall[0]": 0.9, "MulticlassRecall[4]": 0.9}},
        "the metric gives no 'MulticlassRecall[4]': it gives MulticlassRecall[0], MulticlassRecall[1], "
        "MulticlassRecall[2], MulticlassRecall[3]",
    ),
    (
        "no interval",
        {"metric": MulticlassCalibrationError(4), "max": 1, "confidence": 0.95},
        "MulticlassCalibrationError has no bound at 95 %: no interval is known for MulticlassCalibrationError",
    ),
    (
        "no interval of several values",
        {"metric": Computing(shares), "min": 0, "confidence": 0.999},
        "right has no bound at 99.9 %: it is one of several values of a metric",
    ),
    (
        "update raises",
        {"metric": MulticlassF1Score(3), "min": 0},
        "batch 0: MulticlassF1Score.update raised ValueError: If `preds` have one dimension more than `target`, "
        "`preds.shape[1]` should be equal to number of classes.\n"
        "  outputs [4, 4] of torch.float32, targets [4] of torch.int64",
    ),
    (
        "compute raises",
        {"metric": Computing(lambda *_: {}["share"]), "min": 0},
        "Computing.compute raised KeyError: 'share'",
    ),
    ("no number", {"metric": Computing(lambda *_: {}), "min": 0}, "Computing gave no number"),
    (
        "an empty value among others",
        {"metric": MetricCollection({"a": F1, "b": Computing(lambda *_: torch.zeros(0))}), "min": 0},
        "b gave no number",
    ),
    (
        "half a pair",
        {"metric": F1, "min": 0, "step": lambda model, batch: model(batch[0])},
        "batch 0: step gave Tensor: a pair (outputs, targets) is needed",
    ),
    (
        "nan of a step",
        {"metric": F1, "min": 0, "step": lambda model, batch: (model(batch[0]) * float("nan"), batch[1])},
        "batch 0: the scores of 4 of 4 samples are NaN",
    ),
]


@pytest.mark.parametrize(("promises", "message"), [row[1:] for row in UNMEASURED], ids=[row[0] for row in UNMEASURED])
def test_what_cannot_be_measured_is_an_error(expect, promises, message):
    message = f"metric of Identity: not measured: {message}"
    expect(metric, nn.Identity(), (EYE, FEW), outcome="error", message=message, **promises)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_outputs_that_are_no_numbers_are_an_error(expect, wrong):
    scores = SCORES.clone()
    scores[17, 2] = wrong
    message = (
        "metric of Identity: not measured: batch 1: the scores of 1 of 10 samples are NaN or infinite; the input is "
        "not finite"
    )
    own = DataLoader(Rows(scores, LABELS), batch_size=10)
    expect(metric, nn.Identity(), own, metric=F1, min=0, outcome="error", message=message)
    assert metric(nn.Identity(), (scores, LABELS), metric=F1, min=0).outcome == "error"


def test_the_batch_that_a_metric_does_not_take_is_named():
    class Picky(Computing):
        def update(self, outputs, targets):
            if 3 in targets:
                raise ValueError("3 is no class")

    labels = torch.tensor([0] * 25 + [3] * 5)
    for data in (TensorDataset(SCORES[:30], labels), Rows(SCORES[:30], labels)):
        result = metric(nn.Identity(), DataLoader(data, batch_size=10), metric=Picky(nan), min=0)
        assert result.message == (
            "metric of Identity: not measured: batch 2: Picky.update raised ValueError: 3 is no class\n"
            "  outputs [10, 4] of torch.float32, targets [10] of torch.int64"
        )


def test_outputs_that_are_not_one_for_each_sample_are_never_cut_to_fit():
    for model, loader, _ in read_alike(nn.Flatten(0), SCORES[:, :2], SIZES):
        result = metric(model, loader, metric=MeanSquaredError(), max=100)
        assert result.outcome == "error"
        assert result.message.endswith("outputs [20] of torch.float32, targets [10] of torch.float32")


def test_the_values_of_classes_are_named_as_the_data_set_names_them(expect):
    data = Rows(EYE, FEW, classes=["ant", "bee", "cat", "dog"])
    expect(
        metric,
        nn.Identity(),
        data,
        metric=RECALLS,
        min={"MulticlassRecall[bee]": 1, "MulticlassRecall[ant]": 0.75},
        outcome="failed",
        message="metric of Identity: MulticlassRecall[ant] is 0.5, promised at least 0.75 (0.25 too low).",
    )


def test_float32_breaks_no_promise_that_is_kept(expect):
    scores, labels = torch.eye(2).repeat(5_000, 1), torch.arange(10_000) % 2
    labels[:500] = 1 - labels[:500]
    asked = MulticlassAccuracy(2, average="micro")
    result = expect(metric, nn.Identity(), (scores, labels), metric=asked, min=0.95, outcome="passed", message="")
    assert (result.margin, asked.clone()(scores, labels).double() < 0.95) == (0, True)
    assert not metric(nn.Identity(), (scores, labels), metric=asked, min=0.9500001).ok
    assert metric(nn.Identity(), (scores, labels), metric=asked, max=0.95).ok


def test_a_confidence_compares_the_bound():
    data = (torch.eye(2).repeat(50, 1), torch.arange(100) % 2)
    asked = BinaryAccuracy()
    step = {"step": lambda model, batch: (model(batch[0])[:, 1], batch[1])}
    # Without an error 149 samples certify 0.98 at 95 %, and 100 certify 0.9705.
    assert metric(nn.Identity(), data, metric=asked, min=0.97, confidence=0.95, **step).ok
    assert not metric(nn.Identity(), data, metric=asked, min=0.971, confidence=0.95, **step).ok
    assert metric(nn.Identity(), data, metric=asked, min=0.971, confidence=0.94, **step).ok


def test_outputs_that_are_too_many_to_keep_are_judged_in_a_pass_of_its_own(monkeypatch):
    monkeypatch.setattr(predictions, "_KEPT", 1_000)
    for model, loader, _ in CLASSES:
        result = metric(model, loader, metric=F1, min=0)
        assert result.evidence["values"]["MulticlassF1Score"]["value"] == loop(F1, model, loader, None).item()
        assert result.evidence["seen"] == 103


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(metric) == 6


def test_a_metric_that_could_not_be_measured_raises():
    with pytest.raises(ModelCheckError, match="gives no 'f1'"):
        assert_metric(nn.Identity(), (EYE, FEW), metric=F1, min={"f1": 0})
