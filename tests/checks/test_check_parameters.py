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


def tied_groups():
    return [("0.embedding.weight", "0.head.weight"), ["1.embedding.weight", "1.head.weight"]]


def frozen_head():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[1].requires_grad_(False)
    return model


def quantized(model, kinds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its own quantization deprecated
        return torch.ao.quantization.quantize_dynamic(model, kinds, dtype=torch.qint8)


KEPT = [
    ("linear", lambda: nn.Linear(4, 3), {"total": 15, "trainable": 15, "non_trainable": 0}),
    ("frozen", frozen_head, {"total": 23, "trainable": 15, "non_trainable": 8}),
    ("tied", Tied, {"total": 40, "layers": {"embedding": 40, "head": 40}}),
    ("buffers are not parameters", lambda: nn.BatchNorm1d(5), {"total": 10}),
    ("meta", lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 4)).to("meta"), {"total": 31}),
    ("resnet18", lambda: resnet18(weights=None), {"total": 11_689_512, "layers": {"fc": 513_000, "layer1": 147_968}}),
    ("distilbert", small_bert, {"total": 13_472, "layers": {"embeddings.word_embeddings": 800}}),
    ("compiled", lambda: torch.compile(nn.Linear(4, 3), backend="eager"), {"total": 15}),
    ("at the bound", lambda: nn.Linear(4, 3), {"max_total": 15}),
    ("trainable at the bound", frozen_head, {"max_trainable": 15}),
    ("size at the bound", lambda: nn.Linear(4, 3), {"max_size_mb": 0.00006}),
    ("half the size", lambda: nn.Linear(4, 3).half(), {"max_size_mb": 0.00003, "dtype": "float16"}),
    ("no parameters", nn.Identity, {"total": 0, "trainable": 0, "non_trainable": 0}),
    ("frozen enough", frozen_head, {"frozen_fraction": 0.3478}),
    ("frozen all", lambda: nn.Linear(4, 3).requires_grad_(False), {"frozen_fraction": 1}),
    ("nothing need be frozen", lambda: nn.Linear(4, 3), {"frozen_fraction": 0}),
    ("dtype", lambda: nn.Linear(4, 3).bfloat16(), {"dtype": "bfloat16"}),
    ("dtype as torch says it", lambda: nn.Linear(4, 3), {"dtype": "torch.float32"}),
    ("two groups", lambda: nn.ModuleList([Tied(), Tied()]), {"tied": tied_groups()}),
    ("glob", small_bert, {"layers": {"transformer.layer.*": 2224, "transformer.layer.*.attention.*_lin": 272}}),
    ("glob of all", lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 3)), {"layers": {"*": 15}}),
    ("factory", lambda: lambda: nn.Linear(10**6, 10**6), {"total": 1_000_001_000_000, "dtype": "float32"}),
    ("class as factory", lambda: nn.Identity, {"total": 0}),
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


NOTHING = "parameters of Identity: the model has no parameters that could keep it."
BOUNDS = {"max_total": 5, "max_trainable": 5, "max_size_mb": 1, "frozen_fraction": 0, "dtype": "float32"}
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
        "too many thawed",
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)),
        {"max_trainable": 15},
        """
        parameters of Sequential: trainable is 23, promised at most 15 (8 more).
          0: 15
          1: 8
        """,
    ),
    (
        "too heavy",
        lambda: nn.Linear(1000, 1000),
        {"max_size_mb": 4.003},
        "parameters of Linear: its parameters take 4,004,000 bytes (4.004 MB), promised at most 4.003 MB.",
    ),
    (
        "too little frozen",
        frozen_head,
        {"frozen_fraction": 0.5},
        """
        parameters of Sequential: 8 of 23 parameters are frozen (34.7826%), promised at least 50.0000%.
          0: 15
          1: 8
        """,
    ),
    *((f"nothing to keep {name}", nn.Identity, {name: value}, NOTHING) for name, value in BOUNDS.items()),
    (
        "one of another dtype",
        lambda: nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3).double()),
        {"dtype": "float32"},
        """
        parameters of Sequential: 2 of 4 parameters are not float32: 1.weight (float64), 1.bias (float64).
          0: 15
          1: 6
        """,
    ),
    (
        "apart",
        lambda: nn.ModuleList([Tied(), nn.Linear(4, 10, bias=False)]),
        {"tied": [("0.embedding.weight", "0.head.weight", "1.weight")]},
        """
        parameters of ModuleList: 0.embedding.weight and 0.head.weight and 1.weight are 2 tensors, promised one.
          0.embedding: 40
          0.head: 40
          1: 40
          one tensor: 0.embedding.weight = 0.head.weight
        """,
    ),
    (
        "one of a glob",
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2), nn.Linear(2, 4)),
        {"layers": {"*": 15}},
        """
        parameters of Sequential: layers * have 15 each by promise: 1 has 8 (7 fewer), 2 has 12 (3 fewer).
          0: 15
          1: 8
          2: 12
        """,
    ),
    (
        "a factory",
        lambda: lambda: nn.Linear(4, 3),
        {"total": 16},
        """
        parameters of Linear: total is 15, promised 16 (1 fewer).
        If the change is meant, promise total=15.
        """,
    ),
]


@pytest.mark.parametrize(("make", "promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_model_of_another_size_fails(expect, make, promises, message):
    expect(parameters, make(), outcome="failed", message=message, **promises)


NO_MODULE = "is no torch.nn.Module: give the model itself, or a function without arguments that builds it"


def raising():
    raise FileNotFoundError("no weights here")


def nothing():
    return None


UNMEASURED = [
    (
        "lazy",
        lambda: nn.Sequential(nn.LazyLinear(3)),
        {"total": 15},
        "parameters of Sequential: not measured: 0.weight, 0.bias have no size before the first forward pass: run the "
        "model once, then check it",
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
        "parameters of Linear: not measured: there is no layer '0'; there is none at all",
    ),
    (
        "a glob of nothing",
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU())),
        {"layers": {"*.*.*": 15}},
        "parameters of Sequential: not measured: there is no layer '*.*.*'; there is 0, 1, 1.0",
    ),
    (
        "no such parameter",
        Tied,
        {"tied": [("embedding.weight", "head.bias")]},
        "parameters of Tied: not measured: there is no parameter 'head.bias'; there is embedding.weight, head.weight",
    ),
    ("none", lambda: None, {"total": 0}, f"parameters of NoneType: not measured: NoneType {NO_MODULE}"),
    (
        "a state dict",
        lambda: nn.Linear(4, 3).state_dict(),
        {"total": 15},
        f"parameters of OrderedDict: not measured: OrderedDict {NO_MODULE}",
    ),
    (
        "a class that needs arguments",
        lambda: nn.Linear,
        {"max_total": 10},
        "parameters of Linear: not measured: it cannot be built on the meta device: TypeError: Linear.__init__() "
        "missing 2 required positional arguments: 'in_features' and 'out_features'. Give the model itself",
    ),
    (
        "a factory that raises",
        lambda: raising,
        {"max_total": 10},
        "parameters of raising: not measured: it cannot be built on the meta device: FileNotFoundError: no weights "
        "here. Give the model itself",
    ),
    (
        "a factory of nothing",
        lambda: nothing,
        {"max_total": 10},
        f"parameters of nothing: not measured: NoneType {NO_MODULE}",
    ),
    ("a class of another kind", lambda: dict, {"max_total": 10}, f"parameters of dict: not measured: dict {NO_MODULE}"),
]


@pytest.mark.parametrize(
    ("make", "promises", "message"), [row[1:] for row in UNMEASURED], ids=[row[0] for row in UNMEASURED]
)
def test_what_cannot_be_counted_is_an_error(expect, make, promises, message):
    expect(parameters, make(), outcome="error", message=message, **promises)


PROMISES = (
    "total, trainable, non_trainable, max_total, max_trainable, max_size_mb, frozen_fraction, layers, dtype, tied"
)
GROUPS = "a list of groups of different names is expected, [('a.weight', 'b.weight')]"


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({}, f"parameters promises nothing: give at least one of {PROMISES}"),
        ({"total": None, "tied": None}, f"parameters promises nothing: give at least one of {PROMISES}"),
        ({"max_trainable": 1.5}, "max_trainable=1.5: an integer of at least 0 is expected"),
        ({"max_size_mb": -1}, "max_size_mb=-1: a number of at least 0 is expected"),
        ({"max_size_mb": float("nan")}, "max_size_mb=nan: a number of at least 0 is expected"),
        ({"frozen_fraction": 1.5}, "frozen_fraction=1.5: a number from 0 to 1 is expected"),
        ({"frozen_fraction": "0.5"}, "frozen_fraction='0.5': a number from 0 to 1 is expected"),
        ({"dtype": torch.float32}, "dtype=torch.float32: a text (str) is expected"),
        *(
            ({"tied": groups}, f"tied={groups!r}: {GROUPS}")
            for groups in ([], "ab", ["ab", "cd"], [("a",)], [("a", "a")], [[]], 5)
        ),
        ({"total": 15.0}, "total=15.0: an integer of at least 0 is expected"),
        ({"total": True}, "total=True: an integer of at least 0 is expected"),
        ({"trainable": -1}, "trainable=-1: an integer of at least 0 is expected"),
        ({"layers": {}}, "layers={}: a mapping from names to integers is expected"),
        ({"layers": [("0", 15)]}, "layers=[('0', 15)]: a mapping from names to integers is expected"),
        ({"layers": {"0": "15"}}, "layers['0']='15': an integer of at least 0 is expected"),
        (
            {"totl": 15},
            f"parameters has no promise 'totl' (did you mean 'total'?); its promises are {PROMISES}",
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


def test_the_margin_is_that_of_the_tightest_bound():
    model = frozen_head()
    assert parameters(model, max_total=46, max_trainable=20).margin == 0.25
    assert parameters(model, max_total=46, max_trainable=10).margin == -0.5
    assert parameters(model, max_size_mb=1).margin == pytest.approx(1 - 92e-6)
    assert parameters(model, frozen_fraction=0.25).margin == pytest.approx(8 / 23 - 0.25)
    assert parameters(model, total=24, max_total=46).margin is None


def test_what_was_promised_and_measured_is_told_in_order():
    result = parameters(
        Tied(),
        total=40,
        layers={"head": 40, "*": 40},
        max_total=50,
        max_trainable=45,
        max_size_mb=1.5,
        frozen_fraction=0,
        dtype="float32",
        tied=[("embedding.weight", "head.weight")],
    )
    assert result.promised == (
        "total 40, layer head 40, layers * 40 each, total at most 50, trainable at most 45, at most 1.5 MB, "
        "at least 0.0000% frozen, dtype float32, embedding.weight = head.weight tied"
    )
    assert result.measured == (
        "total 40, layer head 40, 2 layers * 40, at most 50: 40, trainable 40, 0.000 MB, 0.0000% frozen, "
        "dtype float32, embedding.weight = head.weight tied"
    )


def test_the_evidence_names_tied_parameters_and_layers():
    assert parameters(Tied(), total=40).evidence == {
        "model": "Tied",
        "total": 40,
        "trainable": 40,
        "non_trainable": 0,
        "dtypes": {"float32": 40},
        "bytes": 160,
        "buffers": 0,
        "tied": [["embedding.weight", "head.weight"]],
        "largest": [["embedding", 40], ["head", 40]],
        "layers": {"embedding": 40, "head": 40},
    }


def test_the_largest_layers_are_the_innermost_first_the_largest():
    model = nn.Sequential(
        nn.Sequential(nn.Linear(4, 3), nn.Linear(9, 9)), nn.ReLU(), *(nn.Linear(1, 1) for _ in "x" * 12)
    )
    largest = parameters(model, max_total=1000).evidence["largest"]
    assert largest[:3] == [["0.1", 90], ["0.0", 15], ["2", 2]]
    assert len(largest) == 10


def test_the_assert_form_raises_what_the_result_says():
    with pytest.raises(ModelCheckFailure, match=r"^parameters of Linear: total is 15, promised 16"):
        assert_parameters(nn.Linear(4, 3), total=16)
    with pytest.raises(ModelCheckError, match=r"^parameters of NoneType: not measured"):
        assert_parameters(None, total=16)


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(parameters) == 4
