"""What a table is measured on: inputs that are described, and models that have no numbers."""

from __future__ import annotations

import re
from contextlib import contextmanager

import pytest
import torch
from models_of_the_field import llama
from torch import nn

from pytest_modelcheck import ConfigError, ModelCheckError
from pytest_modelcheck.models.inputs import made_inputs
from pytest_modelcheck.models.meta import is_on_meta
from pytest_modelcheck.models.summary import summarize
from pytest_modelcheck.models.wrappers import unwrapped

MADE = {
    "shape": ([2, 3], {"": ([2, 3], torch.float32)}),
    "shape as a tuple": ((2, 3), {"": ([2, 3], torch.float32)}),
    "no elements": ([0, 3], {"": ([0, 3], torch.float32)}),
    "names": ({"x": [2, 3], "y": (4,)}, {"x": ([2, 3], torch.float32), "y": ([4], torch.float32)}),
    "dtypes": (
        {"ids": ([1, 7], "int64"), "mask": ((1, 7), "torch.bool"), "half": [[2], "float16"], "z": ([2], "complex64")},
        {
            "ids": ([1, 7], torch.int64),
            "mask": ([1, 7], torch.bool),
            "half": ([2], torch.float16),
            "z": ([2], torch.complex64),
        },
    ),
}


@pytest.mark.parametrize(("given", "expected"), MADE.values(), ids=MADE)
def test_inputs_are_made_as_described_and_the_same_each_time(given, expected):
    def named(made):
        return made if isinstance(made, dict) else {"": made}

    one, same, other = (named(made_inputs(given, seed)) for seed in (5, 5, 6))
    assert {name: (list(item.shape), item.dtype) for name, item in one.items()} == expected
    for name, item in one.items():
        assert torch.equal(item, same[name])
        if item.numel() and (item.is_floating_point() or item.is_complex()):
            assert not torch.equal(item, other[name])
        elif item.dtype is torch.bool:
            assert item.all()
        else:
            assert not item.any()


def test_inputs_of_two_names_are_not_the_same_numbers():
    made = made_inputs({"x": [5], "y": [5]})
    assert not torch.equal(made["x"], made["y"])


@pytest.mark.parametrize(
    "given",
    [torch.zeros(2), (torch.zeros(2), torch.zeros(3)), {"x": torch.zeros(2)}, "text", [], [2.5, 3], [True], [-1], None],
    ids=str,
)
def test_inputs_that_describe_nothing_are_given_as_they_are(given):
    assert made_inputs(given) is given


@pytest.mark.parametrize("dtype", ["float33", "int", "sum", "Tensor", ""])
def test_a_dtype_that_torch_does_not_have_is_a_config_error(dtype):
    if dtype == "int":  # torch.int is int32
        assert made_inputs({"x": ([2], dtype)})["x"].dtype is torch.int32
        return
    with pytest.raises(ConfigError, match=f"^{dtype!r} is no dtype of torch: 'float32', 'int64' or 'bool' are$"):
        made_inputs({"x": ([2], dtype)})


def on_meta(make):
    model = unwrapped(make).model
    assert is_on_meta(model)
    return model


def held(model):
    """Every tensor that a model holds, by all of its names, as the object that it is."""
    return {
        (name, kind, key): id(item)
        for name, module in model.named_modules()
        for kind in ("_parameters", "_buffers")
        for key, item in getattr(module, kind).items()
    }


@contextmanager
def left_alone(model):
    def flags():
        return [
            (name, module.training, dict(module._forward_hooks), dict(module._forward_pre_hooks))
            for name, module in model.named_modules()
        ]

    tensors, before = held(model), flags()
    learning = {name: item.requires_grad for name, item in model.named_parameters()}
    yield
    assert held(model) == tensors
    assert flags() == before
    assert {name: item.requires_grad for name, item in model.named_parameters()} == learning
    assert is_on_meta(model)


TOKENS = {"input_ids": ([2, 7], "int64")}
MASKED = {**TOKENS, "attention_mask": ([2, 7], "int64")}


@pytest.mark.parametrize("inputs", [TOKENS, MASKED], ids=["ids", "mask"])
def test_a_model_without_numbers_has_the_table_of_one_with_numbers(inputs):
    given = made_inputs(inputs)
    model = on_meta(llama)
    model.model.layers[0].eval()
    with left_alone(model):
        table = summarize(model, given)
    assert (table.device, table.changes, table.batch) == ("meta", [], 2)
    real = llama()
    real.model.layers[0].eval()
    expected = summarize(real, given)
    assert table.rows == expected.rows
    assert table.whole["flops"] == expected.whole["flops"]


@pytest.mark.slow  # eighty layers of the library's Python code
def test_seventy_billion_parameters_take_no_memory():
    model = on_meta(
        lambda: llama(
            vocab_size=128_256,
            hidden_size=8192,
            intermediate_size=28_672,
            num_hidden_layers=80,
            num_attention_heads=64,
            num_key_value_heads=8,
        )
    )
    with left_alone(model):
        table = summarize(model, made_inputs({"input_ids": ([1, 7], "int64")}))
    rotary = 2 * 7 * 64  # which some versions of transformers multiply as matrices
    assert table.whole["flops"] - 973_152_452_608 in (0, rotary)
    assert table.counts.total == 70_553_706_496
    assert table.rows["model.layers.79"]["out_sizes"] in ([1, 7, 8192], [[1, 7, 8192]])  # a tuple before 5
    assert table.rows["lm_head"]["out_sizes"] == [1, 7, 128_256]


class Masking(nn.Module):
    """A forward that asks a mask for a number, which fake tensors can do without."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 4)
        self.head = nn.Linear(4, 50, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("scale", torch.ones(4))
        self.register_parameter("bias", None)
        self.calls = 0

    def forward(self, ids):
        self.calls += 1
        if self.calls == 1:
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")
        return self.head(self.embedding(ids) * self.scale)


def test_a_second_pass_with_fake_tensors_keeps_ties():
    model = on_meta(Masking)
    with left_alone(model):
        table = summarize(model, made_inputs([3, 7]).long())
    assert model.calls == 2
    assert model.head.weight is model.embedding.weight
    assert table.counts.tied == (("embedding.weight", "head.weight"),)
    assert table.rows["head"] == {
        "type": "Linear",
        "parameters": 200,
        "mode": "train",
        "in_sizes": [3, 7, 4],
        "out_sizes": [3, 7, 50],
        "flops": 2 * 3 * 7 * 4 * 50,
    }
    # The first pass came to nothing, and nothing of it is counted.
    assert table.whole["flops"] == table.rows["head"]["flops"]


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 1)

    def forward(self, x):
        return x if self.gate(x).sum().item() > 0 else -x


def test_a_decision_about_numbers_is_an_error_that_names_itself():
    model = on_meta(Deciding)
    with (
        left_alone(model),
        pytest.raises(
            ModelCheckError, match=r"^forward raised DataDependentOutputException: aten\._local_scalar_dense"
        ),
    ):
        summarize(model, torch.zeros(2, 4))
    assert summarize(Deciding(), torch.zeros(2, 4)).whole["flops"] == 16


def test_a_wrong_shape_is_told_as_elsewhere():
    model = on_meta(lambda: nn.Sequential(nn.Linear(4, 3)))
    with left_alone(model), pytest.raises(ModelCheckError, match=r"(?s)^forward raised .*\n  inputs: input \[2, 5\]$"):
        summarize(model, torch.zeros(2, 5))


def test_inputs_on_meta_are_inputs_too():
    model = on_meta(lambda: nn.Sequential(nn.Linear(4, 3)))
    inputs = torch.zeros(2, 4, device="meta")
    assert summarize(model, inputs).rows["0"]["out_sizes"] == [2, 3]
    on_cpu = torch.zeros(2, 4)
    summarize(model, on_cpu)
    assert on_cpu.device.type == "cpu"


def test_what_is_no_model_is_refused():
    message = "list is no torch.nn.Module: give the model itself, or a function without arguments that builds it"
    with pytest.raises(ModelCheckError, match=f"^{re.escape(message)}$"):
        unwrapped(list)
