"""Run the benchmarks and print their tables: `python -m tests.benchmarks [--rounds N] [startup] [mnist] ...`."""

from __future__ import annotations

import argparse

from tests.benchmarks import counting, gates, mnist, page, shapes, startup, tokenizers

_BENCHMARKS = (
    ("startup", startup.measure, 40),
    ("mnist", mnist.measure, 5),
    ("gates", gates.measure, 3),
    ("tokenizers", tokenizers.measure, 3),
    ("shapes", shapes.measure, 5),
    ("counting", counting.measure, 3),
    ("page", page.measure, 3),
)


def main() -> None:
    """Measure what was named, or all of it."""
    names = [name for name, _, _ in _BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to run, of {', '.join(names)} (default: all)")
    parser.add_argument(
        "--rounds", type=int, help="rounds of each (default: 40 for startup, 5 for mnist, 3 for the others)"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there is {', '.join(names)}")
    for name, measure, rounds in _BENCHMARKS:
        if not arguments.names or name in arguments.names:
            print(measure(arguments.rounds or rounds), end="\n\n")


if __name__ == "__main__":
    main()
