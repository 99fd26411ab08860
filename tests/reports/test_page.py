"""The HTML page: what it says of a run, what it leaves out and says so, and that nothing but its own script runs."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from pages_of_runs import HOSTILE, PICTURE, many, row, whole_run

from pytest_modelcheck.errors import MissingDependency
from pytest_modelcheck.reports import html
from pytest_modelcheck.reports.page.budget import LARGEST
from pytest_modelcheck.reports.run import Run


class Page(HTMLParser):
    """The texts of a page by the element that they stand in, and all attributes."""

    VOID = frozenset({"meta", "input", "img"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def told(self, tag):
        return [text for name, text in self.texts if name == tag]


def page_of(*rows, **facts):
    return Page(html.render(Run(rows, facts.pop("seed", 0), facts.pop("devices", "auto"), **facts)))


VERDICTS = {
    "passed": ([row()], {}, "passed"),
    "failed": ([row(), row(outcome="failed", message="why")], {}, "failed"),
    "with a problem": ([row()], {"problems": ["a waiver is expired"]}, "failed"),
    "without a row": ([], {}, "failed"),
    "cut short": ([row()], {"complete": False}, "incomplete"),
    "cut short and failed": ([row(outcome="error", message="why")], {"complete": False}, "failed"),
}


@pytest.mark.parametrize(("rows", "facts", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict_stands_at_the_top_and_in_the_title(rows, facts, verdict):
    page = page_of(*rows, **facts)
    assert page.told("p")[0] == verdict
    assert page.told("title")[0].startswith(f"modelcheck {verdict}: ")


def test_the_header_has_the_facts_of_the_run():
    page = Page(html.render(whole_run()))
    assert dict(zip(page.told("dt"), [*page.told("dd"), None], strict=True)) == {
        "Promises": "10",
        "Device": "cpu,cuda:0",
        "Seed": "7",
        "Started": "2026-03-04T10:22:33Z",
        "Duration": "1 min 23 s",
        "Run it again": None,
    }
    assert page.told("code")[0] == "pytest --modelcheck --modelcheck-seed=7 --modelcheck-device=cpu,cuda:0"
    assert page.told("li")[0] == "the waiver of tests/test_old.py is expired"


def test_without_a_time_there_is_none():
    assert page_of(row()).told("dt") == ["Promises", "Device", "Seed", "Run it again"]


def test_early_verdicts_say_how_often_they_are_wrong():
    page = page_of(row(evidence={"early_stop": 1e-6}), row(evidence={"early_stop": 2e-6}))
    assert "2, any of them wrong with probability 3e-06 at most" in page.told("dd")


def test_the_environment_the_baselines_and_the_waivers_are_told():
    page = Page(html.render(whole_run()))
    cells = page.told("td")
    assert cells[cells.index("2.4.1+cpu") - 1] == "3.11.7"
    assert "tests/__modelcheck__/test_it.json: test_it::accuracy" in "".join(page.told("li"))
    assert '-   "correct": 9880\n+   "correct": 9888' in page.told("pre")
    assert cells[:3] == ["the head was widened", "vision team", "2026-12-31"]
    assert "the head was widened; owner vision team; until 2026-12-31" in "".join(page.told("p"))


def test_a_broken_gate_is_open_and_says_how_to_run_it_alone():
    text = html.render(Run([row(), row("tests/test_it.py::test_b[a b]", outcome="failed", message="why")], 0, "cpu"))
    assert text.count("<details open>") == 1
    assert "<code>pytest --modelcheck &#39;tests/test_it.py::test_b[a b]&#39;</code>" in text


def test_the_rows_come_worst_first():
    page = page_of(row("a.py::one"), row("a.py::two", margin=-0.5, outcome="failed", message="why"), row("a.py::three"))
    names = ["two", "one", "three"]
    assert [text for text in page.told("th") if text in names] == ["two", "one", "three"]


def test_evidence_of_other_packages_is_json_whatever_it_is():
    for evidence in ({"recalls": 5, "wrong": "x", "layers": None}, {"confused": [[1]], "largest": {"a": []}}, {}, []):
        page = page_of(row(evidence=evidence))
        for key in evidence:
            assert f'"{key}": ' in "".join(page.told("pre"))


def test_what_a_figure_shows_is_not_told_again():
    told = "".join(Page(html.render(whole_run())).told("pre"))
    assert '"seen": 10000' in told
    assert "recalls" not in told
    assert "base64" not in told


# ---- policy


def test_the_policy_allows_the_own_style_and_script_and_nothing_else():
    text = html.render(whole_run())
    [policy] = [value for tag, name, value in Page(text).attributes if tag == "meta" and value.startswith("default")]
    digests = [
        base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        for content in (re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1] for tag in ("style", "script"))
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_nothing_is_loaded_and_no_attribute_runs():
    page = Page(html.render(whole_run()))
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert not {"link", "iframe", "object", "embed", "base", "video", "audio"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in ("style", "srcset", "action", "formaction", "background", "ping")
        assert name != "src" or (tag == "img" and value == PICTURE)
        assert name != "href" or value.startswith("#")


def test_every_picture_has_its_words():
    text = html.render(whole_run())
    outer = re.findall(r"<svg [^>]*>", text)
    assert outer
    for tag in outer:
        assert 'aria-label="' in tag or re.fullmatch(r'<svg x="[^"]*" y="[^"]*" width="[^"]*" height="[^"]*">', tag)
    assert all('alt="sample ' in tag for tag in re.findall(r"<img [^>]*>", text))


SOURCES = [
    "https://example.org/x.png",
    "data:image/svg+xml;base64,AAAA",
    "data:image/png;base64,AAAA\n",
    'data:image/png;base64,AAAA" onerror="alert(1)',
    "javascript:alert(1)",
    "data:image/png;base64," + "A" * 50_000,
    5,
    None,
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: ascii(source)[:30])
def test_only_a_small_png_within_the_report_is_a_picture(source):
    wrong = [{"id": 1, "target": 1, "predicted": 2, "picture": source}]
    page = page_of(row(evidence={"wrong": wrong}))
    assert "img" not in page.tags
    assert '"wrong": [' in "".join(page.told("pre"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_texts_wherever_they_stand(text):
    hostile, harmless = (Page(html.render(whole_run(item))) for item in (text, "x"))
    assert sorted(hostile.tags) == sorted(harmless.tags)
    assert sorted(name for _, name, _ in hostile.attributes) == sorted(name for _, name, _ in harmless.attributes)
    assert all(line.isprintable() for line in html.render(whole_run(text)).split("\n"))


# ---- what has no room


def test_a_message_that_is_too_long_ends_with_a_notice():
    page = page_of(row(outcome="failed", message="x" * 30_000))
    assert "x… (10,000 more characters: see the JSON report)" in page.told("pre")[0]


def test_five_thousand_gates_take_less_than_five_megabytes():
    text = html.render(Run(many(5000), 0, "cpu"))
    assert len(text.encode()) < 5_000_000
    page = Page(text)
    assert len([value for _, name, value in page.attributes if name == "id" and re.fullmatch("g[0-9]+", value)]) == 5000
    [notice] = [text for text in page.told("p") if "left out" in text and "·" not in text]
    number = int(re.search("[0-9,]+", notice)[0].replace(",", ""))
    assert notice == (
        f"The figures of {number:,} gates are left out, from the passing end on, so that this page opens at once. "
        "The JSON report has all of it."
    )
    assert text.count("figures left out") == number
    assert 0 < number < 5000
    # From the passing end on: what fails has its figures, and what comes after the first gap has none.
    gates = text[: text.index('id="models"')]
    assert gates.index("figures left out") > gates.rindex('class="failed"')
    assert "<figure" not in gates[gates.index("figures left out") :]


def test_gates_beyond_that_are_all_listed_and_their_evidence_is_left_out():
    text = html.render(Run(many(9000), 0, "cpu"))
    assert len(text.encode()) < 5_000_000
    assert len(re.findall('<tbody id="g[0-9]+"', text)) == 9000
    number = int(re.search("The evidence of ([0-9,]+) gates is left out", text)[1].replace(",", ""))
    assert text.count("evidence left out") == number > 0


def test_thousands_of_long_messages_are_shortened_and_none_is_dropped():
    rows = [row(f"a.py::t{n}", outcome="failed", message=f"reason {n} " + "x" * 5000) for n in range(2000)]
    text = html.render(Run(rows, 0, "cpu"))
    assert len(text.encode()) < LARGEST
    assert len(re.findall("reason [0-9]+ x+… ", text)) == 2000


def test_a_small_run_leaves_nothing_out():
    assert "left out" not in html.render(whole_run())


# ---- packaging


def test_the_files_of_the_page_are_in_the_package():
    names = {item.name for item in resources.files("pytest_modelcheck.reports.page").joinpath("assets").iterdir()}
    assert names >= {"page.html", "gate.html", "style.css", "script.js"}


def test_the_extra_html_brings_what_the_page_needs():
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert '\nhtml = ["jinja2>=3.1"]\n' in project


def test_without_jinja2_the_page_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingDependency) as raised:
        html.render(Run((), 0, "cpu"))
    assert str(raised.value).startswith("writing the HTML report needs jinja2, which cannot be imported (")
    assert str(raised.value).endswith('pip install "pytest-modelcheck[html]"')


def test_reports_load_no_templates_before_a_page_is_asked_for():
    program = (
        "import sys, pytest_modelcheck.reports;"
        "print([name for name in ('jinja2', 'pytest_modelcheck.reports.page') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
