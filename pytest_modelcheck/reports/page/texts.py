"""Foreign values made readable, and no longer than a page has room for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from pytest_modelcheck.escape import printable, printable_lines

# Beyond it no measurement comes, and what does is another package's and means something else.
_MOST = 1e18

_MINUTE = 60


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value of unknown origin is a finite number that can be drawn.

    >>> is_number(0.5), is_number(True), is_number("1"), is_number(10**400)
    (True, False, False, False)
    """
    return type(value) in (int, float) and -_MOST <= value <= _MOST


def shown(value: float) -> str:
    """A number with as many digits as a reader compares.

    >>> shown(0.98880001), shown(66362880), shown(12345.678), shown(2.0)
    ('0.9888', '66,362,880', '12345.7', '2')
    """
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.6g}"


def duration(seconds: float) -> str:
    """Seconds, or minutes and seconds.

    >>> duration(3.14159), duration(200)
    ('3.14 s', '3 min 20 s')
    """
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes:,} min {rest} s" if minutes else f"{seconds:.2f} s"


def cut(text: str, most: int) -> str:
    r"""The text on one line, inert, and with a notice where it is longer than that.

    >>> cut("a\nb", 10), cut("abcdefgh", 3)
    ('a\\nb', 'abc… (5 more characters: see the JSON report)')
    """
    return _shortened(text, most, printable)


def cut_lines(text: str, most: int) -> str:
    """The same for a text of several lines."""
    return _shortened(text, most, printable_lines)


def short(text: str, most: int) -> str:
    """The beginning of a text, for a label beside which the whole is told.

    >>> short("transformer.layer", 8)
    'transfo…'
    """
    text = printable(text[: most + 1])
    return text if len(text) <= most else f"{text[: max(most - 1, 0)]}…"


def tail(text: str, most: int) -> str:
    """The end of a text, for names that begin alike.

    >>> tail("transformer.layer", 8)
    '…r.layer'
    """
    text = printable(text[-most - 1 :])
    return text if len(text) <= most else f"…{text[len(text) - max(most - 1, 0) :]}"


def as_json(values: Mapping[str, Any], most: int) -> str:
    r"""A mapping as JSON, each key on a line of its own.

    >>> print(as_json({"seen": 5, "names": ["a\u202e"]}, 1000))
    {
    "names": ["a\u202e"],
    "seen": 5
    }
    """
    lines = (f"{json.dumps(key, ensure_ascii=False)}: {_line(values[key])}" for key in sorted(values))
    return cut_lines("{\n" + ",\n".join(lines) + "\n}", most)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _shortened(text: str, most: int, inert: Callable[[str], str]) -> str:
    # A text may be megabytes long: what is not shown is not made inert either.
    kept = min(len(text), most)
    told = inert(text[:kept])
    while len(told) > most:
        kept = kept * most // len(told)
        told = inert(text[:kept])
    rest = len(text) - kept
    return f"{told}… ({rest:,} more characters: see the JSON report)" if rest else told
