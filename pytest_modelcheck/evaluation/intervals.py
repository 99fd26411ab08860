"""The arithmetic of a promise about more than one test set: what a count of correct samples certifies, and how surely.

Probabilities are read as decimals, like promises: a confidence of 0.95 leaves 5/100, not the nearest binary float.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist, mean, stdev
from typing import Literal

from pytest_modelcheck.comparison import exact

# Sums of up to some ten thousand floats are right to this share: what lies as near to a limit stands on it.
_ROUNDING = 1e-12


def lower_bound(correct: int, size: int, confidence: float) -> float:
    """The one-sided lower bound of the true share from 0 to 1, where `correct` of `size` samples are correct.

    Clopper and Pearson (1934): the share p with P(Bin(size, p) >= correct) = 1 - confidence. Raises `ValueError`.

    >>> round(lower_bound(9_800, 10_000, 0.95), 4), lower_bound(0, 10, 0.95)
    (0.9775, 0.0)
    """
    _check_counts(correct, size)
    return _lower(correct, size, _error(confidence))


def upper_bound(correct: int, size: int, confidence: float) -> float:
    """The one-sided upper bound of the true share, by Clopper and Pearson (1934). Raises `ValueError`.

    >>> round(upper_bound(9_800, 10_000, 0.95), 4), upper_bound(10, 10, 0.95)
    (0.9822, 1.0)
    """
    _check_counts(correct, size)
    return 1 - _lower(size - correct, size, _error(confidence))


def clopper_pearson(correct: int, size: int, confidence: float) -> tuple[float, float]:
    """The two-sided interval of Clopper and Pearson (1934): each side errs with (1 - confidence) / 2 at most.

    >>> [round(bound, 4) for bound in clopper_pearson(98, 100, 0.95)]
    [0.9296, 0.9976]
    """
    _check_counts(correct, size)
    error = _error(confidence) / 2
    return _lower(correct, size, error), 1 - _lower(size - correct, size, error)


def needed_for(threshold: Fraction, size: int, confidence: float) -> int | None:
    """The fewest correct samples of `size` that certify the threshold: their `lower_bound` is at least that.

    The smallest c with P(Bin(size, threshold) >= c) <= 1 - confidence, the test that Clopper and Pearson (1934) invert;
    `None` where even `size` correct samples do not certify it. Raises `ValueError`.

    >>> needed_for(Fraction("0.98"), 10_000, 0.95), needed_for(Fraction("0.98"), 148, 0.95)
    (9824, None)
    """
    _check_counts(0, size)
    error = _error(confidence)
    _expect(0 <= threshold <= 1, f"threshold={threshold}", "a number from 0 to 1 is")
    if threshold == 0:
        return 0
    # Both ends by Bernoulli's inequality, so that what follows meets no share that a float cannot hold.
    if size * threshold <= error:
        return 1
    if size * (1 - threshold) < 1 - error:
        return None
    limit = float(error) * (1 + _ROUNDING)
    needed = bisect_left(range(size + 1), True, key=lambda count: _tail(count, size, threshold) <= limit)
    return needed if needed <= size else None


def smallest_size(threshold: Fraction, confidence: float) -> int | None:
    """The fewest samples that certify the threshold where all of them are correct; `None` where no number does.

    The smallest N >= 1 with threshold**N <= 1 - confidence: ceil(ln(1 - confidence) / ln(threshold)), exactly.

    >>> smallest_size(Fraction("0.98"), 0.95), smallest_size(Fraction("0.5"), 0.75), smallest_size(Fraction(1), 0.95)
    (149, 2, None)
    """
    error = _error(confidence)
    _expect(0 <= threshold <= 1, f"threshold={threshold}", "a number from 0 to 1 is")
    if threshold <= error:
        return 1
    if (step := _log(threshold)) == 0:  # 1, or no float is between it and 1
        return None
    # The logarithms are right to some 1e-16 of their quotient, which is an integer where threshold**N is the limit.
    return math.ceil(_log(error) / step * (1 - 1e-14))


def mcnemar_mid_p(broken: int, fixed: int) -> float:
    """How likely at least so many of the changed samples are newly broken ones, where nothing changed on the whole.

    The one-sided mid-p version of McNemar's test (Fagerland, Lydersen and Laake 2013), with n = broken + fixed:
    P(Bin(n, 1/2) >= broken) - P(Bin(n, 1/2) = broken) / 2. It is 0.5 where no sample changed. Raises `ValueError`.

    >>> mcnemar_mid_p(0, 0), round(mcnemar_mid_p(3, 0), 4), round(mcnemar_mid_p(20, 8), 4)
    (0.5, 0.0625, 0.0121)
    """
    _expect(broken >= 0 and fixed >= 0, f"broken={broken}, fixed={fixed}", "counts of at least 0 are")
    changed, half = broken + fixed, Fraction(1, 2)
    return _tail(broken, changed, half) - math.exp(_log_probability(broken, changed, half)) / 2


def drop_bound(broken: int, fixed: int, size: int, confidence: float) -> float:
    """The one-sided upper bound of the drop in accuracy, of the same `size` samples before and after.

    The drop is the share of newly broken samples less that of newly fixed ones, from -1 to 1. The bound is the largest
    drop that a one-sided score test at this confidence does not reject (Tango 1998, Statistics in Medicine 17:891-908);
    for large counts it is near (b - c)/N + z sqrt(b + c - (b - c)^2/N)/N. Raises `ValueError`.

    >>> round(drop_bound(30, 20, 10_000, 0.95), 5), round(drop_bound(0, 0, 100, 0.95), 5)
    (0.00222, 0.02634)
    """
    fits = broken >= 0 and fixed >= 0 and broken + fixed <= size and size >= 1
    _expect(fits, f"broken={broken}, fixed={fixed}, size={size}", "counts that fit into at least 1 sample are")
    quantile = -normal_quantile(float(_error(confidence)))
    estimate = (broken - fixed) / size
    low, high = (estimate, 1.0) if quantile >= 0 else (-1.0, estimate)
    while low < (middle := (low + high) / 2) < high:
        reach = quantile * math.sqrt(size * _variance_at(middle, broken, fixed, size))
        low, high = (middle, high) if broken - fixed - size * middle + reach > 0 else (low, middle)
    return middle


def _variance_at(drop: float, broken: int, fixed: int, size: int) -> float:
    # The variance of one sample's change at the likeliest shares that differ by this drop.
    linear = (2 * size - broken + fixed) * drop - broken - fixed
    constant = -fixed * drop * (1 - drop)
    root = math.sqrt(max(linear**2 - 8 * size * constant, 0.0))
    share = -2 * constant / (linear + root) if linear > 0 else (root - linear) / (4 * size)
    return max(2 * share + drop * (1 - drop), 0.0)


def normal_quantile(probability: float) -> float:
    """The number that a standard normal variable stays below with this probability.

    >>> round(normal_quantile(0.95), 4)
    1.6449
    """
    _expect(0 < probability < 1, f"probability={probability!r}", "a number between 0 and 1, both excluded, is")
    return NormalDist().inv_cdf(probability)


@dataclass(frozen=True)
class RecipeTest:
    """Whether training with a recipe is reliable, seed by seed: Wald's sequential probability ratio test (Wald 1945).

    A recipe that reaches its threshold with probability `q0` passes with probability `alpha`, one that does so with
    probability `q1` fails with probability `beta`, as nearly as Wald's bounds hold. Raises `ValueError`.

    >>> RecipeTest().fewest, RecipeTest().decision(5, 0), RecipeTest().decision(4, 0), RecipeTest().decision(1, 2)
    (5, 'passed', '', 'failed')
    """

    q1: float = 0.95
    q0: float = 0.5
    alpha: float = 0.05
    beta: float = 0.05

    def __post_init__(self) -> None:
        errors = f"alpha={self.alpha!r}, beta={self.beta!r}"
        _expect(0 < self.q0 < self.q1 < 1, f"q0={self.q0!r}, q1={self.q1!r}", "0 < q0 < q1 < 1 is")
        _expect(min(self.alpha, self.beta) > 0 and self.alpha + self.beta < 1, errors, "a sum of positives below 1 is")

    @property
    def bounds(self) -> tuple[float, float]:
        """Below the first log-likelihood ratio the recipe fails, from the second on it passes; -2.944 and 2.944."""
        return math.log(self.beta / (1 - self.alpha)), math.log((1 - self.beta) / self.alpha)

    @property
    def fewest(self) -> int:
        """The fewest seeds that can pass: so many passes in a row."""
        return math.ceil(self.bounds[1] * (1 - _ROUNDING) / math.log(self.q1 / self.q0))

    def log_likelihood_ratio(self, passes: int, failures: int) -> float:
        """How much likelier `q1` makes them than `q0`, as a natural logarithm: 0.642 a pass and -2.303 a failure."""
        _expect(min(passes, failures) >= 0, f"passes={passes}, failures={failures}", "counts of at least 0 are")
        return passes * math.log(self.q1 / self.q0) + failures * math.log((1 - self.q1) / (1 - self.q0))

    def decision(self, passes: int, failures: int) -> Literal["", "passed", "failed"]:
        """The verdict after so many seeds, asked after each of them; empty where another seed is needed."""
        ratio, (low, high) = self.log_likelihood_ratio(passes, failures), self.bounds
        if ratio >= high * (1 - _ROUNDING):
            return "passed"
        return "failed" if ratio <= low * (1 - _ROUNDING) else ""


def flake_rate(values: Sequence[float], threshold: float | Fraction) -> float | None:
    """How often another run of a recipe would miss the threshold, judged by the values of some runs.

    Phi((threshold - mean) / sd), for normally distributed values, with their sample standard deviation; 0 or 1 where
    all are the same, `None` where there are fewer than two. Raises `ValueError` where a number is not finite.

    >>> round(1 / flake_rate([0.983, 0.985, 0.987], 0.98))
    161
    """
    finite = [number for given in (threshold, *values) if (number := exact(given)) is not None]
    _expect(len(finite) == 1 + len(values), f"threshold={threshold!r}, values={list(values)!r}", "finite numbers are")
    limit, *numbers = finite
    if len(numbers) < 2:
        return None
    if (deviation := float(stdev(numbers))) == 0:
        return float(numbers[0] < limit)
    return NormalDist().cdf(float(limit - mean(numbers)) / deviation)


def _tail(correct: int, size: int, share: Fraction) -> float:
    # P(Bin(size, share) >= correct): the first term by Loader, the others by their ratios, from the side that is less.
    if correct <= 0:
        return 1.0
    if correct < size * share:
        return 1 - _tail(size - correct + 1, size, 1 - share)
    return math.exp(_log_probability(correct, size, share)) * _sum_of_ratios(correct, size, share)


def _sum_of_ratios(correct: int, size: int, share: Fraction) -> float:
    # P(at least so many) / P(exactly so many), for a count above the mean: each ratio is smaller than the one before.
    total, term, odds = 1.0, 1.0, float(share / (1 - share))
    for count in range(correct, size):
        term *= (size - count) / (count + 1) * odds
        if term < total * 1e-20:
            break
        total += term
    return total


def _log_probability(correct: int, size: int, share: Fraction) -> float:
    # Loader (2000), with the exact distance from the mean: a rounded mean of 10**7 samples would cost four digits.
    wrong = size - correct
    if correct == 0 or wrong == 0:
        return size * _log(share if wrong == 0 else 1 - share) if size else 0.0
    distance = float(correct - (expected := size * share))
    scale = math.log(size / (2 * math.pi * correct * wrong)) / 2
    series = _stirling_error(size) - _stirling_error(correct) - _stirling_error(wrong)
    deviance = _deviance(correct, float(expected), distance) + _deviance(wrong, float(size - expected), -distance)
    return scale + series - deviance


def _log(share: Fraction) -> float:
    return math.log1p(-float(1 - share)) if 2 * share > 1 else math.log(float(share))


def _stirling_error(count: int) -> float:
    # ln(n!) less Stirling's ln(sqrt(2 pi n) (n/e)^n).
    if count < 16:
        return math.log(math.factorial(count) / count**count * math.exp(count) / math.sqrt(2 * math.pi * count))
    square = count * count
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / count


def _deviance(count: int, expected: float, distance: float) -> float:
    # count ln(count / expected) + expected - count, by a series where the logarithm would cancel.
    ratio = distance / (count + expected)
    if abs(ratio) > 0.5:
        return count * math.log(count / expected) - distance
    total, term, power = distance * ratio, 2 * count * ratio**3, 3
    while total != (total := total + term / power):
        term, power = term * ratio * ratio, power + 2
    return total


def _lower(correct: int, size: int, error: Fraction) -> float:
    if correct == 0:
        return 0.0
    if 2 * error > 1:
        return 1 - _lower(size - correct + 1, size, 1 - error)
    # Newton's method, from Wilson's bound. The logarithm of the tail is concave in the log-odds: no step goes too far.
    level, share = math.log(error), (correct - 0.5) / size
    square = normal_quantile(float(error)) ** 2 / size
    start = (share + square / 2 - math.sqrt(square * (share * (1 - share) + square / 4))) / (1 + square)
    odds, step = math.log(start / (1 - start)), math.inf
    while abs(step) > 1e-11 * max(1.0, abs(odds)):
        at = 1 - 1 / (1 + Fraction(math.exp(odds)))
        ratios = _sum_of_ratios(correct, size, at)
        step = (_log_probability(correct, size, at) + math.log(ratios) - level) * ratios / float(correct * (1 - at))
        odds -= step
    return 1 / (1 + math.exp(-odds))


def _error(confidence: float) -> Fraction:
    error = 1 - (exact(confidence) or Fraction())
    _expect(0 < error < 1, f"confidence={confidence!r}", "a number between 0 and 1, both excluded, is")
    return error


def _check_counts(correct: int, size: int) -> None:
    _expect(size >= 1, f"size={size}", "at least 1 sample is")
    _expect(0 <= correct <= size, f"correct={correct}", f"a number from 0 to {size}, the size, is")


def _expect(held: bool, given: str, expected: str) -> None:
    if not held:
        raise ValueError(f"{given}: {expected} expected")
