"""When a share of a test set is enough to say how the whole of it would be judged, and how surely."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from pytest_modelcheck.errors import require

# Of the weight of a failing model's numbers of errors: the part of those up to twice what is allowed, and over how many
# numbers the rest is spread, on a logarithmic scale up to all samples.
_NEAR = 3 / 4
_GRID = 40

# How many standard deviations around the likeliest number of errors are summed.
_REACH = 10


@dataclass(frozen=True)
class EarlyStop:
    """A gate that allows `allowed` errors among `size` samples, judged on a random prefix of them.

    The samples come in random order, each once. A verdict differs from that of all samples with probability `alpha` at
    most, for a model that keeps the promise as for one that breaks it, however often and whenever it is asked for; with
    `alpha=0` there is a verdict only where it is certain. Both sides are e-values, that is nonnegative martingales that
    start at 1 where the model is on the other side, and Ville (1939) bounds the probability that one ever reaches
    1 / alpha. This is the one-sided form of Waudby-Smith and Ramdas (2020, arXiv 2006.04347): the likelihood of what
    was seen, averaged over the numbers of errors of one side, over its likelihood at the nearest number of the other.

    Raises `ValueError` for numbers out of range, and `MissingDependency` where `alpha` is above 0 without numpy.

    >>> gate = EarlyStop(size=10_000, allowed=200, alpha=1e-6)
    >>> gate.decision(25, 0), gate.decision(25, 13), gate.decision(2_000, 5)
    ('', 'failed', 'passed')
    >>> certain = EarlyStop(size=10_000, allowed=200, alpha=0)
    >>> certain.decision(250, 200), certain.decision(250, 201), certain.decision(9_900, 100)
    ('', 'failed', 'passed')
    """

    size: int
    allowed: int
    alpha: float

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size={self.size}: at least 1 sample is expected")
        if not 0 <= self.allowed <= self.size:
            raise ValueError(f"allowed={self.allowed}: a number from 0 to {self.size}, the size, is expected")
        if not 0 <= self.alpha < 1:
            raise ValueError(f"alpha={self.alpha!r}: a number of at least 0 and below 1 is expected")

    def decision(self, seen: int, wrong: int) -> Literal["", "passed", "failed"]:
        """The verdict after `seen` samples of which `wrong` are errors; empty where more samples are needed.

        It depends on these two numbers alone, and after all samples there is always one. Raises `ValueError` where they
        cannot be.
        """
        self._check(seen, wrong)
        if wrong > self.allowed:
            return "failed"
        if seen - wrong >= self.size - self.allowed:
            return "passed"
        if self.alpha == 0 or seen == 0:
            return ""
        # What was seen is likeliest with this number of errors in all, and less likely with each step away from it:
        # only the side where it lies can win, and by no more than this number does.
        most = self.size - seen + wrong
        likeliest = min(wrong * (self.size + 1) // seen, most)
        passing = likeliest <= self.allowed
        against = self.allowed + 1 if passing else self.allowed
        needed = self._log_likelihood(against, seen, wrong) + self._log_needed
        if self._log_likelihood(likeliest, seen, wrong) < needed:
            return ""
        # What lies far out adds nothing; to leave it out can only delay a verdict.
        rate, scale = wrong / seen, self.size / math.sqrt(seen)
        reach = math.ceil(_REACH * scale * (math.sqrt(rate * (1 - rate)) + 1 / math.sqrt(seen)))
        mixture = self._passing if passing else self._failing
        numbers, log_weights = mixture(max(likeliest - reach, wrong), min(likeliest + reach, most))
        evidence = self._log_likelihood(numbers, seen, wrong) + log_weights
        peak = evidence.max()
        if peak + math.log(self._numpy.exp(evidence - peak).sum()) < needed:
            return ""
        return "passed" if passing else "failed"

    def bounds(self, seen: int, wrong: int) -> tuple[Fraction, Fraction]:
        """The least and the largest share of all samples that can be correct, where `wrong` of `seen` are errors.

        >>> EarlyStop(size=100, allowed=2, alpha=0).bounds(40, 3)
        (Fraction(37, 100), Fraction(97, 100))
        """
        self._check(seen, wrong)
        return Fraction(seen - wrong, self.size), Fraction(self.size - wrong, self.size)

    def _check(self, seen: int, wrong: int) -> None:
        if not 0 <= wrong <= seen <= self.size:
            raise ValueError(f"seen={seen}, wrong={wrong}: 0 <= wrong <= seen <= {self.size}, the size, is expected")

    def _passing(self, low: int, high: int) -> tuple[Any, Any]:
        # Each number of errors from 0 to what is allowed weighs the same.
        return self._numpy.arange(low, min(high, self.allowed) + 1), -math.log(self.allowed + 1)

    def _failing(self, low: int, high: int) -> tuple[Any, Any]:
        # Most of the weight lies right above what is allowed, in inverse proportion to the number of errors. The grid
        # has the rest, so that a model that is far out is found out at once.
        np = self._numpy
        first, last = self.allowed + 1, min(2 * self.allowed + 1, self.size)
        near = np.arange(max(min(low, last), first), min(high, last) + 1)
        grid = self._grid[self._grid <= high]
        far = np.full(len(grid), math.log((1 - _NEAR) / _GRID))
        return np.concatenate((near, grid)), np.concatenate((self._log_near - np.log(near), far))

    def _log_likelihood(self, errors: Any, seen: int, wrong: int) -> Any:
        # ln(C(N - n, E - e) / C(N, E)) of the number or numbers E, less what is the same for all of them.
        table, size = self._log_factorials, self.size
        return table[errors] + table[size - errors] - table[errors - wrong] - table[size - seen + wrong - errors]

    @cached_property
    def _numpy(self) -> Any:
        return require("numpy", "early stopping")

    @cached_property
    def _log_factorials(self) -> Any:
        # Stirling's series, whose first term left out is below the rounding from 16 on.
        np = self._numpy
        few, many = range(min(16, self.size + 1)), np.arange(16.0, self.size + 1)
        square = many * many
        series = (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / many
        sums = (many + 0.5) * np.log(many) - many + (math.log(2 * math.pi) / 2 + series)
        return np.concatenate(([math.log(math.factorial(number)) for number in few], sums))

    @cached_property
    def _log_needed(self) -> float:
        # What may be lost by rounding is asked for on top.
        return -math.log(self.alpha) + 64 * sys.float_info.epsilon * float(self._log_factorials[-1])

    @cached_property
    def _log_near(self) -> float:
        np = self._numpy
        numbers = np.arange(self.allowed + 1.0, min(2 * self.allowed + 1, self.size) + 1)
        return math.log(_NEAR / (1 / numbers).sum())

    @cached_property
    def _grid(self) -> Any:
        np = self._numpy
        return np.geomspace(min(2 * self.allowed + 2, self.size), self.size, _GRID).round().astype(int)
