"""Waivers: broken promises that are let through for a reason, by somebody, until a day."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.result import Result

# How much of a gate's name a message has.
_LONGEST_NAME = 200

_KEYS = ("reason", "owner", "expires", "check")

# A test's name, with brackets that may hold anything, and what comes after a colon of its own.
_GIVEN = re.compile(r"(?P<gate>(?:[^:\[]|::)+(?:\[.*?\])?):(?!:)(?P<reason>.*)", re.DOTALL)

COMMAND_LINE = "the command line"


@dataclass(frozen=True)
class Waiver:
    """A broken promise that is let through. `check` is `""` for all checks of the gate.

    `gate` is a test as the reports name it, or without the brackets of its parameters for all of them. A waiver of the
    command line `expires` with its run, and says so by `None`.
    """

    gate: str
    reason: str
    owner: str
    expires: datetime.date | None
    check: str = ""

    def covers(self, gate: str, check: str) -> bool:
        """Whether this is the waiver of a gate's check, which is written with its part behind a colon.

        >>> waiver = Waiver("t.py::test_a", "flaky labels", "vision", None)
        >>> waiver.covers("t.py::test_a[cpu]", "accuracy"), waiver.covers("t.py::test_ab", "accuracy")
        (True, False)
        """
        return self.names(gate) and self.check in ("", check)

    def names(self, gate: str) -> bool:
        """Whether this is a waiver of the gate, whatever its check."""
        return gate == self.gate or ("[" not in self.gate.partition("::")[2] and gate.startswith(f"{self.gate}["))

    def is_expired(self, today: datetime.date) -> bool:
        """Whether its last day has passed."""
        return self.expires is not None and self.expires < today

    def as_dict(self) -> dict[str, str]:
        """What the reports say of it."""
        return {"reason": self.reason, "owner": self.owner, "expires": str(self.expires or "this run's end")}


@dataclass(frozen=True)
class Waivers:
    """All waivers of a run, and its day."""

    every: Sequence[Waiver]
    today: datetime.date

    def of(self, gate: str, check: str) -> Waiver | None:
        """The waiver that lets a broken check through; one that is expired lets nothing through."""
        found = (item for item in self.every if item.covers(gate, check) and not item.is_expired(self.today))
        return next(found, None)

    def let_through(self, gate: str, result: Result) -> bool:
        """Whether everything that is broken in a result is a promise with a waiver: what is not measured has none."""
        if result.parts:
            broken = [(f"{result.check}: {part.name}", part.outcome) for part in result.parts if part.broken]
        else:
            broken = [(result.check, result.outcome)]
        return bool(broken) and all(
            outcome == "failed" and self.of(gate, check) is not None for check, outcome in broken
        )

    def expired(self) -> list[str]:
        """What is said of those whose day has passed."""
        return [
            f"the waiver of {item.gate} expired on {item.expires} ({item.owner}: {item.reason}): mend the gate, or "
            "have the waiver renewed"
            for item in self.every
            if item.is_expired(self.today)
        ]


def parse_waivers(table: object) -> list[Waiver]:
    """The waivers of `[tool.modelcheck.waivers]`, a table with one for each gate.

    Raises `ConfigError` for one without a reason, an owner or a day.

    >>> days = {"expires": datetime.date(2030, 1, 31)}
    >>> parse_waivers({"t.py::test_a": {"reason": "labels are being redone", "owner": "vision", **days}})[0].owner
    'vision'
    >>> parse_waivers({"t.py::test_a": {"reason": " ", "owner": "vision", **days}})
    Traceback (most recent call last):
    pytest_modelcheck.ConfigError: the waiver of t.py::test_a has no reason: say why it may fail
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"waivers are a table from gates to their reason, owner and expires, not {table!r}")
    return [_parsed(str(gate), entry) for gate, entry in table.items()]


def _parsed(gate: str, entry: object) -> Waiver:
    name = gate if len(gate) <= _LONGEST_NAME else f"{gate[:_LONGEST_NAME]}…"
    if "::" not in gate:
        raise ConfigError(f'the waiver of {name} is of no test: write its name in quotes, "tests/test_it.py::test_it"')
    if not isinstance(entry, Mapping):
        raise ConfigError(f"the waiver of {name} is a table with reason, owner and expires, not {entry!r}")
    for key in entry:
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(f"the waiver of {name} has no key {key!r}{hint}; its keys are {', '.join(_KEYS)}")
    texts = {key: _text(name, key, entry.get(key, "")) for key in ("reason", "owner", "check")}
    for key, why in (("reason", "say why it may fail"), ("owner", "say who will mend it")):
        if not texts[key]:
            raise ConfigError(f"the waiver of {name} has no {key}: {why}")
    return Waiver(gate, expires=_day(name, entry.get("expires")), **texts)


def _text(name: str, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"the waiver of {name}: {key} is a text, not {value!r}")
    return "".join(filter(str.isprintable, value)).strip()


def _day(name: str, value: Any) -> datetime.date:
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.date.fromisoformat(value)
    if isinstance(value, datetime.datetime):
        value = value.date()
    if value is None:
        raise ConfigError(f"the waiver of {name} has no expires: say until which day it may fail, expires = 2030-01-31")
    if not isinstance(value, datetime.date):
        raise ConfigError(f"the waiver of {name}: expires is a day such as 2030-01-31, not {value!r}")
    return value


def given_waiver(text: str) -> Waiver:
    """The waiver that the command line gives for its own run, `GATE:REASON`.

    >>> given_waiver("t.py::TestIt::test_a[x:y]: the labels are wrong").gate
    't.py::TestIt::test_a[x:y]'
    """
    found = _GIVEN.fullmatch(text)
    if found is None or not found["reason"].strip():
        raise ConfigError(
            f"--modelcheck-accept={text}: a gate and, after a colon, the reason are expected, as in "
            "tests/test_digits.py::test_digits:'the labels are being redone'"
        )
    return Waiver(found["gate"].strip(), found["reason"].strip(), COMMAND_LINE, None)
