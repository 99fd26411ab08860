"""`python -m tests.faults` writes the table of faults."""

from __future__ import annotations

from tests.faults.table import FILE, GROUPS, rendered

if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
    print(f"{FILE}: {sum(len(group.rows) for group in GROUPS)} rows")
