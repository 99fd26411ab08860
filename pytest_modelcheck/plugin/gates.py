"""Running one gate: in a world of its own, its markers' checks before its body, and the rows that it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pytest_modelcheck import guard
from pytest_modelcheck.context import Context
from pytest_modelcheck.devices import missing_device
from pytest_modelcheck.mechanism import raise_unless_ok
from pytest_modelcheck.plugin.collection import RUN_DEVICE, asked_device, bound_markers, is_gate
from pytest_modelcheck.plugin.rows import Row, phase_rows
from pytest_modelcheck.plugin.stash import session_of
from pytest_modelcheck.result import Result


@dataclass
class State:
    """One test while it runs: whether it is a gate, its results so far, and whether one of its markers broke."""

    is_gate: bool
    results: list[Result] = field(default_factory=list)
    marker_broke: bool = False


STATE = pytest.StashKey[State]()


@contextmanager
def surroundings(item: pytest.Item) -> Iterator[None]:
    """What a test runs in: its assert forms leave rows.

    A gate also gets its device and seed, and the world is restored when it is over.
    """
    session = session_of(item.config)
    state = item.stash[STATE] = State(is_gate(item))
    context = Context(
        record=state.results.append,
        device=_device(item, session.settings.devices) if state.is_gate else "",
        seed=session.settings.seed,
        threads=session.threads,
        full=session.settings.full,
        shared=session.shared,
    )
    if not state.is_gate:
        with context.active():
            yield
        return
    with guard.preserved_world(), context.active():
        guard.seed_world(session.settings.seed)
        yield


def begin(item: pytest.Item) -> None:
    """Before a gate's fixtures: forget an earlier try of it, and skip it where its own device is not there."""
    state = item.stash.get(STATE, None)
    if state is None or not state.is_gate:
        return
    state.results.clear()
    state.marker_broke = False
    asked = asked_device(item)
    problem = asked and asked not in session_of(item.config).settings.devices and missing_device(asked)
    if problem:
        pytest.skip(f"the gate asks for {asked}: {problem}")


def check_promises(item: pytest.Function) -> None:
    """Run the checks of a gate's markers, all of them, and raise what the broken ones say."""
    __tracebackhide__ = True
    state = item.stash.get(STATE, None)
    if state is None:
        return
    broken: list[tuple[Result, BaseException | None]] = []
    for bound in bound_markers(item, session_of(item.config)):
        result, cause = bound.check.run(tuple(_subject(item, name) for name in bound.fixtures), bound.promises)
        state.results.append(result)
        if not result.ok:
            broken.append((result, cause))
    if broken:
        state.marker_broke = True
        first, cause = next((pair for pair in broken if pair[0].outcome == "error"), broken[0])
        raise_unless_ok(replace(first, message="\n\n".join(result.message for result, _ in broken)), cause)


def report_gate(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Put a gate's rows on its report, where they survive xdist, and on its properties, where JUnit finds them."""
    state = item.stash.get(STATE, None)
    if state is None:
        return
    if state.marker_broke and report.when == "call" and call.excinfo is not None and report.failed:
        _show_message_first(report, call.excinfo)
    if not (state.is_gate or state.results):
        return
    rows = phase_rows(report, state.results, call.excinfo.value if call.excinfo else None)
    report.modelcheck = rows  # type: ignore[attr-defined]
    report.user_properties.extend(map(_property, rows))


def _show_message_first(report: pytest.TestReport, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """A broken marker has no line of the test to show: its message stands alone, and what caused it in a section."""
    report.longrepr = excinfo.getrepr(style="value", chain=False)
    cause = excinfo.value.__cause__
    if cause is not None:
        shown = pytest.ExceptionInfo.from_exception(cause).getrepr(style="short")
        report.sections.append(("where it was raised", str(shown)))


def _property(row: Row) -> tuple[str, object]:
    return f"modelcheck.{row['check']}", f"{row['outcome']}: promised {row['promised']}; measured {row['measured']}"


def _subject(item: pytest.Function, name: str) -> Any:
    # The fixture is in the closure, but for marks of pytest.param, which pytest shows only once the test runs.
    return item.funcargs[name] if name in item.funcargs else item._request.getfixturevalue(name)


def _device(item: pytest.Item, devices: tuple[str, ...]) -> str:
    asked = asked_device(item)
    if asked:
        return asked
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get(RUN_DEVICE, devices[0])) if callspec is not None else devices[0]


def timeout_of(item: pytest.Item) -> float | None:
    """The seconds that one phase of this gate may take, or `None`."""
    state = item.stash.get(STATE, None)
    return session_of(item.config).settings.timeout if state is not None and state.is_gate else None
