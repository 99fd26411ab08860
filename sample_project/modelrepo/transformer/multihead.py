"""Multi-head attention: several attentions side by side, each in a subspace of its own."""

from __future__ import annotations

from torch import Tensor, nn

from modelrepo.transformer.attention import scaled_dot_product


class MultiHeadAttention(nn.Module):
    """Queries look at a memory in `heads` ways at once; in self-attention the memory is what the queries are made of.

    Each head has `dim / heads` dimensions, and a projection mixes what the heads found.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"{dim} dimensions cannot be divided among {heads} heads")
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, dim)
        for layer in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, states: Tensor, memory: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """States `[batch, queries, dim]` after a look at the memory `[batch, keys, dim]`.

        Beside them come the weights `[batch, heads, queries, keys]`, to which the mask broadcasts.
        """
        query, key, value = (
            self._split(self.query(states)),
            self._split(self.key(memory)),
            self._split(self.value(memory)),
        )
        found, weights = scaled_dot_product(query, key, value, mask)
        return self.output(found.transpose(1, 2).flatten(2)), weights

    def _split(self, states: Tensor) -> Tensor:
        """`[batch, tokens, dim]` as `[batch, heads, tokens, dim / heads]`."""
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)
