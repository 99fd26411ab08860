"""The promise of a model's size."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torchvision.models import resnet18
from transformers import DistilBertConfig, DistilBertModel

from pytest_modelcheck import ConfigError, ModelCheckError, ModelCheckFailure, assert_parameters
from pytest_modelcheck.checks.parameters import parameters


def small_bert():
    return DistilBertModel(DistilBertConfig(vocab_size=50, dim=16, hidden_dim=32, n_heads=2, n_layers=2))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embedding.weight


def frozen_head():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[1].requires_grad_(False)
    return model


def shared_view():
    """Two parameter objects on the same memory."""
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = nn.Parameter(model[0].weight.data)
    return model


def lightning():
    from modelrepo.vision.classifier import DigitClassifier

    return DigitClassifier()


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls scripting deprecated
        return torch.jit.script(nn.Linear(4, 3))


def quantized(model, kinds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its own quantization deprecated
        return torch.ao.quantization.quantize_dynamic(model, kinds, dtype=torch.qint8)


KEPT = [
    ("linear", lambda: nn.Linear(4, 3), {"total": 15, "trainable": 15, "non_trainable": 0}),
    ("no parameters", nn.Identity, {"total": 0}),
    ("frozen", frozen_head, {"total": 23, "trainable": 15, "non_trainable": 8}),
    ("tied", Tied, {"total": 40, "layers": {"embedding": 40, "head": 40}}),
    ("shared memory", shared_view, {"total": 9}),
    ("buffers are not parameters", lambda: nn.BatchNorm1d(5), {"total": 10}),
    ("meta", lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 4)).to("meta"), {"total": 31}),
    ("gru", lambda: nn.GRU(8, 16, num_layers=2, bidirectional=True), {"total": 7296}),
    ("resnet18", lambda: resnet18(weights=None), {"total": 11_689_512, "layers": {"fc": 513_000, "layer1": 147_968}}),
    ("distilbert", small_bert, {"total": 13_472, "layers": {"embeddings.word_embeddings": 800}}),
    ("lightning", lightning, {"total": 53_994, "max_total": 60_000, "layers": {"net.2": 51_264}}),
    ("scripted", scripted, {"total": 15}),
    ("compiled", lambda: torch.compile(nn.Linear(4, 3), backend="eager"), {"total": 15}),
    ("at the bound", lambda: nn.Linear(4, 3), {"max_total": 15}),
    ("lazy that has run", lambda: _run(nn.Sequential(nn.LazyLinear(3))), {"total": 15}),
]


def _run(model):
    model(torch.zeros(1, 4))
    return model


@pytest.mark.parametrize(("make", "promises"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT])
def test_a_model_of_the_promised_size_passes(make, promises):
    result = parameters(make(), **promises)
    assert result.message == ""
    assert result.ok
    assert result.changes == ()


# Slow: it makes a model of 66 million weights.
@pytest.mark.slow
def test_distilbert_has_its_published_size():
    assert_parameters(DistilBertModel(DistilBertConfig()), total=66_362_880, trainable=66_362_880, non_trainable=0)


BROKEN = [
    (
        "one layer wider",
        lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)),
        {"total": 23},
        """
        parameters of Sequential: total is 30, promised 23 (7 more).
          0: 20
          2: 10
        If the change is meant, promise total=30.
        """,
    ),
    (
        "thousands",
        lambda: nn.Linear(1_000, 1_000),
        {"total": 1_001_001},
        """
        parameters of Linear: total is 1,001,000, promised 1,001,001 (1 fewer).
        If the change is meant, promise total=1_001_000.
        """,
    ),
    (
        "thawed",
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)),
        {"total": 23, "trainable": 15, "non_trainable": 8},
        """
        parameters of Sequential: trainable is 23, promised 15 (8 more).
        non_trainable is 0, promised 8 (8 fewer).
          0: 15
          1: 8
        """,
    ),
    (
        "untied",
        lambda: nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)),
        {"total": 40},
        """
        parameters of Sequential: total is 80, promised 40 (40 more).
          0: 40
          1: 40
        If the change is meant, promise total=80.
        """,
    ),
    (
        "over budget",
        lambda: nn.Sequential(nn.Linear(4, 3)),
        {"max_total": 14},
        """
        parameters of Sequential: total is 15, promised at most 14 (1 more).
          0: 15
        """,
    ),
    (
        "one layer",
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)),
        {"total": 23, "layers": {"0": 15, "1": 9}},
        """
        parameters of Sequential: layer 1 is 8, promised 9 (1 fewer).
          0: 15
          1: 8
        """,
    ),
    (
        "many layers",
        lambda: nn.Sequential(*(nn.Linear(1, 1) for _ in range(12))),
        {"total": 25},
        """
        parameters of Sequential: total is 24, promised 25 (1 fewer).
          0: 2
          1: 2
          2: 2
          3: 2
          4: 2
          5: 2
          6: 2
          7: 2
          8: 2
          9: 2
          ... and 2 layers more
        If the change is meant, promise total=24.
        """,
    ),
    (
        "nothing left",
        nn.Identity,
        {"total": 5},
        """
        parameters of Identity: total is 0, promised 5 (5 fewer).
        If the change is meant, promise total=0.
        """,
    ),
]


@pytest.mark.parametrize(("make", "promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_model_of_another_size_fails(expect, make, promises, message):
    expect(parameters, make(), outcome="failed", message=message, **promises)


UNMEASURED = [
    (
        "lazy",
        lambda: nn.Sequential(nn.LazyLinear(3)),
        {"total": 15},
        "parameters of Sequential: not measured: 0.weight, 0.bias have no size before the first forward pass: run the "
        "model once, then check it",
    ),
    (
        "lazy under a budget",
        lambda: nn.LazyLinear(10**6, bias=False),
        {"max_total": 10},
        "parameters of LazyLinear: not measured: weight has no size before the first forward pass: run the model once, "
        "then check it",
    ),
    (
        "quantized linear",
        lambda: quantized(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), {nn.Linear}),
        {"total": 0},
        "parameters of Sequential: not measured: 0, 2 is quantized and hides its weights from parameters(): count the "
        "model before it is quantized",
    ),
    (
        "quantized lstm",
        lambda: quantized(nn.Sequential(nn.LSTM(4, 3)), {nn.LSTM}),
        {"max_total": 10},
        "parameters of Sequential: not measured: 0 is quantized and hides its weights from parameters(): count the "
        "model before it is quantized",
    ),
    (
        "no such layer",
        lambda: nn.Sequential(nn.Linear(4, 3), nn.ReLU()),
        {"total": 15, "layers": {"fc": 15}},
        "parameters of Sequential: not measured: there is no layer 'fc'; there is 0, 1",
    ),
    (
        "no layer at all",
        lambda: nn.Linear(4, 3),
        {"layers": {"0": 15}},
        "parameters of Linear: not measured: there is no layer '0'; there is no layer at all",
    ),
    (
        "none",
        lambda: None,
        {"total": 0},
        "parameters of NoneType: not measured: NoneType is no torch.nn.Module: give the model itself",
    ),
    (
        "the class",
        lambda: nn.Linear,
        {"max_total": 10},
        "parameters of Linear: not measured: type is no torch.nn.Module: give the model itself",
    ),
    (
        "a state dict",
        lambda: nn.Linear(4, 3).state_dict(),
        {"total": 15},
        "parameters of OrderedDict: not measured: OrderedDict is no torch.nn.Module: give the model itself",
    ),
]


@pytest.mark.parametrize(
    ("make", "promises", "message"), [row[1:] for row in UNMEASURED], ids=[row[0] for row in UNMEASURED]
)
def test_what_cannot_be_counted_is_an_error(expect, make, promises, message):
    expect(parameters, make(), outcome="error", message=message, **promises)


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({}, "parameters promises nothing: give at least one of total, trainable, non_trainable, max_total, layers"),
        (
            {"total": None},
            "parameters promises nothing: give at least one of total, trainable, non_trainable, max_total, layers",
        ),
        ({"total": 15.0}, "total=15.0: an integer of at least 0 is expected"),
        ({"total": True}, "total=True: an integer of at least 0 is expected"),
        ({"max_total": float("inf")}, "max_total=inf: an integer of at least 0 is expected"),
        ({"trainable": -1}, "trainable=-1: an integer of at least 0 is expected"),
        ({"layers": {}}, "layers={}: a mapping from names to integers is expected"),
        ({"layers": [("0", 15)]}, "layers=[('0', 15)]: a mapping from names to integers is expected"),
        ({"layers": {"0": "15"}}, "layers['0']='15': an integer of at least 0 is expected"),
        (
            {"totl": 15},
            "parameters has no promise 'totl' (did you mean 'total'?); its promises are total, trainable, "
            "non_trainable, max_total, layers",
        ),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_parameters(nn.Linear(4, 3), **promises)
    assert str(raised.value) == message


def test_the_margin_is_what_is_left_of_the_budget():
    assert parameters(nn.Linear(4, 3), max_total=20).margin == 0.25
    assert parameters(nn.Linear(4, 3), max_total=10).margin == -0.5
    assert parameters(nn.Linear(4, 3), total=15).margin is None


def test_the_evidence_names_tied_parameters_and_layers():
    assert parameters(Tied(), total=40).evidence == {
        "total": 40,
        "trainable": 40,
        "non_trainable": 0,
        "tied": [["embedding.weight", "head.weight"]],
        "layers": {"embedding": 40, "head": 40},
    }


def test_the_assert_form_raises_what_the_result_says():
    with pytest.raises(ModelCheckFailure, match=r"^parameters of Linear: total is 15, promised 16"):
        assert_parameters(nn.Linear(4, 3), total=16)
    with pytest.raises(ModelCheckError, match=r"^parameters of NoneType: not measured"):
        assert_parameters(None, total=16)


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(parameters) == 3


def test_a_table_that_is_tied_transposed_counts_once():
    first, second = nn.Linear(3, 5, bias=False), nn.Linear(5, 3, bias=False)
    second.weight = nn.Parameter(first.weight.data.t())
    assert parameters(nn.Sequential(first, second), total=15).ok
