"""The promise of the shapes that leave a model."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torchvision.models import resnet18
from transformers import BatchEncoding, DistilBertConfig, DistilBertModel

from pytest_modelcheck import ConfigError, ModelCheckError, ModelCheckFailure, assert_shape
from pytest_modelcheck.checks.shape import shape
from pytest_modelcheck.context import Context

IMAGES, TOKENS = torch.zeros(2, 3, 64, 64), torch.arange(14).reshape(2, 7)


def small_bert():
    return DistilBertModel(DistilBertConfig(vocab_size=50, dim=16, hidden_dim=32, n_heads=2, n_layers=2))


def lightning_with_example():
    model = lightning()
    model.example_input_array = torch.zeros(4, 1, 28, 28)
    return model


def lightning():
    from modelrepo.vision.classifier import DigitClassifier

    return DigitClassifier()


class First(nn.Module):
    def forward(self, pair):
        return pair[0]


def gru_with_head():
    return nn.Sequential(nn.GRU(3, 4), First())


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls scripting deprecated
        return torch.jit.script(nn.Sequential(nn.Linear(4, 3), nn.ReLU()))


class Heads(nn.Module):
    """It gives a dictionary, and uses one layer twice."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)
        self.idle = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, inputs):
        return {"scores": self.head(self.body(self.body(inputs)))}


class Growing(nn.Module):
    """One layer sees two shapes."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)

    def forward(self, inputs):
        return self.body(inputs) + self.body(inputs[:, :1]).sum()


@dataclass
class Output:
    scores: torch.Tensor


class Wrapped(nn.Module):
    def forward(self, inputs):
        return Output(inputs)


class Nothing(nn.Module):
    def forward(self, inputs):
        return inputs.tolist()


class Raising(nn.Module):
    def forward(self, inputs):
        raise RuntimeError("no kernel")


KEPT = [
    ("linear", lambda: nn.Linear(4, 3), torch.zeros(2, 4), {"expected": "batch 3"}),
    ("scalar", lambda: nn.Flatten(0), torch.zeros(1), {"expected": [1]}),
    ("resnet18", lambda: resnet18(weights=None), IMAGES, {"expected": [2, 1000]}),
    ("resnet18 layer", lambda: resnet18(weights=None), IMAGES, {"expected": "n 512 h h", "layer": "layer4"}),
    ("distilbert", small_bert, TOKENS, {"expected": "batch tokens 16"}),
    ("distilbert by keywords", small_bert, {"input_ids": TOKENS}, {"expected": [2, 7, 16]}),
    ("distilbert by encoding", small_bert, BatchEncoding({"input_ids": TOKENS}), {"expected": [2, 7, 16]}),
    ("embedding", small_bert, TOKENS, {"expected": [2, 7, 16], "layer": "embeddings.word_embeddings"}),
    ("dict", Heads, torch.zeros(5, 4), {"expected": "_ 2"}),
    ("dataclass", Wrapped, torch.zeros(5, 4), {"expected": "... 4"}),
    ("several calls", Heads, torch.zeros(5, 4), {"expected": "_ 4", "layer": "body"}),
    ("tuple inputs", lambda: nn.Bilinear(3, 4, 5), (torch.zeros(2, 3), torch.zeros(2, 4)), {"expected": "2 5"}),
    ("gru by layer", lambda: nn.Sequential(nn.GRU(3, 4), First()), torch.zeros(7, 2, 3), {"expected": [7, 2, 4]}),
    ("lightning", lightning, torch.zeros(32, 1, 28, 28), {"expected": [32, 10]}),
    ("meta", lambda: nn.Linear(4, 3, device="meta"), torch.zeros(2, 4), {"expected": [2, 3]}),
    ("scripted", scripted, torch.zeros(2, 4), {"expected": [2, 3]}),
    ("nan weights", lambda: _filled(nn.Linear(4, 3)), torch.zeros(2, 4), {"expected": [2, 3]}),
    ("made inputs", small_bert, {"input_ids": ("batch tokens", "int64")}, {"expected": [2, 7, 16]}),
    ("made tensor", lambda: resnet18(weights=None), ("batch 3 64 64", "float32"), {"expected": "batch 1000"}),
    ("list of shapes", lambda: nn.GRU(3, 4), torch.zeros(7, 2, 3), {"expected": ["7 batch 4", "1 batch 4"]}),
    ("glob", small_bert, TOKENS, {"expected": "batch tokens 16", "layer": "transformer.layer.*.ffn"}),
    ("part of a layer", gru_with_head, torch.zeros(7, 2, 3), {"expected": "1 batch 4", "layer": "0:1"}),
    ("built", lambda: lambda: nn.Linear(4, 3), torch.zeros(2, 4), {"expected": "batch 3", "finite": True}),
    ("beside", lambda: nn.ReLU(), torch.ones(2), {"expected": "2", "dtype": "torch.float32", "range": (1, 1)}),
    ("compiled", lambda: torch.compile(nn.Linear(4, 3), backend="eager"), torch.zeros(2, 4), {"expected": [2, 3]}),
]


def _filled(model):
    model.weight.data.fill_(float("nan"))
    return model


@pytest.mark.parametrize(("make", "inputs", "promises"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT])
def test_a_model_of_the_promised_shape_passes(make, inputs, promises):
    result = shape(make(), inputs, **promises)
    assert result.message == ""
    assert result.ok
    assert result.changes == ()


# Slow: it makes a model of 66 million weights.
@pytest.mark.slow
def test_distilbert_gives_its_published_shapes(uncased):
    encoder = DistilBertModel(DistilBertConfig())
    inputs = uncased("This is a input.", return_tensors="pt")
    assert_shape(encoder, inputs, expected=[1, 7, 768])
    assert_shape(encoder, inputs, expected="batch tokens 768", layer="transformer.layer.5.ffn")


BROKEN = [
    (
        "another width",
        lambda: nn.Linear(4, 3),
        torch.zeros(2, 4),
        {"expected": "batch 5"},
        "shape of Linear: output is [2, 3], promised [batch, 5]: axis 1 is 3, promised 5.",
    ),
    (
        "another number of axes",
        lambda: nn.Flatten(),
        torch.zeros(2, 4, 4),
        {"expected": "batch 4 4"},
        "shape of Flatten: output is [2, 16], promised [batch, 4, 4]: it has 2 axes, promised 3.",
    ),
    (
        "too few for the ellipsis",
        lambda: nn.Flatten(0),
        torch.zeros(2, 4),
        {"expected": "batch ... dim"},
        "shape of Flatten: output is [8], promised [batch, ..., dim]: it has 1 axis, promised at least 2.",
    ),
    (
        "swapped axes",
        lambda: nn.Sequential(nn.GRU(3, 4, batch_first=True), First()),
        torch.zeros(7, 2, 3),
        {"expected": "2 7 4"},
        "shape of Sequential: output is [7, 2, 4], promised [2, 7, 4]: axis 0 is 7, promised 2; axis 1 is 2, promised "
        "7 (made by layer 1).",
    ),
    (
        "a name for two sizes",
        lambda: nn.Linear(4, 3),
        torch.zeros(4, 4),
        {"expected": "n n"},
        "shape of Linear: output is [4, 3], promised [n, n]: axis 1 (n) is 3, promised 4.",
    ),
    (
        "a layer",
        lambda: resnet18(weights=None),
        IMAGES,
        {"expected": [2, 512, 1, 1], "layer": "layer4"},
        "shape of ResNet: layer layer4 is [2, 512, 2, 2], promised [2, 512, 1, 1]: axis 2 is 2, promised 1; axis 3 is "
        "2, promised 1.",
    ),
    (
        "one of several calls",
        Growing,
        torch.zeros(2, 3, 4),
        {"expected": "batch n 4", "layer": "body"},
        "shape of Growing: layer body is [2, 1, 4], promised [batch, n, 4]: axis 1 (n) is 1, promised 3.",
    ),
    (
        "several layers",
        small_bert,
        TOKENS,
        {"expected": "batch tokens 17", "layer": "transformer.layer.*.ffn"},
        "shape of DistilBertModel: layer transformer.layer.0.ffn is [2, 7, 16], promised [batch, tokens, 17]: axis 2 "
        "is 16, promised 17.\n"
        "layer transformer.layer.1.ffn is [2, 7, 16], promised [batch, tokens, 17]: axis 2 is 16, promised 17.",
    ),
    (
        "the example of a model of Lightning",
        lightning_with_example,
        None,
        {"expected": "batch 11"},
        "shape of DigitClassifier: output is [4, 10], promised [batch, 11]: axis 1 is 10, promised 11 (made by layer "
        "net.9).",
    ),
    (
        "inside of a wrapper",
        lambda: nn.DataParallel(torch.compile(nn.Linear(4, 3), backend="eager")),
        torch.zeros(2, 4),
        {"expected": "2 5"},
        "shape of Linear: output is [2, 3], promised [2, 5]: axis 1 is 3, promised 5.",
    ),
    (
        "scripted",
        scripted,
        torch.zeros(2, 4),
        {"expected": "2 5"},
        "shape of Sequential: output is [2, 3], promised [2, 5]: axis 1 is 3, promised 5.",
    ),
    (
        "another dtype",
        lambda: nn.Linear(4, 3).double(),
        torch.zeros(2, 4).double(),
        {"expected": "2 3", "dtype": "float32"},
        "shape of Linear: output is float64, promised float32.",
    ),
    (
        "another device",
        lambda: nn.Linear(4, 3),
        torch.zeros(2, 4),
        {"expected": "2 3", "device": "cuda:1"},
        "shape of Linear: output is on cpu, promised cuda:1.",
    ),
    (
        "nan",
        lambda: nn.Sequential(nn.Linear(4, 3), _filled(nn.Linear(3, 2))),
        torch.zeros(2, 4),
        {"expected": "2 2", "finite": True},
        "shape of Sequential: output is not finite: 4 of 4 elements are NaN or infinite, promised finite (made by "
        "layer 1).\nThe first: parameter 1.weight is not finite.",
    ),
    (
        "nan, of an input whose infinity is meant",
        lambda: nn.Sequential(nn.Softmax(dim=0), _filled(nn.Linear(2, 2))),
        torch.tensor([0.0, float("-inf")]),
        {"expected": "2", "finite": True},
        "shape of Sequential: output is not finite: 2 of 2 elements are NaN or infinite, promised finite (made by "
        "layer 1).\nThe first: parameter 1.weight is not finite.",
    ),
    (
        "infinite",
        lambda: nn.Identity(),
        torch.tensor([0.0, float("inf")]),
        {"expected": "2", "range": (0, 1)},
        "shape of Identity: output is not finite: 1 of 2 elements is NaN or infinite, promised from 0 to 1.\n"
        "The first: the input is not finite.",
    ),
    (
        "out of range",
        lambda: nn.Identity(),
        torch.tensor([0.1, 0.3]),
        {"expected": "2", "range": (0.1, 0.2)},
        "shape of Identity: output is from 0.1 to 0.3, promised from 0.1 to 0.2.",
    ),
    (
        "everything at once",
        lambda: nn.Identity(),
        torch.tensor([-1, 3]),
        {"expected": "3", "range": (0, 2), "dtype": "float32", "device": "cuda"},
        """
        shape of Identity: output is [2], promised [3]: axis 0 is 2, promised 3.
        output is int64, promised float32.
        output is on cpu, promised cuda.
        output is from -1 to 3, promised from 0 to 2.
        """,
    ),
    (
        "no batch",
        lambda: nn.Linear(4, 3),
        torch.zeros(0, 4),
        {"expected": [2, 3]},
        "shape of Linear: output is [0, 3], promised [2, 3]: axis 0 is 0, promised 2.",
    ),
]


@pytest.mark.parametrize(
    ("make", "inputs", "promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_model_of_another_shape_fails(expect, make, inputs, promises, message):
    expect(shape, make(), inputs, outcome="failed", message=message, **promises)


UNMEASURED = [
    (
        "several tensors",
        lambda: nn.GRU(3, 4),
        torch.zeros(7, 2, 3),
        {"expected": "7 2 4"},
        "shape of GRU: not measured: the output holds 2 tensors (0 [7, 2, 4], 1 [1, 2, 4]): name the one that is "
        "meant, expected={'output:0': ...}",
    ),
    (
        "several tensors of a layer",
        gru_with_head,
        torch.zeros(7, 2, 3),
        {"expected": "7 2 4", "layer": "0"},
        "shape of Sequential: not measured: layer 0 holds 2 tensors (0 [7, 2, 4], 1 [1, 2, 4]): name the one that is "
        "meant, '0:0'",
    ),
    (
        "a list of another length",
        lambda: nn.GRU(3, 4),
        torch.zeros(7, 2, 3),
        {"expected": ["7 2 4"]},
        "shape of GRU: not measured: 'output' names 2 tensors, and 1 shape in a list: one for each is expected",
    ),
    (
        "no tensor",
        Nothing,
        torch.zeros(2),
        {"expected": "..."},
        "shape of Nothing: not measured: the output holds no tensor: it is a list",
    ),
    (
        "raises",
        Raising,
        torch.zeros(2, 3),
        {"expected": "..."},
        """
        shape of Raising: not measured: forward raised RuntimeError: no kernel
          inputs: input [2, 3]
        """,
    ),
    (
        "no such layer",
        Heads,
        torch.zeros(2, 4),
        {"expected": "...", "layer": "haed"},
        "shape of Heads: not measured: there is no layer 'haed'; there is head",
    ),
    (
        "a layer that does not run",
        Heads,
        torch.zeros(2, 4),
        {"expected": "...", "layer": "idle"},
        "shape of Heads: not measured: layer idle did not run in this forward pass",
    ),
    (
        "a layer inside a script",
        scripted,
        torch.zeros(2, 4),
        {"expected": "...", "layer": "0"},
        "shape of RecursiveScriptModule: not measured: layer '0' is scripted, and cannot be looked into: check the "
        "model itself",
    ),
    (
        "lazy",
        lambda: nn.Sequential(nn.LazyLinear(3)),
        torch.zeros(2, 4),
        {"expected": "2 3"},
        "shape of Sequential: not measured: 0.weight, 0.bias have no size before the first forward pass: run the model "
        "once, then check it",
    ),
    (
        "no module",
        lambda: len,
        torch.zeros(2, 4),
        {"expected": "2 4"},
        "shape of len: not measured: it cannot be built: TypeError: len() takes exactly one argument (0 given). Give "
        "the model itself",
    ),
    (
        "built, and no module",
        lambda: list,
        torch.zeros(2, 4),
        {"expected": "2 4"},
        "shape of list: not measured: list is no torch.nn.Module: give the model itself, or a function without "
        "arguments that builds it",
    ),
    (
        "no inputs",
        lambda: nn.Linear(4, 3),
        None,
        {"expected": "2 3"},
        "shape of Linear: not measured: the inputs are None, and the model has no example_input_array: give inputs",
    ),
    (
        "values of nothing",
        lambda: nn.Linear(4, 3),
        torch.zeros(0, 4),
        {"expected": "_ 3", "finite": True},
        "shape of Linear: not measured: output is [0, 3] and has no elements, whose values could be measured",
    ),
    (
        "a range of complex numbers",
        lambda: nn.Identity(),
        torch.zeros(2, dtype=torch.complex64),
        {"expected": "2", "range": (0, 1)},
        "shape of Identity: not measured: output is complex64, and has neither a lowest nor a highest value",
    ),
    (
        "on two devices",
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2, device="meta")),
        torch.zeros(2, 4),
        {"expected": "2 2"},
        "shape of Sequential: not measured: the model is spread over cpu, meta: check it on one device",
    ),
]


@pytest.mark.parametrize(
    ("make", "inputs", "promises", "message"), [row[1:] for row in UNMEASURED], ids=[row[0] for row in UNMEASURED]
)
def test_what_has_no_shape_is_an_error(expect, make, inputs, promises, message):
    expect(shape, make(), inputs, outcome="error", message=message, **promises)


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({"expected": [1, -1]}, "expected: -1 is no axis: a size, a name, _, ... or 2*tokens+1 is expected"),
        ({"expected": [1, float("nan")]}, "expected: nan is no axis: a size, a name, _, ... or 2*tokens+1 is expected"),
        ({"expected": "2 3", "layer": 4}, "layer=4: a text (str) is expected"),
        (
            {"expected": "batch tok.ens"},
            "expected: 'tok.ens' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n"
            "  batch tok.ens\n           ^",
        ),
        (
            {"expected": "batch tok-ens"},
            "expected: 'tok-ens' uses tok and ens, whose size nothing tells: let them stand alone in another shape, "
            "such as that of an input\n  batch tok-ens\n        ^",
        ),
        ({"expected": {}}, "expected={}: a shape, or a mapping from names to shapes, is expected"),
        ({"expected": {3: "2"}}, "expected has the key 3: the name of an input, layer or output is expected"),
        (
            {"expected": {"a:": "2"}},
            "expected: 'a:' names no tensor: 'input:NAME', 'output:NAME', 'layer:NAME' and 'LAYER:0' do",
        ),
        (
            {"expected": {"output:a:0": "2"}},
            "expected: 'output:a:0' names no tensor: 'input:NAME', 'output:NAME', 'layer:NAME' and 'LAYER:0' do",
        ),
        (
            {"expected": {"a": "b c", "d": "b 2*(c+1"}},
            "expected['d']: '2*(c+1' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  b 2*(c+1\n"
            "          ^",
        ),
        (
            {"expected": {"a": "2"}, "layer": "0"},
            "layer goes with one shape: name the layer in expected, where the others are",
        ),
        (
            {"expected": "2 3", "layer": ""},
            "layer: '' names no tensor: 'input:NAME', 'output:NAME', 'layer:NAME' and 'LAYER:0' do",
        ),
        ({"expected": "2 3", "finite": False}, "finite=False: True is expected, or nothing"),
        ({"expected": "2 3", "range": 1}, "range=1: a pair of the lowest and the highest value is expected"),
        ({"expected": "2 3", "range": (1, 0)}, "range=(1, 0): the lowest value comes first"),
        ({"expected": "2 3", "range": (0, float("nan"))}, "range[1]=nan: a finite number is expected"),
        ({"expected": "2 3", "device": "auto"}, "device='auto': one device is expected: cpu, cuda, cuda:N or mps"),
        ({"expected": "2 3", "device": "gpu"}, "unknown device 'gpu': auto, cpu, cuda, cuda:N or mps is expected"),
        ({"expected": "2 3", "dtype": "float33"}, "'float33' is no dtype of torch: 'float32', 'int64' or 'bool' are"),
        ({"expected": "2 3", "meta": 1}, "meta=1: True or False is expected"),
        (
            {"expected": "2 3", "meta": True, "finite": True},
            "finite cannot be promised with meta=True, where tensors have shapes and dtypes only",
        ),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_shape(nn.Linear(4, 3), torch.zeros(2, 4), **promises)
    assert str(raised.value) == message


class Meddling(nn.Module):
    """It changes itself, its input and the world."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, inputs):
        self.calls += 1
        self.layer.weight.data.zero_()
        inputs.zero_()
        torch.set_grad_enabled(True)
        output = self.layer(inputs)
        torch.set_default_dtype(torch.float64)
        return output


def test_a_model_that_changes_its_surroundings_is_named_and_restored():
    model, inputs = Meddling().train(), torch.ones(2, 4)
    weight = model.layer.weight.detach().clone()
    result = shape(model, inputs, expected="2 4")
    assert set(result.changes) == {
        "the input was changed in place",
        "calls was changed",
        "layer.weight was changed",
        "the default dtype was changed from torch.float32 to torch.float64",
        "the grad mode was changed from False to True",
    }
    assert torch.equal(model.layer.weight, weight)
    assert torch.equal(inputs, torch.ones(2, 4))
    assert (model.calls.item(), model.training, model.layer.training) == (0, True, True)
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


def test_an_input_that_is_taken_apart_is_named():
    class Popping(nn.Module):
        def forward(self, inputs):
            return inputs.pop()

    inputs = [torch.zeros(2), torch.zeros(3)]
    result = shape(Popping(), inputs, expected="3")
    assert (result.outcome, result.changes, len(inputs)) == ("passed", ("the input was changed in place",), 2)


def test_a_model_is_looked_at_in_evaluation_mode():
    class Training(nn.Module):
        def forward(self, inputs):
            return inputs if not self.training else inputs[0]

    model = Training()
    assert_shape(model, torch.zeros(2, 3), expected="2 3")
    assert model.training


def test_an_encoding_stays_where_it_is():
    encoding = BatchEncoding({"input": torch.zeros(2, 4)})
    assert_shape(nn.Linear(4, 3, device="meta"), encoding, expected="2 3")
    assert encoding["input"].device.type == "cpu"


def test_a_failure_leaves_no_hook():
    model = nn.Sequential(nn.Linear(4, 3))
    assert not shape(model, torch.zeros(2, 5), expected="2 3", layer="0").ok
    assert not model[0]._forward_hooks


def test_the_measurement_names_what_was_bound():
    result = shape(nn.Linear(4, 3), torch.zeros(2, 4), expected="batch dim")
    assert (result.promised, result.measured) == ("output [batch, dim]", "[2, 3], with batch=2, dim=3")
    assert result.evidence == {
        "layer": "",
        "places": ["output"],
        "shapes": [[2, 3]],
        "sizes": {"batch": 2, "dim": 3},
    }


def test_a_device_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with Context(device="cuda").active(), pytest.raises(ModelCheckError) as raised:
        assert_shape(nn.Linear(4, 3), torch.zeros(2, 4), expected="2 3")
    assert str(raised.value) == "shape of Linear: not measured: device cuda: this torch finds no CUDA device"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_a_model_is_looked_at_on_the_gpu():
    model = nn.Linear(4, 3)
    with Context(device="cuda").active():
        assert assert_shape(model, torch.zeros(2, 4), expected="2 3").device == "cuda"
    assert model.weight.device.type == "cpu"


def test_the_assert_form_raises_what_the_result_says():
    with pytest.raises(ModelCheckFailure) as raised:
        assert_shape(nn.Linear(4, 3), torch.zeros(2, 4), expected="2 4")
    assert str(raised.value) == "shape of Linear: output is [2, 3], promised [2, 4]: axis 1 is 3, promised 4."


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(shape) == 6
