"""The shortest text that still fails, found by leaving out what it fails without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

# How many characters of shorter texts are tried in all, and in one call.
_BUDGET = 4_000_000
_AT_ONCE = 20_000

# Every stretch of so few characters is tried, before longer texts are halved.
_SHORT = 3

Fails = Callable[[Sequence[str]], list[bool]]


def shortest_failing(text: str, fails: Fails) -> str:
    r"""A part of the text that fails and, as a rule, no longer does with any one character less; or the text itself.

    `fails` is asked about several texts at once. What it cannot judge, it says does not fail.

    >>> shortest_failing("a lot of text with an \u00e9 in it", lambda texts: ["\u00e9" in text for text in texts])
    'é'
    """
    search = _Search(fails)
    for length in range(1, min(_SHORT, len(text) - 1) + 1):
        stretches = dict.fromkeys(text[start : start + length] for start in range(len(text) - length + 1))
        found = search.first(stretches, most=_BUDGET // 8)
        if found is not None:
            return found
    return _reduced(text, search)


class _Search:
    """Asks about texts for as long as the budget lasts."""

    def __init__(self, fails: Fails) -> None:
        self._fails = fails
        self._left = _BUDGET

    def first(self, candidates: Iterable[str], *, most: int = _BUDGET) -> str | None:
        """The first of the candidates that fails, among those that `most` of the budget pays for."""
        for batch in self._batches(candidates, self._left - most):
            for candidate, failed in zip(batch, self._fails(batch), strict=True):
                if failed:
                    return candidate
        return None

    def _batches(self, candidates: Iterable[str], kept: int) -> Iterator[list[str]]:
        batch: list[str] = []
        size = 0
        for candidate in candidates:
            if self._left <= max(kept, 0):
                break
            batch.append(candidate)
            # A text costs something even where it is short.
            size, self._left = size + len(candidate) + 50, self._left - len(candidate) - 50
            if size >= _AT_ONCE:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch


def _reduced(text: str, search: _Search) -> str:
    """Leave out ever smaller stretches for as long as what is left fails: minimizing delta debugging.

    A. Zeller and R. Hildebrandt, Simplifying and Isolating Failure-Inducing Input, IEEE TSE 28(2), 2002.
    """
    size = len(text) // 2
    while size:
        found = search.first(text[:start] + text[start + size :] for start in range(0, len(text), size))
        if found:
            text, size = found, max(1, min(size, len(found) // 2))
        else:
            size //= 2
    return text
