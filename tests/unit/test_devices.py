"""Which device, and is it there."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pytest_modelcheck import devices
from pytest_modelcheck.devices import device_of, missing_device, parse_devices, placed, resolve_device
from pytest_modelcheck.errors import ConfigError, ModelCheckError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("auto", ("auto",)),
        ("cpu", ("cpu",)),
        ("cuda", ("cuda",)),
        ("cuda:12", ("cuda:12",)),
        ("mps", ("mps",)),
        (" cpu , cuda:0,mps ", ("cpu", "cuda:0", "mps")),
    ],
)
def test_device_names_are_read(text, names):
    assert parse_devices(text) == names


@pytest.mark.parametrize("name", ["", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "meta", "cuda 0", "mps:0\n"])
def test_an_unknown_device_is_named(name):
    with pytest.raises(ConfigError) as raised:
        parse_devices(name)
    assert str(raised.value) == f"unknown device {name.strip()!r}: auto, cpu, cuda, cuda:N or mps is expected"


def test_a_gap_in_the_list_is_an_unknown_device():
    with pytest.raises(ConfigError) as raised:
        parse_devices("cpu,,cuda")
    assert str(raised.value) == "unknown device '': auto, cpu, cuda, cuda:N or mps is expected"


def test_a_device_is_named_once():
    with pytest.raises(ConfigError) as raised:
        parse_devices("cpu, cpu")
    assert str(raised.value) == "a device is named twice in 'cpu, cpu'"


@pytest.fixture
def gpus(monkeypatch):
    def pretend(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    return pretend


@pytest.mark.parametrize(
    ("count", "name", "problem"),
    [
        (0, "", ""),
        (0, "auto", ""),
        (0, "cpu", ""),
        (0, "cuda", "this torch finds no CUDA device"),
        (0, "cuda:0", "this torch finds no CUDA device"),
        (0, "mps", "this torch finds no MPS device"),
        (1, "cuda", ""),
        (1, "cuda:0", ""),
        (1, "cuda:1", "this torch finds 1 CUDA device, numbered from 0"),
        (2, "cuda:1", ""),
        (2, "cuda:7", "this torch finds 2 CUDA devices, numbered from 0"),
    ],
)
def test_what_is_missing_is_said(gpus, count, name, problem):
    gpus(count)
    assert missing_device(name) == problem


def test_auto_is_the_first_that_is_there(gpus, monkeypatch):
    gpus(0)
    assert resolve_device("auto") == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto") == "mps"
    gpus(1)
    assert resolve_device("auto") == "cuda"


def test_a_missing_device_is_an_error_and_never_the_cpu(gpus):
    gpus(0)
    with pytest.raises(ModelCheckError) as raised:
        resolve_device("cuda:3")
    assert str(raised.value) == "device cuda:3: this torch finds no CUDA device"


def test_the_device_of_a_model_is_that_of_its_tensors():
    assert device_of(nn.Linear(1, 1)) == "cpu"
    assert device_of(nn.Identity()) == "cpu"
    assert device_of(nn.Linear(1, 1, device="meta")) == "meta"


def test_a_model_on_two_devices_has_none():
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1, device="meta"))
    with pytest.raises(ModelCheckError) as raised:
        device_of(model)
    assert str(raised.value) == "the model is spread over cpu, meta: check it on one device"


class Moving(nn.Linear):
    """A layer that writes down where it is asked to go, and stays."""

    def __init__(self, fail_at=()):
        super().__init__(1, 1)
        self.moves = []
        self.fail_at = fail_at

    def to(self, device):
        self.moves.append(device)
        if device in self.fail_at:
            raise MemoryError(device)
        return self


@pytest.mark.parametrize(("device", "moves"), [("", []), ("cpu", []), ("cuda", ["cuda", "cpu"])])
def test_a_model_is_moved_there_and_back(gpus, device, moves):
    gpus(1)
    model = Moving()
    with placed(model, device) as target:
        assert target == (device or "cpu")
    assert model.moves == moves


def test_a_model_goes_back_after_an_exception(gpus):
    gpus(1)
    model = Moving()
    with pytest.raises(ValueError, match="lost"), placed(model, "cuda:0"):
        raise ValueError("lost")
    assert model.moves == ["cuda:0", "cpu"]


def test_a_model_that_does_not_fit_goes_back(gpus):
    gpus(1)
    model = Moving(fail_at=["cuda"])
    with pytest.raises(MemoryError), placed(model, "cuda"):
        pytest.fail("the block ran")
    assert model.moves == ["cuda", "cpu"]


def test_a_missing_device_moves_nothing(gpus):
    gpus(0)
    model = Moving()
    with pytest.raises(ModelCheckError), placed(model, "cuda"):
        pytest.fail("the block ran")
    assert model.moves == []


def test_a_model_without_weights_cannot_be_moved():
    with pytest.raises(ModelCheckError) as raised, placed(nn.Linear(1, 1, device="meta"), "cpu"):
        pytest.fail("the block ran")
    assert str(raised.value) == "the model is on the meta device and has no weights to move to cpu"


def test_a_gpus_number_is_part_of_where_the_model_is(monkeypatch):
    monkeypatch.setattr(devices, "device_of", lambda model: "cuda:1")
    monkeypatch.setattr(devices, "missing_device", lambda name: "")
    model = Moving()
    with placed(model, "cuda:0"):
        pass
    assert model.moves == ["cuda:0", "cuda:1"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_a_real_model_goes_to_the_gpu_and_back():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    weight = model[0].weight
    values = weight.detach().clone()
    with placed(model, "cuda") as target:
        assert target == "cuda"
        assert device_of(model) == "cuda:0"
    assert device_of(model) == "cpu"
    assert model[0].weight is weight
    assert torch.equal(weight, values)
