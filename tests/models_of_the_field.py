"""Models that several tests look at, built from small configurations."""

from __future__ import annotations

import dataclasses

import torch  # noqa: F401 -- what transformers imports for its models, which a run without torch looks for here
import transformers
from transformers.modeling_outputs import BaseModelOutputWithPast

from tests.installed import before

# What a model calls its cache among its outputs; transformers 5.24 gave it another name.
CACHE = next(
    field.name for field in dataclasses.fields(BaseModelOutputWithPast) if field.name in ("cache", "past_key_values")
)


def llama(**sizes):
    """A Llama without trained weights, tiny unless the sizes say otherwise."""
    small = {
        "vocab_size": 50,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }
    # Before transformers 5, the masks of other attentions are made by what is in them, which meta tensors cannot tell.
    eager = {"attn_implementation": "eager"} if before("transformers", "5") else {}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**small, **eager, **sizes}))
