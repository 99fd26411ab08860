"""Models that a counter, a hook or a name can be wrong about."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.checks.parameters import parameters
from pytest_modelcheck.checks.summary import flops
from pytest_modelcheck.models.parameters import count_parameters
from pytest_modelcheck.models.summary import summarize
from pytest_modelcheck.models.wrappers import unwrapped


def transformer():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.lstm(x)[0])


class Constant(Recurrent):
    """One that makes a tensor of its own, which on the meta device takes a second try."""

    def forward(self, x):
        return super().forward(x) + torch.ones(2)


class Mixed(nn.Module):
    """One whose factory keeps a tensor with numbers."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("positions", torch.from_numpy(np.ones((1, 4), dtype="float32")))
        self.offset = torch.ones(4)

    def forward(self, x):
        return self.linear(x) + self.positions + self.offset


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(4, 4)
        self.again = nn.ModuleList([self.up])

    def forward(self, x):
        return self.again[0](self.up(x))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight.data = self.words.weight.data


@pytest.mark.parametrize(
    ("make", "inputs", "operations"),
    [
        (transformer, (2, 7, 16), 127_232),
        (Recurrent, (2, 7, 8), 14_784),
        (Constant, (2, 7, 8), 14_784),
        (Mixed, (2, 4), 64),
        (Shared, (2, 4), 128),
    ],
    ids=["attention", "lstm", "a constant", "a real tensor in a factory", "a shared layer"],
)
def test_operations_are_the_same_with_numbers_and_without(make, inputs, operations):
    real = summarize(make(), torch.zeros(*inputs))
    without = summarize(unwrapped(make).model, torch.zeros(*inputs))
    assert real.whole == without.whole
    assert real.whole["flops"] == operations
    assert {name: row["flops"] for name, row in real.rows.items()} == {
        name: row["flops"] for name, row in without.rows.items()
    }


@pytest.mark.parametrize("depth", [1, 2, 3, -1])
def test_operations_do_not_depend_on_how_deep_is_looked(depth):
    assert summarize(transformer(), torch.zeros(2, 7, 16), max_depth=depth).whole["flops"] == 127_232


def test_the_kernels_are_as_before():
    def state():
        return torch.backends.mha.get_fastpath_enabled(), torch._C._get_mkldnn_enabled(), torch.backends.cudnn.enabled

    before = state()
    with pytest.raises(ModelCheckError):
        summarize(nn.Linear(4, 3), torch.zeros(2, 5))
    assert state() == before


def test_a_shared_layer_has_its_operations_under_its_first_name_and_counts_under_all():
    table = summarize(Shared(), torch.zeros(2, 4))
    assert {name: row["flops"] for name, row in table.rows.items()} == {"up": 128, "again": None}
    assert parameters(Shared(), layers={"up": 20, "again.0": 20}, total=20).ok


def test_what_is_no_layer_is_in_the_table():
    model = nn.Linear(4, 3)
    table = summarize(model, torch.zeros(2, 4))
    assert {name: row["type"] for name, row in table.rows.items()} == {
        "weight": "Parameter[3, 4]",
        "bias": "Parameter[3]",
    }
    assert table.whole == {"in_sizes": [2, 4], "out_sizes": [2, 3], "flops": 48}


def test_a_model_that_the_counter_cannot_watch_is_told_from_one_that_fails():
    class Learning(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x):
            with torch.enable_grad():
                x = x.clone().requires_grad_()
                return torch.autograd.grad(self.inner(x).sum(), x)[0]

    message = r"torch's FlopCounterMode cannot watch this model .*: leave the column flops out$"
    with pytest.raises(ModelCheckError, match=message):
        summarize(Learning(), torch.zeros(2, 4))
    assert summarize(Learning(), torch.zeros(2, 4), flops=False).whole["out_sizes"] == [2, 4]


@pytest.mark.parametrize("make", [Tied, Tied()], ids=["without numbers", "with numbers"])
def test_a_tie_by_data_is_one_tensor(make):
    assert parameters(make, total=40, tied=[("words.weight", "head.weight")]).ok


def test_slices_of_one_tensor_are_tensors_of_their_own():
    whole, model = torch.zeros(10, 10), nn.Module()
    model.rows, model.columns = nn.Parameter(whole[:5]), nn.Parameter(whole[:, :5])
    assert parameters(model, total=100).ok
    assert not parameters(model, tied=[("rows", "columns")]).ok


def test_a_tensor_without_strides_is_counted():
    model = nn.Module()
    model.sparse = nn.Parameter(torch.eye(3).to_sparse())
    assert count_parameters(model).total == 9


def test_a_frozen_graph_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = torch.jit.freeze(torch.jit.script(nn.Sequential(nn.Linear(10, 10)).eval()))
    result = parameters(frozen, max_total=1)
    assert result.outcome == "error"
    assert result.message.endswith(
        "it is scripted and shows no parameters: what was frozen into its graph is not counted"
    )


@pytest.mark.parametrize("promise", [{"max_total": 5}, {"max_trainable": 5}, {"max_size_mb": 1}])
def test_nothing_keeps_no_bound(promise):
    result = parameters(nn.ReLU(), **promise)
    assert (result.outcome, result.message) == (
        "failed",
        "parameters of ReLU: the model has no parameters that could keep it.",
    )


def test_a_share_of_several_processes_is_refused():
    class FullyShardedDataParallel(nn.Module):
        world_size = 2

        def __init__(self):
            super().__init__()
            self.module = nn.Linear(4, 3)

    inner = nn.Sequential(FullyShardedDataParallel())
    for model, place in ((FullyShardedDataParallel(), "the model"), (inner, "0")):
        result = parameters(model, max_total=100)
        assert result.message.endswith(
            f"not measured: {place} is sharded over 2 processes by FSDP, and each has a part: check the model before "
            "it is wrapped"
        )


def test_names_of_the_users_own_are_not_taken_for_wrappers():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self._orig_mod = nn.Linear(3, 3)
            self.module = nn.Linear(2, 2)

    assert parameters(Own(), layers={"_orig_mod": 12, "module": 6}).ok


def test_a_wrong_shape_is_tried_once(capfd):
    result = flops(lambda: nn.Linear(4, 3), [2, 5], max=100)
    assert result.outcome == "error"
    assert "input [2, 5]" in result.message
    assert capfd.readouterr().err == ""
