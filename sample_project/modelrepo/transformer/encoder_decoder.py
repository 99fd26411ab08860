"""The encoder-decoder: it reads a source whole, and writes its target one token after the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelrepo.transformer.decoder import Decoder
from modelrepo.transformer.encoder import Encoder
from modelrepo.transformer.mask import padding_mask
from modelrepo.transformer.positions import SinusoidalPositions


class EncoderDecoder(nn.Module):
    """Ids of one vocabulary in and out. Encoder, decoder and output share one table of embeddings.

    A token that looks like another one on its way in does so on its way out: one table learns both, and is stored once
    (Press and Wolf, 2017).
    """

    def __init__(self, vocabulary: int, dim: int, heads: int, hidden: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, dim)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)
        self.positions = SinusoidalPositions(dim)
        self.encoder = Encoder(dim, heads, hidden, layers, dropout)
        self.decoder = Decoder(dim, heads, hidden, layers, dropout)
        self.head = nn.Linear(dim, vocabulary, bias=False)
        self.head.weight = self.embedding.weight

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embedding

    def get_output_embeddings(self) -> nn.Linear:
        return self.head

    def forward(
        self,
        input_ids: Tensor,
        decoder_input_ids: Tensor,
        attention_mask: Tensor | None = None,
        output_attentions: bool = False,
    ) -> dict[str, Tensor | tuple[Tensor, ...]]:
        """Sources `[batch, sources]` and targets `[batch, tokens]` in, `logits` `[batch, tokens, vocabulary]` out.

        On request they come with `encoder_attentions`, `decoder_attentions` and `cross_attentions`, each the weights of
        every block, `[batch, heads, queries, keys]`.
        """
        mask = padding_mask(attention_mask)
        memory, seen = self.encoder(self._embedded(input_ids), mask)
        states, own, cross = self.decoder(self._embedded(decoder_input_ids), memory, mask)
        found = {"logits": self.head(states)}
        weights = {"encoder_attentions": seen, "decoder_attentions": own, "cross_attentions": cross}
        return {**found, **weights} if output_attentions else found

    @torch.no_grad()
    def generate(self, input_ids: Tensor, attention_mask: Tensor | None, start: int, tokens: int) -> Tensor:
        """The likeliest token after the other, so many of them: ids `[batch, tokens]`."""
        written = input_ids.new_full((len(input_ids), 1), start)
        for _ in range(tokens):
            scores = self(input_ids, written, attention_mask)["logits"][:, -1]
            written = torch.cat([written, scores.argmax(dim=-1, keepdim=True)], dim=1)
        return written[:, 1:]

    def _embedded(self, ids: Tensor) -> Tensor:
        """`[batch, tokens, dim]`; scaled, so that the positions do not drown what a table of small numbers says."""
        return self.positions(self.embedding(ids) * self.embedding.embedding_dim**0.5)
