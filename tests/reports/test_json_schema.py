"""The schema of the JSON report, and the reader that goes by it."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_of_reports import EVERY, row, runs

from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.reports import json as json_report
from pytest_modelcheck.reports import reading
from pytest_modelcheck.reports.reading import read_report
from pytest_modelcheck.reports.run import Run
from pytest_modelcheck.reports.schema import first_problem, schema

VALIDATOR = jsonschema.Draft202012Validator(schema())

GATES = """
import pytest

@pytest.mark.modelcheck_small(at_most=5)
def test_kept(): ...

@pytest.mark.modelcheck_small(at_most=4)
def test_broken(): ...

@pytest.mark.modelcheck_small(at_most=4)
@pytest.mark.xfail(reason="known")
def test_expected(): ...

@pytest.mark.modelcheck_small(at_most=4)
@pytest.mark.skip(reason="not now")
def test_skipped(): ...

@pytest.mark.modelcheck
def test_asserts():
    assert True

@pytest.mark.modelcheck_small(number="missing", at_most=4)
def test_error(): ...

@pytest.fixture
def missing():
    raise RuntimeError("no number")
"""


def parsed(run):
    return json.loads(json_report.render(run))


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_key_is_described():
    def undescribed(part, path):
        for name, item in part.get("properties", {}).items():
            yield from [] if item.get("description") else [f"{path}.{name}"]
            yield from undescribed(item, f"{path}.{name}")

    whole = schema()
    parts = {"": whole, **whole["$defs"]}
    assert [name for path, part in parts.items() for name in undescribed(part, path)] == []
    assert all(part.get("description") for part in parts.values())


def test_reports_of_sessions_keep_to_it(small_check, run_gates):
    small_check.makepyfile(test_it=GATES)
    run_gates()
    content = json.loads((small_check.path / "rows.json").read_text())
    VALIDATOR.validate(content)
    assert first_problem(content, schema()) == ""
    assert {row["outcome"] for row in content["rows"]} == {"passed", "failed", "xfailed", "skipped", "error"}


@pytest.mark.parametrize("run", [EVERY, Run((), 0, "auto"), replace(EVERY, complete=False)])
def test_reports_made_by_hand_keep_to_it(run):
    VALIDATOR.validate(parsed(run))
    assert first_problem(parsed(run), schema()) == ""


@pytest.mark.parametrize("run", [EVERY, Run((), 0, "auto"), replace(EVERY, complete=False, problems=())])
def test_a_report_is_read_as_it_was_written(run, tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json_report.render(run), encoding="utf-8")
    found = read_report(path)
    assert found == replace(
        run, rows=tuple(run.sorted_rows), baselines=list(run.baselines), problems=list(run.problems)
    )
    assert json_report.render(found) == path.read_text(encoding="utf-8")
    assert read_report(path.read_text(encoding="utf-8")) == found


def test_models_come_in_the_order_of_the_rows_that_are_written():
    def sized(name):
        return {"model": name, "total": 1, "trainable": 1, "dtypes": {}, "bytes": 4, "largest": []}

    run = Run((row(gate="z", evidence=sized("Z")), row(gate="a", evidence=sized("A"))), 0, "cpu")
    assert [model["model"] for model in parsed(run)["models"]] == ["A", "Z"]
    assert json_report.render(read_report(json_report.render(run))) == json_report.render(run)


@settings(max_examples=60, deadline=None)
@given(runs())
def test_any_report_is_read_as_it_was_written(run):
    text = json_report.render(run)
    found = read_report(text)
    assert list(found.rows) == run.sorted_rows
    assert json_report.render(found) == text
    VALIDATOR.validate(json.loads(text))


def changed(path, value):
    """The report of every kind of row, with another value in one place; a place is left out where it is `...`."""
    content = parsed(EVERY)
    at = content
    for step in path[:-1]:
        at = at[step]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return content


NUMBER = next(index for index, row in enumerate(parsed(EVERY)["rows"]) if row["history"])
WAIVED = next(index for index, row in enumerate(parsed(EVERY)["rows"]) if row["waiver"])

BROKEN = {
    "a text for a margin": (("rows", 3, "margin"), "x", 'rows[3].margin is "x", a number or null is expected'),
    "a truth for a margin": (("rows", 3, "margin"), True, "rows[3].margin is true, a number or null is expected"),
    "a text for a truth": (("passed",), "yes", 'passed is "yes", true or false is expected'),
    "a number for a truth": (("complete",), 1, "complete is 1, true or false is expected"),
    "a truth for a version": (("schema_version",), True, "schema_version is true, 1 is expected"),
    "a fraction of a seed": (("seed",), 1.5, "seed is 1.5, an integer is expected"),
    "a truth for a seed": (("seed",), True, "seed is true, an integer is expected"),
    "a seed below zero": (("seed",), -1, "seed is -1, at least 0 is expected"),
    "no rows": (("rows",), ..., "rows is missing"),
    "rows that are none": (("rows",), None, "rows is null, a list is expected"),
    "rows by name": (("rows",), {}, "rows is {}, a list is expected"),
    "a row that is none": (("rows", 1), [], "rows[1] is [], an object is expected"),
    "a row without outcome": (("rows", 0, "outcome"), ..., "rows[0].outcome is missing"),
    "an unknown outcome": (
        ("rows", 0, "outcome"),
        "ok",
        'rows[0].outcome is "ok", one of "error", "failed", "xpassed", "waived", "xfailed", "skipped", "passed" '
        "is expected",
    ),
    "a key too many": (("extra",), 1, "extra is not known"),
    "a key too many in a row": (("rows", 2, "a b"), 1, 'rows[2]["a b"] is not known'),
    "a line below zero": (("rows", 2, "line"), -1, "rows[2].line is -1, at least 0 is expected"),
    "a long text": (
        ("rows", 2, "seconds"),
        "x" * 99,
        f'rows[2].seconds is "{"x" * 59}.., a number is expected',
    ),
    "a value": (
        ("rows", NUMBER, "number", "value"),
        None,
        f"rows[{NUMBER}].number.value is null, a number is expected",
    ),
    "no bound": (("rows", NUMBER, "number", "low"), ..., f"rows[{NUMBER}].number.low is missing"),
    "a bound": (("rows", NUMBER, "number", "p"), 1, f"rows[{NUMBER}].number.p is not known"),
    "better": (
        ("rows", NUMBER, "number", "better"),
        "up",
        f'rows[{NUMBER}].number.better is "up", one of "higher", "lower", "" is expected',
    ),
    "history": (("rows", NUMBER, "history", 1), "1", f'rows[{NUMBER}].history[1] is "1", a number is expected'),
    "a waiver": (("rows", WAIVED, "waiver"), "yes", f'rows[{WAIVED}].waiver is "yes", an object or null is expected'),
    "a waiver of nobody": (("rows", WAIVED, "waiver", "owner"), ..., f"rows[{WAIVED}].waiver.owner is missing"),
    "a card": (("rows", 0, "card"), {"a": 1}, "rows[0].card.a is 1, a text is expected"),
    "a hostile key": (
        ("rows", 0, "card"),
        {"\x1b\u202e": 1},
        'rows[0].card["\\u001b\\u202e"] is 1, a text is expected',
    ),
    "evidence": (("rows", 0, "evidence"), [], "rows[0].evidence is [], an object is expected"),
    "a version of torch": (("environment", "torch"), 2, "environment.torch is 2, a text is expected"),
    "a problem": (("problems", 0), {}, "problems[0] is {}, a text is expected"),
    "a change": (
        ("baselines", 0, "change"),
        "new",
        'baselines[0].change is "new", one of "added", "changed", "removed" is expected',
    ),
    "a pair of three": (("models", 0, "largest", 0), ["a", 1, 2], 'models[0].largest[0] is ["a", 1, 2], a list of 2'),
    "a pair the other way": (("models", 0, "largest", 0), [1, "a"], "models[0].largest[0][0] is 1, a text is expected"),
    "a pair of half": (("models", 0, "dtypes", 0, 1), 0.5, "models[0].dtypes[0][1] is 0.5, an integer is expected"),
}


@pytest.mark.parametrize(("path", "value", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_report_is_refused_with_its_place(path, value, problem):
    content = changed(path, value)
    assert not VALIDATOR.is_valid(content)
    with pytest.raises(ModelCheckError) as caught:
        read_report(json.dumps(content))
    assert str(caught.value).startswith(f"the report given as text cannot be read: {problem}")


def places(value, path=()):
    """The ways to each value in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from places(item, (*path, name))


PLACES = [path for path in places(parsed(EVERY)) if path]
VALUES = st.sampled_from(
    [..., None, True, 0, 1, -1, 1.0, 0.5, 2.0, "", "passed", "added", [], ["a", 1], {}, {"a": "b"}]
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), VALUES)
def test_the_reader_and_jsonschema_agree(path, value):
    content = changed(path, copy.deepcopy(value))
    assert (first_problem(content, schema()) == "") == VALIDATOR.is_valid(content)


def test_another_version_is_refused_with_both_named():
    with pytest.raises(ModelCheckError) as caught:
        read_report(json.dumps({"schema_version": 2, "new": True}))
    expected = "the report given as text cannot be read: it has schema_version 2, and this version reads 1"
    assert str(caught.value) == expected


TEXT = json_report.render(EVERY)

NO_REPORTS = {
    "nothing": ("", "Expecting value: line 1 column 1 (char 0)"),
    "a list": ("[]", "the whole is [], an object is expected"),
    "half": (TEXT[:500], "Expecting"),
    "NaN": (TEXT.replace('"seconds": 12.5', '"seconds": NaN'), "it has the number NaN, which JSON does not know"),
    "infinity": (TEXT.replace("12.5", "-Infinity"), "it has the number -Infinity, which JSON does not know"),
    "too large": (TEXT.replace("12.5", "1e999"), "it has the number 1e999, which is too large"),
    "a key twice": (TEXT.replace('"seconds": 12.5', '"seconds": 12.5, "seed": 7'), 'it has the key "seed" twice'),
    "half a character": (TEXT.replace('"cpu,cuda:0"', '"\\ud800"'), "it is not UTF-8 ('utf-8' codec can't encode"),
    "half a character in the text": (TEXT.replace("cpu,cuda:0", "\udc80"), "it is not UTF-8 ('utf-8' codec can't"),
    "too deep": ("[" * 200_000, "it is nested too deeply"),
    "an escape": ('{"\x1b[31m": 1}', "Invalid control character at: line 1 column 3 (char 2)"),
    "a hostile key": ('{"\\u001b[31m\\n": 1}', "baselines is missing"),
}


@pytest.mark.parametrize(("text", "reason"), NO_REPORTS.values(), ids=NO_REPORTS)
def test_what_is_no_report_is_refused(text, reason):
    with pytest.raises(ModelCheckError) as caught:
        read_report(text)
    assert str(caught.value).startswith(f"the report given as text cannot be read: {reason}")
    assert str(caught.value).isprintable()


def test_a_character_in_two_halves_is_one():
    assert read_report(TEXT.replace('"cpu,cuda:0"', '"\\ud83d\\ude00"')).devices == "\U0001f600"


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    bad = tmp_path / "bad.json"
    bad.write_bytes(b"\xff{}")
    monkeypatch.setattr(reading, "LARGEST", 1000)
    large = tmp_path / "large.json"
    large.write_text(" " * 1001)
    reasons = {
        tmp_path / "none.json": "No such file or directory",
        tmp_path: "Is a directory",
        bad: "it is not UTF-8 ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)",
        large: "it is larger than 1,000 bytes",
    }
    for path, reason in reasons.items():
        with pytest.raises(ModelCheckError) as caught:
            read_report(path)
        assert str(caught.value) == f"the report {path} cannot be read: {reason}"
