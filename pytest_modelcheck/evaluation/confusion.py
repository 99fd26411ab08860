"""The confusion matrix that a classification metric of torchmetrics sees, and what its value is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.evaluation.bounds import NoInterval

if TYPE_CHECKING:
    from torch import Tensor

# The names of torchmetrics' classes, without "Binary" and "Multiclass", and the score that each of them is.
KINDS = MappingProxyType(
    {
        "Accuracy": "recall",
        "Recall": "recall",
        "Precision": "precision",
        "Specificity": "specificity",
        "NegativePredictiveValue": "negative predictive value",
        "F1Score": "f",
        "FBetaScore": "f",
        "JaccardIndex": "jaccard",
        "MatthewsCorrCoef": "mcc",
        "CohenKappa": "kappa",
    }
)

# These drop ignored samples before they look whether outputs are probabilities, the others after it.
DROP_FIRST = frozenset({"jaccard", "mcc", "kappa"})


@dataclass(frozen=True)
class Score:
    """A function of the confusion matrix, as torchmetrics defines it.

    `average` is `"binary"` (the score of class 1), `"micro"`, `"macro"`, `"weighted"`, `"none"` (a score for each
    class) or `"whole"` (MCC and kappa, which average nothing); `weights` are those of Cohen's kappa, and `left_out` is
    the class that Jaccard's averages leave out.
    """

    kind: str
    average: str
    beta: float = 1.0
    weights: str = "none"
    zero_division: float = 0.0
    left_out: int | None = None

    @property
    def lowest(self) -> float:
        """The smallest value that the score can have; the largest is 1."""
        return -1.0 if self.kind in ("mcc", "kappa") else 0.0

    def parts(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """For each class, the numerator and the denominator of its score."""
        right = matrix.diagonal(dim1=-2, dim2=-1)
        false_positive = matrix.sum(-2) - right
        false_negative = matrix.sum(-1) - right
        true_negative = matrix.sum((-2, -1)).unsqueeze(-1) - right - false_positive - false_negative
        if self.kind == "recall":
            return right, right + false_negative
        if self.kind == "precision":
            return right, right + false_positive
        if self.kind == "specificity":
            return true_negative, true_negative + false_positive
        if self.kind == "negative predictive value":
            return true_negative, true_negative + false_negative
        if self.kind == "jaccard":
            return right, right + false_positive + false_negative
        square = self.beta**2
        return (1 + square) * right, (1 + square) * right + square * false_negative + false_positive

    def of(self, matrix: Tensor) -> Tensor:
        """The score of a matrix `[..., classes, classes]`, targets down and predictions across.

        It is `[...]`, and `[..., classes]` where the average is "none".

        >>> import torch
        >>> Score("f", "macro").of(torch.tensor([[8.0, 2.0], [0.0, 10.0]]))
        tensor(0.8990)
        """
        if self.kind == "mcc":
            return _matthews(matrix)
        if self.kind == "kappa":
            return _kappa(matrix, self.weights)
        parts, wholes = self.parts(matrix)
        if self.average == "micro":
            left_out = 0 if self.left_out is None else wholes[..., self.left_out]
            return _divide(parts.sum(-1), wholes.sum(-1) - left_out, self.zero_division)
        scores = _divide(parts, wholes, self.zero_division)
        if self.average == "binary":
            return scores[..., 1]
        if self.average == "none":
            return scores
        shares = matrix.sum(-1) if self.average == "weighted" else self._counted(matrix)
        return _divide((shares * scores).sum(-1), shares.sum(-1), 0.0)

    def _counted(self, matrix: Tensor) -> Tensor:
        # A class that is neither among the targets nor among the predictions has no part in the mean.
        counted = (matrix.sum(-1) + matrix.sum(-2) > 0).to(matrix.dtype)
        if self.left_out is not None:
            counted[..., self.left_out] = 0
        return counted


def _divide(part: Tensor, whole: Tensor, otherwise: float) -> Tensor:
    # The inner choice keeps the gradient finite where the outer one takes the other side.
    return (part / whole.where(whole != 0, 1.0)).where(whole != 0, otherwise)


def _matthews(matrix: Tensor) -> Tensor:
    rows, columns = matrix.sum(-1), matrix.sum(-2)
    total = matrix.sum((-2, -1))
    right = matrix.diagonal(dim1=-2, dim2=-1).sum(-1)
    spread = (total**2 - (rows**2).sum(-1)) * (total**2 - (columns**2).sum(-1))
    return (right * total - (rows * columns).sum(-1)) / spread.where(spread != 0, 1.0).sqrt()


def _kappa(matrix: Tensor, weights: str) -> Tensor:
    import torch

    steps = torch.arange(matrix.shape[-1], dtype=matrix.dtype)
    apart = (steps.unsqueeze(0) - steps.unsqueeze(1)).abs()
    cost = apart if weights == "linear" else apart**2 if weights == "quadratic" else (apart > 0).to(matrix.dtype)
    expected = matrix.sum(-1).unsqueeze(-1) * matrix.sum(-2).unsqueeze(-2) / matrix.sum((-2, -1), keepdim=True)
    return 1 - (cost * matrix).sum((-2, -1)) / (cost * expected).sum((-2, -1))


def score_of(metric: Any, name: str) -> Score:
    """The score that torchmetrics' class of this name is, with the metric's own settings.

    Raises `NoInterval` for settings that make its value more than a function of the confusion matrix.
    """
    if getattr(metric, "top_k", 1) != 1:
        raise NoInterval(f"top_k={metric.top_k} makes its value more than a function of the confusion matrix")
    if getattr(metric, "multidim_average", "global") != "global":
        raise NoInterval(f"multidim_average={metric.multidim_average!r} gives a value for each sample")
    binary = name.startswith("Binary")
    kind = KINDS[name.removeprefix("Binary").removeprefix("Multiclass")]
    average = "binary" if binary else getattr(metric, "average", None) or "none"
    if name == "BinaryAccuracy":
        average = "micro"
    if kind in ("mcc", "kappa"):
        average = "whole"
    ignored = getattr(metric, "ignore_index", None)
    inside = kind == "jaccard" and not binary and ignored is not None and 0 <= ignored < metric.num_classes
    divides = not name.endswith(("Accuracy", "Specificity"))  # these give 0 whatever `zero_division` says
    return Score(
        kind=kind,
        average=average,
        beta=float(getattr(metric, "beta", 1.0)),
        weights=getattr(metric, "weights", None) or "none",
        zero_division=float(getattr(metric, "zero_division", 0.0)) if divides else 0.0,
        left_out=ignored if inside else None,
    )


@dataclass(frozen=True)
class Labels:
    """The classes of all values that are not ignored: `targets` and `predicted`, both `[values]`.

    `samples` holds the number of the sample that each value belongs to. It is `None` where a sample has one value;
    where it has several, as the pixels of an image, they are not independent of each other.
    """

    targets: Tensor
    predicted: Tensor
    samples: Tensor | None
    classes: int

    @property
    def size(self) -> int:
        """The number of independent samples."""
        return len(self.targets) if self.samples is None else int((self.samples.bincount() > 0).sum())

    def matrix(self) -> Tensor:
        """The confusion matrix `[classes, classes]` in float64, targets down and predictions across."""
        cells = self.targets * self.classes + self.predicted
        return cells.bincount(minlength=self.classes**2).double().reshape(self.classes, self.classes)


def labels_of(metric: Any, score: Score, binary: bool, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Labels:
    """The classes of all batches, decided from scores, logits or labels as torchmetrics does it.

    Raises `NoInterval` where outputs and targets do not fit each other, or hold labels that are no class.
    """
    import torch

    ignored = getattr(metric, "ignore_index", None)
    batches, start, several = [], 0, False
    for output, target in zip(outputs, targets, strict=True):
        kept = torch.ones_like(target, dtype=torch.bool) if ignored is None else target != ignored
        if binary:
            predicted = _thresholded(output, kept if score.kind in DROP_FIRST else None, metric.threshold)
        else:
            predicted = output.argmax(1) if output.ndim == target.ndim + 1 else output
        if predicted.shape != target.shape:
            raise NoInterval(f"its outputs {list(output.shape)} are no scores of its targets {list(target.shape)}")
        samples = torch.arange(start, start + len(target)).reshape(-1, *[1] * (target.ndim - 1)).expand(target.shape)
        start += len(target)
        several = several or target.numel() > len(target)
        batches.append((target[kept].long(), predicted[kept].long(), samples[kept]))
    if not batches:
        raise NoInterval("there is no sample")
    true, predicted, samples = (torch.cat(parts) for parts in zip(*batches, strict=True))
    if not len(true):
        raise NoInterval("there is no sample")
    found = 1 + int(torch.maximum(true.max(), predicted.max()))
    classes = 2 if binary else getattr(metric, "num_classes", None) or found
    if min(int(true.min()), int(predicted.min())) < 0 or found > classes:
        raise NoInterval(f"its labels are not all from 0 to {classes - 1}")
    return Labels(true, predicted, samples if several else None, classes)


def _thresholded(output: Tensor, kept: Tensor | None, threshold: float) -> Tensor:
    if not output.is_floating_point():
        return output
    judged = output if kept is None or kept.shape != output.shape else output[kept]
    logits = not bool(((judged >= 0) & (judged <= 1)).all())
    return (output.sigmoid() if logits else output) > threshold
