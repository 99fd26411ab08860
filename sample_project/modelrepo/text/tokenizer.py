"""The tokenizer that turns text into ids."""

from __future__ import annotations

from pathlib import Path

from transformers.models.distilbert import DistilBertTokenizerFast

VOCABULARY = Path(__file__).with_name("vocab.txt")


def uncased_tokenizer(vocabulary: Path = VOCABULARY) -> DistilBertTokenizerFast:
    """DistilBERT's fast tokenizer with the uncased vocabulary of 30,522 entries."""
    # By position: the name of this argument is vocab= in transformers 5, and vocab_file= before.
    return DistilBertTokenizerFast(str(vocabulary))
