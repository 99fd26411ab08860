"""Which tests a run was given, and whether those are all that there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_modelcheck.plugin.recording import baselines_of

_OUTPUT = "modelcheck_selection"

# Options that leave tests out, some of them without a word.
_NARROWING = ("keyword", "markexpr", "deselect", "lf", "stepwise", "ignore", "ignore_glob")

# Of ini keys that are overridden, those which leave no test out: --strict-markers is one of them since pytest 9.
_HARMLESS = ("strict", "xfail_strict", "filterwarnings", "log_", "modelcheck")


class Selection:
    """The tests that were collected, by the file of their baselines and by their names there.

    The processes of xdist collect, each the same, and the controller hears of it when they end.
    """

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, list[str]]] = {}
        self.deselected: list[str] = []
        self.paths: list[str] = []
        self.is_known = False
        self._collected: list[str] = []

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Hear of every test, also of those that somebody drops without a word."""
        self._collected.append(item.nodeid)

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Hear of tests that were collected and are not to run."""
        self.deselected += [item.nodeid for item in items]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take down which tests are left."""
        for item in session.items:
            file, name = baselines_of(item)
            self.tests.setdefault(file, {}).setdefault(name, []).append(item.nodeid)
        self.paths = sorted({str(item.path) for item in session.items})
        left = self.gates()
        self.deselected = list(dict.fromkeys(node for node in (*self.deselected, *self._collected) if node not in left))
        self.is_known = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controller, where this is one of its processes."""
        if hasattr(session.config, "workeroutput"):
            told = {"tests": self.tests, "deselected": self.deselected, "paths": self.paths}
            session.config.workeroutput[_OUTPUT] = told

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear of what a process had collected."""
        told = getattr(node, "workeroutput", {}).get(_OUTPUT)
        if told:
            self.tests, self.deselected, self.paths = told["tests"], told["deselected"], told["paths"]
            self.is_known = True

    def gates(self) -> set[str]:
        """The node ids of all tests that were to run."""
        return set(self.bare())

    def bare(self) -> dict[str, str]:
        """The tests by their node ids, without the devices that they were made for."""
        named = ((name, node) for names in self.tests.values() for name, nodes in names.items() for node in nodes)
        return {node: f"{node.partition('::')[0]}::{name}" for name, node in named}

    def is_whole(self, gate: str, config: pytest.Config) -> bool:
        """Whether all tests of a gate's file were collected; of a file that is not there, all are.

        Of one that is there and gave none, nothing is known: it may skip itself where a package or a device is missing.
        """
        file = gate.partition("::")[0]
        if not (config.rootpath / file).exists():
            return True
        if config.getoption("lf", False) or any("::" in argument for argument in config.args):
            return False
        known = {node.partition("::")[0] for node in (*self.gates(), *self.deselected)}
        return file in known


def folders(config: pytest.Config) -> list[Path] | None:
    """The folders that a run looks at; `None` where it was asked for less than all of them."""
    options: Mapping[str, Any] = vars(config.option)
    overridden = options.get("override_ini") or ()
    if any(map(options.get, _NARROWING)) or not all(item.startswith(_HARMLESS) for item in overridden):
        return None
    paths = [config.invocation_params.dir / argument for argument in config.args]
    return paths if all(path.is_dir() for path in paths) else None
