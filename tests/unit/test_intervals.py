"""The arithmetic of certified promises: as scipy, exact fractions and published tables have it."""

from __future__ import annotations

import math
import re
import time
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from pytest_modelcheck.evaluation.intervals import (
    RecipeTest,
    clopper_pearson,
    drop_bound,
    flake_rate,
    lower_bound,
    mcnemar_mid_p,
    needed_for,
    normal_quantile,
    smallest_size,
    upper_bound,
)

COUNTS = st.integers(1, 10**6).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size)))
CONFIDENCES = st.sampled_from((0.5, 0.8, 0.9, 0.95, 0.975, 0.99, 0.999, 0.999999))
THRESHOLDS = st.integers(1, 9_999).map(lambda share: Fraction(share, 10_000))


def error_of(confidence):
    return 1 - Fraction(str(confidence))


def exact_tail(correct, size, share):
    """P(Bin(size, share) >= correct), in fractions."""
    return sum(
        (math.comb(size, count) * share**count * (1 - share) ** (size - count) for count in range(correct, size + 1)),
        Fraction(0),
    )


@given(COUNTS, CONFIDENCES)
def test_the_bounds_are_quantiles_of_the_beta_distribution(counts, confidence):
    correct, size = counts
    low = stats.beta.isf(confidence, correct, size - correct + 1) if correct else 0.0
    high = stats.beta.ppf(confidence, correct + 1, size - correct) if correct < size else 1.0
    assert lower_bound(correct, size, confidence) == pytest.approx(low, rel=1e-9)
    assert upper_bound(correct, size, confidence) == pytest.approx(high, rel=1e-9)


@given(COUNTS, st.floats(0.001, 0.999))
def test_a_bound_at_any_confidence_leaves_the_rest_of_it_to_the_tail(counts, confidence):
    correct, size = counts
    assume(correct > 0)
    tail = stats.binom.sf(correct - 1, size, lower_bound(correct, size, confidence))
    assert tail == pytest.approx(1 - confidence, rel=1e-6)


@pytest.mark.parametrize("size", [1, 2, 7, 40, 1_000])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_the_interval_is_scipys_exact_one(size, confidence):
    for correct in range(0, size + 1, max(1, size // 40)):
        expected = stats.binomtest(correct, size).proportion_ci(confidence, method="exact")
        assert clopper_pearson(correct, size, confidence) == pytest.approx((expected.low, expected.high), rel=1e-9)


@pytest.mark.parametrize("confidence", [1e-300, 1e-12, 1e-6])
def test_a_bound_of_next_to_no_confidence_is_that_of_the_other_tail(confidence):
    # P(Bin(10, p) <= 2) = confidence.
    assert lower_bound(3, 10, confidence) == pytest.approx(1 - stats.beta.ppf(confidence, 8, 3), rel=1e-12)
    assert upper_bound(3, 10, confidence) == pytest.approx(stats.beta.ppf(confidence, 4, 7), abs=1e-12)


def test_the_bounds_of_ten_million_samples_are_scipys():
    correct, size = 9_800_000, 10**7
    assert lower_bound(correct, size, 0.95) == pytest.approx(
        stats.beta.ppf(0.05, correct, size - correct + 1), rel=1e-12
    )
    assert lower_bound(size, size, 0.95) == pytest.approx(0.05 ** (1 / size), rel=1e-15)
    assert upper_bound(0, size, 0.95) == pytest.approx(-math.expm1(math.log(0.05) / size), rel=1e-8)


def test_the_figures_of_a_test_set_of_ten_thousand():
    assert needed_for(Fraction("0.98"), 10_000, 0.95) == 9_824
    assert lower_bound(9_824, 10_000, 0.95) >= 0.98
    assert f"{lower_bound(9_823, 10_000, 0.95):.5f}" == "0.97997"
    assert f"{lower_bound(9_800, 10_000, 0.95):.4f}" == "0.9775"


@given(st.integers(1, 10**6), THRESHOLDS, CONFIDENCES)
def test_the_needed_number_is_the_smallest_by_scipys_tail(size, threshold, confidence):
    error, needed = float(error_of(confidence)), needed_for(threshold, size, confidence)
    fewer = size if needed is None else needed - 1
    assert needed is None or stats.binom.sf(needed - 1, size, float(threshold)) <= error * (1 + 1e-9)
    assert stats.binom.sf(fewer - 1, size, float(threshold)) > error * (1 - 1e-9)


@given(
    st.integers(1, 40),
    st.sampled_from([Fraction(text) for text in ("0.07", "0.1", "1/4", "1/3", "0.5", "0.7", "0.9", "0.95", "0.98")]),
    # Several of these are the tail of one of those shares, exactly.
    st.sampled_from((0.1, 0.19, 0.5, 0.6875, 0.75, 0.875, 0.9, 0.9375, 0.95, 0.96875, 0.99, 0.999)),
)
def test_the_needed_number_is_the_smallest_in_fractions(size, threshold, confidence):
    kept = [count for count in range(size + 1) if exact_tail(count, size, threshold) <= error_of(confidence)]
    assert needed_for(threshold, size, confidence) == (kept[0] if kept else None)


@pytest.mark.parametrize(
    ("threshold", "size", "confidence", "needed"),
    [
        ("0.5", 4, 0.6875, 3),  # 5/16 of all outcomes have 3 or more
        ("0.5", 5, 0.5, 3),
        ("0.5", 1_001, 0.5, 501),
        ("0.9", 2, 0.19, 2),
        ("0.1", 1, 0.9, 1),
        ("0.1", 3, 0.999, 3),
    ],
)
def test_a_tail_that_is_just_what_is_left_is_enough(threshold, size, confidence, needed):
    assert exact_tail(needed, size, Fraction(threshold)) == error_of(confidence)
    assert needed_for(Fraction(threshold), size, confidence) == needed


@given(st.integers(1, 10**5), THRESHOLDS, CONFIDENCES)
def test_what_is_needed_is_what_the_lower_bound_certifies(size, threshold, confidence):
    needed = needed_for(threshold, size, confidence)
    if needed is not None:
        assert lower_bound(needed, size, confidence) >= float(threshold) - 1e-12
    fewer = size if needed is None else needed - 1
    assert lower_bound(fewer, size, confidence) < float(threshold) + 1e-12


@pytest.mark.parametrize(
    ("threshold", "size", "needed"),
    [("0.9", 10_000, 9_050), ("0.95", 10_000, 9_537), ("0.7", 10_000, 7_076), ("0.07", 100, 12)],
)
def test_float_traps_are_none(threshold, size, needed):
    assert needed_for(Fraction(threshold), size, 0.95) == needed
    assert (
        stats.binom.sf(needed - 1, size, float(threshold)) <= 0.05 < stats.binom.sf(needed - 2, size, float(threshold))
    )


@pytest.mark.parametrize("size", [1, 10_000, 10**9])
def test_the_ends_of_the_scale(size):
    assert needed_for(Fraction(0), size, 0.95) == 0
    assert needed_for(Fraction(1), size, 0.95) is None
    assert needed_for(Fraction(1, 10**400), size, 0.95) == 1
    assert needed_for(1 - Fraction(1, 10**400), size, 0.95) is None


def test_a_million_samples_take_milliseconds():
    start = time.perf_counter()
    assert needed_for(Fraction("0.5"), 10**6, 0.95) == 500_823
    lower_bound(500_000, 10**6, 0.95)
    assert time.perf_counter() - start < 0.5  # some 6 ms


@pytest.mark.parametrize(
    ("threshold", "confidence", "size"),
    [
        ("0.98", 0.95, 149),
        ("0.98", 0.99, 228),
        ("0.5", 0.75, 2),
        ("0.5", 0.75001, 3),
        ("0.1", 0.9, 1),
        ("0.1", 0.99, 2),
        ("0.1", 0.999, 3),
        ("0.1", 0.99999, 5),
        ("0.04", 0.999936, 3),
        ("0.9", 0.19, 2),
        ("0.999999", 0.95, 2_995_731),
        ("0", 0.95, 1),
        ("1", 0.95, None),
    ],
)
def test_the_smallest_size_that_certifies(threshold, confidence, size):
    assert smallest_size(Fraction(threshold), confidence) == size


def test_no_size_that_a_float_can_tell_certifies_a_threshold_next_to_one():
    assert smallest_size(1 - Fraction(1, 10**400), 0.95) is None


@given(
    st.integers(1, 998).map(lambda share: Fraction(share, 1_000)),
    st.sampled_from((0.1, 0.19, 0.271, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999)),
)
def test_the_smallest_size_is_the_smallest_in_fractions(threshold, confidence):
    size = smallest_size(threshold, confidence)
    assert threshold**size <= error_of(confidence)
    assert size == 1 or threshold ** (size - 1) > error_of(confidence)
    assert needed_for(threshold, size, confidence) is not None
    assert size == 1 or needed_for(threshold, size - 1, confidence) is None


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_mid_p_value_is_scipys(broken, fixed):
    changed = stats.binom(broken + fixed, 0.5)
    expected = changed.sf(broken - 1) - changed.pmf(broken) / 2
    assert mcnemar_mid_p(broken, fixed) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_mid_p_values_of_both_sides_are_one(broken, fixed):
    assert mcnemar_mid_p(broken, fixed) + mcnemar_mid_p(fixed, broken) == pytest.approx(1, abs=1e-13)


def test_nothing_changed_says_nothing():
    assert mcnemar_mid_p(0, 0) == 0.5


def test_the_published_mid_p_value():
    # Cavo et al. (2012), as in Fagerland, Lydersen and Laake (2017), table 8.6: two-sided.
    assert f"{2 * mcnemar_mid_p(16, 6):.6f}" == "0.034690"


def tango(broken, fixed, size, confidence):
    """The upper bound of the drop: likeliest shares from the likelihood's slope, the bound where the score is -z."""
    quantile = stats.norm.isf(1 - confidence)

    def likeliest(drop):
        # The share of the newly fixed, from the least that the drop leaves to the most: at 0 and 1.
        least = max(0.0, -drop)
        width = (1 - drop) / 2 - least

        def slope(at):
            broken_share, fixed_share = least + drop + width * at, least + width * at
            rising = (broken / broken_share if broken else 0) + (fixed / fixed_share if fixed else 0)
            return rising * width - (size - broken - fixed) / (1 - at)

        first, last = 1e-13, 1 - 1e-13
        if slope(first) <= 0 or slope(last) >= 0:
            return least if slope(first) <= 0 else least + width
        return least + width * optimize.brentq(slope, first, last, xtol=1e-16)

    def score(drop):
        variance = 2 * likeliest(drop) + drop * (1 - drop)
        return (broken - fixed - size * drop) / math.sqrt(size * variance) + quantile

    estimate = (broken - fixed) / size
    return optimize.brentq(score, estimate + 1e-9 * (1 - estimate), 1 - 1e-6, xtol=1e-14)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(
    ("broken", "fixed", "size"),
    [
        (0, 0, 1),
        (0, 0, 50),
        (0, 1, 1),
        (1, 0, 2),
        (1, 1, 2),
        (2, 3, 5),
        (0, 5, 5),
        (4, 1, 5),
        (7, 0, 20),
        (0, 7, 20),
        (12, 2, 50),
        (3, 40, 100),
        (30, 20, 10_000),
        (1, 0, 10_000),
        (0, 3, 10_000),
        (5_000, 4_000, 10_000),
    ],
)
def test_the_bound_of_a_drop_is_where_the_score_test_turns(broken, fixed, size, confidence):
    bound = drop_bound(broken, fixed, size, confidence)
    assert bound == pytest.approx(tango(broken, fixed, size, confidence), abs=1e-7)
    assert bound > (broken - fixed) / size


@given(st.integers(1, 30).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size), st.integers(0, size))))
def test_the_bound_of_a_drop_is_that_of_another_way_for_all_small_counts(drawn):
    size, broken, fixed = drawn
    assume(broken + fixed <= size and broken < size)
    assert drop_bound(broken, fixed, size, 0.95) == pytest.approx(tango(broken, fixed, size, 0.95), abs=1e-6)


def test_the_published_interval_of_a_drop():
    # Cavo et al. (2012), as in Fagerland, Lydersen and Laake (2017), table 8.9: 95 % two-sided, of 161 pairs.
    assert f"{-drop_bound(16, 6, 161, 0.975):.4f}" == "-0.1240"
    assert f"{drop_bound(6, 16, 161, 0.975):.4f}" == "-0.0054"


@given(st.integers(400, 4_000), st.integers(400, 4_000), CONFIDENCES)
def test_the_bound_of_a_drop_is_near_walds_for_large_counts(broken, fixed, confidence):
    size = 10**6
    spread = math.sqrt(broken + fixed - (broken - fixed) ** 2 / size) / size
    wald = (broken - fixed) / size + stats.norm.ppf(confidence) * spread
    assert drop_bound(broken, fixed, size, confidence) == pytest.approx(wald, abs=spread * 0.5)
    assert drop_bound(broken, fixed, size, 0.5) == pytest.approx((broken - fixed) / size, abs=1e-12)


@pytest.mark.parametrize("size", [1, 10, 10_000])
def test_a_drop_without_any_change_is_bounded_as_a_share_without_any_success(size):
    square = stats.norm.ppf(0.95) ** 2
    assert drop_bound(0, 0, size, 0.95) == pytest.approx(square / (size + square), rel=1e-12)


@pytest.mark.parametrize("size", [1, 10, 10_000])
def test_a_drop_of_everything_is_bounded_by_everything(size):
    assert drop_bound(size, 0, size, 0.95) == 1


@pytest.mark.parametrize(("broken", "fixed", "size"), [(0, 0, 9), (4, 5, 9), (9, 0, 9), (0, 9, 9), (30, 20, 10_000)])
def test_a_surer_bound_of_a_drop_is_further_out(broken, fixed, size):
    bounds = [drop_bound(broken, fixed, size, confidence) for confidence in (0.05, 0.3, 0.5, 0.7, 0.95, 0.999)]
    assert bounds == sorted(bounds)
    assert all(-1 <= bound <= 1 for bound in bounds)


@pytest.mark.parametrize(("broken", "fixed", "size"), [(0, 0, 9), (4, 5, 9), (2, 7, 9), (0, 9, 9), (30, 20, 10_000)])
def test_the_other_bound_of_a_drop_is_the_bound_of_the_rise(broken, fixed, size):
    other = -drop_bound(fixed, broken, size, 0.95)
    assert drop_bound(broken, fixed, size, 0.05) == pytest.approx(other, rel=1e-12)
    assert other <= (broken - fixed) / size


@given(st.floats(1e-12, 1 - 1e-12))
def test_a_normal_quantile_is_scipys(probability):
    assert normal_quantile(probability) == pytest.approx(stats.norm.ppf(probability), rel=1e-9, abs=1e-12)


def test_the_figures_of_the_test_of_a_recipe():
    test = RecipeTest()
    assert f"{test.log_likelihood_ratio(1, 0):.3f}" == "0.642"
    assert f"{test.log_likelihood_ratio(0, 1):.3f}" == "-2.303"
    assert [f"{bound:.3f}" for bound in test.bounds] == ["-2.944", "2.944"]
    assert test.fewest == 5


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ("+++++", "passed"),
        ("--", "failed"),
        ("-++++++++", ""),
        ("-+++++++++", "passed"),
        ("+-+", ""),
        ("+-+-", "failed"),
    ],
)
def test_a_recipe_is_judged_as_soon_as_its_outcomes_suffice(outcomes, verdict):
    test = RecipeTest()
    for seeds in range(len(outcomes)):
        assert test.decision(outcomes[:seeds].count("+"), outcomes[:seeds].count("-")) == ""
    assert test.decision(outcomes.count("+"), outcomes.count("-")) == verdict


@pytest.mark.parametrize("test", [RecipeTest(), RecipeTest(0.99, 0.9), RecipeTest(0.75, 0.25, 0.25, 0.25)])
def test_the_fewest_seeds_are_the_first_that_pass(test):
    assert [test.decision(seeds, 0) for seeds in range(test.fewest + 1)] == [""] * test.fewest + ["passed"]


def test_a_ratio_that_is_the_bound_decides():
    # Each outcome weighs ln 3, and ln 3 is the bound.
    test = RecipeTest(q1=0.75, q0=0.25, alpha=0.25, beta=0.25)
    assert (test.decision(1, 0), test.decision(0, 1), test.decision(0, 0)) == ("passed", "failed", "")
    # A pass weighs ln 3 again, and the bound is ln 9; as floats the ratio is less.
    test = RecipeTest(q1=0.6, q0=0.2, alpha=0.1, beta=0.1)
    assert (test.decision(2, 0), test.decision(1, 0), test.fewest) == ("passed", "", 2)


@pytest.mark.parametrize("test", [RecipeTest(), RecipeTest(0.9, 0.6, 0.01, 0.1), RecipeTest(0.8, 0.7, 0.1, 0.05)])
def test_the_errors_of_the_test_of_a_recipe_are_those_of_wald(test):
    def wrong(share, verdict):
        """The probability of this verdict within 2,000 seeds, where each passes with this probability."""
        running, total = {0: 1.0}, 0.0
        for seeds in range(1, 2_001):
            after = {}
            for passes, weight in running.items():
                after[passes + 1] = after.get(passes + 1, 0.0) + weight * share
                after[passes] = after.get(passes, 0.0) + weight * (1 - share)
            running = {}
            for passes, weight in after.items():
                decision = test.decision(passes, seeds - passes)
                total += weight if decision == verdict else 0
                if not decision and weight > 1e-15:
                    running[passes] = weight
            if not running:
                break
        return total

    assert 0 < wrong(test.q0, "passed") <= test.alpha / (1 - test.beta)
    assert 0 < wrong(test.q1, "failed") <= test.beta / (1 - test.alpha)


@pytest.mark.parametrize(("mean", "deviation", "one_in"), [(0.985, 0.0015, 2_331), (0.983, 0.0015, 44)])
def test_the_figures_of_a_flaky_recipe(mean, deviation, one_in):
    values = [mean - deviation / math.sqrt(2), mean + deviation / math.sqrt(2)]
    assert round(1 / flake_rate(values, 0.98)) == one_in


@given(st.lists(st.floats(0.5, 1), min_size=2, max_size=20), st.floats(0.5, 1))
def test_a_flake_rate_is_a_normal_tail(values, threshold):
    assume(max(values) - min(values) > 1e-6)
    deviation = stats.tstd(values)
    expected = stats.norm.cdf(threshold, sum(values) / len(values), deviation)
    assert flake_rate(values, threshold) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("values", "threshold", "rate"),
    [
        ([], 0.98, None),
        ([0.99], 0.98, None),
        ([0.98, 0.98, 0.98], 0.98, 0.0),
        ([0.98, 0.98, 0.98], Fraction("0.98"), 0.0),
        ([0.1, 0.1, 0.1], Fraction("0.1") + Fraction(1, 10**30), 1.0),
        ([0.97, 0.97], 0.98, 1.0),
    ],
)
def test_values_that_do_not_vary_flake_never_or_always(values, threshold, rate):
    assert flake_rate(values, threshold) == rate


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lower_bound(3, 2, 0.95), "correct=3: a number from 0 to 2, the size, is expected"),
        (lambda: lower_bound(-1, 2, 0.95), "correct=-1: a number from 0 to 2, the size, is expected"),
        (lambda: upper_bound(0, 0, 0.95), "size=0: at least 1 sample is expected"),
        (
            lambda: clopper_pearson(1, 2, 95),
            "confidence=95: a number between 0 and 1, both excluded, is expected",
        ),
        (
            lambda: lower_bound(1, 2, math.nan),
            "confidence=nan: a number between 0 and 1, both excluded, is expected",
        ),
        (
            lambda: needed_for(Fraction(1, 2), 2, 1.0),
            "confidence=1.0: a number between 0 and 1, both excluded, is expected",
        ),
        (
            lambda: smallest_size(Fraction(1, 2), 0.0),
            "confidence=0.0: a number between 0 and 1, both excluded, is expected",
        ),
        (lambda: needed_for(Fraction(3, 2), 2, 0.95), "threshold=3/2: a number from 0 to 1 is expected"),
        (lambda: needed_for(Fraction(98), 2, 0.95), "threshold=98: a number from 0 to 1 is expected"),
        (lambda: needed_for(Fraction(1, 2), -1, 0.95), "size=-1: at least 1 sample is expected"),
        (lambda: smallest_size(Fraction(-1, 2), 0.95), "threshold=-1/2: a number from 0 to 1 is expected"),
        (lambda: smallest_size(Fraction(3, 2), 0.95), "threshold=3/2: a number from 0 to 1 is expected"),
        (lambda: mcnemar_mid_p(1, -1), "broken=1, fixed=-1: counts of at least 0 are expected"),
        (lambda: mcnemar_mid_p(-1, 2), "broken=-1, fixed=2: counts of at least 0 are expected"),
        (
            lambda: drop_bound(2, 2, 3, 0.95),
            "broken=2, fixed=2, size=3: counts that fit into at least 1 sample are expected",
        ),
        (
            lambda: drop_bound(0, 0, 0, 0.95),
            "broken=0, fixed=0, size=0: counts that fit into at least 1 sample are expected",
        ),
        (
            lambda: drop_bound(-1, 0, 3, 0.95),
            "broken=-1, fixed=0, size=3: counts that fit into at least 1 sample are expected",
        ),
        (
            lambda: drop_bound(0, -1, 3, 0.95),
            "broken=0, fixed=-1, size=3: counts that fit into at least 1 sample are expected",
        ),
        (lambda: normal_quantile(0), "probability=0: a number between 0 and 1, both excluded, is expected"),
        (lambda: normal_quantile(1), "probability=1: a number between 0 and 1, both excluded, is expected"),
        (lambda: RecipeTest(q1=0.5, q0=0.5), "q0=0.5, q1=0.5: 0 < q0 < q1 < 1 is expected"),
        (lambda: RecipeTest(q0=0), "q0=0, q1=0.95: 0 < q0 < q1 < 1 is expected"),
        (lambda: RecipeTest(q1=1), "q0=0.5, q1=1: 0 < q0 < q1 < 1 is expected"),
        (lambda: RecipeTest(q1=1.5), "q0=0.5, q1=1.5: 0 < q0 < q1 < 1 is expected"),
        (lambda: RecipeTest(q1=math.nan), "q0=0.5, q1=nan: 0 < q0 < q1 < 1 is expected"),
        (lambda: RecipeTest(beta=-0.1), "alpha=0.05, beta=-0.1: a sum of positives below 1 is expected"),
        (lambda: RecipeTest(alpha=0), "alpha=0, beta=0.05: a sum of positives below 1 is expected"),
        (lambda: RecipeTest(alpha=0.5, beta=0.5), "alpha=0.5, beta=0.5: a sum of positives below 1 is expected"),
        (lambda: RecipeTest().decision(0, -1), "passes=0, failures=-1: counts of at least 0 are expected"),
        (lambda: RecipeTest().decision(-1, 0), "passes=-1, failures=0: counts of at least 0 are expected"),
        (lambda: flake_rate([0.5, math.inf], 0.5), "threshold=0.5, values=[0.5, inf]: finite numbers are expected"),
        (lambda: flake_rate([], math.nan), "threshold=nan, values=[]: finite numbers are expected"),
    ],
)
def test_what_is_out_of_range_is_named(call, message):
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        call()
