"""Early stops: certain where certainty was asked for, and wrong no more often than was said where it was not."""

from __future__ import annotations

import itertools
import math
import random
import re
import sys
import time
from fractions import Fraction

import numpy as np
import pytest
from scipy import special

from pytest_modelcheck.errors import MissingDependency
from pytest_modelcheck.evaluation.early_stop import EarlyStop


@pytest.mark.parametrize("size", range(1, 13))
def test_a_certain_stop_is_the_verdict_of_the_full_evaluation_in_every_order(size):
    for allowed in range(size + 1):
        gate = EarlyStop(size, allowed, 0)
        decisions = {(seen, wrong): gate.decision(seen, wrong) for seen in range(size + 1) for wrong in range(seen + 1)}
        for errors in itertools.product((0, 1), repeat=size):
            prefixes = enumerate(itertools.accumulate(errors, initial=0))
            first = next(decisions[prefix] for prefix in prefixes if decisions[prefix])
            assert first == ("passed" if sum(errors) <= allowed else "failed")


@pytest.mark.parametrize("size", range(1, 13))
def test_a_stop_is_certain_as_soon_as_every_ending_gives_the_same_verdict(size):
    for allowed in range(size + 1):
        gate = EarlyStop(size, allowed, 0)
        for seen in range(size + 1):
            for wrong in range(seen + 1):
                verdicts = {wrong + more <= allowed for more in range(size - seen + 1)}
                certain = "" if len(verdicts) == 2 else "passed" if verdicts == {True} else "failed"
                assert gate.decision(seen, wrong) == certain


def wrong_verdicts(gate, batch):
    """For each number of errors in all: the probability of a wrong verdict in random order, by counting all orders."""
    going, stops = {0: 1}, []
    for seen in range(1, gate.size + 1):
        after = {}
        for wrong, orders in going.items():
            after[wrong] = after.get(wrong, 0) + orders
            after[wrong + 1] = after.get(wrong + 1, 0) + orders
        going = {}
        for wrong, orders in after.items():
            decision = gate.decision(seen, wrong) if seen % batch == 0 or seen == gate.size else ""
            if decision:
                stops.append((decision, seen, wrong, orders))
            else:
                going[wrong] = orders
    assert not going
    for errors in range(gate.size + 1):
        right = "passed" if errors <= gate.allowed else "failed"
        orders = sum(
            number * math.comb(gate.size - seen, errors - wrong)
            for decision, seen, wrong, number in stops
            if decision != right and wrong <= errors
        )
        yield Fraction(orders, math.comb(gate.size, errors))


@pytest.mark.parametrize("alpha", [0.1, 0.01, 1e-3])
@pytest.mark.parametrize(
    ("size", "allowed", "batch"),
    [
        (1, 0, 1),
        (12, 3, 1),
        (40, 0, 1),
        (41, 40, 1),
        (100, 50, 3),
        (200, 4, 1),
        (200, 30, 1),
        (200, 30, 25),
        (200, 190, 1),
    ],
)
def test_a_wrong_verdict_is_no_likelier_than_alpha_whatever_the_number_of_errors(size, allowed, batch, alpha):
    shares = list(wrong_verdicts(EarlyStop(size, allowed, alpha), batch))
    assert max(shares) <= Fraction(str(alpha))


def test_an_early_stop_uses_much_of_the_error_that_it_may_make():
    shares = list(wrong_verdicts(EarlyStop(200, 30, 0.1), 1))
    assert max(shares[:31]) > 0.03
    assert max(shares[31:]) > 0.05


def evidence(gate, seen, wrong):
    """The e-values for passing and for failing, in fractions, as they are defined."""

    def likelihood(errors):
        if not 0 <= errors - wrong <= gate.size - seen:
            return Fraction(0)
        return Fraction(math.comb(gate.size - seen, errors - wrong), math.comb(gate.size, errors))

    near = range(gate.allowed + 1, min(2 * gate.allowed + 1, gate.size) + 1)
    total = sum(Fraction(1, errors) for errors in near)
    far = np.geomspace(min(2 * gate.allowed + 2, gate.size), gate.size, 40).round().astype(int).tolist()
    passing = sum(likelihood(errors) for errors in range(gate.allowed + 1)) / (gate.allowed + 1)
    failing = sum(likelihood(errors) / errors for errors in near) / total * Fraction(3, 4)
    failing += sum(likelihood(errors) for errors in far) / 40 / 4
    return passing / likelihood(gate.allowed + 1), failing / likelihood(gate.allowed)


@pytest.mark.parametrize("alpha", [0.2, 0.01, 1e-5])
@pytest.mark.parametrize(("size", "allowed"), [(1, 0), (9, 8), (30, 0), (30, 4), (50, 25), (50, 47)])
def test_a_verdict_that_is_not_certain_is_that_of_the_exact_evidence(size, allowed, alpha):
    gate, certain = EarlyStop(size, allowed, alpha), EarlyStop(size, allowed, 0)
    for seen in range(size + 1):
        for wrong in range(seen + 1):
            expected = certain.decision(seen, wrong)
            if not expected:
                passing, failing = evidence(gate, seen, wrong)
                limit = 1 / Fraction(str(alpha)) * (1 + Fraction(1, 10**9))
                expected = "passed" if passing >= limit else "failed" if failing >= limit else ""
            assert gate.decision(seen, wrong) == expected


@pytest.mark.parametrize(("size", "allowed"), [(9, 8), (30, 0), (30, 4), (50, 25)])
def test_evidence_that_falls_short_by_a_rounding_is_not_enough(size, allowed):
    """Where the evidence is exactly 1 / alpha or next to nothing below it, a sum of floats must not pass it."""
    certain, tried = EarlyStop(size, allowed, 0), 0
    for seen in range(1, size + 1):
        for wrong in range(seen + 1):
            if certain.decision(seen, wrong):
                continue
            reached = float(1 / max(evidence(EarlyStop(size, allowed, 0.1), seen, wrong)))
            if reached < 1:
                for alpha in (math.nextafter(reached, 0), reached, reached * (1 - 1e-14)):
                    assert EarlyStop(size, allowed, alpha).decision(seen, wrong) == ""
                assert EarlyStop(size, allowed, reached * (1 + 1e-9)).decision(seen, wrong) != ""
                tried += 1
    assert tried > 5


@pytest.mark.parametrize("allowed", [0, 7, 60, 150, 299])
def test_more_errors_never_make_a_verdict_better(allowed):
    gate = EarlyStop(300, allowed, 0.01)
    order = {"passed": 0, "": 1, "failed": 2}
    for seen in range(0, 301, 7):
        verdicts = [order[gate.decision(seen, wrong)] for wrong in range(seen + 1)]
        assert verdicts == sorted(verdicts)


def share_read(gate, errors, batch, seed):
    order = [1] * errors + [0] * (gate.size - errors)
    random.Random(seed).shuffle(order)
    wrong = [0, *itertools.accumulate(order)]
    ends = itertools.chain(range(batch, gate.size, batch), [gate.size])
    return next((seen / gate.size, decision) for seen in ends if (decision := gate.decision(seen, wrong[seen])))


@pytest.mark.parametrize(
    ("accuracy", "batch", "percent"),
    [
        ("0.5", 1, 0.14),
        ("0.5", 25, 0.25),  # a batch
        ("0.95", 25, 8.8),
        ("0.97", 25, 37),
        ("0.985", 25, 70),
        ("0.99", 25, 33),
        ("0.995", 25, 16),
    ],
)
def test_the_share_of_ten_thousand_samples_that_is_read(accuracy, batch, percent):
    gate = EarlyStop(10_000, 200, 1e-6)
    errors = int(10_000 * (1 - Fraction(accuracy)))
    read = [share_read(gate, errors, batch, seed) for seed in range(40)]
    assert {decision for _, decision in read} == {"passed" if errors <= 200 else "failed"}
    # The standard error of the mean of 40 orders is some 4 % of it at 0.95, and less elsewhere.
    assert 100 * sum(share for share, _ in read) / len(read) == pytest.approx(percent, rel=0.15)


def test_the_worst_wrong_verdicts_of_ten_thousand_samples():
    gate = EarlyStop(10_000, 200, 1e-6)

    def wrong(errors, verdict):
        """The probability of this verdict, where so many are errors: over the states that have none yet."""
        counts = np.arange(203.0)
        going, total, best, worst = np.eye(1, 203)[0], 0.0, -1, 1
        for seen in range(1, 10_001):
            rise = going * np.clip((errors - counts) / (10_001 - seen), 0, 1)
            going = going - rise
            going[1:] += rise[:-1]
            # A count passes from a certain one downwards, and fails from a certain one upwards; both only ever rise.
            while best < min(seen, 200) and gate.decision(seen, best + 1) == "passed":
                best += 1
            while worst <= min(seen, 200) and gate.decision(seen, worst) != "failed":
                worst += 1
            total += going[worst:].sum() if verdict == "failed" else going[: best + 1].sum()
            going[: best + 1] = going[worst:] = 0
        return total

    assert f"{wrong(200, 'failed'):.1e}" == "5.9e-07"
    assert f"{wrong(201, 'passed'):.1e}" == "9.6e-07"


@pytest.mark.parametrize("accuracy", ["0.4985", "0.4995", "0.5", "0.5005"])
def test_a_million_predictions_are_judged_in_under_a_second(accuracy):
    size, batch = 10**6, 256
    errors = int(size * (1 - Fraction(accuracy)))
    order = np.zeros(size, dtype=int)
    order[:errors] = 1
    wrong = [0, *np.random.default_rng(0).permutation(order).cumsum().tolist()]
    start = time.perf_counter()
    gate = EarlyStop(size, size // 2, 1e-6)
    ends = itertools.chain(range(batch, size, batch), [size])
    decision = next(decision for seen in ends if (decision := gate.decision(seen, wrong[seen])))
    assert time.perf_counter() - start < 1  # some 0.1 s
    assert decision == ("passed" if errors <= size // 2 else "failed")


@pytest.mark.parametrize("size", [1, 15, 16, 17, 1_000])
def test_log_factorials_are_those_of_integers(size):
    table = EarlyStop(size, 0, 0.01)._log_factorials
    assert table.tolist() == pytest.approx([math.log(math.factorial(number)) for number in range(size + 1)], rel=1e-15)


def test_log_factorials_are_scipys():
    table = EarlyStop(10**6, 0, 0.01)._log_factorials
    assert np.allclose(table, special.gammaln(np.arange(10**6 + 1) + 1.0), rtol=2e-15, atol=0)


@pytest.mark.parametrize("alpha", [0, 1e-6, 0.1])
def test_where_every_model_passes_no_sample_is_needed(alpha):
    assert EarlyStop(10_000, 10_000, alpha).decision(0, 0) == "passed"


@pytest.mark.parametrize("alpha", [0, 1e-6, 0.1])
def test_before_the_first_sample_nothing_is_known(alpha):
    assert EarlyStop(10_000, 9_999, alpha).decision(0, 0) == ""
    assert EarlyStop(1, 0, alpha).decision(0, 0) == ""


@pytest.mark.parametrize("alpha", [0, 1e-6, 0.1])
def test_a_single_sample_decides_where_there_is_no_other(alpha):
    gate = EarlyStop(1, 0, alpha)
    assert (gate.decision(1, 0), gate.decision(1, 1)) == ("passed", "failed")


@pytest.mark.parametrize("alpha", [0, 1e-6, 0.1])
def test_where_no_error_is_allowed_the_first_one_fails(alpha):
    assert EarlyStop(10_000, 0, alpha).decision(1, 1) == "failed"


def test_one_correct_sample_passes_where_one_is_needed():
    assert EarlyStop(10_000, 9_999, 1e-6).decision(5_000, 4_999) == "passed"


@pytest.mark.parametrize("size", [1, 2, 10, 1_000])
def test_after_all_samples_there_is_always_a_verdict(size):
    for allowed in {0, size // 3, size - 1, size}:
        gate = EarlyStop(size, allowed, 1e-6)
        for wrong in range(size + 1):
            assert gate.decision(size, wrong) == ("passed" if wrong <= allowed else "failed")


def test_a_smaller_alpha_reads_on():
    assert EarlyStop(10_000, 200, 1e-3).decision(8, 7) == "failed"
    assert EarlyStop(10_000, 200, 1e-12).decision(8, 7) == ""
    assert EarlyStop(10_000, 200, 1e-300).decision(8, 8) == ""


def test_bounds_are_what_the_rest_can_still_make_of_it():
    gate = EarlyStop(100, 2, 0)
    assert gate.bounds(0, 0) == (0, 1)
    assert gate.bounds(40, 3) == (Fraction(37, 100), Fraction(97, 100))
    assert gate.bounds(100, 3) == (Fraction(97, 100), Fraction(97, 100))


def test_certain_stops_need_no_numpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert EarlyStop(10_000, 200, 0).decision(5_000, 100) == ""
    assert EarlyStop(10_000, 200, 0).decision(9_900, 100) == "passed"


def test_other_stops_say_that_they_need_numpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingDependency) as caught:
        EarlyStop(10_000, 200, 1e-6).decision(25, 0)
    assert str(caught.value) == (
        "early stopping needs numpy, which cannot be imported (import of numpy halted; None in sys.modules). "
        'pip install "pytest-modelcheck[torch]"'
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: EarlyStop(0, 0, 0), "size=0: at least 1 sample is expected"),
        (lambda: EarlyStop(10, -1, 0), "allowed=-1: a number from 0 to 10, the size, is expected"),
        (lambda: EarlyStop(10, 11, 0), "allowed=11: a number from 0 to 10, the size, is expected"),
        (lambda: EarlyStop(10, 1, 1), "alpha=1: a number of at least 0 and below 1 is expected"),
        (lambda: EarlyStop(10, 1, -1e-6), "alpha=-1e-06: a number of at least 0 and below 1 is expected"),
        (lambda: EarlyStop(10, 1, math.nan), "alpha=nan: a number of at least 0 and below 1 is expected"),
        (
            lambda: EarlyStop(10, 1, 0).decision(3, 4),
            "seen=3, wrong=4: 0 <= wrong <= seen <= 10, the size, is expected",
        ),
        (
            lambda: EarlyStop(10, 1, 0).decision(11, 4),
            "seen=11, wrong=4: 0 <= wrong <= seen <= 10, the size, is expected",
        ),
        (
            lambda: EarlyStop(10, 1, 0).bounds(1, -1),
            "seen=1, wrong=-1: 0 <= wrong <= seen <= 10, the size, is expected",
        ),
    ],
)
def test_what_is_out_of_range_is_named(call, message):
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        call()
