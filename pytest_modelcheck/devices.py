"""Which device a check runs on, and whether it is there. The names are torch's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_modelcheck.errors import ConfigError, ModelCheckError, require

if TYPE_CHECKING:
    from torch.nn import Module

_NAME = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,3})?")


def parse_devices(text: str) -> tuple[str, ...]:
    """The names in a comma list, each of them `auto`, `cpu`, `cuda`, `cuda:N` or `mps`, none of them twice.

    >>> parse_devices("cpu, cuda:0")
    ('cpu', 'cuda:0')
    >>> parse_devices("gpu")
    Traceback (most recent call last):
    pytest_modelcheck.ConfigError: unknown device 'gpu': auto, cpu, cuda, cuda:N or mps is expected
    """
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"unknown device {name!r}: auto, cpu, cuda, cuda:N or mps is expected")
    if len(set(names)) < len(names):
        raise ConfigError(f"a device is named twice in {text!r}")
    return names


def missing_device(name: str) -> str:
    """Why a device is not there, or `""` where it is. Only a GPU's name makes torch load."""
    if name in ("auto", "cpu", ""):
        return ""
    torch = require("torch", f"device {name}")
    if name == "mps":
        return "" if torch.backends.mps.is_available() else "this torch finds no MPS device"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        return "this torch finds no CUDA device"
    index = int(name.partition(":")[2] or 0)
    return "" if index < count else f"this torch finds {count} CUDA device{'s' * (count != 1)}, numbered from 0"


def resolve_device(name: str) -> str:
    """The device that a name stands for: `auto` is the first of CUDA, MPS and the CPU that is there.

    >>> resolve_device("cpu")
    'cpu'
    """
    if name == "auto":
        return next(candidate for candidate in ("cuda", "mps", "cpu") if not missing_device(candidate))
    problem = missing_device(name)
    if problem:
        raise ModelCheckError(f"device {name}: {problem}")
    return name


def device_of(model: Module) -> str:
    """The device that holds a model's parameters and buffers; `"cpu"` for a model without any.

    A model that is spread over several devices has none of its own: a `ModelCheckError` that names them.
    """
    names = sorted({str(tensor.device) for tensor in (*model.parameters(), *model.buffers())})
    if len(names) > 1:
        raise ModelCheckError(f"the model is spread over {', '.join(names)}: check it on one device")
    return names[0] if names else "cpu"


@contextmanager
def placed(model: Module, device: str) -> Iterator[str]:
    """Hold a model on a device for the time of the block, and yield the device; `""` leaves it where it is."""
    home = device_of(model)
    target = resolve_device(device) if device else home
    moved = target not in (home, home.partition(":")[0])
    if moved and home == "meta":
        raise ModelCheckError(f"the model is on the meta device and has no weights to move to {target}")
    try:
        if moved:
            model.to(target)
        yield target
    finally:
        if moved:
            model.to(home)
