"""What one check found: plain data, all the way to the reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

Outcome = Literal["passed", "failed", "error"]

_OUTCOMES = ("passed", "failed", "error")


@dataclass(frozen=True)
class Result:
    """One promise, one measurement, one verdict.

    `outcome` is `"passed"`, `"failed"` (measured, and the promise is broken) or `"error"` (could not be measured).
    `margin` is the distance to the promise as a share of its own scale, negative where it is broken: 0.0021 for an
    accuracy 0.21 points above its threshold; `None` where a promise is met or not met, with nothing between.
    `evidence` holds JSON values only. `check`, `subject`, `seconds` and `changes` are filled in by the mechanism
    that runs a check; a check itself gives the rest.

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
    check: str = ""
    subject: str = ""
    device: str = ""
    seconds: float = 0.0
    changes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.outcome not in _OUTCOMES:
            raise ValueError(f"an outcome is one of {', '.join(_OUTCOMES)}, not {self.outcome!r}")
        if self.margin is not None and not math.isfinite(self.margin):
            raise ValueError(f"a margin is finite or None, not {self.margin}")
        if self.margin is not None:
            object.__setattr__(self, "margin", float(self.margin))
        if not isinstance(self.evidence, Mapping):
            raise TypeError(f"evidence is a mapping of JSON values, not {self.evidence!r}")
        if self.outcome != "passed" and not self.message:
            raise ValueError(f"a result that {self.outcome} says why: message is empty")

    @property
    def ok(self) -> bool:
        """Whether the promise was measured and is kept."""
        return self.outcome == "passed"

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON values, in the order of the fields."""
        return {**asdict(self), "evidence": dict(self.evidence), "changes": list(self.changes)}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Result:
        """The result that `as_dict` wrote; keys that are not the result's own are left out."""
        known = {item.name for item in fields(cls)}
        values = {name: value for name, value in row.items() if name in known}
        return cls(**{**values, "changes": tuple(values.get("changes", ()))})
