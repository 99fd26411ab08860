"""`python -m tests.benchmarks.coverage --python P`: run the rows by a Python with all tools, and print the section."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.coverage import measured, outcomes
from tests.benchmarks.coverage.table import GROUPS

parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.coverage", description=__doc__)
parser.add_argument("--python", type=Path, required=True, metavar="P", help="a Python with all tools")
parser.add_argument("--only", metavar="TEXT", help="the rows with this in their names, and nothing but their words")

if __name__ == "__main__":
    arguments = parser.parse_args()
    if arguments.only is None:
        print(measured(arguments.python))
    else:
        rows = [row for group in GROUPS for row in group.rows if arguments.only in row.name]
        for (name, tool), word in outcomes(
            arguments.python, [(row, tool) for row in rows for tool in row.uses]
        ).items():
            print(f"{name} | {tool} | {word}")
