"""What the text side promises: the tokenizer's ids and round trip, the encoder's size and shapes."""

from __future__ import annotations

import pytest

from pytest_modelcheck import assert_shape, assert_token_ids

REFERENCE = "This is a input."


@pytest.mark.modelcheck_token_ids(text=REFERENCE, ids=[101, 2023, 2003, 1037, 7953, 1012, 102])
def test_ids_are_the_reviewed_ids(): ...


@pytest.mark.modelcheck_token_ids(
    texts=[
        "Unbelievable! Tokenizers split 3.14159 and e-mail@example.org.",
        "na\u00efve caf\u00e9, \u0130stanbul",
        "\u4eca\u5929\u5929\u6c14\u5f88\u597d",
        "  spaces \t and\nlines ",
        "antidisestablishmentarianism \U0001f600",
    ]
)
def test_ids_are_those_of_last_time(): ...


@pytest.mark.modelcheck_tokenizer_conforms(
    expected_failures={"injection": "a literal [SEP] in a text separates: the service strips such literals first"}
)
def test_the_tokenizer_conforms(): ...


@pytest.mark.modelcheck_roundtrip(level="canonical", max_unknown_rate=0.0, texts=[REFERENCE, "Plain words survive."])
@pytest.mark.modelcheck_roundtrip
def test_text_survives_the_round_trip(): ...


@pytest.mark.modelcheck
def test_each_token_decodes_to_its_own_text(tokenizer):
    ids = tokenizer(REFERENCE)["input_ids"]
    assert " ".join(tokenizer.decode([item]) for item in ids) == "[CLS] this is a input . [SEP]"


@pytest.mark.modelcheck_vocabulary(
    size=30_522, special_tokens={"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
)
@pytest.mark.modelcheck_vocabulary_fits(model="encoder")
def test_the_vocabulary_is_the_published_one_and_fits_the_encoder(tokenizer):
    assert_token_ids(tokenizer, text="[MASK]", ids=[101, 103, 102])


@pytest.mark.modelcheck_parameters(
    model="encoder", total=66_362_880, trainable=66_362_880, layers={"embeddings.word_embeddings": 30_522 * 768}
)
def test_the_encoder_has_its_published_size(): ...


@pytest.mark.modelcheck_shape(
    model="encoder", inputs="input_ids", expected=[1, 7, 768], layer="embeddings.word_embeddings"
)
@pytest.mark.modelcheck_shape(model="encoder", inputs="input_ids", expected="batch tokens 768")
def test_embeddings_have_their_shape(): ...


@pytest.mark.modelcheck
def test_every_block_keeps_the_shape(encoder, input_ids):
    for block in range(6):
        assert_shape(encoder, input_ids, expected=[1, 7, 768], layer=f"transformer.layer.{block}.ffn")
