"""JSON as its standard has it, and nothing that Python reads beside it."""

from __future__ import annotations

import json
import math
from typing import Any


def loads(text: str) -> Any:
    """The value of a JSON text; a `ValueError` for NaN and infinities, numbers beyond a float, and a key told twice.

    >>> loads('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> loads('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: it has the key "a" twice
    """
    return json.loads(text, object_pairs_hook=_object, parse_constant=_refused, parse_float=_float)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the key {json.dumps(twice)} twice")
    return found


def _refused(name: str) -> Any:
    raise ValueError(f"it has the number {name}, which JSON does not know")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"it has the number {text[:60]}, which is too large")
    return number
