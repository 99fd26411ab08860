"""Rows to text: pure functions, one file for each format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pytest_modelcheck.reports import flat, html, huggingface, json, markdown, openmetrics
from pytest_modelcheck.reports.run import Run

# By the ending of a file's name; the first that fits decides.
RENDERERS: Mapping[str, Callable[[Run], str]] = MappingProxyType(
    {
        "metrics.json": flat.render,
        ".json": json.render,
        ".md": markdown.render,
        ".html": html.render,
        ".txt": openmetrics.render,
    }
)

# What the Hugging Face Hub publishes, of runs that passed alone.
PUBLISHERS: Mapping[str, Callable[[Run], str]] = MappingProxyType(
    {"model-index.yaml": huggingface.model_index, ".yaml": huggingface.eval_results}
)


def rendered(run: Run, name: str) -> str:
    """The report of a run in the format that a file of this name has.

    Raises `ModelCheckError` where the run has nothing to publish.
    """
    every = {**RENDERERS, **PUBLISHERS}.items()
    return next(render for ending, render in every if f".{name}".endswith(f".{ending.removeprefix('.')}"))(run)
