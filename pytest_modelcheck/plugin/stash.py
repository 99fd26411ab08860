"""What lives for a session, in `config.stash`."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from pytest_modelcheck.plugin.registry import Registry, collected_registry
from pytest_modelcheck.plugin.settings import Settings, read_settings, threads_of


class Session(NamedTuple):
    """One pytest session: its settings, its checks, and what its gates share."""

    settings: Settings
    registry: Registry
    threads: int | None
    shared: dict[Any, Any]


SESSION = pytest.StashKey[Session]()


def session_of(config: pytest.Config) -> Session:
    """The session's data, read when it is first asked for: when pytest is configured, or else at the first gate."""
    if SESSION not in config.stash:
        config.stash[SESSION] = Session(read_settings(config), collected_registry(config), threads_of(config), {})
    return config.stash[SESSION]
