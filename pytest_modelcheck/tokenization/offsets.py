"""Which letters of a text no token stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_modelcheck.tokenization.metaspace import SPACE

# What surrounds a letter when it is asked what the normalizer makes of it: enough for whatever it may merge with.
_AROUND = 16

Offsets = Sequence[tuple[int, int]]


def lost_letters(text: str, offsets: Offsets, normalize: Callable[[str], str]) -> list[int]:
    """The positions of the letters that lie outside of all offsets, though the normalizer keeps them.

    White space is no letter, nor is what the normalizer deletes, makes a space of, or merges with the letter before.
    """
    covered = {position for start, stop in offsets for position in range(start, stop)}
    outside = [at for at, letter in enumerate(text) if at not in covered and not letter.isspace()]
    return [at for at in outside if _is_kept(text, at, normalize)]


def _is_kept(text: str, at: int, normalize: Callable[[str], str]) -> bool:
    before, after = text[max(0, at - _AROUND) : at], text[at + 1 : at + 1 + _AROUND]
    return _letters(normalize(before + text[at] + after)) > _letters(normalize(before + after))


def _letters(text: str) -> int:
    """The number of characters, white space aside."""
    return sum(map(len, text.replace(SPACE, " ").split()))
