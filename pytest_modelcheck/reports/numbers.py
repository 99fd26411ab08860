"""Numbers that every reader of numbers takes."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any) -> int | float | None:
    """The value where it is a finite number, and `None` else.

    >>> finite(0.5), finite(float("nan")), finite("0.5"), finite(10**400), finite(True)
    (0.5, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None
