"""The reports of a session, in every format, and what must not stand in them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

from tests.faults.fault import Session

FORMATS = ("report.json", "report.md", "report.html", "report.txt", "metrics.json", "junit.xml", "summary.md")

ALL_REPORTS = (*(f"--modelcheck-report={name}" for name in FORMATS[1:5]), "--junitxml=junit.xml")

# What moves a cursor, turns a text round or cannot be seen.
_UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def texts_of(session: Session) -> dict[str, str]:
    """What a session wrote, by the name of its file; each of its reports is there."""
    names = [name for name in FORMATS if (session.root / name).exists()]
    assert names[: len(FORMATS) - 1] == [*FORMATS[:-1]]  # a step has a summary only under GitHub Actions
    return {**{name: (session.root / name).read_text(encoding="utf-8") for name in names}, "output": session.output}


def tells_nowhere(session: Session, *secrets: str) -> None:
    """Assert that no report and no line of the terminal has one of these texts."""
    for name, text in texts_of(session).items():
        assert text, name
        for secret in secrets:
            assert secret not in text, f"{secret} in {name}"


def inert(session: Session, *, is_all_ours: bool = True) -> None:
    """Assert that foreign text does nothing where it is shown; pytest's own lines are looked at where they escape."""
    texts = texts_of(session)
    lines = texts["output"].split("\n")
    if not is_all_ours:
        start = max(index for index, line in enumerate(lines) if line.strip("=") == " modelcheck ")
        end = min(index for index, line in enumerate(lines) if line.startswith("run the failed gates again"))
        lines = lines[start:end]
    _inert_in_log(lines)
    for name in ("report.md", "report.html", "summary.md"):
        assert not _UNSAFE.search(texts[name]), name
    assert len(texts["summary.md"].encode()) < 1 << 20
    for name in ("report.md", "summary.md"):
        _inert_in_markdown(texts[name])
    _inert_in_html(texts["report.html"])
    _inert_in_metrics(texts["report.txt"])
    assert texts["report.json"].isascii()
    assert all(isinstance(value, int | float) for value in _leaves(json.loads(texts["metrics.json"])))
    assert ElementTree.fromstring(texts["junit.xml"]).tag == "testsuites"  # noqa: S314


def _inert_in_log(lines: list[str]) -> None:
    for line in lines:
        assert not _UNSAFE.search(line), repr(line)
        # Pytest names a test as its id is, and what stands behind a command is none.
        assert "##[" not in line or line.startswith(("::error ", "___", "FAILED ")), line
        # The commands that annotate: what is foreign in their properties ends none of them.
        assert re.match(r"\s*::(?!error (?:(?:file|line|title)=[^:,]+,?)+::)", line) is None, line


def _inert_in_markdown(text: str) -> None:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("gfm-like").parse(text)
    for token in [*tokens, *(child for parent in tokens for child in parent.children or ())]:
        assert token.type not in ("image", "link_open") or "evil" not in str(token.attrs), token
        assert not token.type.startswith("html") or "evil" not in token.content, token
    for opened, inside in pairwise(tokens):
        plain = [child.content for child in inside.children or () if child.type != "code_inline"]
        assert opened.type != "heading_open" or "evil" not in "".join(plain), inside
    rows = [token for token in tokens if token.type == "tr_open"]
    assert rows


class _Page(HTMLParser):
    """The elements of a page, with their attributes and what stands in scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_script = tag == "script"
        self.found += [tag, *(name for name, _ in attrs if name.startswith("on"))]

    def handle_endtag(self, tag: str) -> None:
        self._is_script = False

    def handle_data(self, data: str) -> None:
        if self._is_script and data.strip().startswith("evil"):
            self.found.append("evil")

    def handle_comment(self, data: str) -> None:
        self.found.append(data.strip())


def _inert_in_html(text: str) -> None:
    page = _Page()
    page.feed(text)
    page.close()
    assert "table" in page.found
    assert [item for item in page.found if item.startswith(("on", "img", "x-")) or "evil" in item] == []


def _inert_in_metrics(text: str) -> None:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    names = [family.name for family in text_string_to_metric_families(text)]
    assert names
    assert [name for name in names if not name.startswith("modelcheck")] == []


def _leaves(value: object) -> list[object]:
    return [leaf for item in value.values() for leaf in _leaves(item)] if isinstance(value, dict) else [value]
