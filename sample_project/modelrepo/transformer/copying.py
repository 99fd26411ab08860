"""The copy task: an encoder-decoder writes the symbols that it read, and then the end."""

from __future__ import annotations

import torch
from torch import Tensor

from modelrepo.recipe import Recipe
from modelrepo.transformer.encoder_decoder import EncoderDecoder
from modelrepo.transformer.examples import SPLITS, ExampleDataModule, Examples
from modelrepo.transformer.learner import UNASKED, TransformerLearner

# Ids: padding, the start and the end of a target, and ten symbols behind them.
PAD, START, END = 0, 1, 2
VOCABULARY = 13
SHORTEST, LONGEST = 8, 16
SIZES = {"train": 20_000, "validation": 1_000, "test": 1_000}


def copier() -> EncoderDecoder:
    """The network: two blocks on either side, 32 dimensions, four heads."""
    return EncoderDecoder(VOCABULARY, dim=32, heads=4, hidden=64, layers=2)


def copies(split: str) -> Examples:
    """The examples of a split, drawn from its seed: sources of eight to sixteen symbols, padded, and their targets.

    `input_ids` and `attention_mask` are `[examples, 16]`. `decoder_input_ids` and `labels` are `[examples, 17]`: what
    was written so far, from the start on, and what comes next, the end at last. Behind it nothing is asked.
    """
    generator = torch.Generator().manual_seed(SPLITS.index(split))
    size = SIZES[split]
    symbols = torch.randint(END + 1, VOCABULARY, (size, LONGEST), generator=generator)
    lengths = torch.randint(SHORTEST, LONGEST + 1, (size, 1), generator=generator)
    places = torch.arange(LONGEST + 1)
    real = places[:LONGEST] < lengths
    source = symbols.where(real, PAD)
    written = torch.cat([torch.full((size, 1), START), source], dim=1)
    asked = torch.cat([source, torch.full((size, 1), PAD)], dim=1).where(places < lengths, END)
    labels = asked.where(places <= lengths, UNASKED)
    return Examples(input_ids=source, attention_mask=real.long(), decoder_input_ids=written, labels=labels)


def written_copies(net: EncoderDecoder, batch: dict[str, Tensor]) -> Tensor:
    """Which sources `[batch]` were copied to the last symbol, each token written after those the network wrote."""
    labels = batch["labels"]
    written = net.generate(batch["input_ids"], batch["attention_mask"], START, tokens=labels.shape[1])
    return ((written == labels) | (labels == UNASKED)).all(dim=1)


COPY = Recipe(
    name="copy",
    learns="to copy sequences of eight to sixteen symbols",
    module=lambda: TransformerLearner(copier(), classes=VOCABULARY, lr=5e-3, warmup=100),
    data=lambda: ExampleDataModule(copies, batch_size=128),
    epochs=5,
    fast_epochs=1,
    fast_batches=100,
    gates="tests/test_transformer.py",
)
