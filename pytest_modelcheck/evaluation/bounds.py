"""What the interval of a metric is, and what every family of metrics needs to make one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pytest_modelcheck.evaluation.intervals import normal_quantile


@dataclass(frozen=True)
class Interval:
    """Two one-sided bounds of a metric's true value, each at the confidence that was asked for.

    `low` and `high` are numbers, or tuples of one number per element where the metric's value is a vector. Both are
    `None` where there is no interval, and `why_none` says why. `size` is the number of independent samples that the
    bounds rest on: those whose targets are not ignored.
    """

    low: float | tuple[float, ...] | None
    high: float | tuple[float, ...] | None
    method: str
    size: int
    why_none: str = ""


class NoInterval(Exception):
    """There is no interval; the message says why."""


def values_of(metric: Any) -> list[float]:
    """The value that an updated metric computes, flat: one number, or one for each element."""
    value = metric.compute()
    if not hasattr(value, "detach"):
        raise NoInterval(f"its value is no tensor but {type(value).__name__}")
    values: list[float] = value.detach().cpu().double().reshape(-1).tolist()
    return values


def require_agreement(measured: list[float], expected: list[float], what: str, tolerance: float) -> None:
    """Hold the metric's own value against the formula that an interval is made of, element by element.

    A subclass may compute something else than its name says, and an interval of the wrong number is worse than none.
    Raises `NoInterval` where they part.

    >>> require_agreement([0.91], [0.93], "that of the confusion matrix", 1e-5)
    Traceback (most recent call last):
    pytest_modelcheck.evaluation.bounds.NoInterval: its value is not that of the confusion matrix (0.91 against 0.93)
    """
    if len(measured) != len(expected):
        raise NoInterval(f"its value is not {what} ({len(measured)} numbers against {len(expected)})")
    for value, formula in zip(measured, expected, strict=True):
        if not math.isfinite(value):
            raise NoInterval(f"its value is {value}")
        if not abs(value - formula) <= tolerance:
            raise NoInterval(f"its value is not {what} ({value:.6g} against {formula:.6g})")


def t_quantile(confidence: float, freedom: int) -> float:
    """The `t` below which Student's variable with so many degrees of freedom falls with probability `confidence`.

    For confidences of at least 1/2, to nine digits: by bisection on the incomplete beta function (DLMF 8.17.22), and
    from 1,000 degrees of freedom on by the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5).

    >>> round(t_quantile(0.95, 9), 6), round(t_quantile(0.95, 5_000), 6)
    (1.833113, 1.645158)
    """
    z = normal_quantile(confidence)
    if freedom >= 1000:
        first = (z**3 + z) / 4
        second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
        third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
        return z + first / freedom + second / freedom**2 + third / freedom**3
    low, high = 0.0, 1.0
    while _t_tail(high, freedom) > 1 - confidence:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_tail(middle, freedom) > 1 - confidence else (low, middle)
    return (low + high) / 2


def _t_tail(t: float, freedom: int) -> float:
    # For t > 0 it is half of the incomplete beta function I_x(freedom / 2, 1 / 2) at x = freedom / (freedom + t^2).
    a, b = freedom / 2, 0.5
    x = freedom / (freedom + t * t)
    rest = t * t / (freedom + t * t)  # 1 - x, without the loss of digits
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    front = math.exp(log_front)
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / (2 * a)
    return (1 - front * _beta_fraction(b, a, rest) / b) / 2


def _beta_fraction(a: float, b: float, x: float) -> float:
    # Lentz's method; on this side of the mean it converges in about sqrt(a + b) steps.
    tiny = 1e-300
    upper, lower = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or tiny)
    value = lower
    for step in range(1, 10_000):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for term in (even, odd):
            upper = (1 + term / upper) or tiny
            lower = 1 / ((1 + term * lower) or tiny)
            value *= upper * lower
        if abs(upper * lower - 1) < 1e-15:
            break
    return value
