"""What got better and what got worse from one report to the next."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.reports.noise import Difference, difference, move, number_of
from pytest_modelcheck.reports.pairs import Pair, pairs
from pytest_modelcheck.reports.run import OUTCOMES, Row, Run
from pytest_modelcheck.result import Number

Verdict = Literal["worse", "gone", "not comparable", "changed", "better", "new", "same"]

# Worst first. Of what is found of one row, the first counts.
VERDICTS: tuple[Verdict, ...] = ("worse", "gone", "not comparable", "changed", "better", "new", "same")

# What an outcome vouches for: it was not measured; broken; let through, whatever it is; kept, and not relied on; kept.
_RANKS: Mapping[str, int] = MappingProxyType(
    {"error": 0, "failed": 1, "skipped": 2, "xfailed": 2, "waived": 2, "xpassed": 3, "passed": 4}
)
_BROKEN = ("error", "failed")


@dataclass(frozen=True)
class Change:
    """What became of one row: `old` is `None` of a new one, `new` of one that is gone; `row` says what they are about.

    `call` counts the calls of one check in one gate, and is 0 of the only one. `difference` is that of their numbers,
    and `reasons` say what no number tells.
    """

    verdict: Verdict
    row: Row
    old: Row | None
    new: Row | None
    call: int = 0
    numbers: tuple[Number | None, Number | None] = (None, None)
    difference: Difference | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What became of each row, worst first, what is wrong with the new run as a whole, and what else is different."""

    changes: Sequence[Change]
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()

    def summary(self) -> str:
        """The number of rows by verdict, in words."""
        numbers = Counter(change.verdict for change in self.changes)
        words = {"same": "the same within noise"}
        return ", ".join(f"{numbers[name]:,} {words.get(name, name)}" for name in VERDICTS if numbers[name])

    def regressions(self, *, allow_missing: bool = False, allow_other_data: bool = False) -> list[str]:
        """What must not pass: rows that are worse, gone or not comparable, and a run that is not whole.

        `allow_missing` lets pass what is gone, `allow_other_data` what is not comparable.
        """
        allowed = {"gone": allow_missing, "not comparable": allow_other_data}
        numbers = Counter(change.verdict for change in self.changes)
        found = [
            f"{numbers[name]:,} {name}"
            for name in ("worse", "gone", "not comparable")
            if numbers[name] and not allowed.get(name)
        ]
        problems = len(self.problems)
        return found + ([f"{problems:,} problem{'s' * (problems != 1)} of the run"] if problems else [])


def compare(old: Run, new: Run, *, names: tuple[str, str] = ("the old report", "the new report")) -> Comparison:
    """Compare two runs row by row: their outcomes, their numbers beyond noise, their promises.

    Rows are matched by gate, check, part and device (`pytest_modelcheck.reports.pairs`). Of each pair, what is worst
    counts:

    | from | to | verdict |
    |---|---|---|
    | passed | any other outcome | worse |
    | xpassed | xfailed, waived, skipped, failed, error | worse: the promise was kept |
    | xfailed, waived, skipped | failed, error | worse |
    | failed | error | worse: it is not even measured any more |
    | any | one further up in this table | better |
    | xfailed, waived, skipped | another of the three | changed: none of them vouches for anything |
    | a number | a worse one, beyond noise | worse, also where the outcome is better: a promise may have been lowered |
    | a number | a better one, beyond noise | better |
    | a number that is better neither higher nor lower | another | changed |
    | a number | none, one of another name or direction, or of other data | not comparable |
    | a promise | another | changed |
    | a row | none | gone |
    | none | a row that failed, or could not be measured | worse |
    | none | another row | new |

    Data are others where both rows tell the fingerprint of theirs, as `evidence["data"]`, and the two differ. A new run
    that is incomplete, or that has a problem that the old one had not, is one of the `problems` of the comparison.
    Raises `ModelCheckError` where the runs have no row in common, or a row has a number that is none.

    >>> row = {"gate": "t.py::test_it", "check": "accuracy", "part": "", "device": "cpu", "subject": "Net"}
    >>> row |= {"promised": "at least 0.96", "outcome": "passed", "margin": None, "evidence": {}}
    >>> old = {**row, "number": {"name": "accuracy", "value": 0.99, "low": 0.988, "high": 0.992, "better": "higher"}}
    >>> new = {**row, "number": {"name": "accuracy", "value": 0.97, "low": 0.967, "high": 0.973, "better": "higher"}}
    >>> comparison = compare(Run([old], 0, "cpu"), Run([new], 0, "cpu"))
    >>> comparison.summary(), comparison.regressions()
    ('1 worse', ['1 worse'])
    >>> compare(Run([old], 0, "cpu"), Run([old], 0, "cpu")).summary()
    '1 the same within noise'
    """
    changes = sorted(map(_change, pairs(old, new)), key=_badness)
    if not any(change.old and change.new for change in changes):
        raise ModelCheckError(
            f"{names[0]} and {names[1]} have no gate in common ({len(old.rows):,} and {len(new.rows):,} rows), and "
            "nothing can be compared: they are of other tests or of other devices"
        )
    problems = [] if new.complete else [f"{names[1]} is incomplete: the run was cut short, and gates may be missing"]
    problems += [f"{names[1]}: {problem}" for problem in new.problems if problem not in old.problems]
    return Comparison(changes, problems, _notes(old, new, *names))


def _change(pair: Pair) -> Change:
    row, old, new, call = pair
    if old is None or new is None:
        verdict: Verdict = "gone" if new is None else "worse" if new["outcome"] in _BROKEN else "new"
        numbers = (None if old is None else number_of(old), None if new is None else number_of(new))
        return Change(verdict, row, old, new, call, numbers)
    outcome = _outcome_verdict(old, new)
    if old["check"] != new["check"]:  # one of them is the row of the test as a whole
        return Change(outcome, row, old, new, call)
    numbers = number_of(old), number_of(new)
    found, reasons, moved = [outcome], [], None
    why_not = _why_not(old, new, *numbers)
    if numbers[0] and numbers[1] and not why_not:
        moved = difference(numbers[0], numbers[1])
        found.append(move(moved, numbers[0].better or numbers[1].better))
    elif why_not and not (numbers[1] is None and outcome == "worse"):  # which says why there is no number
        found.append("not comparable")
        reasons.append(why_not)
    if old["promised"] != new["promised"]:
        reasons.append(f"promised: {old['promised']} -> {new['promised']}")
        # What passes now may have been promised less. A number that is better is so by itself.
        found += [] if moved and found[1] == "better" else ["changed"]
    return Change(min(found, key=VERDICTS.index), row, old, new, call, numbers, moved, tuple(reasons))


def _outcome_verdict(old: Row, new: Row) -> Verdict:
    before, now = _RANKS[old["outcome"]], _RANKS[new["outcome"]]
    if before != now:
        return "better" if now > before else "worse"
    return "same" if old["outcome"] == new["outcome"] else "changed"


def _why_not(old: Row, new: Row, before: Number | None, now: Number | None) -> str:
    """Why the numbers of two rows cannot be compared; empty where they can, or where there was none."""
    if before is None:
        return ""
    if now is None:
        return "no number now"
    if before.name != now.name:
        return f"another number: {before.name} -> {now.name}"
    if {before.better, now.better} == {"higher", "lower"}:
        return f"another direction: {before.better} was better, and now {now.better} is"
    data = _data(old), _data(new)
    if all(data) and data[0] != data[1]:
        return f"other data: {data[0]:.8} -> {data[1]:.8}"
    if not math.isfinite(float(now.value) - float(before.value)):
        return "numbers too far apart"
    return ""


def _data(row: Row) -> str:
    """The fingerprint of the data of a row; empty where it tells none."""
    evidence: Any = row.get("evidence")
    told = evidence.get("data") if isinstance(evidence, Mapping) else None
    return told if isinstance(told, str) else ""


def _notes(old: Run, new: Run, name_of_old: str, name_of_new: str) -> list[str]:
    notes = [] if old.complete else [f"{name_of_old} is incomplete: what its run did not reach is new here"]
    if new.baselines:
        number = len(new.baselines)
        notes.append(f"{name_of_new} recorded {number:,} baseline{'s' * (number != 1)}, which its gates are held to")
    if old.seed != new.seed:
        notes.append(f"seed {old.seed} -> {new.seed}")
    if old.devices != new.devices:
        notes.append(f"device {old.devices} -> {new.devices}")
    return notes + [
        f"{key} {old.environment.get(key, 'not told')} -> {new.environment.get(key, 'not told')}"
        for key in sorted({*old.environment, *new.environment})
        if old.environment.get(key) != new.environment.get(key)
    ]


def _badness(change: Change) -> tuple[int, int, str, str, str, int]:
    row, outcome = change.row, (change.new or change.row)["outcome"]
    return (
        VERDICTS.index(change.verdict),
        OUTCOMES.index(outcome),
        row["gate"],
        row["check"],
        row["part"],
        change.call,
    )
