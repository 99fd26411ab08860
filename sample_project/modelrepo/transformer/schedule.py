"""The learning rate over a run: it warms up, then falls along a cosine."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(step: int, warmup: int, total: int) -> float:
    """The share of the full learning rate at a step: up in a line for `warmup` steps, down to 0 at `total`.

    Adam's estimates are poor at the start, and post-norm transformers do not survive large steps with them.

    >>> [round(warmup_cosine(step, warmup=2, total=8), 3) for step in (0, 1, 2, 4, 8)]
    [0.0, 0.481, 0.854, 0.5, 0.0]
    """
    return min(1.0, step / warmup) * 0.5 * (1 + math.cos(math.pi * min(step, total) / total))


def warmup_cosine_schedule(optimizer: Optimizer, warmup: int, total: int) -> LambdaLR:
    """The schedule of an optimizer, to be stepped after each batch."""
    return LambdaLR(optimizer, lambda step: warmup_cosine(step, warmup, total))
