"""Baselines that no test uses any more: found on a full run, and removed where that is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_modelcheck.baselines.store import FOLDER, Store
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.plugin.recording import change_of
from pytest_modelcheck.plugin.rows import Row

_OF_DEVICE = re.compile(r" on (\w+)( \d+)?$")


@dataclass
class Used:
    """What the tests of a run used, by the file of their baselines, and which of them came to their end."""

    keys: dict[str, set[str]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)


def unused(tests: Mapping[str, Mapping[str, Iterable[str]]], used: Used, folders: Iterable[Path]) -> list[str]:
    """The files of baselines that no test uses, each with its key, as `prune` would remove them."""
    found: list[str] = []
    for path, is_unused in _files(tests, used, folders):
        try:
            found += [f"{path}: {key}" for key in Store.at(path).recorded() if is_unused(key)]
        except ModelCheckError:  # whoever uses the file is told what is wrong with it
            continue
    return found


def prune(tests: Mapping[str, Mapping[str, Iterable[str]]], used: Used, folders: Iterable[Path]) -> list[Row]:
    """Remove those, and tell what was removed. Raises `ModelCheckError` where a file is refused."""
    changes: list[Row] = []
    for path, is_unused in _files(tests, used, folders):
        Store.at(path, lambda key, *change, file=str(path): changes.append(change_of(file, key, *change))).prune(
            is_unused
        )
    return changes


def _files(
    tests: Mapping[str, Mapping[str, Iterable[str]]], used: Used, folders: Iterable[Path]
) -> Iterator[tuple[Path, Callable[[str], bool]]]:
    """Each file of baselines, and what tells whether one of its keys is used by no test."""
    for file, names in tests.items():
        if Path(file).exists():
            yield Path(file), _unused_in(names, used.keys.get(file, set()), used)
    orphans = {path for folder in folders for path in folder.rglob(f"{FOLDER}/*.json") if str(path) not in tests}
    for path in sorted(orphans):
        if not any(path.parent.parent.glob(f"{path.stem}.*")):
            yield path, lambda _: True


def _unused_in(names: Mapping[str, Iterable[str]], keys: Collection[str], used: Used) -> Callable[[str], bool]:
    open_names = {name for name, nodes in names.items() if not used.ended.issuperset(nodes)}

    def is_unused(key: str) -> bool:
        """A key is used by its test, may be used by one that did not end well, or is another kind of device's."""
        device = _OF_DEVICE.search(key)
        of_another = device is not None and device[1] not in used.devices
        owners = [name for name in names if key.startswith(f"{name} ")]
        return key not in keys and not (owners and (of_another or not open_names.isdisjoint(owners)))

    return is_unused
