"""What a classifier predicted, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.evaluation.gate import ClassCounts
from pytest_modelcheck.evaluation.outputs import BatchError, class_problem
from pytest_modelcheck.evaluation.pictures import picture_of

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_modelcheck.evaluation.batches import Batch

# The wrong samples that are kept to be shown.
_SHOWN = 8


@dataclass(frozen=True)
class Wrong:
    """A sample that was predicted wrong: its position in the data, and a small picture of it where it is an image."""

    id: int
    target: int
    predicted: int
    picture: str = ""


class Tally:
    """The predicted and the true class of each sample that was read, and how many are right.

    `problem` is the first batch that had no class scores; nothing is counted from then on.
    """

    def __init__(self) -> None:
        self.correct = 0
        self.classes = 0
        self.wrong: list[Wrong] = []
        self.problem: BatchError | None = None
        self._ids: list[Sequence[int]] = []
        self._predicted: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._right: list[int] = []

    def add(self, batch: Batch) -> None:
        """Count a batch."""
        if self.problem is not None:
            return
        problem = class_problem(batch)
        if not problem and self.classes not in (0, batch.outputs.shape[1]):
            problem = f"the output has {batch.outputs.shape[1]} classes, and {self.classes} in the batches before"
        if problem:
            self.problem = BatchError(f"{batch.where}: {problem}")
            return
        targets, predicted = batch.targets.long(), batch.outputs.argmax(1)
        right = predicted == targets
        self.classes = batch.outputs.shape[1]
        number = int(right.sum())
        self.correct += number
        self._ids.append(batch.ids)
        self._predicted.append(predicted)
        self._targets.append(targets)
        self._right.append(number)
        if number < len(right) and len(self.wrong) < _SHOWN:
            self._keep(batch, predicted, (~right).nonzero().flatten().tolist())

    def _keep(self, batch: Batch, predicted: Tensor, rows: list[int]) -> None:
        inputs = batch.read_inputs()
        for row in rows[: _SHOWN - len(self.wrong)]:
            target = int(batch.targets[row])
            picture = picture_of(inputs, row)
            self.wrong.append(Wrong(int(batch.ids[row]), target, int(predicted[row]), picture))

    def numbers(self) -> Iterator[tuple[int, int]]:
        """The samples of each batch, and how many of them are right."""
        yield from zip(map(len, self._targets), self._right, strict=True)

    def first(self, batches: int) -> Tally:
        """The same of the first so many batches."""
        found = Tally()
        found.classes = self.classes
        for name in ("_ids", "_predicted", "_targets", "_right"):
            setattr(found, name, getattr(self, name)[:batches])
        found.correct = sum(found._right)
        found.wrong = self.wrong[: sum(map(len, found._targets)) - found.correct]
        return found

    def counts(self) -> ClassCounts:
        """The samples by target and predicted class."""
        import torch

        if not self._targets:
            return ClassCounts(self.classes, {})
        pairs = torch.cat(self._targets) * self.classes + torch.cat(self._predicted)
        cells, numbers = torch.unique(pairs, return_counts=True)
        found = zip(cells.tolist(), numbers.tolist(), strict=True)
        return ClassCounts(self.classes, {divmod(cell, self.classes): number for cell, number in found})

    def wrong_ids(self) -> list[int]:
        """The positions of the wrong samples that were read, in the order of the data."""
        import torch

        found = [
            batch[row]
            for batch, predicted, targets in zip(self._ids, self._predicted, self._targets, strict=True)
            for row in torch.nonzero(predicted != targets).flatten().tolist()
        ]
        return sorted(found)

    def by_sample(self) -> tuple[Any, Any]:
        """The predicted and the true classes `[samples]`, in the order of the data, once all of it was read."""
        import torch

        ids = torch.tensor([sample for part in self._ids for sample in part])
        order = ids.argsort()
        return torch.cat(self._predicted)[order], torch.cat(self._targets)[order]
