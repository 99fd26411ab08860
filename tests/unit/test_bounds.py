"""What every family of metrics needs for an interval: Student's quantile as scipy has it, and values that agree."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassRecall

from pytest_modelcheck.evaluation.bounds import NoInterval, require_agreement, t_quantile, values_of


@given(st.one_of(st.integers(1, 60), st.integers(1, 5_000)), st.floats(0.5, 0.9999))
def test_a_quantile_of_students_distribution_is_scipys(freedom, confidence):
    assert t_quantile(confidence, freedom) == pytest.approx(stats.t.ppf(confidence, freedom), rel=2e-9, abs=1e-9)


@pytest.mark.parametrize("confidence", [0.5, 0.6, 0.75, 0.9, 0.95, 0.975, 0.99, 0.9995, 1 - 1e-6])
@pytest.mark.parametrize("freedom", [1, 2, 3, 10, 999, 1_000, 1_001, 10_000, 10**6, 10**9])
def test_the_quantiles_that_are_asked_for_are_scipys(confidence, freedom):
    assert t_quantile(confidence, freedom) == pytest.approx(stats.t.ppf(confidence, freedom), rel=2e-9, abs=1e-12)


@pytest.mark.parametrize("freedom", [1_000, 1_001, 2_000])
def test_the_expansion_has_all_of_its_terms(freedom):
    # The last of them is some 1e-9 of the quantile.
    assert t_quantile(0.95, freedom) == pytest.approx(stats.t.ppf(0.95, freedom), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("confidence", "freedom", "published"),
    [
        # Abramowitz and Stegun, table 26.10.
        (0.95, 1, "6.314"),
        (0.975, 1, "12.706"),
        (0.99, 1, "31.821"),
        (0.95, 5, "2.015"),
        (0.995, 10, "3.169"),
        (0.975, 30, "2.042"),
        (0.95, 120, "1.658"),
    ],
)
def test_the_published_quantiles(confidence, freedom, published):
    assert f"{t_quantile(confidence, freedom):.3f}" == published


def test_one_degree_of_freedom_is_cauchys_distribution():
    for confidence in (0.5, 0.75, 0.9, 0.999):
        cauchy = math.tan(math.pi * (confidence - 0.5))
        assert t_quantile(confidence, 1) == pytest.approx(cauchy, rel=1e-10, abs=1e-15)


def test_both_ways_meet_at_a_thousand_degrees_of_freedom():
    # From one to the next the quantile changes by some two millionths of itself, and by no more where the ways part.
    steps = [t_quantile(0.95, freedom) - t_quantile(0.95, freedom + 1) for freedom in (998, 999, 1_000)]
    assert steps == pytest.approx([steps[0]] * 3, rel=0.01)


@pytest.mark.parametrize(
    ("measured", "expected", "message"),
    [
        ([0.9, 0.8], [0.9], "its value is not the mean (2 numbers against 1)"),
        ([], [0.9], "its value is not the mean (0 numbers against 1)"),
        ([math.nan], [math.nan], "its value is nan"),
        ([0.5, math.inf], [0.5, math.inf], "its value is inf"),
        ([0.5], [math.nan], "its value is not the mean (0.5 against nan)"),
        ([0.5, 0.123456789], [0.5, 123456.789], "its value is not the mean (0.123457 against 123457)"),
        ([0.5], [0.5001], "its value is not the mean (0.5 against 0.5001)"),
        ([0.5001], [0.5], "its value is not the mean (0.5001 against 0.5)"),
    ],
)
def test_values_that_do_not_agree_have_no_interval(measured, expected, message):
    with pytest.raises(NoInterval, match=f"^{re.escape(message)}$"):
        require_agreement(measured, expected, "the mean", 1e-5)


def test_values_that_agree_as_nearly_as_was_asked_for_say_nothing():
    require_agreement([0.5, 2.0], [0.5 + 2**-10, 2.0 - 2**-10], "the mean", 2**-10)
    require_agreement([], [], "the mean", 0)
    with pytest.raises(NoInterval):
        require_agreement([0.5], [0.5 + 2**-10], "the mean", 2**-11)


def test_a_value_that_is_no_tensor_has_no_interval():
    with pytest.raises(NoInterval, match="^its value is no tensor but dict$"):
        values_of(SimpleNamespace(compute=lambda: {"f1": 0.5}))


def test_the_values_of_a_metric_are_flat():
    metric = MeanMetric()
    metric.update(torch.tensor([1.0, 2.0]))
    assert values_of(metric) == [1.5]
    recalls = MulticlassRecall(3, average=None)
    recalls.update(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2]))
    assert values_of(recalls) == [1.0, 0.5, 1.0]
