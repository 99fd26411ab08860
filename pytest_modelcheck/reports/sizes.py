"""The models that a run looked at, and what they weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_modelcheck.reports.run import Row, Run

# How many layers are shown of each model, and how long their bars are.
_LAYERS = 3
_BAR = 20

# No model comes near. Larger numbers are another package's, and mean something else.
_MOST = 10**18

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Size:
    """A model's parameters, those that learn, the bytes that they take, and its largest layers."""

    model: str
    total: int
    trainable: int
    dtypes: tuple[tuple[str, int], ...]
    bytes: int
    largest: tuple[tuple[str, int], ...]

    @property
    def headline(self) -> str:
        """The model in a line.

        >>> Size("Net", 1000, 250, (("float32", 1000),), 4000, ()).headline
        'Net: 1,000 parameters, 25.0 % trainable, 0.004 MB (float32)'
        """
        share = 100 * self.trainable / self.total if self.total else 0.0
        kinds = ", ".join(f"{name} {100 * number / self.total:.1f} %" for name, number in self.dtypes if self.total)
        kinds = self.dtypes[0][0] if len(self.dtypes) == 1 else kinds
        size = f"{self.bytes / _MEGABYTE:,.3f} MB" + (f" ({kinds})" if kinds else "")
        return f"{self.model}: {self.total:,} parameters, {share:.1f} % trainable, {size}"

    @property
    def bars(self) -> list[str]:
        """Its largest layers, each with its share as a bar."""
        layers = self.largest[:_LAYERS]
        width = max((len(name) for name, _ in layers), default=0)
        digits = max((len(f"{number:,}") for _, number in layers), default=0)
        lines = []
        for name, number in layers:
            share = number / self.total if self.total else 0.0
            filled = round(share * _BAR)
            bar = "#" * filled + "-" * (_BAR - filled)
            lines.append(f"{name:{width}}  {number:{digits},}  {bar}  {100 * share:.1f} %")
        return lines


def sizes(run: Run) -> list[Size]:
    """The models of a run, each once, in the order in which they came."""
    found = (_size(row) for row in run.rows)
    return list(dict.fromkeys(size for size in found if size is not None))


def _size(row: Row) -> Size | None:
    """The size of the model that a row is about; `None` where the row tells of none, as those of other packages do."""
    told: Any = row["evidence"]
    try:
        total = _number(told["total"], _MOST)
        return Size(
            model=str(told["model"]),
            total=total,
            trainable=_number(told["trainable"], total),
            dtypes=_pairs(list(told["dtypes"].items()), total),
            bytes=_number(told["bytes"], _MOST),
            largest=_pairs(told["largest"], total),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _pairs(items: Sequence[Sequence[Any]], most: int) -> tuple[tuple[str, int], ...]:
    return tuple((str(name), _number(number, most)) for name, number in items)


def _number(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{value!r} is no number from 0 to {most}")
    return value
