"""Growth: time and memory against the number of gates, samples, parameters and texts, with the slope, and a plot."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from tests.benchmarks import gates, tokenizers
from tests.benchmarks.peers import Peers
from tests.benchmarks.results import FOLDER, Goal, Section
from tests.benchmarks.rounds import Contender, Cost, interleaved, markdown, worker

PLOT = FOLDER / "growth.svg"

# The shortest work that a slope begins with, in seconds.
_SHORTEST = 0.1

_GATES = (10, 100, 1_000, 10_000)
_SAMPLES = (10**3, 10**4, 10**5, 10**6, 10**7)
_TEXTS = (10**2, 10**3, 10**4, 10**5, 10**6)

# Hidden and intermediate sizes, layers, heads and the vocabulary of Llamas; the last three are Llama 3's.
_LLAMAS: Mapping[int, tuple[int, int, int, int, int]] = MappingProxyType(
    {
        12_384: (32, 64, 1, 2, 32),
        984_192: (128, 384, 4, 4, 512),
        104_811_264: (768, 2048, 12, 12, 16_000),
        8_030_261_248: (4096, 14_336, 32, 32, 128_256),
        70_553_706_496: (8192, 28_672, 80, 64, 128_256),
        405_853_388_800: (16_384, 53_248, 126, 128, 128_256),
    }
)


@dataclass(frozen=True)
class Growth:
    """What a subject costs by its size: the CPU seconds of the work, and MiB at the peak of the process.

    Of sessions, whose work cannot be told from their start, the work is what they cost more than one of one gate.
    """

    name: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    memory: tuple[float, ...]

    @property
    def slope(self) -> float:
        """Of the logarithm of the seconds to that of the size, 1 for linear growth: the largest of all steps.

        Those that begin with less than a tenth of a second say more of the clock than of the size.
        """
        points = [item for item in zip(self.sizes, self.seconds, strict=True) if item[1] >= _SHORTEST]
        return max(
            math.log(after / before) / math.log(larger / size) for (size, before), (larger, after) in pairwise(points)
        )

    @property
    def memory_slope(self) -> float:
        """The same of the memory over that of the smallest, which is the process without its subject."""
        before, after = (max(peak - self.memory[0], 1.0) for peak in self.memory[-2:])
        return math.log(after / before) / math.log(self.sizes[-1] / self.sizes[-2])


def measure(peers: Peers, rounds: int) -> Section:
    """The answers are checked; the largest sizes take long, so there are few rounds."""
    grown = [
        _sessions(peers, rounds),
        _workers(peers, rounds, "samples", samples, _SAMPLES),
        _workers(peers, rounds, "parameters", parameters, tuple(_LLAMAS)),
        _workers(peers, rounds, "texts", texts, _TEXTS),
    ]
    script = [peers.beside_torch, "-m", "tests.benchmarks.plot", PLOT]
    told = json.dumps([[item.name, item.sizes, item.seconds, item.memory] for item in grown])
    subprocess.run(script, cwd=FOLDER.parents[1], input=told, text=True, check=True)
    words = (
        "Gates are those of a number, above, as markers; samples are rows of two scores; parameters those of Llamas "
        "without weights in memory; texts go through GPT-2's tokenizer. The slope of time is the largest of all steps "
        "that begin with a tenth of a second, on logarithmic axes, and that of memory is the last one's: 1 is linear "
        f"growth, 0 none. Medians of {rounds} rounds."
    )
    body = [words, f"![Time and memory against size]({PLOT.name})", *map(_table, grown)]
    goals = [Goal(f"{item.name}: slope of time", item.slope, 1.1) for item in grown]
    goals += [Goal(f"{item.name}: slope of memory", item.memory_slope, 1.1) for item in grown]
    return Section("Growth", "\n\n".join(body), tuple(goals))


def _table(item: Growth) -> str:
    rows = [[item.name, "work, CPU s", "peak MiB"]]
    figures = zip(item.sizes, item.seconds, item.memory, strict=True)
    rows += [[f"{size:,}", f"{max(seconds, 0):.3f}", f"{peak:,.0f}"] for size, seconds, peak in figures]
    return f"{markdown(rows)}\n\nSlope of time {item.slope:.2f}, of memory {item.memory_slope:.2f}."


def _sessions(peers: Peers, rounds: int) -> Growth:
    head, tests = gates.A_NUMBER[1:]
    with tempfile.TemporaryDirectory() as name:
        contenders = {}
        for size in (1, *_GATES):
            folder = Path(name) / str(size)
            folder.mkdir()
            (folder / "conftest.py").write_text(gates.A_NUMBER[0], encoding="utf-8")
            contenders[f"{size} gates"] = gates.session(peers.beside_torch, folder, head, tests[gates.MARKERS], size)
        costs = interleaved("growth of gates", contenders, rounds)
    least, *others = costs.values()
    seconds = tuple(
        statistics.median(cost.cpu - one.cpu for cost, one in zip(found, least, strict=True)) for found in others
    )
    return Growth("gates", _GATES, seconds, _peaks(others))


def _workers(
    peers: Peers, rounds: int, name: str, function: Callable[[int], Callable[[], int]], sizes: tuple[int, ...]
) -> Growth:
    place = f"tests.benchmarks.growth:{function.__name__}"
    contenders: dict[str, Contender] = {
        f"{size:,} {name}": worker(peers.beside_torch, place, size, is_right=lambda told, size=size: told == size)
        for size in sizes
    }
    costs = list(interleaved(f"growth of {name}", contenders, rounds).values())
    seconds = tuple(statistics.median(cost.work for cost in found if cost.work is not None) for found in costs)
    return Growth(name, sizes, seconds, _peaks(costs))


def _peaks(costs: Sequence[Sequence[Cost]]) -> tuple[float, ...]:
    return tuple(statistics.median(cost.memory for cost in found) for found in costs)


def samples(size: int) -> Callable[[], int]:
    import torch

    from pytest_modelcheck import assert_accuracy

    scores = torch.eye(2).repeat(size // 2, 1)
    labels = torch.arange(2).repeat(size // 2)
    labels[:: 1000 // 2] = 1
    return lambda: assert_accuracy(torch.nn.Identity(), (scores, labels), min=0.9).evidence["seen"]


def parameters(size: int) -> Callable[[], int]:
    from transformers import LlamaConfig, LlamaForCausalLM

    from pytest_modelcheck import assert_parameters

    hidden, intermediate, layers, heads, words = _LLAMAS[size]
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    sizes = dict(zip(names, (hidden, intermediate, layers, heads, min(heads, 8)), strict=True))
    make = lambda: LlamaForCausalLM(LlamaConfig(**sizes, vocab_size=words))  # noqa: E731
    return lambda: assert_parameters(make, total=size).evidence["total"]


def texts(size: int) -> Callable[[], int]:
    return tokenizers.gate("GPT-2", size)
