"""The promise of attention: weights are shares, masks hide, nothing looks ahead."""

from __future__ import annotations

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
from pytest_modelcheck.checks.attention import attention
from pytest_modelcheck.context import Context
from tests.installed import before

IDS = torch.tensor([[3, 4, 5, 6, 7, 8, 9], [13, 14, 15, 16, 17, 0, 0]])
PADDED = {"input_ids": IDS, "attention_mask": (IDS != 0).long()}
LEFT = {name: item.flip(1) for name, item in PADDED.items()}
TARGET = IDS[:, :5] + 1
PAIRED = {**PADDED, "decoder_input_ids": TARGET, "decoder_attention_mask": torch.ones_like(TARGET)}
TOKENS = torch.arange(2.0 * 7 * 16).reshape(2, 7, 16).sin()

EAGER = {"attn_implementation": "eager"}


def bert(**changes):
    sizes = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32}
    return BertModel(BertConfig(**sizes, num_attention_heads=2, num_hidden_layers=3, **{**EAGER, **changes}))


def distilbert(**changes):
    return DistilBertModel(DistilBertConfig(vocab_size=50, dim=16, hidden_dim=32, n_heads=2, n_layers=3, **changes))


def gpt2():
    sizes = {"vocab_size": 50, "n_embd": 16, "n_head": 2, "n_layer": 3}
    return GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=1, eos_token_id=2, **EAGER))


def t5():
    sizes = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 3, "num_heads": 2}
    return T5ForConditionalGeneration(T5Config(**sizes, decoder_start_token_id=0, **EAGER))


class Reader(nn.Module):
    """Torch's encoder over vectors, with masks."""

    def __init__(self, layers=2, **kind):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, **{"batch_first": True, **kind})
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=layer.self_attn.batch_first)

    def forward(self, tokens, hidden=None, mask=None):
        return self.encoder(tokens, mask=mask, src_key_padding_mask=hidden)


class Writer(nn.Module):
    """Torch's encoder-decoder, with a mask that may let one later token through."""

    def __init__(self, leak=0):
        super().__init__()
        self.transformer = nn.Transformer(16, 2, 2, 2, 32, batch_first=True)
        self.leak = leak

    def forward(self, source, target):
        size = target.shape[1]
        mask = torch.ones(size, size, dtype=torch.bool).triu(1 + self.leak)
        return self.transformer(source, target, tgt_mask=mask)


class Attends(nn.Module):
    """An attention from scratch; its weights are what `change` makes of their shares."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, numbers, hidden):
        scores = torch.zeros(*numbers.shape, numbers.shape[1]).masked_fill(hidden[:, None], float("-inf"))
        weights = self.change(scores.softmax(-1)[:, None])
        return (weights[:, 0] @ numbers[..., None]).squeeze(-1), weights


class Own(nn.Module):
    """A model from scratch; `told` says that its outputs hold the weights."""

    def __init__(self, change=lambda weights: weights, *, told=True, layers=2):
        super().__init__()
        self.blocks = nn.ModuleList(Attends(change) for _ in range(layers))
        self.told = told

    def forward(self, input_ids, attention_mask):
        numbers, found = input_ids.float(), []
        for block in self.blocks:
            numbers, weights = block(numbers, attention_mask == 0)
            found.append(weights)
        return {"attentions": tuple(found), "numbers": numbers} if self.told else numbers


FOUR = {"input_ids": torch.tensor([[1, 2, 3, 0]]), "attention_mask": torch.tensor([[1, 1, 1, 0]])}
PAST = torch.ones(7, 7, dtype=torch.bool).triu(1)


def back(weights):
    """Nothing looks ahead."""
    kept = weights.tril()
    return kept / kept.sum(-1, keepdim=True)


KEPT = [
    ("bert", bert, PADDED, {"heads": 2, "layers": 3, "causal": False}),
    ("bert, one tensor", bert, IDS, {"heads": 2}),
    ("bert, positional", bert, (IDS, PADDED["attention_mask"]), {"heads": 2}),
    ("bert, by name", bert, PADDED, {"weights": "encoder.layer.*.attention.self", "layers": 3}),
    ("distilbert", lambda: distilbert(**EAGER), PADDED, {"heads": 2, "layers": 3}),
    ("gpt2", gpt2, PADDED, {"heads": 2, "layers": 3, "causal": True}),
    ("gpt2, left", gpt2, LEFT, {"causal": True}),
    ("t5", t5, PAIRED, {"heads": 2, "layers": 3, "causal": True}),
    ("torch's layer", lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), TOKENS, {"heads": 2}),
    ("torch's encoder", Reader, TOKENS, {"heads": 2, "layers": 2, "causal": False}),
    ("tokens first", lambda: Reader(batch_first=False), TOKENS.transpose(0, 1), {"heads": 2, "layers": 2}),
    ("padding", Reader, {"tokens": TOKENS, "hidden": IDS == 0}, {"layers": 2}),
    ("a causal mask", Reader, {"tokens": TOKENS, "mask": PAST}, {"causal": True}),
    ("two masks", Reader, {"tokens": TOKENS, "mask": PAST, "hidden": IDS == 0}, {"causal": True}),
    ("a mask for each head", Reader, {"tokens": TOKENS, "mask": PAST.expand(4, 7, 7)}, {"causal": True}),
    ("one sentence", lambda: nn.TransformerEncoderLayer(16, 2, 32), TOKENS[0], {"heads": 2, "layers": 1}),
    ("positional flags", lambda: Positional(), TOKENS, {"heads": 4}),
    ("a decoder", Writer, (TOKENS, TOKENS), {"weights": "transformer.decoder.layers.*.self_attn", "causal": True}),
    ("cross attention", Writer, (TOKENS, TOKENS), {"weights": "transformer.decoder.layers.*.multihead_attn"}),
    ("from scratch", Own, FOUR, {"heads": 1, "layers": 2}),
    ("from scratch, by name", lambda: Own(told=False), FOUR, {"weights": "blocks.*", "layers": 2}),
    ("from scratch, causal", lambda: Own(back), FOUR, {"causal": True}),
    ("nothing but shares", Own, FOUR, {}),
]


class Positional(nn.Module):
    """It asks for no weights, by position, and is asked all the same."""

    def __init__(self):
        super().__init__()
        self.attends = nn.MultiheadAttention(16, 4, batch_first=True, add_zero_attn=True)

    def forward(self, tokens):
        return self.attends(tokens, tokens, tokens, IDS == 0, False)[0]


@pytest.mark.parametrize(("make", "inputs", "promises"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT])
def test_attention_that_keeps_its_promise_passes(make, inputs, promises):
    torch.manual_seed(0)
    result = attention(make(), inputs, **promises)
    assert result.message == ""
    assert result.ok
    assert result.changes == ()
    assert result.margin > 0.9


def _set(where, value):
    def change(weights):
        changed = weights.clone()
        changed[where] = value
        return changed

    return change


BROKEN = [
    (
        "rows that do not sum to 1",
        lambda: Own(lambda weights: weights / 2, layers=1),
        FOUR,
        {},
        "attention of Own: attentions.0 at [0, 0, 0] sums to 0.5, and 1e-05 from 1 is tolerated.",
    ),
    (
        "a weight below 0",
        lambda: Own(_set((0, 0, 1, 0), -0.25), layers=1),
        FOUR,
        {"tolerance": 1},
        "attention of Own: attentions.0 gives -0.25 at [0, 0, 1, 0], a weight below 0.",
    ),
    (
        "nan",
        lambda: Own(_set((0, 0, 1), float("nan")), layers=1),
        FOUR,
        {"heads": 2},
        "attention of Own: attentions.0 has 1 head, promised 2.\n"
        "attentions.0 holds 4 of 16 weights that are NaN or infinite, the first at [0, 0, 1, 0].",
    ),
    (
        "the mask is ignored",
        lambda: Own(lambda weights: torch.full_like(weights, 0.25), layers=1),
        FOUR,
        {},
        "attention of Own: attentions.0 gives 0.25 at [0, 0, 0, 3], which is masked.",
    ),
    (
        "the mask leaks a little",
        lambda: Own(_set((0, 0, 2, 3), 1e-9), layers=1),
        FOUR,
        {"tolerance": 1},
        "attention of Own: attentions.0 gives 1e-09 at [0, 0, 2, 3], which is masked.",
    ),
    (
        "one later token",
        lambda: Own(lambda weights: _set((0, 0, 0, slice(0, 2)), 0.5)(back(weights)), layers=1),
        FOUR,
        {"causal": True},
        "attention of Own: attentions.0 gives 0.5 at [0, 0, 0, 1], to a later token.",
    ),
    (
        "causal against its promise",
        lambda: Own(back, layers=1),
        FOUR,
        {"causal": False},
        "attention of Own: attentions.0 gives nothing to later tokens: it is causal, and was promised not to be.",
    ),
    (
        "other numbers",
        bert,
        PADDED,
        {"heads": 4, "layers": 2},
        "attention of BertModel: attentions.0 has 2 heads, promised 4.\nattentions.1 has 2 heads, promised 4.\n"
        "attentions.2 has 2 heads, promised 4.\nthere are 3 attentions, promised 2.",
    ),
    (
        "each kind has its number",
        t5,
        PAIRED,
        {"layers": 9},
        "attention of T5ForConditionalGeneration: there are 3 decoder_attentions, promised 9.\n"
        "there are 3 cross_attentions, promised 9.\nthere are 3 encoder_attentions, promised 9.",
    ),
    (
        "many problems",
        lambda: Own(lambda weights: weights / 2, layers=10),
        FOUR,
        {"tolerance": 0.1},
        "attention of Own: "
        + "\n".join(f"attentions.{at} at [0, 0, 0] sums to 0.5, and 0.1 from 1 is tolerated." for at in range(8))
        + "\n... and 2 more",
    ),
    (
        "everything is masked",
        lambda: Reader(1),
        {"tokens": TOKENS, "mask": torch.ones(7, 7).tril(-1).log()},
        {},
        "attention of Reader: encoder.layers.0.self_attn holds 28 of 196 weights that are NaN or infinite, the first "
        "at [0, 0, 0, 0].",
    ),
]


@pytest.mark.parametrize(
    ("make", "inputs", "promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_attention_that_breaks_its_promise_fails(expect, make, inputs, promises, message):
    expect(attention, make(), inputs, outcome="failed", message=message, **promises)


class Unmasked(BertModel):
    """BERT that hands no mask to its layers."""

    def forward(self, input_ids, attention_mask=None, **keywords):
        return super().forward(input_ids, **keywords)


REAL = [
    ("bert is not causal", bert, PADDED, {"causal": True}, "to a later token"),
    ("gpt2 is causal", gpt2, PADDED, {"causal": False}, "it is causal"),
    ("bert without its mask", lambda: Unmasked(bert().config), PADDED, {}, "which is masked"),
    (
        "a mask shifted by one",
        lambda: Writer(leak=1),
        (TOKENS, TOKENS),
        {"weights": "transformer.decoder.layers.*.self_attn", "causal": True},
        " at [0, 0, 0, 1], to a later token.\ntransformer.decoder.layers.1.self_attn gives 0.",
    ),
    (
        "an encoder beside a decoder",
        Writer,
        (TOKENS, TOKENS),
        {"causal": True},
        "transformer.encoder.layers.0.self_attn",
    ),
]


@pytest.mark.parametrize(
    ("make", "inputs", "promises", "part"), [row[1:] for row in REAL], ids=[row[0] for row in REAL]
)
def test_a_real_model_that_breaks_its_promise_fails(make, inputs, promises, part):
    torch.manual_seed(0)
    result = attention(make(), inputs, **promises)
    assert result.outcome == "failed"
    assert part in result.message


EAGERLY = (
    'not measured: the model gives no attentions: load it with attn_implementation="eager", the others do not keep them'
)

# Before transformers 5, what keeps no weights becomes eager where it is asked for them.
SDPA = [
    ("sdpa", lambda: bert(attn_implementation="sdpa"), PADDED, {}, f"BertModel: {EAGERLY}"),
    ("sdpa by default", distilbert, PADDED, {}, f"DistilBertModel: {EAGERLY}"),
    (
        "a mask with four axes",
        bert,
        {"input_ids": IDS, "attention_mask": torch.ones(2, 1, 7, 7)},
        {},
        "BertModel: not measured: attention_mask is [2, 1, 7, 7]: [batch, tokens] is expected",
    ),
]

UNMEASURED = [
    *([] if before("transformers", "5") else SDPA),
    (
        "no attention",
        lambda: nn.Linear(16, 4),
        TOKENS,
        {},
        "Linear: not measured: the model gives no attentions and has no nn.MultiheadAttention: name the layers that "
        "do, weights=",
    ),
    ("no such layer", Own, FOUR, {"weights": "block.*"}, "Own: not measured: there is no layer 'block.*'"),
    (
        "a layer without weights",
        Reader,
        TOKENS,
        {"weights": "encoder.layers.*.linear1"},
        "Reader: not measured: layer encoder.layers.0.linear1 gives no tensor [batch, heads, queries, keys]",
    ),
    (
        "layers that do not run",
        lambda: Idle(),
        TOKENS,
        {},
        "Idle: not measured: idle did not run in this forward pass",
    ),
    (
        "a sample that is hidden",
        bert,
        {"input_ids": IDS, "attention_mask": torch.tensor([[1] * 7, [0] * 7])},
        {},
        "BertModel: not measured: attention_mask hides every token of sample 1: it has nothing to attend to",
    ),
    (
        "three axes",
        lambda: Own(lambda weights: weights[:, 0], layers=1),
        FOUR,
        {"weights": "blocks.0"},
        "Own: not measured: layer blocks.0 gives no tensor [batch, heads, queries, keys]",
    ),
    (
        "a module that does not tell",
        lambda: Silent(16, 2),
        (TOKENS, TOKENS, TOKENS),
        {},
        "Silent: not measured: the model was asked for its weights, and gives none",
    ),
    (
        "meta",
        lambda: nn.TransformerEncoderLayer(16, 2, 32, device="meta"),
        TOKENS,
        {},
        "TransformerEncoderLayer: not measured: the model is on the meta device, and its attention has no numbers: "
        "give it weights",
    ),
    ("no module", lambda: 5, TOKENS, {}, "int: not measured: int is no torch.nn.Module: give the model itself"),
]


class Silent(nn.MultiheadAttention):
    def forward(self, *args, **keywords):
        return super().forward(*args, **keywords)[0]


class Idle(nn.Module):
    def __init__(self):
        super().__init__()
        self.idle = nn.MultiheadAttention(16, 2)

    def forward(self, tokens):
        return tokens


@pytest.mark.parametrize(
    ("make", "inputs", "promises", "message"), [row[1:] for row in UNMEASURED], ids=[row[0] for row in UNMEASURED]
)
def test_attention_that_cannot_be_seen_is_an_error(expect, make, inputs, promises, message):
    expect(attention, make(), inputs, outcome="error", message=f"attention of {message}", **promises)


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({"heads": 2.0}, "heads=2.0: an integer of at least 0 is expected"),
        ({"layers": True}, "layers=True: an integer of at least 0 is expected"),
        ({"causal": "yes"}, "causal='yes': True or False is expected"),
        ({"weights": 4}, "weights=4: a text (str) is expected"),
        ({"tolerance": float("nan")}, "tolerance=nan: a number of at least 0 is expected"),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        attention(Own(), FOUR, **promises)
    assert str(raised.value) == message


def test_the_measurement_counts_what_it_saw():
    torch.manual_seed(0)
    result = attention(t5(), PAIRED, heads=2, layers=3, causal=True, tolerance=0.5)
    assert result.promised == "2 heads, 3 layers, causal, rows sum to 1 (tolerance 0.5)"
    assert result.measured.startswith("3 decoder_attentions, 3 cross_attentions, 3 encoder_attentions, sums within ")
    assert result.evidence["layers"]["cross_attentions.2"] == [2, 2, 5, 7]


def test_rows_of_padding_that_see_nothing_are_counted():
    """Two tokens on the left are padding, in three layers."""
    result = attention(gpt2(), LEFT, causal=True)
    assert result.measured.endswith(", 6 rows of padding have nothing to attend to")
    assert result.evidence["empty_rows"] == 6


class Careful(nn.MultiheadAttention):
    """It gives zeros where everything is masked, and torch would give NaN."""

    def forward(self, *args, **keywords):
        output, weights = super().forward(*args, **keywords)
        return output.nan_to_num(), weights.nan_to_num()


class Alone(nn.Module):
    """The third token sees nobody, not itself either."""

    def __init__(self):
        super().__init__()
        self.attends = Careful(16, 2, batch_first=True)

    def forward(self, tokens, hidden=None):
        mask = torch.zeros(7, 7, dtype=torch.bool)
        mask[2] = True
        return self.attends(tokens, tokens, tokens, key_padding_mask=hidden, attn_mask=mask)[0]


def test_a_row_that_sees_nothing_fails_unless_it_is_padding():
    assert attention(Alone(), TOKENS).message == (
        "attention of Alone: attends at [0, 0, 2] has nothing to attend to: everything is masked."
    )
    result = attention(Alone(), (TOKENS, torch.arange(7).expand(2, 7) == 2))
    assert result.message == ""
    assert result.evidence["empty_rows"] == 2


def test_the_projects_table_goes_before_the_packages():
    with Context(tolerances={"float32": 0.75}).active():
        assert attention(Own(lambda weights: weights / 2), FOUR).ok


def test_the_model_is_left_as_it_was():
    model = Reader().train()
    fast = torch.backends.mha.get_fastpath_enabled()
    before = {name: item.clone() for name, item in model.state_dict().items()}
    assert attention(model, {"tokens": TOKENS, "hidden": IDS == 0}, heads=2).changes == ()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert torch.backends.mha.get_fastpath_enabled() == fast
    assert all(torch.equal(item, before[name]) for name, item in model.state_dict().items())
    assert model.training


def test_a_pass_that_raises_leaves_no_hook():
    model = Reader()
    fast = torch.backends.mha.get_fastpath_enabled()
    assert attention(model, TOKENS[..., :5]).outcome == "error"
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert torch.backends.mha.get_fastpath_enabled() == fast


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("make", [bert, gpt2])
def test_attention_is_looked_at_on_the_gpu(make):
    with Context(device="cuda").active():
        result = attention(make(), PADDED, heads=2, layers=3)
    assert result.message == ""
    assert result.device == "cuda"


def test_the_assert_form_raises_what_the_result_says():
    with pytest.raises(ModelCheckFailure) as raised:
        attention.assert_form(Own(), FOUR, heads=3)
    assert str(raised.value) == attention(Own(), FOUR, heads=3).message


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(attention) == 5
