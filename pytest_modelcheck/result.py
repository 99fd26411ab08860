"""What one check found: plain data, all the way to the reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from pytest_modelcheck.settled import settled

Outcome = Literal["passed", "failed", "error"]

PartOutcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed"]

Better = Literal["higher", "lower", ""]

_OUTCOMES = ("passed", "failed", "error")
_BROKEN = ("failed", "error", "xpassed")


@dataclass(frozen=True)
class Number:
    """The number that a verdict is about, for whoever compares it with another run's or follows it over time.

    `better` says which way is the good one, and is `""` where neither is. `low` and `high` are the bounds of its true
    value at `confidence` each, and `None` of a number that another run on the same machine gives again exactly.

    >>> Number("accuracy", 0.98, low=0.96, high=0.99, better="higher").value
    0.98
    >>> Number("loss", float("nan"))
    Traceback (most recent call last):
    ValueError: the numbers of loss are finite, and in the order of low, value and high: nan
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    better: Better = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or isinstance(self.value, bool):
            raise TypeError(
                f"a number has a text for its name and a number for its value: {self.name!r}, {self.value!r}"
            )
        for bound in ("low", "high", "confidence"):
            given = getattr(self, bound)
            object.__setattr__(self, bound, given if given is None or type(given) in (int, float) else float(given))
        told = [float(item) for item in (self.low, self.value, self.high) if item is not None]
        if not all(map(math.isfinite, told)) or told != sorted(told):
            shown = ", ".join(map(str, told))
            raise ValueError(f"the numbers of {self.name} are finite, and in the order of low, value and high: {shown}")
        if self.better not in get_args(Better):
            raise ValueError(f"better is one of {', '.join(map(repr, get_args(Better)))}, not {self.better!r}")
        if not isinstance(self.value, int):
            object.__setattr__(self, "value", float(self.value))


@dataclass(frozen=True)
class Part:
    """One of several things that a check looked at, with a row of its own in the reports.

    Beside a result's outcomes there are `"skipped"` (it could not be asked of this subject, and `measured` says why),
    `"xfailed"` (broken, as was expected with a reason) and `"xpassed"` (kept, though it was expected to be broken).
    `margin` is that of a result, for this part alone.
    """

    name: str
    outcome: PartOutcome
    promised: str
    measured: str
    message: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    number: Number | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcome", settled(self.outcome))
        known = get_args(PartOutcome)
        if self.outcome not in known:
            raise ValueError(f"the outcome of a part is one of {', '.join(known)}, not {self.outcome!r}")
        if not isinstance(self.name, str):
            raise TypeError(f"the name of a part is a text, not {self.name!r}")
        if self.outcome in _BROKEN and not self.message:
            raise ValueError(f"a part that {self.outcome} says why: message is empty")
        if not isinstance(self.evidence, Mapping):
            raise TypeError(f"evidence is a mapping of JSON values, not {self.evidence!r}")
        if not math.isfinite(self.seconds):
            raise ValueError(f"seconds are finite, not {self.seconds}")
        _require_number(self.number)
        _keep_margin(self)

    @property
    def broken(self) -> bool:
        """Whether the whole cannot pass with this part."""
        return self.outcome in _BROKEN


@dataclass(frozen=True)
class Result:
    """One promise, one measurement, one verdict.

    `outcome` is `"passed"`, `"failed"` (measured, and the promise is broken) or `"error"` (could not be measured).
    `margin` is the distance to the promise as a share of its own scale, negative where it is broken: 0.0021 for an
    accuracy 0.21 points above its threshold; `None` where a promise is met or not met, with nothing between.
    `number` is what was measured, where it is one number, and `history` what it was at earlier baselines, oldest first.
    `evidence` holds JSON values only. `parts`, where a check looks at several things, become the rows of the reports in
    the place of the whole, which passes only if one of them passed and none is broken. `check`, `seconds` and `changes`
    are filled in by the mechanism that runs a check, and `subject` where a check does not name it better.

    >>> Result(outcome="passed", promised="total = 5", measured="total = 5").ok
    True
    >>> Result(outcome="passed", promised="at least 0.9", measured="nan", margin=float("nan"))
    Traceback (most recent call last):
    ValueError: a margin is finite or None, not nan
    """

    outcome: Outcome
    promised: str
    measured: str
    message: str = ""
    margin: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    check: str = ""
    subject: str = ""
    device: str = ""
    seconds: float = 0.0
    changes: tuple[str, ...] = ()
    number: Number | None = None
    history: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcome", settled(self.outcome))
        if self.outcome not in _OUTCOMES:
            raise ValueError(f"an outcome is one of {', '.join(_OUTCOMES)}, not {self.outcome!r}")
        _keep_margin(self)
        if not isinstance(self.evidence, Mapping):
            raise TypeError(f"evidence is a mapping of JSON values, not {self.evidence!r}")
        _require_number(self.number)
        object.__setattr__(self, "history", tuple(map(float, self.history)))
        if not all(map(math.isfinite, self.history)):
            raise ValueError(f"a history is of finite numbers, not {self.history}")
        if self.outcome != "passed" and not self.message:
            raise ValueError(f"a result that {self.outcome} says why: message is empty")
        told = any(part.broken or part.outcome == "skipped" for part in self.parts)
        if self.outcome != "passed" and self.parts and not told:
            raise ValueError(f"a result that {self.outcome} has a part that is broken, or parts that were skipped")
        if self.outcome == "passed" and self.parts:
            names = ", ".join(part.name for part in self.parts if part.broken)
            if names or not any(part.outcome == "passed" for part in self.parts):
                raise ValueError(f"a result passes with its parts: {names or 'none of them passed'}")

    @property
    def ok(self) -> bool:
        """Whether the promise was measured and is kept."""
        return self.outcome == "passed"

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON values, in the order of the fields."""
        whole = {**asdict(self), "evidence": dict(self.evidence), "changes": list(self.changes)}
        return {**whole, "history": list(self.history), "parts": [asdict(part) for part in self.parts]}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Result:
        """The result that `as_dict` wrote; keys that are not the result's own are left out."""
        known = {item.name for item in fields(cls)}
        values = {name: value for name, value in row.items() if name in known}
        parts = tuple(Part(**{**part, "number": _number(part)}) for part in values.get("parts", ()))
        lists = {name: tuple(values.get(name, ())) for name in ("changes", "history")}
        return cls(**{**values, **lists, "number": _number(values), "parts": parts})


def _require_number(number: object) -> None:
    if number is not None and not isinstance(number, Number):
        raise TypeError(f"number is a Number or None, not {number!r}")


def _keep_margin(told: Part | Result) -> None:
    if told.margin is not None and not math.isfinite(told.margin):
        raise ValueError(f"a margin is finite or None, not {told.margin}")
    if told.margin is not None:
        object.__setattr__(told, "margin", float(told.margin))


def _number(values: Mapping[str, Any]) -> Number | None:
    told = values.get("number")
    return None if told is None else Number(**told)
