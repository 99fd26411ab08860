"""More texts of the hard corpus' kind, for hypothesis."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import find, given, settings
from tokenizers_of_the_field import byte_level

from pytest_modelcheck.errors import MissingDependency
from pytest_modelcheck.strategies import texts
from pytest_modelcheck.tokenization.corpus import HARD_TEXTS
from pytest_modelcheck.tokenization.roundtrip import is_kept
from pytest_modelcheck.tokenization.subjects import subject_of

SEARCH = settings(max_examples=20_000, database=None, derandomize=True)


@settings(deadline=None, max_examples=300)
@given(texts())
def test_every_text_can_be_given_to_a_tokenizer(text):
    assert text.encode("utf-8").decode("utf-8") == text


@pytest.mark.parametrize(
    "kind",
    [
        lambda text: any(unicodedata.combining(letter) for letter in text),
        lambda text: any(unicodedata.category(letter) == "Cc" for letter in text),
        lambda text: any("\u0590" <= letter <= "\u06ff" for letter in text),
        lambda text: "   " in text,
        lambda text: "<|endoftext|>" in text,
        lambda text: any(letter > "\uffff" for letter in text),
        lambda text: any(hard and hard in text for hard in HARD_TEXTS),
        lambda text: text == "",
    ],
    ids=["marks", "controls", "right to left", "runs of spaces", "literals", "astral", "the corpus", "nothing"],
)
def test_each_kind_of_hard_text_is_made(kind):
    assert kind(find(texts(), kind, settings=SEARCH))


@settings(deadline=None, max_examples=200)
@given(texts())
def test_a_byte_level_tokenizer_keeps_them_all(text):
    pipeline = subject_of(TOKENIZER).pipeline()
    assert is_kept(pipeline, [text], "lossless") == [True]


def test_without_hypothesis_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis.strategies", None)
    with pytest.raises(MissingDependency, match=r'pip install "pytest-modelcheck\[hypothesis\]"$'):
        texts()


TOKENIZER = byte_level()
