"""Which tests a run was given, and whether those are all that there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_modelcheck.plugin.recording import baselines_of

_OUTPUT = "modelcheck_selection"


class Selection:
    """The tests that were collected, by the file of their baselines and by their names there.

    The processes of xdist collect, each the same, and the controller hears of it when they end.
    """

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, list[str]]] = {}
        self.deselected: list[str] = []

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Hear of tests that were collected and are not to run."""
        self.deselected += [item.nodeid for item in items]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take down which tests are left."""
        for item in session.items:
            file, name = baselines_of(item)
            self.tests.setdefault(file, {}).setdefault(name, []).append(item.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controller, where this is one of its processes."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_OUTPUT] = {"tests": self.tests, "deselected": self.deselected}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear of what a process had collected."""
        told = getattr(node, "workeroutput", {}).get(_OUTPUT)
        if told:
            self.tests, self.deselected = told["tests"], told["deselected"]

    def gates(self) -> set[str]:
        """The node ids of all tests that were to run."""
        return {node for names in self.tests.values() for nodes in names.values() for node in nodes}

    def is_whole(self, file: str, config: pytest.Config) -> bool:
        """Whether all tests of a file, relative to the rootdir, are among them; of one that is not there, all are."""
        if not (config.rootpath / file).exists():
            return True
        parts = [node for node in (*self.deselected, *config.args) if node.partition("::")[0].endswith(file)]
        known = {node.partition("::")[0] for node in self.gates()}
        return file in known and not config.getoption("lf", False) and not any("::" in part for part in parts)


def folders(config: pytest.Config) -> list[Path] | None:
    """The folders that a run looks at; `None` where it was asked for less than all of them."""
    options: Mapping[str, Any] = vars(config.option)
    if any(
        options.get(name) for name in ("keyword", "markexpr", "deselect", "lf", "stepwise", "ignore", "ignore_glob")
    ):
        return None
    paths = [config.invocation_params.dir / argument for argument in config.args]
    return paths if all(path.is_dir() for path in paths) else None
