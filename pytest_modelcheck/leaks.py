"""What a model or a test changed of its surroundings and did not take back: named, and where that is asked, no pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pytest_modelcheck.result import Part, Result

_PROMISED = "surroundings as they were"


def named(who: str, changes: Iterable[str]) -> str:
    """Who changed what, in words.

    >>> named("the test", ["the number of threads was changed from 2 to 3"])
    'the test changed its surroundings (restored): the number of threads was changed from 2 to 3'
    """
    return f"{who} changed its surroundings (restored): {'; '.join(changes)}"


def forbidden(who: str, changes: Iterable[str]) -> str:
    """The same where it breaks a promise: who changed what, and what to do about it."""
    return f"{named(who, changes)}. Have it take that back, or run without --modelcheck-strict-leaks"


def judged(result: Result) -> Result:
    """The result of a check that may change nothing: one that is kept and has changed something is broken.

    >>> kept = Result("passed", "[2, 3]", "[2, 3]", changes=("bias was changed",))
    >>> judged(kept).outcome, judged(kept).measured
    ('failed', '[2, 3], 1 changed')
    """
    if not result.ok or not result.changes:
        return result
    message = forbidden("it", result.changes)
    measured = f"{len(result.changes)} changed"
    if result.parts:
        part = Part("surroundings", "failed", _PROMISED, measured, message)
        return replace(result, outcome="failed", message=message, parts=(part, *result.parts))
    promised, measured = f"{result.promised}, {_PROMISED}", f"{result.measured}, {measured}"
    return replace(result, outcome="failed", promised=promised, measured=measured, message=message, margin=None)
