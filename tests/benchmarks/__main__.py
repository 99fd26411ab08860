"""Measure this project beside what people use instead, print the tables, and write tests/benchmarks/RESULTS.md.

With names, those parts of the page alone are measured and replaced. It ends with 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.benchmarks import counting, coverage, gates, growth, mnist, page, shapes, startup, tokenizers
from tests.benchmarks.peers import Peers
from tests.benchmarks.results import PAGE, Section, write

_Measure = Callable[[Peers, int], Section]


def _coverage(peers: Peers, rounds: int) -> Section:
    """Nothing is timed: each fault is given once."""
    return Section("Which faults the tools survive", coverage.measured(peers.beside_torch))


# What is measured, and in how many rounds.
BENCHMARKS: Mapping[str, tuple[_Measure, int]] = MappingProxyType(
    {
        "startup": (startup.measure, 20),
        "gates": (gates.measure, 9),
        "counting": (counting.measure, 5),
        "shapes": (shapes.measure, 7),
        "tokenizers": (tokenizers.measure, 5),
        "mnist": (mnist.measure, 7),
        "growth": (growth.measure, 3),
        "coverage": (_coverage, 1),
        "page": (page.measure, 3),
    }
)


def main() -> int:
    """Measure what was named, or all of it."""
    arguments = _parsed()
    measured: dict[str, Section] = {}
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        peers = Peers(arguments.keep or Path(folder))
        for name in arguments.names or BENCHMARKS:
            measure, rounds = BENCHMARKS[name]
            measured[name] = measure(peers, arguments.rounds or rounds)
            print(f"## {measured[name].title}\n\n{measured[name].body}\n", flush=True)
            # Each part as soon as it is there: the rest takes long, and may be broken off.
            if not arguments.print_only:
                write({name: measured[name]}, list(BENCHMARKS), peers.beside_torch)
    missed = [goal for section in measured.values() for goal in section.goals if not goal.is_met]
    for goal in missed:
        print(f"missed: {goal.told}: {goal.measured:.4g}{goal.unit}, at most {goal.limit:.4g}{goal.unit} was the goal")
    if not arguments.print_only:
        print(f"written: {PAGE}")
    return 1 if missed else 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", choices=[*BENCHMARKS, []], help=f"of {', '.join(BENCHMARKS)} (default: all)"
    )
    usual = ", ".join(f"{name} {rounds}" for name, (_, rounds) in BENCHMARKS.items())
    parser.add_argument("--rounds", type=int, metavar="N", help=f"rounds of each (default: {usual})")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the environments of the other packages there, for reuse"
    )
    parser.add_argument("--print-only", action="store_true", help="leave RESULTS.md as it is")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
