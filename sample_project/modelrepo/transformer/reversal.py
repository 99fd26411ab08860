"""The reversal task: sixteen symbols in, the same symbols out in reverse order."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelrepo.recipe import Recipe
from modelrepo.transformer.encoder import Encoder
from modelrepo.transformer.examples import SPLITS, ExampleDataModule, Examples
from modelrepo.transformer.learner import TransformerLearner
from modelrepo.transformer.mask import padding_mask
from modelrepo.transformer.positions import SinusoidalPositions

SYMBOLS, LENGTH = 10, 16
SIZES = {"train": 20_000, "validation": 1_000, "test": 10_000}


class Reverser(nn.Module):
    """One encoder block over symbols with their positions, and a layer that names the symbol of each place."""

    def __init__(self, dim: int = 32, heads: int = 2, hidden: int = 64, layers: int = 1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, dim)
        self.positions = SinusoidalPositions(dim)
        self.encoder = Encoder(dim, heads, hidden, layers)
        self.head = nn.Linear(dim, SYMBOLS)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, output_attentions: bool = False
    ) -> dict[str, Tensor | tuple[Tensor, ...]]:
        """Symbols `[batch, tokens]` in, `logits` `[batch, tokens, symbols]` out.

        On request they come with `attentions`, the weights of each block `[batch, heads, tokens, tokens]`.
        """
        states, weights = self.encoder(self.positions(self.embedding(input_ids)), padding_mask(attention_mask))
        logits = self.head(states)
        return {"logits": logits, "attentions": weights} if output_attentions else {"logits": logits}


def reversals(split: str) -> Examples:
    """The sequences of a split, drawn from its seed: `input_ids` and `labels`, both `[examples, tokens]`."""
    generator = torch.Generator().manual_seed(SPLITS.index(split))
    symbols = torch.randint(SYMBOLS, (SIZES[split], LENGTH), generator=generator)
    return Examples(input_ids=symbols, labels=symbols.flip(1))


REVERSAL = Recipe(
    name="reversal",
    learns="to reverse sequences of sixteen symbols",
    module=lambda: TransformerLearner(Reverser(), classes=SYMBOLS, lr=5e-3, warmup=50),
    data=lambda: ExampleDataModule(reversals, batch_size=128),
    epochs=5,
    fast_epochs=1,
    fast_batches=100,
    gates="tests/test_transformer.py",
)
