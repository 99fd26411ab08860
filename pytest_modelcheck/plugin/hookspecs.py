"""The hooks that this plugin offers to other plugins and to conftest files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_modelcheck.mechanism import Check


@pytest.hookspec
def pytest_modelcheck_checks(config: pytest.Config) -> Iterable[Check[Any]]:  # type: ignore[empty-body]
    """Return checks of your own, made with `pytest_modelcheck.check`.

    Each becomes a marker, `modelcheck_<name>`, beside the checks of this package. Called once, when pytest is
    configured, so that a conftest file that implements it must be one that pytest loads at its start. Two checks of
    one name are a usage error.
    """
