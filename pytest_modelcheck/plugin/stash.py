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


def begin_session(config: pytest.Config) -> Session:
    """The data of a session that is to run gates, or has something to refuse; made when pytest is configured."""
    made = config.stash[SESSION] = Session(read_settings(config), collected_registry(config), threads_of(config), {})
    return made


def session_of(config: pytest.Config) -> Session:
    """The session's data. Where nothing was said of gates when pytest was configured, none is to run."""
    if SESSION not in config.stash:
        settings = read_settings(config)._replace(enabled=False)
        config.stash[SESSION] = Session(settings, Registry(()), threads_of(config), {})
    return config.stash[SESSION]
