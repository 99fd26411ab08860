"""Numbers meet promises: the right verdict or a clear error, never a wrong pass."""

from __future__ import annotations

import enum
import math
import sys
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelcheck.comparison import Comparison, at_least, at_most, equal, exact, promised_number
from pytest_modelcheck.errors import ConfigError, MissingDependency


def kind_of(value):
    return f"{type(value).__module__}.{type(value).__name__}"


class Table(np.ndarray):
    """An array of somebody's own kind."""


class Share(Fraction):
    """A fraction of somebody's own kind."""


class Kind(enum.IntEnum):
    THREE = 3


FINITE = st.floats(allow_nan=False, allow_infinity=False)

NO_NUMBERS = [
    None,
    True,
    False,
    "0.9",
    b"1",
    "nan",
    float("nan"),
    float("inf"),
    float("-inf"),
    complex(1, 0),
    [1],
    (),
    {},
    object(),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("1E+999999"),
    Decimal("1E-999999"),
    np.float32("nan"),
    np.float64("inf"),
    np.array(float("nan")),
    np.array([0.9]),
    np.bool_(True),
    np.str_("0.9"),
    np.timedelta64(5, "ns"),
    np.datetime64(5, "ns"),
    np.array(5, dtype="m8[ns]"),
    np.complex64(1),
    np.void(b"1"),
    np.bytes_(b"5"),
    np.zeros((), dtype=[("share", float)]),
    np.longdouble("nan"),
    np.longdouble("-inf"),
    np.float16("inf"),
    np.array(Fraction(1, 3), dtype=object),
    np.array(True, dtype=object),
    np.ma.masked,
    np.ma.array(0.9, mask=True),
    torch.tensor(float("nan")),
    torch.tensor(float("inf"), dtype=torch.float16),
    torch.tensor([0.9]),
    torch.tensor(True),
    torch.tensor(1 + 0j),
    torch.tensor(0.9, device="meta"),
    torch.tensor(float("nan"), dtype=torch.bfloat16),
    torch.tensor(float("-inf"), dtype=torch.float32),
    Decimal("1E+401"),
    Decimal("-1E-401"),
    np.float32,
    torch.float32,
    SimpleNamespace(shape=(), item=lambda: 0.9),
    SimpleNamespace(shape=(), dtype="float64", item=0.9),
    SimpleNamespace(shape=(1,), dtype="float64", item=lambda: 0.9),
]

NUMBERS = [
    (0, Fraction(0)),
    (10**40, Fraction(10**40)),
    (-0.0, Fraction(0)),
    (5e-324, Fraction("5e-324")),
    (1.7976931348623157e308, Fraction("1.7976931348623157e308")),
    (0.1, Fraction(1, 10)),
    (Fraction(1, 3), Fraction(1, 3)),
    (Decimal("0.95"), Fraction(19, 20)),
    (Decimal("-0"), Fraction(0)),
    (np.float64(0.1), Fraction(1, 10)),
    (np.float32(0.1), Fraction(1, 10)),
    (np.float16(0.1), Fraction(1, 10)),
    (np.array(0.1, dtype=np.float32), Fraction(1, 10)),
    (np.int64(-3), Fraction(-3)),
    (np.uint8(200), Fraction(200)),
    (np.array(7), Fraction(7)),
    (np.uint64(2**64 - 1), Fraction(2**64 - 1)),
    (np.longdouble("0.1"), Fraction(1, 10)),
    (np.array("-0.1", dtype=np.longdouble), Fraction(-1, 10)),
    (np.array(0.1, dtype=object), Fraction(1, 10)),
    (np.ma.array(np.float32(0.1), mask=False), Fraction(1, 10)),
    (np.array(np.float32(0.1)).view(Table), Fraction(1, 10)),
    (np.array(0.1, dtype=">f4"), Fraction(1, 10)),
    (np.array(0.1, dtype=">f2"), Fraction(1, 10)),
    (np.array(2.0**-44), Fraction(repr(2.0**-44))),
    (Decimal("1E+400"), Fraction(10**400)),
    (Decimal("-1E-400"), Fraction(-1, 10**400)),
    (Kind.THREE, Fraction(3)),
    (Share(1, 3), Fraction(1, 3)),
    (SimpleNamespace(shape=(), dtype="float64", item=lambda: 0.9), Fraction(9, 10)),
    (SimpleNamespace(shape=(), dtype="float64", item=lambda: 3), Fraction(3)),
    (torch.tensor(0.1, dtype=torch.float64), Fraction(1, 10)),
    (torch.tensor(0.5, requires_grad=True), Fraction(1, 2)),
    (torch.tensor(-9), Fraction(-9)),
    (torch.tensor(0.1), Fraction(1, 10)),
    (torch.tensor(0.1, dtype=torch.float16), Fraction(1, 10)),
    (torch.tensor(0.1, dtype=torch.bfloat16), Fraction(205, 2048)),
    (torch.tensor(0.5).to(torch.float8_e4m3fn), Fraction(1, 2)),
    (torch.tensor(200, dtype=torch.uint8), Fraction(200)),
    (torch.nn.Parameter(torch.tensor(0.1)), Fraction(1, 10)),
]


@pytest.mark.parametrize(("value", "fraction"), NUMBERS, ids=kind_of)
def test_numbers_are_read_exactly(value, fraction):
    assert exact(value) == fraction


@pytest.mark.parametrize("value", NO_NUMBERS, ids=kind_of)
def test_what_is_no_finite_number_keeps_no_promise(value):
    assert exact(value) is None
    for compare in (at_least, at_most, equal):
        for promised in (Fraction(0), Fraction(-(10**9)), Fraction(10**9), Fraction(9, 10)):
            comparison = compare(value, promised)
            assert comparison.ok is False
            assert comparison.margin is None
            assert comparison.problem == f"{value!r} is not a finite number"


@pytest.mark.parametrize("value", NO_NUMBERS, ids=kind_of)
def test_what_is_no_finite_number_is_no_promise(value):
    with pytest.raises(ConfigError) as raised:
        promised_number("min", value)
    assert str(raised.value) == f"min={value!r}: a finite number is expected"


@given(FINITE)
def test_a_float_is_the_decimal_that_it_prints_as(value):
    assert exact(value) == Fraction(repr(value))
    assert exact(np.float64(value)) == Fraction(repr(value))


@given(FINITE, FINITE)
def test_verdicts_are_those_of_the_floats(measured, promised):
    bound = exact(promised)
    assert at_least(measured, bound).ok == (measured >= promised)
    assert at_most(measured, bound).ok == (measured <= promised)
    assert equal(measured, bound).ok == (measured == promised)


SCALARS = [np.float16, np.float32, np.float64, np.int8, np.int64, np.uint8]
NUMBER = st.one_of(
    st.integers(),
    FINITE,
    st.fractions(),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40, places=9),
    st.builds(lambda kind, value: kind(value), st.sampled_from(SCALARS), st.integers(0, 100)),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(np.float32),
    st.floats(width=16, allow_nan=False, allow_infinity=False).map(np.float16).map(np.array),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(torch.tensor),
    st.floats(width=16, allow_nan=False, allow_infinity=False).map(lambda value: torch.tensor(value).bfloat16()),
)
ANYTHING = st.one_of(NUMBER, st.sampled_from(NO_NUMBERS), st.text(), st.floats(), st.decimals(), st.complex_numbers())


@pytest.mark.parametrize("kind", SCALARS)
@given(value=st.integers(0, 127), parts=st.integers(1, 128))
def test_a_number_has_one_reading_whatever_holds_it(kind, value, parts):
    scalar = kind(value / parts)
    array = np.array(scalar)
    held = [array, array.view(Table), np.ma.array(array), torch.tensor(array), torch.tensor(array).to_sparse()]
    assert {exact(number) for number in held} == {exact(scalar)}
    assert exact(scalar) == Fraction(str(scalar))


@given(NUMBER, NUMBER)
def test_one_of_two_numbers_is_at_least_the_other_and_both_are_only_if_they_are_equal(one, other):
    low, high = exact(one), exact(other)
    assert at_least(one, high).ok is (low >= high)
    assert at_most(one, high).ok is (low <= high)
    assert equal(one, high).ok is (low == high)
    assert equal(one, high).ok is (at_least(one, high).ok and at_most(one, high).ok)
    assert at_least(one, high).ok or at_least(other, low).ok
    assert at_least(one, high).ok is at_most(other, low).ok


@given(NUMBER, NUMBER)
def test_of_the_negatives_the_opposite_holds(one, other):
    number, promised = exact(one), exact(other)
    assert at_least(-number, -promised) == at_most(one, promised)
    assert at_most(-number, -promised) == at_least(one, promised)


@given(NUMBER, st.fractions())
def test_a_margin_is_the_room_as_a_share_of_promises_above_one(measured, promised):
    room = (exact(measured) - promised) / max(1, abs(promised))
    for comparison, expected in ((at_least(measured, promised), room), (at_most(measured, promised), -room)):
        assert comparison.margin == (float(expected) if abs(expected) < 10**308 else comparison.margin)
        assert comparison.problem == ""
    assert equal(measured, promised).margin is None


@pytest.mark.parametrize(
    ("measured", "promised", "margin"),
    [("0.99", "0.98", 0.01), ("0.97", "0.98", -0.01), ("3", "2", 0.5), ("1.5", "2", -0.25), ("-3", "-2", -0.5)],
)
def test_the_margin_of_a_share_is_in_points_and_of_a_size_in_its_parts(measured, promised, margin):
    assert at_least(Fraction(measured), Fraction(promised)).margin == margin
    assert at_most(Fraction(measured), Fraction(promised)).margin == -margin


def test_a_margin_that_no_float_holds_is_none():
    assert at_least(10**400, Fraction(1)) == Comparison(ok=True, margin=None)
    assert at_most(10**400, Fraction(1)) == Comparison(ok=False, margin=None)
    assert at_least(np.longdouble("1e4000"), Fraction(1)) == Comparison(ok=True, margin=None)


@given(ANYTHING, st.sampled_from([{}, {"low": 0}, {"low": 0, "high": 1}, {"low": -5, "high": 10**6}]))
def test_a_promise_is_a_number_in_its_range_or_an_error(value, bounds):
    number = exact(value)
    if number is not None and bounds.get("low", number) <= number <= bounds.get("high", number):
        assert promised_number("min", value, **bounds) == number
    else:
        with pytest.raises(ConfigError, match="^min="):
            promised_number("min", value, **bounds)


@given(ANYTHING)
def test_whatever_passes_is_a_finite_number(value):
    for comparison in (at_least(value, Fraction(-(10**9))), at_most(value, Fraction(10**9)), equal(value, Fraction(0))):
        assert comparison.ok is (comparison.ok and exact(value) is not None)
        assert (comparison.problem == "") is (exact(value) is not None)


def test_a_mask_hides_a_number_that_would_pass():
    for hidden in (np.ma.masked, np.ma.array(np.float32(0.99), mask=True)):
        assert not at_least(hidden, Fraction(0)).ok
        assert not at_most(hidden, Fraction(1)).ok
    assert at_least(np.ma.array(np.float32(0.99), mask=False), Fraction("0.99")).ok


def test_a_tensor_of_float32_keeps_the_promise_that_it_prints():
    value = torch.tensor(9_500 / 10_000)
    assert value.double() < 0.95
    assert at_least(value, Fraction("0.95")) == Comparison(ok=True, margin=0.0)
    assert not at_least(torch.nextafter(value, torch.tensor(0.0)), Fraction("0.95")).ok


def test_a_value_whose_own_methods_fail_is_no_number():
    class Failing:
        def __repr__(self):
            raise RuntimeError("no text")

        @property
        def shape(self):
            raise RuntimeError("no shape")

    assert at_least(Failing(), Fraction(0)).problem == "<Failing> is not a finite number"
    with pytest.raises(ConfigError, match="^min=<Failing>: a finite number is expected$"):
        promised_number("min", Failing())


def test_a_float32_without_numpy_is_an_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingDependency) as raised:
        exact(torch.tensor(0.5))
    assert str(raised.value) == (
        "reading a number of float32 needs numpy, which cannot be imported (import of numpy halted; None in "
        'sys.modules). pip install "pytest-modelcheck[torch]"'
    )
    assert exact(torch.tensor(3)) == 3


@given(FINITE, FINITE)
def test_a_margin_is_finite_and_has_the_sign_of_the_verdict(measured, promised):
    for compare in (at_least, at_most):
        comparison = compare(measured, exact(promised))
        assert comparison.margin is None or math.isfinite(comparison.margin)
        if comparison.margin is not None:
            assert (comparison.margin >= 0) >= comparison.ok
            assert comparison.margin <= 0 or comparison.ok


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_is_the_shortest_decimal_of_its_own_precision(value):
    number = np.float32(value)
    assert exact(number) == Fraction(np.format_float_scientific(number))
    assert np.float32(float(exact(number))) == number


@given(st.integers(), st.integers())
def test_integers_are_compared_as_they_are(measured, promised):
    assert equal(measured, Fraction(promised)).ok == (measured == promised)
    assert at_least(measured, Fraction(promised)).ok == (measured >= promised)


@given(st.decimals())
def test_any_decimal_is_a_fraction_or_nothing(value):
    number = exact(value)
    assert number is None or number == Fraction(value)


@given(st.one_of(st.none(), st.booleans(), st.text(), st.binary(), st.just(math.nan), st.lists(st.integers())))
def test_no_value_that_is_no_number_ever_passes(value):
    assert not at_least(value, Fraction(-1)).ok
    assert not at_most(value, Fraction(10**12)).ok
    assert not equal(value, Fraction(1)).ok
    assert not equal(value, Fraction(0)).ok


@pytest.mark.parametrize("share", ["0.9", "0.95", "0.7", "0.98", "0.07", "0.29", "0.57", "0.58"])
@pytest.mark.parametrize("size", [100, 10_000])
def test_a_share_at_its_threshold_passes_and_one_sample_fewer_fails(share, size):
    threshold = promised_number("min", float(share), low=0, high=1)
    needed = Fraction(share) * size
    assert needed.denominator == 1
    assert at_least(Fraction(needed, size), threshold).ok
    assert not at_least(Fraction(needed - 1, size), threshold).ok
    assert at_least(int(needed) / size, threshold).ok


def test_seven_percent_of_a_hundred_is_seven():
    assert math.ceil(0.07 * 100) == 8
    assert math.ceil(promised_number("min", 0.07) * 100) == 7


class Most:
    """It is larger than everything, and equal to it."""

    def __ge__(self, other):
        return True

    __gt__ = __le__ = __lt__ = __eq__ = __ge__
    __hash__ = None

    def __sub__(self, other):
        return self

    __rsub__ = __mul__ = __truediv__ = __sub__
    numerator = denominator = 10**9

    def as_integer_ratio(self):
        return 10**9, 1


class MostWhole(Most, int):
    pass


class MostShare(Most, float):
    pass


class MostFraction(Most, Fraction):
    pass


class MostDecimal(Most, Decimal):
    def is_finite(self):
        return True


class Masked(Most):
    @property
    def __class__(self):
        return int

    def __repr__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize("kind", [MostWhole, MostShare, MostFraction, MostDecimal])
def test_what_is_larger_than_everything_is_the_number_that_it_is(kind):
    assert type(exact(kind(0))) is Fraction
    assert exact(kind(0)) == 0
    assert not at_least(kind(0), Fraction(9, 10)).ok
    assert not at_most(kind(2), Fraction(1)).ok
    assert not equal(kind(2), Fraction(1)).ok
    assert at_least(kind(1), Fraction(9, 10)).ok


@pytest.mark.parametrize("value", [Most(), Masked(), MostDecimal("NaN"), MostShare("inf")], ids=kind_of)
def test_what_is_larger_than_everything_and_no_number_keeps_no_promise(value):
    assert not at_least(value, Fraction(0)).ok
    with pytest.raises(ConfigError):
        promised_number("min", value)


def test_what_cannot_be_shown_is_named_by_its_class():
    with pytest.raises(ConfigError) as raised:
        promised_number("min", Masked())
    assert str(raised.value) == "min=<Masked>: a finite number is expected"


def test_a_float_that_prints_itself_rounded_is_not_believed():
    class Rounded(float):
        def __str__(self):
            return f"{float(self):.2f}"

        __repr__ = __str__

    assert exact(Rounded(0.9499)) == Fraction("0.9499")
    assert not at_least(Rounded(0.9499), Fraction("0.95")).ok


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_numpy_that_prints_few_digits_changes_no_verdict(kind):
    value = np.nextafter(kind(0.95), kind(0), dtype=kind)
    with np.printoptions(legacy="1.13", precision=2):
        assert not at_least(value, Fraction("0.95")).ok
        assert not at_least(np.array(value), Fraction("0.95")).ok


@pytest.mark.parametrize(
    ("bounds", "value", "message"),
    [
        ({"low": 0, "high": 1}, 98, "min=98: a number from 0 to 1 is expected"),
        ({"low": 0, "high": 1}, -0.1, "min=-0.1: a number from 0 to 1 is expected"),
        ({"low": 0, "high": 1}, 1.0000000000000002, "min=1.0000000000000002: a number from 0 to 1 is expected"),
        ({"low": 0}, -1, "min=-1: a number of at least 0 is expected"),
        ({"low": 0, "high": 1}, "0.9", "min='0.9': a number from 0 to 1 is expected"),
        ({}, float("nan"), "min=nan: a finite number is expected"),
        ({"low": 0, "high": 1}, 10**5000, "min=<int of too many digits>: a number from 0 to 1 is expected"),
    ],
    ids=["98", "negative", "above one", "below zero", "string", "nan", "huge"],
)
def test_a_promise_out_of_range_is_named(bounds, value, message):
    with pytest.raises(ConfigError) as raised:
        promised_number("min", value, **bounds)
    assert str(raised.value) == message


@pytest.mark.parametrize("value", [0, 1, 0.0, -0.0, 1.0, np.float32(1), torch.tensor(0), Decimal(1), Fraction(1)])
def test_the_bounds_themselves_are_in_range(value):
    assert promised_number("min", value, low=0, high=1) in (0, 1)
