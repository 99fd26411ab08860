"""The recall of each class, with the bounds of its true value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pytest_modelcheck.reports.page.markup import Markup, element, joined
from pytest_modelcheck.reports.page.plots.bars import Bar, Tick, bars, dot, span
from pytest_modelcheck.reports.page.texts import is_number, short

MOST = 25

# Where a scale may begin: good models differ near 1 only.
_STARTS = (0.999, 0.995, 0.99, 0.98, 0.95, 0.9, 0.8, 0.5, 0.0)


class Recall(NamedTuple):
    """A class, how many of its samples are right, and the bounds of its true recall."""

    name: str
    right: int
    number: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share of the class that is right."""
        return self.right / self.number


def recalls(evidence: Mapping[str, Any]) -> Markup:
    """The worst classes first, on a scale that begins where the worst of them is.

    >>> recalls({"recalls": "other"})
    ''
    """
    found = sorted(_found(evidence), key=lambda item: (item.value, item.low))
    if not found:
        return Markup()
    worst = found[:MOST]
    least = min(item.low for item in worst)
    start = next(value for value in _STARTS if value <= least)

    def place(value: float) -> float:
        return (value - start) / (1 - start)

    rows = [
        Bar(
            short(item.name, 60),
            Markup(span(place(item.low), place(item.high), "range") + dot(place(item.value), "mark")),
            f"recall {item.value:.4f}, from {item.low:.4f} to {item.high:.4f}",
            joined(f"{item.value:.4f} ", element("small", f"({item.right:,} of {item.number:,})")),
        )
        for item in worst
    ]
    middle = (start + 1) / 2
    ticks = [Tick(0, f"{start:g}"), Tick(1, "1"), Tick(0.5, f"{middle:g}")]
    return bars("Recall of each class, worst first", rows, ticks, _note(evidence, len(found) - len(worst)), "quarters")


def _note(evidence: Mapping[str, Any], rest: int) -> str:
    bounds = "The bars span the bounds of the true recall." if evidence.get("bounds") else ""
    return f"{bounds} {rest:,} better classes are left out.".strip() if rest else bounds


def _found(evidence: Mapping[str, Any]) -> list[Recall]:
    told, bounds, names = (_mapping(evidence.get(key)) for key in ("recalls", "bounds", "class_names"))
    return [recall for key, pair in told.items() if (recall := _recall(names.get(key, key), pair, bounds.get(key)))]


def _recall(name: Any, pair: Any, bounds: Any) -> Recall | None:
    if not (_is_pair(pair) and 0 <= pair[0] <= pair[1] and pair[1] > 0):
        return None
    value = pair[0] / pair[1]
    # Bounds are rounded, and those of a class that is all right or all wrong may lie a digit beside it.
    low, high = (min(bounds[0], value), max(bounds[1], value)) if _is_pair(bounds) else (value, value)
    return Recall(str(name), pair[0], pair[1], low, high) if low >= 0 and high <= 1 else None


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
