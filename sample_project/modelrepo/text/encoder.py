"""The encoder that turns ids into vectors."""

from __future__ import annotations

from transformers import DistilBertConfig, DistilBertModel


def sentence_encoder() -> DistilBertModel:
    """DistilBERT in its published size: 6 layers, 768 dimensions, 66,362,880 parameters, weights not trained."""
    return DistilBertModel(DistilBertConfig())
