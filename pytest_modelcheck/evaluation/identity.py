"""Whether a model is still the one that was measured: a digest of everything that decides what it predicts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePath
from types import NoneType
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import guard, process
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.tensors import bytes_of, require_module

if TYPE_CHECKING:
    from torch.nn import Module

_PLAIN = (bool, int, float, complex, str, bytes, NoneType, PurePath)

# What a pass sets itself, and what a LightningModule is attached to rather than made of.
_APART = ("training", "_trainer", "_fabric")

# A model that holds more objects than this is not looked through, and shares nothing.
_MOST = 50_000


def model_digest(model: Module) -> str:
    """The digest of `model_identity` alone, for models that are compared while both are there."""
    return model_identity(model)[0]


def model_identity(model: Module) -> tuple[str, list[object]]:
    """A digest of a model's layers, weights, buffers, attributes and hooks, and of torch's numeric settings.

    Configurations, lists and tensors that layers hold are looked into; functions and objects that hide their state
    count as which object they are. `""` where there is too much to look through.

    The digest comes with those objects: it names no other model for as long as somebody holds them.
    """
    torch = require_module(model)
    guard.refuse_lazy(model)
    if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        raise ModelCheckError("the model is on the meta device and has no weights: evaluate a real one")
    walk = _Walk(torch)
    walk.add(process.settings_now())
    walk.add([*model.named_parameters(), *model.named_buffers()])  # a scripted model shows them in no other way
    walk.add(model)
    return (walk.digest.hexdigest() if len(walk.seen) <= _MOST else ""), walk.named


def weights_digest(model: Module) -> str:
    """A digest of the parameters and buffers of a model, by their names: the same in every process."""
    digest = hashlib.sha256()
    for name, item in (*model.named_parameters(), *model.named_buffers()):
        digest.update(f"{name} {item.dtype} {list(item.shape)}\0".encode())
        digest.update(bytes_of(item))
    return digest.hexdigest()


class _Walk:
    """A walk through what an object holds, each object once, into one digest."""

    def __init__(self, torch: Any) -> None:
        self.digest = hashlib.sha256()
        self.seen: dict[int, tuple[int, object]] = {}
        self.named: list[object] = []
        self._torch = torch

    def add(self, value: Any) -> None:
        """Add a value and what it holds."""
        if isinstance(value, _PLAIN):
            self._write(repr(value))
        elif id(value) in self.seen:
            self._write(f"again {self.seen[id(value)][0]}")
        elif len(self.seen) <= _MOST:
            self.seen[id(value)] = (len(self.seen), value)  # held, so that no other object gets its id
            self._write(type(value).__qualname__)
            self._add_object(value)

    def _add_object(self, value: Any) -> None:
        if isinstance(value, self._torch.Tensor):
            self._write(f"{value.dtype} {list(value.shape)} {value.requires_grad}")
            self.digest.update(b"" if value.is_meta else bytes_of(value))
        elif type(value).__module__ == "numpy" and hasattr(value, "tobytes"):
            self._write(f"{value.dtype} {value.shape}")
            self.digest.update(value.tobytes())
        elif isinstance(value, Mapping):
            for key, item in list(value.items()):
                self.add(key)
                self.add(item)
        elif isinstance(value, list | tuple):
            for item in list(value):
                self.add(item)
        elif isinstance(value, self._torch.nn.Module):
            self._name(type(value))
            self._name(getattr(type(value), "forward", None))
            self._add_attributes(value)
        elif hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
            self._name(type(value))
            self._add_attributes(value)
        elif isinstance(value, set | frozenset):
            self._write(repr(value))
        else:
            self._name(value)

    def _name(self, value: object) -> None:
        self.named.append(value)
        self._write(str(id(value)))

    def _add_attributes(self, value: Any) -> None:
        for key, item in list(vars(value).items()):
            if key not in _APART:
                self._write(key)
                self.add(item)

    def _write(self, text: str) -> None:
        self.digest.update(text.encode("utf-8", "backslashreplace") + b"\0")
