"""What lives for a session, in `config.stash`."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from pytest_modelcheck.plugin.options import Settings
from pytest_modelcheck.plugin.registry import Registry


class Session(NamedTuple):
    """One pytest session: its settings, its checks, and what its gates share."""

    settings: Settings
    registry: Registry
    threads: int | None
    shared: dict[Any, Any]


SESSION = pytest.StashKey[Session]()


def session_of(config: pytest.Config) -> Session:
    """The session's data, set when pytest was configured."""
    return config.stash[SESSION]
