"""The world and a model are as they were, and what changed is named."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.guard import preserved_model, same_tensor
from pytest_modelcheck.models.forward import run
from pytest_modelcheck.process import preserved_world, seed_world

SETTINGS = [
    (
        "the default dtype was changed from torch.float32 to torch.float64",
        torch.get_default_dtype,
        lambda: torch.set_default_dtype(torch.float64),
    ),
    (
        "the grad mode was changed from True to False",
        torch.is_grad_enabled,
        lambda: torch.set_grad_enabled(False),
    ),
    (
        "the number of threads was changed from {before} to 3",
        torch.get_num_threads,
        lambda: torch.set_num_threads(3),
    ),
    (
        "autocast on the CPU was changed from False to True",
        lambda: torch.is_autocast_enabled("cpu"),
        lambda: torch.set_autocast_enabled("cpu", True),
    ),
    (
        "autocast on CUDA was changed from False to True",
        lambda: torch.is_autocast_enabled("cuda"),
        lambda: torch.set_autocast_enabled("cuda", True),
    ),
    (
        "deterministic algorithms was changed from (False, False) to (True, True)",
        torch.are_deterministic_algorithms_enabled,
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    ),
    (
        "the float32 matmul precision was changed from highest to medium",
        torch.get_float32_matmul_precision,
        lambda: torch.set_float32_matmul_precision("medium"),
    ),
    *(
        (
            f"torch.backends.cudnn.{name} was changed from {{before}} to {{after}}",
            lambda name=name: getattr(torch.backends.cudnn, name),
            lambda name=name: setattr(torch.backends.cudnn, name, not getattr(torch.backends.cudnn, name)),
        )
        for name in ("enabled", "benchmark", "deterministic")
    ),
]


@pytest.mark.parametrize(("message", "read", "change"), SETTINGS, ids=[row[0].partition(" was")[0] for row in SETTINGS])
def test_a_setting_is_restored_and_named(message, read, change):
    before = read()
    with preserved_world() as changes:
        change()
        after = read()
    assert read() == before != after
    assert changes == [message.format(before=before, after=after)]


@pytest.mark.parametrize(("message", "read", "change"), SETTINGS, ids=[row[0].partition(" was")[0] for row in SETTINGS])
def test_a_setting_is_restored_after_an_exception(message, read, change):
    before = read()
    with pytest.raises(ValueError, match="lost"), preserved_world():
        change()
        raise ValueError("lost")
    assert read() == before


@pytest.mark.parametrize("draw", [random.random, np.random.random, lambda: torch.rand(1).item()])
def test_random_states_are_restored_without_a_word(draw):
    with preserved_world():
        expected = [draw(), draw()]
    with preserved_world() as changes:
        assert [draw(), draw()] == expected
        seed_world(99)
    assert changes == []
    assert draw() == expected[0]


def test_a_seed_gives_the_same_numbers_everywhere():
    with preserved_world():
        seed_world(7)
        first = random.random(), np.random.random(), torch.rand(2).tolist()
        seed_world(7)
        assert (random.random(), np.random.random(), torch.rand(2).tolist()) == first
        seed_world(8)
        assert random.random() != first[0]


def test_a_world_that_nobody_touched_has_no_changes():
    with preserved_world() as changes:
        torch.zeros(1).add_(1)
    assert changes == []


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(3, 3)
        self.decoder = nn.Linear(3, 3)
        self.decoder.weight = self.encoder.weight
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("counter", torch.zeros(1), persistent=False)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Tied().eval()


def fingerprint(model):
    """Everything that a check may not change, in a form that compares."""
    return (
        {name: tensor.detach().clone().tolist() for name, tensor in model.named_parameters(remove_duplicate=False)},
        {name: tensor.detach().clone().tolist() for name, tensor in model.named_buffers()},
        {name: id(tensor) for name, tensor in model.named_parameters(remove_duplicate=False)},
        {name: (id(module), module.training) for name, module in model.named_modules()},
        {name: tensor.requires_grad for name, tensor in model.named_parameters()},
        {name: list(module._forward_hooks) for name, module in model.named_modules()},
    )


def noop(*args):
    """A hook that does nothing."""


CHANGES = [
    ("bias", ["decoder.bias was changed"], lambda model: model.decoder.bias.data.add_(1)),
    ("tied", ["encoder.weight was changed"], lambda m: m.encoder.weight.data.zero_()),
    ("nan", ["decoder.bias was changed"], lambda model: model.decoder.bias.data.fill_(float("nan"))),
    (
        "untied",
        ["decoder.weight was changed"],
        lambda model: setattr(model.decoder, "weight", nn.Parameter(torch.zeros(3, 3))),
    ),
    ("buffer", ["counter was changed"], lambda model: model.counter.add_(1)),
    ("new buffer", ["norm.running_mean was changed"], lambda m: setattr(m.norm, "running_mean", torch.ones(3))),
    (
        "statistics",
        ["norm.running_mean was changed", "norm.running_var was changed", "norm.num_batches_tracked was changed"],
        lambda model: model.norm.train()(torch.arange(6.0).reshape(2, 3)),
    ),
    ("removed", ["decoder.bias was removed"], lambda model: delattr(model.decoder, "bias")),
    ("none", ["decoder.bias was removed"], lambda model: setattr(model.decoder, "bias", None)),
    ("added", ["extra was added"], lambda model: setattr(model, "extra", nn.Parameter(torch.zeros(1)))),
    ("added buffer", ["seen was added"], lambda model: model.register_buffer("seen", torch.zeros(1))),
    (
        "resized",
        ["decoder.bias was changed"],
        lambda model: setattr(model.decoder.bias, "data", torch.zeros(5)),
    ),
    (
        "dtype",
        ["decoder.bias was changed"],
        lambda model: setattr(model.decoder.bias, "data", model.decoder.bias.data.double()),
    ),
    ("layer", ["norm.weight was removed"], lambda model: setattr(model, "norm", nn.Identity())),
    (
        "frozen",
        ["requires_grad of norm.weight was changed from True to False"],
        lambda model: model.norm.weight.requires_grad_(False),
    ),
    ("hook", ["the hooks of norm were changed"], lambda model: model.norm.register_forward_hook(noop)),
    ("pre hook", ["the hooks of the model were changed"], lambda model: model.register_forward_pre_hook(noop)),
    (
        "keyword hook",
        ["the hooks of norm were changed"],
        lambda model: model.norm.register_forward_hook(noop, with_kwargs=True),
    ),
    ("backward hook", ["the hooks of norm were changed"], lambda m: m.norm.register_full_backward_hook(noop)),
]


@pytest.mark.parametrize(("named", "change"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_change_of_the_model_is_restored_and_named(model, named, change):
    before = fingerprint(model)
    with preserved_model(model) as changes:
        change(model)
    assert fingerprint(model) == before
    assert changes[: len(named)] == named
    assert model.decoder.weight is model.encoder.weight


def test_a_replaced_layer_is_named():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    relu = model[1]
    with preserved_model(model) as changes:
        model[1] = nn.Identity()
    assert model[1] is relu
    assert changes == ["the layers of the model were changed"]


def test_the_model_is_restored_after_an_exception(model):
    before = fingerprint(model)
    with pytest.raises(ValueError, match="lost"), preserved_model(model):
        model.decoder.bias.data.add_(1)
        model.train()
        raise ValueError("lost")
    assert fingerprint(model) == before


def test_train_flags_of_every_module_are_restored_without_a_word(model):
    model.norm.train()
    with preserved_model(model) as changes:
        model.train()
        model.decoder.eval()
    assert {name: module.training for name, module in model.named_modules()} == {
        "": False,
        "encoder": False,
        "decoder": False,
        "norm": True,
    }
    assert changes == []


def test_a_nan_that_was_there_is_no_change(model):
    model.decoder.bias.data.fill_(float("nan"))
    model.counter.fill_(float("nan"))
    with preserved_model(model) as changes:
        model.norm.train().eval()
    assert changes == []


def test_a_nan_that_went_away_is_a_change(model):
    model.counter.fill_(float("nan"))
    with preserved_model(model) as changes:
        model.counter.zero_()
    assert changes == ["counter was changed"]
    assert model.counter.isnan().all()


def test_a_removed_keyword_hook_still_gets_its_keywords():
    model = nn.Linear(1, 1)
    seen = []
    handle = model.register_forward_hook(lambda *args: seen.append(len(args)), with_kwargs=True)
    with preserved_model(model) as changes:
        handle.remove()
    model(torch.zeros(1))
    assert changes == ["the hooks of the model were changed"]
    assert seen == [4]


def test_a_model_on_the_meta_device_is_left_alone():
    model = nn.Sequential(nn.Linear(2, 2, device="meta"), nn.BatchNorm1d(2, device="meta"))
    with preserved_model(model) as changes:
        model(torch.zeros(2, 2, device="meta"))
    assert changes == []


def test_a_lazy_model_is_refused_by_name():
    model = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d())
    with pytest.raises(ModelCheckError) as raised, preserved_model(model):
        pytest.fail("the block ran")
    assert str(raised.value) == (
        "0.weight, 0.bias, 1.weight and others have no size before the first forward pass: run the model once, then "
        "check it"
    )
    assert model(torch.zeros(2, 4)).shape == (2, 3)


def test_a_lazy_model_that_has_run_is_a_model():
    model = nn.Sequential(nn.LazyLinear(3))
    model(torch.zeros(2, 4))
    with preserved_model(model) as changes:
        model(torch.ones(2, 4))
    assert changes == []


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (torch.tensor([1.0, float("nan")]), torch.tensor([1.0, float("nan")]), True),
        (torch.tensor([1.0, float("nan")]), torch.tensor([float("nan"), 1.0]), False),
        (torch.tensor([1.0]), torch.tensor([float("nan")]), False),
        (torch.tensor([1.0]), torch.tensor([1.0], dtype=torch.float64), False),
        (torch.tensor([1.0]), torch.tensor([[1.0]]), False),
        (torch.tensor([1]), torch.tensor([1]), True),
        (torch.tensor([1]), torch.tensor([2]), False),
        (torch.tensor([complex("nan")]), torch.tensor([complex("nan")]), True),
        (torch.zeros(2, device="meta"), torch.zeros(2, device="meta"), True),
        (torch.zeros(2, device="meta"), torch.zeros(3, device="meta"), False),
        (torch.zeros(2, device="meta"), torch.zeros(2), False),
    ],
)
def test_tensors_are_compared_to_the_bit(left, right, same):
    assert same_tensor(left, right) is same


class Rude(nn.Linear):
    def forward(self, inputs):
        torch.set_default_dtype(torch.float64)
        return super().forward(inputs)


@pytest.mark.parametrize("meta", [False, True])
def test_a_forward_is_guarded_with_numbers_and_without(meta):
    seen = run(Rude(4, 3), torch.zeros(2, 4), meta=meta)
    assert seen.changes == ["the default dtype was changed from torch.float32 to torch.float64"]
    assert torch.get_default_dtype() == torch.float32
