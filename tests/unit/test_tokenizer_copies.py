"""Copies of tokenizers: as the original in all that can be asked, and nothing done to one reaches the other."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers_of_the_field import byte_level, gpt2, llama
from transformers import BertTokenizerFast

from modelrepo.text.tokenizer import VOCABULARY
from pytest_modelcheck import assert_roundtrip
from pytest_modelcheck.checks.conformance import tokenizer_conforms
from pytest_modelcheck.tokenization.copies import copy_of, light_copy

TEXT = "A gate, <kept> by [MASK]  and <|end|>x"


def with_tokens_of_all_kinds():
    """Added tokens of all kinds in turns, some of them in the vocabulary of the model."""
    tokenizer = byte_level(normalizers.Lowercase())
    for token in (
        AddedToken("<kept>", lstrip=True),
        AddedToken("<|end|>", special=True, normalized=False),
        AddedToken("By", normalized=True, single_word=True),
        AddedToken("a"),
    ):
        (tokenizer.add_special_tokens if token.special else tokenizer.add_tokens)([token])
    return tokenizer


def cut_and_padded():
    tokenizer = byte_level()
    tokenizer.enable_truncation(4, stride=1, strategy="only_first", direction="left")
    tokenizer.enable_padding(direction="left", pad_id=3, length=9)
    tokenizer.encode_special_tokens = True
    return tokenizer


MAKERS = [
    lambda: gpt2().backend_tokenizer,
    lambda: llama().backend_tokenizer,
    lambda: BertTokenizerFast(str(VOCABULARY)).backend_tokenizer,
    byte_level,
    with_tokens_of_all_kinds,
    cut_and_padded,
]
NAMES = ["gpt2", "llama", "bert", "byte_level", "tokens of all kinds", "cut and padded"]


@pytest.mark.parametrize("make", MAKERS, ids=NAMES)
def test_a_light_copy_is_the_tokenizer_again(make):
    original = make()
    copy = light_copy(original)
    assert copy is not original
    assert copy.to_str() == original.to_str()
    assert copy.encode_special_tokens == original.encode_special_tokens
    assert (copy.truncation, copy.padding) == (original.truncation, original.padding)
    ids = original.encode(TEXT).ids
    assert copy.encode(TEXT).ids == ids
    assert copy.decode(ids, skip_special_tokens=False) == original.decode(ids, skip_special_tokens=False)


@pytest.mark.parametrize("make", MAKERS, ids=NAMES)
def test_nothing_done_to_a_copy_reaches_the_tokenizer(make):
    original = make()
    before, special = original.to_str(), original.encode_special_tokens
    copy = copy_of(original)
    assert (copy.truncation, copy.padding) == (None, None)
    copy.add_tokens(["a word of many"])
    copy.add_special_tokens(["<of many>"])
    copy.normalizer = normalizers.Replace("a", "b")
    copy.pre_tokenizer = pre_tokenizers.Whitespace()
    copy.decoder = decoders.Fuse()
    copy.enable_truncation(3)
    copy.encode_special_tokens = not special
    assert (original.to_str(), original.encode_special_tokens) == (before, special)


def test_a_check_of_everything_leaves_the_tokenizer_as_it_was():
    original = with_tokens_of_all_kinds()
    before = original.to_str()
    tokenizer_conforms(original)
    assert original.to_str() == before


class Splits:
    def pre_tokenize(self, pretok):
        pretok.split(lambda _, text: [text])


def test_no_light_copy_is_made_of_parts_with_a_state_of_their_own():
    tokenizer = byte_level()
    tokenizer.pre_tokenizer = pre_tokenizers.PreTokenizer.custom(Splits())
    assert light_copy(tokenizer) is None
    assert copy_of(tokenizer) is None


def test_no_light_copy_is_made_where_tokens_would_get_other_ids():
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1}))
    tokenizer.add_tokens(["c"])
    tokenizer.model = models.WordLevel({"a": 0, "b": 1, "d": 2})
    assert tokenizer.get_added_tokens_decoder()[2].content == "c"
    assert light_copy(tokenizer) is None
    assert light_copy(object()) is None


@pytest.mark.parametrize(("turns", "is_light"), [(16, True), (40, False)])
def test_tokens_of_two_kinds_in_many_turns_are_copied_as_a_whole(turns, is_light):
    tokenizer = byte_level()
    for number in range(turns // 2):
        tokenizer.add_tokens([f"<plain {number}>"])
        tokenizer.add_special_tokens([f"<special {number}>"])
    assert (light_copy(tokenizer) is not None) == is_light
    assert copy_of(tokenizer).to_str() == tokenizer.to_str()


def test_a_tokenizer_that_was_cut_before_it_was_framed_is_copied():
    """The library refuses to cut, once it is framed, to as few ids as it was told to before."""
    tokenizer = byte_level()
    tokenizer.enable_truncation(3, stride=2)
    start = tokenizer.token_to_id("!")
    tokenizer.post_processor = processors.TemplateProcessing(single="! $A !", special_tokens=[("!", start)])
    assert light_copy(tokenizer).to_str() == tokenizer.to_str()
    assert assert_roundtrip(tokenizer, texts=["a longer text"]).evidence["tokens"] > 3
