"""The arithmetic of an accuracy gate, in integers: what is needed, and when the verdict is certain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pytest_modelcheck.comparison import Comparison, at_least


@dataclass(frozen=True)
class CountGate:
    """At least a share `threshold` of `size` samples is correct.

    >>> CountGate(Fraction("0.07"), 100).needed, CountGate(Fraction("0.95"), 10_000).needed
    (7, 9500)
    """

    threshold: Fraction
    size: int

    @property
    def needed(self) -> int:
        """The smallest number of correct samples that keeps the promise: `ceil(threshold * size)`."""
        return math.ceil(self.threshold * self.size)

    @property
    def allowed(self) -> int:
        """The largest number of errors that keeps the promise."""
        return self.size - self.needed

    def is_lost(self, wrong: int) -> bool:
        """Whether so many errors break the promise whatever the samples that were not seen yet would give.

        >>> gate = CountGate(Fraction("0.98"), 10_000)
        >>> gate.is_lost(200), gate.is_lost(201)
        (False, True)
        """
        return wrong > self.allowed

    def compare(self, correct: int) -> Comparison:
        """Whether so many correct samples, all samples seen, keep the promise."""
        return self.compare_share(Fraction(correct, self.size))

    def compare_share(self, share: Fraction) -> Comparison:
        """Whether a share of correct samples, of some of them or of all, is what was promised of all."""
        return at_least(share, self.threshold)


@dataclass(frozen=True)
class ClassCounts:
    """What a pass gave, class by class: `confusion[target, predicted]` is a number of samples."""

    classes: int
    confusion: Mapping[tuple[int, int], int]

    @property
    def total(self) -> int:
        """The number of samples."""
        return sum(self.confusion.values())

    @property
    def correct(self) -> int:
        """The number of samples whose prediction is their target."""
        return sum(number for (target, predicted), number in self.confusion.items() if target == predicted)

    def recalls(self) -> dict[int, tuple[int, int]]:
        """For each class that has samples: how many of them were predicted right, and how many there are."""
        totals: dict[int, list[int]] = {}
        for (target, predicted), number in self.confusion.items():
            row = totals.setdefault(target, [0, 0])
            row[0] += number if target == predicted else 0
            row[1] += number
        return {target: (right, number) for target, (right, number) in sorted(totals.items())}

    def macro(self) -> Fraction:
        """The mean of the classes' recalls; a class that was predicted and has no sample counts as 0.

        This is torchmetrics' `MulticlassAccuracy(average="macro")`, without its rounding.

        >>> ClassCounts(3, {(0, 0): 3, (0, 1): 1, (1, 1): 1}).macro()
        Fraction(7, 8)
        """
        recalls = self.recalls()
        seen = recalls.keys() | {predicted for (_, predicted), number in self.confusion.items() if number}
        return sum((Fraction(*recalls[target]) for target in recalls), Fraction(0)) / max(len(seen), 1)

    def confused(self) -> Sequence[tuple[int, int, int]]:
        """The wrong pairs `(target, predicted, number)`, the most frequent first."""
        wrong = [(*pair, number) for pair, number in self.confusion.items() if pair[0] != pair[1] and number]
        return sorted(wrong, key=lambda item: (-item[2], item[0], item[1]))
