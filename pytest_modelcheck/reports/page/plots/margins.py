"""The smallest margins of a run: what breaks next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from pytest_modelcheck.reports.page.markup import Markup, element
from pytest_modelcheck.reports.page.plots.bars import Bar, Tick, bars, dot, span
from pytest_modelcheck.reports.page.texts import short

MOST = 12

# Margins from here on are drawn on a logarithmic scale: they lie between a ten-thousandth and many times the promise.
_LINEAR = 0.001
_DECADES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)


class Margin(NamedTuple):
    """The margin of a gate, the gate's name, and where on the page it stands."""

    name: str
    value: float
    anchor: str


def margins(found: Sequence[Margin]) -> Markup:
    """The smallest margins first, each as its distance from the promise: left of the line it is broken.

    >>> margins([])
    ''
    """
    if not found:
        return Markup()
    worst = sorted(found, key=lambda item: item.value)[:MOST]
    low = min(-_LINEAR, worst[0].value)
    high = max(_LINEAR, worst[-1].value)

    def place(value: float) -> float:
        return (_scaled(value) - _scaled(low)) / (_scaled(high) - _scaled(low))

    rows = [
        Bar(
            element("a", short(item.name, 80), href=f"#{item.anchor}"),
            Markup(span(place(0), place(item.value), _style(item)) + dot(place(item.value), _style(item))),
            f"margin {_shown(item.value)}",
            _shown(item.value),
        )
        for item in worst
    ]
    decades = [sign * value for value in _DECADES for sign in (1, -1) if low <= sign * value <= high]
    ticks = [Tick(place(0), "promise"), *(Tick(place(value), f"{100 * value:+g} %") for value in reversed(decades))]
    rest = len(found) - len(worst)
    note = "Left of the promise a margin is broken; the scale is logarithmic."
    return bars("Smallest margins", rows, ticks, f"{note} {rest:,} larger margins are in the table." if rest else note)


def _scaled(value: float) -> float:
    return math.asinh(value / _LINEAR)


def _style(item: Margin) -> str:
    return "bad" if item.value < 0 else "good"


def _shown(value: float) -> str:
    return f"{100 * value:+.2f} %"
