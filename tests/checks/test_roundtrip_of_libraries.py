"""Round trips through each library: the level that is inferred, what it promises, and what is bad input to all."""

from __future__ import annotations

import io
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers_of_the_field import byte_level, gpt2, llama, sentencepiece, tiktoken_gpt2, unigram
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from pytest_modelcheck import ConfigError, assert_roundtrip
from pytest_modelcheck.checks.tokenizer import roundtrip
from pytest_modelcheck.context import Context

EXAMPLES = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Characters:
    """A tokenizer of the user's own: one id for each character."""

    def encode(self, text):
        return [ord(letter) for letter in text]

    def decode(self, ids):
        return "".join(map(chr, ids))


class Listed:
    """Texts that can be counted and read in order, and are no list."""

    def __init__(self, *texts):
        self.texts = texts

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, index):
        return self.texts[index]


def metaspace(scheme=None, *, prepends=False, strips=True):
    """A SentencePiece BPE tokenizer as it is built in the `tokenizers` library, in its older or its newer way."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "ab", "▁a"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    model = models.BPE(vocabulary, [("a", "b"), ("▁", "a")], unk_token="<unk>", fuse_unk=True, byte_fallback=True)  # noqa: S106
    tokenizer = Tokenizer(model)
    if scheme:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    else:
        prefix = [normalizers.Prepend("▁")] if prepends else []
        tokenizer.normalizer = normalizers.Sequence([*prefix, normalizers.Replace(" ", "▁")])
    stripped = [decoders.Strip(" ", 1, 0)] if strips else []
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *stripped]
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return tokenizer


def split_metaspace(behavior):
    tokenizer = metaspace(strips=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior)
    return tokenizer


def byte_level_in_transformers():
    return PreTrainedTokenizerFast(tokenizer_object=byte_level())


# The build, how it is made, the level that is inferred, the family, and the texts of 42 that cannot be judged.
LEVELS = [
    ("GPT-2", gpt2, "lossless", "BPE", 0),
    ("tiktoken", tiktoken_gpt2, "lossless", "tiktoken", 0),
    ("byte level", byte_level, "lossless", "BPE", 0),
    ("byte level in transformers", byte_level_in_transformers, "lossless", "BPE", 0),
    ("byte level, NFC", lambda: byte_level(normalizers.NFC()), "normalized", "BPE with NFC", 0),
    ("byte level, NFKC", lambda: byte_level(normalizers.NFKC()), "normalized", "BPE with NFKC", 0),
    ("Llama", llama, "metaspace", "BPE", 0),
    ("Llama, the older prefix", lambda: llama(legacy=True), "metaspace", "BPE", 0),
    ("metaspace by normalizers", lambda: metaspace(prepends=True), "metaspace", "BPE with Sequence", 0),
    (
        "metaspace that is split, Gemma",
        lambda: split_metaspace("merged_with_previous"),
        "metaspace",
        "BPE with Sequence",
        0,
    ),
    ("metaspace that is cut", lambda: split_metaspace("removed"), "letters", "BPE with Sequence", 0),
    ("Unigram", unigram, "letters", "Unigram with Sequence", 28),
    ("BPE processor", lambda: sentencepiece("bpe"), "metaspace", "SentencePiece with byte fallback", 0),
    (
        "BPE processor with NFKC",
        lambda: sentencepiece("bpe", normalization_rule_name="nfkc"),
        "letters",
        "SentencePiece",
        0,
    ),
    ("Unigram processor", lambda: sentencepiece("unigram"), "letters", "SentencePiece", 25),
    ("ByT5", ByT5Tokenizer, "letters", "ByT5Tokenizer (written in Python)", 0),
    ("own", Characters, "letters", "Characters (encode and decode only)", 0),
]


@pytest.mark.parametrize(
    ("make", "level", "family", "unjudged"), [row[1:] for row in LEVELS], ids=[row[0] for row in LEVELS]
)
def test_the_level_is_inferred_and_kept(make, level, family, unjudged):
    result = assert_roundtrip(make())
    found = {key: result.evidence[key] for key in ("level", "pipeline", "texts", "kept", "unjudged", "failing")}
    expected = {"level": level, "pipeline": family, "texts": 42, "kept": 42 - unjudged, "unjudged": unjudged}
    assert found == {**expected, "failing": []}
    assert result.promised == f"{level} round trip of 42 texts"


def test_the_level_of_the_real_uncased_tokenizer(uncased):
    evidence = assert_roundtrip(uncased).evidence
    assert (evidence["level"], evidence["pipeline"]) == ("canonical", "WordPiece with BertNormalizer")


SCHEMES = [
    {"scheme": "always"},
    {"scheme": "first"},
    {"scheme": "never"},
    {"prepends": True},
    {"prepends": False},
]
PIECES = [" ", "  ", "▁", "a", "b", "<s>", "</s>", "é", "\n", "今"]


@pytest.mark.parametrize("strips", [True, False], ids=["strips", "keeps"])
@pytest.mark.parametrize("build", SCHEMES, ids=str)
@EXAMPLES
@given(texts=st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join), min_size=20, max_size=30))
def test_metaspace_says_what_comes_back_to_the_letter(build, strips, texts):
    result = roundtrip(metaspace(**build, strips=strips), texts=["ab a", *texts])
    assert (result.outcome, result.message) == ("passed", "")
    assert result.evidence["level"] == "metaspace"


COMES_BACK = [
    ({"scheme": "always"}, "a b", "a b"),
    ({"scheme": "always"}, " a", "a"),
    ({"scheme": "always"}, "  a", " a"),
    ({"scheme": "always"}, "a▁b", "a b"),
    ({"scheme": "always"}, "a<s>b", "a<s> b"),
    ({"scheme": "first"}, "a<s>b", "a<s>b"),
    ({"scheme": "first"}, " a", "a"),
    ({"scheme": "never"}, "a <s> b", "a <s> b"),
    ({"scheme": "never", "strips": False}, "  a", "  a"),
    ({"prepends": True}, " a", " a"),
    ({"prepends": True}, "<s>a", "<s> a"),
    ({"prepends": False, "strips": False}, " <s> a", " <s> a"),
]


@pytest.mark.parametrize(("build", "text", "back"), COMES_BACK)
def test_the_library_gives_back_what_is_promised(build, text, back):
    tokenizer = metaspace(**build)
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == back
    assert roundtrip(tokenizer, texts=[text, "ab"]).ok
    assert roundtrip(tokenizer, texts=[text, "ab"], level="lossless").ok == (text == back)


def test_a_metaspace_decoder_that_leaves_the_escape_is_caught(expect):
    tokenizer = metaspace("always")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", "_"), decoders.ByteFallback(), decoders.Fuse()])
    message = """
    roundtrip of Tokenizer: 1 of 1 texts do not come back as the metaspace level promises.
      'a b': at character 0: '_' (U+005F LOW LINE) instead of ' ' (U+0020 SPACE)
        tokens: ['▁a' 263, '▁' 259, 'b' 261]
        the shortest part that still fails: 'a'
    A tokenizer of this build (BPE) keeps it: look at its normalizer and decoder.
    """
    expect(roundtrip, tokenizer, texts=["a b"], outcome="failed", message=message)


@settings(EXAMPLES, max_examples=200)
@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=20))
def test_bytes_lose_nothing(field, texts):
    for tokenizer in field:
        assert roundtrip(tokenizer, texts=["some text", *texts], level="lossless").message == ""


@pytest.fixture(scope="module")
def field():
    return byte_level(), byte_level_in_transformers(), Characters()


def test_the_rate_is_promised_for_each_text(expect):
    tokenizer = sentencepiece("unigram")
    texts = ["the gate 今 of a model", "the gate 今今 今", "the gate"]
    message = (
        "roundtrip of SentencePieceProcessor: 'the gate 今今 今' has 2 unknown tokens of 9, and at most 10.0% were "
        "promised for each text."
    )
    result = expect(roundtrip, tokenizer, texts=texts, max_unknown_rate=0.1, outcome="failed", message=message)
    assert result.promised == "letters round trip of 3 texts, at most 10.0% unknown in each"
    assert roundtrip(tokenizer, texts=texts, max_unknown_rate=0.25).ok


def test_a_text_of_which_letters_are_dropped_has_unknowns(expect):
    tokenizer = Tokenizer(models.BPE({"a": 0, "b": 1, " ": 2}, []))
    tokenizer.decoder = decoders.Fuse()
    message = """
    roundtrip of Tokenizer: 1 of 2 texts do not come back as the letters level promises.
      'a c b': at character 2: ' ' (U+0020 SPACE) instead of 'c' (U+0063 LATIN SMALL LETTER C), after 'a '
        tokens: ['a' 0, ' ' 2, ' ' 2, 'b' 1]
        the shortest part that still fails: 'c'
    A tokenizer of this build (BPE) keeps it: look at its normalizer and decoder.
    'a c b' has 1 unknown tokens of 5, and at most 0.0% were promised for each text.
    """
    expect(roundtrip, tokenizer, texts=["a b", "a c b"], max_unknown_rate=0.0, outcome="failed", message=message)


def test_a_rate_that_cannot_be_measured_is_an_error(expect):
    message = (
        "roundtrip of Characters: not measured: Characters (encode and decode only) cannot be asked which tokens are "
        "unknown: leave max_unknown_rate out"
    )
    expect(roundtrip, Characters(), max_unknown_rate=0.1, outcome="error", message=message)


def test_texts_with_unknown_tokens_are_not_judged(expect):
    result = assert_roundtrip(unigram(), texts=["the gate 今", "the gate"])
    assert result.measured == "1 of 2 texts kept (1 with unknown tokens cannot be judged), 7.1 % unknown tokens"
    message = (
        "roundtrip of Tokenizer: every text that is not blank has unknown tokens, so that no round trip could be "
        "judged. Is this the right vocabulary?"
    )
    expect(roundtrip, unigram(), texts=["今"], outcome="failed", message=message)


def test_texts_are_read_in_order_and_more_come_after():
    texts, more = Listed("one", "bad \ud800", "three"), Listed("bad \udfff")
    evidence = roundtrip(byte_level(), texts=texts, more_texts=more).evidence
    assert (evidence["texts"], evidence["kept"]) == (4, 2)
    assert evidence["failing"] == [r"'bad \ud800'", r"'bad \udfff'"]
    assert roundtrip(byte_level(), more_texts=["one more"]).promised == "lossless round trip of 43 texts"


BAD = {
    "a lone surrogate": "a\ud800b",
    "two": "\udfff\ud800",
    "NUL": "a\x00b",
    "escapes": "\x1b[31m red \x1b]0;title\x07",
    "bidi": "\u202eback\u2066",
    "lines": "a\u2028b\x85c\x0bd",
    "a quote": "it's \\ \"",
}
MAKERS = [byte_level, tiktoken_gpt2, llama, unigram, Characters, ByT5Tokenizer, lambda: sentencepiece("bpe")]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_what_is_hard_to_show_is_escaped_in_every_message(make):
    result = roundtrip(make(), texts=["a fine text", *BAD.values()])
    assert result.outcome == "failed"  # no tokenizer can be given lone surrogates
    assert [text for text in result.evidence["failing"] if "ud" in text] == [r"'a\ud800b'", r"'\udfff\ud800'"]
    assert all(line.isprintable() for line in result.message.split("\n"))


@pytest.mark.parametrize("name", [name for name in BAD if name not in ("a lone surrogate", "two")])
def test_a_broken_text_is_escaped_wherever_it_is_shown(name):
    class Doubled(Characters):
        def decode(self, ids):
            return super().decode(ids) * 2

    result = roundtrip(Doubled(), texts=[BAD[name]], level="lossless")
    assert result.outcome == "failed"
    assert all(line.isprintable() for line in result.message.split("\n"))


def test_what_a_tokenizer_says_when_it_raises_is_escaped():
    class Raises(Characters):
        def encode(self, text):
            raise ValueError(f"cannot read {text}")

    result = roundtrip(Raises(), texts=["\x1b[31m\u202e"])
    assert result.outcome == "error"
    assert all(line.isprintable() for line in result.message.split("\n"))


@pytest.mark.parametrize("make", [byte_level, llama, Characters], ids=lambda make: make.__name__)
def test_a_megabyte_without_a_space_comes_back(make):
    assert roundtrip(make(), texts=["a" * 1_000_000]).message == ""


def test_a_megabyte_that_does_not_come_back_is_shown_in_short(expect):
    message = f"""
    roundtrip of Tokenizer: 1 of 1 texts do not come back as the lossless level promises.
      '{"a" * 59}…': at character 500000: 'z' (U+007A LATIN SMALL LETTER Z) instead of 'Z' (U+005A LATIN CAPITAL LETTER Z), after 'aaaaaaaaaaaa'
        tokens: [..., 'a' 64, 'a' 64, 'a' 64, 'az' 292, 'a' 64, 'a' 64, 'a' 64, 'a' 64, ...]
        the shortest part that still fails: 'Z'
    This tokenizer (BPE with Lowercase) is built to keep level='normalized'.
    """  # noqa: E501
    text = "a" * 500_000 + "Z" + "a" * 499_999
    tokenizer = byte_level(normalizers.Lowercase())
    expect(roundtrip, tokenizer, texts=[text], level="lossless", outcome="failed", message=message)


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({"texts": [b"bytes"]}, "texts[0]=b'bytes': a text (str) is expected"),
        ({"texts": b"bytes"}, "texts=b'bytes': a list of texts with at least one text is expected"),
        ({"texts": {"a": "b"}}, "texts={'a': 'b'}: a list of texts with at least one text is expected"),
        ({"texts": Listed()}, "a list of texts with at least one text is expected"),
        ({"texts": iter(["a"])}, "a list of texts with at least one text is expected"),
        ({"more_texts": []}, "more_texts=[]: a list of texts with at least one text is expected"),
        ({"more_texts": ["a", 3]}, "more_texts[1]=3: a text (str) is expected"),
    ],
    ids=["bytes in a list", "bytes", "a mapping", "no list", "an iterator", "none", "a number in a list"],
)
def test_what_is_no_list_of_texts_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_roundtrip(byte_level(), **promises)
    assert str(raised.value).endswith(message)


def test_a_tokenizer_without_pad_and_unknown_tokens_is_judged():
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=byte_level())
    assert (tokenizer.pad_token, tokenizer.unk_token) == (None, None)
    assert assert_roundtrip(tokenizer, max_unknown_rate=0.0).measured == "42 of 42 texts kept, 0.0 % unknown tokens"


def test_a_vocabulary_of_five_letters_is_a_clear_result(expect):
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate("abcde")}, unk_token="<unk>"))  # noqa: S106
    message = (
        "roundtrip of Tokenizer: not measured: Exception: WordLevel error: Missing [UNK] token from the vocabulary"
    )
    expect(roundtrip, tokenizer, texts=["x"], outcome="error", message=message)
    assert roundtrip(tokenizer, texts=["a", "b", "c", "d", "e"]).ok


class Terminal(io.StringIO):
    """What somebody watches, or nobody."""

    def __init__(self, watched=True):
        super().__init__()
        self.watched = watched

    def isatty(self):
        return self.watched


class Slow(Characters):
    """A tokenizer that takes more than half a second for a thousand texts."""

    def encode(self, text):
        if text == "slow":
            time.sleep(0.55)
        return super().encode(text)


CORPUS = ["slow", *["a gate"] * 999] * 3


def test_slow_work_shows_a_bar_that_is_taken_away():
    terminal = Terminal()
    with Context(terminal=terminal).active():
        assert roundtrip(Slow(), texts=CORPUS, level="lossless").ok
    shown = terminal.getvalue()
    assert "round trip of Slow:" in shown
    assert "| 2000/3000 " in shown
    assert shown.endswith("\r")
    assert "\n" not in shown


@pytest.mark.parametrize("terminal", [None, Terminal(watched=False)], ids=["no terminal", "not watched"])
def test_nobody_who_watches_nothing_shown(terminal, monkeypatch, capfd):
    monkeypatch.setattr("pytest_modelcheck.progress._SECONDS", 0.0)
    with Context(terminal=terminal).active():
        assert roundtrip(Characters(), texts=["a gate"] * 3000).ok
    assert terminal is None or terminal.getvalue() == ""
    assert capfd.readouterr() == ("", "")


def test_quick_work_shows_nothing():
    terminal = Terminal()
    with Context(terminal=terminal).active():
        assert roundtrip(Characters(), texts=["a gate", "and more"]).ok
    assert terminal.getvalue() == ""
