"""The promise that text survives its tokenizer."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from pytest_modelcheck import ConfigError, ModelCheckFailure, assert_roundtrip
from pytest_modelcheck.checks.tokenizer import roundtrip
from pytest_modelcheck.tokenization.corpus import HARD_TEXTS

UNKNOWN = "[UNK]"
SENTENCES = ["the release gate of a model", "a promise that is kept", "a gate", "text to ids to text, and back"] * 20


def byte_level(normalizer=None, trained_on=SENTENCES):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(trained_on, trainer)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return tokenizer


def unigram(trained_on=SENTENCES):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False)  # noqa: S106
    tokenizer.train_from_iterator(trained_on, trainer)
    return tokenizer


def wordpiece(vocabulary):
    tokenizer = Tokenizer(models.WordPiece({word: index for index, word in enumerate(vocabulary)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([word for word in vocabulary if word.startswith("[")])
    return tokenizer


class Own:
    """A tokenizer of the user's own, from two functions."""

    def __init__(self, encode, decode):
        self.encode, self.decode = encode, decode


def characters():
    return Own(lambda text: [ord(letter) for letter in text], lambda ids: "".join(map(chr, ids)))


KEPT = [
    ("byte level", byte_level, {}, "lossless round trip of 42 texts"),
    ("byte level, level named", byte_level, {"level": "lossless"}, "lossless round trip of 42 texts"),
    ("byte level is stable too", byte_level, {"level": "stable"}, "stable round trip of 42 texts"),
    ("normalized", lambda: byte_level(normalizers.NFKC()), {}, "normalized round trip of 42 texts"),
    ("lowercase", lambda: byte_level(normalizers.Lowercase()), {}, "normalized round trip of 42 texts"),
    ("unigram", unigram, {"texts": ["the gate", "a promise kept"]}, "letters round trip of 2 texts"),
    ("own", characters, {}, "letters round trip of 42 texts"),
    ("own, lossless", characters, {"level": "lossless"}, "lossless round trip of 42 texts"),
]


@pytest.mark.parametrize(("make", "promises", "promised"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT])
def test_text_survives(make, promises, promised):
    result = roundtrip(make(), **promises)
    assert result.message == ""
    assert (result.outcome, result.promised) == ("passed", promised)


def test_the_real_vocabulary_keeps_the_hard_corpus(uncased):
    result = assert_roundtrip(uncased)
    assert result.promised == "canonical round trip of 42 texts"
    assert result.evidence["kept"] == len(HARD_TEXTS) == 42
    assert 0 < result.evidence["unknown"] < result.evidence["tokens"] / 2


def test_plain_words_of_the_real_vocabulary_have_nothing_unknown(uncased):
    result = assert_roundtrip(uncased, texts=["This is a input.", "Plain words survive."], max_unknown_rate=0.0)
    assert result.promised == "canonical round trip of 2 texts, at most 0.0% unknown in each"
    assert result.measured == "2 of 2 texts kept, 0.0 % unknown tokens"


def test_truncation_and_padding_of_the_original_stay():
    tokenizer = byte_level()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=9)
    assert_roundtrip(tokenizer, level="lossless")
    assert (tokenizer.truncation["max_length"], tokenizer.padding["length"]) == (4, 9)


def without_decoder():
    tokenizer = byte_level()
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


BROKEN = [
    (
        "a lossless promise of a lowercasing tokenizer",
        lambda: byte_level(normalizers.Lowercase()),
        {"texts": ["A gate", "a gate"], "level": "lossless"},
        """
        roundtrip of Tokenizer: 1 of 2 texts do not come back as the lossless level promises.
          'A gate': at character 0: 'a' (U+0061 LATIN SMALL LETTER A) instead of 'A' (U+0041 LATIN CAPITAL LETTER A)
            tokens: ['a' 64, 'Ġgate' 264]
            the shortest part that still fails: 'A'
        This tokenizer (BPE with Lowercase) is built to keep level='normalized'.
        """,
    ),
    (
        "accents lost",
        lambda: byte_level(normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])),
        {"texts": ["caf\u00e9"], "level": "lossless"},
        """
        roundtrip of Tokenizer: 1 of 1 texts do not come back as the lossless level promises.
          'café': at character 3: 'e' (U+0065 LATIN SMALL LETTER E) instead of 'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE), after 'caf'
            tokens: ['c' 66, 'a' 64, 'f' 69, 'e' 68]
            the shortest part that still fails: 'é'
        This tokenizer (BPE with Sequence) is built to keep level='normalized'.
        """,  # noqa: E501
    ),
    (
        "the decoder forgotten",
        without_decoder,
        {"texts": ["a gate"]},
        """
        roundtrip of Tokenizer: 1 of 1 texts do not come back as the lossless level promises.
          'a gate': at character 1: 'Ġ' (U+0120 LATIN CAPITAL LETTER G WITH DOT ABOVE) instead of ' ' (U+0020 SPACE), after 'a'
            tokens: ['a' 64, 'Ġgate' 264]
            the shortest part that still fails: ' '
        A tokenizer of this build (BPE) keeps it: look at its normalizer and decoder.
        """,  # noqa: E501
    ),
    (
        "the last character dropped",
        lambda: Own(lambda text: [ord(letter) for letter in text[:-1]], lambda ids: "".join(map(chr, ids))),
        {"texts": ["abc"]},
        """
        roundtrip of Own: 1 of 1 texts do not come back as the letters level promises.
          'abc': at character 2: the end of the text instead of 'c' (U+0063 LATIN SMALL LETTER C), after 'ab'
            tokens: ['a' 97, 'b' 98]
            the shortest part that still fails: 'a'
        A tokenizer of this build (Own (encode and decode only)) keeps it: look at its normalizer and decoder.
        """,
    ),
    (
        "lone surrogate",
        byte_level,
        {"texts": ["fine", "bad \ud800"]},
        """
        roundtrip of Tokenizer: 1 of 2 texts do not come back as the lossless level promises.
          'bad \\ud800': it holds a lone surrogate, which is no Unicode text
        Repair these texts: no tokenizer can be given them.
        """,
    ),
    (
        "more than five",
        lambda: byte_level(normalizers.Lowercase()),
        {"texts": [*"ABCDEFG"], "level": "lossless"},
        """
        roundtrip of Tokenizer: 7 of 7 texts do not come back as the lossless level promises.
          'A': at character 0: 'a' (U+0061 LATIN SMALL LETTER A) instead of 'A' (U+0041 LATIN CAPITAL LETTER A)
            tokens: ['a' 64]
          'B': at character 0: 'b' (U+0062 LATIN SMALL LETTER B) instead of 'B' (U+0042 LATIN CAPITAL LETTER B)
            tokens: ['b' 65]
          'C': at character 0: 'c' (U+0063 LATIN SMALL LETTER C) instead of 'C' (U+0043 LATIN CAPITAL LETTER C)
            tokens: ['c' 66]
          'D': at character 0: 'd' (U+0064 LATIN SMALL LETTER D) instead of 'D' (U+0044 LATIN CAPITAL LETTER D)
            tokens: ['d' 67]
          'E': at character 0: 'e' (U+0065 LATIN SMALL LETTER E) instead of 'E' (U+0045 LATIN CAPITAL LETTER E)
            tokens: ['e' 68]
          ... and 2 more
        This tokenizer (BPE with Lowercase) is built to keep level='normalized'.
        """,
    ),
    (
        "a vocabulary of five",
        lambda: wordpiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]),
        {"texts": ["a release gate"]},
        "roundtrip of Tokenizer: 3 of 3 tokens are unknown, so that the round trip says nothing. Is this the right "
        "vocabulary? If so, promise max_unknown_rate=1.0.",
    ),
    (
        "one unknown word",
        lambda: wordpiece(["[UNK]", "a", "gate", "##way"]),
        {"texts": ["a gate", "a gateway xyz"], "max_unknown_rate": 0.2},
        "roundtrip of Tokenizer: 'a gateway xyz' has 1 unknown tokens of 4, and at most 20.0% were promised for each "
        "text.",
    ),
    (
        "no token",
        byte_level,
        {"texts": ["", ""]},
        "roundtrip of Tokenizer: the texts give no token at all, so that nothing was measured. Give texts that are not "
        "empty.",
    ),
    (
        "a tokenizer that gives nothing",
        lambda: Own(lambda text: [], lambda ids: ""),
        {"level": "stable"},
        "roundtrip of Own: the texts give no token at all, so that nothing was measured. Give texts that are not "
        "empty.",
    ),
    (
        "letters that are dropped without a word",
        lambda: Tokenizer(models.BPE(vocab={"a": 0, "b": 1}, merges=[])),
        {"texts": ["xyz", "zyx", "a"], "level": "stable"},
        "roundtrip of Tokenizer: 2 of 3 texts give no token at all, so that the round trip says nothing. Is this the "
        "right vocabulary?",
    ),
]


@pytest.mark.parametrize(("make", "promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_tokenizer_that_loses_text_fails(expect, make, promises, message):
    expect(roundtrip, make(), outcome="failed", message=message, **promises)


def test_unknown_tokens_of_a_unigram_model_are_counted():
    result = roundtrip(unigram(), texts=["\u4eca\u5929 \u6f22\u5b57"])
    assert not result.ok
    assert (result.evidence["tokens"], result.evidence["unknown"]) == (4, 2)


def test_a_vocabulary_of_five_letters_does_not_keep_the_hard_corpus():
    letters = {letter: index for index, letter in enumerate("abcde")}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.decoder = decoders.Fuse()
    assert not roundtrip(tokenizer).ok


UNMEASURED = [
    (
        "canonical elsewhere",
        byte_level,
        {"level": "canonical"},
        "roundtrip of Tokenizer: not measured: level='canonical' is for WordPiece; this is BPE, which can promise "
        "level='lossless'",
    ),
    (
        "no tokenizer",
        lambda: None,
        {},
        "roundtrip of NoneType: not measured: NoneType is no tokenizer: it has no encode and decode methods. Give a "
        "transformers tokenizer, a tokenizers.Tokenizer, a SentencePiece processor, a tiktoken encoding, or an object "
        "with both",
    ),
    (
        "a path",
        lambda: "vocab.txt",
        {},
        "roundtrip of str: not measured: str is no tokenizer: it has no encode and decode methods. Give a transformers "
        "tokenizer, a tokenizers.Tokenizer, a SentencePiece processor, a tiktoken encoding, or an object with both",
    ),
    (
        "ids that are none",
        lambda: Own(lambda text: [0.5], lambda ids: "x"),
        {"texts": ["x"]},
        "roundtrip of Own: not measured: TypeError: 'float' object cannot be interpreted as an integer",
    ),
    (
        "encode raises",
        lambda: Own(lambda text: 1 // 0, lambda ids: "x"),
        {"texts": ["x"]},
        "roundtrip of Own: not measured: ZeroDivisionError: integer division or modulo by zero",
    ),
]


@pytest.mark.parametrize(
    ("make", "promises", "message"), [row[1:] for row in UNMEASURED], ids=[row[0] for row in UNMEASURED]
)
def test_what_is_no_tokenizer_is_an_error(expect, make, promises, message):
    expect(roundtrip, make(), outcome="error", message=message, **promises)


def test_a_vocabulary_without_its_unknown_token_is_an_error():
    result = roundtrip(wordpiece(["a", "gate"]), texts=["a model"])
    assert result.outcome == "error"


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({"texts": []}, "texts=[]: a list of texts with at least one text is expected"),
        ({"texts": "a gate"}, "texts='a gate': a list of texts with at least one text is expected"),
        ({"texts": None}, "texts=None: a list of texts with at least one text is expected"),
        ({"texts": ["a", None]}, "texts[1]=None: a text (str) is expected"),
        (
            {"level": "exact"},
            "level='exact': one of inferred, lossless, normalized, metaspace, canonical, letters, stable is expected",
        ),
        ({"max_unknown_rate": 2}, "max_unknown_rate=2: a number from 0 to 1 is expected"),
        ({"max_unknown_rate": float("nan")}, "max_unknown_rate=nan: a number from 0 to 1 is expected"),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_roundtrip(byte_level(), **promises)
    assert str(raised.value) == message


def test_the_assert_form_raises_what_the_result_says():
    with pytest.raises(ModelCheckFailure, match=r"^roundtrip of Tokenizer: 1 of 1 texts do not come back"):
        assert_roundtrip(byte_level(normalizers.Lowercase()), texts=["A"], level="lossless")


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(roundtrip) == 6


class KeepsNothing:
    def encode(self, text):
        return [1]

    def decode(self, ids):
        return "?"


def test_a_tokenizer_that_keeps_nothing_fails(expect):
    expect(
        roundtrip,
        KeepsNothing(),
        level="stable",
        outcome="failed",
        message="roundtrip of KeepsNothing: 38 different texts become 1 different row of ids, so that the round trip "
        "says nothing. Is this the right vocabulary?",
    )


def test_texts_that_differ_in_case_alone_may_become_the_same_ids():
    assert roundtrip(wordpiece({"hello": 0, "[UNK]": 1}), texts=["Hello", "hello", "HELLO"]).ok


def test_a_tokenizer_with_code_of_its_own_is_asked_for_every_text():
    class Stripping(PreTrainedTokenizerFast):
        def decode(self, *args, **kwargs):
            return super().decode(*args, **kwargs).strip()

    plain = PreTrainedTokenizerFast(tokenizer_object=byte_level())
    own = Stripping(tokenizer_object=byte_level())
    assert roundtrip(plain, level="lossless").ok
    assert "'  leading, trailing and   inner   runs  '" in roundtrip(own, level="lossless").evidence["failing"]


def test_a_prefix_space_is_no_lossless_promise():
    tokenizer = byte_level()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert roundtrip(tokenizer).evidence["level"] == "letters"
