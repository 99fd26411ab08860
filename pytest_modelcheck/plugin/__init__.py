"""The pytest plugin: hooks over plain functions.

This module is loaded at every start of pytest and imports little; what runs gates is loaded under `--modelcheck` only.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

import pytest

from pytest_modelcheck.plugin import collection, hookspecs
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

__all__ = ["_modelcheck_run_device", "modelcheck", "modelcheck_device", "modelcheck_mnist", "modelcheck_texts"]


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    session = Session(read_settings(config), collected_registry(config), threads_of(config), {})
    config.stash[SESSION] = session
    _declare_markers(config, session)
    if session.settings.enabled:
        _enable(config)


def _declare_markers(config: pytest.Config, session: Session) -> None:
    for line in marker_lines(session.registry, described=bool(config.getoption("markers", False))):
        config.addinivalue_line("markers", line)


def _enable(config: pytest.Config) -> None:
    from pytest_modelcheck.plugin import running
    from pytest_modelcheck.plugin.reporter import Reporter
    from pytest_modelcheck.plugin.selection import Selection
    from pytest_modelcheck.plugin.surroundings import throw_lifeline
    from pytest_modelcheck.plugin.waiving import read_waivers

    read_waivers(config)
    throw_lifeline(config)
    selection = Selection()
    config.pluginmanager.register(running, "modelcheck-running")
    config.pluginmanager.register(selection, "modelcheck-selection")
    if not is_worker(config):
        config.pluginmanager.register(Reporter(config, selection), "modelcheck-reporter")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> None:
    if collector.istestfunction(obj, name):
        collection.use_subject_fixtures(collector, obj)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    collection.check_markers(metafunc)


def pytest_itemcollected(item: pytest.Item) -> None:
    collection.mark_gate(item)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    collection.skip_gates(items)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.failed and re.search("'modelcheck_.* not found in `markers`", report.longreprtext):
        report.sections.append(("modelcheck", collection.valid_marks(collector.config)))
    return report
