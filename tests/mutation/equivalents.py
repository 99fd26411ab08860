"""Mutants that no test can notice, because they do the same; each was read, and says why.

A mutant is its file's name in the list of targets, its function, the lines that it takes and those that it puts there.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.mutation.mutants import Change


@dataclass(frozen=True)
class Equivalent:
    """A mutant that behaves as the code does, and why."""

    target: str
    change: Change
    why: str


_OPENED = 'with os.fdopen(handle, "w", encoding="utf-8", newline="\\n") as file:'

EQUIVALENTS: tuple[Equivalent, ...] = (
    Equivalent(
        "files",
        Change("write_whole", _OPENED, 'with os.fdopen(handle, "w", encoding="utf-8", newline=None) as file:'),
        "only Windows has another newline, and mutmut does not run there",
    ),
    Equivalent(
        "files",
        Change("write_whole", _OPENED, 'with os.fdopen(handle, "w", encoding="utf-8", ) as file:'),
        "only Windows has another newline, and mutmut does not run there",
    ),
    Equivalent(
        "files",
        Change("write_whole", _OPENED, 'with os.fdopen(handle, "w", encoding="UTF-8", newline="\\n") as file:'),
        "it is another name of the same encoding",
    ),
)
