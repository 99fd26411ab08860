"""Values that are what they were when they were read, whatever their classes make of reading and comparing them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any


def settled(value: Any) -> Any:
    """The value with its mappings and lists copied, and texts and numbers of classes of their own as plain ones.

    A promise is validated, measured against and shown: all of them see one reading. Any other object is left as it is.

    >>> class Loud(str):
    ...     def __eq__(self, other):
    ...         return True
    >>> settled({"a": [Loud("b"), 1]}) == {"a": ["c", 1]}
    False
    """
    kind = type(value)
    if kind in (str, int, float, bool) or issubclass(kind, Enum):
        return value
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int):
        return int.__index__(value)
    if issubclass(kind, float):
        return float.__float__(value)
    if isinstance(value, Mapping):
        return {settled(key): settled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [settled(item) for item in value]
    return tuple(map(settled, value)) if kind is tuple else value
