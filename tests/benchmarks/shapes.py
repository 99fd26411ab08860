"""Shapes of every layer: this beside hand-written hooks and the bare forward, and of a model that fits no memory."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from tests.benchmarks.peers import Peers
from tests.benchmarks.results import Goal, Section
from tests.benchmarks.rounds import Contender, interleaved, table, worker

_LAYERS = 6
_TOKENS = 64
_HIDDEN = 81  # of 70 billion parameters: the embeddings and 80 layers

# The function of each, and the shapes that it is to tell.
_BARE = "bare forward"
_OF_EACH = [[1, _TOKENS, 768]] * _LAYERS
_DISTILBERT = {
    _BARE: ("bare", _OF_EACH[-1:]),
    "hand-written hooks on every layer": ("hooked", _OF_EACH),
    "pytest-modelcheck, every layer": ("checked", _OF_EACH),
}
_OURS = "pytest-modelcheck, every hidden state"
_HUGE = {
    _OURS: ("huge", [[1, 7, 8192]] * _HIDDEN),
    "hand-written hooks on every layer": ("huge_hooked", [[1, 7, 8192]] * _HIDDEN),
}


def measure(peers: Peers, rounds: int) -> Section:
    """One torch thread."""
    small = interleaved("shapes of DistilBERT", _contenders(peers, _DISTILBERT), rounds)
    huge = interleaved("shapes of Llama 3 70B", _contenders(peers, _HUGE), rounds)
    parts = [
        f"### Every layer of DistilBERT, 1 x {_TOKENS} tokens, {rounds} rounds",
        "The first forward of a process. The check also compares the weights before and after, and names a model that "
        "changed itself; hooks do not.",
        table(small, _BARE),
        f"### Every hidden state of Llama 3 70B, `[1, 7, 8192]`, no weights in memory, {rounds} rounds",
        "The hooks are on a model on the meta device, which holds where a forward makes no use of numbers.",
        table(huge, _OURS),
    ]
    peak = statistics.median(cost.memory for cost in huge[_OURS])
    return Section(
        "Shapes of every layer", "\n\n".join(parts), (Goal("shapes of Llama 3 70B: peak", peak, 1024, " MiB"),)
    )


def _contenders(peers: Peers, functions: dict[str, tuple[str, object]]) -> dict[str, Contender]:
    return {
        name: worker(
            peers.beside_torch,
            f"tests.benchmarks.shapes:{function}",
            is_right=lambda told, answer=answer: told == answer,
        )
        for name, (function, answer) in functions.items()
    }


def _distilbert() -> tuple[Any, dict[str, Any]]:
    import torch
    from transformers import DistilBertConfig, DistilBertModel

    model = DistilBertModel(DistilBertConfig()).eval()
    return model, {"input_ids": torch.arange(1, _TOKENS + 1).reshape(1, _TOKENS)}


def bare() -> Callable[[], object]:
    import torch

    model, inputs = _distilbert()

    def run() -> object:
        with torch.no_grad():
            return [list(model(**inputs).last_hidden_state.shape)]

    return run


def hooked() -> Callable[[], object]:
    import torch

    model, inputs = _distilbert()
    return lambda: _sizes(torch, model, model.transformer.layer, inputs)


def checked() -> Callable[[], object]:
    from pytest_modelcheck import assert_shape

    model, inputs = _distilbert()
    expected = {"transformer.layer.*": "batch tokens 768"}
    return lambda: assert_shape(model, inputs, expected=expected).evidence["shapes"]


def _llama() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 8192, "intermediate_size": 28_672, "num_hidden_layers": 80}
    heads = {"num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 128_256}
    return lambda: LlamaForCausalLM(LlamaConfig(**sizes, **heads))


def huge() -> Callable[[], object]:
    from pytest_modelcheck import assert_shape

    make = _llama()

    def run() -> object:
        told = assert_shape(
            make,
            {"input_ids": ([1, 7], "int64"), "output_hidden_states": True},
            expected={"hidden_states.*": "batch tokens 8192"},
            meta=True,
        )
        return told.evidence["shapes"]

    return run


def huge_hooked() -> Callable[[], object]:
    import torch

    make = _llama()

    def run() -> object:
        with torch.device("meta"):
            model = make().eval()
            inputs = {"input_ids": torch.zeros((1, 7), dtype=torch.long)}
        return _sizes(torch, model, [model.model.embed_tokens, *model.model.layers], inputs)

    return run


def _sizes(torch: Any, model: Any, layers: Any, inputs: dict[str, Any]) -> list[list[int]]:
    seen: list[list[int]] = []

    def note(_module: object, _inputs: object, output: Any) -> None:
        seen.append(list((output[0] if isinstance(output, tuple) else output).shape))

    handles = [layer.register_forward_hook(note) for layer in layers]
    with torch.no_grad():
        model(**inputs)
    for handle in handles:
        handle.remove()
    return seen
