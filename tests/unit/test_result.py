"""Results are plain data that says why."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelcheck.result import Result

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)

RESULTS = st.builds(
    Result,
    outcome=st.sampled_from(["passed", "failed", "error"]),
    promised=st.text(),
    measured=st.text(),
    message=st.text(min_size=1),
    margin=st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    evidence=st.dictionaries(st.text(), JSON, max_size=3),
    check=st.text(),
    subject=st.text(),
    device=st.text(),
    seconds=st.floats(min_value=0, allow_nan=False, allow_infinity=False),
    changes=st.lists(st.text(), max_size=3).map(tuple),
)


@given(RESULTS)
def test_a_result_survives_strict_json(result):
    row = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert Result.from_dict(row) == result


@given(RESULTS)
def test_only_passed_is_ok(result):
    assert result.ok == (result.outcome == "passed")


def test_keys_that_are_not_its_own_are_left_out():
    row = {**Result("passed", "a", "b").as_dict(), "phase": "call"}
    assert Result.from_dict(row) == Result("passed", "a", "b")


def test_the_keys_are_the_fields_in_order():
    result = Result("passed", "a", "b")
    assert list(result.as_dict()) == [field.name for field in dataclasses.fields(Result)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"outcome": "PASSED"}, "an outcome is one of passed, failed, error, not 'PASSED'"),
        ({"outcome": True}, "an outcome is one of passed, failed, error, not True"),
        ({"margin": float("nan")}, "a margin is finite or None, not nan"),
        ({"margin": float("inf")}, "a margin is finite or None, not inf"),
        ({"outcome": "failed"}, "a result that failed says why: message is empty"),
        ({"outcome": "error"}, "a result that error says why: message is empty"),
    ],
)
def test_what_is_no_result_is_refused(values, message):
    with pytest.raises(ValueError, match="^") as raised:
        Result(**{"outcome": "passed", "promised": "a", "measured": "b", **values})
    assert str(raised.value) == message


def test_a_result_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Result("passed", "a", "b").outcome = "failed"


def test_a_margin_of_another_kind_of_number_becomes_a_float():
    margin = Result("passed", "a", "b", margin=Fraction(1, 4)).margin
    assert (margin, type(margin)) == (0.25, float)


def test_evidence_that_is_no_mapping_is_refused():
    with pytest.raises(TypeError, match=r"^evidence is a mapping of JSON values, not \['a'\]$"):
        Result("passed", "a", "b", evidence=["a"])
