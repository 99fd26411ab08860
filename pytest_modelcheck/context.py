"""What a check may know of the run it is part of. Outside a run there is none, and a check stands alone."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.progress import Advance, progress
from pytest_modelcheck.result import Result

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_modelcheck.progress import Terminal

Content = Mapping[str, Any]

# How much of a test's name stands before a bar.
_LONGEST = 32

_CURRENT: ContextVar[Context | None] = ContextVar("pytest_modelcheck_context", default=None)


def _forget(result: Result) -> None:
    """Nobody keeps the results of a check that stands alone; its caller has them."""


def _refuse(_: Result) -> bool:
    """A check that stands alone has no waiver."""
    return False


@dataclass(frozen=True)
class Context:
    """The settings of one gate, and where its results go.

    `device` is a device name, or `""` for where the model is, and `before` those that the gate runs on earlier.
    `threads` is the number of torch threads of a pass over data, or `None` for torch's own. `full` reads all the data
    even where the verdict is certain. `shared` outlives a gate: what one gate measured and another may use, by a key of
    the measuring side's making. `terminal` is where progress is shown, and `None` where nobody watches. `test` is the
    gate's file and name, and `folder` where names of files start from. `tolerances` is the project's table of how far
    two runs may be apart, by dtype. `recorded` is asked through `baseline`. `lets_through` says of a broken promise
    whether it has a waiver, and the test may go on. `strict_leaks` lets no check pass that changed its surroundings.
    """

    record: Callable[[Result], None] = _forget
    device: str = ""
    before: tuple[str, ...] = ()
    seed: int = 0
    threads: int | None = None
    full: bool = False
    terminal: Terminal | None = None
    test: str = ""
    folder: Path | None = None
    tolerances: Mapping[str, float] = field(default_factory=dict)
    recorded: Callable[..., tuple[Content, bool]] | None = None
    lets_through: Callable[[Result], bool] = _refuse
    shared: dict[Any, Any] = field(default_factory=dict)
    strict_leaks: bool = False

    def baseline(
        self, check: str, content: Content, case: str = "", *, is_one: bool = False, device: str = ""
    ) -> tuple[Content, bool]:
        """What this gate's check measured last time, and whether today's content was recorded as that just now.

        A check that measures several cases has one baseline for each, under the case's name. Several calls of a check
        have one each, unless the case `is_one`: a name that the user gave, with which all are compared. What depends
        on the `device` it was measured on has one for each kind of device.

        Raises `ConfigError` outside of a gate, where there is no place to look, and `ModelCheckError` where nothing
        was recorded or the file is refused.
        """
        if self.recorded is None:
            raise ConfigError(f"{check} has a baseline under pytest --modelcheck only: give the promise itself")
        if device:
            case = f"{case} on {device.partition(':')[0]}".strip()
        return self.recorded(check, case, content, is_one) if is_one else self.recorded(check, case, content)

    def progress(self, what: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        """A bar of this gate's work, under the name of its test."""
        test = self.test.partition("::")[2]
        return progress(f"{test[-_LONGEST:]}: {what}" if test else what, total, unit, self.terminal)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make this the context of the checks that run inside."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)


def past_values(recorded: Content) -> tuple[float, ...]:
    """The `value` of a baseline and those that it had before, oldest first."""
    past = recorded.get("history")
    values = [*(past if isinstance(past, list | tuple) else ()), recorded.get("value")]
    return tuple(value for value in values if isinstance(value, int | float) and math.isfinite(value))


def current() -> Context:
    """The context of the gate that is running, or one of its own for a check that stands alone."""
    return _CURRENT.get() or Context(terminal=sys.stderr)
