"""Running one gate: its markers' checks before its body, and the rows that it leaves."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from pytest_modelcheck.devices import missing_device
from pytest_modelcheck.errors import ConfigError, ModelCheckError
from pytest_modelcheck.escape import printable_lines
from pytest_modelcheck.mechanism import BoundMarker, raise_unless_ok
from pytest_modelcheck.plugin.appearance import make_inert, show_message_first
from pytest_modelcheck.plugin.collection import asked_device, bound_markers, card_told, given_device
from pytest_modelcheck.plugin.rows import Row, let_through, phase_rows
from pytest_modelcheck.plugin.stash import session_of
from pytest_modelcheck.plugin.surroundings import STATE, State, device_asked, is_of_unittest, waivers_of_test
from pytest_modelcheck.result import Result


def begin(item: pytest.Item) -> None:
    """Before a gate's fixtures: forget an earlier try of it, and skip it where its own device is not there."""
    state = item.stash.get(STATE, None)
    if state is None or not state.is_gate:
        return
    state.results.clear()
    state.changes.clear()
    state.baselines.restart()
    state.markers_checked = state.marker_broke = False
    state.reported = 0
    require_function(item, state)
    item.user_properties[:] = [pair for pair in item.user_properties if not pair[0].startswith("modelcheck.")]
    asked = device_asked(item)
    problem = asked and asked not in session_of(item.config).settings.devices and missing_device(asked)
    if problem:
        pytest.skip(f"the gate asks for {asked}: {problem}")


def check_promises(item: pytest.Function) -> None:
    """Run the checks of a gate's markers, all of them, and raise what the broken ones say."""
    __tracebackhide__ = True
    state = item.stash.get(STATE, None)
    if state is None:
        return
    state.markers_checked = True
    broken: list[tuple[Result, BaseException | None]] = []
    for bound in _promises(item, state):
        result, cause = bound.check.run(tuple(_subject(item, name) for name in bound.fixtures), bound.promises)
        state.results.append(result)
        if not result.ok and not waivers_of_test(item).let_through(item.nodeid, result):
            broken.append((result, cause))
    if broken:
        state.marker_broke = True
        first, cause = next((pair for pair in broken if pair[0].outcome == "error"), broken[0])
        message = printable_lines("\n\n".join(result.message for result, _ in broken))
        raise_unless_ok(replace(first, message=message), cause)


@contextmanager
def looking_at_what_is_returned(item: pytest.Function) -> Iterator[None]:
    """Fail a gate that returns something, the result of a check say, at which nobody looks: pytest only warns of it."""
    state, test = item.stash.get(STATE, None), item.obj
    if state is None or not state.is_gate or inspect.isasyncgenfunction(test):
        yield
        return

    @functools.wraps(test)
    def watched(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        _require_seen(test(*args, **kwargs), state)

    @functools.wraps(test)
    async def awaited(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        _require_seen(await test(*args, **kwargs), state)

    item.obj = awaited if inspect.iscoroutinefunction(test) else watched
    try:
        yield
    finally:
        item.obj = test


def _require_seen(found: object, state: State) -> None:
    __tracebackhide__ = True
    if found is None or any(found is known for known in state.results):
        return
    if isinstance(found, Result):
        raise ModelCheckError(
            f"not measured: the test returns the result of {found.check}, at which nobody looks. Call "
            f"assert_{found.check}, which raises where the promise is broken"
        )
    raise ModelCheckError(
        f"not measured: the test returns a {type(found).__name__}, at which nobody looks. Assert what it is to be"
    )


def require_function(item: pytest.Item, state: State) -> None:
    """Refuse markers on a method of unittest, which runs without pytest's part in which they are looked at."""
    __tracebackhide__ = True
    if is_of_unittest(item) and _promises(item, state):
        _refuse_markers(item, state)


def require_checked(item: pytest.Item) -> None:
    """Fail a gate whose markers nobody looked at: one that something else than pytest's own functions ran."""
    __tracebackhide__ = True
    state = item.stash.get(STATE, None)
    if state is None or not state.is_gate or state.markers_checked:
        return
    if _promises(item, state):
        _refuse_markers(item, state)


def _refuse_markers(item: pytest.Item, state: State) -> NoReturn:
    __tracebackhide__ = True
    state.marker_broke = True
    kind = type(item).__name__
    raise ModelCheckError(
        f"not measured: markers promise for functions and for methods of plain classes, and this is a {kind}. "
        "Use the assert forms in it"
    )


def report_gate(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Put a gate's rows on its report, where they survive xdist, and on its properties, where JUnit finds them."""
    state = item.stash.get(STATE, None)
    if state is None:
        return
    if state.marker_broke and report.when == "call" and call.excinfo is not None and report.failed:
        show_message_first(report, call.excinfo)
    if not (state.is_gate or state.results):
        return
    make_inert(report.longrepr)
    # Each result once: within one call, subtests report before the test that holds them.
    new = state.results[state.reported :] if report.when != "setup" or report.failed else []
    state.reported += len(new)
    error = call.excinfo.value if call.excinfo else None
    # What broke a setup has raised there, and was not let through.
    waivers = waivers_of_test(item) if report.when != "setup" else replace(waivers_of_test(item), every=())
    rows = phase_rows(report, new, error, waivers, _card(item), is_of_unittest=is_of_unittest(item))
    let_through(report, rows)
    if rows:
        rows[-1]["changes"] += state.changes
    report.modelcheck = rows  # type: ignore[attr-defined]
    report.modelcheck_left = [] if rows else state.changes  # type: ignore[attr-defined]
    if report.when != "setup":
        report.modelcheck_baselines = state.baselines.report()  # type: ignore[attr-defined]
    for properties in (report.user_properties, item.user_properties):  # JUnit reads those of the last phase
        properties.extend(map(_property, rows))


def _property(row: Row) -> tuple[str, object]:
    name = ".".join(filter(None, ("modelcheck", row["check"], row["part"])))
    return name, f"{row['outcome']}: promised {row['promised']}; measured {row['measured']}"


def _subject(item: pytest.Function, name: str) -> Any:
    # The fixture is in the closure, but for marks of pytest.param, which pytest shows only once the test runs.
    return item.funcargs[name] if name in item.funcargs else item._request.getfixturevalue(name)


def _card(item: pytest.Item) -> dict[str, str]:
    """What a model card says of a gate; nothing where its mark makes no sense, which is said with its promises."""
    try:
        return card_told(item)
    except ConfigError:
        return {}


def _promises(item: pytest.Item, state: State) -> list[BoundMarker]:
    """What the markers promise; those of `pytest.param` and of other plugins are seen here for the first time."""
    __tracebackhide__ = True
    session = session_of(item.config)
    devices = session.settings.devices
    try:
        asked, bound = asked_device(item), list(bound_markers(item, session))
        card_told(item)
        if state.is_gate and len(devices) > 1 and not asked and not given_device(item):
            raise ConfigError(
                f"it became a gate too late to run once for each of {', '.join(devices)}: put its mark on the test "
                "itself, or give one device"
            )
    except ConfigError as error:
        state.marker_broke = True
        raise ConfigError(f"{item.nodeid}: {error}") from None
    return bound
