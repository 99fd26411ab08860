"""The JSON, Markdown and HTML reports."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from pytest_modelcheck.reports import PUBLISHERS, RENDERERS, rendered
from pytest_modelcheck.reports import html as html_report
from pytest_modelcheck.reports import json as json_report
from pytest_modelcheck.reports.run import Run
from pytest_modelcheck.result import Result

RESULTS = (
    Result(
        "failed",
        "at least 0.98 (98 of 100)",
        "0.9700 (97 of 100)",
        "accuracy of Net: 97 of 100\n  recall of class 3: 8 of 10",
        margin=-0.01,
        evidence={"seen": 100, "recalls": {"3": [8, 10]}, "layer": None, "full": True},
        check="accuracy",
        subject="Net",
        device="cpu",
        seconds=1.5,
        changes=("the grad mode was changed from True to False",),
    ),
    Result("passed", "total 15", "total 15", check="parameters", subject="Linear", seconds=0.25),
    Result("error", "min=0.5", "not measured", "accuracy of Net: not measured: no data", check="accuracy"),
)

ROWS = tuple({"gate": f"t.py::test_{index}", "part": "", **result.as_dict()} for index, result in enumerate(RESULTS))
RUN = Run(ROWS, 7, "cpu")


class Page(HTMLParser):
    """The elements of a page, its text, and the verdicts of its rows."""

    VOID = frozenset({"meta", "br", "input", "img"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append((self.open[-1], data))


def test_each_ending_has_its_renderer():
    assert list(RENDERERS) == ["metrics.json", ".json", ".md", ".html", ".txt"]
    assert list(PUBLISHERS) == ["model-index.yaml", ".yaml"]
    for name in ("r.json", "r.md", "r.html", "metrics.json", "r.metrics.json", "r.txt"):
        assert rendered(RUN, name) == next(render(RUN) for ending, render in RENDERERS.items() if name.endswith(ending))
    assert rendered(RUN, "r.json") == json_report.render(RUN) != rendered(RUN, "metrics.json")


def _refuse(name):
    raise AssertionError(f"{name} is not JSON")


def test_json_is_strict_and_sorted():
    text = json_report.render(RUN)
    content = json.loads(text, parse_constant=_refuse)
    assert text == json.dumps(content, indent=2, sort_keys=True) + "\n"
    assert {name: value for name, value in content.items() if name != "rows"} == {
        "schema_version": 1,
        "passed": False,
        "complete": True,
        "started": "",
        "seconds": 0.0,
        "environment": {},
        "baselines": [],
        "problems": [],
        "models": [],
        "seed": 7,
        "devices": "cpu",
    }


def test_json_gives_every_result_back():
    rows = json.loads(json_report.render(RUN))["rows"]
    assert [row["gate"] for row in rows] == ["t.py::test_2", "t.py::test_0", "t.py::test_1"]
    assert [Result.from_dict(row) for row in rows] == [RESULTS[2], RESULTS[0], RESULTS[1]]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_json_refuses_what_is_no_number(number):
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        json_report.render(Run(({**ROWS[0], "evidence": {"x": number}},), 0, "cpu"))


def test_html_is_well_formed_and_shows_all():
    page = Page(html_report.render(RUN))
    assert page.open == []
    assert [text for tag, text in page.texts if tag == "h1"] == ["modelcheck: 1 error, 1 failed, 1 passed"]
    cells = [text for tag, text in page.texts if tag == "td"]
    start = cells.index("error")
    assert cells[start : start + 4] == ["error", "accuracy", "min=0.5", "not measured"]
    assert [text for tag, text in page.texts if tag == "th" and text.startswith("test_")] == [
        "test_2",
        "test_0",
        "test_1",
    ]
    assert "-1.00 %" in cells
    assert [text for tag, text in page.texts if tag == "pre"] == [
        "accuracy of Net: not measured: no data",
        "accuracy of Net: 97 of 100\n  recall of class 3: 8 of 10",
        '{\n"full": true,\n"layer": null,\n"seen": 100\n}',
    ]
    assert ("li", "the grad mode was changed from True to False") in page.texts
    assert ("summary", "t.py \u00b7 Net") in page.texts


def test_html_of_an_incomplete_run():
    page = Page(html_report.render(Run(ROWS, 0, "cpu", complete=False)))
    assert ("p", "Incomplete: the run was cut short.") in page.texts


def test_html_of_no_row():
    assert ("h1", "modelcheck: no gate ran") in Page(html_report.render(Run((), 0, "cpu"))).texts
