"""Rows to text: pure functions, one file for each format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pytest_modelcheck.reports import html, json, markdown
from pytest_modelcheck.reports.run import Run

RENDERERS: Mapping[str, Callable[[Run], str]] = MappingProxyType(
    {".json": json.render, ".md": markdown.render, ".html": html.render}
)
