"""The evidence of a row: what of it is a picture, and the rest as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_modelcheck.reports.page.markup import Markup, joined
from pytest_modelcheck.reports.page.plots.confusion import confusion
from pytest_modelcheck.reports.page.plots.number import number
from pytest_modelcheck.reports.page.plots.pictures import has_picture, pictures
from pytest_modelcheck.reports.page.plots.recalls import recalls
from pytest_modelcheck.reports.page.plots.treemap import treemap
from pytest_modelcheck.reports.page.texts import as_json
from pytest_modelcheck.reports.run import Row, Run
from pytest_modelcheck.reports.sizes import sizes

# How much is shown of what is no picture.
_MOST = 20_000
_MOST_PLAIN = 600

_FIGURES = frozenset({"recalls", "confusion", "confused", "wrong", "largest"})


def plots(row: Row) -> Markup:
    """All figures of a row."""
    return joined(number(row.get("number"), row.get("history")), *_drawn(evidence_of(row)).values())


def plain(row: Row) -> str:
    """All of the evidence as JSON, where there is no room for figures, without the pictures in it."""
    left = {str(key): value for key, value in evidence_of(row).items()}
    wrong = left.get("wrong")
    if isinstance(wrong, list | tuple):
        left["wrong"] = [_without_picture(item) for item in wrong]
    return as_json(left, _MOST_PLAIN) if left else ""


def rest(row: Row) -> str:
    """As JSON, what no figure shows; `""` where nothing is left."""
    evidence = evidence_of(row)
    drawn = _drawn(evidence)
    left = {str(key): value for key, value in evidence.items() if key not in _shown_by(drawn)}
    if drawn["pictures"]:
        others = [item for item in evidence["wrong"] if not has_picture(item)]
        left.update({"wrong": others} if others else {})
    return as_json(left, _MOST) if left else ""


def has_evidence(row: Row) -> bool:
    """Whether there is anything to show beside the row's own line."""
    return bool(evidence_of(row)) or isinstance(row.get("number"), dict)


def may_have_figures(row: Row) -> bool:
    """Whether a figure is made of the row, as far as that is seen without making it."""
    return isinstance(row.get("number"), dict) or not _FIGURES.isdisjoint(evidence_of(row))


def evidence_of(row: Row) -> Mapping[str, Any]:
    """The evidence, empty where another package gave what is no mapping."""
    told = row.get("evidence")
    return told if isinstance(told, Mapping) else {}


def _without_picture(item: Any) -> Any:
    return {key: value for key, value in item.items() if key != "picture"} if isinstance(item, Mapping) else item


def _drawn(evidence: Mapping[str, Any]) -> dict[str, Markup]:
    found = sizes(Run([{"evidence": evidence}], 0, ""))
    return {
        "recalls": recalls(evidence),
        "confusion": confusion(evidence),
        "pictures": pictures(evidence),
        "treemap": treemap(found[0]) if found else Markup(),
    }


def _shown_by(drawn: Mapping[str, Markup]) -> set[str]:
    shows = {
        "recalls": ("recalls", "bounds", "class_names"),
        "confusion": ("confusion", "confused"),
        "pictures": ("wrong",),
        "treemap": ("largest",),
    }
    return {key for name, keys in shows.items() if drawn[name] for key in keys}
