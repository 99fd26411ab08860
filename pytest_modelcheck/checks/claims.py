"""What an accuracy gate may claim of how often a model is right, and what the counts say of each claim."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from pytest_modelcheck.comparison import at_least, at_most
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.gate import CountGate
from pytest_modelcheck.evaluation.intervals import (
    drop_bound,
    lower_bound,
    mcnemar_mid_p,
    needed_for,
    smallest_size,
    upper_bound,
)
from pytest_modelcheck.evaluation.paired import Paired

_SHOWN = 5
_PERCENT = 100


@dataclass(frozen=True)
class Judged:
    """One claim and what became of it: the words of the reports, and what a failure says.

    `chance` is the probability that an early verdict is wrong, `None` for one that is certain.
    """

    ok: bool
    promised: str
    measured: str
    finding: str = ""
    margin: float | None = None
    chance: float | None = None


@dataclass(frozen=True)
class Claim:
    """So many of all samples are needed: for a share of this very data, or for the true accuracy at a confidence."""

    gate: CountGate
    promised: float
    confidence: float | None = None

    @property
    def words(self) -> str:
        """What is promised, with the number that it takes."""
        counts = f"({self.gate.needed:,} of {self.gate.size:,})"
        if self.confidence is None:
            return f"at least {self.promised} {counts}"
        return f"true accuracy at least {self.promised} at {percent(self.confidence)} {counts}"

    @property
    def goal(self) -> str:
        """What the samples are needed for."""
        if self.confidence is None:
            return f"{self.promised}"
        return f"a true accuracy of {self.promised} at {percent(self.confidence)} confidence"

    def judged(self, correct: int) -> Judged:
        """The verdict once all samples were seen."""
        size, needed = self.gate.size, self.gate.needed
        comparison = self.gate.compare(correct)
        measured = f"{correct / size:.4f} ({correct:,} of {size:,})"
        if self.confidence is not None:
            measured += f", true accuracy at least {_floor(lower_bound(correct, size, self.confidence))}"
        finding = (
            f"{correct:,} of {size:,} samples are correct, and {needed:,} are needed for {self.goal} "
            f"({needed - correct:,} too few)."
        )
        return Judged(comparison.ok, self.words, measured, finding, comparison.margin)

    def lost(self, wrong: int, seen: int) -> Judged:
        """The verdict once so many samples are wrong that the rest cannot keep the promise."""
        size = self.gate.size
        finding = (
            f"{wrong:,} of the first {seen:,} samples are wrong, and {self.gate.allowed:,} of all {size:,} may be "
            f"for {self.goal}; it is broken whatever the rest gives (--modelcheck-full reads it)."
        )
        measured = f"at most {1 - wrong / size:.4f} ({wrong:,} of the first {seen:,} wrong)"
        return Judged(False, self.words, measured, finding, self.gate.compare(size - wrong).margin)

    def stopped(self, verdict: str, wrong: int, seen: int, alpha: float) -> Judged:
        """The verdict of a part of the samples in random order, which is wrong with probability `alpha` at most."""
        size = self.gate.size
        chance = f"wrong by chance in at most {alpha:g} of runs"
        measured = f"{1 - wrong / seen:.4f} of {seen:,} drawn from {size:,} ({chance})"
        finding = (
            f"{wrong:,} of {seen:,} samples drawn at random are wrong, and {self.gate.allowed:,} of all {size:,} may "
            f"be for {self.goal}: it is broken, {chance} (--modelcheck-full reads all)."
        )
        margin = self.gate.compare_share(Fraction(seen - wrong, seen)).margin
        return Judged(verdict == "passed", self.words, measured, finding, margin, alpha)


def claim(threshold: Fraction, promised: float, confidence: float | None, size: int) -> Claim:
    """The claim on so many samples; a `ModelCheckError` where no result could keep it."""
    if confidence is None:
        return Claim(CountGate(threshold, size), promised)
    needed = needed_for(threshold, size, confidence)
    if needed is None:
        best = lower_bound(size, size, confidence)
        enough = smallest_size(threshold, confidence)
        more = f"at least {enough:,} samples are needed" if enough is not None else "no number of samples could"
        raise ModelCheckError(
            f"{size:,} samples cannot show a true accuracy of {promised} at {percent(confidence)} confidence: without "
            f"any error they show {_floor(best)}; {more}"
        )
    return Claim(CountGate(Fraction(needed, size), size), promised, confidence)


def judged_drop(found: Paired, max_drop: Fraction, promised: float, confidence: float | None, name: str) -> Judged:
    """Whether a model is right as often as a baseline of the same samples, but for `max_drop`."""
    broken, fixed = len(found.broken), len(found.fixed)
    before, now, size = found.before, found.before - broken + fixed, found.size
    told = f"{broken:,} broken and {fixed:,} fixed since {name!r} ({before / size:.4f})"
    p = mcnemar_mid_p(broken, fixed)
    if confidence is None:
        needed = before - math.floor(max_drop * size)
        gate = CountGate(Fraction(max(needed, 0), size), size)
        comparison = gate.compare(now)
        finding = (
            f"{now:,} of {size:,} samples are correct, {before:,} were in baseline {name!r}, and {gate.needed:,} are "
            f"needed for a drop of at most {promised}: {told}; by chance alone: {p:.2g} (McNemar's mid-p)."
        )
        words = f"at most {promised} below {name!r} ({gate.needed:,} of {size:,})"
        return Judged(comparison.ok, words, f"{now / size:.4f}, {told}", _with_ids(finding, found), comparison.margin)
    bound = drop_bound(broken, fixed, size, confidence)
    comparison = at_most(bound, max_drop)
    finding = (
        f"the true drop since baseline {name!r} is at most {_ceil(bound)} at {percent(confidence)} confidence, "
        f"promised at most {promised}: {told} of {size:,}; by chance alone: {p:.2g} (McNemar's mid-p)."
    )
    words = f"true drop at most {promised} below {name!r} at {percent(confidence)}"
    measured = f"{now / size:.4f}, {told}, true drop at most {_ceil(bound)}"
    return Judged(comparison.ok, words, measured, _with_ids(finding, found), comparison.margin)


def _floor(bound: float) -> str:
    """A lower bound as it is read: never more than it is, so that none seems to reach what it does not."""
    return f"{math.floor(bound * 10_000) / 10_000:.4f}"


def _ceil(bound: float) -> str:
    """An upper bound as it is read: never less than it is."""
    return f"{math.ceil(bound * 10_000) / 10_000:.4f}"


def _with_ids(finding: str, found: Paired) -> str:
    if not found.broken:
        return finding
    return f"{finding}\n  samples that broke: {listed(found.broken)}"


def judged_slices(
    counts: Mapping[str, tuple[int, int]], threshold: Fraction, promised: float, confidence: float | None, kind: str
) -> Judged:
    """Whether the model is right often enough in each slice, given the right and all samples of each; worst first.

    Raises `ModelCheckError` for a slice without samples, and one too small to show what is promised.
    """
    empty = [name for name, (_, size) in counts.items() if size == 0]
    if empty or not counts:
        raise ModelCheckError(f"{kind} {empty[0]} has no sample" if empty else f"there is no {kind} to judge")
    gates = {
        name: _slice_claim(name, kind, threshold, promised, confidence, size) for name, (_, size) in counts.items()
    }
    judged = {name: gates[name].gate.compare(counts[name][0]) for name in counts}
    order = sorted(counts, key=lambda name: (judged[name].ok, Fraction(*counts[name]), name))
    worst = order[0]
    broken = [name for name in order if not judged[name].ok]
    right, size = counts[worst]
    lines = [f"{len(broken):,} of {len(counts):,} {_plural(kind)} are right too rarely for {gates[worst].goal}."]
    lines += [
        f"  {kind} {name}: {counts[name][0]:,} of {counts[name][1]:,} ({counts[name][0] / counts[name][1]:.4f}), and "
        f"{gates[name].gate.needed:,} are needed"
        for name in broken[:_SHOWN]
    ]
    if len(broken) > _SHOWN:
        lines.append(f"  ... and {len(broken) - _SHOWN:,} more")
    how = f" at {percent(confidence)}" if confidence is not None else ""
    margins = [item.margin for item in judged.values() if item.margin is not None]
    return Judged(
        not broken,
        f"every {kind} at least {promised}{how}",
        f"worst {kind} {worst}: {right / size:.4f} ({right:,} of {size:,})",
        "\n".join(lines),
        min(margins, default=None),
    )


def _slice_claim(
    name: str, kind: str, threshold: Fraction, promised: float, confidence: float | None, size: int
) -> Claim:
    try:
        return claim(threshold, promised, confidence, size)
    except ModelCheckError as error:
        raise ModelCheckError(f"{kind} {name}: {error}") from None


def _plural(kind: str) -> str:
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


@lru_cache(maxsize=1_000)  # gates that share a pass ask for the same
def interval_of(right: int, size: int, confidence: float) -> tuple[float, float]:
    """The one-sided Clopper-Pearson bounds of a share, below and above."""
    return round(lower_bound(right, size, confidence), 6), round(upper_bound(right, size, confidence), 6)


def listed(ids: Sequence[Any], number: int = 0) -> str:
    """The first of some positions, of which there are `number` where not all are given."""
    number = max(number, len(ids))
    more = f" and {number - _SHOWN:,} more" if number > _SHOWN else ""
    return ", ".join(map(str, ids[:_SHOWN])) + more


def percent(confidence: float) -> str:
    """A confidence as it is read.

    >>> percent(0.95), percent(0.999)
    ('95 %', '99.9 %')
    """
    return f"{float(Fraction(str(confidence)) * _PERCENT):g} %"


def macro_judged(value: Fraction, threshold: Fraction, promised: float, seen: int) -> Judged:
    """Whether the mean of the classes' recalls is what was promised."""
    comparison = at_least(value, threshold)
    return Judged(
        comparison.ok,
        f"macro at least {promised}",
        f"{float(value):.4f} (macro, {seen:,} samples)",
        f"the mean of the classes' recalls is {float(value):.6f}, promised at least {promised}.",
        comparison.margin,
    )
