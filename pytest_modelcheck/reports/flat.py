"""The report as flat metrics, one number by each name: what `dvc metrics show` and `dvc metrics diff` read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterator
from typing import Any

from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports.numbers import finite
from pytest_modelcheck.reports.run import OUTCOMES, Row, Run


def render(run: Run) -> str:
    """One JSON object of names and finite numbers, sorted.

    `gates.failed` and its like count outcomes, `run.passed` and `run.complete` are 1 or 0. A promise has its number
    under its gate and check, with the part and the number's name where they say more, and its margin beside it:
    `tests/test_digits.py::test_it accuracy` and `tests/test_digits.py::test_it accuracy margin`. A check that a test
    calls several times is numbered: `tests/test_digits.py::test_it accuracy (2)`. The device is no part of the name, so
    that a run on another one is compared with it.
    """
    numbers = Counter(row["outcome"] for row in run.rows)
    found: dict[str, int | float] = {f"gates.{outcome}": numbers[outcome] for outcome in OUTCOMES}
    found |= {"run.passed": int(run.passed), "run.complete": int(run.complete)}
    seen: Counter[str] = Counter()
    for row in run.rows:
        promise = _name(row["gate"], row["check"], row["part"])
        seen[promise] += 1
        call = f"({seen[promise]})" if seen[promise] > 1 else ""
        for word, value in _numbers(row):
            shown = finite(value)
            if shown is not None:
                found[_unused(_name(promise, call, word), found)] = shown
    return json.dumps(found, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _numbers(row: Row) -> Iterator[tuple[str, Any]]:
    """The numbers of a row, each with the word that it has beside the promise."""
    number = row.get("number")
    if number:
        yield number["name"] if number["name"] != row["check"] else "", number["value"]
    yield "margin", row["margin"]


def _name(*words: str) -> str:
    return printable(" ".join(filter(None, words)))


def _unused(name: str, taken: Container[str]) -> str:
    """The name, numbered where it is taken: a part may have any name, that of a margin too."""
    found, times = name, 1
    while found in taken:
        times += 1
        found = f"{name} #{times}"
    return found
