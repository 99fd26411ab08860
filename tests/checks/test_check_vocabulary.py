"""The promises of a vocabulary: its size, its special tokens, and a row of the model for every id."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models, processors
from tokenizers_of_the_field import byte_level, gpt2, llama, sentencepiece, tiktoken_gpt2, unigram
from torch import nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    MarianConfig,
    MarianMTModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from pytest_modelcheck import ConfigError, ModelCheckFailure, assert_vocabulary, assert_vocabulary_fits
from pytest_modelcheck.checks.vocabulary import vocabulary, vocabulary_fits
from tests.installed import before


class Own:
    """A tokenizer of the user's own, of which nothing more can be asked."""

    def encode(self, text):
        return [ord(letter) for letter in text]

    def decode(self, ids):
        return "".join(map(chr, ids))


class Counted(Own):
    vocab_size = 300


class Named(Own):
    def get_vocab(self):
        return {"a": 0, "b": 1}


def padding(token):
    """A tokenizer whose pad token was set, and never added."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=byte_level())
    tokenizer.pad_token = token
    return tokenizer


def template(**options):
    """A tokenizer that adds ids which are in no vocabulary."""
    tokenizer = byte_level()
    special = [("<x>", 777), ("<y>", 888)]
    tokenizer.post_processor = processors.TemplateProcessing(**{"single": "$A", **options}, special_tokens=special)
    return tokenizer


def padded(item):
    tokenizer = byte_level()
    tokenizer.enable_padding(pad_id=item, pad_token="<pad>")  # noqa: S106
    return tokenizer


SIZES = [
    (gpt2, 50_257, "50,257 tokens"),
    (tiktoken_gpt2, 50_257, "50,257 tokens"),
    (byte_level, 372, "372 tokens"),
    (unigram, 75, "75 tokens"),
    (llama, 400, "400 tokens"),
    (lambda: sentencepiece("bpe"), 400, "400 tokens"),
    (Counted, 300, "300 tokens"),
    (Named, 2, "2 tokens"),
]


@pytest.mark.parametrize(("make", "size", "shown"), SIZES)
def test_the_number_of_tokens(make, size, shown):
    result = vocabulary(make(), size=size)
    assert (result.outcome, result.promised, result.measured) == ("passed", shown, shown)
    assert result.evidence == {"problems": []}
    other = vocabulary(make(), size=size + 1)
    assert (other.outcome, other.measured) == ("failed", shown)
    assert other.message.endswith(f": it has {shown}, and {size + 1:,} were promised.")


def test_the_real_vocabulary(uncased):
    special = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, "pad_token": "[PAD]"}
    result = assert_vocabulary(uncased, size=30_522, special_tokens=special)
    assert result.measured == (
        "30,522 tokens, '[PAD]' is 0, '[UNK]' is 100, '[CLS]' is 101, '[SEP]' is 102, '[MASK]' is 103, "
        "'pad_token' is '[PAD]'"
    )


SPECIAL = [
    (gpt2, {"<|endoftext|>": 50_256}),
    (gpt2, {"eos_token": "<|endoftext|>"}),
    (tiktoken_gpt2, {"<|endoftext|>": 50_256}),
    (lambda: sentencepiece("bpe"), {"<s>": 1, "</s>": 2}),
    (unigram, {"<pad>": 0, "</s>": 1, "<unk>": 2}),
]


@pytest.mark.parametrize(("make", "special"), SPECIAL)
def test_special_tokens_are_promised_without_a_size(make, special):
    result = vocabulary(make(), special_tokens=special)
    assert (result.outcome, result.message) == ("passed", "")
    assert result.measured == result.promised
    assert "tokens" not in result.measured


BROKEN = [
    ("one token", lambda: Tokenizer(models.BPE({"a": 0}, [])), {"size": 7}, "it has 1 token, and 7 were promised."),
    (
        "another id",
        unigram,
        {"special_tokens": {"<pad>": 3}},
        "'<pad>' is 0, and 3 was promised.",
    ),
    (
        "no special token",
        byte_level,
        {"special_tokens": {"a": 64}},
        "'a' has the id 64, and is no special token.",
    ),
    ("not there", byte_level, {"special_tokens": {"<s>": 1}}, "'<s>' is not there, and 1 was promised."),
    (
        "a name without a token",
        gpt2,
        {"special_tokens": {"pad_token": "<pad>"}},
        "'pad_token' is not there, and '<pad>' was promised.",
    ),
    (
        "another token by the name",
        gpt2,
        {"special_tokens": {"eos_token": "</s>"}},
        "'eos_token' is '<|endoftext|>', and '</s>' was promised.",
    ),
    (
        "a name for what is in no vocabulary",
        lambda: padding("[PAD]"),
        {"special_tokens": {"pad_token": "[PAD]"}},
        "'pad_token' is not there, and '[PAD]' was promised.",
    ),
    (
        "all of it",
        unigram,
        {"size": 5, "special_tokens": {"<pad>": 3, "e": 8, "</s>": 1}},
        "it has 75 tokens, and 5 were promised.\n"
        "'<pad>' is 0, and 3 was promised.\n"
        "'e' has the id 8, and is no special token.",
    ),
    (
        "a name to be escaped",
        byte_level,
        {"special_tokens": {"\u202e\x1b": 1}},
        r"'\u202e\x1b' is not there, and 1 was promised.",
    ),
]


@pytest.mark.parametrize(("make", "promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_another_vocabulary_fails(make, promises, message):
    tokenizer = make()
    result = vocabulary(tokenizer, **promises)
    assert result.message == f"vocabulary of {type(tokenizer).__name__}: {message}"
    assert (result.outcome, result.evidence) == ("failed", {"problems": message.split("\n")})


NO_TOKENIZER = (
    "NoneType is no tokenizer: it has no encode and decode methods. Give a transformers tokenizer, a "
    "tokenizers.Tokenizer, a SentencePiece processor, a tiktoken encoding, or an object with both"
)


@pytest.mark.parametrize(
    ("tokenizer", "promises", "message"),
    [
        (Own(), {"size": 3}, "Own (encode and decode only) cannot say how many tokens it has"),
        (Own(), {"special_tokens": {"<s>": 1}}, "Own (encode and decode only) cannot look up a token"),
        (None, {"size": 3}, NO_TOKENIZER),
    ],
)
def test_what_cannot_be_asked_is_an_error(expect, tokenizer, promises, message):
    message = f"vocabulary of {type(tokenizer).__name__}: not measured: {message}"
    expect(vocabulary, tokenizer, outcome="error", message=message, **promises)


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({}, "vocabulary promises nothing: give at least one of size, special_tokens"),
        ({"size": -1}, "size=-1: an integer of at least 0 is expected"),
        ({"size": True}, "size=True: an integer of at least 0 is expected"),
        ({"tokens": 3}, "vocabulary has no promise 'tokens'"),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_vocabulary(byte_level(), **promises)
    assert str(raised.value).startswith(message)


def bert(rows, head=False, **options):
    kind = BertForMaskedLM if head else BertModel
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    return kind(BertConfig(vocab_size=rows, **small, **options))


def causal(rows, **options):
    ids = {"bos_token_id": None, "eos_token_id": None, **options}
    return GPT2LMHeadModel(GPT2Config(vocab_size=rows, n_positions=16, n_embd=4, n_layer=1, n_head=2, **ids))


def t5(rows, **options):
    small = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    return T5ForConditionalGeneration(T5Config(vocab_size=rows, **small, **options))


def marian(rows, decoder_rows=None):
    own = {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": decoder_rows, "tie_word_embeddings": False}
    small = {f"{part}_{what}": 2 for part in ("encoder", "decoder") for what in ("attention_heads", "ffn_dim")}
    config = MarianConfig(
        vocab_size=rows,
        d_model=8,
        encoder_layers=1,
        decoder_layers=1,
        max_position_embeddings=16,
        pad_token_id=1,
        decoder_start_token_id=1,
        **small,
        **(own if decoder_rows else {}),
    )
    return MarianMTModel(config)


class Plain(nn.Module):
    """A model of the user's own with these layers."""

    def __init__(self, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)


def apart(rows, decoder_rows):
    """Two vocabularies; transformers 4.48 makes Marian's tables of one size."""
    model = marian(rows, decoder_rows)
    model.get_decoder().set_input_embeddings(table(decoder_rows))
    return model


def table(rows):
    return nn.Embedding(rows, 4)


INNER = "input embeddings {0} rows ({1} are slack)"
BOTH = f"{INNER}, output embeddings {{0}} rows ({{1}} are slack)"
ALL = f"{INNER}, decoder's embeddings {{0}} rows ({{1}} are slack), output embeddings {{0}} rows ({{1}} are slack)"

# Before transformers 5 a decoder that shares the table has no layer of its own for it.
SHARED = before("transformers", "5")

# The tokenizer has 372 tokens.
FITS = [
    ("a table", lambda: table(372), {}, INNER.format(372, 0)),
    ("a table that is padded", lambda: table(512), {}, INNER.format(512, 140)),
    ("a bag", lambda: Plain(bag=nn.EmbeddingBag(372, 4)), {}, INNER.format(372, 0)),
    ("BERT", lambda: bert(384), {}, INNER.format(384, 12)),
    ("BERT with a head", lambda: bert(372, head=True), {}, BOTH.format(372, 0)),
    ("tied", lambda: causal(400), {}, BOTH.format(400, 28)),
    ("untied", lambda: causal(1_400, tie_word_embeddings=False), {}, BOTH.format("1,400", "1,028")),
    ("T5", lambda: t5(372), {}, (BOTH if SHARED else ALL).format(372, 0)),
    ("Marian", lambda: marian(372), {}, (BOTH if SHARED else ALL).format(372, 0)),
    ("by its path", lambda: Plain(words=table(372), pos=table(8)), {"embedding": "words"}, INNER.format(372, 0)),
    (
        "by a longer path",
        lambda: Plain(inner=Plain(words=table(372)), pos=table(8)),
        {"embedding": "inner.words"},
        INNER.format(372, 0),
    ),
    ("an id that a configuration does not set", lambda: causal(372, sep_token_id=-1), {}, BOTH.format(372, 0)),
]


@pytest.mark.parametrize(("make", "promises", "shown"), [row[1:] for row in FITS], ids=[row[0] for row in FITS])
def test_a_model_with_a_row_for_every_id_fits(make, promises, shown):
    result = vocabulary_fits(make(), byte_level(), **promises)
    assert (result.outcome, result.message) == ("passed", "")
    assert (result.promised, result.measured) == ("a row for every id", f"largest id 371, {shown}")
    assert result.evidence["largest_id"] == 371


@pytest.mark.parametrize("make", [lambda: bert(372, head=True), lambda: t5(372), lambda: causal(372)])
def test_a_model_without_memory_of_its_own_is_looked_at(make):
    with torch.device("meta"):
        model = make()
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    assert vocabulary_fits(model, byte_level()).ok


def test_real_models_and_real_tokenizers_fit(uncased):
    assert assert_vocabulary_fits(bert(30_522), uncased).measured.startswith("largest id 30,521, input embeddings 30,5")
    for tokenizer in (gpt2(), tiktoken_gpt2()):
        assert vocabulary_fits(table(50_257), tokenizer).ok
        assert vocabulary_fits(table(50_256), tokenizer).outcome == "failed"


def short(kinds, rows, largest, token=""):
    lines = [f"the {kind} embeddings have {rows} rows, and the tokenizer gives ids up to {largest}" for kind in kinds]
    remedy = f"Call resize_token_embeddings({largest + 1}), or load the tokenizer that the model was trained with."
    return "\n".join([*(f"{line}{token and f' ({token!r})'}." for line in lines), remedy])


LAST = "Ġ0123456789"
UNFIT = [
    ("a table", lambda: table(371), byte_level, {}, short(["input"], 371, 371, LAST)),
    ("BERT", lambda: bert(371, head=True), byte_level, {}, short(["input", "output"], 371, 371, LAST)),
    (
        "T5",
        lambda: t5(300),
        byte_level,
        {},
        short(["input", *([] if SHARED else ["decoder's"]), "output"], 300, 371, LAST),
    ),
    (
        "the decoder's table alone",
        lambda: apart(372, 300),
        byte_level,
        {},
        short(["decoder's", "output"], 300, 371, LAST),
    ),
    (
        "the head of a part",
        lambda: Plain(words=table(372), inner=causal(300)),
        byte_level,
        {"embedding": "words"},
        short(["output"], 300, 371, LAST),
    ),
    (
        "the wrong path",
        lambda: Plain(words=table(372), pos=table(8)),
        byte_level,
        {"embedding": "pos"},
        short(["input"], 8, 371, LAST),
    ),
    ("a template's id", lambda: table(500), lambda: template(single="<x> $A"), {}, short(["input"], 500, 777)),
    ("a pair's id", lambda: table(500), lambda: template(pair="$A <y> $B"), {}, short(["input"], 500, 888)),
    ("the pad id", lambda: table(500), lambda: padded(900), {}, short(["input"], 500, 900)),
    (
        "the configuration's ids",
        lambda: bert(372, bos_token_id=372, eos_token_id=[5, 40_000], sep_token_id=-1),
        byte_level,
        {},
        "the configuration's bos_token_id is 372, and the table has 372 rows.\n"
        "the configuration's eos_token_id is 40000, and the table has 372 rows.",
    ),
]


@pytest.mark.parametrize(
    ("make", "tokenizer", "promises", "message"), [row[1:] for row in UNFIT], ids=[row[0] for row in UNFIT]
)
def test_a_model_without_a_row_for_an_id_fails(make, tokenizer, promises, message):
    model = make()
    result = vocabulary_fits(model, tokenizer(), **promises)
    assert result.message == f"vocabulary_fits of {type(model).__name__}: {message}"
    assert result.outcome == "failed"


def test_rows_that_were_added_for_new_tokens_fit():
    tokenizer, model = PreTrainedTokenizerFast(tokenizer_object=byte_level()), causal(372)
    tokenizer.add_tokens(["<gate>", "<kept>"])
    with pytest.raises(ModelCheckFailure, match=r"gives ids up to 373 \('<kept>'\)\.\n.*\nCall resize_token_"):
        assert_vocabulary_fits(model, tokenizer)
    model.resize_token_embeddings(len(tokenizer))
    assert assert_vocabulary_fits(model, tokenizer).measured == f"largest id 373, {BOTH.format(374, 0)}"


UNKNOWN = "the input embeddings of Plain are not known: give embedding=; "
UNMEASURED = [
    (lambda: Plain(words=table(372), more=table(372)), byte_level, {}, f"{UNKNOWN}its tables are words, more"),
    (lambda: Plain(positions=table(512)), byte_level, {}, f"{UNKNOWN}its tables are positions"),
    (
        lambda: Plain(words=table(372), bag=nn.EmbeddingBag(8, 4)),
        byte_level,
        {},
        f"{UNKNOWN}its tables are words, bag",
    ),
    (lambda: Plain(line=nn.Linear(2, 2)), byte_level, {}, f"{UNKNOWN}it has none"),
    (lambda: Plain(words=table(372)), byte_level, {"embedding": "tokens"}, "Plain has no layer 'tokens'"),
    (
        lambda: Plain(norm=nn.LayerNorm(372)),
        byte_level,
        {"embedding": "norm"},
        "the norm embeddings (LayerNorm) have no weight with two axes",
    ),
    (lambda: table(372), Own, {}, "Own (encode and decode only) cannot say its largest id"),
    (lambda: table(372), lambda: Tokenizer(models.BPE({}, [])), {}, "the tokenizer has no tokens"),
    (lambda: table(372), lambda: None, {}, NO_TOKENIZER),
    (lambda: "model.pt", byte_level, {}, "str is no torch.nn.Module: give the model itself"),
]


@pytest.mark.parametrize(("make", "tokenizer", "promises", "message"), UNMEASURED, ids=[row[3] for row in UNMEASURED])
def test_what_cannot_be_found_is_an_error(expect, make, tokenizer, promises, message):
    model = make()
    message = f"vocabulary_fits of {type(model).__name__}: not measured: {message}"
    expect(vocabulary_fits, model, tokenizer(), outcome="error", message=message, **promises)


GATES = """
import pytest
from tokenizers import Tokenizer, models
from torch import nn

@pytest.fixture
def tokenizer():
    made = Tokenizer(models.BPE({"a": 0, "b": 1}, []))
    made.add_special_tokens(["<s>"])
    return made

@pytest.fixture
def model():
    return nn.Embedding(2, 4)

@pytest.mark.modelcheck_vocabulary(size=3, special_tokens={"<s>": 2})
def test_kept(tokenizer): ...

@pytest.mark.modelcheck_vocabulary_fits
def test_short(model, tokenizer): ...
"""


def test_markers_leave_rows(pytester, run_gates):
    pytester.makepyfile(GATES)
    result, rows = run_gates()
    result.assert_outcomes(passed=1, failed=1)
    told = sorted([row[name] for name in ("check", "outcome", "promised", "measured")] for row in rows)
    assert told == [
        ["vocabulary", "passed", "3 tokens, '<s>' is 2", "3 tokens, '<s>' is 2"],
        ["vocabulary_fits", "failed", "a row for every id", "largest id 2, input embeddings 2 rows (0 are slack)"],
    ]


@pytest.mark.parametrize(("check", "number"), [(vocabulary, 5), (vocabulary_fits, 5)])
def test_the_examples_in_the_docstring_are_true(examples, check, number):
    assert examples(check) == number
