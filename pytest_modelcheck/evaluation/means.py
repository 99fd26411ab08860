"""The interval of a mean: of losses, of squared or absolute errors, and of the perplexity's log-likelihoods."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.evaluation.bounds import Interval, NoInterval, require_agreement, t_quantile, values_of

if TYPE_CHECKING:
    from torch import Tensor

# Torchmetrics adds up in float32, batch by batch.
_RELATIVE = 1e-4


def mean_interval(
    metric: Any, sums: Tensor, counts: Tensor, confidence: float, see: Callable[[float], float], low: float
) -> Interval:
    """The interval of `sums.sum(0) / counts.sum()`, where each sample gives a row of `sums` and one of `counts`.

    This is the t interval of a mean of samples where the counts are equal, and that of a ratio estimator where they are
    not (Cochran 1977, Sampling Techniques, 6.4). `see` is what the metric makes of a mean, a rising function, and `low`
    the smallest mean there can be.
    """
    kept = counts > 0
    sums, counts = sums[kept], counts[kept]
    size = len(counts)
    if not size:
        raise NoInterval("there is no sample")
    values = values_of(metric)
    scales = sums.abs().sum(0) / counts.sum()
    means = (sums.sum(0) / counts.sum()).tolist()
    for value, mean, scale in zip(values, means, scales.tolist(), strict=True):
        if not (math.isfinite(value) and math.isfinite(mean)):
            raise NoInterval(f"its value is {value}")
        slack = _RELATIVE * max(scale, abs(mean))
        tolerance = max(see(mean + slack) - see(mean), see(mean) - see(max(mean - slack, low)))
        require_agreement([value], [see(mean)], "the mean of its samples", tolerance)
    apart = (sums - counts.unsqueeze(1) * sums.sum(0) / counts.sum()) / counts.sum()
    down, up = t_margins(apart, size, confidence, scales)
    lows = tuple(see(max(mean - margin, low)) for mean, margin in zip(means, down.tolist(), strict=True))
    highs = tuple(see(mean + margin) for mean, margin in zip(means, up.tolist(), strict=True))
    return Interval(lows, highs, "t", size)


def t_margins(apart: Tensor, size: int, confidence: float, scale: Tensor | float) -> tuple[Tensor, Tensor]:
    """How far the bounds of a value lie under and above it, where `size` samples move it by the rows of `apart`.

    A few large errors among many small ones make Student's upper bound too low. So the margin on the side of the longer
    tail is widened for its skewness by the first term of the Edgeworth expansion (Johnson 1978; Hall 1992). Beside
    `scale`, the size of the value, what is no more than a rounding error is nothing.
    """
    if size == 1:
        raise NoInterval("one sample does not show how samples differ")
    squares = (apart**2).sum(0)
    if not bool((squares * size > (1e-12 * scale) ** 2).all()):
        raise NoInterval(f"all {size:,} samples have the same value, which does not show how samples differ")
    t = t_quantile(confidence, size - 1)
    shift = (apart**3).sum(0) / squares**1.5 * (2 * t * t + 1) / 6
    error = (squares * size / (size - 1)).sqrt()
    return error * (t + (-shift).clamp(min=0)), error * (t + shift.clamp(min=0))


def error_interval(
    metric: Any, name: str, outputs: Sequence[Tensor], targets: Sequence[Tensor], confidence: float
) -> Interval:
    """The interval of `MeanSquaredError` or `MeanAbsoluteError`: a sample's value is the mean of its elements' errors.

    With `squared=False` the bounds are the roots of those of the mean square.
    """
    rows, counts = [], []
    for output, target in zip(outputs, targets, strict=True):
        if output.shape != target.shape:
            raise NoInterval(
                f"its outputs {list(output.shape)} are not of the shape of its targets {list(target.shape)}"
            )
        apart = output - target
        errors = (apart * apart if name == "MeanSquaredError" else apart.abs()).double()
        columns = getattr(metric, "num_outputs", 1)
        rows.append(errors if columns > 1 else _flat(errors).sum(1, keepdim=True))
        counts.append(_counts(errors, 1 if columns > 1 else _flat(errors).shape[1]))
    root = name == "MeanSquaredError" and not metric.squared
    return _joined(metric, rows, counts, confidence, math.sqrt if root else float, 0.0)


def loss_interval(metric: Any, outputs: Sequence[Tensor], confidence: float) -> Interval:
    """The interval of `MeanMetric` over the values that it was given, a sample a row."""
    rows = [_flat(output.double()) for output in outputs]
    counts = [_counts(row, row.shape[1]) for row in rows]
    return _joined(metric, [row.sum(1, keepdim=True) for row in rows], counts, confidence, float, -math.inf)


def perplexity_interval(
    metric: Any, outputs: Sequence[Tensor], targets: Sequence[Tensor], confidence: float
) -> Interval:
    """The interval of `Perplexity`, exp of that of the mean negative log-likelihood of a token.

    The tokens of a document are not independent, so that the document, a row of the batch, is the sample.
    """
    rows, counts = [], []
    for output, target in zip(outputs, targets, strict=True):
        if output.shape[:-1] != target.shape or target.ndim != 2:
            raise NoInterval(f"its outputs {list(output.shape)} are no scores of its targets {list(target.shape)}")
        kept = target != metric.ignore_index if metric.ignore_index is not None else target == target
        tokens = target.where(kept, 0).unsqueeze(-1)
        lost = (output.logsumexp(-1) - output.gather(-1, tokens).squeeze(-1)).double()
        rows.append(lost.where(kept, 0.0).sum(1, keepdim=True))
        counts.append(kept.sum(1).double())
    return _joined(metric, rows, counts, confidence, _exp, 0.0)


def _exp(mean: float) -> float:
    try:
        return math.exp(mean)
    except OverflowError:
        return math.inf


def _flat(values: Tensor) -> Tensor:
    return values.reshape(-1, 1) if values.ndim < 2 else values.flatten(1)


def _counts(rows: Tensor, count: int) -> Tensor:
    return rows.new_full((len(rows),), count)


def _joined(
    metric: Any,
    rows: list[Tensor],
    counts: list[Tensor],
    confidence: float,
    see: Callable[[float], float],
    low: float,
) -> Interval:
    import torch

    if not rows:
        raise NoInterval("there is no sample")
    return mean_interval(metric, torch.cat(rows), torch.cat(counts), confidence, see, low)
