"""All rows, in the order of the table."""

from __future__ import annotations

from tests.benchmarks.coverage.row import Group
from tests.benchmarks.coverage.rows import baselines, hostile, metrics, models, names, recording, sessions

GROUPS: tuple[Group, ...] = (
    models.FORWARD,
    models.UNUSUAL,
    metrics.METRICS,
    metrics.DATA_SETS,
    baselines.BASELINES,
    recording.RECORDING,
    names.NAMES,
    sessions.ASKED,
    hostile.HOSTILE,
)
