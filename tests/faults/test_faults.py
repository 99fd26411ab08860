"""Each fault in a fresh process of pytest: the exit code, the message, the files and the world after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.faults.fault import Fault, judge
from tests.faults.launcher import Launcher, launcher
from tests.faults.session import run
from tests.faults.table import GROUPS

ROWS = [pytest.param(fault, id=name) for group in GROUPS for name, fault in group.rows.items()]


@pytest.fixture(scope="module")
def launched() -> Iterator[Callable[[], Launcher]]:
    """The process that sessions are forked from, which starts when the first one needs it."""
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(launcher()))


@pytest.mark.parametrize("fault", ROWS)
def test_fault(fault: Fault, tmp_path: Path, launched: Callable[[], Launcher]):
    if fault.needs:
        pytest.importorskip(fault.needs)
    judge(fault, run(fault, tmp_path, launched))
