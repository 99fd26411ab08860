"""Sinusoidal positions: attention sees a set of tokens, and these tell it their order."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class SinusoidalPositions(nn.Module):
    """Adds to the token at place `t` the sines and cosines of `t` at `dim / 2` frequencies.

    The frequencies fall from 1 to about 1 / 10,000 (Vaswani et al., 2017, section 3.5). Nothing is learnt, and the
    table is no part of the weights.
    """

    def __init__(self, dim: int, longest: int = 512) -> None:
        super().__init__()
        places = torch.arange(longest)[:, None]
        frequencies = torch.exp(torch.arange(0, dim, 2) * (-math.log(10_000.0) / dim))
        table = torch.zeros(longest, dim)
        table[:, 0::2] = torch.sin(places * frequencies)
        table[:, 1::2] = torch.cos(places * frequencies)
        self.register_buffer("table", table, persistent=False)

    def forward(self, states: Tensor) -> Tensor:
        """States `[batch, tokens, dim]` that know their places."""
        tokens = states.shape[1]
        if tokens > len(self.table):
            raise ValueError(f"{tokens} tokens are more than the {len(self.table)} places that the table has")
        return states + self.table[:tokens]
