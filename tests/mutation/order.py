"""A plugin for the sessions that judge mutants: what notices most faults soonest runs first, and nothing is shrunk."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings


def pytest_sessionstart() -> None:
    # The same examples for every mutant, and the first that fails is enough.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutation", deadline=None, derandomize=True, phases=phases)
    settings.load_profile("mutation")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Tests of one example before those of a hundred, and otherwise in the order of their files, which mutmut loses.
    items.sort(key=lambda item: (hasattr(getattr(item, "obj", None), "hypothesis"), item.location[0], item.location[1]))
