"""Scaled dot-product attention: each query takes a weighted mean of the values."""

from __future__ import annotations

import math

from torch import Tensor


def scaled_dot_product(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The mean of the values for each query `[..., queries, dim]`, and the weights of the mean `[..., queries, keys]`.

    The weights of a query are shares of 1: `softmax(query @ key.T / sqrt(dim))`. Without the root, products of many
    dimensions grow until one key gets everything and nothing is learnt (Vaswani et al., 2017, section 3.2.1). Where the
    `mask` is 0 or False, which broadcasts to the weights, a key gets exactly 0. A query from which everything is hidden
    has no mean: its row is NaN.

    >>> import torch
    >>> tokens = torch.eye(3)
    >>> _, weights = scaled_dot_product(tokens, tokens, tokens, mask=torch.tensor([1, 1, 0]))
    >>> [round(share, 3) for share in weights[0].tolist()]
    [0.64, 0.36, 0.0]
    """
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -math.inf)
    weights = scores.softmax(dim=-1)
    return weights @ value, weights
