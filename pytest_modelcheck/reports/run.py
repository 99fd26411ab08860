"""What every report is made of: the rows of a run and what they have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]

_WORST_FIRST = ("error", "failed", "xpassed", "xfailed", "skipped", "passed")


@dataclass(frozen=True)
class Run:
    """The rows of a run in the order in which they came, its seed and devices, and whether it reached its end."""

    rows: Sequence[Row]
    seed: int
    devices: str
    complete: bool = True

    @property
    def sorted_rows(self) -> list[Row]:
        """The rows, worst first: by outcome, then by margin, smallest first, then by name."""
        return sorted(self.rows, key=_badness)

    @property
    def early_stops(self) -> list[float]:
        """The probabilities that verdicts on a part of their samples are wrong, of those that there are."""
        told = (row["evidence"].get("early_stop") for row in self.rows if isinstance(row.get("evidence"), Mapping))
        return [chance for chance in told if isinstance(chance, float) and 0 < chance < 1]

    def totals(self) -> str:
        """The number of rows by outcome, in words.

        >>> Run([{"outcome": "passed"}, {"outcome": "failed"}, {"outcome": "passed"}], 0, "cpu").totals()
        '1 failed, 2 passed'
        """
        numbers = Counter(row["outcome"] for row in self.rows)
        return ", ".join(f"{numbers[outcome]} {outcome}" for outcome in _WORST_FIRST if numbers[outcome])


def shown_margin(row: Row) -> str:
    """The margin as a signed percentage, `exact` for an equality that holds, and nothing where none was measured.

    >>> shown_margin({"margin": 0.0088, "outcome": "passed", "check": "accuracy"})
    '+0.88 %'
    """
    if row["margin"] is not None:
        return f"{100 * row['margin']:+.2f} %"
    return "exact" if row["outcome"] == "passed" and row["check"] != "test" else ""


def shown_check(row: Row) -> str:
    """The check, and the part of it that the row is about.

    >>> shown_check({"check": "tokenizer_conforms", "part": "padding"})
    'tokenizer_conforms: padding'
    """
    return f"{row['check']}: {row['part']}" if row["part"] else str(row["check"])


def shown_gate(row: Row) -> str:
    """The test without its file, as its author named it.

    >>> shown_gate({"gate": "tests/vision/test_digits.py::TestNetwork::test_size[a/b]"})
    'TestNetwork::test_size[a/b]'
    """
    path, _, test = row["gate"].partition("::")
    return str(test or path)


def _badness(row: Row) -> tuple[int, float, str]:
    margin = row["margin"] if row["margin"] is not None else float("inf")
    return _WORST_FIRST.index(row["outcome"]), margin, row["gate"]
