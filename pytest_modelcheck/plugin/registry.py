"""The checks that markers can name: those of this package, and those that other plugins bring."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_modelcheck.checks import load_check
from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.plugin.marks import PLAIN_MARKS, own_checks

if TYPE_CHECKING:
    from pytest_modelcheck.mechanism import Check


class Registry:
    """Checks by name; those of this package are imported when they are asked for."""

    def __init__(self, extra: Iterable[object]) -> None:
        self._own = own_checks()
        self._extra: dict[str, Check[Any]] = {}
        for item in map(_as_check, extra):
            if item.name in self._own or item.name in self._extra or item.marker in PLAIN_MARKS:
                raise ConfigError(f"two checks are named {item.name}: {self._module(item.name)} and {item.module}")
            self._extra[item.name] = item

    def names(self) -> tuple[str, ...]:
        """The names of all checks."""
        return (*self._own, *self._extra)

    def of_marker(self, marker: str) -> Check[Any]:
        """The check behind a `modelcheck_*` marker; a `ConfigError` with the valid ones where there is none."""
        name = marker.removeprefix("modelcheck_")
        if name in self._own:
            return load_check(name)
        if name in self._extra:
            return self._extra[name]
        valid = [f"modelcheck_{item}" for item in self.names()] + ["modelcheck_device", "modelcheck_card"]
        close = difflib.get_close_matches(marker, valid, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ConfigError(f"unknown mark {marker!r}{hint}; the marks are {', '.join(valid)}")

    def _module(self, name: str) -> str:
        return self._extra[name].module if name in self._extra else "pytest_modelcheck"


def collected_registry(config: pytest.Config) -> Registry:
    """This package's checks and those of the hook `pytest_modelcheck_checks`; a usage error if two share a name."""
    try:
        return Registry(_offered(config))
    except ConfigError as error:
        raise pytest.UsageError(f"modelcheck: {error}") from None


def _offered(config: pytest.Config) -> Iterator[object]:
    for batch in config.hook.pytest_modelcheck_checks(config=config):
        if not isinstance(batch, Iterable):
            raise ConfigError(f"pytest_modelcheck_checks returns a list of checks, not {type(batch).__name__}")
        yield from batch


def _as_check(item: object) -> Check[Any]:
    from pytest_modelcheck.mechanism import Check  # whoever offers a check has loaded it

    if not isinstance(item, Check):
        name = getattr(item, "__qualname__", type(item).__name__)
        raise ConfigError(
            f"pytest_modelcheck_checks offers {name}, which is no check: put @pytest_modelcheck.check on it"
        )
    return item


def described_markers(registry: Registry) -> list[str]:
    """The lines for pytest's list of markers, where somebody reads it."""
    checks = (registry.of_marker(f"modelcheck_{name}") for name in registry.names())
    return [*PLAIN_MARKS.values(), *(check.marker_line for check in checks)]
