"""Running one gate: in a world of its own, its markers' checks before its body, and the rows that it leaves."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import pytest

from pytest_modelcheck import leaks, process
from pytest_modelcheck.context import Context
from pytest_modelcheck.devices import missing_device
from pytest_modelcheck.errors import ConfigError, ModelCheckError, ModelCheckFailure
from pytest_modelcheck.escape import printable_lines
from pytest_modelcheck.mechanism import BoundMarker, raise_unless_ok
from pytest_modelcheck.plugin.appearance import make_inert, show_message_first
from pytest_modelcheck.plugin.collection import asked_device, bound_markers, card_told, given_device, is_gate
from pytest_modelcheck.plugin.live import LiveTerminal
from pytest_modelcheck.plugin.recording import GateBaselines, baselines_of
from pytest_modelcheck.plugin.rows import Row, let_through, phase_rows
from pytest_modelcheck.plugin.stash import session_of
from pytest_modelcheck.plugin.waiving import waivers_of
from pytest_modelcheck.result import Result
from pytest_modelcheck.waivers import Waivers


@dataclass
class State:
    """One test while it runs: whether it is a gate, its results so far, and what became of its markers."""

    is_gate: bool
    baselines: GateBaselines
    results: list[Result] = field(default_factory=list)
    markers_checked: bool = False
    marker_broke: bool = False
    reported: int = 0
    outlived: bool = False
    changes: list[str] = field(default_factory=list)
    world: process.World = field(default_factory=process.World)


STATE = pytest.StashKey[State]()
CURRENT = pytest.StashKey[State]()


@contextmanager
def surroundings(item: pytest.Item) -> Iterator[None]:
    """What a test runs in: its assert forms leave rows.

    A gate also gets its device and its seed, and the world is restored when it is over.
    """
    session = session_of(item.config)
    state = item.stash[STATE] = State(is_gate(item), GateBaselines(item, session.settings.update))
    given, devices = given_device(item), session.settings.devices
    device = (_asked(item) or given or devices[0]) if state.is_gate else ""
    context = Context(
        record=state.results.append,
        device=device,
        before=devices[: devices.index(device)] if given in devices else (),
        seed=session.settings.seed,
        threads=session.threads,
        full=session.settings.full,
        terminal=LiveTerminal(item.config),
        test=f"{item.path.name}::{item.nodeid.partition('::')[2]}",
        folder=item.config.rootpath,
        tolerances=session.settings.tolerances,
        recorded=state.baselines,
        # A fixture that outlives its test is not that test's alone, and neither is what breaks in it.
        lets_through=lambda result: not state.baselines.scope and _waivers(item).let_through(item.nodeid, result),
        shared=session.shared,
        strict_leaks=session.settings.strict_leaks,
    )
    if not state.is_gate:
        with context.active():
            yield
        return
    item.config.stash[CURRENT] = state
    with context.active():
        process.seed_world(session.settings.seed)
        try:
            yield
        finally:
            del item.config.stash[CURRENT]
            # A fixture that outlived its tests has just undone what it had set up: that is not to be taken back.
            if state.outlived:
                state.world.restore_random()
            else:
                state.world.restore()


@contextmanager
def world_of_call(item: pytest.Item) -> Iterator[None]:
    """What a gate's checks and body change of the world is taken back when they end."""
    __tracebackhide__ = True
    state = item.stash.get(STATE, None)
    if state is None or not state.is_gate:
        yield
        return
    changes: list[str] = []
    try:
        with process.preserved_world() as changes:
            yield
    finally:
        state.changes += changes
    if changes and session_of(item.config).settings.strict_leaks:
        raise ModelCheckFailure(leaks.forbidden("the test", changes))


def require_restored(item: pytest.Item) -> None:
    """Take back what a gate's fixtures left changed, and tell of it; what outlives the gate is not looked at."""
    __tracebackhide__ = True
    state = item.stash.get(STATE, None)
    if state is None or not state.is_gate or state.outlived:
        return
    changes = state.changes = state.world.restore()
    if changes and session_of(item.config).settings.strict_leaks:
        raise ModelCheckFailure(leaks.forbidden("a fixture of the test", changes))


def fixture_ended(config: pytest.Config, scope: str) -> None:
    """Take note that a fixture ended which outlives single tests."""
    state = config.stash.get(CURRENT, None)
    if state is not None and scope != "function":
        state.outlived = True


@contextmanager
def seeded_fixture(config: pytest.Config, scope: str) -> Iterator[None]:
    """A fixture that outlives its test starts from the seed, so that it is the same whichever test needs it first.

    What it sets up holds for the tests after a gate that happened to need it first; the gate's own numbers are drawn
    as if the fixture had been there before.
    """
    if scope == "function":
        yield
        return
    seed = session_of(config).settings.seed
    before = process.World()
    process.seed_world(seed)
    state = config.stash.get(CURRENT, None)
    outer = state.baselines.scope if state is not None else ""
    if state is not None:
        state.baselines.scope = scope
    try:
        yield
    finally:
        if state is not None:
            state.baselines.scope = outer
            state.outlived = False
            state.world.adopt(before, process.World())
            process.seed_world(seed)  # for what the fixture was the first to load
            before.restore_random()


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
    asked = _asked(item)
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
        if not result.ok and not _waivers(item).let_through(item.nodeid, result):
            broken.append((result, cause))
    if broken:
        state.marker_broke = True
        first, cause = next((pair for pair in broken if pair[0].outcome == "error"), broken[0])
        message = printable_lines("\n\n".join(result.message for result, _ in broken))
        raise_unless_ok(replace(first, message=message), cause)


def require_function(item: pytest.Item, state: State) -> None:
    """Refuse markers on a method of unittest, which runs without pytest's part in which they are looked at."""
    __tracebackhide__ = True
    if _is_of_unittest(item) and _promises(item, state):
        _refuse_markers(item, state)


def _is_of_unittest(item: pytest.Item) -> bool:
    owner = getattr(item, "cls", None)
    return isinstance(owner, type) and issubclass(owner, unittest.TestCase)


def _waivers(item: pytest.Item) -> Waivers:
    """The waivers of a test, under the name that it has in this run."""
    waivers = waivers_of(item.config, item)
    if not waivers.every:
        return waivers
    bare = f"{item.nodeid.partition('::')[0]}::{baselines_of(item)[1]}"
    # The device that a gate was made for is no part of its test's name.
    every = [replace(each, gate=item.nodeid) if each.gate == bare else each for each in waivers.every]
    return Waivers(every, waivers.today)


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
    waivers = _waivers(item) if report.when != "setup" else replace(_waivers(item), every=())
    rows = phase_rows(report, new, error, waivers, _card(item), is_of_unittest=_is_of_unittest(item))
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


def _asked(item: pytest.Item) -> str:
    """The device that a gate asks for; none where its mark makes no sense, which is said when its promises are read."""
    try:
        return asked_device(item)
    except ConfigError:
        return ""


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


def timeout_of(item: pytest.Item) -> float | None:
    """The seconds that one phase of this gate may take, or `None`."""
    state = item.stash.get(STATE, None)
    return session_of(item.config).settings.timeout if state is not None and state.is_gate else None
