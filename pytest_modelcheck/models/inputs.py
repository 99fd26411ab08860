"""Inputs for a model, from what a promise says of them."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ConfigError, ModelCheckError, require
from pytest_modelcheck.models.axes import Expression
from pytest_modelcheck.models.shapes import Shape, Sizes, parse_shape

if TYPE_CHECKING:
    from torch import Tensor

# Sizes of names that have none: small, and apart from each other, so that no axis is taken for another.
_USUAL: Mapping[str, int] = MappingProxyType({"batch": 2, "tokens": 7})
_SPARE = (5, 3, 11, 13, 17, 19, 23, 29)

_DTYPE = re.compile(r"(torch\.)?(bool|bfloat|complex|float|int|uint)\w*")


def made_inputs(given: Any, seed: int = 0, sizes: Sizes | None = None) -> Any:
    """The inputs themselves, or what a specification describes: a shape, or names with shapes and dtypes, or a text.

    `[32, 1, 28, 28]` is one float32 tensor; `{"input_ids": ([1, 7], "int64")}` are keywords. Floats are drawn from a
    standard normal distribution on the CPU, by the seed and the name; integers are zeros, which are ids in every
    vocabulary; booleans are true. A shape beside a dtype may have names, `("batch tokens", "int64")`: a name has its
    size in `sizes`, or else gets a small one that no other has, which is added there.

    `(tokenizer, "text")` is what the tokenizer makes of the text, and `(tokenizer, ["one", "two"])` of both, padded.

    >>> made_inputs({"input_ids": ([1, 7], "int64")})["input_ids"].tolist()
    [[0, 0, 0, 0, 0, 0, 0]]
    >>> made_inputs([2, 3]).shape
    torch.Size([2, 3])
    >>> made_inputs({"input_ids": ("batch tokens", "int64")})["input_ids"].shape
    torch.Size([2, 7])
    """
    known = sizes if sizes is not None else {}
    if _is_specification(given):
        return _of("", given, seed, known)
    if isinstance(given, Mapping) and any(map(_is_specification, given.values())):
        return {name: _of(name, item, seed, known) for name, item in given.items()}
    return _tokenized(*given) if _is_text(given) else given


def sizes_promised(given: Any, promised: Mapping[str, Shape]) -> Sizes:
    """The sizes of names in a specification, where the promised shape of the same input has a number in their place.

    >>> sizes_promised({"x": ("batch tokens", "int64")}, {"x": parse_shape("4 tokens")})
    {'batch': 4}
    """
    sizes: Sizes = {}
    for name, item in given.items() if isinstance(given, Mapping) else ():
        if name in promised and _is_specification(item):
            pairs = zip(_parts(item)[0].axes, promised[name].axes, strict=False)
            sizes.update({axis: size for axis, size in pairs if isinstance(axis, str) and isinstance(size, int)})
    return sizes


def _of(name: str, item: Any, seed: int, sizes: Sizes) -> Any:
    if not _is_specification(item):
        return item
    shape, dtype = _parts(item)
    return _tensor(name, _sized(shape, sizes), dtype, seed)


def _parts(item: Any) -> tuple[Shape, str]:
    shape, dtype = (item, "float32") if _is_shape(item) else item
    return parse_shape(shape), dtype


def _is_shape(item: Any) -> bool:
    sizes = isinstance(item, list | tuple) and bool(item)
    return sizes and all(isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in item)


def _is_specification(item: Any) -> bool:
    pair = isinstance(item, list | tuple) and len(item) == 2 and isinstance(item[1], str)
    named = pair and isinstance(item[0], str | list | tuple) and _DTYPE.fullmatch(item[1]) is not None
    return _is_shape(item) or named or (pair and _is_shape(item[0]))


def _sized(shape: Shape, sizes: Sizes) -> list[int]:
    """The sizes of the axes; names that have none get one first, so that an expression may use them."""
    for name in shape.names:
        usual = [_USUAL[name]] if name in _USUAL else []
        taken = sizes.values()
        candidates = itertools.chain(usual, _SPARE, itertools.count(31, 2))
        sizes.setdefault(name, next(size for size in candidates if size not in taken))
    made = []
    for axis in shape.axes:
        unknown = [name for name in axis.names if name not in sizes] if isinstance(axis, Expression) else []
        if axis in ("_", "...") or unknown:
            raise ConfigError(f"an input cannot be made of {shape}: {unknown[0] if unknown else axis} has no size")
        made.append(
            axis.value(sizes) if isinstance(axis, Expression) else axis if isinstance(axis, int) else sizes[axis]
        )
    return made


def _tensor(name: str, shape: list[int], dtype: str, seed: int) -> Tensor:
    torch = require("torch", "making inputs")
    kind = dtype_of(dtype)
    if kind is torch.bool:
        made: Tensor = torch.ones(*shape, dtype=kind, device="cpu")
    elif kind.is_floating_point or kind.is_complex:
        generator = torch.Generator("cpu").manual_seed(seed + zlib.crc32(name.encode()))
        made = torch.randn(*shape, generator=generator, device="cpu").to(kind)
    else:
        made = torch.zeros(*shape, dtype=kind, device="cpu")
    return made


def dtype_of(name: str) -> Any:
    """Torch's dtype of a name, `"float32"` or `"torch.float32"`; a `ConfigError` where there is none."""
    torch = require("torch", "reading a dtype")
    kind = getattr(torch, name.removeprefix("torch."), None)
    if not isinstance(kind, torch.dtype):
        raise ConfigError(f"{name!r} is no dtype of torch: 'float32', 'int64' or 'bool' are")
    return kind


def _is_text(given: Any) -> bool:
    if not (isinstance(given, tuple) and len(given) == 2 and callable(given[0])):
        return False
    text = given[1]
    return isinstance(text, str) or (isinstance(text, list) and bool(text) and all(isinstance(t, str) for t in text))


def _tokenized(tokenizer: Any, text: str | list[str]) -> Any:
    made = tokenizer(text, return_tensors="pt", padding=not isinstance(text, str) and len(text) > 1)
    if not isinstance(made, Mapping) or "input_ids" not in made:
        raise ModelCheckError(f"{type(tokenizer).__name__} gave no input_ids, but a {type(made).__name__}")
    return made
