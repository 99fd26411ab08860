"""Lines of text in columns, for a terminal of any width."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

_GAP = 2


@dataclass(frozen=True)
class Line:
    """A line of text and pytest's names of its styles."""

    text: str
    styles: tuple[str, ...] = ()


def aligned(
    rows: Sequence[Sequence[str]], width: int, least: Mapping[int, int], middle: Collection[int] = ()
) -> list[str]:
    """The rows as lines of aligned columns that fit the width, as far as they can.

    `least` has the columns that may shrink, and how narrow each may get; those of `middle` lose their middle and not
    their end.

    >>> aligned([("worse", "test_digits"), ("same", "test_size")], 14, {1: 5}, middle=[1])
    ['worse  te..its', 'same   te..ize']
    """
    widths = [max(map(width_of, column)) for column in zip(*rows, strict=True)]
    _shrink(widths, least, width - _GAP * (len(widths) - 1))
    cuts = [_cut_middle if index in middle else cut_end for index in range(len(widths))]
    return [
        (" " * _GAP)
        .join(_padded(cut(text, size), size) for cut, text, size in zip(cuts, row, widths, strict=True))
        .rstrip()
        for row in rows
    ]


def cut_end(text: str, width: int) -> str:
    """The text within a width; its end makes room."""
    return text if width_of(text) <= width else f"{_first(text, width - 2)}.."


def width_of(text: str) -> int:
    """The columns that a text takes in a terminal: two for each wide character of East Asia, none for marks on others.

    >>> width_of("test"), width_of("\u6570\u5b57"), width_of("e\u0301")
    (4, 4, 1)
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(letter: str) -> int:
    return 0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))


def _first(text: str, width: int) -> str:
    """As much of the beginning of a text as has room."""
    if text.isascii():
        return text[:width]
    ends = accumulate(map(_columns, text))
    return "".join(letter for letter, end in zip(text, ends, strict=True) if end <= width)


def _cut_middle(text: str, width: int) -> str:
    """The text within a width; its middle makes room, since both ends tell tests apart."""
    if width_of(text) <= width:
        return text
    head = _first(text, (width - 2) // 2)
    return f"{head}..{_first(text[::-1], width - 2 - width_of(head))[::-1]}"


def _shrink(widths: list[int], least: Mapping[int, int], room: int) -> None:
    """Take from the widest column that may still shrink, until all fit or none may."""
    while sum(widths) > room:
        wide = [index for index in least if widths[index] > least[index]]
        if not wide:
            return
        widths[max(wide, key=widths.__getitem__)] -= 1
