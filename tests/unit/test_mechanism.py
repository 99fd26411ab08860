"""A function becomes a check: its signature, its promises, its assert form and its marker."""

from __future__ import annotations

import inspect
import random
from types import MappingProxyType
from typing import Annotated, Any

import pytest
import torch

from pytest_modelcheck import ConfigError, ModelCheckError, ModelCheckFailure, Result, check
from pytest_modelcheck.checks.promises import Count, Rate, Text, one_of
from pytest_modelcheck.context import Context, current
from pytest_modelcheck.mechanism import Check


@check
def size(
    box, /, *, at_most: Count, unit: Annotated[str, one_of("cm", "m")] = "cm", label: Text | None = None
) -> Result:
    """The box is at most this large.

    More words.
    """
    outcome = "passed" if box <= at_most else "failed"
    return Result(outcome, f"at most {at_most}", f"{box}", message="" if outcome == "passed" else f"{box} {unit}")


@check
def either(left, right, /, *, most: Rate | None = None, least: Rate | None = None) -> Result:
    """Both are there."""
    return Result("passed", "there", "there")


def raising(error):
    @check
    def broken(subject, /, *, limit: Count = 1) -> Result:
        """It breaks."""
        raise error

    return broken


def returning(value):
    @check
    def odd(subject, /, *, limit: Count = 1) -> Result:
        """It returns something."""
        return value

    return odd


def test_a_check_has_the_names_of_its_function():
    assert (size.name, size.marker, size.subjects, list(size.promises)) == (
        "size",
        "modelcheck_size",
        ("box",),
        ["at_most", "unit", "label"],
    )
    assert size.summary == "The box is at most this large."
    assert size.module == __name__


def test_the_marker_line_shows_promises_and_subjects():
    assert size.marker_line == (
        "modelcheck_size(at_most, unit='cm', label=None): The box is at most this large. Subjects: the fixtures box."
    )
    assert either.marker_line == (
        "modelcheck_either(most=None, least=None): Both are there. Subjects: the fixtures left, right."
    )


def test_the_assert_form_has_the_signature_and_the_docstring():
    assert size.assert_form.__name__ == "assert_size"
    assert size.assert_form.__module__ == __name__
    assert inspect.signature(size.assert_form) == inspect.signature(size.function)
    assert inspect.getdoc(size.assert_form) == inspect.getdoc(size.function)


def _plain(model, *, limit):
    """No slash."""


def _variadic(model, /, *rest, limit):
    """A star that takes arguments."""


def _open(model, /, **limits):
    """Any keyword."""


def _no_subject(*, limit):
    """No subject."""


def _no_docstring(model, /, *, limit): ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_plain, "_plain: a check has subjects before a slash and promises after a star"),
        (_variadic, "_variadic: a check has subjects before a slash and promises after a star"),
        (_open, "_open: a check has subjects before a slash and promises after a star"),
        (_no_subject, "_no_subject: a check has at least one subject and a docstring"),
        (_no_docstring, "_no_docstring: a check has at least one subject and a docstring"),
    ],
)
def test_a_wrong_signature_is_refused(function, message):
    with pytest.raises(TypeError) as raised:
        check(function)
    assert str(raised.value) == message


def test_an_annotation_that_cannot_be_read_is_refused():
    def hidden(model, /, *, limit: Nowhere) -> Result:  # noqa: F821
        """It hides its validators."""

    with pytest.raises(TypeError) as raised:
        check(hidden)
    assert str(raised.value) == (
        f"{hidden.__qualname__}: the annotation of limit cannot be read (name 'Nowhere' is not defined). Import it at "
        "run time, since its validators are run"
    )


WRONG_PROMISES = [
    ({}, "size needs the promise 'at_most'; its promises are at_most, unit, label"),
    (
        {"at_mots": 3},
        "size has no promise 'at_mots' (did you mean 'at_most'?); its promises are at_most, unit, label",
    ),
    ({"at_most": 3, "zzz": 1}, "size has no promise 'zzz'; its promises are at_most, unit, label"),
    ({"at_most": None}, "at_most=None: an integer of at least 0 is expected"),
    ({"at_most": -1}, "at_most=-1: an integer of at least 0 is expected"),
    ({"at_most": True}, "at_most=True: an integer of at least 0 is expected"),
    ({"at_most": float("nan")}, "at_most=nan: an integer of at least 0 is expected"),
    ({"at_most": 3, "unit": "inch"}, "unit='inch': one of cm, m is expected"),
    ({"at_most": 3, "label": 5}, "label=5: a text (str) is expected"),
]


@pytest.mark.parametrize(("promises", "message"), WRONG_PROMISES)
def test_a_wrong_promise_is_a_config_error_everywhere(promises, message):
    for form in (size, size.assert_form):
        with pytest.raises(ConfigError) as raised:
            form(1, **promises)
        assert str(raised.value) == message
    with pytest.raises(ConfigError) as raised:
        size.bind_marker((), promises)
    assert str(raised.value) == message


def test_no_promise_at_all_is_a_config_error():
    for promises in ({}, {"most": None}, {"most": None, "least": None}):
        with pytest.raises(ConfigError) as raised:
            either.bind_marker((), promises)
        assert str(raised.value) == "either promises nothing: give at least one of most, least"


def test_validators_run_inside_optional_promises():
    with pytest.raises(ConfigError) as raised:
        either(1, 2, most=float("nan"))
    assert str(raised.value) == "most=nan: a number from 0 to 1 is expected"


@pytest.mark.parametrize("subjects", [(), (1,), (1, 2, 3)])
def test_the_number_of_subjects_is_checked(subjects):
    with pytest.raises(ConfigError) as raised:
        either(*subjects, most=1)
    assert str(raised.value) == (
        f"either takes left, right (positional), but {len(subjects)} positional arguments were given"
    )


def test_a_marker_takes_subjects_from_fixtures_of_the_same_names():
    bound = either.bind_marker((), {"most": 0.5})
    assert (bound.check, bound.fixtures, bound.promises) == (either, ("left", "right"), {"most": 0.5})


def test_a_marker_takes_subjects_from_other_fixtures():
    bound = either.bind_marker((), {"most": 0.5, "right": "other"})
    assert (bound.fixtures, bound.promises) == (("left", "other"), {"most": 0.5})


def test_a_marker_takes_no_positional_argument():
    with pytest.raises(ConfigError) as raised:
        size.bind_marker((3,), {})
    assert str(raised.value) == "modelcheck_size takes keywords only, not 3; its promises are at_most, unit, label"


def test_a_markers_subject_is_a_name():
    with pytest.raises(ConfigError) as raised:
        size.bind_marker((), {"at_most": 3, "box": 7})
    assert str(raised.value) == "modelcheck_size(box=...) is the name of a fixture, not 7"


def test_a_kept_promise_returns_its_result():
    result = size.assert_form(3, at_most=3)
    assert (result.outcome, result.check, result.subject, result.message) == ("passed", "size", "int", "")
    assert result.seconds >= 0
    assert size(3, at_most=3).ok


class Mute(Exception):
    def __str__(self):
        return str(1 / 0)


def test_a_broken_promise_raises_a_failure():
    with pytest.raises(ModelCheckFailure) as raised:
        size.assert_form(4, at_most=3, unit="m")
    assert str(raised.value) == "size of int: 4 m"
    assert isinstance(raised.value, AssertionError)
    assert size(4, at_most=3).outcome == "failed"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ZeroDivisionError("division by zero"), "not measured: ZeroDivisionError: division by zero"),
        (AssertionError(), "not measured: AssertionError"),
        (ModelCheckFailure("another promise"), "not measured: ModelCheckFailure: another promise"),
        (MemoryError("full"), "not measured: MemoryError: full"),
        (StopIteration(), "not measured: StopIteration"),
        (ModelCheckError("the data is empty"), "not measured: the data is empty"),
        (SystemExit(0), "not measured: SystemExit: 0"),
        (ValueError("x" * 2_001), f"not measured: ValueError: {'x' * 2_000}... (2,001 characters)"),
        (Mute(), "not measured: Mute: <its text cannot be read: ZeroDivisionError>"),
    ],
)
def test_an_exception_inside_is_an_error_and_no_pass(error, message):
    broken = raising(error)
    assert (broken(1, limit=2).outcome, broken(1, limit=2).promised) == ("error", "limit=2")
    with pytest.raises(ModelCheckError) as raised:
        broken.assert_form("subject", limit=2)
    assert str(raised.value) == f"broken of str: {message}"
    if type(error) is not ModelCheckError:
        assert raised.value.__cause__ is error


class Unshown:
    def __repr__(self):
        raise RuntimeError("no text")


@check
def odd(value: Any, /, *, how: Any) -> Result:
    """What a check may do."""
    if isinstance(how, Unshown):
        return how
    if how == "raise":
        raise Mute
    return Result("failed", "a", "b", f"403 of https://me:pass@host, {dict(how)} of {type(how).__name__}")


def test_an_exception_without_a_text_is_named():
    assert odd(1, how="raise").message == "odd of int: not measured: Mute: <its text cannot be read: ZeroDivisionError>"


def test_what_cannot_be_shown_is_named():
    assert odd(1, how=Unshown()).message == "odd of int: not measured: the check returned <Unshown>, not a Result"


def test_a_promise_is_read_once_and_told_without_a_password():
    message = "odd of int: 403 of https://…@host, {'a': 1} of dict"
    assert odd(1, how=MappingProxyType({"a": 1})).message == message
    given = {"a": 1}
    bound = odd.bind_marker((), {"how": given, "value": "number"})
    given["a"] = 2
    assert bound.promises == {"how": {"a": 1}}


def test_a_config_error_inside_stays_one():
    with pytest.raises(ConfigError) as raised:
        raising(ConfigError("no such shape"))(1)
    assert str(raised.value) == "no such shape"


def test_an_interrupt_inside_is_not_caught():
    with pytest.raises(KeyboardInterrupt):
        raising(KeyboardInterrupt())(1)


class Pretended:
    """It says that it is a result."""

    __class__ = Result
    ok, outcome, parts, changes, message = True, "passed", (), (), ""

    def __repr__(self):
        return "<pretended>"


@pytest.mark.parametrize("value", [None, True, "passed", 1, {"outcome": "passed"}, Pretended()])
def test_a_check_that_returns_no_result_is_an_error(value):
    with pytest.raises(ModelCheckError) as raised:
        returning(value).assert_form("subject")
    assert str(raised.value) == f"odd of str: not measured: the check returned {value!r}, not a Result"


@pytest.mark.parametrize(("subject", "name"), [(int, "int"), (len, "len"), (torch.nn.Linear, "Linear"), ([], "list")])
def test_a_subject_is_named_by_its_type_or_by_itself(subject, name):
    assert returning(Result("passed", "a", "b"))(subject).subject == name


def test_results_are_recorded_in_the_context():
    rows = []
    with Context(record=rows.append).active():
        size.assert_form(1, at_most=3)
        with pytest.raises(ModelCheckFailure):
            size.assert_form(4, at_most=3)
        with pytest.raises(ModelCheckError):
            raising(ValueError("x")).assert_form(1)
        size(1, at_most=3)
    size.assert_form(1, at_most=3)
    assert [(row.check, row.outcome) for row in rows] == [("size", "passed"), ("size", "failed"), ("broken", "error")]


def test_a_context_ends_where_it_ends():
    outer, inner = Context(seed=1), Context(seed=2)
    with outer.active():
        with pytest.raises(ValueError, match="leave"), inner.active():
            assert current() is inner
            raise ValueError("leave")
        assert current() is outer
    assert current() not in (outer, inner)


def test_what_a_check_leaves_behind_is_restored_and_named():
    @check
    def careless(subject, /, *, limit: Count = 1) -> Result:
        """It changes the world."""
        torch.set_default_dtype(torch.float64)
        random.seed(5)
        return Result("failed", "a", "b", message="broken", changes=("its own",))

    state = random.getstate()
    with pytest.raises(ModelCheckFailure) as raised:
        careless.assert_form(1)
    assert str(raised.value) == (
        "careless of int: broken\nThe check also changed its surroundings (restored): its own; the default dtype was "
        "changed from torch.float32 to torch.float64"
    )
    assert torch.get_default_dtype() == torch.float32
    assert random.getstate() == state


def test_the_world_is_restored_where_a_check_raises():
    @check
    def careless(subject, /, *, limit: Count = 1) -> Result:
        """It changes the world and raises."""
        torch.set_grad_enabled(False)
        raise ValueError("lost")

    result = careless(1)
    assert (result.outcome, result.changes) == ("error", ("the grad mode was changed from True to False",))
    assert torch.is_grad_enabled()


def test_a_check_is_a_check():
    assert isinstance(size, Check)
    assert size.__wrapped__ is size.function


def test_a_check_that_uses_its_promises_up_shows_what_was_promised():
    @check
    def sizes(subject, /, *, allowed: list) -> Result:
        """It takes its own list apart."""
        allowed.clear()
        raise RuntimeError("nothing is left")

    promises = [3, 4]
    result = sizes(None, allowed=promises)
    assert (result.outcome, result.promised, promises) == ("error", "allowed=[3, 4]", [3, 4])
