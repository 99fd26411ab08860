"""GitHub Actions: the summary of a step, and annotations beside the lines of tests that failed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pytest_modelcheck.reports import github
from pytest_modelcheck.reports.markdown import step_summary
from pytest_modelcheck.reports.run import Run


def summarized(run: Run) -> list[str]:
    """Append the report to the summary of the step, where there is one; what is wrong if it cannot be written."""
    name = os.environ.get("GITHUB_STEP_SUMMARY", "")
    if not name:
        return []
    path = Path(name)
    before = 0
    try:
        before = path.stat().st_size if path.exists() else 0
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(step_summary(run, before))
    except OSError as error:
        with suppress(OSError):
            os.truncate(path, before)  # a part of a table helps nobody
        return [f"the step summary {path} could not be written: {error}"]
    return []


def annotated(run: Run, root: Path) -> list[str]:
    """The commands that annotate the tests that failed, under GitHub Actions."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return []
    workspace = os.environ.get("GITHUB_WORKSPACE", "")
    return github.annotations(run, root, Path(workspace) if workspace else None)
