"""Whether a model gives the same on two devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_modelcheck.errors import ModelCheckError

if TYPE_CHECKING:
    import torch

    from pytest_modelcheck.evaluation.predictions import Pass

# The largest difference of scores on two devices, as a share of the largest score: some hundred roundings of the dtype.
TOLERANCES: Mapping[str, float] = MappingProxyType(
    {"float64": 1e-9, "float32": 1e-3, "float16": 2e-2, "bfloat16": 1e-1}
)


@dataclass(frozen=True)
class Parity:
    """How far the scores of two passes lie apart, and how many samples got another class."""

    other: str
    size: int
    differing: int
    largest: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether the scores are the same to the dtype's tolerance."""
        return self.largest <= self.tolerance


def parity(run: Pass, other: Pass) -> Parity:
    """Compare the outputs of two finished passes of one model over the same data.

    Scores of classes differ where another class is the best, and other outputs where they differ by more than the
    tolerance. Raises `ModelCheckError` where they were not kept, or are no real numbers of one shape for all samples.
    """
    if not run.kept or not other.kept:
        raise ModelCheckError("the scores are too many to be kept, and cannot be compared between devices")
    one, two = (scores_by_sample(item) for item in (run, other))
    if one.shape != two.shape:
        raise ModelCheckError(
            f"the scores are {list(one.shape)} on {run.device} and {list(two.shape)} on {other.device}"
        )
    share = TOLERANCES.get(_dtype_of(run.way.precision) or str(one.dtype).removeprefix("torch."), 0.0)
    is_scores = one.is_floating_point() and one.dim() == 2 and one.shape[1] > 1
    one, two = one.double(), two.double()
    # Infinite scores, as of masks, are the same or differ by infinitely much.
    gaps = (one - two).abs().masked_fill(one == two, 0.0)
    tolerance = share * max(float(two.abs().masked_fill(two.isinf(), 0.0).max()), 1.0)
    differs = one.argmax(1) != two.argmax(1) if is_scores else (gaps > tolerance).reshape(len(gaps), -1).any(1)
    return Parity(other.device, len(one), int(differs.sum()), float(gaps.max()), tolerance)


def _dtype_of(precision: str) -> str:
    """The dtype that most of a precision's numbers are rounded to, or `""` where the scores' own tells it."""
    kind = precision.partition("-")[0]
    return {"16": "float16", "bf16": "bfloat16"}.get(kind, "")


def scores_by_sample(run: Pass) -> torch.Tensor:
    """The outputs `[samples, ...]` that a finished pass has kept, in the order of the data."""
    import torch

    kept = run.kept or []
    ids = torch.tensor([sample for batch in kept for sample in batch.ids])
    try:
        found = torch.cat([batch.outputs for batch in kept])
    except (TypeError, RuntimeError):  # no tensors, or of another shape in each batch
        found = torch.zeros(0)
    if len(found) != len(ids) or found.is_complex():
        raise ModelCheckError("the outputs are no tensor with a row for each sample, and cannot be compared")
    return found[ids.argsort()]
