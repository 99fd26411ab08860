"""The page: templates filled in, with its style and its script, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from functools import cache
from importlib import resources
from types import ModuleType
from typing import Any

from pytest_modelcheck.errors import require
from pytest_modelcheck.reports.page.budget import Writer, fitted
from pytest_modelcheck.reports.page.evidence import plain, plots, rest
from pytest_modelcheck.reports.page.gates import Line
from pytest_modelcheck.reports.page.markup import Markup
from pytest_modelcheck.reports.page.overview import overview
from pytest_modelcheck.reports.run import Row, Run

_COLUMNS = ("verdict", "gate", "check", "promised", "measured", "margin", "device", "seconds")


def document(run: Run) -> str:
    """The whole page as text."""
    jinja2 = require("jinja2", "writing the HTML report")
    templates = _templates(jinja2)
    page, gate = templates.get_template("page.html"), templates.get_template("gate.html").module
    rows = run.sorted_rows
    style, script = _asset("style.css"), _asset("script.js")
    values = {
        "told": overview(run, rows),
        "columns": _COLUMNS,
        "style": Markup(style),
        "script": Markup(script),
        "policy": _policy(style, script),
    }

    def line(shown: Line) -> str:
        return str(gate.gate(shown, "", "evidence"))  # the longest that it becomes, but for its evidence

    def full(row: Row) -> str:
        return str(gate.evidence(plots(row), rest(row)))

    def without_figures(row: Row) -> str:
        return str(gate.evidence("", plain(row)))

    bare = page.render(gates=(), left_out={}, **values)
    shown = fitted(rows, len(bare.encode("utf-8")), Writer(line, full, without_figures))
    gates = [Markup(gate.gate(item.line, item.evidence, item.left_out)) for item in shown]
    left_out = Counter(item.left_out for item in shown if item.left_out)
    return str(page.render(gates=gates, left_out=left_out, **values))


@cache
def _templates(jinja2: ModuleType) -> Any:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("assets").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    """What a browser compares the content of an element with, before it takes it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
