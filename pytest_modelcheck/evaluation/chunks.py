"""Whole tensors judged in large chunks, many times faster than in the loader's batches, where that is the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.batches import (
    FEWEST_OTHERS,
    Batch,
    Reading,
    Way,
    checked,
    output_for,
    plain_batches,
)
from pytest_modelcheck.evaluation.copies import channels_last
from pytest_modelcheck.evaluation.outputs import BatchError, class_problem
from pytest_modelcheck.evaluation.precision import Forward
from pytest_modelcheck.evaluation.tensor_data import TensorData

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# Images per chunk on the fast path.
_CHUNK = 250
_SMALLEST = 16

# The samples by which a model and its data are known again.
_KNOWN_BY = 8

# How many samples of the first batch are judged in other company as well, beside their chunk.
_LOOKED_AT = 32

# The fast path adds numbers up in another order. A prediction whose two best scores are nearer to each other than this
# many times the largest difference seen between both paths is taken from the user's own batch instead.
_SAFETY = 100


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


def fast_batches(model: Module, reading: Reading, data: TensorData) -> Iterator[Batch]:
    """What `plain_batches` gives, read as whole tensors in larger chunks through a channels-last copy of the model.

    The first batch is judged as the loader gives it, and its samples again: in a chunk, and some of them in another
    order behind samples from all over the data. If the classes differ, or their scores by more than rounding, a
    sample's scores depend on its neighbours, and the loader is used for everything. Later, samples whose best two
    scores are almost equal are judged again as the loader batches them, so that another order of additions decides
    nothing. Classes are then those of the loader to the sample, and scores to rounding.
    """
    device, batch_size = reading.device, reading.source.batch_size
    order, size = reading.source.order, len(data.targets)
    twin = channels_last(model, data.inputs(range(1)))
    plain = _judged(model, data, range(min(batch_size, size)), device, "batch 0")
    if class_problem(plain):
        yield from plain_batches(model, reading)
        return
    rows = _looked_at(len(plain.ids), _LOOKED_AT if order is None else _CHUNK)
    try:
        head = _chunk(twin, data, range(min(_CHUNK, size)), device) if order is None else None
        among = _among_others(twin, data, rows, device)
    except BatchError:  # the user's own batches say which of them it is, if it is any
        if order is not None:
            raise
        yield from plain_batches(model, reading)
        return
    pairs = [(plain.outputs[rows], among)]
    pairs += [(plain.outputs[:_CHUNK], head.outputs[: len(plain.ids)])] if head else []
    doubt = _doubt(pairs)
    if doubt is None:
        if order is not None:
            raise BatchError("a sample's scores depend on the others of its batch: early_stop needs each judged alone")
        yield from plain_batches(model, reading)
        return
    stop = 0
    while stop < size:
        # In random order a verdict may fall early: the first chunks are small.
        start, chunk = stop, _CHUNK if order is None else max(_SMALLEST, min(stop, _CHUNK))
        stop = min(start + chunk, size)
        ids = range(start, stop) if order is None else order[start:stop]
        try:
            batch = head if head and start == 0 else _chunk(twin, data, ids, device, start)
        except BatchError:  # of fewer samples at a time it may be more
            if order is not None or batch_size >= stop - start:
                raise
            yield from _own_batches(model, data, range(start, stop), plain, device)
            continue
        _require_classes(batch, plain.outputs.shape[1])
        _settle(model, data, batch, _close_calls(batch.outputs, doubt), batch_size, device)
        yield batch


def _chunk(model: Module, data: TensorData, ids: Sequence[int], device: str, start: int = 0) -> Batch:
    return _judged(model, data, ids, device, f"samples {start} to {start + len(ids) - 1}")


def _looked_at(size: int, most: int) -> list[int]:
    """Rows of a batch of this size, at most so many, spread from its first to its last."""
    return list(range(size)) if size <= most else [(size - 1) * step // (most - 1) for step in range(most)]


def _doubt(pairs: Sequence[tuple[Tensor, Tensor]]) -> float | None:
    """How near to each other a sample's best two scores may be before rounding decides which of them is the best.

    Each pair is of scores `[samples, classes]` of the same samples; `None` where they differ by more than rounding.
    """
    scale, error = max(float(plain.abs().max()) for plain, _ in pairs), 0.0
    for plain, scores in pairs:
        if scores.shape != plain.shape or not bool((plain.argmax(1) == scores.argmax(1)).all()):
            return None
        error = max(error, float((plain - scores).abs().max()))
    return max(_SAFETY * error, 1e-6 * scale) if error <= 1e-3 * max(scale, 1.0) else None


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
        yield Batch(batch.outputs[rows], batch.targets[rows], own[rows], batch.where, partial(data.inputs, own[rows]))


def _settle(model: Module, data: TensorData, batch: Batch, rows: list[int], batch_size: int, device: str) -> None:
    """Take the scores of every sample near these rows from the batches that the user's loader puts them in."""
    for number in sorted({batch.ids[row] // batch_size for row in rows}):
        own = range(number * batch_size, min((number + 1) * batch_size, len(data.targets)))
        exact = _judged(model, data, own, device, f"batch {number}").outputs
        for row, sample in enumerate(batch.ids):
            if sample in own:
                batch.outputs[row] = exact[sample - own.start]


def _among_others(model: Module, data: TensorData, rows: Sequence[int], device: str) -> Tensor:
    """The scores of these samples, judged in reverse order behind samples that are spread over all the data."""
    size, others = len(data.targets), max(_CHUNK - len(rows), FEWEST_OTHERS)
    spread = sorted({size * step // others for step in range(others)})
    scores: Tensor = _judged(model, data, [*spread, *reversed(rows)], device, "samples from all over the data").outputs
    return scores[len(spread) :].flip(0)


def _judged(model: Module, data: TensorData, ids: Sequence[int], device: str, where: str) -> Batch:
    """What the model gives for samples that are read as tensors."""
    outputs = output_for(Forward(model), data.inputs(ids).to(device), where)
    # The model may have written into what it was given: a sample that is shown is read again.
    return checked(Batch(outputs, data.labels(ids), ids, where, partial(data.inputs, ids)), Way())


def _close_calls(scores: Tensor, doubt: float) -> list[int]:
    best = scores.topk(2, dim=1).values
    rows: list[int] = (best[:, 0] - best[:, 1] <= doubt).nonzero().flatten().tolist()
    return rows
