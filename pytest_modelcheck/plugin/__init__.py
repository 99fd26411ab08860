"""The pytest plugin: hooks over plain functions. Loaded at every start of pytest, it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_modelcheck.plugin import collection, gates, hookspecs
from pytest_modelcheck.plugin.fixtures import (
    _modelcheck_run_device,
    modelcheck,
    modelcheck_device,
    modelcheck_mnist,
    modelcheck_texts,
)
from pytest_modelcheck.plugin.options import add_options, is_worker, read_settings, threads_of
from pytest_modelcheck.plugin.registry import collected_registry, marker_lines
from pytest_modelcheck.plugin.stash import SESSION, Session
from pytest_modelcheck.plugin.timeout import time_limit

__all__ = ["_modelcheck_run_device", "modelcheck", "modelcheck_device", "modelcheck_mnist", "modelcheck_texts"]


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    session = Session(read_settings(config), collected_registry(config), threads_of(config))
    config.stash[SESSION] = session
    for line in marker_lines(session.registry, described=bool(config.getoption("markers", False))):
        config.addinivalue_line("markers", line)
    if session.settings.enabled and not is_worker(config):
        from pytest_modelcheck.plugin.reporter import Reporter

        config.pluginmanager.register(Reporter(config), "modelcheck-reporter")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> None:
    if collector.istestfunction(obj, name):
        collection.use_subject_fixtures(collector, obj)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    collection.check_markers(metafunc)


def pytest_itemcollected(item: pytest.Item) -> None:
    collection.mark_gate(item)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.failed and "'modelcheck_" in report.longreprtext:
        report.sections.append(("modelcheck", collection.valid_marks(collector.config)))
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with gates.test_running(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    gates.begin(item)
    with time_limit(gates.timeout_of(item)):
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    __tracebackhide__ = True
    with time_limit(gates.timeout_of(item)):
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    __tracebackhide__ = True
    gates.check_promises(pyfuncitem)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    gates.report_gate(item, call, report)
    return report
