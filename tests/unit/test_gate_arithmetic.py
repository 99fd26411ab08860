"""The arithmetic of an accuracy gate: exact at every size, every number of errors and every prefix."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.classification import MulticlassAccuracy

from pytest_modelcheck.evaluation.gate import ClassCounts, CountGate

SIZES = range(1, 13)


def thresholds(size):
    """All shares that such a size can give, those right beside them, and usual decimals."""
    exact = [Fraction(count, size) for count in range(size + 1)]
    beside = [share + step for share in exact for step in (Fraction(1, 10**9), Fraction(-1, 10**9))]
    usual = [Fraction(text) for text in ("0.5", "0.07", "0.7", "0.9", "0.95", "0.98", "0.999", "1")]
    return sorted({share for share in [*exact, *beside, *usual] if 0 <= share <= 1})


@pytest.mark.parametrize("size", SIZES)
def test_the_verdict_is_that_of_the_full_evaluation(size):
    for threshold in thresholds(size):
        gate = CountGate(threshold, size)
        assert gate.allowed + gate.needed == size
        for correct in range(size + 1):
            kept = Fraction(correct, size) >= threshold
            assert gate.compare(correct).ok == kept
            assert (correct >= gate.needed) == kept
            assert ((size - correct) <= gate.allowed) == kept


@pytest.mark.parametrize("size", range(1, 9))
def test_a_gate_is_lost_at_a_prefix_exactly_where_no_ending_saves_it(size):
    for threshold in thresholds(size):
        gate = CountGate(threshold, size)
        for seen in range(size + 1):
            for wrong in range(seen + 1):
                best = Fraction(size - wrong, size)
                assert gate.is_lost(wrong) == (not best >= threshold)


@given(st.integers(1, 10**7), st.integers(0, 10_000))
def test_the_needed_number_is_the_smallest_that_is_enough(size, tenths):
    threshold = Fraction(tenths, 10_000)
    gate = CountGate(threshold, size)
    assert Fraction(gate.needed, size) >= threshold
    assert gate.needed == 0 or Fraction(gate.needed - 1, size) < threshold


@pytest.mark.parametrize(
    ("share", "size", "needed"),
    [("0.07", 100, 7), ("0.95", 10_000, 9_500), ("0.9", 10_000, 9_000), ("0.7", 10_000, 7_000), ("0.985", 333, 329)],
)
def test_float_traps_are_none(share, size, needed):
    assert CountGate(Fraction(share), size).needed == needed


def counts_of(pairs, classes):
    confusion = {}
    for pair in pairs:
        confusion[pair] = confusion.get(pair, 0) + 1
    return ClassCounts(classes, confusion)


PAIRS = st.integers(2, 6).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=40),
    )
)


@given(PAIRS)
def test_macro_is_torchmetrics_macro(drawn):
    classes, pairs = drawn
    targets, predicted = torch.tensor(pairs).T
    expected = MulticlassAccuracy(classes, average="macro")(predicted, targets)
    assert float(counts_of(pairs, classes).macro()) == pytest.approx(float(expected), abs=1e-6)


@given(PAIRS)
def test_micro_is_torchmetrics_micro(drawn):
    classes, pairs = drawn
    targets, predicted = torch.tensor(pairs).T
    expected = MulticlassAccuracy(classes, average="micro")(predicted, targets)
    counts = counts_of(pairs, classes)
    assert counts.total == len(pairs)
    assert counts.correct / counts.total == pytest.approx(float(expected), abs=1e-6)


@given(PAIRS)
def test_recalls_and_confusions_add_up(drawn):
    classes, pairs = drawn
    counts = counts_of(pairs, classes)
    recalls = counts.recalls()
    assert list(recalls) == sorted({target for target, _ in pairs})
    assert sum(number for _, number in recalls.values()) == len(pairs)
    assert sum(right for right, _ in recalls.values()) == counts.correct
    assert sum(number for _, _, number in counts.confused()) == len(pairs) - counts.correct


def test_macro_is_exact():
    counts = ClassCounts(3, {(0, 0): 1, (0, 1): 2, (1, 1): 1, (2, 0): 1})
    assert counts.macro() == (Fraction(1, 3) + 1 + 0) / 3


def test_a_class_that_was_predicted_and_has_no_sample_counts_as_zero():
    assert ClassCounts(9, {(0, 0): 1, (0, 7): 1}).macro() == Fraction(1, 4)


def test_nothing_counted_is_zero_and_no_pass():
    assert ClassCounts(3, {}).macro() == 0
    assert ClassCounts(3, {}).recalls() == {}


def test_the_most_frequent_confusion_comes_first():
    counts = ClassCounts(3, {(2, 1): 4, (0, 1): 4, (1, 0): 5, (1, 1): 9, (0, 2): 0})
    assert counts.confused() == [(1, 0, 5), (0, 1, 4), (2, 1, 4)]
    assert ClassCounts(3, {(0, 2): 4, (0, 1): 4}).confused() == [(0, 1, 4), (0, 2, 4)]
