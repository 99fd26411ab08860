"""The samples that a model predicted wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pytest_modelcheck.reports.page.markup import Markup, element
from pytest_modelcheck.reports.page.texts import short

_SOURCE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]+=*")

# Pictures of this package are 64 pixels a side at most. A larger one of another package has no place on a page.
_LONGEST = 40_000
_MOST = 24


def pictures(evidence: Mapping[str, Any]) -> Markup:
    """The pictures of `wrong`, each with what it is and what it was taken for.

    >>> pictures({"wrong": [{"id": 1, "picture": "https://example.org/x.png"}]})
    ''
    """
    names = evidence.get("class_names")
    known = names if isinstance(names, Mapping) else {}
    shown = [_picture(item, known) for item in _items(evidence) if has_picture(item)][:_MOST]
    title = element("p", "Taken for something else", class_="title")
    return element("figure", title, element("div", *shown, class_="pictures"), class_="plot") if shown else Markup()


def has_picture(item: Any) -> bool:
    """Whether a wrong sample has a picture that can be shown: a PNG within the report, and nothing else."""
    source = item.get("picture") if isinstance(item, Mapping) else None
    return isinstance(source, str) and len(source) <= _LONGEST and _SOURCE.fullmatch(source) is not None


def _items(evidence: Mapping[str, Any]) -> list[Any]:
    wrong = evidence.get("wrong")
    return list(wrong) if isinstance(wrong, list | tuple) else []


def _picture(item: Mapping[str, Any], names: Mapping[str, Any]) -> Markup:
    target, predicted = (str(names.get(str(item.get(key)), item.get(key))) for key in ("target", "predicted"))
    told = short(f"sample {item.get('id')}: {target} taken for {predicted}", 200)
    return element("figure", element("img", src=item["picture"], alt=told), element("figcaption", told))
