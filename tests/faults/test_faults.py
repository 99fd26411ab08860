"""Each fault in a fresh process of pytest: the exit code, the message, the files and the world after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.fault import Fault, judge
from tests.faults.session import run
from tests.faults.table import GROUPS

ROWS = [pytest.param(fault, id=name) for group in GROUPS for name, fault in group.rows.items()]


@pytest.mark.parametrize("fault", ROWS)
def test_fault(fault: Fault, tmp_path: Path):
    if fault.needs:
        pytest.importorskip(fault.needs)
    judge(fault, run(fault, tmp_path))
