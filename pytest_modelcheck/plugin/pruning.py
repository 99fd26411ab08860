"""Baselines that no test uses any more: found on a full run, and removed where that is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from glob import escape
from pathlib import Path
from typing import Any

import pytest

from pytest_modelcheck.baselines.store import FOLDER, Store
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.plugin.recording import change_of
from pytest_modelcheck.plugin.rows import Row
from pytest_modelcheck.plugin.selection import Selection, folders

# What pytest and its plugins take for files of tests.
_COLLECTED = frozenset({".py", ".md", ".rst", ".txt", ".yaml", ".yml", ".ipynb", ".feature"})

_OF_DEVICE = re.compile(r" on (\w+)( \d+)?$")


@dataclass
class Used:
    """What the tests of a run used, by the file of their baselines, and which of them came to their end."""

    keys: dict[str, set[str]] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    devices: dict[str, set[str]] = field(default_factory=dict)

    def is_over(self, nodes: Iterable[str]) -> bool:
        """Whether all these tests passed by themselves, so that they have used what they use."""
        return all(node in self.passed and node not in self.broken for node in nodes)

    def ran_on(self, nodes: Iterable[str]) -> set[str]:
        """The kinds of devices that these tests ran on."""
        return {kind for node in nodes for kind in self.devices.get(node, ())}


def unused(selection: Selection, used: Used, config: pytest.Config) -> list[str]:
    """The files of baselines that no test uses, each with its key, as `prune` would remove them."""
    found: list[str] = []
    for path, is_unused in _files(selection, used, config):
        try:
            found += [f"{path}: {key}" for key in Store.at(path).recorded() if is_unused(key)]
        except ModelCheckError:  # whoever uses the file is told what is wrong with it
            continue
    return found


def prune(selection: Selection, used: Used, config: pytest.Config) -> tuple[list[Row], list[str]]:
    """Remove those, and tell what was removed, and what is wrong with files that could not be looked through."""
    changes: list[Row] = []
    problems: list[str] = []
    for path, is_unused in _files(selection, used, config):

        def told(key: str, *change: Any, file: str = str(path)) -> None:
            changes.append(change_of(file, key, *change))

        try:
            Store.at(path, told).prune(is_unused)
        except ModelCheckError as error:
            problems.append(str(error))
    return changes, problems


def _files(selection: Selection, used: Used, config: pytest.Config) -> Iterator[tuple[Path, Callable[[str], bool]]]:
    """Each file of baselines, and what tells whether one of its keys is used by no test."""
    for file, names in selection.tests.items():
        # Files of tests that differ in their ending share one; whose keys are another's is not known.
        if Path(file).exists() and all(str(path) in selection.paths for path in _tests_of(Path(file))):
            yield Path(file), _unused_in(names, used.keys.get(file, set()), used)
    left = config.getini("norecursedirs")
    for folder in folders(config) or ():
        for path in sorted(folder.rglob(f"{FOLDER}/*.json")):
            inside = path.relative_to(folder).parts[:-2]
            is_left = any(fnmatch(part, pattern) for part in inside for pattern in left)
            if not (is_left or _is_environment(folder, inside) or str(path) in selection.tests or _tests_of(path)):
                yield path, lambda _: True


def _tests_of(path: Path) -> list[Path]:
    """The files beside a folder of baselines whose baselines a file of it may have."""
    beside = path.parent.parent.glob(f"{escape(path.stem)}.*")
    return [found for found in beside if found.suffix in _COLLECTED]


def _is_environment(folder: Path, parts: Sequence[str]) -> bool:
    """Whether a folder lies in a virtual environment, whose tests are others'."""
    return any((folder.joinpath(*parts[:depth]) / "pyvenv.cfg").exists() for depth in range(1, len(parts) + 1))


def _unused_in(names: Mapping[str, Iterable[str]], keys: Collection[str], used: Used) -> Callable[[str], bool]:
    def is_unused(key: str) -> bool:
        """A key is used by its test, may be used by one that did not end well, or is another kind of device's."""
        if key in keys:
            return False
        nodes = [node for name, each in names.items() if key.startswith(f"{name} ") for node in each]
        device = _OF_DEVICE.search(key)
        of_another = device is not None and device[1] not in used.ran_on(nodes)
        return not (nodes and (of_another or not used.is_over(nodes)))

    return is_unused
