"""Where a gate finds what it measured last time."""

from __future__ import annotations

from collections import Counter

import pytest

from pytest_modelcheck.baselines.store import Content, Store, Update
from pytest_modelcheck.plugin.rows import plain


class GateBaselines:
    """The baselines of one gate, in the file of its test module, under the test's name and the check's.

    The device that a gate was made for is no part of its test's name: what is recorded on one is promised on all. A
    check that a test calls several times has one baseline for each call, by their order.
    """

    def __init__(self, item: pytest.Item, update: Update, device: str) -> None:
        self._store = Store(item.path)
        self._test = plain(_without_device(item.nodeid.partition("::")[2] or item.name, device))
        self._update = update
        self._calls: Counter[str] = Counter()
        self._recorded: set[str] = set()

    def restart(self) -> None:
        """Begin a new try of the test."""
        self._calls.clear()
        self._recorded.clear()

    def __call__(self, check: str, case: str, content: Content, is_one: bool = False) -> tuple[Content, bool]:
        """What was recorded for this call of the check, and this case of it, and whether that was just now.

        A case that `is_one` has one baseline for all calls: the first records it, and the others are compared with it.
        """
        name = f"{check} {case}" if case else check
        self._calls[name] += 1
        call = 1 if is_one else self._calls[name]
        key = plain(f"{self._test} {name}" + (f" {call}" if call > 1 else ""))
        update = "" if key in self._recorded else self._update
        found = self._store.compare_or_record(key, plain(content), update)
        self._recorded.add(key)
        return found


def _without_device(test: str, device: str) -> str:
    """A test's name without the device among its parameters, which stands at their start or their end."""
    if not device:
        return test
    name, _, parameters = test.removesuffix("]").partition("[")
    rest = parameters.removeprefix(device) if parameters.startswith(device) else parameters.removesuffix(device)
    rest = rest.strip("-")
    return f"{name}[{rest}]" if rest else name
