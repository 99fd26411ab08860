"""Inputs that somebody made to do harm, and secrets."""

from __future__ import annotations

import json
from typing import Any

from tests.benchmarks.coverage.row import (
    BENCHMARK,
    MODELCHECK,
    SYRUPY,
    TORCH,
    Group,
    Row,
    Use,
    inert,
    sound,
    untold,
)
from tests.benchmarks.coverage.rows.sessions import PLAIN_BENCHMARK, SHORT
from tests.benchmarks.coverage.rows.stores import LETTERS, UPDATE_SNAPSHOTS
from tests.benchmarks.coverage.rows.texts import GATES, of_model
from tests.faults.rows.folders import TOKENIZER

# Unpickled, the second runs a command.
SAVED = """
import os
import pytest
import torch
from pathlib import Path

class Command:
    def __reduce__(self):
        return os.system, ("touch canary",)

WEIGHTS = torch.nn.Linear(4, 3).state_dict()
torch.save(WEIGHTS, "weights.pt")
{then}
"""

CHECKPOINTS = {
    MODELCHECK: """
from pytest_modelcheck import assert_accuracy

@pytest.mark.modelcheck
def test_it():
    data = (torch.ones(6, 4), torch.zeros(6, dtype=torch.long))
    assert_accuracy(torch.nn.Linear(4, 3), data, min=0, checkpoint="weights.pt")
""",
    TORCH: """
from pytest_torch import assert_checkpoint_loads

def test_it():
    assert_checkpoint_loads(lambda: torch.nn.Linear(4, 3), "weights.pt")
""",
}

FOLDER = """
def test_it(model_loader):
    if "SUBJECT" == "plain":
        from transformers import BertConfig, BertModel

        sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
        BertModel(BertConfig(vocab_size=9, **sizes)).save_pretrained("plain")
    assert model_loader.hf("SUBJECT").config.hidden_size == 8
"""

AUTO = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
EVIL_FOLDER = {
    "evil/config.json": json.dumps({"model_type": "evil", "architectures": ["Model"], "auto_map": AUTO}),
    "evil/evil.py": "open('canary', 'w').close()\n",
}

STEERING = "'\\x1b[2J\\n::error::evil'"
SHOWN = ("--tb=long", "-rA")

ENVIRONMENT = {"HF_TOKEN": "hunter2", "AWS_SECRET_ACCESS_KEY": "hunter2"}
URL = {"TOLD": "401 of https://alice:hunter2@host.example/m.pt"}
RAISING = "import os; raise OSError(os.environ['TOLD'])"
REPRO = ("--torch-repro-dir=repro",)
REPORTS = tuple(f"--modelcheck-report=report.{ending}" for ending in ("json", "md", "html"))
OWN = LETTERS + "\n@pytest.mark.modelcheck\ndef test_it(tokenizer):\n    SUBJECT\n"
SEEDED = "def test_it(make_tensor):\n    make_tensor(3)\n    SUBJECT\n"


def checkpoint(then: str, **more: Any) -> dict[str, Use]:
    """A file of weights, and what becomes of it in the end."""
    return {
        tool: Use(SAVED.format(then="SUBJECT") + text, "", then, overwrites=("weights.pt",), **more)
        for tool, text in CHECKPOINTS.items()
    }


EVIL = 'torch.save({"weight": Command(), "bias": WEIGHTS["bias"]}, "weights.pt")'


def tokenizer() -> Use:
    """Tokenizers of which the second is saved with code in its folder."""
    test = TOKENIZER.replace("return {kind}(", "return SUBJECT(").format(template=None, expected=None)
    return Use(test, "PreTrainedTokenizerFast", "Remote")


HOSTILE = Group(
    "Hostile inputs and secrets",
    (
        Row(
            "a checkpoint that is cut off",
            r"weights\.pt|corrupt",
            checkpoint('Path("weights.pt").write_bytes(Path("weights.pt").read_bytes()[:700])'),
        ),
        Row(
            "a checkpoint without one of the weights",
            r"\bbias\b",
            checkpoint('torch.save({"weight": WEIGHTS["weight"]}, "weights.pt")'),
        ),
        Row("a checkpoint that would run a command", r"weights.only|\bsystem\b", checkpoint(EVIL)),
        Row(
            "a checkpoint that would run a command, where the environment asks torch to load all",
            r"weights.only|\bsystem\b",
            checkpoint(EVIL, fault_environment={"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}),
        ),
        Row(
            "a model folder (for pytest-modelcheck: a tokenizer's) that wants `trust_remote_code`",
            "trust_remote_code|names code",
            {MODELCHECK: tokenizer(), TORCH: Use(FOLDER, "plain", "evil", files=EVIL_FOLDER)},
            sound,
        ),
        Row(
            "a text that would clear the terminal and command a CI",
            "ValueError|error::evil",
            {
                **of_model(
                    "...", f"raise ValueError({STEERING})", forward="SUBJECT", options=dict.fromkeys(GATES, SHOWN)
                ),
                SYRUPY: Use(
                    "def test_it(snapshot):\n    assert SUBJECT == snapshot\n",
                    "'plain'",
                    STEERING,
                    options=SHOWN,
                    record=UPDATE_SNAPSHOTS,
                ),
            },
            inert,
        ),
        Row(
            "secrets in the environment, in reports",
            "",
            {
                MODELCHECK: Use(OWN, "...", "assert 1 == 2", options=REPORTS, fault_environment=ENVIRONMENT),
                TORCH: Use(SEEDED, "...", "assert 1 == 2", options=REPRO, fault_environment=ENVIRONMENT),
                BENCHMARK: Use(
                    PLAIN_BENCHMARK,
                    control_options=(*SHORT, "--benchmark-json=control.json"),
                    fault_options=(*SHORT, "--benchmark-json=report.json"),
                    fault_environment=ENVIRONMENT,
                ),
            },
            untold,
        ),
        Row(
            "a password in a URL of an exception, in reports",
            "",
            {
                MODELCHECK: Use(OWN, "...", RAISING, options=REPORTS, fault_environment=URL),
                TORCH: Use(SEEDED, "...", RAISING, options=REPRO, fault_environment=URL),
            },
            untold,
        ),
    ),
)
