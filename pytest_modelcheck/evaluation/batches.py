"""What a model gives for data, batch by batch: as the user's loader gives it, or faster where that is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import RAISED, ModelCheckError, told
from pytest_modelcheck.evaluation.data import Source, split_batch
from pytest_modelcheck.evaluation.outputs import BatchError, class_problem, finite_problem, output_of
from pytest_modelcheck.evaluation.precision import Forward, forward_in
from pytest_modelcheck.evaluation.steps import Step, rows_of, samples_of, stepped
from pytest_modelcheck.memory import memory_advice
from pytest_modelcheck.tensors import copied, moved_to, same_tensors

if TYPE_CHECKING:
    from torch.nn import Module

# Hears of a change; `str` hears and forgets.
Note = Callable[[str], object]

# How much coarser than those of float32 the scores of a narrower precision are.
_ROUGH = 50

# How many samples from elsewhere in the data others are judged among, at least.
FEWEST_OTHERS = 32


def _nothing() -> None: ...


@dataclass(frozen=True)
class Way:
    """How a batch is judged: by the user's own `step`, if there is one, and in which of Lightning's precisions."""

    step: Step | None = None
    precision: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether the model is simply called on the inputs of a batch."""
        return self.step is None and not self.precision


@dataclass(frozen=True)
class Batch:
    """A batch that was judged: its outputs and targets on the CPU, and the positions of its samples in the data.

    `where` names it in messages, and `read_inputs` gives what the model was given, where a sample may be shown.
    """

    outputs: Any
    targets: Any
    ids: Sequence[int]
    where: str
    read_inputs: Callable[[], Any] = _nothing


@dataclass(frozen=True)
class Reading:
    """What a pass over data needs beside its model: the data, the device, and the way in which batches are judged.

    `changed` hears what a forward pass changed that it was given, and `witness` sees each batch of the loader.
    """

    source: Source
    device: str
    way: Way = Way()
    changed: Note = str
    witness: Callable[[Any], object] = id


def first_of_all(model: Module, reading: Reading, witness: Callable[[Any], object]) -> Batch:
    """What the model gives for the loader's first batch; all batches are read, and seen by the witness."""
    first: list[Any] = []
    for batch in _read(reading.source.loader):
        witness(batch)
        first = first or [batch]
    return next(plain_batches(model, replace(reading, source=replace(reading.source, loader=first))))


def plain_batches(model: Module, reading: Reading) -> Iterator[Batch]:
    """What the model gives for each batch of the loader."""
    forward = forward_in(model, reading.way.precision, reading.device)
    if reading.source.order is not None:
        _require_each_alone(forward, reading)
    yield from _plainly(forward, reading)


def _plainly(forward: Forward, reading: Reading) -> Iterator[Batch]:
    source, order, start = reading.source, reading.source.order, 0
    for index, batch in enumerate(_read(source.loader)):
        reading.witness(batch)
        where = f"batch {index}"
        moved = moved_to(source.transfer(forward.model, batch, reading.device), reading.device)
        if reading.way.step is not None:
            inputs, (outputs, targets) = None, stepped(forward, reading.way.step, moved, where)
        else:
            inputs, targets = split_batch(moved)
            given = copied(inputs)
            outputs = output_for(forward, given, where)
            if not same_tensors(given, inputs):
                reading.changed("the input was changed in place")
        size = rows_of(targets, where)
        if reading.way.step is not None and source.size is not None:
            size = samples_of(size, min(source.batch_size, source.size - start), where)
        ids = range(start, start + size) if order is None else order[start : start + size]
        start += size
        yield checked(Batch(outputs, targets, ids, where, partial(copied, inputs)), reading.way)


def _require_each_alone(forward: Forward, reading: Reading) -> None:
    """Raise a `BatchError` where the samples of the loader's first batch get other classes among others.

    Data in random order comes in other batches than the user's own.
    """
    source, way = reading.source, reading.way
    size = min(source.batch_size, len(source.order or ()))
    others = max(size, FEWEST_OTHERS)
    spread = sorted({len(source.order or ()) * step // others for step in range(others)})
    rows = [*spread, *reversed(range(size))]
    alone = replace(source.reordered(list(range(size))), batch_size=size)
    among = replace(source, batch_size=len(rows)).reordered(rows)
    found = []
    for part in (alone, among):
        plain = replace(reading, source=replace(part, order=None, size=None), witness=id)
        batch = next(_plainly(forward, plain))
        problem = class_problem(batch)
        if problem:
            raise BatchError(f"{batch.where}: {problem}")
        found.append(batch.outputs)
    own, other = found[0], found[1][len(spread) :].flip(0)
    scale = max(float(own.abs().max()), 1.0)
    if way.precision:
        scale *= _ROUGH
    if float((own - other).abs().max()) > 1e-3 * scale or not bool((own.argmax(1) == other.argmax(1)).all()):
        raise BatchError("a sample's scores depend on the others of its batch: early_stop needs each judged alone")


def _read(loader: Any) -> Iterator[Any]:
    number = 0
    try:
        for batch in loader:
            yield batch
            number += 1
    except ModelCheckError:
        raise
    except RAISED as error:
        raise ModelCheckError(f"batch {number}: reading the data raised {told(error)}{memory_advice(error)}") from error


def output_for(forward: Forward, inputs: Any, where: str) -> Any:
    """The tensor that a model gives for the inputs of a batch, or a `BatchError` that names the batch."""
    try:
        return output_of(forward(inputs))
    except ModelCheckError as error:
        raise BatchError(f"{where}: {error}") from error.__cause__


def checked(batch: Batch, way: Way) -> Batch:
    """The batch on the CPU, or a `BatchError` where its outputs are no numbers."""
    import torch
    from torch.utils._pytree import tree_map_only

    outputs, targets = (
        tree_map_only(torch.Tensor, lambda item: item.detach().cpu(), item) for item in (batch.outputs, batch.targets)
    )
    problem = finite_problem(outputs, way.step is None) or finite_problem(targets, False).replace("scores", "targets")
    if problem:
        raise BatchError(f"{batch.where}: {problem}", batch.read_inputs())
    return Batch(outputs, targets, batch.ids, batch.where, batch.read_inputs)
