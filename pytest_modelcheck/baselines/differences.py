"""What a baseline was and what it has become, in a few lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_modelcheck.escape import printable

# The lines of one difference, and how much is shown of a value.
_LINES = 8
_WIDTH = 60


def difference(before: Any, after: Any) -> list[str]:
    """The places where two baselines differ, one to a line, the first eight of them.

    A table, which is a list of lists that begin with names, is compared row by row.

    >>> difference({"ids": [101, 7], "text": "a"}, {"ids": [101, 8], "text": "a"})
    ['ids[1]: 7 -> 8']
    >>> difference({"rows": [["0", "Conv2d", 320]]}, {"rows": [["0", "Conv2d", 640], ["1", "ReLU", 0]]})
    ['rows.0[2]: 320 -> 640', 'rows.1: added, ["1", "ReLU", 0]']
    """
    lines = list(_parted("", before, after))
    more = len(lines) - _LINES
    return lines if more <= 0 else [*lines[:_LINES], f"... and {more:,} more"]


def _parted(path: str, before: Any, after: Any) -> Iterator[str]:
    old, new = _as_mapping(before), _as_mapping(after)
    if old is not None and new is not None:
        yield from _of_mappings(path, old, new)
        if isinstance(before, list) and list(old) != list(new) and old.keys() == new.keys():
            yield f"{path or 'all'}: its rows are in another order"
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(path, before, after)
    elif type(before) is not type(after) or before != after:
        yield f"{path or 'all'}: {_shown(before)} -> {_shown(after)}"


def _of_mappings(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in [*old, *(key for key in new if key not in old)]:
        place = f"{path}.{printable(key)}" if path else printable(key)
        if key not in new:
            yield f"{place}: removed, {_shown(old[key])}"
        elif key not in old:
            yield f"{place}: added, {_shown(new[key])}"
        else:
            yield from _parted(place, old[key], new[key])


def _of_lists(path: str, old: list[Any], new: list[Any]) -> Iterator[str]:
    apart = [index for index, pair in enumerate(zip(old, new, strict=False)) if any(_parted("", *pair))]
    if apart:
        yield from _parted(f"{path}[{apart[0]}]", old[apart[0]], new[apart[0]])
    if len(apart) > 1:
        yield f"{path}: {len(apart) - 1:,} more of its items differ"
    if len(old) != len(new):
        yield f"{path}: {len(old):,} items -> {len(new):,}"


def _as_mapping(value: Any) -> Mapping[str, Any] | None:
    """A mapping as it is, and a table by the names of its rows."""
    if isinstance(value, Mapping):
        return value
    is_table = isinstance(value, list) and all(
        isinstance(row, list) and row and isinstance(row[0], str) for row in value
    )
    if not is_table or not value:
        return None
    named = {row[0]: row for row in value}
    return named if len(named) == len(value) else None


def _shown(value: Any) -> str:
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 2]}.."
