"""What a model may give to be judged: any tensor for a metric, and scores of classes where classes are counted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.tensors import tensors_in

if TYPE_CHECKING:
    from pytest_modelcheck.evaluation.batches import Batch


class BatchError(ModelCheckError):
    """A batch that could not be judged. `inputs` is what the model was given, where that helps to look further."""

    def __init__(self, message: str, inputs: Any = None) -> None:
        super().__init__(message)
        self.inputs = inputs


def output_of(output: Any) -> Any:
    """The tensor that a model's output is, or its logits."""
    import torch

    found = getattr(output, "logits", output)
    if isinstance(found, dict) and "logits" in found:
        found = found["logits"]
    if not isinstance(found, torch.Tensor):
        raise ModelCheckError(
            f"the output is a {type(output).__name__}: a tensor, or an output with logits, is needed, or step=, a "
            "function of the model and a batch that gives outputs and targets"
        )
    return found


def finite_problem(outputs: Any, is_infinity_wrong: bool = True) -> str:
    """Why outputs are no numbers, or `""`. A user's own step may give infinite ones, as masks do, but no NaN."""
    for _, tensor in tensors_in(outputs):
        if not (tensor.is_floating_point() or tensor.is_complex()):
            continue
        # What is not finite stays so in a sum, which is made in one go.
        if tensor.is_floating_point() and math.isfinite(float(tensor.sum())):
            continue
        bad = ~tensor.isfinite() if is_infinity_wrong else tensor.isnan()
        if bool(bad.any()):
            rows = int(bad.reshape(len(tensor), -1).any(1).sum()) if tensor.dim() else 1
            size = len(tensor) if tensor.dim() else 1
            kind = "NaN or infinite" if is_infinity_wrong else "NaN"
            return f"the scores of {rows} of {size} samples are {kind}"
    return ""


def class_problem(batch: Batch) -> str:
    """Why a batch has no class scores `[batch, classes]` and class indices `[batch]`, or `""`."""
    import torch

    scores, targets = batch.outputs, batch.targets
    if not isinstance(scores, torch.Tensor) or not isinstance(targets, torch.Tensor):
        one, other = type(scores).__name__, type(targets).__name__
        if isinstance(scores, torch.Tensor):
            return f"the targets are a {other}: a tensor of class indices is needed"
        return f"the output is a {one}: class scores [batch, classes] are needed"
    if scores.dim() != 2 or scores.shape[1] < 2 or not scores.is_floating_point():
        return (
            f"the output is {list(scores.shape)} of {scores.dtype}: class scores [batch, classes], floating point, of "
            "at least two classes are needed"
        )
    if targets.is_floating_point() or targets.dtype == torch.bool or tuple(targets.shape) != (len(scores),):
        return (
            f"the targets are {list(targets.shape)} of {targets.dtype}: integer class indices [{len(scores)}] are "
            "needed"
        )
    if len(targets) != len(batch.ids):
        return f"there are {len(targets)} targets for {len(batch.ids)} samples: one for each is needed to count them"
    if len(targets) == 0:
        return ""
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= scores.shape[1]:
        wrong = low if low < 0 else high
        return f"target {wrong} is no class: the model scores classes 0 to {scores.shape[1] - 1}"
    return ""
