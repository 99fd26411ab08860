"""Which faults the tools survive that people use instead: each fault, given to each tool that can be given it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from tests.benchmarks.coverage.harness import Runner, cell, runner
from tests.benchmarks.coverage.page import Outcomes, rendered
from tests.benchmarks.coverage.row import TOOLS, Row
from tests.benchmarks.coverage.table import GROUPS

_AT_ONCE = 2


def measured(python: Path) -> str:
    """Run each row with each tool, by a Python that has all of them, and return a section in Markdown."""
    given = [(row, tool) for group in GROUPS for row in group.rows for tool in row.uses]
    words = outcomes(python, given)
    return rendered(GROUPS, words, _versions(python))


def outcomes(python: Path, given: list[tuple[Row, str]]) -> Outcomes:
    """What became of each row with each tool."""
    idle: SimpleQueue[Runner] = SimpleQueue()
    done: Outcomes = {}

    def run(number: int) -> None:
        row, tool = given[number]
        one = idle.get()
        try:
            with tempfile.TemporaryDirectory() as name:
                done[row.name, tool] = cell(row, tool, Path(name).resolve(), one)
        finally:
            idle.put(one)
        if sys.stderr.isatty():
            print(f"\r  {len(done)} of {len(given)}", end="", file=sys.stderr, flush=True)

    with ExitStack() as stack:
        for _ in range(_AT_ONCE):
            idle.put(stack.enter_context(runner(python)))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            futures = [pool.submit(run, number) for number in range(len(given))]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    if sys.stderr.isatty():
        print("\r" + " " * 24 + "\r", end="", file=sys.stderr)
    return done


def _versions(python: Path) -> dict[str, str]:
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    told = subprocess.check_output([python, "-c", code, *TOOLS], text=True)
    return dict(zip(TOOLS, told.split(), strict=True))
