"""How sure the value of a torchmetrics metric is, by the family that the metric belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.evaluation.auroc import auroc_interval
from pytest_modelcheck.evaluation.bounds import Interval, NoInterval
from pytest_modelcheck.evaluation.confusion import KINDS, labels_of, score_of
from pytest_modelcheck.evaluation.delta import score_interval
from pytest_modelcheck.evaluation.means import error_interval, loss_interval, perplexity_interval

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Interval", "uncertainty"]

# Distances between whole distributions: their value itself depends on the number of samples.
_OF_DISTRIBUTIONS = frozenset(
    {
        "FrechetInceptionDistance",
        "InceptionScore",
        "KernelInceptionDistance",
        "MemorizationInformedFrechetInceptionDistance",
        "PerceptualPathLength",
    }
)


def uncertainty(metric: Any, outputs: Sequence[Tensor], targets: Sequence[Tensor], confidence: float) -> Interval:
    """The interval that holds the true value of a metric: each of its two bounds with this confidence.

    `metric` is a torchmetrics metric that was updated with all batches of `outputs` and `targets`, which are tensors on
    the CPU with a sample a row; `confidence` is at least 1/2. The samples are taken for independent draws of what the
    model will meet. The interval, and where there is none the reason, go by the metric's family:

    - accuracy, recall, specificity, precision, F-beta, Jaccard, MCC and kappa, binary or multiclass: see
      `delta.score_interval`;
    - `BinaryAUROC`: DeLong's variance;
    - `MeanSquaredError`, `MeanAbsoluteError` and `MeanMetric`: the t interval of the samples' values;
    - `Perplexity`: exp of the t interval of the mean log-likelihood, document by document;
    - any other, FID and its like among them: none.

    In every family the metric's own value must be that of the formula: a subclass that computes something else gets
    no interval.

    >>> import torch
    >>> from torchmetrics.classification import BinaryAccuracy
    >>> metric, outputs, targets = BinaryAccuracy(), torch.tensor([1] * 98 + [0] * 2), torch.ones(100, dtype=int)
    >>> metric.update(outputs, targets)
    >>> found = uncertainty(metric, [outputs], [targets], 0.95)
    >>> round(found.low, 4), round(found.high, 4), found.method, found.size
    (0.9384, 0.9964, 'Clopper-Pearson', 100)
    """
    if not 0.5 <= confidence < 1:
        raise ValueError(f"confidence={confidence!r}: a number from 1/2 to below 1 is expected")
    try:
        found = _interval(metric, outputs, targets, float(confidence))
    except NoInterval as reason:
        return Interval(None, None, "", sum(len(batch) if batch.ndim else 1 for batch in outputs), str(reason))
    if isinstance(found.low, tuple) and isinstance(found.high, tuple) and not metric.compute().ndim:
        return replace(found, low=found.low[0], high=found.high[0])
    return found


def _interval(metric: Any, outputs: Sequence[Tensor], targets: Sequence[Tensor], confidence: float) -> Interval:
    name = _name(metric)
    if name == "BinaryAUROC":
        return auroc_interval(metric, outputs, targets, confidence)
    if name in ("MeanSquaredError", "MeanAbsoluteError"):
        return error_interval(metric, name, outputs, targets, confidence)
    if name == "MeanMetric":
        return loss_interval(metric, outputs, confidence)
    if name == "Perplexity":
        return perplexity_interval(metric, outputs, targets, confidence)
    if name.startswith(("Binary", "Multiclass")) and name.removeprefix("Binary").removeprefix("Multiclass") in KINDS:
        score = score_of(metric, name)
        labels = labels_of(metric, score, name.startswith("Binary"), outputs, targets)
        return score_interval(metric, score, labels, confidence)
    if name == "MulticlassAUROC":
        raise NoInterval("DeLong's variance is that of BinaryAUROC, of one class against another")
    own = type(metric).__name__
    if {own, name} & _OF_DISTRIBUTIONS:
        raise NoInterval(f"{own} has no interval that holds in general")
    raise NoInterval(f"no interval is known for {own}")


def _name(metric: Any) -> str:
    # The nearest class that is torchmetrics' own; a family is known by name, so that nothing has to be imported.
    classes = (kind for kind in type(metric).__mro__ if kind.__module__.partition(".")[0] == "torchmetrics")
    return next((kind.__name__ for kind in classes), "")
