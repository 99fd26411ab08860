"""The promise that a tokenizer conforms: what each family keeps, what is excused, and what was not measured."""

from __future__ import annotations

import itertools

import pytest
from tokenizers import normalizers
from tokenizers_broken_in_one_way import KNOWN, Fast, complete, overriding
from tokenizers_of_the_field import byte_level, gpt2, llama, sentencepiece, tiktoken_gpt2, unigram
from transformers import ByT5Tokenizer

from pytest_modelcheck import ConfigError, ModelCheckFailure, assert_tokenizer_conforms
from pytest_modelcheck.checks.conformance import tokenizer_conforms
from tests.installed import before

NAMES = (
    "roundtrip",
    "unknown_rate",
    "wrap",
    "batch",
    "offsets",
    "injection",
    "special_tokens",
    "padding",
    "truncation",
    "pairs",
    "pretokenized",
    "save_load",
    "incremental_decoding",
    "added_tokens",
    "chat_template",
    "threads",
    "empty_input",
)

TEXTS = ["The gate is kept.", " A model's promise "]


class Characters:
    """A tokenizer of the user's own: one id for each character."""

    def encode(self, text):
        return [ord(letter) for letter in text]

    def decode(self, ids):
        return "".join(map(chr, ids))


def outcomes(result):
    """What did not pass: the outcome of each part, and the reason of those that were skipped."""
    assert tuple(part.name for part in result.parts) == NAMES
    return {
        part.name: part.measured if part.outcome == "skipped" else part.outcome
        for part in result.parts
        if part.outcome != "passed"
    }


def unable(kind, **what):
    return {name: f"{kind} cannot {reason}" for name, reason in what.items()}


LAYOUTS = {
    "padding": "pad",
    "truncation": "lay out texts for a model",
    "pairs": "lay out texts for a model",
    "pretokenized": "encode words that were split before",
    "added_tokens": "add a token",
    "chat_template": "apply a chat template",
}
NO_CHAT, NO_PAD = {"chat_template": "it has no chat template"}, {"padding": "it has no pad token"}
NO_SPECIAL = dict.fromkeys(("injection", "special_tokens"), "it has no special tokens")
BACKEND_CHAT = unable("a tokenizers.Tokenizer", chat_template="apply a chat template")
PROCESSOR = {
    "offsets": "a SentencePiece processor gives no offsets",
    **unable("a SentencePiece processor", **LAYOUTS),
}
OWN = unable(
    "Characters (encode and decode only)",
    wrap="tell added special tokens apart",
    batch="encode a batch",
    offsets="tell added special tokens apart",
    injection="name its special tokens",
    special_tokens="name its special tokens",
    save_load="be saved and loaded",
    **LAYOUTS,
)

# GPT-2's tokenizer of transformers 4 takes such words only where it puts a space before each.
NO_WORDS = (
    {
        "pretokenized": "words that were split before: You need to instantiate GPT2TokenizerFast with "
        "add_prefix_space=True to use it with pretokenized inputs."
    }
    if before("transformers", "5")
    else {}
)

# The family, how it is made, and what does not pass.
FAMILIES = [
    ("everything can be asked", complete, {"injection": "failed"}),
    ("literals are not looked for", lambda: complete(split_special_tokens=True), {}),
    ("byte-level BPE, GPT-2", gpt2, {"injection": "failed", **NO_PAD, **NO_CHAT, **NO_WORDS}),
    (
        "tiktoken",
        tiktoken_gpt2,
        {
            "offsets": "a tiktoken encoding gives no offsets",
            **unable("a tiktoken encoding", save_load="be saved and loaded", **LAYOUTS),
        },
    ),
    ("SentencePiece BPE, Llama", llama, {"injection": "failed", **NO_PAD, **NO_CHAT}),
    ("Unigram", unigram, {"injection": "failed", **BACKEND_CHAT}),
    (
        "byte-level BPE with NFKC",
        lambda: byte_level(normalizers.NFKC()),
        {**NO_SPECIAL, **NO_PAD, **BACKEND_CHAT},
    ),
    ("a BPE processor", lambda: sentencepiece("bpe"), PROCESSOR),
    ("a Unigram processor", lambda: sentencepiece("unigram"), PROCESSOR),
    (
        # Its mask of special tokens takes a </s> that a user wrote for the one that it adds.
        "bytes, written in Python",
        ByT5Tokenizer,
        {
            "wrap": "failed",
            "offsets": "ByT5Tokenizer (written in Python) gives no offsets",
            "injection": "failed",
            "truncation": "ByT5Tokenizer (written in Python) cannot give windows",
            "pairs": "failed",
            **NO_CHAT,
        },
    ),
    (
        "encode and decode only",
        Characters,
        {
            "unknown_rate": "Characters (encode and decode only) cannot be asked which tokens are unknown",
            **OWN,
        },
    ),
]


@pytest.mark.parametrize(("make", "expected"), [row[1:] for row in FAMILIES], ids=[row[0] for row in FAMILIES])
def test_each_family_keeps_what_its_build_promises(make, expected):
    result = tokenizer_conforms(make())
    assert outcomes(result) == expected
    assert result.ok == ("failed" not in expected.values())
    assert result.promised == "17 properties on 42 texts"
    failed = [name for name, outcome in expected.items() if outcome == "failed"]
    kept = 17 - len(expected)
    assert result.measured == f"{kept} kept, {len(failed)} broken"
    assert result.evidence == {"kept": kept, "broken": [name for name in NAMES if name in failed], "texts": 42}


def test_the_real_uncased_tokenizer_keeps_all_but_injection(uncased):
    result = assert_tokenizer_conforms(uncased, expected_failures=KNOWN)
    assert outcomes(result) == {"injection": "xfailed", **NO_CHAT}
    assert result.measured == "15 kept, 0 broken"


def test_what_is_expected_to_fail_is_excused_with_its_reason():
    result = assert_tokenizer_conforms(complete(), texts=TEXTS, expected_failures=KNOWN)
    part = next(part for part in result.parts if part.outcome != "passed")
    assert (part.name, part.outcome) == ("injection", "xfailed")
    assert part.measured == "2 of 5 cases; expected: users' texts are cleaned before"
    assert (result.outcome, result.message, result.measured) == ("passed", "", "16 kept, 0 broken")


def test_what_is_kept_and_was_expected_to_fail_is_a_failure(expect):
    message = """
    tokenizer_conforms of Fast: 1 of 17 properties are broken.
    batch: it is kept, and was expected to fail: once it was broken. Take it out of expected_failures.
    """
    promises = {"texts": TEXTS, "expected_failures": {**KNOWN, "batch": "once it was broken"}}
    result = expect(tokenizer_conforms, complete(), outcome="failed", message=message, **promises)
    assert outcomes(result) == {"batch": "xpassed", "injection": "xfailed"}


def test_an_expectation_is_no_excuse_for_what_was_not_measured():
    def raises(*_, **__):
        raise ValueError("the disk is full")

    expected = {**KNOWN, "save_load": "known"}
    tokenizer = complete(overriding(save_pretrained=raises))
    result = tokenizer_conforms(tokenizer, texts=TEXTS, expected_failures=expected)
    assert outcomes(result) == {"save_load": "error", "injection": "xfailed"}
    assert result.outcome == "error"
    assert result.message == (
        "tokenizer_conforms of Own: 1 of 17 properties are broken.\n"
        "save_load: not measured: ValueError: the disk is full"
    )


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        (
            {"expected_failures": {"spelling": "known"}},
            f"expected_failures has 'spelling', and the properties are {', '.join(NAMES)}",
        ),
        ({"expected_failures": {"batch": ""}}, "expected_failures['batch']='': a reason (str) is expected"),
        ({"expected_failures": {"batch": " \n"}}, "expected_failures['batch']=' \\n': a reason (str) is expected"),
        ({"expected_failures": {"batch": None}}, "expected_failures['batch']=None: a reason (str) is expected"),
        ({"expected_failures": {}}, "expected_failures={}: a mapping from names to reasons is expected"),
        (
            {"expected_failures": ["batch"]},
            "expected_failures=['batch']: a mapping from names to reasons is expected",
        ),
        ({"texts": []}, "texts=[]: a list of texts with at least one text is expected"),
        ({"texts": [b"bytes"]}, "texts[0]=b'bytes': a text (str) is expected"),
        ({"max_unknown_rate": -0.1}, "max_unknown_rate=-0.1: a number from 0 to 1 is expected"),
        (
            {"level": "exact"},
            "level='exact': one of inferred, lossless, normalized, metaspace, canonical, letters, stable is expected",
        ),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_tokenizer_conforms(byte_level(), **promises)
    assert str(raised.value) == message


def raising(error, when):
    """A tokenizer that raises where it is asked for this."""

    def call(self, text, pair=None, **options):
        if when(text, pair, options):
            raise error
        return Fast.__call__(self, text, pair, **options)

    return complete(overriding(__call__=call))


class PanicException(BaseException):
    """What Python is told of a panic in Rust, under the name that it has there."""

    __module__ = "pyo3_runtime"


RAISING = {
    "pairs": lambda text, pair, options: pair is not None,
    "padding": lambda text, pair, options: options["padding"],
    "truncation": lambda text, pair, options: options["truncation"],
    "empty_input": lambda text, pair, options: text == "T",
}


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError("deep"), PanicException("panicked")], ids=repr)
@pytest.mark.parametrize("name", RAISING)
def test_a_property_that_raises_is_an_error_of_its_own(name, error):
    result = tokenizer_conforms(raising(error, RAISING[name]), texts=TEXTS, expected_failures=KNOWN)
    assert outcomes(result) == {name: "error", "injection": "xfailed"}
    assert result.outcome == "error"
    part = next(part for part in result.parts if part.name == name)
    assert part.message == f"not measured: {type(error).__name__}: {error}"


def test_a_decoder_that_raises_leaves_the_properties_of_ids_measured():
    def raises(self, ids, **options):
        raise ValueError("cannot decode")

    result = tokenizer_conforms(complete(overriding(decode=raises)), texts=TEXTS, expected_failures=KNOWN)
    found = outcomes(result)
    assert found.pop("roundtrip") == "error"
    assert not {"wrap", "batch", "offsets", "padding", "truncation", "pairs"} & set(found)


def test_texts_that_are_no_unicode_are_a_clear_result():
    result = tokenizer_conforms(complete(), texts=["bad \ud800\x1b", "\udfff"])
    assert (result.outcome, result.parts) == ("error", ())
    assert result.message == (
        "tokenizer_conforms of Fast: not measured: each text holds a lone surrogate, and no tokenizer can be given it. "
        "Give other texts"
    )


def test_one_text_that_is_no_unicode_breaks_the_round_trip_alone():
    result = tokenizer_conforms(complete(), texts=[*TEXTS, "bad \ud800\x1b"], expected_failures=KNOWN)
    assert outcomes(result) == {"roundtrip": "failed", "injection": "xfailed"}
    assert r"'bad \ud800\x1b': it holds a lone surrogate, which is no Unicode text" in result.message
    assert all(line.isprintable() for line in result.message.split("\n"))


def test_what_is_broken_outweighs_what_was_not_measured():
    result = tokenizer_conforms(raising(KeyError("x"), RAISING["pairs"]), texts=TEXTS)
    assert outcomes(result) == {"pairs": "error", "injection": "failed"}
    assert result.outcome == "failed"
    assert result.message.endswith('said with its reason: expected_failures={"injection": "..."}.')


@pytest.mark.parametrize("error", [KeyError("x"), PanicException("panicked")], ids=repr)
def test_a_round_trip_that_raises_is_an_error_of_its_parts(error):
    def raises(self, ids, **options):
        found = Fast.decode(self, ids, **options)
        if found == TEXTS[1] and not options:
            raise error
        return found

    result = tokenizer_conforms(complete(overriding(decode=raises)), texts=TEXTS, expected_failures=KNOWN)
    assert outcomes(result) == {"roundtrip": "error", "unknown_rate": "error", "injection": "xfailed"}
    assert result.outcome == "error"
    assert {part.message for part in result.parts if part.broken} == {f"not measured: {type(error).__name__}: {error}"}


def test_who_ends_the_process_is_heard():
    with pytest.raises(KeyboardInterrupt):
        tokenizer_conforms(raising(KeyboardInterrupt(), RAISING["pairs"]), texts=TEXTS)


def test_a_tokenizer_does_not_end_the_process():
    result = tokenizer_conforms(raising(SystemExit(0), RAISING["pairs"]), texts=TEXTS)
    part = next(part for part in result.parts if part.name == "pairs")
    assert (part.outcome, part.message) == ("error", "not measured: SystemExit: 0")


def test_a_rate_of_no_tokens_is_not_measured():
    result = tokenizer_conforms(complete(), texts=[""])
    part = next(part for part in result.parts if part.name == "unknown_rate")
    assert (part.outcome, part.measured) == ("error", "0 of 0 tokens are unknown")
    assert part.message == "not measured: the texts give no token at all"


def test_what_a_tokenizer_says_when_it_raises_is_escaped():
    result = tokenizer_conforms(raising(ValueError("\x1b[31m\u202e"), RAISING["pairs"]), texts=TEXTS)
    assert all(line.isprintable() for line in result.message.split("\n"))
    part = next(part for part in result.parts if part.name == "pairs")
    assert part.message == r"not measured: ValueError: \x1b[31m\u202e"


@pytest.mark.parametrize("candidate", [None, "vocab.txt", object()], ids=["nothing", "a path", "an object"])
def test_what_is_no_tokenizer_is_an_error(candidate):
    result = tokenizer_conforms(candidate)
    assert (result.outcome, result.parts) == ("error", ())
    assert "is no tokenizer: it has no encode and decode methods." in result.message


def test_the_assert_form_raises_what_the_result_says():
    with pytest.raises(ModelCheckFailure, match=r"^tokenizer_conforms of Tokenizer: 1 of 17 properties are broken\."):
        assert_tokenizer_conforms(byte_level(normalizers.Lowercase()), level="lossless")


def test_more_texts_come_after_the_others():
    result = tokenizer_conforms(byte_level(), more_texts=["one more"])
    assert result.promised == "17 properties on 43 texts"


def test_the_tokenizer_is_left_as_it_was(uncased):
    def state(tokenizer):
        backend = tokenizer.backend_tokenizer
        named = ("padding_side", "truncation_side", "model_max_length", "special_tokens_map", "chat_template")
        return [getattr(tokenizer, name) for name in named], len(tokenizer), backend.to_str()

    tokenizer = complete(padding_side="left", truncation_side="left", model_max_length=64)
    tokenizer.add_tokens(["gate"])
    tokenizer.backend_tokenizer.enable_truncation(9, stride=3, direction="left")
    tokenizer.backend_tokenizer.enable_padding(length=9, direction="left")
    before = state(tokenizer), state(uncased)
    tokenizer_conforms(tokenizer)
    tokenizer_conforms(uncased, texts=TEXTS)
    assert (state(tokenizer), state(uncased)) == before


def test_a_backend_is_left_as_it_was():
    backend = byte_level()
    backend.enable_truncation(4)
    backend.enable_padding(length=9)
    backend.encode_special_tokens = True
    before = backend.to_str()
    tokenizer_conforms(backend)
    assert (backend.to_str(), backend.encode_special_tokens) == (before, True)


class Forgetful:
    """A tokenizer that never gives the same twice."""

    def __init__(self):
        self.numbers = itertools.count(1)

    def encode(self, text):
        return [next(self.numbers), next(self.numbers)]

    def decode(self, ids):
        return f"{next(self.numbers)} "


def test_no_pass_where_nothing_was_kept():
    """All that was measured is excused, and the rest was skipped."""
    broken = ("roundtrip", "incremental_decoding", "threads", "empty_input")
    assert outcomes(tokenizer_conforms(Forgetful(), texts=TEXTS)).items() >= dict.fromkeys(broken, "failed").items()
    result = tokenizer_conforms(Forgetful(), texts=TEXTS, expected_failures=dict.fromkeys(broken, "known"))
    assert (result.outcome, result.measured) == ("error", "not measured")
    assert result.message.startswith(
        "tokenizer_conforms of Forgetful: not measured: no property could be measured: 0 of 2 texts kept"
    )


GATES = """
import pytest
from tokenizers import Tokenizer, decoders, models

@pytest.fixture
def tokenizer():
    made = Tokenizer(models.BPE({letter: index for index, letter in enumerate("abc ")}, []))
    made.decoder = decoders.Fuse()
    made.add_special_tokens(["<s>"])
    return made

@pytest.mark.modelcheck_tokenizer_conforms(texts=["ab ba ab"], level="lossless", expected_failures={"injection": "known"})
def test_excused(tokenizer): ...

@pytest.mark.modelcheck_tokenizer_conforms(texts=["ab ba ab"], level="lossless")
def test_broken(tokenizer): ...
"""  # noqa: E501


def test_each_property_is_a_row_of_its_own(pytester, run_gates, processes):
    pytester.makepyfile(GATES)
    result, rows = run_gates(processes)
    result.assert_outcomes(passed=1, failed=1)
    assert {row["check"] for row in rows} == {"tokenizer_conforms"}
    for gate, outcome in (("test_excused", "xfailed"), ("test_broken", "failed")):
        found = {row["part"]: row["outcome"] for row in rows if row["gate"].endswith(gate)}
        kept = dict.fromkeys(NAMES, "passed")
        assert found == {**kept, "padding": "skipped", "chat_template": "skipped", "injection": outcome}
    assert len(rows) == 2 * len(NAMES)
    result.stdout.fnmatch_lines_random([f"*{name}*" for name in NAMES])


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(tokenizer_conforms) == 5
