"""Masks: which keys a query may look at, 1 or True where it may. They broadcast to `[batch, heads, queries, keys]`."""

from __future__ import annotations

import torch
from torch import Tensor


def subsequent_mask(tokens: int, device: torch.device | None = None) -> Tensor:
    """`[tokens, tokens]`: a token looks at itself and at those before it, never at the future.

    >>> subsequent_mask(3).int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    return torch.ones(tokens, tokens, dtype=torch.bool, device=device).tril()


def padding_mask(attention_mask: Tensor | None) -> Tensor | None:
    """A tokenizer's `attention_mask`, `[batch, keys]` with 0 for padding, as `[batch, 1, 1, keys]`."""
    return None if attention_mask is None else attention_mask[:, None, None, :]
