"""Gates that another plugin runs again: the last try counts, and what the earlier ones said is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_modelcheck.escape import printable
from pytest_modelcheck.plugin.rows import BROKEN, Row, plain

# What pytest-rerunfailures and pytest-retry make of the outcome of a try after which there is another one.
_AGAIN = ("rerun", "retried")


class Tries:
    """What was said of gates in tries that were not their last."""

    def __init__(self) -> None:
        self._broken: dict[str, list[Row]] = {}
        self._begins: set[str] = set()

    def is_earlier(self, report: pytest.TestReport) -> bool:
        """Whether another try follows; what broke in this one is kept in mind."""
        if str(report.outcome) not in _AGAIN:
            return False
        gate = plain(report.nodeid)
        rows = [row for row in getattr(report, "modelcheck", ()) if row["outcome"] in BROKEN]
        self._broken.setdefault(gate, []).extend(rows)
        self._begins.add(gate)
        return True

    def begins(self, nodeid: str) -> bool:
        """Whether a test starts that was tried before: nothing of the earlier try is part of what is reported."""
        gate = plain(nodeid)
        begins = gate in self._begins
        self._begins.discard(gate)
        return begins

    def settle(self, rows: Sequence[Row]) -> tuple[list[str], list[str]]:
        """The problems and the notes of gates that broke in one try and in their last did not; their rows tell of it.

        A gate has the same verdict every time: a promise that was measured and is broken stays so, since the verdict
        that suits is not to be chosen among several. What could not be measured at first may be so later.
        """
        problems, notes = [], []
        still = {row["gate"] for row in rows if row["outcome"] in BROKEN}
        for gate, broken in self._broken.items():
            if not broken or gate in still:
                continue
            first = min(broken, key=lambda row: row["outcome"] == "error")
            told = printable(first["message"].strip().partition("\n")[0])
            if first["outcome"] == "error":
                notes.append(f"note: {printable(gate)}: not measured in an earlier try: {told}")
            else:
                problems.append(
                    f"{printable(gate)} has two verdicts: its last try keeps what an earlier one broke ({told}). "
                    "None is chosen: have the gate measure the same every time."
                )
            for row in [row for row in rows if row["gate"] == gate][:1]:
                row["evidence"] = {**row["evidence"], "earlier tries": [item["message"] for item in broken]}
        return problems, notes
