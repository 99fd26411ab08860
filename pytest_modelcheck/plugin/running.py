"""The hooks around a test, registered under `--modelcheck` only."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pytest_modelcheck.plugin import appearance, gates, surroundings
from pytest_modelcheck.plugin.timeout import TeardownTimeout


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with surroundings.surroundings(item):
        return (yield)


# Innermost: what is raised here is raised inside of what other plugins have set up around it.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    gates.begin(item)
    surroundings.start_numbers(item)
    with surroundings.limited(item):
        yield
    surroundings.keep_numbers(item)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    __tracebackhide__ = True
    with surroundings.world_of_call(item), surroundings.limited(item):
        surroundings.take_numbers_of_method(item)
        yield
    gates.require_checked(item)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    surroundings.take_numbers(request.config)
    with surroundings.seeded_fixture(request.config, fixturedef.scope):
        return (yield)


# Innermost, as the others: the world is looked at when the last fixture is gone.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    __tracebackhide__ = True
    with surroundings.limited(item, TeardownTimeout):
        yield
    surroundings.require_restored(item)


def pytest_fixture_post_finalizer(fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> None:
    surroundings.fixture_ended(request.config, fixturedef.scope)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    __tracebackhide__ = True
    surroundings.take_numbers(pyfuncitem.config)
    gates.check_promises(pyfuncitem)
    with gates.looking_at_what_is_returned(pyfuncitem):
        return (yield)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    return appearance.status_of(report)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    gates.report_gate(item, call, report)
    return report
