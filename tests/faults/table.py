"""The table of faults: its groups, and how they read as `FAULTS.md`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.faults.fault import Fault, Group
from tests.faults.rows import (
    baselines,
    checkpoints,
    data,
    files,
    folders,
    forward,
    hanging,
    metrics,
    models,
    names,
    network,
    numbers,
    packages,
    promises,
    secrets,
    sessions,
    texts,
    usage,
    world,
)

FILE = Path(__file__).parent / "FAULTS.md"


# In the order of the table.
GROUPS: tuple[Group, ...] = (
    forward.GROUP,
    world.GROUP,
    hanging.GROUP,
    numbers.GROUP,
    metrics.GROUP,
    models.GROUP,
    data.GROUP,
    baselines.GROUP,
    packages.GROUP,
    usage.GROUP,
    sessions.GROUP,
    checkpoints.CODE,
    checkpoints.LIES,
    folders.GROUP,
    names.GROUP,
    promises.GROUP,
    texts.GROUP,
    secrets.GROUP,
    files.DATA,
    files.SETTINGS,
    network.GROUP,
)

HEAD = """# What a gate survives, and what it refuses

Each row is one test: a session of pytest in a process of its own, with a gate on the broken subject and two tests after
it. It asserts the exit code, the outcome and the message of the gate's row (to the letter; `…` stands for what differs
from machine to machine), that no file of the project changed by a byte, that no connection was attempted, and that the
tests after it pass in a world as it was: grad mode, default dtype and device, random numbers, threads, autocast,
deterministic flags, train flags, hooks, weights.

This file is written by `python -m tests.faults`, and a test fails where it is stale.
"""


def rendered() -> str:
    """The table as Markdown."""
    faults = sum(len(group.rows) for group in GROUPS if not group.hostile)
    hostile = sum(len(group.rows) for group in GROUPS if group.hostile)
    parts = [HEAD, f"{faults} faults and {hostile} hostile inputs.\n"]
    return "\n".join([*parts, *("\n".join(_section(group)) for group in GROUPS)])


def _section(group: Group) -> Iterator[str]:
    yield f"## {group.title}\n"
    yield "| what is wrong | exit | the gate | what is said |\n|---|---|---|---|"
    for name, fault in group.rows.items():
        yield f"| {_cell(name)} | {int(fault.exit)} | {fault.outcome or 'did not run'} | {_said(fault)} |"
    yield ""


def _said(fault: Fault) -> str:
    lines = [line.strip() for line in fault.message.splitlines() if line.strip()]
    told = [*lines, *(f"changed and restored: {change}" for change in fault.changes)]
    return "<br>".join(f"`{_cell(line).replace('`', 'ˋ')}`" for line in told)


def _cell(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
    return shown.replace("|", "\\|")
