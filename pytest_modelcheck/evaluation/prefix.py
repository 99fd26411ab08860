"""A pass as it stood after some of its batches, whatever was read of it since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_modelcheck.evaluation.data import Source
from pytest_modelcheck.evaluation.gate import ClassCounts
from pytest_modelcheck.evaluation.predictions import Pass
from pytest_modelcheck.evaluation.tally import Tally


@dataclass(frozen=True)
class Prefix:
    """The first samples of a pass: what it would say if it had been read so far and no further."""

    tally: Tally
    seen: int
    size: int | None
    source: Source
    device: str
    changes: Sequence[str]
    finished: bool = False

    @property
    def correct(self) -> int:
        """The number of these samples that were predicted right."""
        return self.tally.correct

    @property
    def fingerprint(self) -> str:
        """A digest of all the data, where it is known without reading it."""
        return self.source.tensors.fingerprint if self.source.tensors is not None else ""

    def counts(self) -> ClassCounts:
        """These samples, by target and predicted class."""
        return self.tally.counts()


def shortest(run: Pass, enough: Callable[[int, int], object]) -> Pass | Prefix:
    """The pass, or the first of its batches that were enough, given the samples that were seen and that are right.

    Gates that share a pass read on where another one stopped; each tells of the samples that it needed itself, so that
    it says the same whichever gates ran before it in the same process.
    """
    seen = correct = 0
    for batches, (number, right) in enumerate(run.tally.numbers(), start=1):
        seen, correct = seen + number, correct + right
        if enough(seen, correct) and seen < run.seen:
            return Prefix(run.tally.first(batches), seen, run.size, run.source, run.device, run.changes)
    return run
