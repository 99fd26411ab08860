"""The interval of the area under the ROC curve, by DeLong's variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.evaluation.bounds import Interval, NoInterval, require_agreement, values_of
from pytest_modelcheck.evaluation.intervals import lower_bound, normal_quantile

if TYPE_CHECKING:
    from torch import Tensor

# Below so many samples in the smaller class, DeLong's variance alone is not trusted.
_FEW = 200


def auroc_interval(metric: Any, outputs: Sequence[Tensor], targets: Sequence[Tensor], confidence: float) -> Interval:
    """The interval of `BinaryAUROC`, of scores as they are (`thresholds=None`).

    Each bound is the wider of the normal one and of the one that is normal on the scale of logits: near 1 the first
    falls short. Where a class has few samples both do, because DeLong's variance is then too small in most samples, and
    the wider of them and of Newcombe's score interval is taken. Where the scores of the classes do not overlap,
    DeLong's variance is 0; the bound is that of Clopper and Pearson for as many pairs as can be made without using a
    sample twice, which is exact and wide.
    """
    if metric.thresholds is not None:
        raise NoInterval("thresholds= rounds the scores; DeLong's variance is that of thresholds=None")
    if getattr(metric, "max_fpr", None) not in (None, 1):
        raise NoInterval(f"max_fpr={metric.max_fpr} takes a part of the area; DeLong's variance is that of the whole")
    scores, truth = _scores(metric, outputs, targets)
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        raise NoInterval(f"its samples are all {'positive' if positives else 'negative'}")
    area, variance = delong(scores, truth)
    require_agreement(values_of(metric), [area], "the area under the ROC curve of its outputs", 1e-5)
    fewer = min(positives, negatives)
    if area in (0.0, 1.0):
        reach = 1 - lower_bound(fewer, fewer, confidence)
        low, high = (1 - reach, 1.0) if area == 1 else (0.0, reach)
        return Interval((low,), (high,), "Clopper-Pearson", len(truth))
    if fewer == 1:
        raise NoInterval("one sample of a class does not show how its samples differ")
    if variance < 1e-24:  # 0, but for rounding
        raise NoInterval("DeLong's variance is 0: all samples of a class are ranked alike")
    z = normal_quantile(confidence)
    reach, odds = z * math.sqrt(variance), math.log(area / (1 - area))
    step = reach / (area * (1 - area))
    low, high = min(area - reach, _share(odds - step)), max(area + reach, _share(odds + step))
    if fewer < _FEW:
        low = min(low, _score_bound(area, positives, negatives, z, 0.0))
        high = max(high, _score_bound(area, positives, negatives, z, 1.0))
    return Interval((max(low, 0.0),), (min(high, 1.0),), "DeLong", len(truth))


def _share(odds: float) -> float:
    return 1 / (1 + math.exp(min(-odds, 700.0)))


def _score_bound(area: float, positives: int, negatives: int, z: float, edge: float) -> float:
    # Newcombe (2006), Statistics in Medicine 25, 559-573, method 5: the area nearest to the edge that is z standard
    # errors of its own from the one measured, by bisection.
    half = (positives + negatives) / 2 - 1
    inner, outer = area, edge
    for _ in range(60):
        middle = (inner + outer) / 2
        spread = 1 + half * ((1 - middle) / (2 - middle) + middle / (1 + middle))
        variance = middle * (1 - middle) * spread / (positives * negatives)
        inner, outer = (middle, outer) if (area - middle) ** 2 <= z * z * variance else (inner, middle)
    return inner


def delong(scores: Tensor, truth: Tensor) -> tuple[float, float]:
    """The area under the ROC curve and its variance, for `scores` and the `truth` of each, both `[samples]`.

    DeLong, DeLong and Clarke-Pearson (1988), in O(n log n) as Sun and Xu (2014) do it: what a sample adds is its rank
    among the samples of the other class, ties counting half. The variance is NaN where a class has one sample.

    >>> import torch
    >>> area, variance = delong(torch.tensor([0.1, 0.4, 0.35, 0.8]), torch.tensor([False, False, True, True]))
    >>> area, variance
    (0.75, 0.125)
    """
    import torch

    distinct, ranks = torch.unique(scores, return_inverse=True)
    positives = ranks[truth].bincount(minlength=len(distinct)).double()
    negatives = ranks[~truth].bincount(minlength=len(distinct)).double()
    # By score: the share of the other class that it wins against.
    above = (negatives.cumsum(0) - negatives / 2) / negatives.sum()
    below = 1 - (positives.cumsum(0) - positives / 2) / positives.sum()
    area = (positives * above).sum() / positives.sum()
    variance = sum(
        float((counts * (shares - area) ** 2).sum() / (counts.sum() - 1) / counts.sum())
        for counts, shares in ((positives, above), (negatives, below))
    )
    return float(area), variance


def _scores(metric: Any, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    # Batch by batch like torchmetrics: whether a batch holds logits is judged by the batch alone.
    import torch

    scores, truth = [], []
    for output, target in zip(outputs, targets, strict=True):
        if output.shape != target.shape or not output.is_floating_point():
            raise NoInterval(f"its outputs {list(output.shape)} are no scores of its targets {list(target.shape)}")
        if target.numel() > len(target):
            raise NoInterval("its samples have several values each, which are not independent of each other")
        kept = (
            torch.ones_like(target, dtype=torch.bool) if metric.ignore_index is None else target != metric.ignore_index
        )
        batch = output[kept]
        if bool(batch.isnan().any()):
            raise NoInterval("its outputs are not all numbers")
        scores.append(batch if bool(((batch >= 0) & (batch <= 1)).all()) else batch.sigmoid())
        truth.append(target[kept] == 1)
    if not any(map(len, truth)):
        raise NoInterval("there is no sample")
    return torch.cat(scores), torch.cat(truth)
