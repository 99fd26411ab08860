"""The marks of this plugin, which tests they make gates of, and the hook by which others bring more.

This module is loaded at every start of pytest and imports little.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_modelcheck.checks import FAMILIES

if TYPE_CHECKING:
    from pytest_modelcheck.mechanism import Check

PLAIN_MARKS: Mapping[str, str] = MappingProxyType(
    {
        "modelcheck": "modelcheck: this test is a gate; it runs under --modelcheck only.",
        "modelcheck_device": "modelcheck_device(name): the gate runs on this device, or is skipped without it.",
        "modelcheck_card": "modelcheck_card(dataset_id, ...): what a model card on the Hugging Face Hub says of it.",
    }
)

FIXTURES = ("modelcheck", "modelcheck_device", "modelcheck_texts", "modelcheck_mnist")
RUN_DEVICE = "_modelcheck_run_device"


@pytest.hookspec
def pytest_modelcheck_checks(config: pytest.Config) -> Iterable[Check[Any]]:  # type: ignore[empty-body]
    """Return checks of your own, made with `pytest_modelcheck.check`.

    Each becomes a marker, `modelcheck_<name>`, beside the checks of this package. Called once, when pytest is
    configured, so that a conftest file that implements it must be one that pytest loads at its start. Two checks of
    one name are a usage error.
    """


def own_checks() -> tuple[str, ...]:
    """The names of the checks of this package."""
    return tuple(name for names in FAMILIES.values() for name in names)


def marker_lines(names: Iterable[str]) -> Iterator[str]:
    """The lines for pytest's list of markers, which do not describe the checks: for that, they would be imported."""
    yield from PLAIN_MARKS.values()
    yield from (f"modelcheck_{name}: see --markers" for name in names)


def is_gate_mark(mark: pytest.Mark) -> bool:
    """Whether a mark makes a gate of a test."""
    return mark.name == "modelcheck" or mark.name.startswith("modelcheck_")


def is_gate(item: pytest.Item) -> bool:
    """Whether a test is a gate: by its marks, or by a fixture of this plugin that it uses."""
    return any(map(is_gate_mark, item.iter_markers())) or any(
        name in FIXTURES for name in getattr(item, "fixturenames", ())
    )


def are_borne_by(function: object, collector: Any) -> bool:
    """Whether a function that is about to become a test bears one of these marks, or what it stands in does."""
    own = getattr(function, "pytestmark", ())
    return any(map(is_gate_mark, own)) or any(
        any(map(is_gate_mark, node.own_markers)) for node in collector.listchain()
    )
