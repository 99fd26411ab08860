"""Foreign text in Markdown: what it says is shown, and nothing of it is markup.

A backslash is no protection on GitHub, which looks for mentions, references and emoji in the rendered page. It leaves
code alone, so that is what foreign text becomes, but for plain words and numbers.
"""

from __future__ import annotations

import re

from pytest_modelcheck.escape import printable, printable_lines

# Words, small numbers and what stands between them. A word of hexadecimal digits may name a commit.
_WORD = r"(?![0-9a-fA-F]{7,40}\b)[A-Za-z]{1,30}"
_NUMBER = r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d{1,6})?|[+-]?\d{1,6}(?:\.\d{1,6})?"
_TOKEN = rf"\(?(?:{_WORD}|{_NUMBER}|%)\)?[.,:;]?"
_TAME = re.compile(rf"{_TOKEN}(?: {_TOKEN})*", re.ASCII)

_TICKS = re.compile("`+")
_PIPE = re.compile(r"(\\*)\|")

# Longer runs of backticks begin no code in GitHub's parser.
_MOST_TICKS = 8

# How much is shown of a text in a line, and of a message.
_LONGEST = 300
_LINES = 100


def code(text: str) -> str:
    """The text as code within a line; an empty one is nothing.

    >>> code("tests/test_it.py::test[`@user`]")
    '``tests/test_it.py::test[`@user`]``'
    """
    shown = cut(printable(text))
    if not shown:
        return ""
    ticks = max(map(len, _TICKS.findall(shown)), default=0)
    if ticks >= _MOST_TICKS:
        shown, ticks = shown.replace("`", r"\x60"), 0
    fence = "`" * (ticks + 1)
    space = " " if "`" in (shown[0], shown[-1]) or (shown[0] == shown[-1] == " " and shown.strip()) else ""
    return f"{fence}{space}{shown}{space}{fence}"


def text(told: str) -> str:
    """The text as it is where it is made of plain words and numbers, and as code else.

    >>> text("at least 0.98 (98 of 100)"), text("see #1")
    ('at least 0.98 (98 of 100)', '`see #1`')
    """
    return told if len(told) <= _LONGEST and _TAME.fullmatch(told) else code(told)


def cell(told: str) -> str:
    r"""The text in a cell of a table, where a pipe ends a cell also in code, but after an odd number of backslashes.

    >>> cell("a|b")
    '`a\\|b`'
    """
    return _PIPE.sub(lambda found: found[1] + ("\\\\|" if len(found[1]) % 2 else "\\|"), text(told))


def block(told: str) -> list[str]:
    """The lines as indented code, which nothing ends but a line that is not indented. What is blank is nothing."""
    lines = printable_lines(told).split("\n")
    more = len(lines) - _LINES
    lines = [*lines[:_LINES], f"... and {more:,} more lines"] if more > 0 else lines
    return [f"    {cut(line, 10 * _LONGEST)}" for line in lines] if any(map(str.strip, lines)) else []


def cut(told: str, most: int = _LONGEST) -> str:
    """The text, or its beginning where it is long."""
    return told if len(told) <= most else f"{told[: most - 2]}.."
