"""A torchmetrics metric on the batches of a pass: its values, by name, and how sure they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import RAISED, ModelCheckError, told
from pytest_modelcheck.evaluation.batches import Batch
from pytest_modelcheck.evaluation.confusion import KINDS
from pytest_modelcheck.evaluation.predictions import Pass
from pytest_modelcheck.evaluation.uncertainty import Interval, uncertainty
from pytest_modelcheck.memory import memory_advice
from pytest_modelcheck.tensors import copied

if TYPE_CHECKING:
    from torch import Tensor


# The names of torchmetrics' metrics of scores, without "Multiclass", which are of each sample's scores alone.
_OF_SCORES = frozenset({"AUROC", "AveragePrecision", "CalibrationError", "PrecisionRecallCurve", "ROC"})

# The rows, and the scores, that a metric is shown at a time, of small batches. To be shown any takes it a tenth of a
# millisecond.
_ROWS = 2_500
_SCORES = 250_000


@dataclass(frozen=True)
class Value:
    """One number of a metric: its name, the number as its own dtype prints it, and its bounds where they are known.

    `average` is the metric's own, `""` where it has none. `why_no_bounds` says why there are none. `alias` is the name
    with the index of a class in the place of its name.
    """

    name: str
    number: Any
    average: str = ""
    low: float | None = None
    high: float | None = None
    method: str = ""
    why_no_bounds: str = ""
    alias: str = ""


class Measured:
    """A copy of a metric or of a `MetricCollection`, reset and on the CPU, that is shown batches."""

    def __init__(self, metric: Any) -> None:
        self.metric = metric.clone()
        self.metric.reset()
        self.metric.to("cpu")
        parts = [item for item in self.metric.modules() if hasattr(item, "_defaults")]
        if parts and not any(item._defaults for item in parts):
            raise ModelCheckError(
                f"{type(metric).__name__} declares no state (add_state): reset() takes back nothing that it saw before"
            )
        self._takes_values = any(base.__name__ == "BaseAggregator" for base in type(metric).__mro__)
        self._rows_are_samples = True
        # What each part ignores, as long as there is no other target.
        indices = (getattr(item, "ignore_index", None) for item in self.metric.modules())
        self._ignored = {index for index in indices if index is not None}
        self._outputs: list[Any] = []
        self._targets: list[Any] = []

    def update(self, batch: Batch) -> None:
        """Show the metric a batch; a `ModelCheckError` that names the batch where it does not take it."""
        try:
            # A copy: a metric may write into what it is given, and other gates are shown the same batches.
            if self._takes_values:  # its second argument is a weight
                self.metric.update(copied(batch.outputs))
            else:
                self.metric.update(copied(batch.outputs), copied(batch.targets))
        except RAISED as error:
            raise ModelCheckError(
                f"{batch.where}: {type(self.metric).__name__}.update raised {told(error)}\n"
                f"  outputs {_shape(batch.outputs)}, targets {_shape(batch.targets)}"
            ) from error
        self._outputs.append(batch.outputs)
        self._targets.append(batch.targets)
        self._rows_are_samples &= len(batch.targets) == len(batch.ids)
        has_values = hasattr(batch.targets, "all")
        self._ignored = {item for item in self._ignored if has_values and bool((batch.targets == item).all())}

    def values(self, confidence: float, class_names: Mapping[int, str]) -> list[Value]:
        """All numbers that the metric gives, those of vectors by the names of their classes."""
        import torch

        if self._ignored:
            raise ModelCheckError(f"every target is {type(self.metric).__name__}'s ignore_index: nothing is measured")
        try:
            computed = self.metric.compute()
        except RAISED as error:
            kind = type(self.metric).__name__
            raise ModelCheckError(f"{kind}.compute raised {told(error)}{memory_advice(error)}") from error
        found: list[Value] = []
        # A MetricCollection; any other metric that gives a mapping has made it itself.
        has_members = isinstance(self.metric, torch.nn.ModuleDict)
        members = dict(self.metric.items(keep_base=False)) if has_members else {}
        given = computed if isinstance(computed, Mapping) else {type(self.metric).__name__: computed}
        for name, value in given.items():
            part = members.get(name) if isinstance(computed, Mapping) else self.metric
            bounds = self._bounds(part, confidence)
            average = str(getattr(self.metric if part is None else part, "average", None) or "")
            has_classes = getattr(part, "num_classes", None) == len(class_names)
            items = list(_numbers(value, str(name), class_names if has_classes else {}, torch))
            plain = [own for own, _ in _numbers(value, str(name), {}, torch)]
            if not items:
                raise ModelCheckError(f"{name} gave no number")
            for position, (own, number) in enumerate(items):
                low, high = (_at(side, position, len(items)) for side in (bounds.low, bounds.high))
                alias = plain[position]
                found.append(Value(own, number, average, low, high, bounds.method, bounds.why_none, alias))
        if not found:
            raise ModelCheckError(f"{type(self.metric).__name__} gave no number")
        return found

    def _bounds(self, metric: Any, confidence: float) -> Interval:
        import torch

        if metric is None:
            return Interval(None, None, "", 0, "it is one of several values of a metric")
        if not all(isinstance(item, torch.Tensor) for item in (*self._outputs, *self._targets)):
            return Interval(None, None, "", 0, "its outputs are no tensors")
        if not self._rows_are_samples:
            return Interval(None, None, "", 0, "its rows are parts of samples, which are no draws of their own")
        return uncertainty(metric, self._outputs, self._targets, confidence)


def _is_same_in_any_batches(metric: Any, outputs: Tensor) -> bool:
    """Whether a metric gives the same however these samples are parted into batches.

    It does where it counts predicted classes. Those of scores ask of each batch whether it is of probabilities, all of
    it between 0 and 1; where that is so of each sample or of none, the answer is the same of any batch. Of 16 bits they
    are rounded otherwise in a batch of another size.
    """
    import torch

    members = metric.values() if hasattr(metric, "keys") else [metric]
    names = [type(item).__name__ for item in members if type(item).__module__.startswith("torchmetrics.")]
    kinds = [name.removeprefix("Multiclass") for name in names if name.startswith("Multiclass")]
    if len(kinds) < len(members) or not all(kind in KINDS or kind in _OF_SCORES for kind in kinds):
        return False
    if not _OF_SCORES.intersection(kinds):
        return True
    if outputs.dim() != 2 or outputs.dtype not in (torch.float32, torch.float64):
        return False
    beyond = ((outputs < 0) | (outputs > 1)).any(1)
    return bool(beyond.all()) or not bool(beyond.any())


def replayed(run: Pass, metric: Any) -> Iterator[Batch]:
    """The batches that a finished pass has kept for a metric, in the loader's order and sizes.

    Where the metric gives the same for other batches, small ones come several at a time.
    """
    import torch

    kept = run.kept or []
    rows_are_samples = all(
        isinstance(value, torch.Tensor) and value.dim() and len(value) == len(batch.ids)
        for batch in kept
        for value in (batch.outputs, batch.targets)
    )
    if run.source.tensors is None or not rows_are_samples:
        yield from kept
        return
    whole, labels = (torch.cat([getattr(batch, name) for batch in kept]) for name in ("outputs", "targets"))
    if not _are_in_order(kept):
        order = torch.tensor([sample for batch in kept for sample in batch.ids]).argsort()
        whole, labels = whole[order], labels[order]
    is_same = run.way.step is None and _is_same_in_any_batches(metric, whole)
    rows = min(_ROWS, _SCORES // max(1, whole[:1].numel()))
    together = max(1, rows // run.source.batch_size) if is_same else 1
    size = run.source.batch_size * together
    start = 0
    for output, target in zip(torch.split(whole, size), torch.split(labels, size), strict=True):
        stop = start + len(target)
        is_batch = len(target) <= run.source.batch_size
        where = f"batch {start // run.source.batch_size}" if is_batch else f"samples {start} to {stop - 1}"
        yield Batch(output, target, range(start, stop), where)
        start = stop


def _are_in_order(kept: Sequence[Batch]) -> bool:
    stops = accumulate(len(batch.ids) for batch in kept)
    return all(batch.ids == range(stop - len(batch.ids), stop) for batch, stop in zip(kept, stops, strict=True))


def _numbers(value: Any, name: str, class_names: Mapping[int, str], torch: Any) -> Iterator[tuple[str, Any]]:
    """The numbers in a metric's value, each with its name; a float32 reads as the decimal that it prints as."""
    if isinstance(value, Mapping | list | tuple | torch.Tensor) and getattr(value, "ndim", True) and not len(value):
        raise ModelCheckError(f"{name} gave no number")
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, f"{name}.{key}", class_names, torch)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{name}[{index}]", class_names, torch)
    elif isinstance(value, torch.Tensor) and value.dim():
        for index, item in enumerate(value):
            yield from _numbers(
                item,
                f"{name}[{class_names.get(index, index) if len(value) == len(class_names) else index}]",
                class_names,
                torch,
            )
    elif isinstance(value, torch.Tensor):
        widened = value.detach().cpu()
        yield name, (widened.double() if widened.dtype is torch.bfloat16 else widened).numpy()[()]
    else:
        yield name, value


def _at(side: float | Sequence[float] | None, position: int, size: int) -> float | None:
    if side is None or isinstance(side, int | float):
        return side if size == 1 else None
    return side[position] if len(side) == size else None


def _shape(value: Any) -> str:
    shape: Tensor | None = getattr(value, "shape", None)
    return f"{list(shape)} of {value.dtype}" if shape is not None else type(value).__name__
