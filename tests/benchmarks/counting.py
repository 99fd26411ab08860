"""Counting parameters and the table of layers: this, Lightning's ModelSummary, and torchinfo; whole processes."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from textwrap import dedent

from tests.benchmarks.rounds import interleaved, shown, whole_process

_CNN = """
from torch import nn
make = lambda: nn.Sequential(
    nn.Conv2d(1, 32, 3), nn.MaxPool2d(2, 2), nn.Conv2d(32, 64, 5), nn.MaxPool2d(2, 2), nn.Dropout2d(0.1),
    nn.AdaptiveMaxPool2d((1, 1)), nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
"""
_RESNET = "from torchvision.models import resnet50\nmake = resnet50\n"
_DISTILBERT = """
from transformers import DistilBertConfig, DistilBertModel
make = lambda: DistilBertModel(DistilBertConfig())
"""
_LLAMA = """
from transformers import LlamaConfig, LlamaForCausalLM
make = lambda: LlamaForCausalLM(LlamaConfig(
    hidden_size=8192, intermediate_size=28672, num_hidden_layers=80, num_attention_heads=64, num_key_value_heads=8,
    vocab_size=128256))
"""

_COUNT = {
    "pytest-modelcheck": "from pytest_modelcheck import assert_parameters\nassert_parameters(make, total={total})",
    "ModelSummary": """
        import torch
        from pytorch_lightning import LightningModule
        from pytorch_lightning.utilities.model_summary import ModelSummary
        class Lit(LightningModule):
            def __init__(self):
                super().__init__()
                self.net = make()
        with torch.device("meta"):
            assert ModelSummary(Lit()).total_parameters == {total}
    """,
    "torchinfo": """
        import torch
        from torchinfo import summary
        with torch.device("meta"):
            assert summary(make(), verbose=0).total_params == {total}
    """,
}

_TABLE = {
    "pytest-modelcheck": """
        from pytest_modelcheck.models.inputs import made_inputs
        from pytest_modelcheck.models.summary import summarize
        from pytest_modelcheck.models.wrappers import unwrapped
        table = summarize(unwrapped(make).model, made_inputs({inputs}))
        assert table.counts.total == {total} and table.whole["flops"] == {flops}, table.whole
    """,
    "ModelSummary": """
        import torch
        from pytorch_lightning import LightningModule
        from pytorch_lightning.utilities.model_summary import ModelSummary
        class Lit(LightningModule):
            def __init__(self):
                super().__init__()
                self.net = make()
                self.example_input_array = {tensors}
            def forward(self, *inputs, **keywords):
                return self.net(*inputs, **keywords)
        table = ModelSummary(Lit(), max_depth=-1)
        assert table.total_parameters == {total} and table.total_flops == {flops}, table.total_flops
    """,
    "torchinfo": """
        import torch
        from torchinfo import summary
        table = summary(make(), input_data={tensors}, depth=99, verbose=0)
        assert table.total_params == {total}
    """,
}

_IMAGE = {"inputs": "[1, 3, 224, 224]", "tensors": "torch.zeros(1, 3, 224, 224)"}
_TOKENS = {
    "inputs": '{"input_ids": ([1, 7], "int64")}',
    "tensors": '{"input_ids": torch.zeros(1, 7, dtype=torch.long)}',
}


def measure(rounds: int) -> str:
    """Each contender checks its count against the published one. Counts are taken on the meta device.

    The table is that of every layer with its sizes and operations; ModelSummary and torchinfo build the model for real,
    and 70 billion parameters fit no memory there.
    """
    tables = [
        _counts("counting the sample project's network", _CNN, 53_994, rounds),
        _counts("counting ResNet-50", _RESNET, 25_557_032, rounds),
        _counts("counting DistilBERT", _DISTILBERT, 66_362_880, rounds),
        _counts("counting Llama 3 70B", _LLAMA, 70_553_706_496, rounds),
        _tables("the table of ResNet-50", _RESNET, 25_557_032, 8_178_368_512, _IMAGE, rounds),
        _tables("the table of DistilBERT", _DISTILBERT, 66_362_880, 595_445_760, _TOKENS, rounds),
        _tables("the table of Llama 3 70B", _LLAMA, 70_553_706_496, 973_152_452_608, _TOKENS, rounds, only=True),
    ]
    return "\n\n".join(tables)


def _counts(title: str, model: str, total: int, rounds: int) -> str:
    return _run(title, {name: model + dedent(code).format(total=total) for name, code in _COUNT.items()}, rounds)


def _tables(
    title: str, model: str, total: int, flops: int, inputs: dict[str, str], rounds: int, *, only: bool = False
) -> str:
    names = list(_TABLE)[:1] if only else list(_TABLE)
    values = {"total": total, "flops": flops, **inputs}
    return _run(title, {name: model + dedent(_TABLE[name]).format(**values) for name in names}, rounds)


def _run(title: str, programs: dict[str, str], rounds: int) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        commands = {name: [sys.executable, "-W", "ignore", "-c", code] for name, code in programs.items()}
        contenders = {name: whole_process(command, Path(folder), environment) for name, command in commands.items()}
        return shown(title, interleaved(contenders, rounds), "pytest-modelcheck")
