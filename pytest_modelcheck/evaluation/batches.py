"""What a model gives for data, batch by batch: as the user's loader gives it, or faster where that is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import RAISED, ModelCheckError, told
from pytest_modelcheck.evaluation.copies import channels_last
from pytest_modelcheck.evaluation.data import Source, split_batch
from pytest_modelcheck.evaluation.outputs import BatchError, class_problem, finite_problem, output_of
from pytest_modelcheck.evaluation.precision import Forward, forward_in
from pytest_modelcheck.evaluation.steps import Step, rows_of, samples_of, stepped
from pytest_modelcheck.evaluation.tensor_data import TensorData
from pytest_modelcheck.memory import memory_advice
from pytest_modelcheck.tensors import copied, moved_to, same_tensors

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# Hears of a change; `str` hears and forgets.
Note = Callable[[str], object]

# Images per chunk on the fast path.
_CHUNK = 250
_SMALLEST = 16

# The samples by which a model and its data are known again.
_KNOWN_BY = 32

# How much coarser than those of float32 the scores of a narrower precision are.
_ROUGH = 50

# How many samples from elsewhere in the data the first batch is judged among, at least.
_FEWEST_OTHERS = 32

# The fast path adds numbers up in another order. A prediction whose two best scores are nearer to each other than this
# many times the largest difference seen between both paths is taken from the user's own batch instead.
_SAFETY = 100


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

    `where` names it in messages, and `inputs` are what the model was given, where a sample may be shown.
    """

    outputs: Any
    targets: Any
    ids: Sequence[int]
    where: str
    inputs: Any = None


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


def batches(model: Module, reading: Reading) -> Iterator[Batch]:
    """All batches, in the loader's order."""
    if reading.source.tensors is None or not reading.way.is_plain:
        return plain_batches(model, reading)
    return fast_batches(model, reading, reading.source.tensors)


def first_of_tensors(model: Module, reading: Reading) -> Batch | None:
    """What the model gives for the first samples of whole tensors, by which it is known again; `None` of other data."""
    data = reading.source.tensors
    if data is None or not reading.way.is_plain:
        return None
    try:
        return _judged(model, data, range(min(_KNOWN_BY, len(data.targets))), reading.device, "batch 0")
    except ModelCheckError:  # the batches themselves will say what is wrong
        return None


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
            outputs = _output(forward, given, where)
            if not same_tensors(given, inputs):
                reading.changed("the input was changed in place")
        size = rows_of(targets, where)
        if reading.way.step is not None and source.size is not None:
            size = samples_of(size, min(source.batch_size, source.size - start), where)
        ids = range(start, start + size) if order is None else order[start : start + size]
        start += size
        yield _checked(Batch(outputs, targets, ids, where, inputs), reading.way)


def _require_each_alone(forward: Forward, reading: Reading) -> None:
    """Raise a `BatchError` where the samples of the loader's first batch get other classes among others.

    Data in random order comes in other batches than the user's own.
    """
    source, way = reading.source, reading.way
    size = min(source.batch_size, len(source.order or ()))
    others = max(size, _FEWEST_OTHERS)
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


def fast_batches(model: Module, reading: Reading, data: TensorData) -> Iterator[Batch]:
    """What `plain_batches` gives, read as whole tensors in larger chunks through a channels-last copy of the model.

    The first batch is judged twice: as the loader gives it, and in another order behind samples from all over the data.
    If the classes differ, or their scores by more than rounding, a sample's scores depend on its neighbours, and the
    loader is used for everything. Later, samples whose best two scores are almost equal are judged again as the loader
    batches them, so that another order of additions decides nothing. Classes are then those of the loader to the
    sample, and scores to rounding.
    """
    device, batch_size = reading.device, reading.source.batch_size
    size, first = len(data.targets), min(reading.source.batch_size, len(data.targets))
    twin = channels_last(model, data.inputs(range(1)))
    plain = _judged(model, data, range(first), device, "batch 0")
    if class_problem(plain):
        yield from plain_batches(model, reading)
        return
    try:
        among = _among_others(twin, data, min(first, _CHUNK), device)
    except BatchError:  # the user's own batches say which of them it is, if it is any
        if reading.source.order is not None:
            raise
        yield from plain_batches(model, reading)
        return
    slow, fast = plain.outputs[:_CHUNK], among
    error = float((slow - fast).abs().max())
    scale = float(slow.abs().max())
    if error > 1e-3 * max(scale, 1.0) or not bool((slow.argmax(1) == fast.argmax(1)).all()):
        if reading.source.order is not None:
            raise BatchError("a sample's scores depend on the others of its batch: early_stop needs each judged alone")
        yield from plain_batches(model, reading)
        return
    doubt = max(_SAFETY * error, 1e-6 * scale)
    order, stop = reading.source.order, 0
    while stop < size:
        # In random order a verdict may fall early: the first chunks are small.
        start, chunk = stop, _CHUNK if order is None else max(_SMALLEST, min(stop, _CHUNK))
        stop = min(start + chunk, size)
        ids = range(start, stop) if order is None else order[start:stop]
        try:
            batch = _judged(twin, data, ids, device, f"samples {start} to {stop - 1}")
        except BatchError:  # of fewer samples at a time it may be more
            if order is not None or batch_size >= stop - start:
                raise
            yield from _own_batches(model, data, range(start, stop), plain, device)
            continue
        _require_classes(batch, plain.outputs.shape[1])
        _settle(model, data, batch, _close_calls(batch.outputs, doubt), batch_size, device)
        yield batch


def _require_classes(batch: Batch, classes: int) -> None:
    if batch.outputs.shape != (len(batch.ids), classes):
        raise BatchError(f"{batch.where}: {class_problem(batch) or 'another number of classes than before'}")


def _own_batches(model: Module, data: TensorData, ids: range, first: Batch, device: str) -> Iterator[Batch]:
    """These samples as the user's loader batches them, where they cannot be judged all at once; the first is known."""
    batch_size = len(first.ids)
    for number in range(ids.start // batch_size, (ids.stop - 1) // batch_size + 1):
        own = range(number * batch_size, min((number + 1) * batch_size, len(data.targets)))
        batch = _judged(model, data, own, device, f"batch {number}")
        _require_classes(batch, first.outputs.shape[1])
        rows = slice(max(ids.start - own.start, 0), ids.stop - own.start)
        yield Batch(batch.outputs[rows], batch.targets[rows], own[rows], batch.where, batch.inputs[rows])


def _settle(model: Module, data: TensorData, batch: Batch, rows: list[int], batch_size: int, device: str) -> None:
    """Take the scores of every sample near these rows from the batches that the user's loader puts them in."""
    for number in sorted({batch.ids[row] // batch_size for row in rows}):
        own = range(number * batch_size, min((number + 1) * batch_size, len(data.targets)))
        exact = _judged(model, data, own, device, f"batch {number}").outputs
        for row, sample in enumerate(batch.ids):
            if sample in own:
                batch.outputs[row] = exact[sample - own.start]


def _among_others(model: Module, data: TensorData, first: int, device: str) -> Tensor:
    """The scores of the first samples, judged in reverse order behind samples that are spread over all the data."""
    size = len(data.targets)
    others = max(_CHUNK - first, _FEWEST_OTHERS)
    spread = sorted({size * step // others for step in range(others)})
    rows = [*spread, *reversed(range(first))]
    scores: Tensor = _judged(model, data, rows, device, "samples from all over the data").outputs
    return scores[len(spread) :].flip(0)


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


def _judged(model: Module, data: TensorData, ids: Sequence[int], device: str, where: str) -> Batch:
    """What the model gives for samples that are read as tensors."""
    inputs = data.inputs(ids).to(device)
    # The model may write into what it is given, and a wrong sample may be shown.
    outputs = _output(Forward(model), inputs.clone(), where)
    return _checked(Batch(outputs, data.labels(ids), ids, where, inputs), Way())


def _output(forward: Forward, inputs: Any, where: str) -> Any:
    try:
        return output_of(forward(inputs))
    except ModelCheckError as error:
        raise BatchError(f"{where}: {error}") from error.__cause__


def _checked(batch: Batch, way: Way) -> Batch:
    """The batch on the CPU, once its outputs are numbers."""
    import torch
    from torch.utils._pytree import tree_map_only

    outputs, targets = (
        tree_map_only(torch.Tensor, lambda item: item.detach().cpu(), item) for item in (batch.outputs, batch.targets)
    )
    problem = finite_problem(outputs, way.step is None) or finite_problem(targets, False).replace("scores", "targets")
    if problem:
        raise BatchError(f"{batch.where}: {problem}", batch.inputs)
    return Batch(outputs, targets, batch.ids, batch.where, batch.inputs)


def _close_calls(scores: Tensor, doubt: float) -> list[int]:
    best = scores.topk(2, dim=1).values
    rows: list[int] = (best[:, 0] - best[:, 1] <= doubt).nonzero().flatten().tolist()
    return rows
