"""Early stopping: the share of the samples that a verdict takes, by the model's true accuracy."""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING

from tests.benchmarks.rounds import markdown

if TYPE_CHECKING:
    from pytest_modelcheck.evaluation.early_stop import EarlyStop

_SIZE = 10_000
_ERROR = 1e-6
_DRAWS = 20

# How far the median of so few draws may be from what is expected.
_FACTOR = 1.5

# True accuracies, and the percentage of the samples that is read for min=0.98 by the formula of the boundary.
_EXPECTED = {0.5: 0.14, 0.95: 8.8, 0.97: 37, 0.985: 70, 0.99: 33, 0.995: 16}


def told() -> str:
    """The samples are labels drawn in random orders from seed 7, and the rule is asked after each: arithmetic alone.

    A `SystemExit` where a verdict is wrong, or the shares are not what is expected.
    """
    from pytest_modelcheck.evaluation.early_stop import EarlyStop

    rule = EarlyStop(_SIZE, _SIZE // 50, _ERROR)
    draw = random.Random(7)
    rows = [["true accuracy", "samples read, %", "least and most", "expected, %", "verdict"]]
    for accuracy, expected in _EXPECTED.items():
        wrong = [1] * round(_SIZE * (1 - accuracy)) + [0] * round(_SIZE * accuracy)
        shares, verdicts = [], set()
        for _ in range(_DRAWS):
            draw.shuffle(wrong)
            share, verdict = _share(rule, wrong)
            shares.append(share)
            verdicts.add(verdict)
        if len(verdicts) != 1 or verdicts != {"passed" if accuracy >= 0.98 else "failed"}:
            raise SystemExit(f"early stopping is wrong at {accuracy}: {verdicts}")
        if not expected / _FACTOR < statistics.median(shares) < expected * _FACTOR:
            raise SystemExit(f"early stopping at {accuracy} reads {statistics.median(shares)} %, not {expected} %")
        spread = f"{min(shares):.2f} to {max(shares):.2f}"
        rows.append([f"{accuracy}", f"{statistics.median(shares):.2f}", spread, f"{expected}", *verdicts])
    head = f"### Early stopping: accuracy of at least 0.98, {_SIZE:,} samples, error {_ERROR}, {_DRAWS} orders"
    words = "The rule alone, asked after each sample; a gate judges a few hundred more, and asks after each chunk."
    return f"{head}\n\n{words}\n\n{markdown(rows)}"


def _share(rule: EarlyStop, wrong: list[int]) -> tuple[float, str]:
    errors = 0
    for seen, item in enumerate(wrong, 1):
        errors += item
        if decision := rule.decision(seen, errors):
            return 100 * seen / _SIZE, decision
    return 100.0, "passed" if errors <= _SIZE // 50 else "failed"
