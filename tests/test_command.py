"""`python -m pytest_modelcheck`: its answers to the letter, its exit codes, and what it says of broken reports."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_modelcheck import __version__
from pytest_modelcheck.__main__ import main
from pytest_modelcheck.reports import RENDERERS
from pytest_modelcheck.reports.run import Run

HOSTILE = "|`*_[a](b)<img src=x>\n::error::pwned\x1b[31m\x07\x9b\u202e\u2028 \u00e9 \U0001f44d"

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def row(value=0.9888, outcome="passed", **more):
    number = {"name": "accuracy", "value": value, "low": value - 0.002, "high": value + 0.002}
    return {
        "gate": "tests/test_digits.py::test_digits",
        "file": "tests/test_digits.py",
        "line": 5,
        "check": "accuracy",
        "part": "",
        "subject": "Net",
        "outcome": outcome,
        "promised": "at least 0.96",
        "measured": f"{value}",
        "message": "" if outcome == "passed" else "accuracy of Net: too low",
        "margin": value - 0.96,
        "number": {**number, "confidence": 0.95, "better": "higher"},
        "history": [],
        "evidence": {"data": "a" * 64},
        "device": "cpu",
        "seconds": 1.5,
        "changes": [],
        "waiver": None,
        "card": {},
        **more,
    }


STARTED = {"started": "2026-01-02T03:04:05+00:00", "seconds": 2.5, "environment": {"python": "3.11.2"}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, and a terminal of 120 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


@pytest.fixture
def written(folder):
    """Write a JSON report of some rows."""

    def write(name, *rows, **more):
        run = Run(rows, more.pop("seed", 0), "cpu", **{**STARTED, **more})
        (folder / name).write_text(RENDERERS[".json"](run), encoding="utf-8")
        return name

    return write


@pytest.fixture
def say(capsys):
    """Run a command line in this process: its exit code, what it printed, and what it complained of."""

    def run(*arguments):
        try:
            code = main([*map(str, arguments)])
        except SystemExit as ended:
            code = ended.code
        return (code, *capsys.readouterr())

    return run


def process(*arguments, **more):
    environment = {**os.environ, "COLUMNS": "120", **more.pop("environment", {})}
    command = [sys.executable, "-W", "error", "-m", "pytest_modelcheck", *arguments]
    return subprocess.run(command, capture_output=True, check=False, env=environment, **more)


WORSE = """\
1 worse
worse  tests/test_digits.py::test_digits  accuracy  0.9888 -> 0.9701  -0.0187 (95 %: -0.0215 to -0.0159)
regression: 1 worse
"""


def test_what_is_worse_is_told_and_fails(written, say):
    assert say("compare", written("a.json", row()), written("b.json", row(0.9701))) == (1, WORSE, "")


def test_what_is_better_passes(written, say):
    code, said, _ = say("compare", written("a.json", row(0.9701)), written("b.json", row()))
    assert (code, said.splitlines()[0], said.splitlines()[-1]) == (0, "1 better", "no regression")


def test_what_is_the_same_is_one_line_and_a_verdict(written, say):
    name = written("a.json", row())
    assert say("compare", name, name) == (0, "1 the same within noise\nno regression\n", "")
    assert say("compare", name, name, "--all")[1].splitlines()[1].split()[0] == "same"


GONE = """\
1 gone, 1 the same within noise
gone  t.py::gone  accuracy  passed 0.9888
regression: 1 gone
let pass what is gone on purpose: --allow-missing
"""


def test_what_is_gone_fails_unless_it_may_be(written, say):
    names = written("a.json", row(), row(gate="t.py::gone")), written("b.json", row())
    assert say("compare", *names) == (1, GONE, "")
    code, said, _ = say("compare", *names, "--allow-missing")
    assert (code, said.splitlines()[-1]) == (0, "no regression")


OTHER_DATA = """\
1 not comparable
not comparable  tests/test_digits.py::test_digits  accuracy  0.9888  other data: aaaaaaaa -> bbbbbbbb
regression: 1 not comparable
let pass what is not comparable: --allow-other-data
"""


def test_other_data_fail_unless_they_may_be_others(written, say):
    names = written("a.json", row()), written("b.json", row(evidence={"data": "b" * 64}))
    assert say("compare", *names) == (1, OTHER_DATA, "")
    code, said, _ = say("compare", *names, "--allow-other-data")
    assert (code, said.splitlines()[-1]) == (0, "no regression")


def test_an_incomplete_report_fails_where_it_is_the_new_one(written, say):
    whole, part = written("old.json", row()), written("new.json", row(), complete=False)
    code, said, _ = say("compare", whole, part, "--allow-missing", "--allow-other-data")
    assert code == 1
    assert said.splitlines()[1] == "new.json is incomplete: the run was cut short, and gates may be missing"
    code, said, _ = say("compare", part, whole)
    assert code == 0
    assert said.splitlines()[1] == "note: new.json is incomplete: what its run did not reach is new here"


def test_what_else_is_different_is_noted(written, say):
    names = written("a.json", row()), written("b.json", row(), seed=7, environment={"python": "3.13.0"})
    lines = say("compare", *names)[1].splitlines()
    assert lines[1:3] == ["note: seed 0 -> 7", "note: python 3.11.2 -> 3.13.0"]


def test_the_comparison_is_written_as_markdown(written, say, folder):
    names = written("a.json", row()), written("b.json", row(0.9701))
    assert say("compare", *names, "--markdown", "reports/changes.md") == (1, WORSE, "")
    text = (folder / "reports" / "changes.md").read_text(encoding="utf-8")
    heading, _, *table, _, verdict, _ = text.split("\n")
    assert heading == "## modelcheck: 1 worse"
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table]
    assert [cell.strip().strip("`") for cell in cells[2]] == [
        "worse",
        "tests/test_digits.py::test_digits",
        "accuracy",
        "cpu",
        "0.9888 -> 0.9701",
        "-0.0187 (95 %: -0.0215 to -0.0159)",
    ]
    assert {len(line) for line in cells} == {6}
    assert verdict == "**regression**: 1 worse"


SHOWN = """\
verdict  gate         check     promised       measured  margin   device  s
ok       test_digits  accuracy  at least 0.96  0.9888    +2.88 %  cpu     1.50
1 promise: 1 passed; device cpu, seed 0
the run passed
"""


def test_a_report_is_shown_again(written, say, folder):
    name = written("a.json", row())
    assert say("show", name, "--markdown", "a.md", "--html", "a.html") == (0, SHOWN, "")
    assert (folder / "a.md").read_text(encoding="utf-8").count("\n| passed | ") == 1
    assert (folder / "a.html").read_text(encoding="utf-8").startswith("<!doctype html>")


NOT_PASSED = {
    "failed": ([row(0.5, "failed")], {}),
    "no gate": ([], {}),
    "skipped": ([row(outcome="skipped")], {}),
    "incomplete": ([row()], {"complete": False}),
    "a problem": ([row()], {"problems": ["a waiver is expired"]}),
}


@pytest.mark.parametrize(("rows", "more"), NOT_PASSED.values(), ids=NOT_PASSED)
def test_a_report_that_did_not_pass_is_shown_with_1(rows, more, written, say):
    code, said, _ = say("show", written("a.json", *rows, **more))
    assert (code, said.splitlines()[-1]) == (1, "the run did not pass")


def test_the_schema_is_json(say):
    code, said, _ = say("schema")
    assert code == 0
    assert json.loads(said)["type"] == "object"


def test_without_a_command_it_helps_and_exits_with_2(say):
    code, said, complained = say()
    assert (code, said) == (2, "")
    assert complained.startswith("usage: python -m pytest_modelcheck [-h] [--version] command ...")


def test_it_knows_its_version(say):
    assert say("--version") == (0, f"pytest-modelcheck {__version__}\n", "")


@pytest.mark.parametrize("command", [(), ("compare",), ("show",), ("schema",)])
def test_help_explains_and_has_examples(command, say):
    code, said, _ = say(*command, "--help")
    assert code == 0
    assert "examples:\n" in said
    for example in re.findall(r"^  python -m pytest_modelcheck (.*)$", said, flags=re.MULTILINE):
        words = example.partition(" > ")[0].partition("   #")[0].split()
        assert words[0] in ("compare", "show", "schema")
        assert not {word for word in words if word.startswith("--")} - OPTIONS[words[0]]


OPTIONS = {
    "compare": {"--markdown", "--all", "--allow-missing", "--allow-other-data"},
    "show": {"--markdown", "--html"},
    "schema": set(),
}

USAGE = [
    (("compare",), "the following arguments are required: old.json, new.json"),
    (("compare", "a.json"), "the following arguments are required: new.json"),
    (("compare", "a.json", "a.json", "--allow"), "unrecognized arguments: --allow"),
    (("show",), "the following arguments are required: report.json"),
    (("schema", "a.json"), "unrecognized arguments: a.json"),
    (("look",), "invalid choice: 'look'"),
    (("--compare",), "unrecognized arguments: --compare"),
]


@pytest.mark.parametrize(("arguments", "why"), USAGE)
def test_a_wrong_command_line_is_2(arguments, why, folder, say):
    code, said, complained = say(*arguments)
    assert (code, said) == (2, "")
    assert why in complained


def _complaint(answer):
    """The one line of a report that is of no use."""
    code, said, complained = answer
    assert (code, said, complained.count("\n")) == (2, "", 1), complained
    assert not UNSAFE.search(complained.removesuffix("\n"))
    assert complained.startswith("python -m pytest_modelcheck: error: ")
    return complained.removeprefix("python -m pytest_modelcheck: error: ").removesuffix("\n")


def test_reports_without_a_gate_in_common_are_2(written, say):
    names = written("a.json", row()), written("b.json", row(gate="other"))
    assert _complaint(say("compare", *names)) == (
        "a.json and b.json have no gate in common (1 and 1 rows), and nothing can be compared: they are of other "
        "tests or of other devices"
    )


def test_a_number_that_is_none_is_2(written, say):
    number = {"name": "accuracy", "value": 0.5, "low": 0.6, "high": None, "confidence": 0.95, "better": "higher"}
    names = written("a.json", row()), written("b.json", row(number=number))
    assert re.search("tests/test_digits.py::test_digits|b.json", _complaint(say("compare", *names)))


BROKEN = {
    "empty": b"",
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "a list": b"[]",
    "a number": b"5",
    "nothing in it": b"{}",
    "NaN": b'{"schema_version": 1, "rows": NaN}',
    "long": b'{"schema_version": 1' + b"0" * 5_000 + b"}",
    "another version": b'{"schema_version": 99, "rows": []}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_report_is_2_and_named(content, folder, written, say):
    (folder / "broken.json").write_bytes(content)
    name = written("a.json", row())
    for command in (("show", "broken.json"), ("compare", name, "broken.json"), ("compare", "broken.json", name)):
        assert "broken.json" in _complaint(say(*command))


@pytest.mark.parametrize("name", ["missing.json", ".", "a\nb\x1b[31m.json", "a\0b", "x" * 5_000])
def test_a_file_that_is_not_there_is_2(name, folder, say):
    _complaint(say("show", name))


@pytest.mark.parametrize("path", [".", "file/below.md"])
def test_what_cannot_be_written_is_2(path, folder, written, say):
    (folder / "file").touch()
    name = written("a.json", row())
    assert path in _complaint(say("compare", name, name, "--markdown", path))
    assert path in _complaint(say("show", name, "--html", path))


VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.just(10**400) | st.floats() | st.text(max_size=5)
FOREIGN = VALUES | st.lists(VALUES, max_size=2) | st.dictionaries(st.text(max_size=3), VALUES, max_size=2)


def _places(value, path=()):
    """Where something stands in a report."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*path, key))


def _mutated(content, path, value, *, is_removed):
    content = copy.deepcopy(content)
    if not path:
        return value
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    if is_removed:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return content


REPORT = json.loads(
    RENDERERS[".json"](
        Run(
            (row(), row(0.5, "failed", evidence={"wrong": [{"id": 1}], "total": 5}), row(check="test", number=None)),
            0,
            "cpu",
            baselines=({"file": "a", "key": "b", "change": "added", "lines": ["c"]},),
            problems=("no gate ran",),
            **STARTED,
        )
    )
)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_report_however_broken_ends_in_a_traceback(written, folder, say, data):
    content = REPORT
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(list(_places(content))))
        content = _mutated(content, path, data.draw(FOREIGN), is_removed=data.draw(st.booleans()))
    (folder / "b.json").write_text(json.dumps(content), encoding="utf-8")
    name = written("a.json", row())
    for command in (("compare", name, "b.json"), ("compare", "b.json", name), ("show", "b.json", "--html", "b.html")):
        code, said, complained = say(*command)
        assert code in (0, 1, 2)
        assert bool(complained) == (code == 2) != bool(said)
        assert complained.count("\n") == (code == 2)


def test_hostile_texts_are_inert(written, say, folder):
    texts = dict.fromkeys(("gate", "check", "part", "subject", "promised", "measured", "device", "message"), HOSTILE)
    hostile = row(**texts, changes=[HOSTILE])
    more = {"environment": {HOSTILE: HOSTILE}, "problems": [HOSTILE]}
    names = written("a.json", hostile), written("b.json", {**hostile, **row(0.5), **texts}, **more)
    for answer in (say("compare", *names, "--all", "--markdown", "c.md"), say("show", names[1])):
        assert answer[0] == 1
        assert not UNSAFE.search(answer[1].replace("\n", ""))
        assert not re.search("^(::|##)", answer[1], flags=re.MULTILINE)
    text = (folder / "c.md").read_text(encoding="utf-8")
    assert not UNSAFE.search(text.replace("\n", ""))
    [line] = [line for line in text.split("\n") if line.startswith("| worse")]
    assert len(re.findall(r"(?<!\\)\|", line)) == 7


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_without_unicode_shows_it_escaped(encoding, written, folder):
    name = written("a.json", row(gate="caf\u00e9 \U0001f44d \u05e9"))
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    result = process("compare", name, name, "--all", cwd=folder, environment=environment)
    assert (result.returncode, result.stderr) == (0, b"")
    escaped = "caf\u00e9 \U0001f44d \u05e9".encode(encoding, "backslashreplace")
    assert escaped in result.stdout


def test_it_is_a_program_that_loads_neither_pytest_nor_torch(written, folder):
    names = [written("a.json", row()), written("b.json", row(0.9701))]
    program = (
        "import runpy, sys\n"
        "try: runpy.run_module('pytest_modelcheck', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as ended: print(ended.code)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    for command in (["compare", *names, "--markdown", "c.md"], ["show", names[0], "--html", "a.html"], ["schema"]):
        ran = subprocess.run(
            [sys.executable, "-c", program, *command], cwd=folder, capture_output=True, text=True, check=True
        )
        code, loaded = ran.stdout.splitlines()[-2:]
        assert code == ("1" if command[0] == "compare" else "0")
        assert "pytest_modelcheck" in loaded.split()
        assert not {"pytest", "_pytest", "torch", "numpy", "transformers", "filelock"} & set(loaded.split())


def test_its_exit_code_is_the_verdict(written, folder):
    names = [written("a.json", row()), written("b.json", row(0.9701))]
    result = process("compare", *names, cwd=folder)
    assert (result.returncode, result.stdout.decode().splitlines(), result.stderr) == (1, WORSE.splitlines(), b"")


def test_whoever_reads_no_further_leaves_the_verdict_as_it_is(written, folder):
    names = [
        written("a.json", *(row(gate=f"t.py::test_{n}") for n in range(3_000))),
        written("b.json", row(gate="t.py::test_0")),
    ]
    command = [sys.executable, "-m", "pytest_modelcheck", "compare", *names]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no file that is always full")
def test_an_answer_that_cannot_be_written_is_2(written, folder):
    name = written("a.json", row())
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "pytest_modelcheck", "compare", name, name]
        result = subprocess.run(command, cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    complaint = "python -m pytest_modelcheck: error: [Errno 28] No space left on device\n"
    assert (result.returncode, result.stderr) == (2, complaint)


class Terminal:
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


COLOURS = [
    ({}, True),
    ({"NO_COLOR": "1"}, False),
    ({"NO_COLOR": ""}, True),
    ({"TERM": "dumb"}, False),
]


@pytest.mark.parametrize(("environment", "has_colour"), COLOURS)
def test_a_terminal_has_colours_unless_it_wants_none(environment, has_colour, written, monkeypatch):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Terminal())
    names = written("a.json", row()), written("b.json", row(0.9701))
    assert main(["compare", *names]) == 1
    _, line, verdict = sys.stdout.text.splitlines()
    assert line.startswith("\x1b[31;1mworse ") is has_colour
    assert verdict == ("\x1b[31;1mregression: 1 worse\x1b[0m" if has_colour else "regression: 1 worse")


def test_it_fits_the_terminal(written, say, monkeypatch):
    monkeypatch.setenv("COLUMNS", "72")
    names = written("a.json", row()), written("b.json", row(0.9701))
    assert say("compare", *names)[1].splitlines()[1] == "worse  test_digits  accuracy  0.9888 -> 0.9701  -0.0187"
