"""Models run on inputs that differ in one known way: how inputs are changed, and what is refused."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.checks.attention import attention
from pytest_modelcheck.checks.embeddings import nearer
from pytest_modelcheck.checks.invariances import batch_invariant, causal, order_sensitive, padding_invariant
from pytest_modelcheck.models.other_tokens import altered
from pytest_modelcheck.models.probing import Outputs, Probe, with_tensors

ROW = torch.tensor([[1, 2, 3]])
GIVEN = {"input_ids": ROW, "attention_mask": torch.ones(1, 3, dtype=torch.int64)}
RIGHT = {"side": "right", "pad_token_id": 0}

Pair = namedtuple("Pair", ["first", "second"])


@dataclass(frozen=True)
class Inputs:
    ids: torch.Tensor
    name: str = "text"


class Does(nn.Module):
    """It gives what a function makes of its inputs."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args, **keywords):
        return self.function(*args, **keywords)


def ids(input_ids, attention_mask=None):
    return input_ids.float()[..., None]


def test_tensors_are_changed_wherever_they_stand():
    seen = []

    def change(path, tensor):
        seen.append(path)
        return tensor + 1

    one = torch.zeros(1)
    changed = with_tensors({"a": [one, 5], "b": Pair(one, "x"), "c": Inputs(one)}, change)
    assert changed == {"a": [1, 5], "b": Pair(1, "x"), "c": Inputs(torch.ones(1))}
    assert seen == ["a.0", "b.first", "c.ids"]
    assert one.item() == 0


@pytest.mark.parametrize(
    ("model", "tokens", "expected"),
    [
        (nn.Embedding(5, 2), [[0, 1, 4]], [[1, 2, 0]]),
        (nn.Embedding(2, 2), [[0, 1]], [[1, 0]]),
        (nn.Linear(2, 2), [[7, 3, 7, 9]], [[9, 7, 9, 3]]),
        (nn.Linear(2, 2), [[True, False]], [[False, True]]),
        (nn.Sequential(nn.Embedding(5, 2), nn.Embedding(7, 2)), [[3, 4]], [[4, 3]]),
    ],
)
def test_other_tokens_are_valid_ones(model, tokens, expected):
    assert altered(model, torch.tensor(tokens)).tolist() == expected


def test_special_ids_are_passed_over():
    model = nn.Embedding(6, 2)
    model.config = type("Config", (), {"pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 50})()
    assert altered(model, torch.tensor([0, 3, 5])).tolist() == [3, 4, 0]
    small = nn.Embedding(3, 2)
    small.config = type("Config", (), {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": None})()
    # No other is left, and a special one is another one all the same.
    assert altered(small, torch.tensor([2])).tolist() == [0]


def test_other_numbers_are_far_from_the_old_ones():
    tokens = torch.full((2, 3, 4), 100.0, dtype=torch.float64)
    apart = (altered(nn.Linear(4, 4), tokens) - tokens).abs()
    assert apart.dtype == torch.float64
    assert apart.mean() > 50


def test_ids_of_which_no_other_is_known_are_an_error():
    with pytest.raises(ModelCheckError) as raised:
        altered(nn.Linear(2, 2), torch.tensor([[7, 7]]))
    assert str(raised.value) == (
        "all tokens are 7, and no table of the model says which others there are: give inputs with other tokens"
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"b": torch.zeros(2)}, "one run gave a [2], and another b [2]"),
        (
            {"a": torch.zeros(3)},
            "a is [2] of torch.float32 in one run, and [3] of torch.float32 in another: there is nothing to compare",
        ),
        (
            {"a": torch.zeros(2).long()},
            "a is [2] of torch.float32 in one run, and [2] of torch.int64 in another: there is nothing to compare",
        ),
    ],
)
def test_outputs_of_two_kinds_are_not_compared(other, message):
    with pytest.raises(ModelCheckError) as raised:
        Probe(nn.Linear(1, 1)).largest(Outputs({"a": torch.zeros(2)}, None), Outputs(other, None))
    assert str(raised.value) == message


def test_the_largest_difference_is_seen_from_its_own_tolerance():
    one = Outputs({"large": torch.tensor([1e6]), "small": torch.tensor([1.0])}, None)
    other = Outputs({"large": torch.tensor([1e6 + 1]), "small": torch.tensor([1.001])}, None)
    found = Probe(nn.Linear(1, 1)).largest(one, other)
    assert (found.path, found.tolerated, found.seen) == ("small", False, True)


def test_complex_numbers_are_compared():
    one, other = (Outputs({"a": torch.tensor([number])}, None) for number in (1 + 0j, 1 + 3j))
    assert Probe(nn.Linear(1, 1)).largest(one, other).value == 3.0


def test_booleans_are_compared():
    one, other = (Outputs({"a": torch.tensor([True, flag])}, None) for flag in (True, False))
    found = Probe(nn.Linear(1, 1), tolerance=5.0).largest(one, other)
    assert (found.value, found.tolerance, found.index, found.margin) == (1.0, 0.0, (1,), -1.0)


LAYERED = {"attentions": [torch.full((1, 3, 3), 1 / 3)]}


class Idle(nn.Module):
    def __init__(self):
        super().__init__()
        self.idle = nn.Linear(1, 1)

    def forward(self, inputs):
        return inputs


REFUSED = [
    (
        "masks of another size",
        padding_invariant,
        (Does(ids), {"input_ids": ROW, "attention_mask": torch.ones(1, 2)}),
        RIGHT,
        "attention_mask is [1, 2] and input_ids is [1, 3]: [batch, tokens] is expected",
    ),
    (
        "all masked",
        padding_invariant,
        (Does(ids), {"input_ids": ROW, "attention_mask": ROW * 0}),
        RIGHT,
        "the attention mask hides every token: there is nothing to compare",
    ),
    (
        "an output that grows twice as much",
        padding_invariant,
        (Does(lambda input_ids, attention_mask: input_ids.repeat(1, 2).float()), GIVEN),
        RIGHT,
        "output is [1, 6], and [1, 8] with 1 more tokens: its tokens are not known. Give outputs= without it",
    ),
    (
        "tokens first",
        padding_invariant,
        (Does(lambda input_ids, attention_mask: input_ids.T.float()), GIVEN),
        RIGHT,
        "output is [3, 1], and its first axis is not the batch",
    ),
    (
        "an output that is another one",
        padding_invariant,
        (Does(lambda input_ids, attention_mask: torch.ones([1] * input_ids.shape[1])), GIVEN),
        RIGHT,
        "output is another tensor where there is padding: give outputs= without it",
    ),
    (
        "an output that is another one for fewer tokens",
        order_sensitive,
        (Does(lambda input_ids: torch.ones([1] * input_ids.shape[1])), {"input_ids": ROW}),
        {},
        "output is another tensor where a token is left out: give outputs= without it",
    ),
    (
        "no axis of tokens at all",
        order_sensitive,
        (Does(ids), {"input_ids": ROW}),
        {"dim": {"inputs": None}},
        "the tokens are not of one length: no input has an axis of them",
    ),
    (
        "no input that is a tensor",
        causal,
        (Does(lambda text: torch.ones(1)), {"text": "words"}),
        {},
        "it is not known which inputs are the tokens (there is no tensor): give tokens=",
    ),
    (
        "no axis of the batch",
        batch_invariant,
        (Does(lambda inputs: inputs), torch.tensor(1.0)),
        {},
        "inputs is [], and has no axis 0: say which axis is that of the batch, or None for none, batch_dim={'inputs': "
        "...}",
    ),
    (
        "no input with a batch",
        batch_invariant,
        (Does(lambda inputs: inputs), torch.rand(2, 3)),
        {"batch_dim": {"inputs": None}},
        "no tensor of the inputs has an axis of the batch",
    ),
    (
        "no output with a batch",
        batch_invariant,
        (Does(lambda inputs: inputs.sum()), torch.rand(2, 3)),
        {"batch_dim": {"output": None}},
        "no output has an axis of the batch; there is output []",
    ),
    (
        "an output without axes",
        batch_invariant,
        (Does(lambda inputs: inputs.sum()), torch.rand(2, 3)),
        {},
        "output is []: there is no axis 0, and the batch has 2 samples: say which axis is that of the batch, or None "
        "for none, batch_dim={'output': ...}",
    ),
    (
        "attention with three axes",
        attention,
        (Does(lambda input_ids: LAYERED), {"input_ids": ROW}),
        {},
        "attentions.0 is [1, 3, 3] of torch.float32, and no attention [batch, heads, queries, keys]",
    ),
    (
        "a mask for other keys",
        attention,
        (
            Does(lambda input_ids, attention_mask: {"attentions": [torch.full((1, 1, 2, 2), 0.5)]}),
            GIVEN,
        ),
        {},
        "attentions.0 is [1, 1, 2, 2], and its mask is [1, 3]",
    ),
    (
        "layers that do not run",
        attention,
        (Idle(), torch.rand(2, 3)),
        {"weights": "idle"},
        "idle did not run in this forward pass",
    ),
    (
        "a pair on meta",
        nearer,
        ((nn.Linear(1, 1, device="meta"), print), [("a", "b", "c")]),
        {"min_rate": 0.5},
        "the model is on the meta device, and its outputs hold no numbers: give it weights",
    ),
    (
        "a pair without states",
        nearer,
        (
            (Does(lambda **given: torch.ones(3, 2)), lambda texts, **_: {"attention_mask": torch.ones(3, 2)}),
            [tuple("abc")],
        ),
        {"min_rate": 0.5},
        "the model gives no last_hidden_state [batch, tokens, dimension]: give a function",
    ),
    (
        "complex vectors",
        nearer,
        (lambda texts: torch.ones(3, 2) * 1j, [tuple("abc")]),
        {"min_rate": 0.5},
        "the vectors are torch.complex64, and have no cosines here",
    ),
]


@pytest.mark.parametrize(
    ("check", "subjects", "promises", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_is_no_comparison_is_refused(check, subjects, promises, message):
    result = check(*subjects, **promises)
    assert result.message.partition(": not measured: ")[2] == message
    assert result.outcome == "error"
