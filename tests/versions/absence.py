"""A plugin for the run of these tests where packages are absent: what needs one of them is skipped, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.versions.bounds import ROOT
from tests.versions.needs import Needs

# What cannot be read from the tests: what the package itself, or a program that they start, needs.
BY_NAME: Mapping[str, str] = MappingProxyType(
    {
        "pytest_modelcheck/evaluation/checkpoint.py::": "torch",
        "pytest_modelcheck/evaluation/early_stop.py::": "numpy",
        "pytest_modelcheck/models/inputs.py::": "torch",
        "tests/plugin/test_environment.py::test_versions_the_platform_and_the_build_are_told": "torch transformers",
        "tests/plugin/test_fixtures.py::test_the_handle_refuses_what_it_cannot_evaluate": "torch",
        "tests/reports/test_page.py::": "jinja2",
        "tests/reports/test_report_files.py::test_each_ending_has_its_renderer": "jinja2",
        "tests/reports/test_report_files.py::test_html_": "jinja2",
        "tests/test_command.py::test_a_report_is_shown_again": "jinja2",
        "tests/test_command.py::test_it_is_a_program_that_loads_neither_pytest_nor_torch": "jinja2",
        "tests/test_command.py::test_what_cannot_be_written_is_2": "jinja2",
    }
)

_NEEDS = pytest.StashKey[Needs]()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.stash[_NEEDS] = Needs()


@pytest.hookimpl(tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector) -> pytest.CollectReport | None:
    if not isinstance(collector, pytest.File):
        return None
    found = collector.config.stash[_NEEDS].of_file(collector.path)
    if not found:
        return None
    reason = f"Skipped: {_told(found)}"
    return pytest.CollectReport(collector.nodeid, "skipped", (str(collector.path), 1, reason), [])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items if config.stash[_NEEDS].absent else ():
        found = _of_item(item, config.stash[_NEEDS])
        if found:
            item.add_marker(pytest.mark.skip(reason=_told(found)))


def _of_item(item: pytest.Item, needs: Needs) -> set[str]:
    found = {module for name, words in BY_NAME.items() if name in item.nodeid for module in words.split()}
    found &= needs.absent
    if isinstance(item, pytest.DoctestItem):
        return found | needs.of_text("".join(example.source for example in item.dtest.examples), item.path)
    if not isinstance(item, pytest.Function):
        return found
    top = item.cls.__name__ if item.cls is not None else item.originalname
    params = getattr(getattr(item, "callspec", None), "params", None)
    found |= needs.of_function(item.path, top, params)
    for name in item.fixturenames:
        for definition in item._fixtureinfo.name2fixturedefs.get(name, ()):
            path = Path(getattr(getattr(definition.func, "__code__", None), "co_filename", ""))
            if path.is_relative_to(ROOT / "tests"):
                found |= needs.of_function(path, definition.func.__name__)
    return found


def _told(modules: set[str]) -> str:
    return f"needs {', '.join(sorted(modules))}"
