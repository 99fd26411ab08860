"""The models of a run and what they weigh: once each, in every report, whatever a row's evidence is."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
import torch.utils.flop_counter  # noqa: F401  (a session inside of a test forgets what it loads itself)
from hypothesis import given, settings
from hypothesis import strategies as st

import pytest_modelcheck.checks.summary  # noqa: F401
from pytest_modelcheck.plugin.rows import plain
from pytest_modelcheck.reports import RENDERERS, terminal
from pytest_modelcheck.reports.run import Run
from pytest_modelcheck.reports.sizes import Size, sizes

DIGITS = {
    "model": "DigitClassifier",
    "total": 53_994,
    "trainable": 53_994,
    "dtypes": {"float32": 53_994},
    "bytes": 215_976,
    "largest": [["net.2", 51_264], ["net.7", 2080], ["net.9", 330], ["net.0", 320]],
}
HEADLINE = "DigitClassifier: 53,994 parameters, 100.0 % trainable, 0.216 MB (float32)"
BARS = [
    "net.2  51,264  ###################-  94.9 %",
    "net.7   2,080  #-------------------  3.9 %",
    "net.9     330  --------------------  0.6 %",
]


def row(evidence, gate="test_it.py::test_it", check="parameters", outcome="passed"):
    return plain(
        {
            "gate": gate,
            "check": check,
            "part": "",
            "subject": "Net",
            "outcome": outcome,
            "promised": "total 1",
            "measured": "total 1",
            "margin": None,
            "message": "",
            "evidence": evidence,
            "device": "cpu",
            "seconds": 0.0,
            "changes": [],
        }
    )


def run_of(*evidence):
    return Run([row(item) for item in evidence], 0, "cpu")


def without(name):
    return {key: value for key, value in DIGITS.items() if key != name}


def lines_of(run, width=80, quiet=False):
    return [line.text for line in terminal.render(run, width=width, quiet=quiet)]


def test_a_model_is_told_once_and_in_the_order_of_the_rows():
    other = {**DIGITS, "model": "Other"}
    found = sizes(run_of(other, DIGITS, {"total": 5}, {**DIGITS, "layers": {}, "more": 1}, other))
    assert [size.model for size in found] == ["Other", "DigitClassifier"]


def test_models_of_one_class_that_differ_are_told_apart():
    assert len(sizes(run_of(DIGITS, {**DIGITS, "trainable": 0}, {**DIGITS, "total": 53_995}))) == 3


def test_headline_and_bars_of_the_reference_model():
    (size,) = sizes(run_of(DIGITS))
    assert (size.headline, size.bars) == (HEADLINE, BARS)


HEADLINES = {
    "Big: 70,553,706,496 parameters, 100.0 % trainable, 141,107.413 MB (bfloat16)": Size(
        "Big", 70_553_706_496, 70_553_706_496, (("bfloat16", 70_553_706_496),), 141_107_412_992, ()
    ),
    "Net: 300 parameters, 33.3 % trainable, 0.001 MB (float32 66.7 %, float16 33.3 %)": Size(
        "Net", 300, 100, (("float32", 200), ("float16", 100)), 1000, ()
    ),
    "Nothing: 0 parameters, 0.0 % trainable, 0.000 MB": Size("Nothing", 0, 0, (), 0, ()),
}


@pytest.mark.parametrize(("headline", "size"), HEADLINES.items())
def test_headlines(headline, size):
    assert size.headline == headline


def test_bars_of_layers_that_hold_everything_and_nothing():
    size = Size("Net", 1000, 0, (), 0, (("encoder.layer", 1000), ("x", 25), ("y", 24)))
    assert size.bars == [
        "encoder.layer  1,000  ####################  100.0 %",
        "x                 25  --------------------  2.5 %",
        "y                 24  --------------------  2.4 %",
    ]
    assert Size("Net", 0, 0, (), 0, (("a", 0),)).bars == ["a  0  --------------------  0.0 %"]


FOREIGN = {
    "empty": {},
    "none": None,
    "text": "DigitClassifier",
    "a list": [["model", "Net"]],
    "a number": 5,
    **{f"no {name}": without(name) for name in DIGITS},
    **{f"{name} is none": {**DIGITS, name: None} for name in DIGITS if name != "model"},
    **{f"{name} is text": {**DIGITS, name: "many"} for name in DIGITS if name != "model"},
    **{f"{name} is nan": {**DIGITS, name: float("nan")} for name in ("total", "trainable", "bytes", "largest")},
    **{f"{name} is infinite": {**DIGITS, name: float("inf")} for name in ("total", "trainable", "bytes")},
    **{f"{name} is negative": {**DIGITS, name: -1} for name in ("total", "trainable", "bytes")},
    "dtypes are a list": {**DIGITS, "dtypes": [["float32", 1]]},
    "dtypes are texts": {**DIGITS, "dtypes": {"float32": "all"}},
    "layers are numbers": {**DIGITS, "largest": [1, 2]},
    "layers are too long": {**DIGITS, "largest": [["a", 1, 2]]},
    "layers are nan": {**DIGITS, "largest": [["a", float("nan")]]},
}


@pytest.mark.parametrize("evidence", FOREIGN.values(), ids=FOREIGN)
def test_rows_that_tell_of_no_size_are_left_out(evidence):
    run = run_of(evidence, DIGITS)
    assert [size.headline for size in sizes(run)] == [HEADLINE]
    assert sizes(run_of(evidence)) == []
    everywhere(run)


ODD = {
    "more trainable than there are": {**DIGITS, "trainable": 10**6, "total": 1},
    "a layer of more than all": {**DIGITS, "largest": [["a", 10**5]], "total": 1},
    "a layer of less than nothing": {**DIGITS, "largest": [["a", -(10**5)]], "total": 1},
    "a dtype of more than all": {**DIGITS, "dtypes": {"a": 10**9, "b": -5}, "total": 1},
    **{f"huge {name}": {**DIGITS, name: 10**400} for name in ("total", "trainable", "bytes")},
    "all are huge": {**DIGITS, "total": 10**400, "trainable": 10**400, "bytes": 10**400},
    "a huge layer": {**DIGITS, "largest": [["a", 10**400]]},
    "a huge dtype": {**DIGITS, "dtypes": {"a": 10**400, "b": 1}},
    "many dtypes": {**DIGITS, "dtypes": {f"kind{number}": number for number in range(500)}},
    "a long name": {**DIGITS, "model": "m" * 10_000, "largest": [["l" * 10_000, 5]]},
    "fractions": {**DIGITS, "total": 1.5, "largest": [["a", 0.5]]},
    "texts that are numbers": {**DIGITS, "total": "5", "trainable": " 4 "},
}


def everywhere(run):
    """Every report of a run, of which none is larger than what is in it."""
    reports = {name: renderer(run) for name, renderer in RENDERERS.items()}
    for width in (60, 200):
        lines = lines_of(run, width)
        added = lines[len(lines_of(run, width, quiet=True)) :]
        assert all(len(line) <= width for line in added)
    for size in sizes(run):
        assert all(len(bar) < 200 + 2 * len(str(size)) for bar in size.bars)
    return reports


@pytest.mark.parametrize("evidence", ODD.values(), ids=ODD)
def test_sizes_that_make_no_sense_break_no_report(evidence):
    everywhere(run_of(evidence, DIGITS))


NUMBERS = st.integers(-(10**6), 10**6) | st.floats() | st.none() | st.text(max_size=3) | st.booleans()
PAIRS = st.lists(st.tuples(st.text(max_size=5), NUMBERS), max_size=4)
EVIDENCE = st.fixed_dictionaries(
    {"model": st.text(max_size=8) | st.none()},
    optional={
        "total": NUMBERS,
        "trainable": NUMBERS,
        "bytes": NUMBERS,
        "dtypes": st.dictionaries(st.text(max_size=5), NUMBERS, max_size=3) | NUMBERS,
        "largest": PAIRS | NUMBERS,
    },
)
LIKELY = EVIDENCE.map(lambda drawn: {**DIGITS, **drawn})


@settings(max_examples=150, deadline=None)
@given(st.lists(EVIDENCE | LIKELY, max_size=3))
def test_no_evidence_breaks_a_report(evidence):
    everywhere(run_of(*evidence))


def test_the_table_in_a_terminal():
    lines = lines_of(run_of(DIGITS, DIGITS), width=200)
    assert lines[-4:] == [HEADLINE, *(f"  {bar}" for bar in BARS)]


def test_a_narrow_terminal_cuts_lines_at_their_end():
    lines = lines_of(run_of(DIGITS), width=60)
    assert lines[-4:] == [
        "DigitClassifier: 53,994 parameters, 100.0 % trainable, 0.2..",
        *(f"  {bar}" for bar in BARS),
    ]


@pytest.mark.parametrize("width", [60, 200])
def test_a_quiet_terminal_tells_no_sizes(width):
    lines = lines_of(run_of(DIGITS), width=width, quiet=True)
    assert not any("DigitClassifier" in line or "net.2" in line for line in lines)


def test_markdown():
    report = RENDERERS[".md"](run_of(DIGITS))
    block = "\n".join(f"    {bar}" for bar in BARS)
    assert f"\n\n`{HEADLINE}`\n\n{block}\n\nDevice cpu, seed 0.\n" in report


def test_html():
    report = RENDERERS[".html"](run_of(DIGITS, DIGITS))
    assert report.count(f"<summary>{HEADLINE}</summary>") == 1
    assert '<th scope="row">net.2</th><td>51,264</td><td>94.9 %</td>' in report
    assert "Models</h2>" not in RENDERERS[".html"](run_of({}))


def test_json():
    report = json.loads(RENDERERS[".json"](run_of(DIGITS, DIGITS)))
    pairs = {"dtypes": [["float32", 53_994]], "largest": DIGITS["largest"]}
    assert report["models"] == [{**DIGITS, **pairs}]
    assert json.loads(RENDERERS[".json"](run_of({})))["models"] == []


HOSTILE = [
    "<script>alert(1)</script>",
    "</pre></li></ul><img src=x onerror=alert(1)>",
    "\x1b[31mred\x1b[0m\x07",
    "user\u202enimda\u2066",
    "a\n\n# heading | **b** [c](http://d)",
    "one\u2028two\x85three",
    "\ud800",
]


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, sorted(name for name, _ in attrs)))


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names_are_inert_everywhere(name):
    evidence = {**DIGITS, "model": name, "dtypes": {name: 53_994}, "largest": [[name, 51_264], ["b", 1]]}
    harmless = {**DIGITS, "model": "x", "dtypes": {"x": 53_994}, "largest": [["x", 51_264], ["b", 1]]}
    run, plain_run = run_of(evidence), run_of(harmless)
    assert Page(RENDERERS[".html"](run)).elements == Page(RENDERERS[".html"](plain_run)).elements
    markdown = RENDERERS[".md"](run)
    assert len(markdown.split("\n")) == len(RENDERERS[".md"](plain_run).split("\n"))
    lines = [line for width in (60, 200) for line in lines_of(run, width)]
    for text in (*lines, *markdown.split("\n"), *RENDERERS[".html"](run).split("\n")):
        assert text.isprintable()
    json.loads(RENDERERS[".json"](run))


GATES = """
    import pytest
    from torch import nn

    @pytest.fixture
    def model():
        return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2).requires_grad_(False))

    @pytest.mark.modelcheck_parameters(total={total})
    def test_total(): ...

    @pytest.mark.modelcheck_summary(inputs=[2, 4])
    def test_table(): ...
"""
LINES = [
    "Sequential: 23 parameters, 65.2 % trainable, 0.000 MB (float32)",
    "  0  15  #############-------  65.2 %",
    "  2   8  #######-------------  34.8 %",
]


@pytest.mark.parametrize("total", [23, 24], ids=["kept", "broken"])
def test_a_run_tells_its_models_once(pytester, monkeypatch, total):
    monkeypatch.setenv("COLUMNS", "120")
    pytester.makepyfile(test_it=GATES.format(total=total))
    paths = [pytester.path / f"report{ending}" for ending in (".json", ".md", ".html")]
    options = [f"--modelcheck-report={path}" for path in paths]
    result = pytester.runpytest_inprocess("--modelcheck", "--modelcheck-update", "-p", "no:cacheprovider", *options)
    start = result.outlines.index(LINES[0])
    assert result.outlines[start : start + 3] == LINES
    assert result.outlines.count(LINES[0]) == 1
    content = json.loads(paths[0].read_text(encoding="utf-8"))
    assert [(model["model"], model["total"], model["largest"]) for model in content["models"]] == [
        ("Sequential", 23, [["0", 15], ["2", 8]])
    ]
    assert "`Sequential: 23 parameters" in paths[1].read_text(encoding="utf-8")
    assert f"<summary>{LINES[0]}</summary>" in paths[2].read_text(encoding="utf-8")
    quiet = pytester.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", "-q")
    assert LINES[0] not in quiet.outlines
