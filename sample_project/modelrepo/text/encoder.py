"""The encoder that turns ids into vectors."""

from __future__ import annotations

from transformers import DistilBertConfig, DistilBertForMaskedLM, DistilBertModel


def sentence_encoder() -> DistilBertModel:
    """DistilBERT in its published size: 6 layers, 768 dimensions, 66,362,880 parameters, weights not trained."""
    return DistilBertModel(DistilBertConfig())


def masked_language_model() -> DistilBertForMaskedLM:
    """The encoder with a head that names masked words, whose layer is the table of embeddings once more."""
    return DistilBertForMaskedLM(DistilBertConfig())
