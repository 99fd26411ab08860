"""What the embeddings promise: order comes from positions, tied tables are one, meaning is where it should be."""

from __future__ import annotations

import pytest
import torch

TABLE, HEAD = "distilbert.embeddings.word_embeddings.weight", "vocab_projector.weight"


# ---- order


@pytest.mark.modelcheck_order_sensitive(model="encoder", inputs="two_texts")
@pytest.mark.modelcheck_permutation_equivariant(model="unplaced_encoder", inputs="two_texts", tolerance=1e-5)
def test_distilbert_knows_the_order_of_tokens_by_its_positions(): ...


@pytest.mark.modelcheck_order_sensitive(model="reverser", inputs="symbols")
@pytest.mark.modelcheck_permutation_equivariant(model="bare_encoder", inputs="states", outputs="0", tolerance=1e-5)
def test_the_encoder_from_scratch_does_so_too(): ...


@pytest.fixture
def symbols():
    return torch.arange(16)[None] % 10


@pytest.fixture
def bare_encoder(reverser):
    """The blocks alone, to which nobody adds positions."""
    return reverser.encoder


@pytest.fixture
def states(reverser, symbols):
    return reverser.embedding(symbols).detach()


# ---- one table


@pytest.mark.modelcheck_parameters(model="masked_encoder", total=66_985_530, tied=[(TABLE, HEAD)])
@pytest.mark.modelcheck_embedding_table(model="masked_encoder", num_embeddings=30_522, embedding_dim=768, tied=True)
def test_distilberts_table_names_words_too(): ...


@pytest.mark.modelcheck_parameters(model="copier", total=43_168, tied=[("embedding.weight", "head.weight")])
@pytest.mark.modelcheck_embedding_table(model="copier", num_embeddings=13, embedding_dim=32, tied=True)
def test_the_encoder_decoders_table_names_symbols_too(): ...


# ---- meaning


@pytest.mark.modelcheck
def test_the_triplets_are_words_that_the_tokenizer_knows(triplets, tokenizer):
    every = [triplet for items in triplets.values() for triplet in items]
    assert {category: len(items) for category, items in triplets.items()} == dict.fromkeys(triplets, 12)
    assert len(set(every)) == len(every) == 96
    assert all(len(set(triplet)) == 3 for triplet in every)
    ids = tokenizer([text for triplet in every for text in triplet])["input_ids"]
    assert sum(tokenizer.unk_token_id in row for row in ids) == 0


@pytest.mark.minilm
@pytest.mark.modelcheck_nearer(embed="minilm", min_rate=0.9, min_category_rate=0.75)
def test_related_texts_are_nearer(): ...


@pytest.mark.minilm
@pytest.mark.modelcheck_parameters(model="sentence_model", total=22_713_216)
@pytest.mark.modelcheck_shape(
    model="sentence_model", inputs="two_texts", expected={"last_hidden_state": "batch tokens 384"}
)
@pytest.mark.modelcheck_padding_invariant(model="sentence_model", inputs="two_texts", side="right")
@pytest.mark.modelcheck_vocabulary_fits(model="sentence_model")
def test_the_trained_encoder_has_its_size_and_reads_the_same_vocabulary(minilm, tokenizer):
    assert minilm[1].get_vocab() == tokenizer.get_vocab()


@pytest.fixture
def sentence_model(minilm):
    return minilm[0]
