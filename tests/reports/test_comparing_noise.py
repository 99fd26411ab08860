"""The bounds of a difference: Newcombe's published ones, those made by hand, and as often right as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_modelcheck import ModelCheckError, Number
from pytest_modelcheck.reports.noise import Difference, difference, move, number_of


def _wilson(right, size):
    z, share = stats.norm.ppf(0.975), right / size
    centre, reach = share + z * z / 2 / size, z * math.sqrt(share * (1 - share) / size + z * z / 4 / size**2)
    low, high = ((centre + side * reach) / (1 + z * z / size) for side in (-1, 1))
    return Number("share", share, min(low, share), max(high, share), 0.975)


def _clopper_pearson(right, size, confidence=0.95):
    low = stats.beta.isf(confidence, right, size - right + 1) if right else 0.0
    high = stats.beta.ppf(confidence, right + 1, size - right) if right < size else 1.0
    return Number("share", right / size, float(low), float(high), confidence)


# Newcombe (1998), Statistics in Medicine 17:873-890, table II, method 10: first less second share, 95 % on two sides.
NEWCOMBE = [
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0000),
    ((10, 10), (0, 10), 0.6075, 1.0000),
]


@pytest.mark.parametrize(("first", "second", "low", "high"), NEWCOMBE)
def test_with_wilsons_bounds_it_is_newcombes_published_interval(first, second, low, high):
    found = difference(_wilson(*second), _wilson(*first))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_with_the_bounds_of_clopper_and_pearson_it_is_what_the_formula_gives_by_hand():
    # 9,888 of 10,000 before, 9,701 of 10,000 now: one-sided bounds 0.986909, 0.990475 and 0.967145, 0.972850.
    old, new = _clopper_pearson(9_888, 10_000), _clopper_pearson(9_701, 10_000)
    assert [round(bound, 6) for bound in (old.low, old.high, new.low, new.high)] == [
        0.986909,
        0.990475,
        0.967145,
        0.972850,
    ]
    found = difference(old, new)
    assert found.value == pytest.approx(-0.0187)
    # sqrt(0.002955^2 + 0.001675^2) = 0.003396, and sqrt(0.002750^2 + 0.001891^2) = 0.003337.
    assert (round(found.low, 6), round(found.high, 6)) == (-0.022096, -0.015363)
    assert found.is_beyond_noise


def test_the_difference_turned_round_has_the_bounds_turned_round():
    one, other = _clopper_pearson(90, 100), _clopper_pearson(70, 100)
    there, back = difference(one, other), difference(other, one)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))


COVERED = [
    (0.5, 0.5, 50, 50),
    (0.9, 0.8, 100, 60),
    (0.98, 0.98, 500, 500),
    (0.99, 0.95, 1000, 200),
    (0.8, 0.9, 40, 900),
]


@pytest.mark.parametrize(("old", "new", "size_of_old", "size_of_new"), COVERED)
def test_each_bound_is_right_as_often_as_its_confidence_says(old, new, size_of_old, size_of_new):
    random, runs = np.random.default_rng(0), 20_000
    right = random.binomial(size_of_old, old, runs), random.binomial(size_of_new, new, runs)
    befores = {count: _clopper_pearson(int(count), size_of_old) for count in np.unique(right[0])}
    nows = {count: _clopper_pearson(int(count), size_of_new) for count in np.unique(right[1])}
    pairs, times = np.unique(np.stack(right), axis=1, return_counts=True)
    found = [difference(befores[before], nows[now]) for before, now in pairs.T]
    truth = new - old
    for holds in ([item.low <= truth for item in found], [truth <= item.high for item in found]):
        assert 0.95 <= np.average(holds, weights=times) < 0.99


def test_of_the_same_samples_the_bounds_are_wider_than_they_had_to_be():
    random, size, runs = np.random.default_rng(0), 500, 4_000
    easy = random.binomial(size, 0.9, runs)  # right for both models
    old, new = (easy + random.binomial(size - easy, 0.5) for _ in range(2))
    bounds = {count: _clopper_pearson(int(count), size) for count in np.unique([old, new])}
    beyond = [difference(bounds[before], bounds[now]).is_beyond_noise for before, now in zip(old, new, strict=True)]
    assert np.mean(beyond) < 0.05  # of two sides that err with 0.05 each


def test_numbers_without_bounds_are_exact():
    found = difference(Number("parameters", 53_994), Number("parameters", 54_100))
    assert found == Difference(106, 106, 106, 0.95)
    assert isinstance(found.value, int)
    assert found.is_exact
    assert not difference(Number("loss", 0.5), Number("loss", 0.5)).is_beyond_noise


def test_a_bound_that_is_missing_is_the_number_itself():
    old, new = Number("share", 0.9, 0.85, 0.94, 0.9), Number("share", 0.8)
    found = difference(old, new)
    assert (found.value, found.low, found.high) == pytest.approx((-0.1, -0.1 - 0.04, -0.1 + 0.05))
    assert found.confidence == 0.9


def test_the_confidence_of_a_difference_is_the_lower_one():
    assert difference(Number("a", 0.5, 0.4, 0.6, 0.99), Number("a", 0.5, 0.4, 0.6, 0.9)).confidence == 0.9


MOVES = [
    (-0.2, -0.1, "higher", "worse"),
    (-0.2, -0.1, "lower", "better"),
    (0.1, 0.2, "higher", "better"),
    (0.1, 0.2, "lower", "worse"),
    (0.1, 0.2, "", "changed"),
    (-0.2, -0.1, "", "changed"),
    (-0.2, 0.0, "higher", "same"),
    (0.0, 0.2, "lower", "same"),
    (-0.1, 0.1, "", "same"),
    (0, 0, "higher", "same"),
]


@pytest.mark.parametrize(("low", "high", "better", "expected"), MOVES)
def test_only_what_excludes_that_nothing_changed_moved(low, high, better, expected):
    assert move(Difference((low + high) / 2, low, high, 0.95), better) == expected


NO_NUMBERS = [
    (5, "a mapping is expected, not 5"),
    ([], "a mapping is expected, not []"),
    ({"name": "a", "value": "5"}, "its value is no number: '5'"),
    ({"name": "a", "value": True}, "its value is no number: True"),
    ({"name": "a", "value": None}, "its value is no number: None"),
    ({"name": "a"}, "its value is no number: None"),
    ({"name": "a", "value": 5, "low": []}, "its low is no number: []"),
    (
        {"name": "a", "value": 5, "low": 6},
        "the numbers of a are finite, and in the order of low, value and high: 6.0, 5.0",
    ),
    ({"name": "a", "value": math.inf}, "the numbers of a are finite, and in the order of low, value and high: inf"),
    ({"name": "a", "value": 10**400}, "int too large to convert to float"),
    ({"name": 5, "value": 5}, "a number has a text for its name and a number for its value: 5, 5"),
    ({"name": "a", "value": 5, "confidence": 1}, "its confidence is not between 0 and 1: 1"),
    ({"name": "a", "value": 5, "confidence": None}, "its confidence is no number: None"),
    ({"name": "a", "value": 5, "better": "up"}, "better is one of 'higher', 'lower', '', not 'up'"),
    ({"name": "a", "value": 5, "better": []}, "better is one of 'higher', 'lower', '', not []"),
]


@pytest.mark.parametrize(("told", "why"), NO_NUMBERS)
def test_what_is_no_number_is_an_error_that_says_why(told, why):
    with pytest.raises(ModelCheckError) as caught:
        number_of({"gate": "t.py::test_it", "number": told})
    assert str(caught.value) == f"the number of t.py::test_it cannot be compared: {why}"


def test_a_key_that_no_number_has_is_an_error():
    with pytest.raises(ModelCheckError, match="unexpected keyword argument 'unit'"):
        number_of({"gate": "t.py::test_it", "number": {"name": "a", "value": 5, "unit": "m"}})


@pytest.mark.parametrize("row", [{"gate": "a", "number": None}, {"gate": "a"}])
def test_a_row_may_have_none(row):
    assert number_of(row) is None
