"""Interleaved rounds: contenders take turns, so that a machine whose speed drifts treats them alike."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Cost = Callable[[], float]


def whole_process(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Cost:
    """The CPU seconds, user and system, of a command and its children."""

    def run() -> float:
        before = _children()
        subprocess.run(command, cwd=folder, env=dict(environment), check=True, stdout=subprocess.DEVNULL)
        return _children() - before

    return run


def _children() -> float:
    import resource  # not on Windows

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def in_process(function: Callable[[], object]) -> Cost:
    """The CPU seconds of a call, with those of the processes that it has started and seen end."""

    def run() -> float:
        start = time.process_time() + _children()
        function()
        return time.process_time() + _children() - start

    return run


def interleaved(contenders: Mapping[str, Cost], rounds: int) -> dict[str, list[float]]:
    """The cost of each contender in each round, after one round that does not count."""
    costs: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, cost in contenders.items():
            seconds = cost()
            if number:
                costs[name].append(seconds)
        if sys.stderr.isatty():
            print(f"\r  round {number} of {rounds}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r" + " " * 24 + "\r", end="", file=sys.stderr)
    return costs


def shown(title: str, costs: Mapping[str, Sequence[float]], base: str) -> str:
    """A table: each contender's median, its spread, and its ratio to the base.

    The ratio is the median of the rounds' own, and that of both contenders' fastest rounds, which noise can only raise.
    """
    lines = [f"{title} (CPU seconds, {len(costs[base])} rounds)"]
    for name, seconds in costs.items():
        ratio = statistics.median(one / other for one, other in zip(seconds, costs[base], strict=True))
        spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
        fastest = min(seconds) / min(costs[base])
        lines.append(
            f"  {name:44} {statistics.median(seconds):8.3f}  ({spread})  ratio {ratio:.3f}, fastest {fastest:.3f}"
        )
    return "\n".join(lines)
