"""The flat metrics, which DVC reads."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from rows_of_reports import HOSTILE, number, row, runs

from pytest_modelcheck.reports import flat
from pytest_modelcheck.reports.run import Run

RUN = Run(
    (
        row(gate="t.py::test_it", margin=0.0088, number=number(0.9888)),
        row(gate="t.py::test_it", check="metric", number=number(0.97, name="f1")),
        row(gate="t.py::test_it", check="parameters", number=number(53994, name="parameters")),
        row("failed", gate="t.py::test_it", margin=-0.5, number=number(0.25), device="cuda:0"),
        row(gate="t.py::test_it", check="conforms", part="padding", number=number(1, name="kept_share")),
        row("skipped", gate="t.py::test_it", check="conforms", part="other"),
    ),
    0,
    "cpu",
)

EXPECTED = """\
{
  "gates.error": 0,
  "gates.failed": 1,
  "gates.passed": 4,
  "gates.skipped": 1,
  "gates.waived": 0,
  "gates.xfailed": 0,
  "gates.xpassed": 0,
  "run.complete": 1,
  "run.passed": 0,
  "t.py::test_it accuracy": 0.9888,
  "t.py::test_it accuracy (2)": 0.25,
  "t.py::test_it accuracy (2) margin": -0.5,
  "t.py::test_it accuracy margin": 0.0088,
  "t.py::test_it conforms padding kept_share": 1,
  "t.py::test_it metric f1": 0.97,
  "t.py::test_it parameters": 53994
}
"""


def test_it_is_this_to_the_letter():
    assert flat.render(RUN) == EXPECTED


def test_names_depend_on_the_order_of_the_calls_and_not_on_their_margins():
    rows = [row(gate="t", margin=margin, number=number(margin)) for margin in (0.5, 0.1, 0.3)]
    found = json.loads(flat.render(Run(rows, 0, "cpu")))
    assert [found[name] for name in ("t accuracy", "t accuracy (2)", "t accuracy (3)")] == [0.5, 0.1, 0.3]


def test_a_part_that_is_called_as_a_margin_is_told_apart():
    rows = [row(gate="t", margin=0.5), row(gate="t", part="margin", number=number(0.25))]
    found = json.loads(flat.render(Run(rows, 0, "cpu")))
    assert (found["t accuracy margin"], found["t accuracy margin #2"]) == (0.5, 0.25)


def test_no_row():
    found = json.loads(flat.render(Run((), 0, "auto", complete=False)))
    assert set(found.values()) == {0}


def test_what_is_no_finite_number_is_left_out():
    values = [10**400, float("inf"), float("nan"), "0.5", True]
    rows = [{**row(), "number": number(value), "margin": value} for value in values]
    assert len(json.loads(flat.render(Run(rows, 0, "cpu")))) == 9


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_a_hostile_text_is_a_name(text):
    found = json.loads(flat.render(Run((row(gate=text, margin=0.5, number=number(0.25, name=text)),), 0, "cpu")))
    assert len(found) == 11
    assert {0.25, 0.5} <= set(found.values())
    assert all(name.isprintable() for name in found)


@settings(max_examples=80, deadline=None)
@given(runs())
def test_every_number_of_any_run_has_a_name_of_its_own(run):
    found = json.loads(flat.render(run))
    told = [item["margin"] for item in run.rows] + [item["number"] and item["number"]["value"] for item in run.rows]
    assert len(found) == 9 + len([value for value in told if value is not None])
    assert all(math.isfinite(value) for value in found.values())
    assert list(found) == sorted(found)
