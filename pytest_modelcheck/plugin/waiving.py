"""Where the waivers of a run are written down, and what is wrong with those that it did not need."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.escape import printable
from pytest_modelcheck.plugin.options import is_worker
from pytest_modelcheck.plugin.rows import Row
from pytest_modelcheck.plugin.selection import Selection
from pytest_modelcheck.reports.run import shown_check
from pytest_modelcheck.waivers import Waiver, Waivers, given_waiver, parse_waivers

# A device among the ids of a gate's parameters, which another run may have and this one has not.
_DEVICE = re.compile(r"\b(?:auto|cpu|cuda|mps)\b")

# What is kept, or is expected to be broken, needs no waiver.
_NEEDS_NONE = frozenset({"passed", "xfailed", "xpassed"})

_WAIVERS = pytest.StashKey[Waivers]()


def read_waivers(config: pytest.Config) -> None:
    """Read the waivers of `[tool.modelcheck.waivers]` in the rootdir's `pyproject.toml`, and of the command line."""
    try:
        texts = config.getoption("modelcheck_accept")
        _require_given(config, "--modelcheck-accept", texts)
        given = [given_waiver(text) for text in texts]
        every = [*_written(config.rootpath / "pyproject.toml"), *given]
    except ConfigError as error:
        raise pytest.UsageError(f"modelcheck: {printable(str(error))}") from None
    config.stash[_WAIVERS] = Waivers(every, datetime.datetime.now(datetime.timezone.utc).date())


def _require_given(config: pytest.Config, option: str, values: Sequence[str]) -> None:
    """Refuse an option that holds for one run and was written down for all of them, in addopts or the environment."""
    given = sum(argument.partition("=")[0] == option for argument in map(str, config.invocation_params.args))
    if len(values) > given and not is_worker(config):
        raise ConfigError(
            f"{option} holds for one run, and is given on its command line only: what is to hold for longer has an "
            "owner and a day, in [tool.modelcheck.waivers]"
        )


def waivers_of(config: pytest.Config, item: pytest.Item | None = None) -> Waivers:
    """The waivers of this run; none for a test that is expected to fail, which says by itself that it may."""
    waivers = config.stash[_WAIVERS]
    is_expected = item is not None and item.get_closest_marker("xfail") is not None
    return Waivers((), waivers.today) if is_expected else waivers


def _written(path: Path) -> list[Waiver]:
    if not path.is_file():
        return []
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # pytest brings it
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except RecursionError:
        raise ConfigError(f"{path} cannot be read: it is nested too deeply") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    table: Any = tool.get("modelcheck", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise ConfigError(f"tool.modelcheck is a table with the key waivers, not {table!r}")
    unknown = [key for key in table if key != "waivers"]
    if unknown:
        raise ConfigError(
            f"[tool.modelcheck] has no key {unknown[0]!r}: its key is waivers; options stand in pytest's own table"
        )
    return parse_waivers(table.get("waivers", {}))


def unneeded(waivers: Sequence[Waiver], rows: Sequence[Row], selection: Selection, config: pytest.Config) -> list[str]:
    """What is said, after a run that came to its end, of waivers that let nothing through: no gate of theirs is broken.

    Nothing is said of a gate that was not among the tests of the run, or was not measured.
    """
    bare = selection.bare()
    return [problem for waiver in waivers if (problem := _unneeded(waiver, rows, bare, selection, config))]


def _unneeded(
    waiver: Waiver, rows: Sequence[Row], bare: Mapping[str, str], selection: Selection, config: pytest.Config
) -> str:
    named = [row for row in rows if waiver.names(row["gate"]) or waiver.names(bare.get(row["gate"], ""))]
    outcomes = {row["outcome"] for row in named if waiver.check in ("", shown_check(row))}
    if "waived" in outcomes or not outcomes <= _NEEDS_NONE:
        return ""
    if outcomes:
        why = "the gate passes" if outcomes == {"passed"} else "the test is expected to fail (xfail)"
        return f"the waiver of {waiver.gate} is not needed any more, {why}: remove it ({waiver.owner})"
    if not any(map(waiver.names, (*bare, *bare.values()))):
        base, _, ids = waiver.gate.partition("[")
        elsewhere = _DEVICE.search(ids) and any(gate.partition("[")[0] == base for gate in bare.values())
        left_out = elsewhere or any(map(waiver.names, selection.deselected))
        known = not left_out and selection.is_whole(waiver.gate, config)
        return f"the waiver of {waiver.gate} is of no gate: there is no such test" if known else ""
    if not named:
        return f"the waiver of {waiver.gate} is of no gate: the test promises nothing"
    there = ", ".join(sorted({shown_check(row) for row in named}))
    # A test that failed, or was skipped, may not have come to the check.
    came = {row["outcome"] for row in named} <= {*_NEEDS_NONE, "waived"}
    return f"the waiver of {waiver.gate} is of no check: {waiver.check!r} is none of {there}" if came else ""
