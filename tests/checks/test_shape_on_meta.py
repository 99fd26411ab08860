"""The shapes of models that fit no memory: on the meta device, where tensors have shapes and no numbers."""

from __future__ import annotations

import pytest
import torch
import torchvision
import transformers
from models_of_the_field import CACHE, llama
from torch import nn
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn

import pytest_modelcheck.models.meta  # noqa: F401  (a session inside of a test forgets what it loads itself)
from pytest_modelcheck import assert_shape
from pytest_modelcheck.checks.shape import shape
from tests.installed import before

TOKENS = ("batch tokens", "int64")
IDS = {"input_ids": TOKENS}
MASKED = {**IDS, "attention_mask": TOKENS}


def seventy_billion():
    return llama(
        vocab_size=128_256,
        hidden_size=8192,
        intermediate_size=28_672,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
    )


@pytest.mark.parametrize("inputs", [IDS, MASKED], ids=["ids", "mask"])
@pytest.mark.parametrize("cache", [False, True], ids=["no cache", "cache"])
def test_every_hidden_state_of_seventy_billion_parameters_has_its_shape(inputs, cache):
    expected = {
        "input_ids": "batch tokens",
        "model.layers.*": "batch tokens 8192",
        "hidden_states.*": "batch tokens 8192",
        "logits": "batch tokens 128256",
        **({f"{CACHE}.*.keys": "batch 8 tokens 128"} if cache else {}),
    }
    given = {**inputs, "use_cache": cache, "output_hidden_states": True}
    result = assert_shape(seventy_billion, given, expected=expected, meta=True, dtype="float32")
    assert result.device == "meta"
    assert result.evidence["places"].count("output hidden_states.80") == 1
    assert len(result.evidence["places"]) == 1 + 80 + 81 + 1 + 80 * cache


def gru_on_meta():
    return nn.Sequential(nn.GRU(3, 4), nn.Identity())


KEPT = {
    "llama": (llama, {**MASKED, "output_hidden_states": True}, {"hidden_states.*": "batch tokens 16"}),
    "vit": (
        lambda: torchvision.models.vit_b_16(weights=None, image_size=32),
        [2, 3, 32, 32],
        {"encoder.layers.*.mlp": "batch 5 768", "output": "batch 1000"},
    ),
    "resnet18": (torchvision.models.resnet18, [2, 3, 64, 64], {"layer4": "batch 512 2 2", "output": "batch 1000"}),
    "t5": (
        lambda: transformers.T5Model(
            transformers.T5Config(vocab_size=50, d_model=16, d_kv=4, num_layers=2, num_heads=4)
        ),
        {"input_ids": ("batch source", "int64"), "decoder_input_ids": TOKENS},
        {"last_hidden_state": "batch tokens 16", "encoder_last_hidden_state": "batch source 16"},
    ),
    "gru": (gru_on_meta, [7, 2, 3], {"0:0": "tokens batch 4", "0:1": "1 batch 4"}),
    "no parameters": (lambda: nn.Flatten(), [2, 4, 4], "batch 16"),
    "a model that is on meta": (lambda: nn.Linear(4, 3, device="meta"), [2, 4], "batch 3"),
}


@pytest.mark.parametrize(("make", "inputs", "expected"), KEPT.values(), ids=KEPT)
def test_shapes_are_those_of_a_pass_with_numbers(make, inputs, expected):
    built, called, real = (
        shape(model, inputs, expected=expected, meta=meta)
        for model, meta in ((make, True), (make(), True), (make(), False))
    )
    assert [built.message, called.message, real.message] == ["", "", ""]
    assert (built.device, called.device) == ("meta", "meta")
    assert built.evidence == called.evidence == real.evidence
    assert built.measured == f"{real.measured} (inside of a factory, built on the meta device)"
    assert built.changes == called.changes == ()


def test_a_wrong_shape_is_named_with_the_layer_that_made_it(expect):
    message = """
        shape of LlamaForCausalLM: output hidden_states.0 is [2, 7, 16], promised [batch, tokens, 17]: axis 2 is 16, \
promised 17 (made by layer model.embed_tokens).
        output hidden_states.1 is [2, 7, 16], promised [batch, tokens, 17]: axis 2 is 16, promised 17 (made by layer \
model.layers.0).
        output hidden_states.2 is [2, 7, 16], promised [batch, tokens, 17]: axis 2 is 16, promised 17 (made by layer \
model.norm).
        """
    inputs, expected = {**MASKED, "output_hidden_states": True}, {"hidden_states.*": "batch tokens 17"}
    expect(shape, llama, inputs, outcome="failed", message=message, expected=expected, meta=True)


def test_a_model_that_is_built_keeps_its_weights():
    model = llama().train()
    model.lm_head.weight = model.model.embed_tokens.weight
    before = {name: (item, item.clone()) for name, item in model.named_parameters()}
    assert_shape(model, MASKED, expected={"logits": "batch tokens 50"}, meta=True)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.training
    for name, item in model.named_parameters():
        assert item is before[name][0]
        assert torch.equal(item, before[name][1])
        assert item.requires_grad


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = Gate()

    def forward(self, x):
        return self.gate(x)


class Gate(nn.Module):
    def forward(self, x):
        return x if x.sum().item() > 0 else -x


def scripted():
    return torch.jit.script(nn.Sequential(nn.Linear(4, 3)))


# What a detector is stopped by: its anchors, or boxes of which there is no number.
STOPPED = (
    ("NotImplementedError: Cannot copy out of meta tensor; no data!", "rpn.anchor_generator (AnchorGenerator)")
    if before("torch", "2.14")
    else ("DynamicOutputShapeException: aten.nonzero.default", "rpn (RegionProposalNetwork)")
)

UNMEASURED = {
    "a decision": (
        Deciding,
        [2, 4],
        {"expected": "2 4", "meta": True},
        """
        shape of Deciding: not measured: forward raised DataDependentOutputException: aten._local_scalar_dense.default
          in layer gate (Gate)
          inputs: input [2, 4]
          On the meta device there are no numbers to compute or to decide by: give the model with its weights.
        """,
    ),
    "a detector": (
        lambda: fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None),
        [torch.zeros(3, 64, 64)],
        {"expected": {"0.boxes": "_ 4"}, "meta": True},
        f"""
        shape of {{}}: not measured: forward raised {STOPPED[0]}
          in layer {STOPPED[1]}
          inputs: 0 [3, 64, 64]
          On the meta device there are no numbers to compute or to decide by: give the model with its weights.
        """,
    ),
    "a wrong input": (
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(5, 2)),
        [2, 4],
        {"expected": "2 2", "meta": True},
        """
        shape of {}: not measured: forward raised RuntimeError: a and b must have same reduction dim, but got [2, 3] X \
[5, 2].
          in layer 1 (Linear)
          inputs: input [2, 4]
        """,
    ),
    "no factory for it": (
        lambda: scripted(),
        [2, 4],
        {"expected": "2 3", "meta": True},
        "shape of {}: not measured: it is scripted, and cannot be emptied for the meta device: leave meta out",
    ),
    "numbers of a model on meta": (
        lambda: nn.Linear(4, 3, device="meta"),
        [2, 4],
        {"expected": "2 3", "finite": True, "range": (0, 1), "device": "cpu"},
        "shape of {}: not measured: the model is on the meta device, where finite and range and device cannot be "
        "measured: give it with its weights",
    ),
    "lazy": (
        lambda: nn.LazyLinear(3),
        [2, 4],
        {"expected": "2 3", "meta": True},
        "shape of {}: not measured: weight, bias have no size before the first forward pass: run the model once, then "
        "check it",
    ),
}


@pytest.mark.filterwarnings("ignore:`torch.jit.script")
@pytest.mark.parametrize(("make", "inputs", "promises", "message"), UNMEASURED.values(), ids=UNMEASURED)
def test_what_needs_numbers_is_an_error(expect, make, inputs, promises, message):
    expect(shape, make, inputs, outcome="error", message=message.replace("{}", make.__qualname__), **promises)
