"""Long work shows how far it has come, to a person at a terminal and to nobody else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

# Work that is done sooner shows nothing.
_SECONDS = 1.0
_WIDEST = 100


class Advance(Protocol):
    """Hears of work that was just done, and of how things stand."""

    def __call__(self, done: int, note: str = "", /) -> None:
        """So many units were done."""


class Terminal(Protocol):
    """Where progress is written: a text file, as far as it is needed."""

    def isatty(self) -> bool:
        """Whether a person can see it."""

    def write(self, text: str, /) -> int:
        """Write a text."""

    def flush(self) -> object:
        """Show what was written."""


@contextmanager
def progress(what: str, total: int | None, unit: str, terminal: Terminal | None) -> Iterator[Advance]:
    """A bar of `total` units of work, or of work without a known end.

    What is yielded is called with the number of units that were just done, and a note of how things stand. Nothing is
    shown where `terminal` is `None` or no terminal, or where tqdm is not installed.

    >>> with progress("roundtrip", 3, "texts", None) as advance:
    ...     advance(3)
    """
    bar_class = _bar_class() if terminal is not None and terminal.isatty() else None
    if bar_class is None:
        yield _ignore
        return
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    with bar_class(
        total=total, desc=what, unit=f" {unit}", file=terminal, ncols=width, delay=_SECONDS, leave=False
    ) as bar:

        def advance(done: int, note: str = "") -> None:
            if note:
                bar.set_postfix_str(note, refresh=False)
            bar.update(done)

        yield advance


def _ignore(done: int, note: str = "") -> None:
    """Nobody watches."""


def _bar_class() -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm
