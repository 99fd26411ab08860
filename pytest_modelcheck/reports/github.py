"""Workflow commands of GitHub Actions: annotations of gates that failed, and texts that are none."""

import os
import re
from pathlib import Path

from pytest_modelcheck.escape import printable, printable_lines
from pytest_modelcheck.reports.markup import cut
from pytest_modelcheck.reports.run import Row, Run, shown_check, shown_gate

# GitHub shows ten annotations of a kind for each step. The last one tells how many more there are.
_MOST = 9

_LONGEST_TITLE = 200
_LONGEST_MESSAGE = 4000

_FAILED = ("error", "failed")

# The runner skips blanks before a command, and compares as a language does that ignores what cannot be printed.
_START = re.compile(r"(^|[\r\n])([^\x21-\x7e\w\r\n]*):(?=[^\x20-\x7e\r\n]*:)")

# `##[error]`, `##vso[task.complete]`, `##teamcity[testFailed]`: anywhere in a line.
_HASHES = re.compile(r"(#[^\x20-\x7e\r\n]*#)(?=[^ \t\r\n\[\]#]*\[)")


def annotations(run: Run, root: Path, workspace: Path | None = None) -> list[str]:
    """A line for each gate that failed, worst first, which GitHub shows beside the line of its test.

    `root` is pytest's root folder, and `workspace` the folder of the repository; a file outside of it is not named.
    From the tenth gate on, one line says how many more there are.
    """
    gates: dict[str, list[Row]] = {}
    for row in run.sorted_rows:
        if row["outcome"] in _FAILED:
            gates.setdefault(row["gate"], []).append(row)
    lines = [_annotation(rows, root, workspace) for rows in list(gates.values())[:_MOST]]
    more = len(gates) - _MOST
    if more > 0:
        told = f"{more:,} more gates failed" if more > 1 else "1 more gate failed"
        lines.append(_command({"title": "modelcheck"}, f"{told}; the table at the end of the log has them all"))
    return lines


def defuse(line: str) -> str:
    r"""The text, with a space in what a log's reader would take for a command: GitHub's, Azure's or TeamCity's.

    >>> defuse("  ::error::no"), defuse("a ##[error]no"), defuse("a::b #[c]")
    ('  : :error::no', 'a ## [error]no', 'a::b #[c]')
    """
    return _HASHES.sub(r"\1 ", _START.sub(r"\1\2: ", line))


def _annotation(rows: list[Row], root: Path, workspace: Path | None) -> str:
    first = rows[0]
    file = _file(str(first.get("file", "")), root, workspace)
    line = str(first["line"]) if file and first.get("line") else ""
    checks = ", ".join(dict.fromkeys(map(shown_check, rows)))
    title = cut(printable(f"{shown_gate(first)}: {checks}"), _LONGEST_TITLE)
    message = "\n\n".join(dict.fromkeys(printable_lines(row["message"] or row["measured"]) for row in rows))
    return _command({"file": file, "line": line, "title": title}, cut(message, _LONGEST_MESSAGE))


def _file(file: str, root: Path, workspace: Path | None) -> str:
    """The file as GitHub knows it; empty where it is none of the workspace's."""
    if not file:
        return ""
    place = os.path.normpath(root / file)
    start = os.path.normpath(workspace or root)
    try:
        inside = Path(place).relative_to(start)
    except ValueError:
        return ""
    return printable(inside.as_posix())


def _command(properties: dict[str, str], message: str) -> str:
    shown = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::error {shown}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
