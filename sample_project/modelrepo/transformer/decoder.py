"""The decoder: blocks in which each token looks at those before it, and at what the encoder made of the source."""

from __future__ import annotations

from torch import Tensor, nn

from modelrepo.transformer.encoder import feed_forward
from modelrepo.transformer.mask import subsequent_mask
from modelrepo.transformer.multihead import MultiHeadAttention


class DecoderBlock(nn.Module):
    """Self-attention, attention to the memory, and a feed-forward layer, each with its sum and norm."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(dim, heads)
        self.self_attention_norm = nn.LayerNorm(dim)
        self.cross_attention = MultiHeadAttention(dim, heads)
        self.cross_attention_norm = nn.LayerNorm(dim)
        self.feed_forward = feed_forward(dim, hidden)
        self.feed_forward_norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, states: Tensor, memory: Tensor, mask: Tensor | None = None, memory_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """States `[batch, tokens, dim]`, and both weights, `[batch, heads, tokens, tokens]` and `[..., sources]`."""
        found, own = self.self_attention(states, states, mask)
        states = self.self_attention_norm(states + self.dropout(found))
        found, cross = self.cross_attention(states, memory, memory_mask)
        states = self.cross_attention_norm(states + self.dropout(found))
        return self.feed_forward_norm(states + self.dropout(self.feed_forward(states))), own, cross


class Decoder(nn.Module):
    """Blocks one after the other, none of which sees the future."""

    def __init__(self, dim: int, heads: int, hidden: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(DecoderBlock(dim, heads, hidden, dropout) for _ in range(layers))

    def forward(
        self, states: Tensor, memory: Tensor, memory_mask: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """States `[batch, tokens, dim]`, and for each block the weights on its own tokens and on the memory."""
        mask = subsequent_mask(states.shape[1], states.device)
        own, cross = [], []
        for block in self.blocks:
            states, *weights = block(states, memory, mask, memory_mask)
            own.append(weights[0])
            cross.append(weights[1])
        return states, tuple(own), tuple(cross)
