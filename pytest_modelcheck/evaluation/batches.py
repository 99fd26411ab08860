"""A model's class scores batch by batch: as the user's loader gives them, or faster where that is the same."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.data import Source, split_batch
from pytest_modelcheck.evaluation.tensor_data import TensorData
from pytest_modelcheck.tensors import called, copied, moved_to, same_tensors

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# Hears of a change; `str` hears and forgets.
Note = Callable[[str], object]

# Images per chunk on the fast path.
_CHUNK = 250

# How many samples from elsewhere in the data the first batch is judged among, at least.
_FEWEST_OTHERS = 32

# The fast path adds numbers up in another order. A prediction whose two best scores are nearer to each other than this
# many times the largest difference seen between both paths is taken from the user's own batch instead.
_SAFETY = 100


class BatchError(ModelCheckError):
    """A batch that could not be judged. `inputs` is what the model was given, where that helps to look further."""

    def __init__(self, message: str, inputs: Any = None) -> None:
        super().__init__(message)
        self.inputs = inputs


def plain_batches(model: Module, source: Source, device: str, changed: Note = str) -> Iterator[tuple[Tensor, Tensor]]:
    """The scores and targets of each batch that the loader gives."""
    for index, batch in enumerate(_read(source.loader)):
        moved = moved_to(source.transfer(model, batch, device), device)
        inputs, targets = split_batch(moved)
        given = copied(inputs)
        judged = _judged(model, given, targets, f"batch {index}")
        if not same_tensors(given, inputs):
            changed("the input was changed in place")
        yield judged


def batches(model: Module, source: Source, device: str, changed: Note = str) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores `[samples, classes]` and targets `[samples]`, on the CPU, of all samples in the loader's order.

    `changed` is told what a forward pass changed that it was given.
    """
    if source.tensors is None:
        return plain_batches(model, source, device, changed)
    return fast_batches(model, source, source.tensors, device, changed)


def fast_batches(
    model: Module, source: Source, data: TensorData, device: str, changed: Note
) -> Iterator[tuple[Tensor, Tensor]]:
    """What `plain_batches` gives, read as whole tensors in larger chunks through a channels-last copy of the model.

    The first batch is judged twice: as the loader gives it, and in another order behind samples from all over the data.
    If the classes differ, or their scores by more than rounding, a sample's scores depend on its neighbours, and the
    loader is used for everything. Later, samples whose best two scores are almost equal are judged again as the loader
    batches them, so that another order of additions decides nothing.
    """
    size, first = len(data.targets), min(source.batch_size, len(data.targets))
    twin = _channels_last(model, data)
    plain, _ = _judged(model, *_chunk(data, 0, first, device), "batch 0")
    plain, fast = plain[:_CHUNK], _among_others(twin, data, min(first, _CHUNK), device)
    error = float((plain - fast).abs().max())
    scale = float(plain.abs().max())
    if error > 1e-3 * max(scale, 1.0) or not bool((plain.argmax(1) == fast.argmax(1)).all()):
        yield from plain_batches(model, source, device, changed)
        return
    doubt = max(_SAFETY * error, 1e-6 * scale)
    for start in range(0, size, _CHUNK):
        stop = min(start + _CHUNK, size)
        inputs, targets = _chunk(data, start, stop, device)
        scores, targets = _judged(twin, inputs, targets, f"samples {start} to {stop - 1}")
        for batch in sorted({(start + row) // source.batch_size for row in _close_calls(scores, doubt)}):
            begin, end = batch * source.batch_size, min((batch + 1) * source.batch_size, size)
            exact, _ = _judged(model, *_chunk(data, begin, end, device), f"batch {batch}")
            scores[max(begin - start, 0) : end - start] = exact[max(start - begin, 0) : stop - begin]
        yield scores, targets


def _among_others(model: Module, data: TensorData, first: int, device: str) -> Tensor:
    """The scores of the first samples, judged in reverse order behind samples that are spread over all the data."""
    size = len(data.targets)
    others = max(_CHUNK - first, _FEWEST_OTHERS)
    spread = sorted({size * step // others for step in range(others)})
    rows = [*spread, *reversed(range(first))]
    scores, _ = _judged(model, data.rows(rows).to(device), data.targets[rows], "samples from all over the data")
    return scores[len(spread) :].flip(0)


def _read(loader: Any) -> Iterator[Any]:
    try:
        yield from loader
    except ModelCheckError:
        raise
    except Exception as error:
        raise ModelCheckError(f"reading the data raised {type(error).__name__}: {error}") from error


def _chunk(data: TensorData, start: int, stop: int, device: str) -> tuple[Tensor, Tensor]:
    return data.chunk(start, stop).to(device), data.targets[start:stop]


def _close_calls(scores: Tensor, doubt: float) -> list[int]:
    if scores.shape[1] < 2:
        return []
    best = scores.topk(2, dim=1).values
    rows: list[int] = (best[:, 0] - best[:, 1] <= doubt).nonzero().flatten().tolist()
    return rows


def _channels_last(model: Module, data: TensorData) -> Module:
    """A copy of a convolutional model in the memory layout that is fastest on a CPU, or the model itself."""
    import torch

    has_convolution = any(isinstance(module, torch.nn.Conv2d) for module in model.modules())
    if not has_convolution or data.chunk(0, 1).dim() != 4:
        return model
    # A LightningModule that was trained holds its Trainer, with loaders, loggers and all: that is shared, not copied.
    held = [getattr(model, name, None) for name in ("_trainer", "_fabric")]
    try:
        return copy.deepcopy(model, {id(item): item for item in held if item is not None}).to(
            memory_format=torch.channels_last
        )
    except Exception:  # what cannot be copied is used as it is
        return model


def _judged(model: Module, inputs: Any, targets: Any, where: str) -> tuple[Tensor, Tensor]:
    """The model's scores and the targets, on the CPU, once they are known to be judgeable."""
    try:
        scores = _scores_of(called(model, inputs))
    except ModelCheckError as error:
        raise BatchError(f"{where}: {error}") from error.__cause__
    targets = _checked_targets(targets, scores, where)
    if not bool(scores.isfinite().all()):
        rows = int((~scores.isfinite()).any(1).sum())
        raise BatchError(f"{where}: the scores of {rows} of {len(scores)} samples are NaN or infinite", inputs)
    return scores, targets


def _scores_of(output: Any) -> Tensor:
    import torch

    found = getattr(output, "logits", output)
    if isinstance(found, dict) and "logits" in found:
        found = found["logits"]
    if not isinstance(found, torch.Tensor):
        raise ModelCheckError(f"the output is a {type(output).__name__}: class scores [batch, classes] are needed")
    if found.dim() != 2 or found.shape[1] < 2 or not found.is_floating_point():
        raise ModelCheckError(
            f"the output is {list(found.shape)} of {found.dtype}: class scores [batch, classes], floating point, of at "
            "least two classes are needed"
        )
    return found.detach().cpu()


def _checked_targets(targets: Any, scores: Tensor, where: str) -> Tensor:
    import torch

    if not isinstance(targets, torch.Tensor):
        raise BatchError(f"{where}: the targets are a {type(targets).__name__}: a tensor of class indices is needed")
    if targets.is_floating_point() or targets.dtype == torch.bool or tuple(targets.shape) != (len(scores),):
        raise BatchError(
            f"{where}: the targets are {list(targets.shape)} of {targets.dtype}: integer class indices "
            f"[{len(scores)}] are needed"
        )
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= scores.shape[1]:
        wrong = low if low < 0 else high
        raise BatchError(f"{where}: target {wrong} is no class: the model scores classes 0 to {scores.shape[1] - 1}")
    return targets.detach().cpu().long()
