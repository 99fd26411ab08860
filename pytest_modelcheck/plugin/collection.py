"""From marks to gates: what the markers of a gate say, which fixtures it needs, and whether it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_modelcheck.devices import parse_devices
from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.plugin.marks import PLAIN_MARKS, RUN_DEVICE, is_gate_mark
from pytest_modelcheck.plugin.stash import Session, session_of

if TYPE_CHECKING:
    from pytest_modelcheck.mechanism import BoundMarker

SKIP_REASON = "a model gate: it runs under --modelcheck"


def skip_gates(gates: Iterable[pytest.Item]) -> None:
    """Have gates skipped where they do not run; also those that a conftest file has made gates of by now."""
    for item in gates:
        item.add_marker("modelcheck")
        if not session_of(item.config).settings.enabled:
            item.add_marker(pytest.mark.skip(reason=SKIP_REASON))


def bound_markers(node: pytest.Item | Any, session: Session) -> Iterator[BoundMarker]:
    """The checks that a test's markers name, the outermost first; a `ConfigError` for one that makes no sense."""
    for mark in reversed(list(node.iter_markers())):
        if is_gate_mark(mark) and mark.name not in PLAIN_MARKS:
            yield session.registry.of_marker(mark.name).bind_marker(mark.args, mark.kwargs)


def given_device(item: pytest.Item) -> str:
    """The device that a gate was made for, or `""`."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get(RUN_DEVICE, "")) if callspec is not None else ""


def asked_device(node: pytest.Item | Any) -> str:
    """The device that a gate asks for by its mark, or `""`."""
    mark = node.get_closest_marker("modelcheck_device")
    if mark is None:
        return ""
    if len(mark.args) != 1 or mark.kwargs or not isinstance(mark.args[0], str):
        raise ConfigError('modelcheck_device takes one device, as in modelcheck_device("cuda")')
    names = parse_devices(mark.args[0])
    if len(names) != 1:
        raise ConfigError(f"modelcheck_device takes one device, not {mark.args[0]!r}")
    return names[0]


def card_told(node: pytest.Item | Any) -> dict[str, str]:
    """What a model card says of a gate, by its marks, the nearest first; empty where it has none."""
    marks = list(node.iter_markers("modelcheck_card"))
    if not marks:
        return {}
    from pytest_modelcheck.reports.huggingface import card_of

    for mark in marks:
        if mark.args:
            raise ConfigError(f"modelcheck_card takes keywords only, not {mark.args[0]!r}")
    return card_of({name: value for mark in reversed(marks) for name, value in mark.kwargs.items()})


def use_subject_fixtures(collector: Any, function: object) -> None:
    """Make the subjects of markers fixtures of their tests, so that they can be parametrized like any other.

    A function's own marks add to the function; those of a class or module add to the node that bears them, since a
    function may be inherited by classes whose marks differ.
    """
    own = [mark for mark in getattr(function, "pytestmark", ()) if is_gate_mark(mark)]
    for name in _missing(_fixtures_of(own, collector.config), getattr(function, "pytestmark", ())):
        pytest.mark.usefixtures(name)(function)
    for node in collector.listchain():
        marks = [mark for mark in node.own_markers if is_gate_mark(mark)]
        for name in _missing(_fixtures_of(marks, collector.config), node.own_markers):
            node.add_marker(pytest.mark.usefixtures(name))


def check_markers(metafunc: pytest.Metafunc) -> None:
    """Refuse a test whose markers make no sense, and run a gate once for each device that was asked for."""
    session = session_of(metafunc.config)
    try:
        asked = asked_device(metafunc.definition)
        card_told(metafunc.definition)
        for _ in bound_markers(metafunc.definition, session):
            pass
    except ConfigError as error:
        raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: {error}") from None
    devices = session.settings.devices
    if session.settings.enabled and len(devices) > 1 and not asked and RUN_DEVICE in metafunc.fixturenames:
        metafunc.parametrize(RUN_DEVICE, devices, indirect=True, ids=devices)


def valid_marks(config: pytest.Config) -> str:
    """What the marks of this plugin are, for a reader whose mark is not among them."""
    names = [f"modelcheck_{name}" for name in session_of(config).registry.names()]
    return f"pytest-modelcheck's marks are {', '.join(['modelcheck', 'modelcheck_device', 'modelcheck_card', *names])}."


def _fixtures_of(marks: Iterable[pytest.Mark], config: pytest.Config) -> list[str]:
    """The fixtures that marks need; a mark that makes no sense needs none, and is refused when tests are generated."""
    names: list[str] = []
    for mark in marks:
        names.append(RUN_DEVICE)
        if mark.name in PLAIN_MARKS:
            continue
        try:
            names += session_of(config).registry.of_marker(mark.name).bind_marker(mark.args, mark.kwargs).fixtures
        except ConfigError:
            continue
    return names


def _missing(names: Iterable[str], marks: Iterable[pytest.Mark]) -> list[str]:
    used = {name for mark in marks if mark.name == "usefixtures" for name in mark.args}
    return [name for name in dict.fromkeys(names) if name not in used]
