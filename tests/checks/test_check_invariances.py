"""The promises of what outputs depend on: the order of tokens, padding, the rest of a batch, the future."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
)

from pytest_modelcheck import ConfigError, ModelCheckFailure
from pytest_modelcheck.checks.invariances import (
    batch_invariant,
    causal,
    order_sensitive,
    padding_invariant,
    permutation_equivariant,
)
from pytest_modelcheck.context import Context

IDS = torch.tensor([[3, 4, 5, 6, 7, 8, 9], [13, 14, 15, 16, 17, 0, 0]])
PADDED = {"input_ids": IDS, "attention_mask": (IDS != 0).long()}
PAIRED = {**PADDED, "decoder_input_ids": IDS[:, :5] + 1}
WORDS = torch.tensor([[1, 2, 3, 4]])
NAN = float("nan")

SMALL = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}


def bert():
    return BertModel(BertConfig(**SMALL))


def distilbert():
    return DistilBertModel(DistilBertConfig(vocab_size=50, dim=16, hidden_dim=32, n_heads=2, n_layers=2))


def gpt2():
    return GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_head=2, n_layer=2, bos_token_id=1, eos_token_id=2))


def t5():
    sizes = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    return T5ForConditionalGeneration(T5Config(**sizes, decoder_start_token_id=0))


class Encoder(nn.Module):
    """Torch's transformer encoder over words, with positions or without."""

    def __init__(self, *, positions):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.words = nn.Embedding(50, 16)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.positions = nn.Embedding(40, 16) if positions else None

    def forward(self, input_ids, attention_mask=None):
        tokens = self.words(input_ids)
        if self.positions is not None:
            tokens = tokens + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        hidden = None if attention_mask is None else attention_mask == 0
        return self.encoder(tokens, src_key_padding_mask=hidden)


class Decoder(nn.Module):
    """Torch's encoder-decoder; its mask may let one later token through."""

    def __init__(self, leak=0):
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.transformer = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)
        self.leak = leak

    def forward(self, source, target):
        size = target.shape[1]
        mask = torch.ones(size, size, dtype=torch.bool, device=target.device).triu(1 + self.leak)
        return self.transformer(self.words(source), self.words(target), tgt_mask=mask)


class Numbers(nn.Module):
    """A word is its id as a number; what is done to the row of numbers `[batch, tokens, 1]` is given."""

    def __init__(self, change=lambda numbers, mask: numbers):
        super().__init__()
        self.words = nn.Embedding.from_pretrained(torch.arange(10.0)[:, None])
        self.change = change

    def forward(self, input_ids, attention_mask=None):
        numbers = self.words(input_ids)
        mask = torch.ones_like(numbers) if attention_mask is None else attention_mask[..., None]
        return self.change(numbers, mask)


def same(numbers, mask):
    return numbers


def caching(numbers, mask):
    """The keys and values as transformers 4 may give them, whose tokens are on axis 2."""
    return {"logits": numbers, "past_key_values": ((numbers[:, None], numbers[:, None]),)}


def placed(numbers, mask):
    return numbers + torch.arange(numbers.shape[1], dtype=numbers.dtype, device=numbers.device)[None, :, None] * 2


def masked_mean(numbers, mask):
    return (numbers * mask).sum(1) / mask.sum(1)


def plain_mean(numbers, mask):
    return numbers.mean(1)


def leaking(numbers, mask):
    """Each token sees the one after it, and so does a mask that is shifted by one."""
    return numbers + nn.functional.pad(numbers, (0, 0, 0, 1))[:, 1:]


def leaking_once(numbers, mask):
    """Only the third token sees the one after it."""
    later = numbers.clone()
    later[:, 2:3] += numbers[:, 3:4].sum(1, keepdim=True)
    return later


def counting(numbers, mask):
    return numbers.cumsum(1)


def less_batch(numbers, mask):
    return numbers - numbers.mean(0, keepdim=True)


def constant(numbers, mask):
    return numbers * 0 + 1


def not_a_number(numbers, mask):
    return torch.where(numbers == 3, NAN, numbers)


def ranks(numbers, mask):
    return numbers.argsort(1)


def noisy(numbers, mask):
    return numbers + torch.rand_like(numbers)


def pair(change):
    return lambda numbers, mask: {"each": change(numbers, mask), "whole": masked_mean(numbers, mask)}


TWO = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
MASKED = {"input_ids": torch.tensor([[1, 2, 3]]), "attention_mask": torch.ones(1, 3, dtype=torch.int64)}
RIGHT = {"side": "right", "pad_token_id": 0}
LEFT = {"side": "left", "pad_token_id": 0}

KEPT = [
    ("bert sees order", order_sensitive, bert, PADDED, {}),
    ("distilbert sees order", order_sensitive, distilbert, PADDED, {}),
    ("gpt2 sees order", order_sensitive, gpt2, PADDED, {}),
    ("t5 sees order", order_sensitive, t5, PAIRED, {}),
    ("positions", order_sensitive, lambda: Encoder(positions=True), IDS, {}),
    ("gru", order_sensitive, lambda: nn.GRU(2, 3, batch_first=True), torch.rand(2, 5, 2), {}),
    ("gru, tokens first", order_sensitive, lambda: nn.GRU(2, 3), torch.rand(5, 2, 2), {"dim": 0}),
    ("ranks see order", order_sensitive, lambda: Numbers(ranks), torch.tensor([[4, 1, 3, 2]]), {"outputs": "output"}),
    ("no positions", permutation_equivariant, lambda: Encoder(positions=False), IDS, {}),
    ("no positions, a mask", permutation_equivariant, lambda: Encoder(positions=False), PADDED, {}),
    ("words", permutation_equivariant, Numbers, WORDS, {"tolerance": 0}),
    ("a mean of words", permutation_equivariant, lambda: Numbers(pair(same)), WORDS, {}),
    ("a set of vectors", permutation_equivariant, lambda: nn.Linear(2, 3), torch.rand(5, 2), {"dim": 0}),
    ("bert, right", padding_invariant, bert, PADDED, {"side": "right"}),
    ("distilbert, right", padding_invariant, distilbert, PADDED, {"side": "right"}),
    ("gpt2, right", padding_invariant, gpt2, PADDED, RIGHT),
    ("t5, right", padding_invariant, t5, PAIRED, {"side": "right"}),
    ("t5, left", padding_invariant, t5, PAIRED, {"side": "left"}),
    ("no positions, left", padding_invariant, lambda: Encoder(positions=False), PADDED, LEFT),
    ("a mean with its mask", padding_invariant, lambda: Numbers(masked_mean), MASKED, LEFT),
    ("one token", padding_invariant, lambda: Numbers(masked_mean), {k: v[:, :1] for k, v in MASKED.items()}, LEFT),
    ("bert, batch", batch_invariant, bert, PADDED, {}),
    ("t5, batch", batch_invariant, t5, PAIRED, {}),
    ("gru, batch", batch_invariant, lambda: nn.GRU(2, 3), torch.rand(5, 2, 2), {"batch_dim": 1}),
    (
        "gru, batch first",
        batch_invariant,
        lambda: nn.GRU(2, 3, batch_first=True),
        torch.rand(2, 5, 2),
        {"batch_dim": {"1": 1}},
    ),
    ("running statistics", batch_invariant, lambda: nn.BatchNorm1d(3), torch.rand(4, 3), {}),
    ("gpt2 is causal", causal, gpt2, PADDED, {}),
    ("t5's decoder is causal", causal, t5, PAIRED, {"outputs": "logits"}),
    ("torch's decoder is causal", causal, Decoder, {"source": IDS, "target": IDS + 1}, {"tokens": "target"}),
    ("gru is causal", causal, lambda: nn.GRU(2, 3, batch_first=True), torch.rand(2, 5, 2), {"outputs": ["0"]}),
    ("a sum of the past", causal, lambda: Numbers(counting), WORDS, {"tolerance": 0}),
    ("a cache of plain tensors is no output", causal, lambda: Numbers(caching), WORDS, {}),
    ("a long row", causal, lambda: Numbers(counting), torch.arange(40).reshape(1, -1) % 10, {}),
]


@pytest.mark.parametrize(("check", "make", "inputs", "promises"), [r[1:] for r in KEPT], ids=[r[0] for r in KEPT])
def test_a_model_that_keeps_its_promise_passes(check, make, inputs, promises):
    torch.manual_seed(0)
    result = check(make(), inputs, **promises)
    assert result.message == ""
    assert result.ok
    assert result.changes == ()
    assert 0 <= result.margin <= 1
    assert result.evidence["tolerance"] < 1e-3


NO_ORDER = "the model does not see the order of its tokens. Are positions added to them?"
SEEN = "padding is seen. Is the mask used?"
SEEN_LEFT = "padding is seen. Is the mask used, and do positions count from the left?"
OTHERS = "the samples of a batch are seen by each other."
AHEAD = "a token sees what comes after it."

BROKEN = [
    (
        "positions dropped",
        order_sensitive,
        Numbers,
        WORDS,
        {},
        f"order_sensitive of Numbers: shuffle 1 of 3 changes output at [0, 0, 0] by 0, and no output by more than "
        f"4e-05: {NO_ORDER}",
    ),
    (
        "a mean does not see order",
        order_sensitive,
        lambda: Numbers(masked_mean),
        MASKED,
        {"tolerance": 0.5},
        f"order_sensitive of Numbers: shuffle 1 of 3 changes output at [0, 0] by 0, and no output by more than 0.5: "
        f"{NO_ORDER}",
    ),
    (
        "positions where none are promised",
        permutation_equivariant,
        lambda: Numbers(placed),
        WORDS,
        {},
        "permutation_equivariant of Numbers: shuffle 3 of 3 changes output at [0, 0, 0] by 6, and 0.0001 is tolerated: "
        "the model sees the order of its inputs.",
    ),
    (
        "the mask ignored, right",
        padding_invariant,
        lambda: Numbers(plain_mean),
        MASKED,
        RIGHT,
        f"padding_invariant of Numbers: 8 pad tokens on the right change output at [0, 0] by 1.45, and 2e-05 is "
        f"tolerated: {SEEN}",
    ),
    (
        "positions from the left",
        padding_invariant,
        lambda: Numbers(placed),
        MASKED,
        {**LEFT, "max_pad": 1},
        f"padding_invariant of Numbers: 1 pad token on the left changes output at [0, 0, 0] by 2, and 7e-05 is "
        f"tolerated: {SEEN_LEFT}",
    ),
    (
        "padding that gives nan",
        padding_invariant,
        lambda: Numbers(lambda numbers, mask: (numbers.log() * mask).sum(1)),
        MASKED,
        RIGHT,
        "padding_invariant of Numbers: output holds 1 of 1 values that are NaN or infinite, the first at [0, 0]: the "
        "outputs of all layers are finite, and what the forward makes of them is not.",
    ),
    (
        "normalised over the batch",
        batch_invariant,
        lambda: Numbers(less_batch),
        TWO,
        {},
        f"batch_invariant of Numbers: taking sample 0 alone changes output at [0, 0, 0] by 2, and 2e-05 is tolerated: "
        f"{OTHERS}",
    ),
    (
        "a sum over the batch in one output of two",
        batch_invariant,
        lambda: Numbers(pair(less_batch)),
        TWO,
        {"tolerance": 0.25},
        f"batch_invariant of Numbers: taking sample 0 alone changes each at [0, 0, 0] by 2, and 0.25 is tolerated: "
        f"{OTHERS}",
    ),
    (
        "integers are exact",
        batch_invariant,
        lambda: Numbers(lambda numbers, mask: numbers.long() + len(numbers)),
        TWO,
        {"tolerance": 5},
        f"batch_invariant of Numbers: taking sample 0 alone changes output at [0, 0, 0] by 1, and 0 is tolerated: "
        f"{OTHERS}",
    ),
    (
        "a leak of one token",
        causal,
        lambda: Numbers(leaking),
        WORDS,
        {},
        f"causal of Numbers: replacing the tokens from 1 on changes output at [0, 0, 0] by 1, and 3e-05 is tolerated: "
        f"{AHEAD}",
    ),
    (
        "a leak at one place",
        causal,
        lambda: Numbers(leaking_once),
        WORDS,
        {},
        f"causal of Numbers: replacing the tokens from 3 on changes output at [0, 2, 0] by 1, and 7e-05 is tolerated: "
        f"{AHEAD}",
    ),
    (
        "a layer that gives nan",
        order_sensitive,
        lambda: Numbers(not_a_number),
        WORDS,
        {},
        "order_sensitive of Numbers: output holds 1 of 4 values that are NaN or infinite, the first at [0, 3, 0]: the "
        "outputs of all layers are finite, and what the forward makes of them is not.",
    ),
    (
        "a weight that is nan",
        batch_invariant,
        lambda: _with_nan(nn.Linear(2, 3)),
        torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        {},
        "batch_invariant of Linear: output holds 1 of 3 values that are NaN or infinite, the first at [0, 1]: "
        "parameter bias is not finite.",
    ),
]


def _with_nan(layer):
    layer.bias.data[1] = NAN
    return layer


@pytest.mark.parametrize(
    ("check", "make", "inputs", "promises", "message"), [r[1:] for r in BROKEN], ids=[r[0] for r in BROKEN]
)
def test_a_broken_twin_fails(expect, check, make, inputs, promises, message):
    expect(check, make(), inputs, outcome="failed", message=message, **promises)


class Blind(BertModel):
    """BERT that forgets its mask."""

    def forward(self, input_ids, attention_mask=None, **keywords):
        return super().forward(input_ids, **keywords)


class Unplaced(DistilBertModel):
    """DistilBERT whose positions are all the same."""

    def __init__(self, config):
        super().__init__(config)
        self.embeddings.position_embeddings.weight.data.zero_()


REAL = [
    ("distilbert without positions", order_sensitive, lambda: Unplaced(distilbert().config), PADDED, {}),
    ("encoder without positions", order_sensitive, lambda: Encoder(positions=False), PADDED, {}),
    ("bert has positions", permutation_equivariant, bert, PADDED, {}),
    ("gru has an order", permutation_equivariant, lambda: nn.GRU(2, 3, batch_first=True), torch.rand(1, 5, 2), {}),
    ("bert, left", padding_invariant, bert, PADDED, {"side": "left"}),
    ("distilbert, left", padding_invariant, distilbert, PADDED, {"side": "left"}),
    ("gpt2, left", padding_invariant, gpt2, PADDED, LEFT),
    ("bert without its mask", padding_invariant, lambda: Blind(bert().config), PADDED, {"side": "right"}),
    (
        "batch normalisation",
        batch_invariant,
        lambda: nn.BatchNorm1d(3, track_running_stats=False),
        torch.rand(4, 3, 5),
        {},
    ),
    ("bert is not causal", causal, bert, PADDED, {"outputs": "last_hidden_state"}),
    ("a leak of one", causal, lambda: Decoder(leak=1), {"source": IDS, "target": IDS + 1}, {"tokens": ["target"]}),
    (
        "both directions",
        causal,
        lambda: nn.GRU(2, 3, batch_first=True, bidirectional=True),
        torch.rand(2, 5, 2),
        {"outputs": "0"},
    ),
    ("t5's encoder", causal, t5, PAIRED, {"tokens": "input_ids", "outputs": "encoder_last_hidden_state"}),
]


@pytest.mark.parametrize(("check", "make", "inputs", "promises"), [r[1:] for r in REAL], ids=[r[0] for r in REAL])
def test_a_real_model_that_breaks_its_promise_fails(check, make, inputs, promises):
    torch.manual_seed(0)
    result = check(make(), inputs, **promises)
    assert result.outcome == "failed"
    assert result.margin < -0.9
    assert (result.evidence["difference"] > result.evidence["tolerance"]) == (check is not order_sensitive)


class Own(nn.Module):
    def forward(self, **inputs):
        return next(iter(inputs.values()))


class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.mixer = nn.Linear(4, 4)

    def forward(self, inputs):
        return self.mixer(inputs.transpose(1, 2)).transpose(1, 2)


class Counting(nn.Module):
    """It remembers how often it ran, where nobody looks."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, inputs):
        self.calls += 1
        return inputs.float() + self.calls


class Nothing(nn.Module):
    def forward(self, inputs):
        return inputs.tolist()


class Empty(nn.Module):
    def forward(self, inputs):
        return inputs[:0]


def meta():
    return nn.Embedding(10, 2, device="meta")


UNMEASURED = [
    (
        "random",
        order_sensitive,
        lambda: Numbers(noisy),
        WORDS,
        {"tolerance": 0},
        r"the model gives other outputs for the same inputs \(output differs by 0\.\d+\): it is random in itself, and "
        "nothing can be compared",
    ),
    (
        "it counts",
        batch_invariant,
        Counting,
        TWO,
        {},
        r"the model gives other outputs for the same inputs \(output differs by 1\): it is random in itself, and "
        "nothing can be compared",
    ),
    (
        "constant",
        permutation_equivariant,
        lambda: Numbers(constant),
        WORDS,
        {},
        "the output does not depend on the order of its inputs at all, because it is constant: it is the same for "
        "other inputs",
    ),
    (
        "constant, causal",
        causal,
        lambda: Numbers(constant),
        WORDS,
        {},
        "changing the last token changes nothing, not at its own place either: the outputs do not depend on it",
    ),
    (
        "constant, padded",
        padding_invariant,
        lambda: Numbers(constant),
        MASKED,
        RIGHT,
        "the outputs are the same for other tokens: nothing says that padding has no part",
    ),
    (
        "constant, batch",
        batch_invariant,
        lambda: Numbers(constant),
        TWO,
        {},
        "the outputs are the same for every sample: nothing says that others have no part",
    ),
    (
        "equal tokens",
        order_sensitive,
        Numbers,
        WORDS * 0,
        {},
        "all tokens are the same: shuffling them changes nothing. Give inputs with other tokens",
    ),
    (
        "equal but for padding",
        order_sensitive,
        Numbers,
        {"input_ids": torch.tensor([[5, 5, 5, 0]]), "attention_mask": torch.tensor([[1, 1, 1, 0]])},
        {},
        "all tokens are the same: shuffling them changes nothing. Give inputs with other tokens",
    ),
    ("one token", order_sensitive, Numbers, WORDS[:, :1], {}, "there is 1 token, and two are needed"),
    ("no token", causal, Numbers, WORDS[:, :0], {}, "there are no tokens"),
    (
        "one token and padding",
        causal,
        Numbers,
        {"input_ids": WORDS, "attention_mask": torch.tensor([[1, 0, 0, 0]])},
        {},
        "there is 1 token that is no padding, and two are needed",
    ),
    (
        "all masked",
        order_sensitive,
        Numbers,
        {"input_ids": WORDS, "attention_mask": WORDS * 0},
        {},
        "the attention mask hides every token: there is nothing to compare",
    ),
    (
        "no such input",
        order_sensitive,
        Own,
        {"a": WORDS, "b": WORDS},
        {"tokens": "c"},
        r"there is no input 'c'; there is a \[1, 4\], b \[1, 4\]",
    ),
    (
        "which input",
        causal,
        Own,
        {"a": WORDS, "b": WORDS},
        {},
        r"it is not known which inputs are the tokens \(a \[1, 4\], b \[1, 4\]\): give tokens=",
    ),
    (
        "two lengths",
        order_sensitive,
        Own,
        {"a": WORDS, "b": WORDS[:, :2]},
        {"tokens": ["a", "b"]},
        r"the tokens are not of one length: a \[1, 4\] on axis 1, b \[1, 2\] on axis 1",
    ),
    (
        "no such axis",
        order_sensitive,
        Numbers,
        WORDS,
        {"dim": 2},
        r"the input is \[1, 4\], and has no axis 2 of tokens",
    ),
    (
        "no such output",
        causal,
        gpt2,
        PADDED,
        {"outputs": "scores"},
        r"there is no output 'scores'; there is logits \[2, 7, 50\]",
    ),
    (
        "an output without tokens",
        causal,
        bert,
        PADDED,
        {},
        r"pooler_output \[2, 16\]: no axis of tokens. Give outputs= with those that have one",
    ),
    (
        "an axis of no tokens",
        order_sensitive,
        lambda: Numbers(masked_mean),
        MASKED,
        {"dim": {"output": 1}},
        r"output is \[1, 1\], and its axis 1 is not one of 3 tokens",
    ),
    (
        "an axis for nothing",
        order_sensitive,
        Numbers,
        WORDS,
        {"dim": {"logits": 1}},
        "an axis is promised for 'logits', which is no tensor here; there is inputs, output",
    ),
    (
        "tokens on another axis",
        order_sensitive,
        lambda: Numbers(lambda numbers, mask: numbers.transpose(1, 2)),
        WORDS,
        {},
        r"output is \[1, 1, 4\] for 4 tokens and \[1, 1, 3\] for one token less: its tokens are not on axis 1 alone. "
        r"Give dim=\{'output': ...\}, or outputs= without it",
    ),
    (
        "a fixed number of tokens",
        permutation_equivariant,
        Fixed,
        torch.rand(1, 4, 2),
        {},
        r"which outputs have an axis of tokens cannot be seen, since the model does not run on 3 of 4 tokens: give "
        r"dim= for each output, such as \{'output': 1\}. forward raised RuntimeError: [^\n]*\n  inputs: input "
        r"\[1, 3, 2\]",
    ),
    (
        "no mask",
        padding_invariant,
        Numbers,
        {"input_ids": WORDS},
        RIGHT,
        r"padding needs the tensors of a tokenizer, input_ids and attention_mask; there is input_ids \[1, 4\]",
    ),
    (
        "an input that is not padded",
        padding_invariant,
        Own,
        {**MASKED, "labels": WORDS},
        RIGHT,
        "it is not known how labels is padded: leave it out",
    ),
    (
        "no pad token",
        padding_invariant,
        gpt2,
        PADDED,
        {"side": "right"},
        "the pad token is not known: the model's configuration has none. Give pad_token_id=",
    ),
    (
        "a batch of one",
        batch_invariant,
        Numbers,
        WORDS,
        {},
        "the batch has 1 sample: two are needed to compare anything",
    ),
    (
        "equal samples",
        batch_invariant,
        Numbers,
        WORDS.repeat(2, 1),
        {},
        "all samples are the same, and would not show that they are seen by each other",
    ),
    (
        "the states of a gru",
        batch_invariant,
        lambda: nn.GRU(2, 3, batch_first=True),
        torch.rand(3, 5, 2),
        {},
        r"1 is \[1, 3, 3\]: axis 0 is 1, and the batch has 3 samples: say which axis is that of the batch, or None for "
        r"none, batch_dim=\{'1': ...\}",
    ),
    (
        "an axis that has the batch's size by chance",
        batch_invariant,
        lambda: nn.GRU(2, 3, 2, batch_first=True),
        torch.rand(2, 5, 2),
        {},
        r"1 is \[2, 1, 3\] for one sample alone: axis 0 is not that of the batch. Say which axis is that of the batch, "
        r"or none for none, batch_dim=\{'1': ...\}",
    ),
    (
        "two sizes",
        batch_invariant,
        Own,
        {"a": TWO, "mask": torch.ones(4, 4)},
        {},
        r"the sizes of the batch are not the same \(2 of inputs.a, 4 of inputs.mask\): say which axis is that of the "
        r"batch, or None for none, batch_dim=\{'inputs.mask': ...\}",
    ),
    (
        "one sample is too little",
        batch_invariant,
        lambda: nn.BatchNorm1d(3, track_running_stats=False),
        torch.rand(4, 3),
        {},
        r"sample 0 alone, which ran in the batch: forward raised ValueError: Expected more than 1 value per channel "
        r"when training, got input size torch.Size\(\[1, 3\]\)\n  inputs: input \[1, 3\]",
    ),
    ("no tensor", order_sensitive, Nothing, WORDS, {}, "the output holds no tensor: it is a list"),
    ("no values", order_sensitive, Empty, WORDS, {}, r"output is \[0, 4\], and holds no values to compare"),
    (
        "meta",
        order_sensitive,
        meta,
        WORDS,
        {},
        "the model is on the meta device, and its outputs hold no numbers: give it weights",
    ),
    (
        "no module",
        causal,
        lambda: len,
        WORDS,
        {},
        "builtin_function_or_method is no torch.nn.Module: give the model itself",
    ),
]


@pytest.mark.parametrize(
    ("check", "make", "inputs", "promises", "message"), [r[1:] for r in UNMEASURED], ids=[r[0] for r in UNMEASURED]
)
def test_what_cannot_be_compared_is_an_error(check, make, inputs, promises, message):
    model = make()
    result = check(model, inputs, **promises)
    name = "len" if model is len else type(model).__name__
    assert re.fullmatch(f"{check.name} of {name}: not measured: {message}", result.message), result.message
    assert result.outcome == "error"


CONFIG = [
    (
        order_sensitive,
        {"dim": True},
        "dim=True: an axis is expected, an integer of at least 0, or a mapping from paths to axes",
    ),
    (causal, {"dim": -1}, "dim=-1: an axis is expected, an integer of at least 0, or a mapping from paths to axes"),
    (causal, {"dim": {}}, "dim={}: an axis is expected, an integer of at least 0, or a mapping from paths to axes"),
    (batch_invariant, {"batch_dim": {"output": 1.5}}, "batch_dim['output']=1.5: an integer of at least 0 is expected"),
    (batch_invariant, {"batch_dim": {1: 1}}, "batch_dim has the key 1: the path of an output is expected, or 'inputs'"),
    (order_sensitive, {"tolerance": NAN}, "tolerance=nan: a number of at least 0 is expected"),
    (order_sensitive, {"tolerance": -1e-5}, "tolerance=-1e-05: a number of at least 0 is expected"),
    (causal, {"tokens": []}, "tokens=[]: a path (str) or a list of paths is expected"),
    (causal, {"outputs": [0]}, "outputs=[0]: a path (str) or a list of paths is expected"),
    (padding_invariant, {"side": "both"}, "side='both': one of left, right is expected"),
    (padding_invariant, {"side": "left", "max_pad": 0}, "max_pad=0: an integer of at least 1 is expected"),
    (padding_invariant, {"side": "left", "pad_token_id": -1}, "pad_token_id=-1: an integer of at least 0 is expected"),
    (
        padding_invariant,
        {},
        "padding_invariant needs the promise 'side'; its promises are side, pad_token_id, max_pad, outputs, tolerance",
    ),
]


@pytest.mark.parametrize(("check", "promises", "message"), CONFIG)
def test_a_promise_that_makes_no_sense_is_a_config_error(check, promises, message):
    with pytest.raises(ConfigError) as raised:
        check.assert_form(Numbers(), WORDS, **promises)
    assert str(raised.value) == message


def test_the_measurement_says_how_far_apart_the_outputs_are():
    result = causal(Numbers(leaking), WORDS)
    assert (result.promised, result.measured) == ("later tokens change nothing earlier (tolerance 3e-05)", "1 (output)")
    assert result.evidence == {
        "difference": 1.0,
        "tolerance": pytest.approx(3e-5),
        "output": "output",
        "index": [0, 0, 0],
        "cut": 1,
    }
    assert result.margin == pytest.approx(3e-5 - 1)
    assert order_sensitive(Numbers(placed), WORDS).promised == "shuffled tokens change the outputs (more than 0.0001)"


def test_each_shuffle_has_to_be_seen():
    """A model that looks at the first token alone sees a shuffle only where that one moves."""
    first = Numbers(lambda numbers, mask: numbers[:, 0])
    seen = {order_sensitive(first, WORDS[:, :3]).outcome for _ in range(1)}
    outcomes = set()
    for seed in range(8):
        with Context(seed=seed).active():
            outcomes.add(order_sensitive(first, WORDS[:, :2]).outcome)
            seen.add(order_sensitive(first, WORDS[:, :3]).outcome)
    assert outcomes == {"passed"}
    assert seen == {"passed", "failed"}


def test_one_seed_gives_one_verdict():
    torch.manual_seed(0)
    model = bert()
    results = [permutation_equivariant(model, PADDED) for _ in range(2)]
    assert results[0].evidence == results[1].evidence
    with Context(seed=5).active():
        assert permutation_equivariant(model, PADDED).evidence["order"] != results[0].evidence["order"]


def test_a_mapping_says_which_axis_is_meant_of_a_fixed_model():
    result = permutation_equivariant(Fixed(), torch.rand(1, 4, 2), dim={"output": 1})
    assert result.outcome == "failed"


def test_an_output_that_has_no_batch_is_compared_whole():
    table = Numbers(lambda numbers, mask: {"each": numbers, "table": torch.arange(3.0)})
    assert batch_invariant(table, TWO, batch_dim={"table": None}).ok
    total = Numbers(lambda numbers, mask: {"each": numbers, "loss": numbers.mean()})
    assert not batch_invariant(total, TWO, batch_dim={"loss": None}).ok
    assert batch_invariant(total, TWO, outputs="each").ok


def test_an_input_that_has_no_batch_is_given_whole():
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    mask = torch.zeros(3, 3)
    inputs = {"src": torch.rand(3, 3, 4), "src_mask": mask}
    assert batch_invariant(layer, inputs, batch_dim={"inputs.src_mask": None}).ok


def test_what_is_padding_already_is_not_compared():
    """Numbers at places of padding are anything at all."""
    garbage = Numbers(lambda numbers, mask: numbers + (1 - mask) * numbers.shape[1])
    masked = {"input_ids": torch.tensor([[1, 2, 3, 0]]), "attention_mask": torch.tensor([[1, 1, 1, 0]])}
    assert padding_invariant(garbage, masked, side="right", pad_token_id=0, tolerance=0).ok
    untold = Numbers(lambda numbers, mask: torch.where(mask == 0, NAN, numbers))
    assert padding_invariant(untold, masked, side="left", pad_token_id=0, tolerance=0).ok


def test_the_tolerance_grows_with_the_output_and_the_dtype():
    large = Numbers(lambda numbers, mask: numbers * 1e4)
    assert batch_invariant(large, TWO).evidence["tolerance"] == pytest.approx(0.4)
    assert batch_invariant(Numbers().double(), TWO).evidence["tolerance"] == pytest.approx(4e-9)
    assert batch_invariant(Numbers().bfloat16(), TWO).evidence["tolerance"] == pytest.approx(0.2)


def test_the_projects_table_goes_before_the_packages():
    with Context(tolerances={"float32": 0.5}).active():
        assert batch_invariant(Numbers(less_batch), TWO).evidence["tolerance"] == 1.0
        assert batch_invariant(Numbers(less_batch), TWO, tolerance=0.25).evidence["tolerance"] == 0.25


def test_the_model_and_its_inputs_are_left_as_they_were():
    model = bert().train()
    before = {name: item.clone() for name, item in model.state_dict().items()}
    state, ids = torch.get_rng_state(), IDS.clone()
    for check, promises in ((order_sensitive, {}), (padding_invariant, {"side": "right"}), (batch_invariant, {})):
        check(model, PADDED, **promises)
    assert all(torch.equal(item, before[name]) for name, item in model.state_dict().items())
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(IDS, ids)


def test_a_model_that_changes_itself_is_named():
    class Writing(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, inputs):
            self.calls += 1
            return inputs.float()

    assert batch_invariant(Writing(), TWO).changes == ("calls was changed",)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize(("check", "make", "inputs", "promises"), [r[1:] for r in KEPT], ids=[r[0] for r in KEPT])
def test_a_model_keeps_its_promise_on_the_gpu(check, make, inputs, promises):
    torch.manual_seed(0)
    with Context(device="cuda").active():
        result = check(make(), inputs, **promises)
    assert result.message == ""
    assert result.device == "cuda"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize(("check", "make", "inputs", "promises"), [r[1:] for r in REAL], ids=[r[0] for r in REAL])
def test_a_model_breaks_its_promise_on_the_gpu(check, make, inputs, promises):
    torch.manual_seed(0)
    with Context(device="cuda").active():
        assert check(make(), inputs, **promises).outcome == "failed"


def test_the_assert_form_raises_what_the_result_says():
    with pytest.raises(ModelCheckFailure) as raised:
        causal.assert_form(Numbers(leaking), WORDS)
    assert str(raised.value) == causal(Numbers(leaking), WORDS).message


@pytest.mark.parametrize(
    ("check", "number"),
    [(order_sensitive, 4), (permutation_equivariant, 4), (padding_invariant, 4), (batch_invariant, 5), (causal, 4)],
)
def test_the_examples_in_the_docstring_are_true(examples, check, number):
    assert examples(check) == number
