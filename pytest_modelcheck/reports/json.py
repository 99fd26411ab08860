"""The report as JSON: strict, with sorted keys, for programs. `schema.json` describes every key."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from pytest_modelcheck.reports.run import Run
from pytest_modelcheck.reports.sizes import sizes

SCHEMA_VERSION = 1


def render(run: Run) -> str:
    """The rows with everything that was measured. Numbers that JSON does not know are an error, never written."""
    ordered = replace(run, rows=run.sorted_rows)
    content = {
        "schema_version": SCHEMA_VERSION,
        "passed": run.passed,
        "complete": run.complete,
        "started": run.started,
        "seconds": run.seconds,
        "seed": run.seed,
        "devices": run.devices,
        "environment": dict(run.environment),
        "baselines": [dict(change) for change in run.baselines],
        "problems": list(run.problems),
        "models": [asdict(size) for size in sizes(ordered)],
        "rows": [dict(row) for row in ordered.rows],
    }
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
