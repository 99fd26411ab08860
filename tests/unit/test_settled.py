"""A value is read once: what it is afterwards, or says of itself, changes nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum
from fractions import Fraction

import pytest

from pytest_modelcheck.settled import settled


class Text(str):
    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class Whole(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class Share(float):
    def __repr__(self):
        return "0.1"

    __str__ = __repr__


class Kind(str, Enum):
    ONE = "one"


class Changing(Mapping):
    """It has one item when it is read first, and none later."""

    def __init__(self):
        self.left = [["a"]]

    def __iter__(self):
        return iter(self.left.pop() if self.left else [])

    def __len__(self):
        return 1

    def __getitem__(self, key):
        return Whole(3)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text("a"), "a"),
        (Whole(3), 3),
        (Share(0.9), 0.9),
        ([Text("a"), (Whole(3), None)], ["a", (3, None)]),
        (OrderedDict({Text("a"): [Share(0.5)]}), {"a": [0.5]}),
    ],
)
def test_classes_of_their_own_become_plain(value, expected):
    found = settled(value)
    assert repr(found) == repr(expected)
    assert type(found) is type(expected)


def test_a_mapping_is_what_it_was_when_it_was_read_first():
    found = settled(Changing())
    assert repr(found) == "{'a': 3}"
    assert type(found) is dict


def test_a_list_is_a_copy():
    given = ["a"]
    found = settled(given)
    given.append("b")
    assert found == ["a"]


@pytest.mark.parametrize("value", [None, True, Kind.ONE, Fraction(1, 3), len, range(3), object(), frozenset()])
def test_anything_else_is_left_as_it_is(value):
    assert settled(value) is value
