"""The encoder: blocks in which all tokens look at each other. It knows no order; positions are added before it."""

from __future__ import annotations

from torch import Tensor, nn

from modelrepo.transformer.multihead import MultiHeadAttention


def feed_forward(dim: int, hidden: int) -> nn.Sequential:
    """What each token thinks over by itself: two layers with a ReLU between them."""
    return nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))


class EncoderBlock(nn.Module):
    """Self-attention, then a feed-forward layer; each is added to what it was given, and the sum is normalised."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.attention_norm = nn.LayerNorm(dim)
        self.feed_forward = feed_forward(dim, hidden)
        self.feed_forward_norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """States `[batch, tokens, dim]`, and the weights of the attention `[batch, heads, tokens, tokens]`."""
        found, weights = self.attention(states, states, mask)
        states = self.attention_norm(states + self.dropout(found))
        return self.feed_forward_norm(states + self.dropout(self.feed_forward(states))), weights


class Encoder(nn.Module):
    """Blocks one after the other."""

    def __init__(self, dim: int, heads: int, hidden: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(EncoderBlock(dim, heads, hidden, dropout) for _ in range(layers))

    def forward(self, states: Tensor, mask: Tensor | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """States `[batch, tokens, dim]`, and the weights of each block."""
        every = []
        for block in self.blocks:
            states, weights = block(states, mask)
            every.append(weights)
        return states, tuple(every)
