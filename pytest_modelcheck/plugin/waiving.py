"""Where the waivers of a run are written down, and what is wrong with those that it did not need."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.plugin.rows import Row
from pytest_modelcheck.plugin.selection import Selection
from pytest_modelcheck.reports.run import shown_check
from pytest_modelcheck.waivers import Waiver, Waivers, given_waiver, parse_waivers

_WAIVERS = pytest.StashKey[Waivers]()


def read_waivers(config: pytest.Config) -> None:
    """Read the waivers of `[tool.modelcheck.waivers]` in the rootdir's `pyproject.toml`, and of the command line."""
    try:
        given = [given_waiver(text) for text in config.getoption("modelcheck_accept")]
        every = [*_written(config.rootpath / "pyproject.toml"), *given]
    except ConfigError as error:
        raise pytest.UsageError(f"modelcheck: {error}") from None
    config.stash[_WAIVERS] = Waivers(every, datetime.datetime.now(datetime.timezone.utc).date())


def waivers_of(config: pytest.Config) -> Waivers:
    """The waivers of this run."""
    return config.stash[_WAIVERS]


def _written(path: Path) -> list[Waiver]:
    if not path.is_file():
        return []
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # pytest brings it
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    table: Any = tool.get("modelcheck", {}) if isinstance(tool, dict) else {}
    unknown = [key for key in table if key != "waivers"] if isinstance(table, dict) else ["modelcheck"]
    if unknown:
        raise ConfigError(
            f"[tool.modelcheck] has no key {unknown[0]!r}: its key is waivers; options stand in pytest's own table"
        )
    return parse_waivers(table.get("waivers", {}))


def unneeded(waivers: Sequence[Waiver], rows: Sequence[Row], selection: Selection, config: pytest.Config) -> list[str]:
    """What is said, after a run that came to its end, of waivers that let nothing through: no gate of theirs is broken.

    Nothing is said of a gate that was not among the tests of the run, or was not measured.
    """
    return [problem for waiver in waivers if (problem := _unneeded(waiver, rows, selection, config))]


def _unneeded(waiver: Waiver, rows: Sequence[Row], selection: Selection, config: pytest.Config) -> str:
    own = [row for row in rows if waiver.covers(row["gate"], shown_check(row))]
    outcomes = {row["outcome"] for row in own}
    if "waived" in outcomes or not outcomes <= {"passed"}:
        return ""
    if own:
        return f"the waiver of {waiver.gate} is not needed any more, the gate passes: remove it ({waiver.owner})"
    if not any(map(waiver.names, selection.gates())):
        is_known = selection.is_whole(waiver.gate.partition("::")[0], config)
        return f"the waiver of {waiver.gate} is of no gate: there is no such test" if is_known else ""
    checks = {shown_check(row) for row in rows if waiver.names(row["gate"])}
    if not checks:
        return f"the waiver of {waiver.gate} is of no gate: the test promises nothing"
    there = ", ".join(sorted(checks))
    return (
        "" if "test" in checks else f"the waiver of {waiver.gate} is of no check: {waiver.check!r} is none of {there}"
    )
