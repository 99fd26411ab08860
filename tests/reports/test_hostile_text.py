"""Foreign text is inert in the table and in every report, and in a run's own output."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_modelcheck.escape import printable, printable_lines
from pytest_modelcheck.plugin.rows import plain
from pytest_modelcheck.reports import RENDERERS, terminal
from pytest_modelcheck.reports.run import Run

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "html": "</td></table><img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" \' x=\'',
    "entity": "&lt;script&gt; &amp; &#60;",
    "markdown": "| a | **b** [c](http://d) `e` ![f](g) # h\n\n# heading\n- item\n> quote\n```\ncode",
    "table": "a | b\n|---|---|",
    "ansi": "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b31m",
    "cursor": "over\rwritten\x08\x08\x0b\x0c",
    "bidi": "user\u202enimda\u2066\u2069\u200f\u061c",
    "invisible": "zero\u200bwidth\u00ad\ufeff",
    "lines": "one\u2028two\u2029three\x85four",
    "workflow": "\n::error::pwned\n  ::set-output name=x::y\n##[error]no",
    "xml": "\x00\x01\x0b\ufffe\uffff]]>",
    "surrogates": "\ud800 lone \udfff",
    "long": "x" * 100_000,
    "spaces": "  \t \n ",
    "empty": "",
}

MARKDOWN = MarkdownIt("gfm-like")

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

FOREIGN = st.text(max_size=60) | st.text(
    alphabet="|`*_[]()<>&\"'#\\-:!\n\r\t\x1b\x00\x9b\u202e\u2066\u2028\ud800\udfff@$~{}a ", max_size=60
)


def _row(text, outcome="failed"):
    row = {
        "gate": f"test_it.py::test[{text}]",
        "check": "small",
        "part": "",
        "subject": text,
        "outcome": outcome,
        "promised": text,
        "measured": text,
        "margin": None,
        "message": text,
        "evidence": {"text": text, text: 1},
        "device": "cpu",
        "seconds": 0.0,
        "changes": [text],
    }
    return plain(row)


class Page(HTMLParser):
    """What a browser would make elements and attributes of."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, sorted(name for name, _ in attrs)))

    def handle_comment(self, data):
        self.elements.append(("comment", []))

    def handle_pi(self, data):
        self.elements.append(("pi", []))


def _inert_everywhere(text, outcome="failed"):
    row, blank = _row(text, outcome), _row("x", outcome)
    run, harmless = Run((row,), 0, "cpu"), Run((blank,), 0, "cpu")
    reports = {name: renderer(run) for name, renderer in RENDERERS.items()}
    for report in reports.values():
        report.encode("utf-8")
    for name in (".md", ".html"):
        assert not UNSAFE.search(reports[name])
    _inert_in_json(reports[".json"], row)
    _inert_in_markdown(reports[".md"], RENDERERS[".md"](harmless), row)
    _inert_in_html(reports[".html"], RENDERERS[".html"](harmless), outcome, row)
    _inert_in_table(run)


def _inert_in_json(report, row):
    assert json.loads(report)["rows"] == [row]
    assert report.isascii()


def _inert_in_markdown(report, plain, row):
    # The same blocks as with a harmless text, and what is left of the message is code.
    blocks = [token for token in MARKDOWN.parse(report) if token.type == "code_block"]
    message = [printable(line) for line in row["message"].split("\n")]
    if any(line.strip() for line in message):
        shape = [token.type for token in MARKDOWN.parse(report)]
        assert shape == [token.type for token in MARKDOWN.parse(plain)]
    else:
        assert blocks == []
    if blocks and len(row["message"]) < 3000:
        assert blocks[0].content.strip() == "\n".join(line if line.strip() else "" for line in message).strip()


def _inert_in_html(report, plain, outcome, row):
    elements = Page(report).elements
    if not row["message"]:
        elements.append(("pre", ["class"]))
    if outcome != "skipped" and "Run it alone" not in report:  # a name that cannot be typed
        assert printable(row["gate"]) != row["gate"] or len(row["gate"]) > 300
        elements += [("p", []), ("b", []), ("code", [])]
    assert sorted(elements) == sorted(Page(plain).elements)


def _inert_in_table(run):
    for width in (60, 80, 200):
        for line in terminal.render(run, width=width):
            assert not UNSAFE.search(line.text)
            assert "\n" not in line.text
            assert not re.match(r"\s*::", line.text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("outcome", ["failed", "error", "skipped"])
def test_a_hostile_text_is_inert(text, outcome):
    _inert_everywhere(text, outcome)


@given(FOREIGN)
def test_any_text_is_inert(text):
    _inert_everywhere(text)


@given(FOREIGN)
def test_a_printable_text_is_printable_and_on_one_line(text):
    assert not [item for item in printable(text) if item != " " and not item.isprintable()]


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"], include_characters=" ")))
def test_what_is_printable_is_not_touched(text):
    assert printable(text) == text
    assert printable_lines(f"{text}\n{text}") == f"{text}\n{text}"


CONFTEST = '''
import pytest
from pytest_modelcheck import Result, check

HOSTILE = {hostile!r}

@check
def hostile(number, /, *, text: str) -> Result:
    """The text does no harm."""
    if text in ("surrogates", "workflow", "ansi"):
        raise ValueError(HOSTILE[text])
    return Result("failed", HOSTILE[text], HOSTILE[text], HOSTILE[text] or "empty", evidence={{"x": HOSTILE[text]}})

def pytest_modelcheck_checks(config):
    return [hostile]

def pytest_make_parametrize_id(config, val):
    return HOSTILE.get(val)

@pytest.fixture
def number():
    return type("<b>\\u202e\\x1b[31m", (), {{}})()
'''

GATES = """
import pytest
from conftest import HOSTILE

@pytest.mark.parametrize("name", list(HOSTILE))
@pytest.mark.modelcheck
def test_id(name): ...

{markers}
"""


def test_a_run_with_hostile_texts_does_no_harm(pytester, processes):
    # NUL ends an environment variable of pytest's own, and xdist takes no lone surrogate in a test id.
    texts = {name: text[:500] for name, text in HOSTILE.items()}
    ids = {name: text for name, text in texts.items() if name not in ("xml", "surrogates", "empty", "spaces")}
    markers = "\n".join(f"@pytest.mark.modelcheck_hostile(text={name!r})\ndef test_{name}(): ...\n" for name in texts)
    pytester.makeconftest(CONFTEST.format(hostile=texts))
    pytester.makepyfile(test_it=GATES.format(markers=markers).replace("list(HOSTILE)", repr(list(ids))))
    names = ("r.json", "r.md", "r.html")
    result = pytester.runpytest_inprocess(
        "--modelcheck", "--junitxml=junit.xml", processes, *(f"--modelcheck-report={name}" for name in names)
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=len(ids), failed=len(texts))
    rows = json.loads((pytester.path / "r.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == len(ids) + len(texts)
    for name in ("r.md", "r.html"):
        assert not UNSAFE.search((pytester.path / name).read_text(encoding="utf-8"))
    assert ElementTree.parse(pytester.path / "junit.xml").getroot().tag == "testsuites"  # noqa: S314
    start = max(index for index, line in enumerate(result.outlines) if line.strip("=") == " modelcheck ")
    shown = "\n".join(result.outlines[start:])
    table = shown[: shown.index("run the failed gates again")]
    assert not UNSAFE.search(table.replace("\t", ""))


def test_a_broken_marker_prints_no_foreign_escape_and_no_command(pytester):
    pytester.makeconftest(CONFTEST.format(hostile=HOSTILE))
    pytester.makepyfile(
        test_it="".join(
            f"import pytest\n@pytest.mark.modelcheck_hostile(text={name!r})\ndef test_{name}(): ...\n"
            for name in ("ansi", "cursor", "bidi", "workflow", "script", "markdown")
        )
    )
    result = pytester.runpytest_inprocess("--modelcheck", "--tb=short")
    result.assert_outcomes(failed=6)
    text = result.stdout.str()
    assert not UNSAFE.search(text)
    assert "E   ::error::pwned" in result.stdout.lines
    assert not [line for line in result.stdout.lines if line.strip().startswith("::")]


def test_a_broken_assert_form_prints_no_foreign_escape(pytester):
    pytester.makeconftest(CONFTEST.format(hostile=HOSTILE))
    pytester.makepyfile(
        test_it="""
        import pytest
        from conftest import HOSTILE, hostile

        @pytest.mark.modelcheck
        @pytest.mark.parametrize("name", range(3))
        def test_it(name):
            hostile.assert_form(1, text=["ansi", "cursor", "bidi"][name])
        """
    )
    result = pytester.runpytest_inprocess("--modelcheck", "--tb=line")
    result.assert_outcomes(failed=3)
    assert not UNSAFE.search(result.stdout.str())


def test_a_lone_surrogate_in_a_message_does_not_end_a_process_of_xdist(pytester):
    pytester.makeconftest(CONFTEST.format(hostile={"surrogates": HOSTILE["surrogates"]}))
    pytester.makepyfile(
        test_it="""
        import pytest
        from conftest import hostile

        @pytest.mark.modelcheck_hostile(text="surrogates")
        def test_marker(): ...

        @pytest.mark.modelcheck
        def test_assert():
            hostile.assert_form(1, text="surrogates")
        """
    )
    result = pytester.runpytest_inprocess("--modelcheck", "-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=2)
