"""What every report is made of: the rows of a run and what they have in common."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]

OUTCOMES = ("error", "failed", "xpassed", "waived", "xfailed", "skipped", "passed")

# Outcomes that fail a run, but for those that pytest was told to take easily (an xpassed test that is not strict).
_FAILING = ("error", "failed")


@dataclass(frozen=True)
class Run:
    """The rows of a run in the order in which they came, its seed and devices, and whether it reached its end.

    `started` is the time in UTC as ISO 8601 writes it, `seconds` what the run took. `environment` has the versions of
    what decides measurements, and where the run took place. `baselines` are the changes that the run made of baselines,
    each with its `file`, `key`, `change` (`"added"`, `"changed"`, `"removed"`) and the `lines` of a short difference.
    `problems` are what fails the run beside its gates: no gate ran, a waiver that is expired or not needed any more.
    """

    rows: Sequence[Row]
    seed: int
    devices: str
    complete: bool = True
    started: str = ""
    seconds: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)
    baselines: Sequence[Row] = ()
    problems: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Whether no gate is broken but for those that may be, at least one was measured, and nothing is missing."""
        outcomes = {row["outcome"] for row in self.rows}
        return self.complete and not self.problems and bool(outcomes - {"skipped"}) and not any(map(_fails, self.rows))

    @property
    def sorted_rows(self) -> list[Row]:
        """The rows, worst first: by outcome, then by margin, smallest first, then by name."""
        return sorted(self.rows, key=_badness)

    @property
    def early_stops(self) -> list[float]:
        """The probabilities that verdicts on a part of their samples are wrong, of those that there are."""
        told = (row["evidence"].get("early_stop") for row in self.rows if isinstance(row.get("evidence"), Mapping))
        return [chance for chance in told if isinstance(chance, float) and 0 < chance < 1]

    @property
    def command(self) -> str:
        """What runs the gates with the same seed and on the same devices.

        >>> Run((), 7, "cpu,cuda:0").command
        'pytest --modelcheck --modelcheck-seed=7 --modelcheck-device=cpu,cuda:0'
        """
        seed = [f"--modelcheck-seed={self.seed}"] if self.seed else []
        device = [f"--modelcheck-device={self.devices}"] if self.devices not in ("", "auto") else []
        return shlex.join(["pytest", "--modelcheck", *seed, *device])

    def totals(self) -> str:
        """The number of rows by outcome, in words.

        >>> Run([{"outcome": "passed"}, {"outcome": "failed"}, {"outcome": "passed"}], 0, "cpu").totals()
        '1 failed, 2 passed'
        """
        numbers = Counter(row["outcome"] for row in self.rows)
        return ", ".join(f"{numbers[outcome]} {outcome}" for outcome in OUTCOMES if numbers[outcome])


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


def _fails(row: Row) -> bool:
    """Whether a row fails its run: an xpassed test need not, and a part that is kept against expectation does."""
    return row["outcome"] in _FAILING or (row["outcome"] == "xpassed" and bool(row.get("part")))


def _badness(row: Row) -> tuple[int, float, str]:
    margin = row["margin"] if row["margin"] is not None else float("inf")
    return OUTCOMES.index(row["outcome"]), margin, row["gate"]
