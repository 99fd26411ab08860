"""The promise of how often a model is right."""

from __future__ import annotations

import warnings

import pytest
import torch
from pytorch_lightning import LightningModule
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from transformers.modeling_outputs import SequenceClassifierOutput

from pytest_modelcheck import ConfigError, ModelCheckError, ModelCheckFailure, assert_accuracy
from pytest_modelcheck.checks.accuracy import accuracy
from pytest_modelcheck.context import Context

# The identity is right for 3 of these 4.
SCORES, LABELS = torch.eye(4), torch.tensor([0, 1, 2, 0])


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(SCORES, LABELS, strict=True))


class Items(Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


class Classifier(nn.Module):
    def forward(self, pixels):
        return SequenceClassifierOutput(logits=pixels)


class Dictionary(nn.Module):
    def forward(self, inputs):
        return {"logits": inputs, "loss": None}


class Lit(LightningModule):
    def forward(self, inputs):
        return inputs


KEPT = [
    ("tensors", nn.Identity, lambda: (SCORES, LABELS)),
    ("loader", nn.Identity, lambda: DataLoader(TensorDataset(SCORES, LABELS), batch_size=3)),
    ("shuffled", nn.Identity, lambda: DataLoader(TensorDataset(SCORES, LABELS), batch_size=3, shuffle=True)),
    ("items", nn.Identity, lambda: Items(list(zip(SCORES, LABELS.tolist(), strict=True)))),
    ("stream", nn.Identity, Stream),
    ("mapping", Classifier, lambda: Items([{"pixels": x, "label": y} for x, y in zip(SCORES, LABELS, strict=True)])),
    ("dictionary output", Dictionary, lambda: (SCORES, LABELS)),
    ("lightning", Lit, lambda: (SCORES, LABELS)),
    ("half precision", nn.Identity, lambda: (SCORES.half(), LABELS)),
    ("small labels", nn.Identity, lambda: (SCORES, LABELS.to(torch.uint8))),
    ("training mode", lambda: nn.Sequential(nn.Dropout(0.9)).train(), lambda: (SCORES, LABELS)),
]


@pytest.mark.parametrize(("model", "data"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT])
def test_the_share_of_correct_samples_is_exact(model, data):
    result = accuracy(model(), data(), min=0.75)
    assert result.message == ""
    assert (result.outcome, result.measured, result.margin) == ("passed", "0.7500 (3 of 4)", 0.0)
    assert not accuracy(model(), data(), min=0.7500000001).ok


BROKEN = [
    (
        "one too few",
        {"min": 0.8},
        """
        accuracy of Identity: 3 of 4 samples are correct, and 4 are needed for 0.8 (1 too few).
          recall of class 0: 1 of 2
          class 0 taken for 3: 1
          first wrong samples: 3
        """,
    ),
    (
        "macro",
        {"min": 0.7, "average": "macro"},
        """
        accuracy of Identity: the mean of the classes' recalls is 0.625000, promised at least 0.7.
          recall of class 0: 1 of 2
          class 0 taken for 3: 1
          first wrong samples: 3
        """,
    ),
    (
        "macro by a hair",
        {"min": 0.625000000001, "average": "macro"},
        """
        accuracy of Identity: the mean of the classes' recalls is 0.625000, promised at least 0.625000000001.
          recall of class 0: 1 of 2
          class 0 taken for 3: 1
          first wrong samples: 3
        """,
    ),
]


@pytest.mark.parametrize(("promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_model_that_is_right_less_often_fails(expect, promises, message):
    result = expect(accuracy, nn.Identity(), (SCORES, LABELS), outcome="failed", message=message, **promises)
    assert result.margin < 0


def test_a_certain_failure_reads_no_further(expect):
    result = expect(
        accuracy,
        nn.Identity(),
        DataLoader(TensorDataset(torch.eye(2).repeat(500, 1), torch.zeros(1_000).long()), batch_size=100),
        min=0.9,
        outcome="failed",
        message="""
        accuracy of Identity: 125 of the first 250 samples are wrong, and 100 of all 1,000 may be for 0.9; it is broken whatever the rest gives (--modelcheck-full reads it).
          recall of class 0: 125 of 250
          class 0 taken for 1: 125
          first wrong samples: 1, 3, 5, 7, 9 and 120 more
        """,  # noqa: E501
    )
    assert result.evidence | {"wrong": [], "data": ""} == {
        "data": "",
        "average": "micro",
        "correct": 125,
        "seen": 250,
        "size": 1_000,
        "complete": False,
        "recalls": {"0": [125, 250]},
        "bounds": {"0": [0.446195, 0.553805]},
        "class_names": {},
        "confused": [[0, 1, 125]],
        "confusion": [[0, 0, 125], [0, 1, 125]],
        "wrong": [],
        "early_stop": None,
    }
    assert result.evidence["wrong"][0] == {"id": 1, "target": 0, "predicted": 1, "picture": ""}


def test_a_full_run_reads_everything(expect):
    with Context(full=True).active():
        result = expect(
            accuracy,
            nn.Identity(),
            (torch.eye(2).repeat(500, 1), torch.zeros(1_000).long()),
            min=0.9,
            outcome="failed",
            message="""
            accuracy of Identity: 500 of 1,000 samples are correct, and 900 are needed for 0.9 (400 too few).
              recall of class 0: 500 of 1,000
              class 0 taken for 1: 500
              first wrong samples: 1, 3, 5, 7, 9 and 495 more
            """,
        )
    assert result.evidence["complete"]


@pytest.mark.parametrize("wrong", range(6))
def test_an_early_verdict_is_the_verdict_of_a_full_run(wrong):
    labels = torch.arange(600) % 4
    labels[torch.arange(wrong) * 100] += 1
    data = (torch.eye(4).repeat(150, 1), labels % 4)
    for promised in (0.99, 0.995, 596 / 600, 1):
        verdicts = set()
        for full in (True, False):
            with Context(full=full).active():
                verdicts.add(accuracy(nn.Identity(), data, min=promised).ok)
        assert len(verdicts) == 1


class Returning(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, inputs):
        return self.make(inputs)


class LateNaN(nn.Module):
    """Its first layer is sound and its second divides by zero."""

    def __init__(self):
        super().__init__()
        self.first = nn.Identity()
        self.second = Returning(lambda inputs: inputs / 0)

    def forward(self, inputs):
        return self.second(self.first(inputs))


class NaNOfItsOwn(LateNaN):
    """Its layers are sound, and it divides by zero itself."""

    def forward(self, inputs):
        return self.first(inputs) / 0


class Dividing(nn.Module):
    def forward(self, inputs):
        return inputs / 0


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls scripting deprecated
        return torch.jit.script(nn.Sequential(Dividing()))


def nan_weights():
    model = nn.Sequential(nn.Linear(4, 4))
    model[0].weight.data[1, 1] = float("nan")
    return model


def with_score(value):
    scores = SCORES.clone()
    scores[3, 2] = value
    return scores


DATA = (SCORES, LABELS)
UNMEASURED = [
    (
        "nan in one score",
        nn.Identity,
        (with_score(float("nan")), LABELS),
        "accuracy of Identity: not measured: batch 0: the scores of 1 of 4 samples are NaN or infinite; the input "
        "is not finite",
    ),
    (
        "infinity",
        nn.Identity,
        (with_score(float("inf")), LABELS),
        "accuracy of Identity: not measured: batch 0: the scores of 1 of 4 samples are NaN or infinite; the input "
        "is not finite",
    ),
    (
        "minus infinity",
        nn.Identity,
        (with_score(float("-inf")), LABELS),
        "accuracy of Identity: not measured: batch 0: the scores of 1 of 4 samples are NaN or infinite; the input "
        "is not finite",
    ),
    (
        "nan weights",
        nan_weights,
        DATA,
        "accuracy of Sequential: not measured: batch 0: the scores of 4 of 4 samples are NaN or infinite; parameter "
        "0.weight is not finite",
    ),
    (
        "division by zero",
        LateNaN,
        DATA,
        "accuracy of LateNaN: not measured: batch 0: the scores of 4 of 4 samples are NaN or infinite; the output of "
        "layer second is not finite",
    ),
    (
        "division by zero behind the layers",
        NaNOfItsOwn,
        DATA,
        "accuracy of NaNOfItsOwn: not measured: batch 0: the scores of 4 of 4 samples are NaN or infinite; the outputs "
        "of all layers are finite, and what the forward makes of them is not",
    ),
    (
        "a script that divides by zero",
        scripted,
        DATA,
        "accuracy of RecursiveScriptModule: not measured: batch 0: the scores of 4 of 4 samples are NaN or infinite",
    ),
    (
        "forward raises",
        lambda: Returning(lambda inputs: {}["scores"]),
        DATA,
        "accuracy of Returning: not measured: batch 0: forward raised KeyError: 'scores'\n  inputs: input [4, 4]",
    ),
    (
        "labels are no classes",
        nn.Identity,
        (SCORES, LABELS + 2),
        "accuracy of Identity: not measured: batch 0: target 4 is no class: the model scores classes 0 to 3",
    ),
    (
        "negative label",
        nn.Identity,
        (SCORES, LABELS - 1),
        "accuracy of Identity: not measured: batch 0: target -1 is no class: the model scores classes 0 to 3",
    ),
    (
        "float labels",
        nn.Identity,
        (SCORES, LABELS.float()),
        "accuracy of Identity: not measured: batch 0: the targets are [4] of torch.float32: integer class indices [4] "
        "are needed",
    ),
    (
        "one-hot labels",
        nn.Identity,
        (SCORES, SCORES.long()),
        "accuracy of Identity: not measured: batch 0: the targets are [4, 4] of torch.int64: integer class indices [4] "
        "are needed",
    ),
    (
        "label column",
        nn.Identity,
        (SCORES, LABELS[:, None]),
        "accuracy of Identity: not measured: batch 0: the targets are [4, 1] of torch.int64: integer class indices [4] "
        "are needed",
    ),
    (
        "true and false",
        nn.Identity,
        (SCORES, LABELS > 1),
        "accuracy of Identity: not measured: batch 0: the targets are [4] of torch.bool: integer class indices [4] are "
        "needed",
    ),
    (
        "no labels",
        nn.Identity,
        Items([(SCORES[0], "cat")]),
        "accuracy of Identity: not measured: batch 0: the targets are a tuple: a tensor of class indices is needed",
    ),
    (
        "unlabeled",
        nn.Identity,
        TensorDataset(SCORES),
        "accuracy of Identity: not measured: a batch is a list of 1: a pair (inputs, targets) or a mapping with labels "
        "is needed, or step=, a function of the model and a batch that gives outputs and targets",
    ),
    (
        "classes, not scores",
        lambda: Returning(lambda inputs: inputs.argmax(1)),
        DATA,
        "accuracy of Returning: not measured: batch 0: the output is [4] of torch.int64: class scores [batch, "
        "classes], floating point, of at least two classes are needed",
    ),
    (
        "one class",
        lambda: Returning(lambda inputs: inputs[:, :1]),
        (SCORES, LABELS * 0),
        "accuracy of Returning: not measured: batch 0: the output is [4, 1] of torch.float32: class scores [batch, "
        "classes], floating point, of at least two classes are needed",
    ),
    (
        "fewer scores than samples",
        lambda: Returning(lambda inputs: inputs[:1]),
        DATA,
        "accuracy of Returning: not measured: batch 0: the targets are [4] of torch.int64: integer class indices [1] "
        "are needed",
    ),
    (
        "nothing",
        lambda: Returning(lambda inputs: None),
        DATA,
        "accuracy of Returning: not measured: batch 0: the output is a NoneType: a tensor, or an output with logits, "
        "is needed, or step=, a function of the model and a batch that gives outputs and targets",
    ),
    (
        "empty",
        nn.Identity,
        (SCORES[:0], LABELS[:0]),
        "accuracy of Identity: not measured: the data is empty: there is no sample to judge",
    ),
    (
        "empty stream",
        nn.Identity,
        DataLoader(type("Empty", (IterableDataset,), {"__iter__": lambda self: iter(())})()),
        "accuracy of Identity: not measured: the data is empty: there is no sample to judge",
    ),
    (
        "samples left out",
        nn.Identity,
        DataLoader(TensorDataset(SCORES, LABELS), batch_size=3, drop_last=True),
        "accuracy of Identity: not measured: the loader has drop_last=True and leaves 1 of 4 samples unread. Evaluate "
        "with drop_last=False",
    ),
    (
        "data that raises",
        nn.Identity,
        Items({0: (SCORES[0], 0)} | {"two": 2}),
        "accuracy of Identity: not measured: batch 0: reading the data raised KeyError: 1",
    ),
    (
        "no data",
        nn.Identity,
        None,
        "accuracy of Identity: not measured: NoneType is no data: give a DataLoader, a Dataset, a LightningDataModule "
        "or a pair of tensors",
    ),
    (
        "no model",
        lambda: len,
        DATA,
        "accuracy of len: not measured: builtin_function_or_method is no torch.nn.Module: give the model itself",
    ),
    (
        "meta",
        lambda: nn.Linear(4, 4, device="meta"),
        DATA,
        "accuracy of Linear: not measured: the model is on the meta device and has no weights: evaluate a real one",
    ),
    (
        "lazy",
        lambda: nn.LazyLinear(4),
        DATA,
        "accuracy of LazyLinear: not measured: weight, bias have no size before the first forward pass: run the model "
        "once, then check it",
    ),
]


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize(
    ("model", "data", "message"), [row[1:] for row in UNMEASURED], ids=[row[0] for row in UNMEASURED]
)
def test_what_cannot_be_judged_is_an_error(expect, model, data, message, average):
    expect(accuracy, model(), data, min=0, average=average, outcome="error", message=message)


def test_a_nan_after_many_good_batches_is_an_error():
    scores = torch.eye(4).repeat(250, 1)
    scores[-1, 0] = float("nan")
    result = accuracy(nn.Identity(), (scores, torch.arange(1_000) % 4), min=0.5)
    assert result.message == (
        "accuracy of Identity: not measured: samples 750 to 999: the scores of 1 of 250 samples are NaN or infinite; "
        "the input is not finite"
    )


def test_a_nan_fails_every_gate_that_shares_the_pass():
    model, data = nn.Identity(), (with_score(float("nan")), LABELS)
    with Context().active():
        outcomes = [accuracy(model, data, min=minimum).outcome for minimum in (0, 0.5, 0)]
    assert outcomes == ["error"] * 3


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({}, "accuracy needs the promise 'min' or 'max_drop'"),
        ({"min": None}, "accuracy needs the promise 'min' or 'max_drop'"),
        ({"min": 98}, "min=98: a number from 0 to 1 is expected"),
        ({"min": -0.1}, "min=-0.1: a number from 0 to 1 is expected"),
        ({"min": float("nan")}, "min=nan: a number from 0 to 1 is expected"),
        ({"min": "0.9"}, "min='0.9': a number from 0 to 1 is expected"),
        ({"min": True}, "min=True: a number from 0 to 1 is expected"),
        ({"min": 0.9, "average": "weighted"}, "average='weighted': one of micro, macro is expected"),
        (
            {"minimum": 0.9},
            "accuracy has no promise 'minimum' (did you mean 'min'?); its promises are min, average, confidence, "
            "early_stop, max_drop, baseline, per_class, slices, step, precision, checkpoint, stage",
        ),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_accuracy(nn.Identity(), DATA, **promises)
    assert str(raised.value) == message


class Meddling(nn.Module):
    """It learns from what it should only look at."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, inputs):
        self.calls += 1
        self.scale.data += 1
        torch.use_deterministic_algorithms(True, warn_only=True)
        return inputs * self.scale


def test_a_model_that_changes_its_surroundings_is_named_and_restored():
    model = Meddling().train()
    result = accuracy(model, DATA, min=0.75)
    assert set(result.changes) == {
        "scale was changed",
        "calls was changed",
        "deterministic algorithms was changed from (False, False) to (True, True)",
    }
    assert (model.scale.item(), model.calls.item(), model.training) == (1, 0, True)
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_threads_of_a_pass_are_no_change():
    before = torch.get_num_threads()
    with Context(threads=before + 1).active():
        assert accuracy(nn.Identity(), DATA, min=0.75).changes == ()
    assert torch.get_num_threads() == before


def test_two_gates_share_one_pass():
    calls = []

    class Counting(nn.Module):
        def forward(self, inputs):
            calls.append(len(inputs))
            return inputs

    model = Counting()
    with Context().active():
        assert_accuracy(model, DATA, min=0.75)
        asked = list(calls)
        assert_accuracy(model, DATA, min=0.6, average="macro")
    assert calls == [*asked, len(DATA[0])]  # the first samples are looked at again


# Slow: it infers all 10,000 images twice.
@pytest.mark.slow
def test_the_real_digits_are_read_as_well_as_promised(classifier, mnist):
    with Context().active():
        result = assert_accuracy(classifier, mnist, min=0.985)
        macro = assert_accuracy(classifier, mnist, min=0.985, average="macro")
    correct, size = result.evidence["correct"], result.evidence["size"]
    assert (size, result.promised) == (10_000, "at least 0.985 (9,850 of 10,000)")
    assert result.measured == f"{correct / size:.4f} ({correct:,} of 10,000)"
    assert result.evidence["recalls"] == macro.evidence["recalls"]
    assert [number for _, number in result.evidence["recalls"].values()] == torch.bincount(mnist.targets).tolist()
    with Context().active():
        assert_accuracy(classifier, mnist, min=correct / size)
        with pytest.raises(ModelCheckFailure, match="1 too few"):
            assert_accuracy(classifier, mnist, min=(correct + 1) / size)


def test_digits_that_are_read_upside_down_are_found_out(network, mnist):
    upside_down = nn.Sequential(Returning(lambda images: images.flip(2)), network)
    with pytest.raises(ModelCheckFailure, match=r"of the first [\d,]+ samples are wrong"):
        assert_accuracy(upside_down, Subset(mnist, range(1_000)), min=0.985)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_digits_are_read_on_the_gpu(network, mnist):
    with Context(device="cuda").active():
        assert assert_accuracy(network, mnist, min=0.985).device == "cuda"
    assert network[0].weight.device.type == "cpu"


def test_a_device_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with Context(device="cuda").active(), pytest.raises(ModelCheckError) as raised:
        assert_accuracy(nn.Identity(), DATA, min=0)
    assert str(raised.value) == "accuracy of Identity: not measured: device cuda: this torch finds no CUDA device"


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(accuracy) == 4


def test_a_model_that_writes_into_its_batches_is_named_and_the_data_is_kept():
    class Writing(nn.Module):
        def forward(self, inputs):
            return inputs.add_(1)

    data = Items(list(zip(SCORES.clone(), LABELS, strict=True)))
    whole = DataLoader(data, batch_size=None, collate_fn=lambda pair: (pair[0][None], torch.as_tensor(pair[1])[None]))
    result = accuracy(Writing(), whole, min=0.75)
    assert (result.ok, result.changes) == (True, ("the input was changed in place",))
    assert all(torch.equal(sample, score) for (sample, _), score in zip(data.rows, SCORES, strict=True))
