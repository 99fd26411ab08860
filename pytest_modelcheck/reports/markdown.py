"""The report as Markdown, for a pull request or a job summary."""

from __future__ import annotations

import re

from pytest_modelcheck.escape import printable, printable_lines
from pytest_modelcheck.reports.run import Run, shown_check, shown_margin
from pytest_modelcheck.reports.sizes import sizes

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&@:$-])")


def render(run: Run) -> str:
    """A table of all rows, worst first, and the message of each promise that is not kept."""
    lines = [
        f"## modelcheck: {run.totals() or 'no gate ran'}",
        "",
        *([] if run.complete else ["**Incomplete: the run was cut short.**", ""]),
        "| verdict | gate | check | promised | measured | margin | device |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in run.sorted_rows:
        cells = (
            row["outcome"],
            row["gate"],
            shown_check(row),
            row["promised"],
            row["measured"],
            shown_margin(row),
            row["device"],
        )
        lines.append("| " + " | ".join(map(_inert, cells)) + " |")
    for row in run.sorted_rows:
        if row["outcome"] in ("failed", "error"):
            lines += ["", f"### {_inert(row['gate'])}", "", *_quoted(row["message"])]
    for size in sizes(run):
        lines += ["", _inert(size.headline), "", *_quoted("\n".join(map(printable, size.bars)))]
    lines += ["", f"Device {_inert(run.devices)}, seed {run.seed}."]
    return "\n".join(lines) + "\n"


def _inert(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", printable(text))


def _quoted(text: str) -> list[str]:
    """An indented code block: nothing in it is markup, and nothing can end it but a line that is not indented."""
    return [f"    {line}" for line in printable_lines(text).split("\n")]
