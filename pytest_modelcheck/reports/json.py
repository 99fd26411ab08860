"""The report as JSON: strict, with sorted keys, for programs."""

from __future__ import annotations

import json
from dataclasses import asdict

from pytest_modelcheck.reports.run import Run
from pytest_modelcheck.reports.sizes import sizes

SCHEMA_VERSION = 1


def render(run: Run) -> str:
    """The rows with everything that was measured. Numbers that JSON does not know are an error, never written."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "complete": run.complete,
        "seed": run.seed,
        "devices": run.devices,
        "models": [asdict(size) for size in sizes(run)],
        "rows": [dict(row) for row in run.sorted_rows],
    }
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
