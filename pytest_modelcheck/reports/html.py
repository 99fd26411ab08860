"""The report as one HTML page that needs no network."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from pytest_modelcheck.escape import printable, printable_lines
from pytest_modelcheck.reports.run import Row, Run, shown_check, shown_margin
from pytest_modelcheck.reports.sizes import sizes

_STYLE = """
:root { color-scheme: light dark; --bad: #b3261e; --good: #1b6e3c; --other: #8a5a00; --line: #8885; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --good: #7ddc9c; --other: #ffca6b; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.failed, .error { color: var(--bad); font-weight: 600; }
.passed { color: var(--good); }
.skipped, .xfailed, .xpassed { color: var(--other); }
.pictures { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: .5rem; }
figure { margin: 0; width: 7rem; font-size: .8em; }
figure img { width: 4rem; image-rendering: pixelated; display: block; }
pre { white-space: pre-wrap; margin: .3rem 0 0; font-size: .85em; color: CanvasText; font-weight: 400; }
"""


def render(run: Run) -> str:
    """A page with the table of all rows, worst first, and the message of each promise that is not kept."""
    title = f"modelcheck: {escape(run.totals() or 'no gate ran')}"
    note = "" if run.complete else "<p class='error'>Incomplete: the run was cut short.</p>"
    headings = ("verdict", "gate", "check", "promised", "measured", "margin", "device", "seconds")
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    body = "\n".join(map(_row, run.sorted_rows))
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>\n<h1>{title}</h1>{note}\n"
        f"<p>Device {_inert(run.devices)}, seed {run.seed}.</p>\n"
        f"{_sizes(run)}<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>\n</body>\n</html>\n"
    )


def _sizes(run: Run) -> str:
    """The models of the run, each with its largest layers."""
    items = (f"<li>{_inert(size.headline)}<pre>{_lines(size.bars)}</pre></li>" for size in sizes(run))
    listed = "".join(items)
    return f"<ul>{listed}</ul>\n" if listed else ""


def _lines(lines: list[str]) -> str:
    return escape("\n".join(map(printable, lines)))


def _row(row: Row) -> str:
    verdict = escape(row["outcome"])
    cells = [_inert(text) for text in (row["gate"], shown_check(row), row["promised"], row["measured"])]
    if row["outcome"] != "passed" and row["message"]:
        cells[-1] += f"<pre>{escape(printable_lines(row['message']))}</pre>"
    cells[-1] += _pictures(row)
    numbers = [_inert(shown_margin(row)), _inert(row["device"]), f"{row['seconds']:.2f}"]
    return (
        f'<tr><td class="{verdict}">{verdict}</td>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "".join(f'<td class="number">{cell}</td>' for cell in numbers)
        + "</tr>"
    )


def _pictures(row: Row) -> str:
    """The samples that were predicted wrong, where the row shows some; other packages' evidence may be anything."""
    evidence = row["evidence"] if isinstance(row["evidence"], dict) else {}
    wrong, names = evidence.get("wrong"), evidence.get("class_names")
    items = [item for item in wrong if isinstance(item, dict)] if isinstance(wrong, list) else []
    shown = [_picture(item, names if isinstance(names, dict) else {}) for item in items]
    return f'<div class="pictures">{"".join(shown)}</div>' if any(shown) else ""


def _picture(item: dict[str, Any], names: dict[str, Any]) -> str:
    source = str(item.get("picture", ""))
    if not re.fullmatch(r"data:image/png;base64,[A-Za-z0-9+/]+=*", source):
        return ""
    target, predicted = (str(names.get(str(item.get(key)), item.get(key))) for key in ("target", "predicted"))
    told = _inert(f"sample {item.get('id')}: {target} taken for {predicted}")
    return f'<figure><img src="{source}" alt="{told}"><figcaption>{told}</figcaption></figure>'


def _inert(text: str) -> str:
    return escape(printable(text))
