"""The interval of a score that is a function of the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.evaluation.bounds import Interval, NoInterval, require_agreement, values_of
from pytest_modelcheck.evaluation.confusion import Labels, Score
from pytest_modelcheck.evaluation.intervals import lower_bound, normal_quantile, upper_bound
from pytest_modelcheck.evaluation.means import mean_interval, t_margins

if TYPE_CHECKING:
    from torch import Tensor

_TOLERANCE = 1e-5
_MATRIX = "that of the confusion matrix"


def score_interval(metric: Any, score: Score, labels: Labels, confidence: float) -> Interval:
    """The interval of a score: exact where the score is a proportion, by the delta method elsewhere.

    - What `micro` averages is a function of the share of correct samples, and has the bounds of Clopper and Pearson. So
      has the recall, specificity, precision, Jaccard index or F1 of one class: among the samples with that target, or
      that prediction, or either of the two, the number of right ones is binomial.
    - Macro and weighted averages, F-beta, MCC and kappa have those of the delta method. It was chosen over the
      bootstrap because it draws nothing, and because what both miss, that a class without an error may still be one
      that the model does not always get right, can be mended in it: see `_margins`.
    - Where a sample has several values, as pixels or tokens, the delta method adds them up sample by sample first.
    """
    micro = score.average == "micro" and score.left_out is None
    if micro or (score.average == "weighted" and score.kind == "recall"):
        return _of_correct(metric, score, labels, confidence)
    matrix = labels.matrix()
    if score.kind in ("mcc", "kappa") and min(int((matrix.sum(side) > 0).sum()) for side in (0, 1)) < 2:
        raise NoInterval("its targets or its predictions are all of one class")
    require_agreement(values_of(metric), score.of(matrix).reshape(-1).tolist(), _MATRIX, _TOLERANCE)
    if score.average not in ("none", "binary"):
        lows, highs = _by_delta(score, matrix.unsqueeze(0), labels, None, confidence)
    elif labels.samples is None and (score.kind != "f" or score.beta == 1):
        return _of_classes(score, matrix, labels.size, confidence)
    else:
        lows, highs = _of_classes_by_delta(score, matrix, labels, confidence)
    return Interval(tuple(lows.tolist()), tuple(highs.tolist()), "delta method", labels.size)


def _of_correct(metric: Any, score: Score, labels: Labels, confidence: float) -> Interval:
    right = labels.targets == labels.predicted
    correct, number = int(right.sum()), len(right)
    see = _of_accuracy(score, labels.classes)
    require_agreement(values_of(metric), [see(correct / number)], _MATRIX, _TOLERANCE)
    if labels.samples is None:
        low, high = lower_bound(correct, number, confidence), upper_bound(correct, number, confidence)
        return Interval((see(low),), (see(high),), "Clopper-Pearson", number)
    sums, counts = labels.samples.bincount(weights=right.double()), labels.samples.bincount().double()
    return mean_interval(metric, sums.unsqueeze(1), counts, confidence, lambda share: see(min(share, 1.0)), 0.0)


def _of_accuracy(score: Score, classes: int) -> Callable[[float], float]:
    # What a micro average is, as a rising function of the share of correct samples.
    if score.kind in ("specificity", "negative predictive value"):
        return lambda share: 1 - (1 - share) / (classes - 1)
    if score.kind == "jaccard":
        return lambda share: share / (2 - share)
    return float


def _of_classes(score: Score, matrix: Tensor, size: int, confidence: float) -> Interval:
    parts, wholes = score.parts(matrix)
    if score.kind == "f":  # 2 J / (1 + J), where J is the Jaccard index, whose parts are counts of samples
        parts, wholes = parts / 2, wholes - parts / 2
    pairs = list(zip(map(int, parts.tolist()), map(int, wholes.tolist()), strict=True))
    # Of a class without samples nothing is known.
    lows = [lower_bound(part, whole, confidence) if whole else 0.0 for part, whole in pairs]
    highs = [upper_bound(part, whole, confidence) if whole else 1.0 for part, whole in pairs]
    if score.kind == "f":
        lows, highs = ([2 * bound / (1 + bound) for bound in bounds] for bounds in (lows, highs))
    if score.average == "binary":
        lows, highs = lows[1:], highs[1:]
    return Interval(tuple(lows), tuple(highs), "Clopper-Pearson", size)


def _of_classes_by_delta(score: Score, matrix: Tensor, labels: Labels, confidence: float) -> tuple[Tensor, Tensor]:
    import torch

    classes = (score.parts(matrix)[1] > 0).nonzero().flatten()
    if score.average == "binary":
        classes = classes[classes == 1]
    lows, highs = torch.zeros(len(matrix)), torch.ones(len(matrix))
    if len(classes):
        tables = _one_against_the_rest(matrix)[classes]
        low, high = _by_delta(replace(score, average="binary"), tables, labels, classes.tolist(), confidence)
        lows, highs = lows.to(low).index_copy(0, classes, low), highs.to(high).index_copy(0, classes, high)
    return (lows[1:], highs[1:]) if score.average == "binary" else (lows, highs)


def _one_against_the_rest(matrix: Tensor) -> Tensor:
    import torch

    right = matrix.diagonal()
    row, column = matrix.sum(1), matrix.sum(0)
    rest = matrix.sum() - row - column + right
    return torch.stack([rest, column - right, row - right, right], dim=1).reshape(-1, 2, 2)


def _by_delta(
    score: Score, tables: Tensor, labels: Labels, classes: list[int] | None, confidence: float
) -> tuple[Tensor, Tensor]:
    # The bounds of each table's score. The tables are the confusion matrix, or those of some classes against the rest.
    values, gradient = score.of(tables), _gradient(score, tables)
    if labels.samples is None:
        down, up = _margins(tables, gradient, normal_quantile(confidence))
    else:
        down, up = _margins_by_sample(labels, labels.samples, gradient, classes, confidence)
    return (values - down).clamp(min=score.lowest), (values + up).clamp(max=1.0)


def _gradient(score: Score, tables: Tensor) -> Tensor:
    # How much one more sample in a cell would change the score of its table.
    import torch

    with torch.inference_mode(False), torch.enable_grad():
        counts = tables.clone().requires_grad_()
        return torch.autograd.grad(score.of(counts).sum(), counts)[0]


def _margins(tables: Tensor, gradient: Tensor, z: float) -> tuple[Tensor, Tensor]:
    """How far the bounds of each table's score lie under and above it.

    z standard errors by the delta method, with cells that are multinomial (Agresti 2013, Categorical Data Analysis,
    16.1). By its variance a class without an error is perfect, though it may have five samples. So the recall of each
    class, or its precision where that says more, gets the width of its score interval (Wilson 1927) where that is
    wider: the squares of the differences are added, as Newcombe (1998) and Zou and Donner (2008) do it.
    """
    total = tables.sum((-2, -1))
    variance = (tables * gradient**2).sum((-2, -1)) - (tables * gradient).sum((-2, -1)) ** 2 / total
    by_recall = _widening(tables, gradient, z)
    by_precision = _widening(tables.mT, gradient.mT, z)
    down, up = (
        (z**2 * variance.clamp(min=0) + one.maximum(other)).sqrt()
        for one, other in zip(by_recall, by_precision, strict=True)
    )
    return down, up


def _widening(tables: Tensor, gradient: Tensor, z: float) -> tuple[Tensor, Tensor]:
    # What the squares of the two margins lack, by the share of right ones in each row.
    import torch

    rows = tables.sum(-1)
    number = rows.clamp(min=1)
    share = tables.diagonal(dim1=-2, dim2=-1) / number
    centre = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    reach = z * (share * (1 - share) / number + z**2 / (4 * number**2)).sqrt() / (1 + z**2 / number)
    # Errors that were not seen are taken to fall on the other columns by their sizes, with the weight of one sample.
    apart = 1 - torch.eye(tables.shape[-1], dtype=tables.dtype)
    unseen = tables.sum(-2).clamp(min=1e-9).unsqueeze(-2) * apart
    errors = tables * apart + unseen / unseen.sum(-1, keepdim=True)
    errors = errors / errors.sum(-1, keepdim=True)
    moved = rows * (gradient.diagonal(dim1=-2, dim2=-1) - (errors * gradient).sum(-1))
    plain = z**2 * share * (1 - share) / number
    low, high = (
        (moved**2 * (width**2 - plain).clamp(min=0)).sum(-1)
        for width in (share - centre + reach, centre + reach - share)
    )
    return low, high


def _margins_by_sample(
    labels: Labels, samples: Tensor, gradient: Tensor, classes: list[int] | None, confidence: float
) -> tuple[Tensor, Tensor]:
    # To first order the score is a sum over samples, whose spread is seen directly.
    import torch

    sums = []
    for index, slopes in enumerate(gradient):
        targets, predicted = labels.targets, labels.predicted
        if classes is not None:
            targets, predicted = (targets == classes[index]).long(), (predicted == classes[index]).long()
        sums.append(samples.bincount(weights=slopes.flatten()[targets * len(slopes) + predicted]))
    return t_margins(torch.stack(sums, dim=1), labels.size, confidence, 1.0)
