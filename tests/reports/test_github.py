"""Annotations, as the runner of GitHub Actions reads them, and lines that it reads as nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_of_reports import EVERY, HOSTILE, TEXTS, row, runs

from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports.github import annotations, defuse
from pytest_modelcheck.reports.run import Run

ROOT = Path("/work/repo/models")


def unescaped(text, pairs):
    for shown, meant in (*pairs, ("%25", "%")):
        text = text.replace(shown, meant)
    return text


DATA = (("%0D", "\r"), ("%0A", "\n"))
PROPERTY = (*DATA, ("%3A", ":"), ("%2C", ","))


def newer(line):
    """A command as the runner reads it now: `::name key=value,key=value::data` after blanks."""
    line = line.lstrip()
    end = line.find("::", 2)
    if not line.startswith("::") or end < 0:
        return None
    name, _, rest = line[2:end].partition(" ")
    pairs = [pair.partition("=") for pair in rest.strip().split(",") if pair]
    return name, {key: unescaped(value, PROPERTY) for key, _, value in pairs if value}, unescaped(line[end + 2 :], DATA)


def older(line):
    """The older form, `##[name key=value;key=value]data`, anywhere in a line."""
    found = re.search(r"##\[([^\]]*)\]", line)
    return found and found[1].partition(" ")[0]


def commands(text):
    """What a runner takes from a text, line by line: as it is, and as a language reads it that skips the invisible."""
    lines = re.split(r"\r\n|\r|\n", text)
    lines += ["".join(item for item in line if item.isprintable() or item.isspace()) for line in lines]
    lines += ["".join(item for item in line if item.isprintable()) for line in lines]
    return [line for line in lines if newer(line) or older(line) or re.search(r"##[\w.-]+\[", line)]


def test_an_annotation_is_this_to_the_letter():
    rows = [
        row(
            "failed", gate="tests/test_it.py::test_a[x:y,z]", file="tests/test_it.py", line=7, message="100 % wrong\nno"
        ),
        row("failed", gate="tests/test_it.py::test_a[x:y,z]", check="metric", part="f1", message="more"),
        row("error", gate="tests/test_it.py::test_b", file="tests/test_it.py", line=0, message="not measured"),
        row("waived", gate="tests/test_it.py::test_c"),
        row(),
    ]
    assert annotations(Run(rows, 0, "cpu"), ROOT, ROOT.parent) == [
        "::error file=models/tests/test_it.py,title=test_b%3A accuracy::not measured",
        "::error file=models/tests/test_it.py,line=7,title=test_a[x%3Ay%2Cz]%3A accuracy%2C metric%3A f1"
        "::100 %25 wrong%0Ano%0A%0Amore",
    ]


FILES = {
    "in the root": ("tests/test_it.py", None, "tests/test_it.py"),
    "in the workspace": ("tests/test_it.py", Path("/work/repo"), "models/tests/test_it.py"),
    "above the root": ("../shared/test_it.py", Path("/work/repo"), "shared/test_it.py"),
    "outside": ("../../test_it.py", Path("/work/repo"), None),
    "outside of the root": ("../shared/test_it.py", None, None),
    "another workspace": ("tests/test_it.py", Path("/elsewhere"), None),
    "none": ("", None, None),
    "absolute": ("/work/repo/test_it.py", Path("/work/repo"), "test_it.py"),
}


@pytest.mark.parametrize(("file", "workspace", "expected"), FILES.values(), ids=FILES)
def test_files_are_those_of_the_workspace(file, workspace, expected):
    (line,) = annotations(Run([row("failed", file=file)], 0, "cpu"), ROOT, workspace)
    name, properties, _ = newer(line)
    assert (name, properties.get("file")) == ("error", expected)
    assert properties.get("line") == ("12" if expected else None)


@pytest.mark.parametrize(("number", "last"), [(9, None), (10, "1 more gate failed"), (1012, "1,003 more gates failed")])
def test_ten_annotations_are_the_most(number, last):
    rows = [row("failed", gate=f"t.py::test_{index:04}", margin=-index / 10) for index in range(number)]
    lines = annotations(Run(rows + rows, 0, "cpu"), ROOT)
    assert len(lines) == min(number, 10)
    assert f"title=test_{number - 1:04}%3A accuracy::" in lines[0]
    if last:
        assert lines[-1] == f"::error title=modelcheck::{last}; the table at the end of the log has them all"


def test_what_did_not_fail_is_not_annotated():
    assert annotations(Run((), 0, "cpu"), ROOT) == []
    lines = annotations(EVERY, ROOT)
    assert [newer(line)[1]["title"] for line in lines] == ["test_error: accuracy", "test_failed: accuracy"]


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()], ids=lambda text: ascii(text[:20]))
def test_hostile_texts_come_back_and_are_one_line(text):
    told = {"gate": f"t::x{text}x", "check": "x", "file": f"x{text}x.py", "message": text}
    (line,) = annotations(Run([row("failed", **told)], 0, "cpu"), ROOT)
    assert line.isprintable()
    name, properties, data = newer(line)
    assert name == "error"
    assert set(properties) <= {"file", "line", "title"}
    if len(text) < 150:
        assert properties["title"] == f"{printable(f'x{text}x')}: x"
        assert data == "\n".join(map(printable, text.split("\n")))


@settings(max_examples=80, deadline=None)
@given(runs())
def test_every_line_is_one_command(run):
    gates = {item["gate"] for item in run.rows if item["outcome"] in ("error", "failed")}
    lines = annotations(run, ROOT)
    assert len(lines) == len(gates)
    assert all(newer(line)[0] == "error" and line.isprintable() for line in lines)


DEFUSED = {
    "::error::no": ": :error::no",
    "  \t::set-output name=x::y": "  \t: :set-output name=x::y",
    "\u00a0\u2003::error::no": "\u00a0\u2003: :error::no",
    "\u200b::error::no": "\u200b: :error::no",
    ":\u200b:error::no": ": \u200b:error::no",
    ":::error::no": ": ::error::no",
    "ok\r::error::no": "ok\r: :error::no",
    "ok\n ::stop-commands::x\n::x::": "ok\n : :stop-commands::x\n: :x::",
    "a ##[error]no ##[group]": "a ## [error]no ## [group]",
    "###[error]": "### [error]",
    "##vso[task.setvariable variable=x]y": "## vso[task.setvariable variable=x]y",
    "##teamcity[testFailed name='x']": "## teamcity[testFailed name='x']",
    "##my-word.2[x]": "## my-word.2[x]",
    "##\u200b[error]no": "## \u200b[error]no",
    "#\u200b#[error]no": "#\u200b# [error]no",
}

HARMLESS = [
    "",
    "E   ::error::no",
    "tests/test_it.py::test_a[x] PASSED",
    "a::b::c",
    "## heading [x]",
    "# #[x]",
    "#[derive(Debug)]",
    "##",
    ": :",
    ": a:",
]


@pytest.mark.parametrize(("line", "expected"), DEFUSED.items(), ids=map(ascii, DEFUSED))
def test_commands_are_defused_and_stay_readable(line, expected):
    assert commands(line)
    assert defuse(line) == expected
    assert commands(expected) == []


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_command_is_not_touched(line):
    assert defuse(line) == line


PIECES = st.lists(
    st.sampled_from(
        ["::", ":", "#", "##", "[", "]", "error", "vso", " ", "\t", "\n", "\r", "\u200b", "\x1b", "\x85", "a", "é"]
    )
    | st.characters(exclude_categories=["Cs"]),
    max_size=12,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(PIECES | TEXTS)
def test_no_text_is_a_command_once_defused(text):
    shown = defuse(text)
    assert commands(shown) == []
    assert defuse(shown) == shown
    assert shown.replace(" ", "") == text.replace(" ", "")
