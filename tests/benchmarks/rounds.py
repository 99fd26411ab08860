"""Interleaved rounds of whole processes: contenders take turns, so that a drifting machine treats them alike."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_project"


@dataclass(frozen=True)
class Cost:
    """What one run of a process cost.

    CPU seconds, user and system, with those of its children; wall-clock seconds; MiB at the peak of the largest of its
    processes, until the end of its work where the process told of it; and then the CPU seconds of the work alone. Linux
    has a process inherit the peak of the one that starts it: that must be a small one, and import none of what it
    measures.
    """

    cpu: float
    wall: float
    memory: float
    work: float | None
    answer: Any


@dataclass(frozen=True)
class Contender:
    """A command, and whether its answer is right: what a worker told, or else all that the command printed."""

    command: Sequence[str]
    is_right: Callable[[Any], bool]
    folder: Path = ROOT
    environment: Mapping[str, str | None] | None = None

    def run(self, name: str) -> Cost:
        """Its cost. A `SystemExit` where its answer is wrong: then its time says nothing."""
        started = time.perf_counter()
        process = subprocess.Popen(
            self.command, cwd=self.folder, env=surroundings(self.environment), stdout=subprocess.PIPE, text=True
        )
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        work, peak, answer = _parsed(told)
        if process.returncode or not self.is_right(answer):
            raise SystemExit(f"{name} ended with {process.returncode} and is not right: {answer!r}")
        return Cost(usage.ru_utime + usage.ru_stime, wall, peak or usage.ru_maxrss / 1024, work, answer)


def surroundings(more: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """The environment of every contender: compiled modules are kept, one torch thread, no network.

    A variable that is `None` in `more` is not there.
    """
    usual = {"PYTHONDONTWRITEBYTECODE": None, "PYTEST_ADDOPTS": None, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    asked = {**os.environ, **usual, **(more or {})}
    return {name: value for name, value in asked.items() if value is not None}


def worker(python: Path, function: str, *arguments: object, is_right: Callable[[Any], bool]) -> Contender:
    """A function of this package, as `module:name`, in a process of its own: it prepares and returns the work."""
    words = [json.dumps(argument) for argument in arguments]
    return Contender([str(python), "-W", "ignore", "-m", "tests.benchmarks.worker", function, *words], is_right)


def _parsed(told: str) -> tuple[float | None, float | None, Any]:
    last = told.rstrip().rpartition("\n")[2]
    if last.startswith('{"work"'):
        found = json.loads(last)
        return found["work"], found["peak"], found["answer"]
    return None, None, told


def interleaved(title: str, contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[Cost]]:
    """The cost of each contender in each round, after one round that does not count; another begins each time."""
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds + 1):
        for name in (*names[number % len(names) :], *names[: number % len(names)]):
            _say(f"{title}: round {number} of {rounds}, {name}")
            cost = contenders[name].run(name)
            if number:
                costs[name].append(cost)
    _say("")
    return costs


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text[:110]}", end="", file=sys.stderr, flush=True)


def ratio(costs: Mapping[str, Sequence[Cost]], one: str, other: str, figure: str = "cpu") -> float:
    """The median of the rounds' own ratios: what slows a whole round down slows both."""
    pairs = zip(costs[one], costs[other], strict=True)
    return statistics.median(getattr(left, figure) / getattr(right, figure) for left, right in pairs)


def table(
    costs: Mapping[str, Sequence[Cost]], base: str, told: Callable[[Any], str] | None = None, column: str = "answer"
) -> str:
    """A Markdown table: medians and, in brackets, the least and the most, with the ratio to the base."""
    has_work = all(cost.work is not None for found in costs.values() for cost in found)
    figures = ["work", "cpu"] if has_work else ["cpu"]
    names = {"work": "work, CPU s", "cpu": "process, CPU s"}
    head = ["", *(text for figure in figures for text in (names[figure], "ratio")), "wall s", "peak MiB"]
    rows = [[*head, *([column] if told else [])]]
    for name, found in costs.items():
        cells = [name]
        for figure in figures:
            cells += [spread([getattr(cost, figure) for cost in found]), f"{ratio(costs, name, base, figure):.3f}"]
        cells += [spread([cost.wall for cost in found]), f"{statistics.median(cost.memory for cost in found):,.0f}"]
        rows.append([*cells, *([told(found[-1].answer)] if told else [])])
    return markdown(rows)


def spread(seconds: Sequence[float]) -> str:
    """The median with the least and the most."""
    return f"{statistics.median(seconds):.3f} ({min(seconds):.3f} to {max(seconds):.3f})"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table; the first is its head, and the first column is text."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))
