"""Where two texts or two id lists part, in words that a terminal can print."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from pytest_modelcheck.escape import printable

_CONTEXT = 12
_LONGEST = 60


def quoted(text: str, *, longest: int = _LONGEST) -> str:
    r"""The text in quotes, shortened, with every character escaped that a terminal would not show as it is.

    >>> print(quoted("bell\x07 caf\u00e9"))
    'bell\x07 café'
    """
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    return "'" + printable(shown.replace("\\", "\\\\").replace("'", "\\'")) + "'"


def character_name(character: str) -> str:
    """A character with its code point and Unicode name.

    >>> character_name("é")
    "'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE)"
    """
    name = unicodedata.name(character, unicodedata.category(character))
    shown = f"'{ascii(character)[1:-1]}'" if unicodedata.combining(character) else quoted(character)
    return f"{shown} (U+{ord(character):04X} {name})"


def first_difference(found: Sequence[object], expected: Sequence[object]) -> int | None:
    """The first index at which two sequences part, the shorter one's length if it is a prefix, or `None`.

    >>> first_difference("cafe", "café"), first_difference("ab", "abc"), first_difference("x", "x")
    (3, 2, None)
    """
    for index, (left, right) in enumerate(zip(found, expected, strict=False)):
        if left != right:
            return index
    return None if len(found) == len(expected) else min(len(found), len(expected))


def text_difference(found: str, expected: str) -> str:
    """One sentence on where the found text parts from the expected one; `""` where they are the same.

    >>> text_difference("a b", "ab")
    "at character 1: ' ' (U+0020 SPACE) instead of 'b' (U+0062 LATIN SMALL LETTER B), after 'a'"
    """
    index = first_difference(found, expected)
    if index is None:
        return ""
    got = character_name(found[index]) if index < len(found) else "the end of the text"
    wanted = character_name(expected[index]) if index < len(expected) else "the end of the text"
    before = expected[max(0, index - _CONTEXT) : index]
    return f"at character {index}: {got} instead of {wanted}" + (f", after {quoted(before)}" if before else "")


def same_ids(text: str, found: Sequence[int], expected: Sequence[int], where: str) -> str:
    """One sentence on where the ids of a text part from the expected ones; `""` where they are the same.

    >>> same_ids("a b", [5, 7], [5, 6], "in a batch")
    "'a b': in a batch, id 1 is 7 instead of 6"
    """
    index = first_difference(found, expected)
    if index is None:
        return ""
    got = found[index] if index < len(found) else "the end"
    wanted = expected[index] if index < len(expected) else "the end"
    return f"{quoted(text)}: {where}, id {index} is {got} instead of {wanted}"
