"""Whether a number moved, or is what chance alone would make of it in another run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.reports.run import Row
from pytest_modelcheck.result import Number

Move = Literal["worse", "better", "changed", "same"]


@dataclass(frozen=True)
class Difference:
    """How much larger the new number is, with two bounds that hold at `confidence` each; exact where they are equal."""

    value: float
    low: float
    high: float
    confidence: float

    @property
    def is_exact(self) -> bool:
        """Whether both numbers are exact, so that nothing of their difference is chance."""
        return self.low == self.high

    @property
    def is_beyond_noise(self) -> bool:
        """Whether the bounds exclude that nothing changed."""
        return self.low > 0 or self.high < 0


def difference(old: Number, new: Number) -> Difference:
    """The difference new - old with the bounds of MOVER, the method of variance estimates recovery.

    With the bounds l and u of each value v, the margins of the two numbers add like standard errors:

        low = d - sqrt((v_new - l_new)^2 + (u_old - v_old)^2)
        high = d + sqrt((u_new - v_new)^2 + (v_old - l_old)^2)

    Newcombe (1998, Statistics in Medicine 17:873-890, method 10) has it for two shares with Wilson's bounds, and Zou
    and Donner (2008, Statistics in Medicine 27:1693-1702) for any bounds. It takes the samples of the two runs as
    independent. Where they are the same samples, as they are for equal fingerprints, one model's wrong samples are
    mostly the other's too, and the bounds are wider than they had to be: what is beyond noise is so all the more, and
    only a paired comparison, such as `accuracy(max_drop=...)`, sees smaller changes.

    A number without bounds is exact. Bounds at the higher confidence hold at the lower one as well, which is that of
    the difference.

    >>> moved = difference(Number("accuracy", 0.9888, 0.9869, 0.9905), Number("accuracy", 0.9701, 0.9671, 0.9729))
    >>> round(moved.value, 4), round(moved.low, 4), round(moved.high, 4), moved.is_beyond_noise
    (-0.0187, -0.0221, -0.0153, True)
    """
    value = new.value - old.value
    down = math.hypot(new.value - _low(new), _high(old) - old.value)
    up = math.hypot(_high(new) - new.value, old.value - _low(old))
    # Without margins the integers stay integers.
    return Difference(value, value - down if down else value, value + up if up else value, _confidence(old, new))


def move(difference: Difference, better: str) -> Move:
    """What a difference means where the `"higher"` number is better, or the `"lower"`, or neither (`""`).

    >>> move(Difference(-0.02, -0.03, -0.01, 0.95), "higher"), move(Difference(-0.02, -0.03, 0.01, 0.95), "higher")
    ('worse', 'same')
    """
    if not difference.is_beyond_noise:
        return "same"
    if not better:
        return "changed"
    return "better" if (difference.value > 0) == (better == "higher") else "worse"


def number_of(row: Row) -> Number | None:
    """The number of a row; a `ModelCheckError` where a report has one that is none.

    >>> number_of({"gate": "test_it", "number": {"name": "loss", "value": "0.5"}})
    Traceback (most recent call last):
    pytest_modelcheck.ModelCheckError: the number of test_it cannot be compared: its value is no number: '0.5'
    """
    told = row.get("number")
    if told is None:
        return None
    try:
        return _read(told)
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelCheckError(f"the number of {row['gate']} cannot be compared: {error}") from None


def _read(told: Any) -> Number:
    if not isinstance(told, Mapping):
        raise TypeError(f"a mapping is expected, not {told!r:.40}")
    given = {"value": None, **told}
    for name in ("value", "low", "high", "confidence"):
        item = given.get(name, 0)
        has_none = item is None and name in ("low", "high")
        if isinstance(item, bool) or not (has_none or isinstance(item, int | float)):
            raise TypeError(f"its {name} is no number: {item!r:.40}")
    number = Number(**told)
    if not isinstance(number.name, str):
        raise TypeError(f"its name is no text: {number.name!r:.40}")
    if not 0 < number.confidence < 1:
        raise ValueError(f"its confidence is not between 0 and 1: {number.confidence}")
    return number


def _low(number: Number) -> float:
    return number.value if number.low is None else number.low


def _high(number: Number) -> float:
    return number.value if number.high is None else number.high


def _confidence(old: Number, new: Number) -> float:
    return min((item.confidence for item in (old, new) if item.low is not None or item.high is not None), default=0.95)
