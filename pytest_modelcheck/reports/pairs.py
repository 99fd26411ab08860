"""Which row of a new report is which of an old one."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

from pytest_modelcheck.reports.run import Row, Run


class Pair(NamedTuple):
    """A row of each report that ask the same; `None` where one of the reports has none.

    `row` is the one of them that says what they are about. `call` counts those of one gate, check, part and device from
    1, and is 0 where there is but one.
    """

    row: Row
    old: Row | None
    new: Row | None
    call: int = 0


def pairs(old: Run, new: Run) -> list[Pair]:
    """The rows of two runs, matched by gate, check, part and device.

    Where a test calls a check several times, the calls with the same number belong together if they promise the same of
    the same subject and data, then those of the same subject, then those with the same promise, then the rest.

    The row of a test as a whole (its check is `"test"`) is there only where its checks do not tell it all. So a check
    whose test broke or was skipped before is compared with the row of that test, and a test that has no such row in the
    other report with the worst row of its gate.

    >>> first = {"gate": "t.py::test_it", "check": "size", "part": "", "device": "cpu", "outcome": "passed"}
    >>> row = {**first, "promised": "at most 5", "subject": "Net", "margin": None}
    >>> [(pair.old is row, pair.new is row) for pair in pairs(Run([row], 0, "cpu"), Run([row], 0, "cpu"))]
    [(True, True)]
    """
    left, right = old.sorted_rows, new.sorted_rows
    found: list[Pair] = []
    for key in (_call, _question, _promise, _place):
        matched, left, right = _matched(left, right, key)
        found += matched
    of_old = [Pair(row, row, other) for row, other in _answers(left, new, right)]
    of_new = [Pair(row, other, row) for row, other in _answers(right, old, left)]
    used = {id(row) for pair in of_old + of_new for row in (pair.old, pair.new) if row is not pair.row}
    return _counted(found + [pair for pair in of_old + of_new if not (_is_test(pair.row) and id(pair.row) in used)])


def _matched(
    left: list[Row], right: list[Row], key: Callable[[Row], Hashable]
) -> tuple[list[Pair], list[Row], list[Row]]:
    """The pairs of rows with the same key, and the rows of both sides that are left."""
    waiting: dict[Hashable, deque[Row]] = defaultdict(deque)
    for row in right:
        waiting[key(row)].append(row)
    found, rest = [], []
    for row in left:
        same = waiting[key(row)]
        if same:
            partner = same.popleft()
            found.append(Pair(partner, row, partner))
        else:
            rest.append(row)
    unmatched = {id(row) for rows in waiting.values() for row in rows}
    return found, rest, [row for row in right if id(row) in unmatched]


def _answers(rows: list[Row], other: Run, left: list[Row]) -> list[tuple[Row, Row | None]]:
    """Rows that have no partner in the other run, each with what that run says of their gate, if anything."""
    worst: dict[str, Row] = {}
    for row in other.sorted_rows:
        worst.setdefault(row["gate"], row)
    broken = {row["gate"]: row for row in left if _is_test(row) and row["outcome"] != "passed"}
    return [(row, (worst if _is_test(row) else broken).get(row["gate"])) for row in rows]


def _is_test(row: Row) -> bool:
    return bool(row["check"] == "test")


def _place(row: Row) -> tuple[str, ...]:
    return row["gate"], row["check"], row["part"], row["device"]


def _promise(row: Row) -> tuple[str, ...]:
    return (*_place(row), row["promised"])


def _question(row: Row) -> tuple[str, ...]:
    return (*_promise(row), row["subject"])


def _call(row: Row) -> tuple[Hashable, ...]:
    evidence = row.get("evidence")
    data = str(evidence.get("data", "")) if isinstance(evidence, Mapping) else ""
    return (*_question(row), data, row.get("call", 1))


def _counted(found: list[Pair]) -> list[Pair]:
    """The pairs with the numbers of their calls, in the order in which they were found."""
    numbers = Counter(_place(pair.row) for pair in found)
    seen: Counter[tuple[str, ...]] = Counter()
    counted = []
    for pair in found:
        place = _place(pair.row)
        seen[place] += 1
        counted.append(pair._replace(call=seen[place] if numbers[place] > 1 else 0))
    return counted
