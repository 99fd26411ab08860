"""The number that a verdict is about: within its bounds, and over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_modelcheck.reports.page.markup import Markup, element, joined
from pytest_modelcheck.reports.page.texts import cut, is_number, shown

# How many earlier values are drawn.
MOST = 60

_WIDTH, _HEIGHT = 260.0, 44.0
_EDGE = 8.0


def number(told: Any, history: Any) -> Markup:
    """What was measured, in words, with its bounds and its earlier values as pictures where there are some.

    >>> number(None, [1.0])
    ''
    """
    if not (isinstance(told, dict) and is_number(told.get("value"))):
        return Markup()
    value: float = told["value"]
    low, high = told.get("low"), told.get("high")
    earlier = [item for item in history if is_number(item)] if isinstance(history, list | tuple) else []
    words = [cut(f"{told.get('name')} {shown(value)}", 200)]
    pictures = []
    if is_number(low) and is_number(high) and low < high:
        words.append(f"from {shown(low)} to {shown(high)}, each bound at {shown(_share(told))} %")
        pictures.append(_range(value, low, high))
    if told.get("better") in ("higher", "lower"):
        words.append(f"{told['better']} is better")
    if earlier:
        last = ", ".join(map(shown, earlier[-5:]))
        words.append(f"before: {'… ' if len(earlier) > 5 else ''}{last}")
        pictures.append(_sparkline([*earlier[-MOST:], value]))
    return element("figure", element("p", "; ".join(words), class_="title"), *pictures, class_="plot number")


def _share(told: dict[str, Any]) -> float:
    confidence = told.get("confidence")
    return round(100 * confidence, 6) if is_number(confidence) else 0.0


def _range(value: float, low: float, high: float) -> Markup:
    places = [_EDGE + (_WIDTH - 2 * _EDGE) * share for share in _shares([low, value, high], pad=0.25)]
    start, middle, end = places
    return _svg(
        f"{shown(value)}, between {shown(low)} and {shown(high)}",
        element("line", x1=_EDGE, x2=_WIDTH - _EDGE, y1=14, y2=14, class_="grid"),
        element("rect", x=start, y=11, width=end - start, height=6, rx=3, class_="range"),
        element("circle", cx=middle, cy=14, r=5, class_="mark"),
        element("text", shown(low), x=start, y=36, text_anchor="middle"),
        element("text", shown(high), x=end, y=36, text_anchor="middle"),
    )


def _sparkline(values: Sequence[float]) -> Markup:
    step = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    points = [
        (_EDGE + step * index, _EDGE + (_HEIGHT - 2 * _EDGE) * (1 - share))
        for index, share in enumerate(_shares(values))
    ]
    line = element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_="curve")
    dots = joined(*(element("circle", cx=x, cy=y, r=2, class_="mark") for x, y in points[:-1]))
    last = element("circle", cx=points[-1][0], cy=points[-1][1], r=4.5, class_="mark")
    words = f"{len(values) - 1} earlier values, from {shown(values[0])} to {shown(values[-1])} now"
    return _svg(words, line, dots, last)


def _shares(values: Sequence[float], pad: float = 0.0) -> list[float]:
    """Each value as a share of the way from the least to the largest; in the middle where all are the same."""
    low, high = min(values), max(values)
    room = (high - low) * (1 + 2 * pad)
    return [pad / (1 + 2 * pad) + (value - low) / room if room else 0.5 for value in values]


def _svg(told: str, *parts: str) -> Markup:
    box = f"0 0 {_WIDTH:g} {_HEIGHT:g}"
    return element("svg", *parts, role="img", aria_label=told, viewBox=box, width=_WIDTH, height=_HEIGHT)
