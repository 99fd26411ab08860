"""The grammar of shapes: `[1, 7, 768]` and `"batch tokens 768"` say the same where the names are bound to 1 and 7."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_modelcheck.errors import ConfigError

_AXIS = re.compile(r"\d+|_|\.\.\.|[A-Za-z][A-Za-z0-9_]*")

Sizes = dict[str, int]


@dataclass(frozen=True)
class Shape:
    """A promised shape. An axis is a size, a name, `"_"` for any size, or `"..."` for any number of axes, once."""

    axes: tuple[int | str, ...]

    def __str__(self) -> str:
        return "[" + ", ".join(map(str, self.axes)) + "]"


def parse_shape(written: object) -> Shape:
    """Read a shape from a string of axes between spaces, or from a sequence of them.

    >>> str(parse_shape("batch tokens 768")), str(parse_shape([1, "...", 768]))
    ('[batch, tokens, 768]', '[1, ..., 768]')
    >>> parse_shape("batch tok-ens 768")
    Traceback (most recent call last):
    pytest_modelcheck.ConfigError: 'tok-ens' is no axis: a size, a name, _ or ... is expected
      batch tok-ens 768
            ^
    """
    if isinstance(written, str):
        axes = [_parse_axis(match.group(), written, match.start()) for match in re.finditer(r"\S+", written)]
    elif isinstance(written, Sequence) and not isinstance(written, bytes):
        axes = [_axis_of(item) for item in written]
    else:
        raise ConfigError(f"{written!r} is no shape: a list such as [1, 7, 768] or a string such as 'batch 7 768'")
    if axes.count("...") > 1:
        raise ConfigError(f"{written!r} is no shape: '...' may stand in it once")
    return Shape(tuple(axes))


def _axis_of(item: Any) -> int | str:
    if isinstance(item, str):
        return _parse_axis(item, item, 0)
    if isinstance(item, int) and not isinstance(item, bool) and item >= 0:
        return item
    if item is Ellipsis:
        return "..."
    raise ConfigError(f"{item!r} is no axis: a size, a name, _ or ... is expected")


def _parse_axis(word: str, written: str, start: int) -> int | str:
    if not _AXIS.fullmatch(word):
        pointer = f"\n  {written}\n  {' ' * start}^" if written != word else ""
        raise ConfigError(f"{word!r} is no axis: a size, a name, _ or ... is expected{pointer}")
    return int(word) if word.isdigit() else word


def mismatch(shape: Sequence[int], promised: Shape, sizes: Sizes) -> str:
    """Where a tensor's shape parts from the promised one, or `""`. New names are bound to their sizes in `sizes`.

    >>> sizes = {"tokens": 7}
    >>> mismatch([1, 8, 768], parse_shape("batch tokens 768"), sizes)
    'axis 1 (tokens) is 8, promised 7'
    >>> mismatch([1, 7, 768], parse_shape("... dim"), sizes), sizes
    ('', {'tokens': 7, 'dim': 768})
    """
    axes = list(promised.axes)
    if "..." in axes:
        at = axes.index("...")
        missing = len(shape) - (len(axes) - 1)
        axes[at : at + 1] = ["_"] * max(missing, 0)
        if missing < 0:
            return f"it has {_axes(len(shape))}, promised at least {len(promised.axes) - 1}"
    elif len(shape) != len(axes):
        return f"it has {_axes(len(shape))}, promised {len(axes)}"
    problems = []
    bound = dict(sizes)
    for index, (size, axis) in enumerate(zip(shape, axes, strict=True)):
        wanted = bound.setdefault(axis, size) if isinstance(axis, str) and axis != "_" else axis
        if wanted not in ("_", size):
            name = f" ({axis})" if isinstance(axis, str) else ""
            problems.append(f"axis {index}{name} is {size}, promised {wanted}")
    if not problems:
        sizes.update(bound)
    return "; ".join(problems)


def _axes(number: int) -> str:
    return f"{number} {'axis' if number == 1 else 'axes'}"
