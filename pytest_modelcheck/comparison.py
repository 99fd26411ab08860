"""The one place where a measured number meets a promised one.

Numbers are compared as fractions: a promise of `0.95` is 95/100, not the nearest binary float, and a measurement of
9,500 correct out of 10,000 keeps it. What is not a finite number never keeps a promise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pytest_modelcheck.errors import ConfigError, require


@dataclass(frozen=True)
class Comparison:
    """Whether one number keeps one promise. `margin` is relative to the promise, `None` for an equality."""

    ok: bool
    margin: float | None
    problem: str = ""


def exact(value: object) -> Fraction | None:
    """The value as an exact fraction, floats read as the decimal they print as; `None` where it is no finite number.

    Integers, floats, `Decimal`, `Fraction`, numpy scalars and 0-d tensors are numbers; booleans and strings are not,
    and neither is what is masked. Each has one reading, whatever holds it: a scalar of numpy or torch is the shortest
    decimal of its own precision, but for `bfloat16` and those of eight bits, which are what they are. Of a class that
    inherits from a number's, the number counts, whatever the class makes of comparisons.

    >>> exact(0.07) * 100
    Fraction(7, 1)
    >>> exact(float("nan")) is None and exact(True) is None and exact("0.9") is None
    True
    """
    kind = type(value)  # what an object says of its own class is not believed
    if issubclass(kind, bool | str | bytes):
        return None
    if issubclass(kind, int):
        return Fraction(int.__index__(value))  # type: ignore[arg-type]
    if issubclass(kind, float):
        # float.__repr__, because a subclass may print fewer digits, and numpy can be told to.
        return Fraction(float.__repr__(value)) if math.isfinite(value) else None  # type: ignore[arg-type]
    if issubclass(kind, Decimal):
        plain = Decimal(value)  # type: ignore[arg-type]
        # A decimal may carry an exponent whose fraction fits no memory; a float's range is enough for a promise.
        return Fraction(plain) if plain.is_finite() and abs(plain.adjusted()) <= 400 else None
    if issubclass(kind, Fraction):
        return Fraction.__pos__(value)  # type: ignore[arg-type]
    return _scalar(value)


def _scalar(value: Any) -> Fraction | None:
    try:
        # What lies under a mask is no value.
        if value.shape != () or getattr(value, "mask", False):
            return None
        if getattr(value.dtype, "kind", None) in ("m", "M"):  # a span or a point of time
            return None
        kind = getattr(value.dtype, "name", None) or str(value.dtype).removeprefix("torch.")
        item = value.item()
    except Exception:  # it is neither array nor tensor, or a tensor on the meta device, which has no value
        return None
    if type(item).__name__ == "longdouble" or (isinstance(item, float) and kind in ("float16", "float32")):
        # As a Python float it would have digits that it does not print.
        numpy = require("numpy", f"reading a number of {kind}")
        number = getattr(numpy, kind)(item)
        return Fraction(numpy.format_float_scientific(number)) if numpy.isfinite(number) else None
    return exact(item) if isinstance(item, bool | int | float) else None


def promised_number(name: str, value: object, *, low: int | None = None, high: int | None = None) -> Fraction:
    """The value of a promise, exactly; a `ConfigError` that names the promise where it is no finite number in range.

    >>> promised_number("min", 0.98, low=0, high=1)
    Fraction(49, 50)
    >>> promised_number("min", 98, low=0, high=1)
    Traceback (most recent call last):
    pytest_modelcheck.ConfigError: min=98: a number from 0 to 1 is expected
    """
    number = exact(value)
    if number is None or (low is not None and number < low) or (high is not None and number > high):
        bounds = f" from {low} to {high}" if high is not None else f" of at least {low}" if low is not None else ""
        raise ConfigError(f"{name}={shown(value)}: a {'finite ' if not bounds else ''}number{bounds} is expected")
    return number


def shown(value: object) -> str:
    """The value as Python writes it, or its class where it cannot be written."""
    try:
        return repr(value)
    except ValueError:  # Python does not write out integers of thousands of digits
        return f"<{type(value).__name__} of too many digits>"
    except Exception:
        return f"<{type(value).__name__}>"


def at_least(measured: object, promised: Fraction) -> Comparison:
    """Whether `measured >= promised`; the margin is their difference, as a share of the promise where it exceeds 1."""
    return _compare(measured, promised, sign=1)


def at_most(measured: object, promised: Fraction) -> Comparison:
    """Whether `measured <= promised`; the margin is what is left, as a share of the promise where it exceeds 1."""
    return _compare(measured, promised, sign=-1)


def equal(measured: object, promised: Fraction) -> Comparison:
    """Whether `measured == promised`, exactly."""
    value = exact(measured)
    if value is None:
        return Comparison(ok=False, margin=None, problem=f"{shown(measured)} is not a finite number")
    return Comparison(ok=value == promised, margin=None)


def _compare(measured: object, promised: Fraction, *, sign: int) -> Comparison:
    value = exact(measured)
    if value is None:
        return Comparison(ok=False, margin=None, problem=f"{shown(measured)} is not a finite number")
    room = (value - promised) * sign
    return Comparison(ok=room >= 0, margin=_as_float(room / max(Fraction(1), abs(promised))))


def _as_float(value: Fraction) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
