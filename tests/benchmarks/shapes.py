"""Shapes of every layer: beside the bare forward, and of a model that fits no memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.rounds import in_process, interleaved, shown

ROOT = Path(__file__).parents[2]

_HUGE = """
import time, torch
from transformers import LlamaConfig, LlamaForCausalLM
from pytest_modelcheck import assert_shape
sizes = {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80}
heads = {"num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 128256}
started = time.process_time()
assert_shape(
    lambda: LlamaForCausalLM(LlamaConfig(**sizes, **heads)),
    {"input_ids": ("batch tokens", "int64"), "output_hidden_states": True},
    expected={"hidden_states.*": "batch tokens 8192", "logits": "batch tokens 128256"},
    meta=True,
)
used = time.process_time() - started
# The process's own peak: that of getrusage is inherited from the one that started it.
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(f"every hidden state of Llama 3 70B: {used:.2f} CPU seconds after imports, peak {peak / 1024:,.0f} MiB")
"""


def measure(rounds: int) -> str:
    """One torch thread."""
    import torch
    from transformers import DistilBertConfig, DistilBertModel

    from pytest_modelcheck import assert_shape

    torch.set_num_threads(1)
    model = DistilBertModel(DistilBertConfig()).eval()
    inputs = {"input_ids": torch.arange(1, 65).reshape(1, 64)}
    layers = [module for name, module in model.named_modules() if name]
    seen: list[object] = []

    def bare() -> None:
        with torch.no_grad():
            for _ in range(10):
                model(**inputs)

    def hooked() -> None:
        handles = [layer.register_forward_hook(lambda _m, _i, output: seen.append(output)) for layer in layers]
        bare()
        for handle in handles:
            handle.remove()
        seen.clear()

    def checked() -> None:
        assert_shape(model, inputs, expected={"transformer.layer.*": "batch tokens 768"})

    costs = interleaved(
        {
            "ten bare forwards": in_process(bare),
            "ten forwards with a hook on every layer": in_process(hooked),
            "a whole check, with the weights compared before and after": in_process(checked),
        },
        rounds,
    )
    told = subprocess.run([sys.executable, "-W", "ignore", "-c", _HUGE], cwd=ROOT, check=True, capture_output=True)
    return shown("every layer of DistilBERT, 64 tokens", costs, "ten bare forwards") + "\n" + told.stdout.decode()
