"""Which classes are taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_modelcheck.reports.page.markup import Markup, element
from pytest_modelcheck.reports.page.texts import short

MOST = 20

# As many classes have room beside other figures.
_SMALL = 12

# The style has the size of a cell as well.
_CELL = 34
_HEAD = 26
_LABEL = 118
_CHARACTERS = 16

# How strong a cell may become, so that the number in it stays readable.
_FAINTEST, _STRONGEST = 0.12, 0.6


def confusion(evidence: Mapping[str, Any]) -> Markup:
    """A matrix of the classes that are mixed up most: rows are what a sample is, columns what it was taken for.

    `confusion` has all cells, each as target, prediction and number; without it `confused` has the largest beside the
    diagonal, which `recalls` has. Nothing that is mixed up gives no matrix.

    >>> confusion({"confused": []})
    ''
    """
    whole = _cells(evidence.get("confusion"))
    cells = whole or _cells(evidence.get("confused"))
    wrong = Counter({pair: number for pair, number in cells.items() if pair[0] != pair[1]})
    if not wrong:
        return Markup()
    cells = {**_diagonal(evidence.get("recalls")), **cells}
    names = evidence.get("class_names")
    classes = _classes(wrong, cells)
    labels = {name: _label(name, names if isinstance(names, Mapping) else {}) for name in classes}
    note = "Rows are the classes, columns what they were taken for."
    if len(classes) < len({name for pair in cells for name in pair}):
        note += f" The {len(classes)} classes that are mixed up most are shown."
    if not whole:
        note += " Beside the diagonal, only the largest confusions are told."
    (target, predicted), most = wrong.most_common(1)[0]
    told = f"confusion matrix of {len(classes)} classes; most often, class {target} was taken for {predicted}: {most:,}"
    return element(
        "figure",
        element("p", "Confusions", class_="title"),
        element("div", _matrix(classes, labels, cells, wrong, told), class_="wide"),
        element("figcaption", note),
        class_="plot large" if len(classes) > _SMALL else "plot",
    )


def _matrix(
    classes: Sequence[str],
    labels: Mapping[str, str],
    cells: Mapping[tuple[str, str], int],
    wrong: Counter[tuple[str, str]],
    told: str,
) -> Markup:
    columns = {name: _LABEL + _CELL * index for index, name in enumerate(classes)}
    rows = {name: _HEAD + _CELL * index for index, name in enumerate(classes)}
    width, height = _LABEL + _CELL * len(classes), _HEAD + _CELL * len(classes)
    heads = [
        element("text", short(name, 4), x=x + _CELL / 2, y=_HEAD - 8, text_anchor="middle")
        for name, x in columns.items()
    ]
    sides = [
        element("text", short(labels[name], _CHARACTERS), x=_LABEL - 8, y=y + _CELL / 2 + 4, text_anchor="end")
        for name, y in rows.items()
    ]
    frame = element("rect", x=_LABEL, y=_HEAD, width=width - _LABEL, height=height - _HEAD, class_="frame")
    largest = {True: max((n for pair, n in cells.items() if pair[0] == pair[1]), default=1), False: max(wrong.values())}
    drawn = [
        _cell(columns[predicted], rows[target], number, number / largest[target == predicted], target == predicted)
        for (target, predicted), number in cells.items()
        if target in rows and predicted in columns and number
    ]
    return element(
        "svg",
        frame,
        *heads,
        *sides,
        *drawn,
        role="img",
        aria_label=told,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        class_="matrix",
    )


def _cell(x: int, y: int, number: int, share: float, right: bool) -> Markup:
    strength = _FAINTEST + (_STRONGEST - _FAINTEST) * min(max(share, 0.0), 1.0) ** 0.5
    return element(
        "g",
        element(
            "rect",
            x=x + 1,
            y=y + 1,
            class_="good" if right else "bad",
            fill_opacity=strength / 2 if right else strength,
        ),
        element("text", _compact(number), x=x + _CELL / 2, y=y + _CELL / 2 + 4),
    )


def _compact(number: int) -> str:
    """A number in four characters.

    >>> _compact(980), _compact(12_345), _compact(7_000_000), _compact(10**12)
    ('980', '12k', '7M', '…')
    """
    for size, unit in ((1, ""), (1000, "k"), (10**6, "M"), (10**9, "G")):
        if number < 1000 * size or (size == 1 and number < 10_000):
            return f"{number // size}{unit}"
    return "…"


def _classes(wrong: Mapping[tuple[str, str], int], cells: Mapping[tuple[str, str], int]) -> list[str]:
    """The classes that are mixed up most, and others while there is room, in their own order."""
    weights: Counter[str] = Counter({name: 0 for pair in cells for name in pair})
    for pair, number in wrong.items():
        weights.update(dict.fromkeys(pair, number))
    return sorted((name for name, _ in weights.most_common(MOST)), key=_order)


def _order(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isascii() and name.isdigit() and len(name) < 10 else (1, 0, name)


def _label(name: str, names: Mapping[str, Any]) -> str:
    known = str(names.get(name, name))
    return known if known.startswith(name) else f"{name} {known}"


def _cells(told: Any) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for item in told if isinstance(told, list | tuple) else ():
        if not (isinstance(item, list | tuple) and len(item) == 3 and _is_count(item[2])):
            return {}
        found[str(item[0]), str(item[1])] = item[2]
    return found


def _diagonal(told: Any) -> dict[tuple[str, str], int]:
    items = told.items() if isinstance(told, Mapping) else ()
    return {
        (str(name), str(name)): pair[0]
        for name, pair in items
        if isinstance(pair, list | tuple) and len(pair) == 2 and _is_count(pair[0])
    }


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
