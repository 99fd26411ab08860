"""What a baseline was and what it has become, in a few lines."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_modelcheck.baselines.differences import difference

ROWS = [["0", "Conv2d", 320], ["1", "ReLU", 0]]

CASES = {
    "nothing": ({"ids": [1]}, {"ids": [1]}, []),
    "an item": ({"ids": [1, 2, 3]}, {"ids": [1, 9, 3]}, ["ids[1]: 2 -> 9"]),
    "items": ({"ids": [1, 2, 3]}, {"ids": [7, 9, 3]}, ["ids[0]: 1 -> 7", "ids: 1 more of its items differ"]),
    "an item more": ({"ids": [1]}, {"ids": [1, 2]}, ["ids: 1 items -> 2"]),
    "a key": ({"a": 1, "b": 2}, {"a": 1, "c": 3}, ["b: removed, 2", "c: added, 3"]),
    "a row": ({"rows": ROWS}, {"rows": [ROWS[0], ["1", "GELU", 0]]}, ['rows.1[1]: "ReLU" -> "GELU"']),
    "a row fewer": ({"rows": ROWS}, {"rows": ROWS[:1]}, ['rows.1: removed, ["1", "ReLU", 0]']),
    "a row renamed": (
        {"rows": ROWS},
        {"rows": [ROWS[0], ["2", "ReLU", 0]]},
        ['rows.1: removed, ["1", "ReLU", 0]', 'rows.2: added, ["2", "ReLU", 0]'],
    ),
    "a type": ({"a": 1}, {"a": True}, ["a: 1 -> true"]),
    "a long text": ({"a": "x" * 100}, {"a": "y"}, ['a: "' + "x" * 57 + '.. -> "y"']),
    "many": (
        {str(number): number for number in range(12)},
        {str(number): -number - 1 for number in range(12)},
        [*(f"{number}: {number} -> {-number - 1}" for number in range(8)), "... and 4 more"],
    ),
    "what would reach the terminal": ({"a\x1b": "\u202e"}, {}, ['a\\x1b: removed, "\\u202e"']),
}


@pytest.mark.parametrize(("before", "after", "lines"), CASES.values(), ids=CASES)
def test_it_is_this_to_the_letter(before: object, after: object, lines: list[str]):
    assert difference(before, after) == lines


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
@example([1], [True])
@example([["a", 1], ["b", 2]], [["b", 2], ["a", 1]])
def test_what_differs_is_never_without_a_line(before: object, after: object):
    lines = difference(before, after)
    assert bool(lines) == (_kinds(before) != _kinds(after))
    assert len(lines) <= 9
    assert all(line.isprintable() for line in lines)


def _kinds(value: object) -> object:
    """The value with its types, by which True is not 1; the order of keys is no difference."""
    if isinstance(value, dict):
        return {key: _kinds(item) for key, item in value.items()}
    return [_kinds(item) for item in value] if isinstance(value, list) else (type(value), value)
