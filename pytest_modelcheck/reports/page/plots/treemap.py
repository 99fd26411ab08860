"""Where the parameters of a model are: layers as areas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_modelcheck.reports.page.markup import Markup, element, percent
from pytest_modelcheck.reports.page.texts import short, tail
from pytest_modelcheck.reports.sizes import Size

# The room that the shapes of the areas are chosen for. They are drawn as shares of whatever there is.
_WIDTH, _HEIGHT = 640.0, 170.0

# The narrowest screen that labels have to fit on, as a share of that room, and the width of a character there.
_NARROW = 0.45
_CHARACTER = 7.5
_LEAST_WIDTH, _LEAST_HEIGHT = 5 * _CHARACTER, 20.0

_OTHER = "others"


class Area(NamedTuple):
    """A layer, its parameters, and its rectangle."""

    name: str
    number: int
    x: float
    y: float
    width: float
    height: float


def treemap(size: Size) -> Markup:
    """The largest layers and the rest, each with its share of the parameters as its share of the area.

    >>> treemap(Size("Net", 0, 0, (), 0, ()))
    ''
    """
    items = _items(size)
    if not items:
        return Markup()
    whole = sum(number for _, number in items)
    areas = squarified(items, _WIDTH, _HEIGHT)
    told = ", ".join(f"{short(name, 40)} {100 * number / whole:.1f} %" for name, number in items[:5])
    picture = element(
        "svg", *map(_drawn, areas), role="img", aria_label=f"parameters by layer: {told}", height=_HEIGHT, class_="map"
    )
    lines = [
        element(
            "tr",
            element("th", short(name, 80), scope="row"),
            element("td", f"{number:,}"),
            element("td", f"{100 * number / whole:.1f} %"),
        )
        for name, number in items
    ]
    table = element("table", element("caption", "Largest layers"), element("tbody", *lines), class_="layers")
    return element("figure", picture, table, class_="plot treemap")


def squarified(items: Sequence[tuple[str, int]], width: float, height: float) -> list[Area]:
    """Rectangles that fill the room, as near to squares as rows of them allow (Bruls, Huizing and van Wijk, 2000).

    >>> [(area.name, area.width, area.height) for area in squarified([("a", 2), ("b", 1), ("c", 1)], 4, 2)]
    [('a', 2.0, 2.0), ('b', 2.0, 1.0), ('c', 2.0, 1.0)]
    """
    left = sorted(((name, number) for name, number in items if number > 0), key=lambda item: -item[1])
    scale = width * height / max(sum(number for _, number in left), 1)
    areas: list[Area] = []
    x = y = 0.0
    while left:
        side = min(width, height)
        row = _row([number * scale for _, number in left], side)
        taken, left = left[:row], left[row:]
        depth = sum(number for _, number in taken) * scale / side if side else 0.0
        offset = 0.0
        for name, number in taken:
            length = number * scale / depth if depth else 0.0
            place = (x, y + offset, depth, length) if width >= height else (x + offset, y, length, depth)
            areas.append(Area(name, number, *place))
            offset += length
        if width >= height:
            x, width = x + depth, max(width - depth, 0.0)
        else:
            y, height = y + depth, max(height - depth, 0.0)
    return areas


def _row(sizes: Sequence[float], side: float) -> int:
    """How many of the sizes stand side by side, so that the longest of them is as short as it can be."""
    best = float("inf")
    for number in range(1, len(sizes) + 1):
        total = sum(sizes[:number])
        worst = max(side**2 * sizes[0] / total**2, total**2 / (side**2 * sizes[number - 1])) if side else 0.0
        if worst > best:
            return number - 1
        best = worst
    return len(sizes)


def _items(size: Size) -> list[tuple[str, int]]:
    items = [(name, number) for name, number in size.largest if number > 0]
    rest = size.total - sum(number for _, number in items)
    return [*items, (_OTHER, rest)] if items and rest > 0 else items


def _drawn(area: Area) -> Markup:
    """A rectangle that clips what stands in it, with its name where even a narrow screen has room for it."""
    text = Markup()
    narrow = _NARROW * area.width - 12
    if narrow >= _LEAST_WIDTH and area.height >= _LEAST_HEIGHT:
        text = element("text", tail(area.name, int(narrow / _CHARACTER)), x=8, y=18, class_="narrow")
        text = Markup(text + element("text", tail(area.name, int((area.width - 12) / _CHARACTER)), x=8, y=18))
    elif area.width - 12 >= _LEAST_WIDTH and area.height >= _LEAST_HEIGHT:
        text = element("text", tail(area.name, int((area.width - 12) / _CHARACTER)), x=8, y=18)
    return element(
        "svg",
        element("title", f"{short(area.name, 80)}: {area.number:,}"),
        element("rect", width="100%", height="100%", class_="other" if area.name == _OTHER else "layer"),
        text,
        x=percent(area.x / _WIDTH),
        y=percent(area.y / _HEIGHT),
        width=percent(area.width / _WIDTH),
        height=percent(area.height / _HEIGHT),
    )
