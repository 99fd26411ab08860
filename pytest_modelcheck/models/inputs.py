"""Inputs for a model, from what a promise says of them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ConfigError, require

if TYPE_CHECKING:
    from torch import Tensor


def made_inputs(given: Any, seed: int = 0) -> Any:
    """The inputs themselves, or what a specification describes: a shape, or names with shapes and dtypes.

    `[32, 1, 28, 28]` is one float32 tensor; `{"input_ids": ([1, 7], "int64")}` are keywords. Floats are drawn from a
    standard normal distribution on the CPU, by the seed and the name; integers are zeros, which are ids in every
    vocabulary; booleans are true.

    >>> made_inputs({"input_ids": ([1, 7], "int64")})["input_ids"].tolist()
    [[0, 0, 0, 0, 0, 0, 0]]
    >>> made_inputs([2, 3]).shape
    torch.Size([2, 3])
    """
    if _is_shape(given):
        return _tensor("", given, "float32", seed)
    if isinstance(given, Mapping) and any(_is_specification(item) for item in given.values()):
        return {name: _of(name, item, seed) for name, item in given.items()}
    return given


def _of(name: str, item: Any, seed: int) -> Any:
    if not _is_specification(item):
        return item
    shape, dtype = (item, "float32") if _is_shape(item) else item
    return _tensor(name, shape, dtype, seed)


def _is_shape(item: Any) -> bool:
    sizes = isinstance(item, list | tuple) and bool(item)
    return sizes and all(isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in item)


def _is_specification(item: Any) -> bool:
    pair = isinstance(item, list | tuple) and len(item) == 2 and isinstance(item[1], str)
    return _is_shape(item) or (pair and _is_shape(item[0]))


def _tensor(name: str, shape: Any, dtype: str, seed: int) -> Tensor:
    torch = require("torch", "making inputs")
    kind = getattr(torch, dtype.removeprefix("torch."), None)
    if not isinstance(kind, torch.dtype):
        raise ConfigError(f"{dtype!r} is no dtype of torch: 'float32', 'int64' or 'bool' are")
    if kind is torch.bool:
        made: Tensor = torch.ones(*shape, dtype=kind, device="cpu")
    elif kind.is_floating_point or kind.is_complex:
        generator = torch.Generator("cpu").manual_seed(seed + zlib.crc32(name.encode()))
        made = torch.randn(*shape, generator=generator, device="cpu").to(kind)
    else:
        made = torch.zeros(*shape, dtype=kind, device="cpu")
    return made
