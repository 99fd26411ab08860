"""What was measured, kept in `results.json`, and the page that tells of it, `RESULTS.md`."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import distributions
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.benchmarks.rounds import markdown

FOLDER = Path(__file__).parent
RECORD = FOLDER / "results.json"
PAGE = FOLDER / "RESULTS.md"

_PACKAGES = (
    *(
        "pytest",
        "pytest-xdist",
        "torch",
        "torchvision",
        "pytorch-lightning",
        "torchmetrics",
        "transformers",
        "tokenizers",
    ),
    *("torchinfo", "pytest-torch", "torchtest2", "syrupy", "pytest-benchmark", "jaxtyping", "hypothesis"),
)

# What a profiler says of the goals that are missed, by how they begin.
_WHY: Mapping[str, str] = MappingProxyType(
    {
        "start-up": (
            "what is left are five modules, the options and seven hooks, and one millisecond that pytest takes for any "
            "plugin; two medians of bare pytest itself differ by up to 1.4 % here"
        ),
        "gates, as asserts, on a model": (
            "0.8 ms is the plugin's, by a profiler: 0.2 for the states of random numbers, numpy's above all, 0.15 for "
            "the check, 0.13 for the rows of reports, the rest in many small parts; what is left is pytest's, for the "
            "fixture of the gate's device, collections of garbage, which take longer where torch is loaded, and what a "
            "session with gates takes once"
        ),
        "gates, as markers, on a model": "as for asserts",
        "MNIST, one gate": (
            "it judges 290 samples more, to see that each is judged alone and to know the model again, 3 %, takes "
            "a digest of the data and keeps a copy of it, 1 %, and looks at each chunk for wrong, close and infinite "
            "scores"
        ),
        "MNIST, eight gates": (
            "each gate after the first takes 7 to 10 ms to see that data and model are what they were, by all bytes of "
            "the data, the model's digest and 8 samples that are judged again, half of it for these, and the four "
            "metrics of torchmetrics take 25 ms in their own updates and values; the rest is that of one gate"
        ),
        "round trips of": (
            "lists of ids and comparisons in Python, a twentieth; the machine was noisy, and an hour before the same "
            "code but for 1 % gave 1.07, 1.01 and 1.13"
        ),
    }
)

_HEAD = """\
# Side by side

Written by `python -m tests.benchmarks`, which makes an environment with the packages that people use instead, and
measures them and this project in turns, round by round. Each figure is the median of the rounds, with the least and the
most in brackets; a ratio is the median of the rounds' own ratios. *Process* is the CPU time, user and system, of a
whole process with its children, *work* the part of it that comes after imports, when the model and the data are there,
and *peak* the memory of its largest process, until the end of the work where that is told apart. Absolute figures are
those of one shared machine; ratios say more. In every round the answer of each contender is compared with the known
one, and a wrong one stops the benchmark, but where a table tells of wrong answers.
"""


@dataclass(frozen=True)
class Goal:
    """A figure that is to be at most so much; `why` says of one that is missed what is left."""

    told: str
    measured: float
    limit: float
    unit: str = ""
    why: str = ""

    @property
    def is_met(self) -> bool:
        """Whether it is; never where nothing was measured."""
        return math.isfinite(self.measured) and self.measured <= self.limit


@dataclass(frozen=True)
class Section:
    """One part of the page."""

    title: str
    body: str
    goals: tuple[Goal, ...] = ()


def recorded(record: Path = RECORD) -> dict[str, Any]:
    """What was measured so far, by the names of the benchmarks."""
    return dict(json.loads(record.read_text(encoding="utf-8"))) if record.exists() else {}


def write(measured: Mapping[str, Section], order: Sequence[str], python: Path) -> None:
    """Put these sections in the place of those of their names, and write the page anew."""
    found = recorded()
    where = {"date": f"{datetime.now(timezone.utc):%Y-%m-%d}", "machine": machine(), "versions": versions(python)}
    found.update({name: {**asdict(section), **where} for name, section in measured.items()})
    kept = {name: found[name] for name in order if name in found}
    RECORD.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(kept), encoding="utf-8")


def page(found: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    sections = [_section(name, kept) for name, kept in found.items()]
    goals = [["goal", "measured", "at most", ""]]
    goals += [_row(Goal(**goal)) for kept in found.values() for goal in kept["goals"]]
    return "\n".join([_HEAD, "## Goals\n", markdown(goals), "", *sections])


def _row(goal: Goal) -> list[str]:
    measured, limit = (f"{value:,.4g}{goal.unit}" for value in (goal.measured, goal.limit))
    why = goal.why or next((why for start, why in _WHY.items() if goal.told.startswith(start)), "")
    verdict = "met" if goal.is_met else "**missed**" + (f": {why}" if why else "")
    return [goal.told, measured, limit, verdict]


def _section(name: str, kept: Mapping[str, Any]) -> str:
    where = f"`python -m tests.benchmarks {name}`, {kept['date']}, on {kept['machine']}, with {kept['versions']}."
    return f"## {kept['title']}\n\n{kept['body']}\n\n{where}\n"


def machine() -> str:
    """The machine in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{platform.system()}, {os.cpu_count()} cores ({name}), {memory:.0f} GiB"


def versions(python: Path) -> str:
    """Python's and those of the packages that the environment of this Python sees."""
    paths = map(str, (python.parents[1] / "lib").glob("python*/site-packages"))
    found = {item.metadata["Name"].lower(): item.version for item in distributions(path=[*sys.path, *paths])}
    told = ", ".join(f"{name} {found[name]}" for name in _PACKAGES if name in found)
    return f"Python {platform.python_version()}, {told}"
