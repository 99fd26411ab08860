"""The grammar of shapes: `[1, 7, 768]` and `"batch tokens 768"` say the same where the names are bound to 1 and 7."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.models.axes import Expression, Misread, parse_axis

Axis = int | str | Expression
Sizes = dict[str, int]

_EXPECTED = "a size, a name, _, ... or 2*tokens+1 is expected"


@dataclass(frozen=True)
class Shape:
    """A promised shape. An axis is a size, a name, `"_"` for any size, `"..."` for any number of axes, or arithmetic.

    `dtypes` are those that an annotation of jaxtyping allows, under the name `dtype`; none where any may be.
    """

    axes: tuple[Axis, ...]
    dtypes: tuple[str, ...] = ()
    dtype: str = ""

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.axes))}]"

    @property
    def names(self) -> tuple[str, ...]:
        """The names that stand for themselves, and are bound by a tensor."""
        return tuple(axis for axis in self.axes if isinstance(axis, str) and axis not in ("_", "..."))

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The axes that are worked out of others."""
        return tuple(axis for axis in self.axes if isinstance(axis, Expression))


def parse_shape(written: object) -> Shape:
    """Read a shape from a string of axes between spaces, from a sequence of them, or from a jaxtyping annotation.

    >>> str(parse_shape("batch tokens 768")), str(parse_shape([1, "...", 768])), str(parse_shape("batch 2*tokens"))
    ('[batch, tokens, 768]', '[1, ..., 768]', '[batch, 2*tokens]')
    >>> parse_shape("batch tok.ens 768")
    Traceback (most recent call last):
    pytest_modelcheck.ConfigError: 'tok.ens' is no axis: a size, a name, _, ... or 2*tokens+1 is expected
      batch tok.ens 768
               ^
    """
    if isinstance(written, str):
        axes = [_parse_axis(match.group(), written, match.start()) for match in re.finditer(r"\S+", written)]
    elif isinstance(written, Sequence) and not isinstance(written, bytes):
        axes = [_axis_of(item) for item in written]
    elif _is_annotation(written):
        return _of_annotation(written)
    else:
        raise ConfigError(f"{written!r} is no shape: a list such as [1, 7, 768] or a string such as 'batch 7 768'")
    if axes.count("...") > 1:
        raise ConfigError(f"{written!r} is no shape: '...' may stand in it once")
    return Shape(tuple(axes))


def parse_shapes(written: object) -> list[Shape] | Shape:
    """Read one shape, or a list of several: what has items that are lists, annotations or strings of several axes.

    >>> parse_shapes(["batch 8", "batch 16"]) == [parse_shape("batch 8"), parse_shape("batch 16")]
    True
    """
    is_list = isinstance(written, list | tuple) and any(map(_is_whole_shape, written))
    return [parse_shape(item) for item in written] if is_list else parse_shape(written)  # type: ignore[attr-defined]


def _is_whole_shape(item: Any) -> bool:
    return isinstance(item, list | tuple) or _is_annotation(item) or (isinstance(item, str) and " " in item.strip())


def _is_annotation(item: Any) -> bool:
    return isinstance(item, type) and isinstance(getattr(item, "dim_str", None), str) and hasattr(item, "dtypes")


def _of_annotation(item: Any) -> Shape:
    """The shape of `Float[Tensor, "batch 768"]`; where any dtype may be, jaxtyping has no tuple of them."""
    shape = parse_shape(item.dim_str)
    if not isinstance(item.dtypes, tuple):
        return shape
    dtypes = tuple(map(str, item.dtypes))
    return replace(shape, dtypes=dtypes, dtype=dtypes[0] if len(dtypes) == 1 else item.dtype.__name__)


def _axis_of(item: Any) -> Axis:
    if isinstance(item, str):
        return _parse_axis(item, item, 0)
    if isinstance(item, int) and not isinstance(item, bool) and item >= 0:
        return item
    if item is Ellipsis:
        return "..."
    raise ConfigError(f"{item!r} is no axis: {_EXPECTED}")


def _parse_axis(word: str, written: str, start: int) -> Axis:
    try:
        return parse_axis(word)
    except Misread as error:
        at = start + error.at
        pointer = f"\n  {written}\n  {' ' * at}^" if written != word or at else ""
        raise ConfigError(f"{word!r} is no axis: {_EXPECTED}{pointer}") from None


def require_bound(shapes: Iterable[Shape]) -> None:
    """Raise a `ConfigError` where an expression uses a name that stands for itself in none of the shapes.

    >>> require_bound([parse_shape("batch tokens"), parse_shape("batch 2*tokens")])
    """
    together = list(shapes)
    bound = {name for shape in together for name in shape.names}
    for shape in together:
        for axis in shape.expressions:
            unknown = [name for name in axis.names if name not in bound]
            if unknown:
                written = " ".join(map(str, shape.axes))
                before = " ".join(map(str, [*shape.axes[: shape.axes.index(axis)], ""]))
                them = "it" if len(unknown) == 1 else "them"
                raise ConfigError(
                    f"{str(axis)!r} uses {' and '.join(unknown)}, whose size nothing tells: let {them} stand alone in "
                    f"another shape, such as that of an input\n  {written}\n  {' ' * len(before)}^"
                )


def bind(shape: Sequence[int], promised: Shape, sizes: Sizes) -> None:
    """Bind the names of a shape that fits, apart from its expressions, to their sizes in `sizes`."""
    mismatch(
        shape, replace(promised, axes=tuple("_" if isinstance(a, Expression) else a for a in promised.axes)), sizes
    )


def mismatch(shape: Sequence[int], promised: Shape, sizes: Sizes) -> str:
    """Where a tensor's shape parts from the promised one, or `""`. New names are bound to their sizes in `sizes`.

    >>> sizes = {"tokens": 7}
    >>> mismatch([1, 8, 768], parse_shape("batch tokens 768"), sizes)
    'axis 1 (tokens) is 8, promised 7'
    >>> mismatch([1, 7, 768], parse_shape("... dim"), sizes), sizes
    ('', {'tokens': 7, 'dim': 768})
    >>> mismatch([1, 15], parse_shape("_ 2*tokens"), sizes)
    'axis 1 (2*tokens) is 15, promised 14'
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
    bound = dict(sizes)
    for size, axis in zip(shape, axes, strict=True):
        if isinstance(axis, str) and axis != "_":
            bound.setdefault(axis, size)
    found = enumerate(zip(shape, axes, strict=True))
    problems = [problem for index, (size, axis) in found if (problem := _wrong_axis(index, size, axis, bound))]
    if not problems:
        sizes.update(bound)
    return "; ".join(problems)


def _wrong_axis(index: int, size: int, axis: Axis, sizes: Sizes) -> str:
    name = "" if isinstance(axis, int) else f" ({axis})"
    if isinstance(axis, Expression):
        unknown = [item for item in axis.names if item not in sizes]
        if unknown:
            return f"axis {index}{name} is {size}, and no tensor that keeps its promise tells {' and '.join(unknown)}"
        try:
            wanted = axis.value(sizes)
        except ZeroDivisionError:
            return f"axis {index}{name} is {size}, and what is promised divides by zero"
    else:
        wanted = size if axis == "_" else sizes[axis] if isinstance(axis, str) else axis
    return "" if wanted == size else f"axis {index}{name} is {size}, promised {wanted}"


def _axes(number: int) -> str:
    return f"{number} {'axis' if number == 1 else 'axes'}"
