"""What a test runs in: its results are kept; a gate has its device, its seed and its time, and leaves no trace."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace

import pytest

from pytest_modelcheck import leaks, process
from pytest_modelcheck.context import Context
from pytest_modelcheck.errors import ConfigError, ModelCheckFailure
from pytest_modelcheck.plugin.collection import asked_device, given_device
from pytest_modelcheck.plugin.lifeline import Lifeline
from pytest_modelcheck.plugin.live import LiveTerminal
from pytest_modelcheck.plugin.marks import is_gate
from pytest_modelcheck.plugin.recording import GateBaselines, baselines_of
from pytest_modelcheck.plugin.stash import session_of
from pytest_modelcheck.plugin.timeout import GateTimeout
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
    numbers: process.RandomNumbers | process.SeededNumbers | None = None


STATE = pytest.StashKey[State]()
CURRENT = pytest.StashKey[State]()
LIFELINE = pytest.StashKey[Lifeline]()


@contextmanager
def surroundings(item: pytest.Item) -> Iterator[None]:
    """What a test runs in: its assert forms leave rows.

    A gate also gets its device and its seed, and the world is restored when it is over.
    """
    session = session_of(item.config)
    state = item.stash[STATE] = State(is_gate(item), GateBaselines(item, session.settings.update))
    given, devices = given_device(item), session.settings.devices
    device = (device_asked(item) or given or devices[0]) if state.is_gate else ""
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
        lets_through=lambda result: (
            not state.baselines.scope and waivers_of_test(item).let_through(item.nodeid, result)
        ),
        shared=session.shared,
        strict_leaks=session.settings.strict_leaks,
    )
    if not state.is_gate:
        with context.active():
            yield
        return
    item.config.stash[CURRENT] = state
    with context.active():
        try:
            yield
        finally:
            # Items live as long as the session, and each state is some 50 kB of random numbers.
            del item.stash[STATE], item.config.stash[CURRENT]
            # A fixture that outlived its tests has just undone what it had set up: that is not to be taken back.
            if state.outlived:
                state.world.random.restore()
            else:
                state.world.restore()


def start_numbers(item: pytest.Item) -> None:
    """Start the random numbers of a gate from the seed, in each try of it alike."""
    state = item.stash.get(STATE, None)
    if state is not None and state.is_gate:
        state.numbers = process.SeededNumbers(session_of(item.config).settings.seed)
        state.numbers.restore()


def keep_numbers(item: pytest.Item) -> None:
    """Between the phases of a gate, keep its random numbers from what others do to them: plugins that seed as well."""
    state = item.stash.get(STATE, None)
    if state is not None and state.is_gate:
        take_numbers(item.config)
        state.numbers = process.RandomNumbers()


def take_numbers(config: pytest.Config) -> None:
    """Go on with a gate's own random numbers where its fixtures, or its checks, begin."""
    state = config.stash.get(CURRENT, None)
    if state is not None and state.numbers is not None:
        state.numbers.restore()
        state.numbers = None


def take_numbers_of_method(item: pytest.Item) -> None:
    """The same for a method of unittest, of whose beginning pytest tells nobody."""
    if is_of_unittest(item):
        take_numbers(item.config)


def is_of_unittest(item: pytest.Item) -> bool:
    """Whether a test is a method of a `unittest.TestCase`."""
    owner = getattr(item, "cls", None)
    return isinstance(owner, type) and issubclass(owner, unittest.TestCase)


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
        # Its random numbers are taken back when the gate is over.
        with process.preserved_settings() as changes:
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
    changes = state.changes = state.world.settings.restore()
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
            before.random.restore()


def device_asked(item: pytest.Item) -> str:
    """The device that a gate asks for; none where its mark makes no sense, which is said when its promises are read."""
    try:
        return asked_device(item)
    except ConfigError:
        return ""


def waivers_of_test(item: pytest.Item) -> Waivers:
    """The waivers of a test, under the name that it has in this run."""
    waivers = waivers_of(item.config, item)
    if not waivers.every:
        return waivers
    bare = f"{item.nodeid.partition('::')[0]}::{baselines_of(item)[1]}"
    # The device that a gate was made for is no part of its test's name.
    every = [replace(each, gate=item.nodeid) if each.gate == bare else each for each in waivers.every]
    return Waivers(every, waivers.today)


def throw_lifeline(config: pytest.Config) -> None:
    """Where gates have a time limit, be ready for those that do not hear of it."""
    if session_of(config).settings.timeout is not None:
        lifeline = config.stash[LIFELINE] = Lifeline(config)
        config.pluginmanager.register(lifeline, "modelcheck-lifeline")


def limited(item: pytest.Item, error: type[BaseException] = GateTimeout) -> AbstractContextManager[None]:
    """The time that one phase of a gate may take; any other test may take as long as it likes.

    When it is over, the error is raised in whatever runs.
    """
    state, lifeline = item.stash.get(STATE, None), item.config.stash.get(LIFELINE, None)
    return (
        lifeline.limited(item, error) if state is not None and state.is_gate and lifeline is not None else nullcontext()
    )
