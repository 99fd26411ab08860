"""Counting parameters and the table of layers: this, Lightning's ModelSummary, and torchinfo; whole processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from tests.benchmarks.peers import Peers
from tests.benchmarks.results import Goal, Section
from tests.benchmarks.rounds import interleaved, ratio, table, worker

_OURS = "pytest-modelcheck"
_LIMIT = 0.5
_FLOOR = "imports of the model alone"
_CONTENDERS = {_OURS: "ours", "ModelSummary": "model_summary", "torchinfo": "torchinfo"}


@dataclass(frozen=True)
class Known:
    """A model whose numbers are known: its parameters as published, and the operations of one forward, two to a
    multiply-add, of its convolutions, linear layers and attention."""

    total: int
    flops: int
    inputs: Mapping[str, Any]


_IMAGE = MappingProxyType({"shape": [1, 3, 224, 224]})
_TOKENS = MappingProxyType({"shape": [1, 7], "tokens": True})
_LLAMA_8B = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32}
_LLAMA_70B = {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64}


def _llama_flops(hidden_size: int, intermediate_size: int, num_hidden_layers: int, num_attention_heads: int) -> int:
    """By hand, for one row of seven tokens, eight key and value heads, and a vocabulary of 128,256."""
    tokens, kept = 7, 8 * hidden_size // num_attention_heads
    layer = 2 * hidden_size * hidden_size + 2 * hidden_size * kept + 3 * hidden_size * intermediate_size
    attention = 2 * tokens * hidden_size
    return 2 * tokens * (num_hidden_layers * (layer + attention) + hidden_size * 128_256)


# By hand as well: two convolutions and two linear layers; patches, 24 layers of 197 tokens, and the classes.
_NETWORK = 2 * (26 * 26 * 32 * 9 + 9 * 9 * 64 * 800 + 64 * 32 + 32 * 10)
_VIT_L = 2 * (196 * 768 * 1024 + 24 * (197 * 12 * 1024**2 + 2 * 197**2 * 1024) + 1024 * 1000)

# Torchvision publishes 4.09 and 61.55 thousand million multiply-adds beside the weights of ResNet-50 and ViT-L/16.
KNOWN: Mapping[str, Known] = MappingProxyType(
    {
        "the sample project's network": Known(53_994, _NETWORK, MappingProxyType({"shape": [1, 1, 28, 28]})),
        "DistilBERT": Known(66_362_880, 595_445_760, _TOKENS),
        "ResNet-50": Known(25_557_032, 8_178_368_512, _IMAGE),
        "ViT-L/16": Known(304_326_632, _VIT_L, _IMAGE),
        "Llama 3 8B": Known(8_030_261_248, _llama_flops(**_LLAMA_8B), _TOKENS),
        "Llama 3 70B": Known(70_553_706_496, _llama_flops(**_LLAMA_70B), _TOKENS),
    }
)


def measure(peers: Peers, rounds: int) -> Section:
    """Everything is on the meta device, also for the others, which would build and run real models otherwise."""
    parts, goals = [], []
    for model, known in KNOWN.items():
        counters = {
            name: worker(
                peers.beside_torch,
                f"tests.benchmarks.counting:{function}_counts",
                model,
                is_right=lambda answer, total=known.total: answer == total,
            )
            for name, function in _CONTENDERS.items()
        }
        counters[_FLOOR] = worker(
            peers.beside_torch, "tests.benchmarks.counting:imports", model, is_right=lambda answer: answer == 0
        )
        costs = interleaved(f"counting {model}", counters, rounds)
        shown = table(costs, _OURS, "{:,}".format)
        parts.append(f"### Parameters of {model}, on the meta device, {rounds} rounds\n\n{shown}")
        floor = ratio(costs, _FLOOR, "ModelSummary")
        why = f"to import torch and the model alone is {floor:.3f} of it"
        told = f"counting {model}: process, to ModelSummary's"
        goals.append(Goal(told, ratio(costs, _OURS, "ModelSummary"), _LIMIT, why=why))
        # What is wrong with others is told, not refused: the table is of what each gets right.
        tables = {
            name: worker(
                peers.beside_torch,
                f"tests.benchmarks.counting:{function}_table",
                model,
                is_right=lambda answer, name=name, known=known: name != _OURS or _is_right(known, answer),
            )
            for name, function in _CONTENDERS.items()
        }
        fewer = min(rounds, 3)
        costs = interleaved(f"the table of {model}", tables, fewer)
        shown = table(costs, _OURS, partial(_judged, known), "right and wrong")
        head = f"### Sizes and operations of every layer of {model}, {known.flops:,} FLOPs, {fewer} rounds"
        parts.append(f"{head}\n\n{shown}")
    return Section("Counting, and the table of layers", "\n\n".join(parts), tuple(goals))


def _is_right(known: Known, answer: Mapping[str, Any]) -> bool:
    return (answer.get("total"), answer.get("flops")) == (known.total, known.flops)


def _judged(known: Known, answer: Mapping[str, Any]) -> str:
    """Which numbers of an answer are right."""
    if "error" in answer:
        return f"no table: {answer['error']}"
    total, flops = answer["total"], answer["flops"]
    words = ["parameters right" if total == known.total else f"parameters wrong: {total:,}"]
    words.append("FLOPs right" if flops == known.flops else f"FLOPs {flops / known.flops:.3f} of the true ones")
    return ", ".join(words)


def maker(name: str) -> Callable[[], object]:
    """What builds the model; its module is imported."""
    if name == "the sample project's network":
        from torch import nn

        return lambda: nn.Sequential(
            *(nn.Conv2d(1, 32, 3), nn.MaxPool2d(2, 2), nn.Conv2d(32, 64, 5), nn.MaxPool2d(2, 2), nn.Dropout2d(0.1)),
            *(nn.AdaptiveMaxPool2d((1, 1)), nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
        )
    if name in ("ResNet-50", "ViT-L/16"):
        from torchvision import models

        return models.resnet50 if name == "ResNet-50" else models.vit_l_16
    if name == "DistilBERT":
        from transformers import DistilBertConfig, DistilBertModel

        return lambda: DistilBertModel(DistilBertConfig())
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = _LLAMA_8B if "8B" in name else _LLAMA_70B
    return lambda: LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=8, vocab_size=128_256))


def imports(name: str) -> Callable[[], int]:
    """Nothing is counted: what no counter can do without."""
    import torch

    maker(name)
    return lambda: 0 * torch.get_num_threads()


def ours_counts(name: str) -> Callable[[], int]:
    from pytest_modelcheck import assert_parameters

    make = maker(name)
    return lambda: assert_parameters(make, total=KNOWN[name].total).evidence["total"]


def model_summary_counts(name: str) -> Callable[[], int]:
    import torch
    from pytorch_lightning.utilities.model_summary import ModelSummary

    make = maker(name)

    def count() -> int:
        with torch.device("meta"):
            return ModelSummary(_lightning(make())).total_parameters

    return count


def torchinfo_counts(name: str) -> Callable[[], int]:
    import torch
    from torchinfo import summary

    make = maker(name)

    def count() -> int:
        with torch.device("meta"):
            return summary(make(), verbose=0).total_params

    return count


def ours_table(name: str) -> Callable[[], dict[str, Any]]:
    from pytest_modelcheck.models.inputs import made_inputs
    from pytest_modelcheck.models.summary import summarize
    from pytest_modelcheck.models.wrappers import unwrapped

    make, inputs = maker(name), KNOWN[name].inputs
    promised = {"input_ids": (inputs["shape"], "int64")} if "tokens" in inputs else inputs["shape"]

    def look() -> dict[str, Any]:
        told = summarize(unwrapped(make).model, made_inputs(promised))
        return {"total": told.counts.total, "flops": told.whole["flops"]}

    return lambda: _or_error(look)


def model_summary_table(name: str) -> Callable[[], dict[str, Any]]:
    import torch
    from pytorch_lightning.utilities.model_summary import ModelSummary

    make, known = maker(name), KNOWN[name]

    def look() -> dict[str, Any]:
        with torch.device("meta"):
            told = ModelSummary(_lightning(make(), _tensors(known)), max_depth=-1)
        return {"total": told.total_parameters, "flops": told.total_flops}

    return lambda: _or_error(look)


def torchinfo_table(name: str) -> Callable[[], dict[str, Any]]:
    import torch
    from torchinfo import summary

    make, known = maker(name), KNOWN[name]

    def look() -> dict[str, Any]:
        with torch.device("meta"):
            told = summary(make(), input_data=_tensors(known), depth=99, verbose=0, device=None)
        return {"total": told.total_params, "flops": 2 * told.total_mult_adds}

    return lambda: _or_error(look)


def _tensors(known: Known) -> object:
    import torch

    if "tokens" in known.inputs:
        return {"input_ids": torch.zeros(known.inputs["shape"], dtype=torch.long)}
    return torch.zeros(known.inputs["shape"])


def _lightning(network: object, example: object = None) -> object:
    """The network as the LightningModule that ModelSummary asks for."""
    from pytorch_lightning import LightningModule

    class Lit(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = network
            if example is not None:
                self.example_input_array = example

        def forward(self, *inputs: object, **keywords: object) -> object:
            return self.net(*inputs, **keywords)

    return Lit()


def _or_error(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return look()
    except Exception as error:
        words = " ".join(str(error).split())
        return {"error": f"{type(error).__name__}: {words[:90]}"}
