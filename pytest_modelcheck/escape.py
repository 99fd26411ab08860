"""Foreign text made inert: what is shown of it can neither move a cursor nor start a line of its own."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text on one line, with control, format and bidirectional characters escaped.

    >>> printable("red\x1b[31m and\nnew\u202e")
    'red\\x1b[31m and\\nnew\\u202e'
    """
    return "".join(item if item == " " or item.isprintable() else ascii(item)[1:-1] for item in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines."""
    return "\n".join(map(printable, text.split("\n")))
