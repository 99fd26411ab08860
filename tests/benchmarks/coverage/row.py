"""One row of the comparison: a fault, how it is given to each tool, and what a run made of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

MODELCHECK, TORCH, TORCHTEST, SYRUPY, BENCHMARK = TOOLS = (
    "pytest-modelcheck",
    "pytest-torch",
    "torchtest2",
    "syrupy",
    "pytest-benchmark",
)

SURVIVES, MUTE, PASSES, SKIPS, CRASHES, HANGS, HARMS = WORDS = (
    "survives",
    "fails without saying why",
    "passes",
    "skips",
    "crashes",
    "hangs",
    "harms",
)

# An error that pytest itself reports as its own, or that goes through it to the interpreter.
_CRASH = re.compile(r"^INTERNALERROR>|^ +File .*, line \d+, in _?console_main$", re.MULTILINE)


@dataclass(frozen=True)
class Use:
    """How a tool is used in a row, as its documentation says and at its strictest.

    `SUBJECT` in the text of the test file stands for `healthy` in the control, which must pass, and for `faulty` where
    the fault is given. `options` are those of each run, and `compare` those of the runs that compare with a baseline.
    Where `record` has options, a first run with them records one, of `recorded` or of the healthy subject. After the
    control, `damage` does something to the project. `anew` are the options of a run that records the faulty subject
    before it is compared; with `updates`, the faulty run itself records, with these options. `again` asks for the
    control once more, after the fault. `baseline` is the pattern of the file that is recorded. What the
    test itself `overwrites` is no harm.
    """

    test: str
    healthy: str = "..."
    faulty: str = "..."
    options: tuple[str, ...] = ()
    compare: tuple[str, ...] = ()
    control_options: tuple[str, ...] = ()
    fault_options: tuple[str, ...] = ()
    record: tuple[str, ...] | None = None
    recorded: str | None = None
    baseline: str = ""
    damage: Callable[[Path], object] | None = None
    anew: tuple[str, ...] | None = None
    updates: tuple[str, ...] | None = None
    again: bool = False
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=dict)
    fault_environment: Mapping[str, str] = field(default_factory=dict)
    overwrites: tuple[str, ...] = ()
    fresh: bool = False
    limit: float = 120.0


class Told(NamedTuple):
    """What one test reported."""

    test: str
    outcome: str
    message: str


@dataclass(frozen=True)
class Seen:
    """What was observed of a run, and of the files around it."""

    exit: int | None  # nothing where it had to be ended
    output: str
    told: tuple[Told, ...] = ()
    changed: tuple[str, ...] = ()  # files that were there before, and are other ones or gone
    outside: tuple[str, ...] = ()  # files that were written outside the project
    canary: bool = False  # code that came with the input has run
    written: tuple[str, ...] = ()  # files that are new, or other ones than before
    leaked: tuple[str, ...] = ()  # those of them with the secret
    recording: Seen | None = None
    again: int | None = None

    def outcomes(self, test: str = "") -> set[str]:
        """The outcomes of the tests whose names end so."""
        return {told.outcome for told in self.told if told.test.endswith(test)}

    @property
    def said(self) -> str:
        """The messages of what failed, or all that was printed where no test says anything."""
        return "\n".join(told.message for told in self.told if told.message) or self.output


Judge = Callable[[Seen, str], str]


def judged(seen: Seen, telling: str) -> str:
    """The fault must turn the run red, with a message that names it; `telling` is a pattern of words that do."""
    runs = [run for run in (seen.recording, seen) if run is not None]
    if any(run.changed or run.outside or run.canary for run in runs):
        return HARMS
    if any(run.exit is None for run in runs):
        return HANGS
    if any((run.exit or 0) < 0 or _CRASH.search(run.output) for run in runs):
        return CRASHES
    if seen.exit == 0:
        return SKIPS if "skipped" in seen.outcomes() and "passed" not in seen.outcomes() else PASSES
    return SURVIVES if tells(seen.said, telling) else MUTE


def tells(text: str, telling: str) -> bool:
    """Whether a text has the telling words of a row."""
    return re.search(telling, text, re.IGNORECASE | re.DOTALL) is not None


def sound(seen: Seen, telling: str) -> str:
    """The subject is unusual and in order: it is to pass, or to be refused by name."""
    word = judged(seen, telling)
    return SURVIVES if word == PASSES and "skipped" not in seen.outcomes() else word


def restored(seen: Seen, telling: str) -> str:
    """The subject changes the world around it: it is named, or the test after it finds the world as it was."""
    gate = tuple(told for told in seen.told if told.test.endswith("test_it"))
    word = judged(replace(seen, told=gate), telling)
    if word == PASSES:
        return SURVIVES
    return PASSES if word in (MUTE, SURVIVES) and {told.outcome for told in gate} == {"passed"} else word


def reported(seen: Seen, telling: str) -> str:
    """What is wrong hurts nobody yet: it is to be told, in a run of either colour."""
    word = judged(seen, telling)
    return SURVIVES if word == PASSES and tells(seen.output, telling) else word


def kept(seen: Seen, telling: str) -> str:
    """The process was killed: there is nobody to say anything, and what was recorded before is to be there."""
    assert seen.exit is not None, seen.output
    assert seen.exit < 0, f"the run was not killed: {seen.output}"
    return HARMS if seen.changed or seen.again != 0 else SURVIVES


def none_lost(seen: Seen, telling: str) -> str:
    """All that was recorded at once is to be there afterwards."""
    word = sound(seen, telling)
    return HARMS if word in (MUTE, SURVIVES) and "failed" in seen.outcomes() else word


def stays(seen: Seen, telling: str) -> str:
    """What is recorded under the name stays inside, or the name is refused; what was recorded before is still there."""
    return HARMS if seen.again != 0 else sound(replace(seen, changed=()), telling)


def old_kept(seen: Seen, telling: str) -> str:
    """The baseline of another test of the file is to outlive what is recorded now."""
    return HARMS if "failed" in seen.outcomes("test_old") else sound(seen, telling)


def untold(seen: Seen, telling: str) -> str:
    """No report of the tool has the secret."""
    assert seen.written, f"no report was written: {seen.output}"
    return HARMS if seen.leaked else SURVIVES


def inert(seen: Seen, telling: str) -> str:
    """No control sequence of a foreign text reaches the terminal, and no line of it is a command to a CI."""
    obeyed = "\x1b[2J" in seen.output or re.search(r"^\s*::error::evil", seen.output, re.MULTILINE)
    return HARMS if obeyed else judged(seen, telling)


@dataclass(frozen=True)
class Row:
    """A fault, the words that name it, and its uses by tool; a tool without one cannot be given it."""

    name: str
    telling: str
    uses: Mapping[str, Use]
    judge: Judge = judged


class Group(NamedTuple):
    """Rows under one title."""

    title: str
    rows: tuple[Row, ...]
