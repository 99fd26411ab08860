"""The report as OpenMetrics text, as the parsers of Prometheus read it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as older_parser
from rows_of_reports import EVERY, HOSTILE, number, row, runs

from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports import openmetrics
from pytest_modelcheck.reports.run import OUTCOMES, Run

EXPECTED = """\
# TYPE modelcheck_run_passed gauge
# HELP modelcheck_run_passed 1 if the run passed, 0 if not.
modelcheck_run_passed 1
# TYPE modelcheck_run_complete gauge
# HELP modelcheck_run_complete 1 if the run reached its end, 0 if it was cut short.
modelcheck_run_complete 1
# TYPE modelcheck_run_seconds gauge
# UNIT modelcheck_run_seconds seconds
# HELP modelcheck_run_seconds What the run took.
modelcheck_run_seconds 12.5
# TYPE modelcheck_gates gauge
# HELP modelcheck_gates The promises of the run by their outcome.
modelcheck_gates{outcome="error"} 0
modelcheck_gates{outcome="failed"} 0
modelcheck_gates{outcome="xpassed"} 0
modelcheck_gates{outcome="waived"} 0
modelcheck_gates{outcome="xfailed"} 1
modelcheck_gates{outcome="skipped"} 0
modelcheck_gates{outcome="passed"} 2
# TYPE modelcheck_gate_passed gauge
# HELP modelcheck_gate_passed 1 if the promise was measured and is kept, 0 with every other outcome.
modelcheck_gate_passed{gate="t.py::test_it",check="accuracy",device="cpu"} 1
modelcheck_gate_passed{gate="t.py::test_it",check="accuracy",device="cpu",call="2"} 1
modelcheck_gate_passed{gate="t.py::test_it",check="conforms",part="a \\\\x23 \\"b\\""} 0
# TYPE modelcheck_gate_margin gauge
# HELP modelcheck_gate_margin The distance to the promise as a share of its scale, negative where it is broken.
modelcheck_gate_margin{gate="t.py::test_it",check="accuracy",device="cpu"} 0.0088
# TYPE modelcheck_gate_value gauge
# HELP modelcheck_gate_value The number that was measured.
modelcheck_gate_value{gate="t.py::test_it",check="accuracy",device="cpu",name="accuracy"} 0.9888
modelcheck_gate_value{gate="t.py::test_it",check="accuracy",device="cpu",call="2",name="parameters"} 53994
# TYPE modelcheck_gate_value_low gauge
# HELP modelcheck_gate_value_low The lower bound of the true value.
modelcheck_gate_value_low{gate="t.py::test_it",check="accuracy",device="cpu",name="accuracy"} 0.98
# TYPE modelcheck_gate_value_high gauge
# HELP modelcheck_gate_value_high The upper bound of the true value.
modelcheck_gate_value_high{gate="t.py::test_it",check="accuracy",device="cpu",name="accuracy"} 0.99
# TYPE modelcheck_gate_seconds gauge
# UNIT modelcheck_gate_seconds seconds
# HELP modelcheck_gate_seconds What the measurement took.
modelcheck_gate_seconds{gate="t.py::test_it",check="accuracy",device="cpu"} 0.5
modelcheck_gate_seconds{gate="t.py::test_it",check="accuracy",device="cpu",call="2"} 1e-07
modelcheck_gate_seconds{gate="t.py::test_it",check="conforms",part="a \\\\x23 \\"b\\""} 0.5
# EOF
"""

RUN = Run(
    (
        row(gate="t.py::test_it", margin=0.0088, number=number(0.9888, low=0.98, high=0.99)),
        row(gate="t.py::test_it", seconds=1e-07, number=number(53994, name="parameters")),
        row("xfailed", gate="t.py::test_it", check="conforms", part='a # "b"', device=""),
    ),
    0,
    "cpu",
    seconds=12.5,
)


def parsed(text, parser=text_string_to_metric_families):
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parser(text)
        for sample in family.samples
    }


def shown(text):
    return printable(text).replace("#", "\\x23")


def expected(run):
    """The samples of the rows, where no row comes twice and no two names are escaped to one."""
    found = {}
    for item in run.rows:
        names = {name: shown(item[name]) for name in ("gate", "check", "part", "device")}
        labels = {name: value for name, value in names.items() if value}
        told = item["number"] or {}
        named = {**labels, "name": shown(told["name"])} if told else {}
        values = {
            "passed": (labels, float(item["outcome"] == "passed")),
            "margin": (labels, item["margin"]),
            "seconds": (labels, item["seconds"]),
            "value": (named, told.get("value")),
            "value_low": (named, told.get("low")),
            "value_high": (named, told.get("high")),
        }
        for name, (of, value) in values.items():
            if value is not None:
                found[f"modelcheck_gate_{name}", frozenset(of.items())] = value
    found |= {
        ("modelcheck_gates", frozenset({("outcome", outcome)})): sum(item["outcome"] == outcome for item in run.rows)
        for outcome in OUTCOMES
    }
    whole = {"passed": run.passed, "complete": run.complete, "seconds": run.seconds}
    return found | {(f"modelcheck_run_{name}", frozenset()): value for name, value in whole.items()}


def test_it_is_this_to_the_letter():
    assert openmetrics.render(RUN) == EXPECTED


@pytest.mark.parametrize("parser", [text_string_to_metric_families, older_parser])
def test_the_parsers_of_prometheus_find_the_rows(parser):
    assert parsed(openmetrics.render(EVERY), parser) == expected(EVERY)


def test_families_have_types_units_and_help():
    families = {family.name: family for family in text_string_to_metric_families(openmetrics.render(EVERY))}
    assert {family.type for family in families.values()} == {"gauge"}
    units = {name for name, family in families.items() if family.unit}
    assert units == {"modelcheck_run_seconds", "modelcheck_gate_seconds"}
    assert all(family.documentation for family in families.values())


def test_no_row():
    found = parsed(openmetrics.render(Run((), 0, "auto", complete=False)))
    assert found["modelcheck_run_passed", frozenset()] == 0
    assert found["modelcheck_run_complete", frozenset()] == 0
    assert len(found) == 3 + len(OUTCOMES)


def test_what_is_no_finite_number_is_left_out():
    values = [10**400, float("inf"), float("nan"), "0.5", True]
    rows = [{**row(gate=f"t{index}"), "number": number(value), "margin": value} for index, value in enumerate(values)]
    found = parsed(openmetrics.render(Run(rows, 0, "cpu")))
    assert [name for name, _ in found if name in ("modelcheck_gate_value", "modelcheck_gate_margin")] == []


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_a_hostile_text_is_a_label(text):
    run = Run((row(gate=text, check=f"x{text}", part=text, device=text, number=number(name=text)),), 0, "cpu")
    report = openmetrics.render(run)
    assert parsed(report) == expected(run)
    assert all(line.isprintable() for line in report.split("\n"))


def gitlab(text):
    """The names and values that GitLab shows: it cuts a line at a hash sign and splits the rest as a shell does."""
    lines = [re.sub("#.*$", "", line) for line in text.split("\n")]
    word = r"""((?:[^\s"'\\]|"(?:[^"\\]|\\.)*"|'[^']*'|\\.)+)"""
    return [re.fullmatch(rf"{word}\s+{word}\s*", line).groups() for line in lines if line.strip()]


@settings(max_examples=80, deadline=None)
@given(runs())
def test_any_report_is_parsed_and_has_every_row(run):
    text = openmetrics.render(run)
    found = parsed(text)
    assert sum(name == "modelcheck_gate_passed" for name, _ in found) == len(run.rows)
    values = sorted(item["number"]["value"] for item in run.rows if item["number"])
    assert sorted(value for (name, _), value in found.items() if name == "modelcheck_gate_value") == values
    assert len(gitlab(text)) == len(found)
    assert len({name for name, _ in gitlab(text)}) == len(found)


def test_names_that_look_the_same_once_escaped_are_told_apart():
    names = ["\x1b", "\\x1b", "\x1b", "#", "\\x23"]
    run = Run([row(gate=name) for name in names], 0, "cpu")
    found = parsed(openmetrics.render(run))
    gates = [dict(labels) for name, labels in found if name == "modelcheck_gate_passed"]
    assert sorted((labels["gate"], labels.get("call", "1")) for labels in gates) == [
        ("\\x1b", "1"),
        ("\\x1b", "2"),
        ("\\x1b", "3"),
        ("\\x23", "1"),
        ("\\x23", "2"),
    ]
