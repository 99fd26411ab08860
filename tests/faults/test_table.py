"""The published table is that of the tests, and as long as it is to be."""

from __future__ import annotations

from tests.faults.table import FILE, GROUPS, rendered


def test_the_published_table_is_that_of_the_tests():
    assert FILE.read_text(encoding="utf-8") == rendered(), "it is stale: python -m tests.faults writes it"


def test_no_row_stands_twice():
    names = [name for group in GROUPS for name in group.rows]
    assert len(names) == len(set(names))
