"""Tensors in nested values are found, copied, moved and compared."""

from __future__ import annotations

import sys
from collections import OrderedDict, UserDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence
from transformers import BatchEncoding
from transformers.modeling_outputs import BaseModelOutput

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.tensors import (
    called,
    copied,
    is_finite,
    moved_to,
    require_module,
    same_bytes,
    same_tensors,
    tensors_in,
)

Pair = namedtuple("Pair", ["left", "right"])


@dataclass
class Sample:
    image: torch.Tensor
    name: str = "x"


def one():
    return torch.ones(2)


NESTED = [
    (lambda: one(), [""]),
    (lambda: (one(), one()), ["0", "1"]),
    (lambda: [one(), [one()]], ["0", "1.0"]),
    (lambda: {"a": one(), "b": {"c": one()}}, ["a", "b.c"]),
    (lambda: OrderedDict(z=one(), a=one()), ["z", "a"]),
    (lambda: UserDict(a=one()), ["a"]),
    (lambda: Pair(one(), (one(),)), ["left", "right.0"]),
    (lambda: Sample(one()), ["image"]),
    (lambda: {"s": [Sample(one()), Pair(one(), 3)]}, ["s.0.image", "s.1.left"]),
    (lambda: BatchEncoding({"input_ids": one()}), ["input_ids"]),
    (
        lambda: BaseModelOutput(last_hidden_state=one(), hidden_states=(one(),)),
        ["last_hidden_state", "hidden_states.0"],
    ),
    (lambda: {1: one(), "1.2": one()}, ["1", "1.2"]),
    (lambda: (3, "text", None, Sample), []),
]
IDS = [str(index) for index in range(len(NESTED))]


@pytest.mark.parametrize(("make", "paths"), NESTED, ids=IDS)
def test_tensors_are_found_with_their_paths(make, paths):
    assert [path for path, _ in tensors_in(make())] == paths


@pytest.mark.parametrize(("make", "paths"), NESTED, ids=IDS)
def test_a_copy_shares_no_memory(make, paths):
    value = make()
    copy = copied(value)
    assert [path for path, _ in tensors_in(copy)] == paths
    for _, tensor in tensors_in(copy):
        tensor.add_(1)
    assert all(torch.equal(tensor, one()) for _, tensor in tensors_in(value))


@pytest.mark.parametrize(("make", "paths"), NESTED, ids=IDS)
def test_all_tensors_are_moved_and_the_value_stays(make, paths):
    value = make()
    moved = moved_to(value, "meta")
    assert [path for path, _ in tensors_in(moved)] == paths
    assert all(tensor.is_meta for _, tensor in tensors_in(moved))
    assert not any(tensor.is_meta for _, tensor in tensors_in(value))


@pytest.mark.parametrize(("make", "paths"), NESTED, ids=IDS)
def test_a_value_is_the_same_as_its_copy_until_it_is_written_to(make, paths):
    value = make()
    copy = copied(value)
    assert same_tensors(value, copy)
    for _, tensor in tensors_in(copy):
        tensor[0] = 7
    assert same_tensors(value, copy) == (not paths)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([one()], []),
        ([one()], [one(), one()]),
        ({"a": one()}, {"b": one()}),
        (one(), None),
        (one(), one().double()),
    ],
)
def test_another_structure_is_not_the_same(left, right):
    assert not same_tensors(left, right)
    assert not same_tensors(right, left)


def test_a_packed_sequence_stays_one():
    packed = pack_sequence([torch.ones(3, 2), torch.ones(1, 2)])
    assert isinstance(copied(packed), PackedSequence)
    assert isinstance(moved_to(packed, "cpu"), PackedSequence)


class Echo(nn.Module):
    def forward(self, *args, **kwargs):
        return args, kwargs


@pytest.mark.parametrize(
    ("inputs", "received"),
    [
        (1, ((1,), {})),
        ((1, 2), ((1, 2), {})),
        ([1, 2], (([1, 2],), {})),
        ({"a": 1}, ((), {"a": 1})),
        (UserDict(a=1), ((), {"a": 1})),
        (None, ((None,), {})),
        ((), ((), {})),
    ],
)
def test_inputs_are_passed_by_their_kind(inputs, received):
    assert called(Echo(), inputs) == received


@pytest.mark.parametrize(
    ("inputs", "shown"),
    [
        (torch.zeros(2, 5), "input [2, 5]"),
        ((torch.zeros(2, 5), torch.zeros(1)), "0 [2, 5], 1 [1]"),
        ({"input": torch.zeros(2, 5)}, "input [2, 5]"),
        ("text", "str"),
    ],
)
def test_a_forward_that_raises_is_told_with_the_shapes(inputs, shown):
    class Refusing(nn.Module):
        def forward(self, *args, **kwargs):
            raise KeyError("weights")

    with pytest.raises(ModelCheckError) as raised:
        called(Refusing(), inputs)
    assert str(raised.value) == f"forward raised KeyError: 'weights'\n  inputs: {shown}"
    assert isinstance(raised.value.__cause__, KeyError)


def test_it_is_told_where_inputs_are_that_are_not_on_the_cpu():
    class Elsewhere(torch.Tensor):
        device = torch.device("cuda:1")

    with pytest.raises(ModelCheckError) as raised:
        called(nn.Linear(4, 3), torch.zeros(2, 5).as_subclass(Elsewhere))
    assert str(raised.value).splitlines()[-1] == "  inputs: input [2, 5] on cuda:1"


def test_a_forward_that_ends_the_process_has_raised():
    class Leaving(nn.Module):
        def forward(self, inputs):
            sys.exit(0)

    with pytest.raises(ModelCheckError, match="^forward raised SystemExit: 0\n"):
        called(Leaving(), torch.zeros(1))


@pytest.mark.parametrize(
    ("tensor", "finite"),
    [
        (torch.zeros(2), True),
        (torch.zeros(0), True),
        (torch.tensor([0.0, float("nan")]), False),
        (torch.tensor(float("-inf")), False),
        (torch.tensor([1, 2]), True),
        (torch.zeros(2, dtype=torch.bool), True),
        (torch.tensor(float("nan"), dtype=torch.bfloat16), False),
        (torch.zeros(2, device="meta"), True),
        (torch.tensor(complex("nan")), False),
    ],
)
def test_nan_and_infinity_are_seen(tensor, finite):
    assert is_finite(tensor) is finite


@pytest.mark.parametrize(
    ("value", "name"),
    [(None, "NoneType"), ("model.pt", "str"), (len, "builtin_function_or_method")],
)
def test_what_is_no_module_is_refused(value, name):
    with pytest.raises(ModelCheckError) as raised:
        require_module(value)
    assert str(raised.value) == f"{name} is no torch.nn.Module: give the model itself"


def test_a_class_of_models_is_no_model():
    with pytest.raises(ModelCheckError) as raised:
        require_module(nn.Linear)
    assert str(raised.value) == (
        "type is no torch.nn.Module: give the model itself, one that is made of the class Linear"
    )


def test_a_module_gives_torch():
    assert require_module(nn.Identity()) is torch


@given(st.binary(max_size=40), st.data())
def test_bytes_are_the_same_unless_one_of_them_is_another(values, data):
    assert same_bytes(memoryview(values), bytes(values))
    assert not same_bytes(values, values + b"\0")
    if values:
        changed = bytearray(values)
        changed[data.draw(st.integers(0, len(values) - 1))] ^= data.draw(st.integers(1, 255))
        assert not same_bytes(values, bytes(changed))
