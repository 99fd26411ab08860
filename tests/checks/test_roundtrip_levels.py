"""What each level promises of tokenizers that rewrite texts: letters come back, and what added tokens take is known."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers_broken_in_one_way import Fast, complete
from tokenizers_of_the_field import byte_level, llama, unigram
from transformers import BertTokenizerFast, PreTrainedTokenizerFast

from modelrepo.text.tokenizer import VOCABULARY
from pytest_modelcheck import assert_roundtrip
from pytest_modelcheck.checks.tokenizer import roundtrip

UNKNOWN = "[UNK]"


class Own:
    """A tokenizer of the user's own, from two functions."""

    def __init__(self, encode, decode):
        self.encode, self.decode = encode, decode


def wordpiece(vocabulary):
    tokenizer = Tokenizer(models.WordPiece({word: index for index, word in enumerate(vocabulary)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([UNKNOWN])
    return tokenizer


def decoding(tokenizer, *steps):
    tokenizer.decoder = decoders.Sequence(list(steps))
    return tokenizer


def rewriting(words):
    """Words or an unknown token, whose decoder writes an unknown token as a text of other ids."""
    tokenizer = Tokenizer(
        models.WordLevel({UNKNOWN: 0, **{word: index for index, word in enumerate(words, 1)}}, UNKNOWN)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return decoding(tokenizer, decoders.Replace(UNKNOWN, "? ?"), decoders.Fuse())


def letters_of_bytes():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {**{letter: index for index, letter in enumerate(alphabet)}, UNKNOWN: 256}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return decoding(tokenizer, decoders.ByteLevel())


BROKEN = [
    (
        "a WordPiece decoder that writes other letters",
        lambda: decoding(wordpiece(["[UNK]", "a", "gate"]), decoders.WordPiece(), decoders.Replace("a", "\u00c1")),
        {"texts": ["a gate"]},
        """
        roundtrip of Tokenizer: 1 of 1 texts do not come back as the canonical level promises.
          'a gate': at character 0: 'Á' (U+00C1 LATIN CAPITAL LETTER A WITH ACUTE) instead of 'a' (U+0061 LATIN SMALL LETTER A)
            tokens: ['a' 1, 'gate' 2]
            the shortest part that still fails: 'a'
        A tokenizer of this build (WordPiece with BertNormalizer) keeps it: look at its normalizer and decoder.
        """,  # noqa: E501
    ),
    (
        "a WordPiece decoder that puts spaces in",
        lambda: decoding(wordpiece(["[UNK]", "a", "gate"]), decoders.WordPiece(), decoders.Replace(" ", "  ")),
        {"texts": ["a gate"]},
        """
        roundtrip of Tokenizer: 1 of 1 texts do not come back as the canonical level promises.
          'a gate': at character 2: ' ' (U+0020 SPACE) instead of 'g' (U+0067 LATIN SMALL LETTER G), after 'a '
            tokens: ['a' 1, 'gate' 2]
            the shortest part that still fails: 'a g'
        A tokenizer of this build (WordPiece with BertNormalizer) keeps it: look at its normalizer and decoder.
        """,
    ),
    (
        "a Unigram decoder that leaves the escape",
        lambda: decoding(unigram(), decoders.Fuse()),
        {"texts": ["the gate"]},
        """
        roundtrip of Tokenizer: 1 of 1 texts do not come back as the letters level promises.
          'the gate': at character 0: '▁' (U+2581 LOWER ONE EIGHTH BLOCK) instead of ' ' (U+0020 SPACE)
            tokens: ['▁th' 25, 'e' 8, '▁' 3, 'ga' 26, 't' 6, 'e' 8]
            the shortest part that still fails: 't'
        A tokenizer of this build (Unigram with Sequence) keeps it: look at its normalizer and decoder.
        """,
    ),
    (
        "sixteen characters",
        lambda: Own(lambda text: [ord(letter) for letter in text[:16]], lambda ids: "".join(map(chr, ids))),
        {"texts": ["short", "x" * 17]},
        """
        roundtrip of Own: 1 of 2 texts do not come back as the letters level promises.
          'xxxxxxxxxxxxxxxxx': at character 16: the end of the text instead of 'x' (U+0078 LATIN SMALL LETTER X), after 'xxxxxxxxxxxx'
            tokens: [..., 'x' 120, 'x' 120, 'x' 120]
        A tokenizer of this build (Own (encode and decode only)) keeps it: look at its normalizer and decoder.
        """,  # noqa: E501
    ),
    (
        "nothing but unknown and blank texts",
        lambda: rewriting(["a", "gate"]),
        {"texts": ["model", "", "  "]},
        "roundtrip of Tokenizer: every text that is not blank has unknown tokens, so that no round trip could be "
        "judged. Is this the right vocabulary?",
    ),
    (
        "an unknown token among letters of bytes",
        letters_of_bytes,
        {"texts": ["a", "gate"], "max_unknown_rate": 0.5},
        "roundtrip of Tokenizer: 'gate' has 1 unknown tokens of 1, and at most 50.0% were promised for each text.",
    ),
    (
        "two texts, one row",
        lambda: Own(lambda text: [1], lambda ids: "x"),
        {"texts": ["one", "two"], "level": "stable"},
        "roundtrip of Own: 2 different texts become 1 different row of ids, so that the round trip says nothing. Is "
        "this the right vocabulary?",
    ),
]


@pytest.mark.parametrize(("make", "promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_letters_that_are_lost_fail(expect, make, promises, message):
    expect(roundtrip, make(), outcome="failed", message=message, **promises)


def test_letters_come_back_without_case_accents_spaces_and_punctuation():
    words = {"\u00c9": "e", "!": "", " ": ""}
    encode = {letter: index for index, letter in enumerate("abcde", 1)}
    tokenizer = Own(
        lambda text: [encode[words.get(letter, letter).lower()] for letter in text if words.get(letter, letter)],
        lambda ids: "".join("abcde"[item - 1] for item in ids),
    )
    texts = ["\u00c9 abc!", "A b C", "", " ! "]
    assert assert_roundtrip(tokenizer, texts=texts).measured == "4 of 4 texts kept, 0.0 % unknown tokens"
    assert roundtrip(tokenizer, texts=texts, level="lossless").evidence["kept"] == 1
    assert roundtrip(tokenizer, texts=texts, level="stable").evidence["kept"] == 4


def test_letters_are_kept_and_the_ids_of_the_text_are_others(expect):
    message = """
    roundtrip of Own: 1 of 1 texts do not come back as the letters level promises.
      'ab': 'a b ' is encoded to other ids
        tokens: ['a ' 97, 'b ' 98]
        the shortest part that still fails: 'a'
    A tokenizer of this build (Own (encode and decode only)) keeps it: look at its normalizer and decoder.
    """
    tokenizer = Own(lambda text: [ord(letter) for letter in text], lambda ids: "".join(f"{chr(item)} " for item in ids))
    expect(roundtrip, tokenizer, texts=["ab"], outcome="failed", message=message)


def test_what_failed_is_not_said_to_be_unknown():
    tokenizer = decoding(rewriting(["a", "gate"]), decoders.Replace("a", "\u2581"))
    message = roundtrip(tokenizer, texts=["model", "a gate"]).message
    assert "1 of 2 texts do not come back as the letters level promises." in message
    assert "every text that is not blank has unknown tokens" not in message


def test_unknown_tokens_with_a_literal_of_their_own_are_not_unknown():
    result = assert_roundtrip(letters_of_bytes(), texts=["a", "b", " "])
    assert result.promised == "letters round trip of 3 texts"
    assert result.evidence["unknown"] == 0


def test_ids_that_change_from_call_to_call_are_an_error(expect):
    tokenizer = byte_level()
    tokenizer.model.dropout = 0.1
    message = (
        "roundtrip of Tokenizer: not measured: its BPE has dropout 0.1, so that ids change from call to call: set it "
        "to None"
    )
    expect(roundtrip, tokenizer, outcome="error", message=message)
    name = PreTrainedTokenizerFast.__name__  # another one since transformers 5
    expect(
        roundtrip,
        PreTrainedTokenizerFast(tokenizer_object=tokenizer),
        outcome="error",
        message=message.replace("Tokenizer", name, 1),
    )
    tokenizer.model.dropout = None
    assert roundtrip(tokenizer).ok


def test_accents_that_the_normalizer_takes_are_not_dropped():
    tokenizer = Tokenizer(models.BPE({letter: index for index, letter in enumerate("acdef ")}, []))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])
    tokenizer.decoder = decoders.Fuse()
    texts = ["caf\u00e9 fa\u00e7ade", "cafe\u0301", "a\u0301\u0302\u0303"]
    assert assert_roundtrip(tokenizer, texts=texts, max_unknown_rate=0.0).evidence["unknown"] == 0


def bert(**added):
    tokenizer = BertTokenizerFast(str(VOCABULARY))
    tokenizer.add_tokens([AddedToken("Gate", **{"normalized": False, **added})])
    return tokenizer


@pytest.mark.parametrize("added", ["normalized", "single_word", "lstrip", "rstrip"])
def test_texts_with_added_tokens_that_are_not_found_as_they_are_keep_their_letters(added):
    texts = ["a Gate of  a gate", "xGatey, gates", "  Gate"]
    result = assert_roundtrip(bert(**{added: True}), more_texts=texts)
    assert (result.evidence["level"], result.evidence["unjudged"]) == ("canonical", 0)
    assert assert_roundtrip(bert(), more_texts=texts).evidence["level"] == "canonical"


def masked(side):
    mask = AddedToken("<mask>", special=True, normalized=False, **{side: True})
    return PreTrainedTokenizerFast(tokenizer_object=byte_level(), mask_token=mask)


@pytest.mark.parametrize(("side", "text"), [("lstrip", "a  <mask>b"), ("rstrip", "a<mask>  b")])
def test_an_added_token_takes_spaces_unless_a_level_is_asked_for(side, text):
    tokenizer = masked(side)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == "a<mask>b"
    assert assert_roundtrip(tokenizer, texts=[text, " a  b "]).promised == "lossless round trip of 2 texts"
    result = roundtrip(tokenizer, texts=[text, " a  b "], level="lossless")
    assert (result.outcome, result.evidence["failing"]) == ("failed", [f"'{text}'"])


def test_a_text_that_loses_more_than_an_added_token_takes_fails():
    class Upper(Fast):
        def decode(self, ids, **options):
            return super().decode(ids, **options).replace("<mask>b", "<mask>")

    tokenizer = Upper(tokenizer_object=masked("lstrip").backend_tokenizer)
    result = roundtrip(tokenizer, texts=["a <mask>b", "a b"])
    assert (result.outcome, result.evidence["failing"]) == ("failed", ["'a <mask>b'"])


def _convert_encoding(self, encoding, *arguments, **options):
    """A step on the way to ids, which goes wrong for one text."""
    found = Fast.__mro__[1]._convert_encoding(self, encoding, *arguments, **options)
    if encoding.ids[-2:] == self.backend_tokenizer.encode("20", add_special_tokens=False).ids:
        found[0]["input_ids"][0] = found[0]["input_ids"][0][:-1]
    return found


def decode(self, ids, **options):
    found = Fast.__mro__[1].decode(self, ids, **options)
    return found.upper() if found.endswith("20") else found


@pytest.mark.parametrize("where", ["class", "class before", "object"])
@pytest.mark.parametrize("method", [_convert_encoding, decode], ids=lambda method: method.__name__)
def test_code_of_the_users_own_is_asked_for_every_text(method, where):
    """What is wrong for the last text alone is found: no batch call of the library stands in for it."""
    methods = {method.__name__: method}
    bases = (type("Mixin", (), methods), Fast.__mro__[1]) if where == "class before" else Fast.__mro__[1:2]
    tokenizer = complete(type("Own", bases, methods if where == "class" else {}))
    if where == "object":
        setattr(tokenizer, method.__name__, method.__get__(tokenizer))
    texts = [f"text {number}" for number in range(21)]
    assert roundtrip(tokenizer, texts=texts).evidence["failing"] == ["'text 20'"]
    assert roundtrip(complete(), texts=texts).ok


def test_a_llama_tokenizer_keeps_the_corpus_with_a_token_more():
    tokenizer = llama()
    tokenizer.add_tokens(["gate"])
    assert roundtrip(tokenizer, more_texts=["a gate", "agate"]).message == ""


def test_an_added_token_is_not_normalized():
    tokenizer = byte_level(normalizers.Lowercase())
    tokenizer.add_special_tokens(["[CLS]"])
    result = roundtrip(tokenizer, more_texts=["A [CLS] of It"])
    assert (result.evidence["level"], result.message) == ("normalized", "")


def test_letters_that_are_asked_for_are_not_judged_where_tokens_are_unknown(uncased):
    result = roundtrip(uncased, texts=["the gate", "the \u4eca"], level="letters")
    assert result.message == ""
    assert result.measured == "1 of 2 texts kept (1 with unknown tokens cannot be judged), 25.0 % unknown tokens"
