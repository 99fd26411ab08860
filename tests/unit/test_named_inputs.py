"""Inputs that are described by names, or by a text; and what is seen of tensors of every dtype."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from transformers import DistilBertConfig, DistilBertModel

from pytest_modelcheck import ConfigError, ModelCheckError
from pytest_modelcheck.guard import preserved_model
from pytest_modelcheck.models.inputs import made_inputs, sizes_promised
from pytest_modelcheck.models.shapes import parse_shape
from pytest_modelcheck.models.sights import see, tensors_of

MADE = {
    "a pair": (("batch 3 8 8", "float32"), {"": [2, 3, 8, 8]}, {"batch": 2}),
    "usual names": ({"x": ("batch tokens", "int64")}, {"x": [2, 7]}, {"batch": 2, "tokens": 7}),
    "other names": ({"x": ("a b c d", "float16")}, {"x": [5, 3, 11, 13]}, {"a": 5, "b": 3, "c": 11, "d": 13}),
    "one name in two inputs": (
        {"x": ("batch a", "bool"), "y": (["b", "a", 4], "int64")},
        {"x": [2, 5], "y": [3, 5, 4]},
        {"batch": 2, "a": 5, "b": 3},
    ),
    "beside values": ({"x": ("batch n 2*n", "float32"), "flag": True}, {"x": [2, 5, 10]}, {"batch": 2, "n": 5}),
}


@pytest.mark.parametrize(("given", "shapes", "sizes"), MADE.values(), ids=MADE)
def test_names_get_small_sizes_that_differ(given, shapes, sizes):
    known = {}
    made = made_inputs(given, sizes=known)
    found = {path: list(tensor.shape) for path, tensor in tensors_of(made)}
    assert (found, known) == (shapes, sizes)


def test_many_names_all_differ():
    known = {}
    made_inputs((" ".join(f"n{number}" for number in range(12)) + " 0", "int64"), sizes=known)
    assert len(set(known.values())) == 12


def test_a_size_that_is_known_is_taken_and_given_to_no_other():
    known = {"tokens": 2, "n": 5}
    assert made_inputs(("batch tokens n m", "int64"), sizes=known).shape == (3, 2, 5, 11)
    assert known == {"tokens": 2, "n": 5, "batch": 3, "m": 11}


def test_sizes_are_those_that_are_promised_of_the_same_input():
    promised = {"x": parse_shape("4 n"), "z": parse_shape("9")}
    assert sizes_promised({"x": ("batch tokens", "int64"), "y": ("z", "int64")}, promised) == {"batch": 4}
    assert sizes_promised(torch.zeros(2), promised) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": ("batch _", "int64")}, "an input cannot be made of [batch, _]: _ has no size"),
        ({"x": ("... n", "int64")}, "an input cannot be made of [..., n]: ... has no size"),
        ({"x": ("batch 2*n", "int64")}, "an input cannot be made of [batch, 2*n]: n has no size"),
        ({"x": ("batch tokens", "int46")}, "'int46' is no dtype of torch: 'float32', 'int64' or 'bool' are"),
        (
            {"x": ("batch to.kens", "int64")},
            "'to.kens' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  batch to.kens\n          ^",
        ),
    ],
)
def test_an_input_that_cannot_be_made_is_a_config_error(given, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        made_inputs(given)


@pytest.mark.parametrize(
    "given", [("one text", "another"), {"x": ("a", "b")}, (len, torch.zeros(2)), (len, [])], ids=str
)
def test_what_describes_nothing_is_given_as_it_is(given):
    assert made_inputs(given) is given


def test_a_tokenizer_without_ids_is_an_error():
    def words(text, **options):
        return text.split()

    with pytest.raises(ModelCheckError, match="^function gave no input_ids, but a list$"):
        made_inputs((words, "one text"))


DTYPES = ["bool", "uint8", "int8", "int64", "uint16", "uint64", "float16", "bfloat16", "float64", "float8_e5m2"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_values_of_every_dtype_are_seen(dtype):
    inputs = torch.tensor([1.0, 0.0, 1.0]).to(getattr(torch, dtype))
    seen = see(nn.Identity(), inputs, {}, values=True).output.tensors[0]
    assert (seen.dtype, seen.elements, seen.nonfinite, float(seen.low), float(seen.high)) == (dtype, 3, 0, 0.0, 1.0)


class Sparse(nn.Module):
    def forward(self, inputs):
        return inputs.to_sparse()


def test_values_that_are_not_finite_are_counted():
    inputs = torch.tensor([float("nan"), 1.0, float("-inf")])
    for given in (inputs, inputs.bfloat16(), torch.complex(inputs, inputs)):
        assert see(nn.Identity(), given, {}, values=True).output.tensors[0].nonfinite == 2
    assert see(Sparse(), inputs, {}, values=True).output.tensors[0].nonfinite == 2
    assert see(nn.Identity(), inputs, {}, values=False).output.tensors[0].nonfinite is None


def test_the_keys_and_values_of_an_older_cache_have_paths():
    cache = type("DynamicCache", (), {"__module__": "transformers.cache_utils"})()
    cache.key_cache, cache.value_cache = [torch.zeros(2)], [torch.zeros(3)]
    found = {path: len(tensor) for path, tensor in tensors_of({"past": cache})}
    assert found == {"past.0.keys": 2, "past.0.values": 3}


def test_only_the_hooks_of_transformers_come_and_go_without_a_word():
    model = DistilBertModel(DistilBertConfig(vocab_size=50, dim=16, hidden_dim=32, n_heads=2, n_layers=1))
    ids = torch.zeros(1, 3, dtype=torch.int64)
    with preserved_model(model) as changes:
        model(ids, output_hidden_states=True)
        model.transformer.layer[0].register_forward_hook(lambda *_: None)
    assert changes == ["the hooks of transformer.layer.0 were changed"]
    model(ids, output_hidden_states=True)
    before = [dict(module._forward_hooks) for module in model.modules()]
    with preserved_model(model) as changes:
        assert len(model(ids, output_hidden_states=True).hidden_states) == 2
    assert changes == []
    assert [dict(module._forward_hooks) for module in model.modules()] == before
    model.transformer.layer[0].register_forward_hook(lambda *_: None)
    before = [dict(module._forward_hooks) for module in model.modules()]
    with preserved_model(model) as changes:
        for module in model.modules():
            module._forward_hooks.clear()
    assert "the hooks of transformer.layer.0 were changed" in changes
    assert [dict(module._forward_hooks) for module in model.modules()] == before
