"""Rows of a name, a place on one scale, and a number: as wide as there is room, readable without the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_modelcheck.reports.page.markup import Markup, element, joined, percent

HEIGHT = 20
_MIDDLE = HEIGHT / 2

# What is left free at both ends of a scale, so that a mark at an end is seen whole.
_EDGE = 0.03

# How near two labels of a scale may be, as a share of its width.
_APART = 0.17


class Bar(NamedTuple):
    """A row: its name (text, or a link), its picture, what the picture shows in words, and its number."""

    name: str
    picture: Markup
    told: str
    number: str


class Tick(NamedTuple):
    """A place on the scale, from 0 to 1, and what is written there."""

    place: float
    label: str = ""


def bars(title: str, rows: Sequence[Bar], ticks: Sequence[Tick], note: str = "", style: str = "") -> Markup:
    """A table of the rows with the labels of their scale under it, and a note where something is left out.

    A style whose grid is the same in all figures draws it itself, which is less to write than lines in each row.
    """
    grid = Markup() if style else joined(*(_line(tick.place, "grid") for tick in ticks))
    lines = [
        element(
            "tr",
            element("th", row.name, scope="row"),
            element("td", _picture(joined(grid, row.picture), row.told)),
            element("td", row.number),
        )
        for row in rows
    ]
    return element(
        "figure",
        element(
            "table",
            element("caption", title),
            element("tbody", *lines),
            element("tfoot", element("tr", element("td"), element("td", _scale(ticks)), element("td"))),
            class_=f"bars {style}".strip(),
        ),
        element("figcaption", note) if note else "",
        class_="plot",
    )


def span(start: float, end: float, style: str) -> Markup:
    """A thick line from one place to another."""
    low, high = sorted((_inside(start), _inside(end)))
    return element("rect", x=percent(low), y=_MIDDLE - 2.5, width=percent(high - low), height=5, class_=style)


def dot(place: float, style: str) -> Markup:
    """The mark of a measured value."""
    return element("circle", cx=percent(_inside(place)), cy=_MIDDLE, r=4.5, class_=style)


def _line(place: float, style: str) -> Markup:
    return element("line", x1=percent(_inside(place)), x2=percent(_inside(place)), y1=0, y2=HEIGHT, class_=style)


def _picture(content: Markup, told: str) -> Markup:
    return element("svg", content, role="img", aria_label=told, height=HEIGHT)


def _scale(ticks: Sequence[Tick]) -> Markup:
    labels = [
        element("text", tick.label, x=percent(_inside(tick.place)), y=11, text_anchor="middle")
        for tick in _apart([tick for tick in ticks if tick.label])
    ]
    return element("svg", *labels, role="img", aria_label="scale", height=HEIGHT, class_="scale")


def _apart(ticks: Sequence[Tick]) -> list[Tick]:
    """The labels that do not overlap; the first ones are the important ones."""
    kept: list[Tick] = []
    for tick in ticks:
        if all(abs(tick.place - other.place) >= _APART for other in kept):
            kept.append(tick)
    return kept


def _inside(place: float) -> float:
    return _EDGE + (1 - 2 * _EDGE) * min(max(place, 0.0), 1.0)
