"""Results are plain data that says why."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelcheck.result import Part, Result

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)

PARTS = st.builds(
    Part,
    name=st.text(),
    outcome=st.sampled_from(["passed", "failed", "error", "skipped", "xfailed", "xpassed"]),
    promised=st.text(),
    measured=st.text(),
    message=st.text(min_size=1),
    evidence=st.dictionaries(st.text(), JSON, max_size=3),
    seconds=st.floats(min_value=0, allow_nan=False, allow_infinity=False),
)

BROKEN = ("failed", "error", "xpassed")


def parts_of(outcome):
    """Parts that a result of this outcome may have."""
    if outcome == "passed":
        kept = st.lists(PARTS.filter(lambda part: part.outcome not in BROKEN), max_size=3)
        return kept.map(lambda parts: (*parts, Part("kept", "passed", "", "")) if parts else ())
    return st.lists(PARTS, max_size=3).map(lambda parts: (*parts, Part("x", "failed", "", "", "x")) if parts else ())


OUTCOMES = st.sampled_from(["passed", "failed", "error"])


def results_of(outcome, parts):
    return st.builds(
        Result,
        outcome=st.just(outcome),
        parts=parts,
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


RESULTS = OUTCOMES.flatmap(lambda outcome: results_of(outcome, parts_of(outcome)))


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


class Every(str):
    """It equals every outcome."""

    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


def test_an_outcome_that_equals_every_other_is_what_it_says():
    with pytest.raises(ValueError, match="an outcome is one of passed, failed, error, not 'good'"):
        Result(Every("good"), "a", "b")
    with pytest.raises(ValueError, match="the outcome of a part is one of .*, not 'good'"):
        Part("p", Every("good"), "a", "b")
    assert not Result(Every("failed"), "a", "b", "why").ok
    assert Part("p", Every("failed"), "a", "b", "why").broken


def test_a_result_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Result("passed", "a", "b").outcome = "failed"


def test_a_margin_of_another_kind_of_number_becomes_a_float():
    margin = Result("passed", "a", "b", margin=Fraction(1, 4)).margin
    assert (margin, type(margin)) == (0.25, float)


def test_evidence_that_is_no_mapping_is_refused():
    with pytest.raises(TypeError, match=r"^evidence is a mapping of JSON values, not \['a'\]$"):
        Result("passed", "a", "b", evidence=["a"])


def part(outcome, **values):
    return Part(**{"name": "p", "outcome": outcome, "promised": "a", "measured": "b", "message": "why", **values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"outcome": "PASSED"},
            "the outcome of a part is one of passed, failed, error, skipped, xfailed, xpassed, not 'PASSED'",
        ),
        (
            {"outcome": None},
            "the outcome of a part is one of passed, failed, error, skipped, xfailed, xpassed, not None",
        ),
        ({"outcome": "failed", "message": ""}, "a part that failed says why: message is empty"),
        ({"outcome": "error", "message": ""}, "a part that error says why: message is empty"),
        ({"outcome": "xpassed", "message": ""}, "a part that xpassed says why: message is empty"),
        ({"seconds": float("nan")}, "seconds are finite, not nan"),
        ({"seconds": float("-inf")}, "seconds are finite, not -inf"),
        ({"margin": float("nan")}, "a margin is finite or None, not nan"),
    ],
)
def test_what_is_no_part_is_refused(values, message):
    with pytest.raises(ValueError, match="^") as raised:
        part(**{"outcome": "passed", **values})
    assert str(raised.value) == message


def test_evidence_of_a_part_that_is_no_mapping_is_refused():
    with pytest.raises(TypeError, match=r"^evidence is a mapping of JSON values, not \['a'\]$"):
        part("passed", evidence=["a"])


@pytest.mark.parametrize("outcome", ["passed", "skipped", "xfailed"])
def test_a_part_that_is_not_broken_need_not_say_why(outcome):
    assert not part(outcome, message="").broken


@pytest.mark.parametrize("outcome", BROKEN)
def test_a_part_that_is_broken(outcome):
    assert part(outcome).broken


def result(outcome, *outcomes):
    return Result(outcome, "a", "b", "why", parts=tuple(part(item, name=item) for item in outcomes))


@pytest.mark.parametrize(
    ("outcome", "outcomes"),
    [
        ("passed", ["passed"]),
        ("passed", ["passed", "skipped", "xfailed"]),
        ("failed", ["failed", "passed"]),
        ("failed", ["xpassed"]),
        ("failed", ["error", "failed"]),
        ("error", ["error"]),
        ("error", ["error", "passed"]),
        ("error", ["skipped", "skipped"]),
    ],
)
def test_a_result_says_what_its_parts_say(outcome, outcomes):
    assert result(outcome, *outcomes).outcome == outcome


NONE_BROKEN = "has a part that is broken, or parts that were skipped"


@pytest.mark.parametrize(
    ("outcome", "outcomes", "message"),
    [
        ("passed", ["passed", "failed", "error"], "a result passes with its parts: failed, error"),
        ("passed", ["passed", "xpassed"], "a result passes with its parts: xpassed"),
        ("passed", ["skipped", "xfailed"], "a result passes with its parts: none of them passed"),
        ("failed", ["passed"], f"a result that failed {NONE_BROKEN}"),
        ("failed", ["passed", "xfailed"], f"a result that failed {NONE_BROKEN}"),
        ("error", ["passed"], f"a result that error {NONE_BROKEN}"),
    ],
)
def test_a_result_that_its_parts_deny_is_refused(outcome, outcomes, message):
    with pytest.raises(ValueError, match="^") as raised:
        result(outcome, *outcomes)
    assert str(raised.value) == message
