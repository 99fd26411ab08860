"""Where a gate finds what it measured last time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pytest_modelcheck.baselines.differences import difference
from pytest_modelcheck.baselines.store import Content, Store, Update
from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.plugin.collection import given_device
from pytest_modelcheck.plugin.rows import Row, plain


class GateBaselines:
    """The baselines of one gate, in the file of its test module, under the test's name and the check's.

    The device that a gate was made for is no part of its test's name: what is recorded on one is promised on all. A
    check that a test calls several times has one baseline for each call, by their order.
    """

    def __init__(self, item: pytest.Item, update: Update) -> None:
        self._store = Store(item.path, self._changed)
        self._test = _name(item)
        self._update = update
        self._calls: Counter[str] = Counter()
        self._recorded: set[str] = set()
        self._used: set[str] = set()
        self._changes: dict[str, Row] = {}
        # The scope of the fixture that is being set up, where it outlives its test.
        self.scope = ""

    def restart(self) -> None:
        """Begin a new try of the test."""
        self._calls.clear()
        self._recorded.clear()

    def __call__(self, check: str, case: str, content: Content, is_one: bool = False) -> tuple[Content, bool]:
        """What was recorded for this call of the check, and this case of it, and whether that was just now.

        A case that `is_one` has one baseline for all calls: the first records it, and the others are compared with it.
        """
        if self.scope:
            raise ConfigError(
                f"{check} is compared with a baseline in a fixture of scope {self.scope!r}, which no single test has "
                "called: compare in a test, or in a fixture of scope 'function'"
            )
        name = f"{check} {case}" if case else check
        self._calls[name] += 1
        call = 1 if is_one else self._calls[name]
        key = plain(f"{self._test} {name}" + (f" {call}" if call > 1 else ""))
        update = "" if key in self._recorded else self._update
        found = self._store.compare_or_record(key, plain(content), update)
        self._recorded.add(key)
        self._used.add(key)
        return found

    def _changed(self, key: str, before: Content | None, after: Content | None) -> None:
        self._changes[key] = change_of(str(self._store.path), key, before, after)

    def report(self) -> dict[str, Any]:
        """The test's name in the file of its baselines, the keys that it used, and what it changed."""
        file, used = str(self._store.path), sorted(self._used)
        return {"file": file, "test": self._test, "used": used, "changes": list(self._changes.values())}


def baselines_of(item: pytest.Item) -> tuple[str, str]:
    """The file of a test's baselines, and the test's name in it."""
    return str(Store(item.path).path), _name(item)


def _name(item: pytest.Item) -> str:
    name = item.nodeid.partition("::")[2] or item.name
    return str(plain(_without_device(name, item)))


def change_of(file: str, key: str, before: Content | None, after: Content | None) -> Row:
    """What became of one baseline, as the reports tell it."""
    if before is None:
        return {"file": file, "key": key, "change": "added", "lines": []}
    if after is None:
        return {"file": file, "key": key, "change": "removed", "lines": []}
    return {"file": file, "key": key, "change": "changed", "lines": difference(before, after)}


def _without_device(test: str, item: pytest.Item) -> str:
    """A test's name without the device that it was made for, which is one of the ids in its brackets."""
    device, callspec = given_device(item), getattr(item, "callspec", None)
    ids = list(getattr(callspec, "_idlist", ()))
    if not device or device not in ids or not test.endswith(f"[{'-'.join(ids)}]"):
        return test
    name = test.removesuffix(f"[{'-'.join(ids)}]")
    ids.remove(device)
    return f"{name}[{'-'.join(ids)}]" if ids else name
