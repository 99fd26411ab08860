"""The promises of an embedding table: its size, what it shares, and what is in it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
)

from pytest_modelcheck import ConfigError, ModelCheckFailure
from pytest_modelcheck.checks.embeddings import embedding_table

SMALL = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1}


def bert():
    return BertModel(BertConfig(**SMALL))


def masked_lm(**changes):
    return BertForMaskedLM(BertConfig(**SMALL, **changes))


def distilbert():
    return DistilBertModel(DistilBertConfig(vocab_size=50, dim=16, hidden_dim=32, n_heads=2, n_layers=1))


def gpt2(**changes):
    config = GPT2Config(vocab_size=50, n_embd=16, n_head=2, n_layer=1, bos_token_id=1, eos_token_id=2, **changes)
    return GPT2LMHeadModel(config)


def t5():
    config = T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0)
    return T5ForConditionalGeneration(config)


def table(rows):
    return nn.Embedding.from_pretrained(torch.tensor(rows))


ROWS = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]


class Head(nn.Module):
    """A model of one's own that says what its tables are; the head may share the memory or be a copy."""

    def __init__(self, weight):
        super().__init__()
        self.words, self.head = table(ROWS), nn.Linear(2, 3, bias=False)
        self.head.weight = nn.Parameter(weight(self.words.weight), requires_grad=False)

    def get_input_embeddings(self):
        return self.words

    def get_output_embeddings(self):
        return self.head


class Hashing(nn.Embedding):
    """It takes any id."""

    def forward(self, ids):
        return super().forward(ids % self.num_embeddings)


class Short(nn.Embedding):
    """It does not reach its last row."""

    def forward(self, ids):
        if bool((ids >= self.num_embeddings - 1).any()):
            raise IndexError("no such id")
        return super().forward(ids)


class Resizable(nn.Module):
    """It can grow, and something goes wrong."""

    def __init__(self, fault=""):
        super().__init__()
        self.words, self.fault = table(ROWS), fault
        self.head = nn.Linear(2, 3, bias=False)
        self.head.weight = self.words.weight

    def get_input_embeddings(self):
        return self.words

    def get_output_embeddings(self):
        return self.head

    def resize_token_embeddings(self, number):
        if self.fault == "raises":
            raise ValueError("cannot grow\nat all")
        rows = self.words.weight.data
        new = torch.full((1, 2), float("nan") if self.fault == "nan" else 1.0)
        grown = torch.cat([rows.flip(0) if self.fault == "moved" else rows, new])
        if self.fault != "idle":
            self.words = nn.Embedding.from_pretrained(grown)
        if self.fault == "untied":
            self.head.weight = nn.Parameter(grown.clone())
        elif self.fault != "old head":
            self.head.weight = self.words.weight


KEPT = [
    ("distilbert", distilbert, {"num_embeddings": 50, "embedding_dim": 16, "padding_idx": 0}),
    ("bert grows", bert, {"unique_rows": True, "resizable": True}),
    ("gpt2 is tied", gpt2, {"tied": True, "num_embeddings": 50, "resizable": True}),
    ("gpt2 is not tied", lambda: gpt2(tie_word_embeddings=False), {"tied": False, "resizable": True}),
    ("a masked language model is tied", masked_lm, {"tied": True, "resizable": True}),
    ("t5 is tied", t5, {"tied": True, "num_embeddings": 50, "resizable": True}),
    ("positions by name", distilbert, {"embedding": "embeddings.position_embeddings", "num_embeddings": 512}),
    ("the only table", lambda: nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2)), {"num_embeddings": 9}),
    ("a bag", lambda: nn.EmbeddingBag(9, 4), {"num_embeddings": 9, "embedding_dim": 4}),
    ("half precision", lambda: nn.Embedding(9, 4, dtype=torch.bfloat16), {"num_embeddings": 9, "unique_rows": True}),
    ("norms are held", lambda: nn.Embedding(9, 4, max_norm=1.0), {"num_embeddings": 9}),
    ("compiled", lambda: torch.compile(nn.Embedding(9, 4), backend="eager"), {"num_embeddings": 9}),
    ("one memory", lambda: Head(lambda weight: weight.data), {"tied": True}),
    ("a copy", lambda: Head(lambda weight: weight.clone()), {"tied": False}),
    ("a model of one's own grows", Resizable, {"resizable": True}),
    ("a factory", lambda: lambda: nn.Embedding(10**9, 10**4), {"num_embeddings": 10**9, "embedding_dim": 10**4}),
    ("a class", lambda: gpt2, {"num_embeddings": 50, "tied": True}),
]


@pytest.mark.parametrize(("make", "promises"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT])
def test_a_table_that_keeps_its_promise_passes(make, promises):
    result = embedding_table(make(), **promises)
    assert result.message == ""
    assert result.ok


RESIZE = "resize_token_embeddings(4)"

BROKEN = [
    (
        "another size",
        lambda: nn.Embedding(1001, 3),
        {"num_embeddings": 1000, "embedding_dim": 4},
        "embedding_table of Embedding: it has 1,001 rows, promised 1,000 (1 more).\n"
        "it has 3 dimensions, promised 4 (1 fewer).",
    ),
    (
        "an untied head",
        lambda: gpt2(tie_word_embeddings=False),
        {"tied": True},
        "embedding_table of GPT2LMHeadModel: the output embeddings have a weight of their own, promised tied to the "
        "input embeddings. Call tie_weights(), and look at the configuration's tie_word_embeddings.",
    ),
    (
        "equal is not tied",
        lambda: Head(lambda weight: weight.clone()),
        {"tied": True},
        "embedding_table of Head: the output embeddings have a weight of their own, promised tied to the input "
        "embeddings. Call tie_weights(), and look at the configuration's tie_word_embeddings.",
    ),
    (
        "a tied head",
        gpt2,
        {"tied": False},
        "embedding_table of GPT2LMHeadModel: the output embeddings are the input embeddings, promised not tied.",
    ),
    (
        "no padding",
        lambda: nn.Embedding(9, 4),
        {"padding_idx": 0},
        "embedding_table of Embedding: padding_idx is None, promised 0.",
    ),
    (
        "another padding",
        lambda: nn.Embedding(9, 4, padding_idx=-1),
        {"padding_idx": 0},
        "embedding_table of Embedding: padding_idx is 8, promised 0.",
    ),
    (
        "equal rows",
        lambda: table([[0.0, 1.0], [2.0, 3.0], [-0.0, 1.0], [2.0, 3.0], [2.0, 3.0]]),
        {"unique_rows": True},
        "embedding_table of Embedding: 5 rows are equal to others: rows 0, 2; rows 1, 3, 4.",
    ),
    (
        "many equal rows",
        lambda: table([[float(row % 7)] for row in range(70)]),
        {"unique_rows": True},
        "embedding_table of Embedding: 70 rows are equal to others: rows 0, 7, 14, 21, 28 and 5 more; rows 1, 8, 15, "
        "22, 29 and 5 more; rows 2, 9, 16, 23, 30 and 5 more; rows 3, 10, 17, 24, 31 and 5 more; rows 4, 11, 18, 25, "
        "32 and 5 more; and 2 groups more.",
    ),
    (
        "a row of nan",
        lambda: table([[0.0, 1.0], [float("nan"), 3.0]]),
        {"embedding_dim": 2},
        "embedding_table of Embedding: row 1 holds NaN or infinite values.",
    ),
    (
        "rows that are infinite",
        lambda: table([[0.0, float("inf")], [2.0, 3.0], [float("-inf"), 3.0]]),
        {"unique_rows": True},
        "embedding_table of Embedding: rows 0, 2 hold NaN or infinite values.",
    ),
    (
        "any id",
        lambda: Hashing(9, 4),
        {"num_embeddings": 9},
        "embedding_table of Hashing: the id 9 can be looked up too, and lies behind the last of 9 rows.",
    ),
    (
        "not the last id",
        lambda: Short(9, 4),
        {"num_embeddings": 9},
        "embedding_table of Short: the last id, 8, cannot be looked up: forward raised IndexError: no such id.",
    ),
    (
        "it cannot grow",
        lambda: Resizable("raises"),
        {"resizable": True},
        f"embedding_table of Resizable: {RESIZE} raised ValueError: cannot grow.",
    ),
    (
        "it does not grow",
        lambda: Resizable("idle"),
        {"resizable": True},
        f"embedding_table of Resizable: {RESIZE} gives 3 rows.",
    ),
    (
        "it moves rows",
        lambda: Resizable("moved"),
        {"resizable": True},
        f"embedding_table of Resizable: {RESIZE} changes old rows, the first of them row 0.",
    ),
    (
        "its new row is nan",
        lambda: Resizable("nan"),
        {"resizable": True},
        f"embedding_table of Resizable: {RESIZE} adds a row that is not finite.",
    ),
    (
        "it unties",
        lambda: Resizable("untied"),
        {"resizable": True},
        f"embedding_table of Resizable: {RESIZE} unties the input and the output embeddings.",
    ),
    (
        "it leaves the head",
        lambda: Resizable("old head"),
        {"resizable": True},
        f"embedding_table of Resizable: {RESIZE} leaves the output embeddings with 3 rows.\n"
        f"{RESIZE} unties the input and the output embeddings.",
    ),
    (
        "a factory of another size",
        lambda: lambda: nn.Embedding(9, 4),
        {"num_embeddings": 10},
        "embedding_table of Embedding: it has 9 rows, promised 10 (1 fewer).",
    ),
    (
        "a factory that ties nothing",
        lambda: lambda: gpt2(tie_word_embeddings=False),
        {"tied": True},
        "embedding_table of GPT2LMHeadModel: the output embeddings have a weight of their own, promised tied to the "
        "input embeddings. Call tie_weights(), and look at the configuration's tie_word_embeddings.",
    ),
]


@pytest.mark.parametrize(("make", "promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_table_fails(expect, make, promises, message):
    expect(embedding_table, make(), outcome="failed", message=message, **promises)


UNMEASURED = [
    (
        "no table",
        lambda: nn.Linear(4, 3),
        {"num_embeddings": 9},
        "embedding_table of Linear: not measured: the input embeddings of Linear are not known: give embedding=; it "
        "has none",
    ),
    (
        "two tables",
        lambda: nn.Sequential(nn.Embedding(9, 4), nn.Embedding(9, 4)),
        {"num_embeddings": 9},
        "embedding_table of Sequential: not measured: the input embeddings of Sequential are not known: give "
        "embedding=; its tables are 0, 1",
    ),
    (
        "no such layer",
        lambda: nn.Embedding(9, 4),
        {"num_embeddings": 9, "embedding": "words"},
        "embedding_table of Embedding: not measured: Embedding has no layer 'words'",
    ),
    (
        "no table at all",
        lambda: nn.Sequential(nn.LayerNorm(4)),
        {"num_embeddings": 9, "embedding": "0"},
        "embedding_table of Sequential: not measured: the embeddings (LayerNorm) have no weight with two axes",
    ),
    (
        "nothing in it",
        lambda: nn.Embedding(0, 4),
        {"num_embeddings": 0},
        "embedding_table of Embedding: not measured: the table is [0, 4], and holds nothing",
    ),
    (
        "no head",
        bert,
        {"tied": True},
        "embedding_table of BertModel: not measured: BertModel has no get_output_embeddings that gives a layer: "
        "promise the tied weights by name, parameters(tied=[(..., ...)])",
    ),
    (
        "it cannot be resized",
        lambda: nn.Embedding(9, 4),
        {"resizable": True},
        "embedding_table of Embedding: not measured: Embedding has no resize_token_embeddings",
    ),
    (
        "values on meta",
        lambda: lambda: nn.Embedding(9, 4),
        {"unique_rows": True},
        "embedding_table of {name}: not measured: the model is on the meta device and has no values: unique_rows needs "
        "its weights",
    ),
    (
        "growing on meta",
        lambda: nn.Embedding(9, 4, device="meta"),
        {"resizable": True},
        "embedding_table of Embedding: not measured: the model is on the meta device and has no values: resizable "
        "needs its weights",
    ),
    (
        "no model",
        lambda: 5,
        {"num_embeddings": 9},
        "embedding_table of int: not measured: int is no torch.nn.Module: give the model itself, or a function without "
        "arguments that builds it",
    ),
]


@pytest.mark.parametrize(
    ("make", "promises", "message"), [row[1:] for row in UNMEASURED], ids=[row[0] for row in UNMEASURED]
)
def test_what_cannot_be_looked_at_is_an_error(expect, make, promises, message):
    subject = make()
    name = getattr(subject, "__qualname__", "")
    expect(embedding_table, subject, outcome="error", message=message.replace("{name}", name), **promises)


NOTHING = (
    "embedding_table promises nothing: give at least one of num_embeddings, embedding_dim, tied, padding_idx, "
    "unique_rows, resizable"
)


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({"embedding": "words"}, NOTHING),
        ({"num_embeddings": -1}, "num_embeddings=-1: an integer of at least 0 is expected"),
        ({"embedding_dim": 4.0}, "embedding_dim=4.0: an integer of at least 0 is expected"),
        ({"tied": "yes"}, "tied='yes': True or False is expected"),
        ({"unique_rows": False}, "unique_rows=False: True is expected; leave it out where nothing is promised"),
        ({"resizable": 1}, "resizable=1: True is expected; leave it out where nothing is promised"),
        (
            {"rows": 9},
            "embedding_table has no promise 'rows'; its promises are num_embeddings, embedding_dim, tied, padding_idx, "
            "embedding, unique_rows, resizable",
        ),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        embedding_table(nn.Embedding(9, 4), **promises)
    assert str(raised.value) == message


def test_a_model_is_left_as_it_was():
    model = gpt2().train()
    before = {name: item.clone() for name, item in model.state_dict().items()}
    state = torch.get_rng_state()
    assert embedding_table(model, num_embeddings=50, tied=True, resizable=True).changes == ()
    assert all(torch.equal(item, before[name]) for name, item in model.state_dict().items())
    assert (model.config.vocab_size, len(model.lm_head.weight), model.training) == (50, 50, True)
    assert model.lm_head.weight is model.transformer.wte.weight
    assert torch.equal(torch.get_rng_state(), state)


def test_a_lookup_that_writes_leaves_the_table_as_it_was():
    model = nn.Embedding(9, 4, max_norm=0.001)
    before = model.weight.detach().clone()
    assert embedding_table(model, num_embeddings=9).ok
    assert torch.equal(model.weight, before)


def test_the_measurement_names_each_promise():
    result = embedding_table(gpt2(), num_embeddings=50, embedding_dim=16, tied=True, unique_rows=True, resizable=True)
    assert result.promised == "50 rows, dimension 16, tied, no equal rows, resizable"
    assert result.measured == "50 rows, dimension 16, tied, all finite, no equal rows, resizable"
    assert result.evidence == {"num_embeddings": 50, "embedding_dim": 16, "problems": []}
    built = embedding_table(gpt2, num_embeddings=50)
    assert (built.subject, built.measured) == (
        "GPT2LMHeadModel",
        "50 rows, values not measured (inside of a factory, built on the meta device)",
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_an_id_out_of_range_does_not_end_cuda():
    model = gpt2().cuda()
    assert embedding_table(model, num_embeddings=50, tied=True, unique_rows=True, resizable=True).ok
    assert torch.ones(1, device="cuda").item() == 1


# Slow: it makes a model of 66 million weights.
@pytest.mark.slow
def test_distilbert_has_its_published_table():
    encoder = DistilBertModel(DistilBertConfig())
    assert embedding_table(encoder, num_embeddings=30_522, embedding_dim=768, padding_idx=0, unique_rows=True).ok


def test_the_assert_form_raises_what_the_result_says():
    with pytest.raises(ModelCheckFailure) as raised:
        embedding_table.assert_form(nn.Embedding(9, 4), num_embeddings=10)
    assert str(raised.value) == "embedding_table of Embedding: it has 9 rows, promised 10 (1 fewer)."


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(embedding_table) == 3
