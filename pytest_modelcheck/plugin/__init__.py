"""The pytest plugin: hooks over plain functions, and fixtures, none of which has a name that a user would want.

This module is loaded at every start of pytest and imports little: what is about gates is loaded where there are some,
and what runs them under `--modelcheck` only.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_modelcheck.plugin import marks, options

if TYPE_CHECKING:
    import torch

    from pytest_modelcheck.plugin.handle import Modelcheck


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(marks)


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if _is_needed(config):
        _begin(config)
    else:
        _declare_markers(config, marks.marker_lines(marks.own_checks()))


def _is_needed(config: pytest.Config) -> bool:
    """Whether anything is known before the collection that this plugin has to look at."""
    is_offered = bool(config.hook.pytest_modelcheck_checks.get_hookimpls())
    return is_offered or bool(config.getoption("markers", False)) or options.are_given(config)


def _begin(config: pytest.Config) -> None:
    from pytest_modelcheck.plugin.registry import described_markers
    from pytest_modelcheck.plugin.stash import begin_session

    settings, registry = begin_session(config)[:2]
    is_read = bool(config.getoption("markers", False))
    _declare_markers(config, described_markers(registry) if is_read else marks.marker_lines(registry.names()))
    if settings.enabled:
        _enable(config)


def _declare_markers(config: pytest.Config, lines: Iterable[str]) -> None:
    for line in lines:
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
    if not options.is_worker(config):
        config.pluginmanager.register(Reporter(config, selection), "modelcheck-reporter")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> None:
    if collector.istestfunction(obj, name) and marks.are_borne_by(obj, collector):
        from pytest_modelcheck.plugin import collection

        collection.use_subject_fixtures(collector, obj)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if marks.is_gate(metafunc.definition):
        from pytest_modelcheck.plugin import collection

        collection.check_markers(metafunc)


def pytest_itemcollected(item: pytest.Item) -> None:
    if marks.is_gate(item):
        item.add_marker("modelcheck")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    gates = list(filter(marks.is_gate, items))
    if gates:
        from pytest_modelcheck.plugin import collection

        collection.skip_gates(gates)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.failed and re.search("'modelcheck_.* not found in `markers`", report.longreprtext):
        from pytest_modelcheck.plugin import collection

        report.sections.append(("modelcheck", collection.valid_marks(collector.config)))
    return report


@pytest.fixture
def _modelcheck_run_device(request: pytest.FixtureRequest) -> str:
    from pytest_modelcheck.context import current
    from pytest_modelcheck.plugin.stash import session_of

    return getattr(request, "param", None) or current().device or session_of(request.config).settings.devices[0]


@pytest.fixture
def modelcheck(_modelcheck_run_device: str, request: pytest.FixtureRequest) -> Modelcheck:
    """The handle of this gate: its .device, its .seed, and .evaluate(model, data)."""
    from pytest_modelcheck.plugin.handle import Modelcheck
    from pytest_modelcheck.plugin.stash import session_of

    return Modelcheck(_modelcheck_run_device, session_of(request.config).settings.seed)


@pytest.fixture
def modelcheck_device(modelcheck: Modelcheck) -> torch.device:
    """The torch.device of this gate; with several devices, the gate runs once for each."""
    return modelcheck.device


@pytest.fixture
def modelcheck_texts(_modelcheck_run_device: str) -> tuple[str, ...]:
    """The hard corpus: texts that tokenizers get wrong, one for each trap."""
    from pytest_modelcheck.tokenization.corpus import HARD_TEXTS

    return HARD_TEXTS


@pytest.fixture
def modelcheck_mnist(_modelcheck_run_device: str, request: pytest.FixtureRequest) -> Any:
    """MNIST's 10,000 test images and labels, verified, ready to use as `data`."""
    from pytest_modelcheck.evaluation.mnist import mnist_test_split
    from pytest_modelcheck.plugin.stash import session_of

    return mnist_test_split(session_of(request.config).settings.mnist_root)
