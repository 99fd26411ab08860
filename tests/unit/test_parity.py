"""A model that was evaluated on two devices gives the same on both, or the gate says where it does not."""

from __future__ import annotations

import copy

import pytest
import torch
import torchmetrics
from torch import nn

from pytest_modelcheck import assert_accuracy
from pytest_modelcheck.checks.accuracy import accuracy
from pytest_modelcheck.checks.metric import metric
from pytest_modelcheck.context import Context
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation import predictions
from pytest_modelcheck.evaluation.batches import Batch, Way
from pytest_modelcheck.evaluation.parity import Parity, parity
from pytest_modelcheck.evaluation.sharing import Asked, shared_pass

X, Y = torch.eye(4).repeat(100, 1), torch.arange(400) % 4


def linear():
    model = nn.Linear(4, 4, bias=False)
    nn.init.eye_(model.weight)
    return model


def elsewhere(run, shared, device="cuda", change=lambda outputs: outputs):
    """A pass as another device would give it, with its outputs changed, remembered as that device's."""
    other = copy.copy(run)
    other.device = device
    other.kept = [
        Batch(change(batch.outputs.clone()), batch.targets, batch.ids, batch.where) for batch in run.kept or []
    ]
    (kin,) = (kin for key, kin in shared.items() if key[0] == "kin" and any(item is run for item in kin.values()))
    kin[device] = other
    return other


def gate(change, outcome="passed", labels=Y):
    """What an accuracy gate tells once its model was evaluated on another device as well."""
    model, data = linear(), (X, labels)
    context = Context(full=True)
    with context.active():
        accuracy(model, data, min=0.9)
        for run in [value for value in context.shared.values() if isinstance(value, predictions.Pass)]:
            elsewhere(run, context.shared, change=change)
        result = accuracy(model, data, min=0.9)
    assert result.outcome == outcome
    return result


def test_a_model_that_gives_the_same_on_two_devices_says_so():
    result = gate(lambda outputs: outputs + 0.0004)
    assert (result.message, result.measured) == ("", "1.0000 (400 of 400)")
    own, row = result.parts
    assert (own.name, own.outcome, own.measured) == ("value", "passed", "1.0000 (400 of 400)")
    assert (row.name, row.outcome, row.promised, row.message) == ("parity cuda", "passed", "the scores of cuda", "")
    assert row.measured == "0 of 400 predictions differ, scores by up to 0.0004 (tolerance 0.001)"
    assert {name: row.evidence[name] for name in ("differing", "size")} == {"differing": 0, "size": 400}


def flipped(outputs):
    outputs[[3, 5]] = outputs[[3, 5]].flip(1)
    return outputs


def test_a_model_that_gives_something_else_on_another_device_fails():
    result = gate(flipped, "failed")
    told = "4 of 400 predictions differ, scores by up to 1 (tolerance 0.001)"  # two in each of two chunks
    assert result.message == f"accuracy of Linear: the scores on cpu are not those on cuda: {told}."
    assert [part.outcome for part in result.parts] == ["passed", "failed"]
    assert result.parts[1].message == f"the scores on cpu are not those on cuda: {told}."


def test_a_model_that_fails_on_both_devices_tells_both():
    result = gate(flipped, "failed", labels=(Y + 1) % 4)
    told = result.message.split("\n")
    assert told[0] == "accuracy of Linear: 0 of 400 samples are correct, and 360 are needed for 0.9 (360 too few)."
    assert told[-1].startswith("the scores on cpu are not those on cuda: 4 of 400 predictions differ")
    assert [part.outcome for part in result.parts] == ["failed", "failed"]


def test_scores_that_could_not_be_kept_are_no_parity(monkeypatch):
    monkeypatch.setattr(predictions, "_KEPT", 0)
    result = gate(lambda outputs: outputs)
    row = result.parts[1]
    assert (row.outcome, row.measured) == (
        "skipped",
        "the scores are too many to be kept, and cannot be compared between devices",
    )


def passes(one, other, precision=""):
    """Two finished passes that have kept these outputs."""
    found = []
    for device, outputs in (("cpu", one), ("cuda", other)):
        run = predictions.Pass(nn.Identity(), shared_pass(Asked(linear(), (X, Y)), {}).source, device=device)
        run.way = Way(precision=precision)
        start, run.kept = 0, []
        for part in outputs:
            run.kept.append(Batch(part, Y[: len(part)], range(start, start + len(part)), "batch"))
            start += len(part)
        found.append(run)
    return found


INFINITY = torch.tensor([[1.0, float("-inf")]])
PARITIES = [
    ("float32", X, X + 5e-4, "", Parity("cuda", 400, 0, 5e-4, 1e-3)),
    ("a large score", X * 100, X * 100 + 0.05, "", Parity("cuda", 400, 0, 0.05, 0.1)),
    ("float64", X.double(), X.double() + 1e-6, "", Parity("cuda", 400, 0, 1e-6, 1e-9)),
    ("bfloat16", X, X + 0.05, "bf16-mixed", Parity("cuda", 400, 0, 0.05, 0.105)),
    ("float16", X, X + 0.05, "16-true", Parity("cuda", 400, 0, 0.05, 0.021)),
    ("another class", X, X.roll(1, 1), "", Parity("cuda", 400, 400, 1, 1e-3)),
    ("masks", INFINITY, INFINITY, "", Parity("cuda", 1, 0, 0, 1e-3)),
    ("a mask too few", INFINITY, INFINITY.clamp(min=-9), "", Parity("cuda", 1, 0, float("inf"), 9e-3)),
    ("one number", X[:, 0], X[:, 0] * 1.1, "", Parity("cuda", 400, 100, 0.1, 1.1e-3)),
    ("classes", Y, (Y + 1) % 4, "", Parity("cuda", 400, 400, 3, 0)),
    ("pixels", X.reshape(100, 1, 4, 4), X.reshape(100, 1, 4, 4) + 0.1, "", Parity("cuda", 100, 100, 0.1, 1.1e-3)),
]


@pytest.mark.parametrize(
    ("one", "other", "precision", "wanted"), [row[1:] for row in PARITIES], ids=[row[0] for row in PARITIES]
)
def test_outputs_on_two_devices_are_compared(one, other, precision, wanted):
    found = parity(*passes([one], [other], precision))
    assert (found.other, found.size, found.differing) == (wanted.other, wanted.size, wanted.differing)
    assert (found.largest, found.tolerance) == pytest.approx((wanted.largest, wanted.tolerance), rel=1e-2)
    assert found.ok is wanted.ok


NO_ROWS = "the outputs are no tensor with a row for each sample, and cannot be compared"
NO_PARITY = {
    "another shape": ([X], [X[:, :3]], "the scores are [400, 4] on cpu and [400, 3] on cuda"),
    "no tensors": ([{"boxes": X}], [{"boxes": X}], NO_ROWS),
    "another shape in each batch": ([X, X[:, :3]], [X, X[:, :3]], NO_ROWS),
    "complex": ([X * 1j], [X * 1j], NO_ROWS),
    "nothing": ([], [X], "the scores are too many to be kept, and cannot be compared between devices"),
}


@pytest.mark.parametrize(("one", "other", "message"), NO_PARITY.values(), ids=NO_PARITY)
def test_outputs_that_cannot_be_compared_between_devices_say_so(one, other, message):
    with pytest.raises(ModelCheckError) as raised:
        parity(*passes(one, other))
    assert str(raised.value) == message


def test_a_metric_of_numbers_is_compared_as_well():
    model, context = nn.Flatten(0), Context()
    data = (torch.linspace(0, 1, 400)[:, None], torch.linspace(0, 1, 400))
    with context.active():
        metric(model, data, metric=torchmetrics.MeanSquaredError(), max=1)
        (run,) = (value for value in context.shared.values() if isinstance(value, predictions.Pass))
        elsewhere(run, context.shared, change=lambda outputs: outputs + 0.1)
        result = metric(model, data, metric=torchmetrics.MeanSquaredError(), max=1)
    assert [part.outcome for part in result.parts] == ["passed", "failed"]
    assert result.message == (
        "metric of Flatten: the scores on cpu are not those on cuda: 400 of 400 predictions differ, scores by up to "
        "0.1 (tolerance 0.0011)."
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_a_model_is_evaluated_on_the_cpu_and_the_gpu_and_compared():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 4))
    shared = {}
    results = []
    for device in ("cpu", "cuda"):
        with Context(device=device, shared=shared).active():
            results.append(assert_accuracy(model, (X, Y), min=0))
    assert [result.device for result in results] == ["cpu", "cuda"]
    assert (results[0].parts, [part.name for part in results[1].parts]) == ((), ["value", "parity cpu"])
    assert results[1].parts[1].outcome == "passed"
    assert next(model.parameters()).device.type == "cpu"
