"""Tensors in nested values: found, copied, moved and compared; and a model called on them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import guard
from pytest_modelcheck.errors import RAISED, ModelCheckError, require, told
from pytest_modelcheck.memory import memory_advice

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def require_module(model: object) -> Any:
    """Torch, once it is clear that the model is one of its modules."""
    torch = require("torch", "looking at a model")
    if not isinstance(model, torch.nn.Module):
        made = f", one that is made of the class {model.__name__}" if isinstance(model, type) else ""
        raise ModelCheckError(f"{type(model).__name__} is no torch.nn.Module: give the model itself{made}")
    return torch


def called(model: Module, inputs: Any) -> Any:
    """The model's output: a tuple is passed as positional arguments, a mapping as keywords, anything else as the one.

    Raises `ModelCheckError`, with the shapes of the inputs, where the forward raises.
    """
    __tracebackhide__ = True
    try:
        if isinstance(inputs, Mapping):
            return model(**inputs)
        return model(*inputs) if isinstance(inputs, tuple) else model(inputs)
    except ModelCheckError:
        raise
    except RAISED as error:
        shapes = ", ".join(f"{path or 'input'} {_shown(tensor)}" for path, tensor in tensors_in(inputs))
        raise ModelCheckError(
            f"forward raised {told(error)}\n  inputs: {shapes or type(inputs).__name__}{memory_advice(error)}"
        ) from error


def _shown(tensor: Tensor) -> str:
    """The shape of a tensor, and where it is unless that is the CPU."""
    device = str(tensor.device)
    return f"{list(tensor.shape)}" + (f" on {device}" if device not in ("cpu", "meta") else "")


def tensors_in(value: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in a value with its path: `"0"` in a tuple, `"last_hidden_state"` in a model output.

    >>> import torch
    >>> [path for path, _ in tensors_in((torch.zeros(1), {"state": torch.zeros(1)}))]
    ['0', '1.state']
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        yield path, value
    else:
        for key, item in _children(value):
            yield from tensors_in(item, f"{path}.{key}" if path else key)


def leaves_in(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every tensor in a value with its path, as in `tensors_in`, and everything else that holds no values itself."""
    torch = sys.modules.get("torch")
    is_tensor = torch is not None and isinstance(value, torch.Tensor)
    children = [] if is_tensor else list(_children(value))
    if not children:
        yield path, value
    for key, item in children:
        yield from leaves_in(item, f"{path}.{key}" if path else key)


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from zip(value._fields, value, strict=True)
    elif isinstance(value, list | tuple):
        yield from ((str(index), item) for index, item in enumerate(value))
    elif is_dataclass(value) and not isinstance(value, type):
        yield from ((item.name, getattr(value, item.name)) for item in fields(value))


def copied(value: Any) -> Any:
    """The value with every tensor in it copied, so that a model may write into what it is given."""
    if hasattr(value, "clone") and callable(value.clone):
        return value.clone()
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(copied, value))
    if isinstance(value, list | tuple):
        return type(value)(map(copied, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{item.name: copied(getattr(value, item.name)) for item in fields(value)})
    return value


def moved_to(value: Any, device: str) -> Any:
    """The value with every tensor in it on the device: tensors, mappings, sequences and dataclasses are looked into."""
    # A mapping comes first: transformers' BatchEncoding has a method `to` that moves its own tensors.
    if isinstance(value, Mapping):
        return {key: moved_to(item, device) for key, item in value.items()}
    if hasattr(value, "to") and callable(value.to):
        return value.to(device)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(moved_to(item, device) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(moved_to(item, device) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{item.name: moved_to(getattr(value, item.name), device) for item in fields(value)})
    return value


def same_tensors(left: Any, right: Any) -> bool:
    """Whether the tensors in two values are the same, in order and by their paths."""
    one, other = list(tensors_in(left)), list(tensors_in(right))
    return [path for path, _ in one] == [path for path, _ in other] and all(
        guard.same_tensor(now, before) for (_, now), (_, before) in zip(one, other, strict=True)
    )


def is_finite(tensor: Tensor) -> bool:
    """Whether no element is NaN or infinite. A tensor on the meta device has no elements to ask."""
    has_nan = tensor.is_floating_point() or tensor.is_complex()
    return tensor.is_meta or not has_nan or bool(tensor.isfinite().all())


def bytes_of(tensor: Tensor) -> memoryview:
    """The values of a tensor as bytes, of any dtype, in the order of its elements; a copy only where it must be."""
    import torch

    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")


def same_bytes(left: bytes | memoryview, right: bytes | memoryview) -> bool:
    """Whether two stretches of bytes are the same, compared eight at a time, where Python would take one by one."""
    import numpy

    if len(left) != len(right):
        return False
    whole = len(left) - len(left) % 8
    words = (numpy.frombuffer(part[:whole], numpy.int64) for part in (memoryview(left), memoryview(right)))
    return bool(numpy.equal(*words).all()) and left[whole:] == right[whole:]
