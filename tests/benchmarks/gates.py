"""Metric gates: several on one pass, verdicts on a part of the samples, and a million predictions."""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pytest_modelcheck import assert_accuracy, assert_metric
from pytest_modelcheck.context import Context
from pytest_modelcheck.evaluation.early_stop import EarlyStop
from tests.benchmarks.mnist import by_trainer
from tests.benchmarks.rounds import in_process, interleaved, shown

SAMPLE = Path(__file__).parents[2] / "sample_project"

# True accuracies, and the shares of 10,000 samples that are read for min=0.98, in percent.
_EXPECTED = {0.5: 0.14, 0.95: 8.8, 0.97: 37, 0.985: 70, 0.99: 33, 0.995: 16}
_DRAWS = 20


def measure(rounds: int) -> str:
    """One torch thread."""
    sys.path.insert(0, str(SAMPLE))
    import torch

    torch.set_num_threads(1)
    return "\n\n".join((_several(rounds), _early(), _million()))


def _several(rounds: int) -> str:
    """Eight gates share a pass; eight runs of `Trainer.test` do not."""
    from modelrepo.vision.classifier import DigitClassifier
    from modelrepo.vision.data import MNISTDataModule
    from modelrepo.vision.network import trained_digit_network

    data = MNISTDataModule()
    data.prepare_data()
    data.setup("test")
    classifier = DigitClassifier(trained_digit_network())
    gates = _gates()

    def run(number: int) -> Callable[[], None]:
        def judged() -> None:
            with Context().active():
                for gate in gates[:number]:
                    gate(classifier, data.test_dataloader())

        return judged

    costs = interleaved(
        {
            "one gate": in_process(run(1)),
            "eight gates": in_process(run(8)),
            "eight runs of Trainer.test": in_process(lambda: [by_trainer(classifier, data) for _ in range(8)]),
        },
        rounds,
    )
    return shown("gates on one model and data, 10,000 images", costs, "one gate")


def _gates() -> list[Callable[[object, object], object]]:
    from torchmetrics.classification import MulticlassAUROC, MulticlassCalibrationError, MulticlassF1Score
    from torchmetrics.classification import MulticlassMatthewsCorrCoef as Matthews

    return [
        lambda model, data: assert_accuracy(model, data, min=0.98),
        lambda model, data: assert_accuracy(model, data, min=0.98, average="macro"),
        lambda model, data: assert_accuracy(model, data, min=0.98, confidence=0.95),
        lambda model, data: assert_accuracy(model, data, min=0.97, per_class=True),
        lambda model, data: assert_metric(model, data, metric=MulticlassF1Score(10, average="macro"), min=0.98),
        lambda model, data: assert_metric(model, data, metric=Matthews(10), min=0.98),
        lambda model, data: assert_metric(model, data, metric=MulticlassAUROC(10), min=0.99),
        lambda model, data: assert_metric(model, data, metric=MulticlassCalibrationError(10), max=0.02),
    ]


def _early() -> str:
    """The share of samples that a verdict takes, asked for after each."""
    lines = ["samples read of 10,000 for min=0.98, early_stop=1e-6 (medians of random orders, in percent)"]
    rule = EarlyStop(10_000, 200, 1e-6)
    draw = random.Random(7)
    for accuracy, expected in _EXPECTED.items():
        wrong = [1] * round(10_000 * (1 - accuracy)) + [0] * round(10_000 * accuracy)
        shares = []
        for _ in range(_DRAWS):
            draw.shuffle(wrong)
            shares.append(_share(rule, wrong))
        lines.append(f"  accuracy {accuracy:<6}  {statistics.median(shares):6.2f}  (expected {expected})")
    return "\n".join(lines)


def _share(rule: EarlyStop, wrong: list[int]) -> float:
    errors = 0
    for seen, item in enumerate(wrong, 1):
        errors += item
        if rule.decision(seen, errors):
            return seen / 100
    return 100.0


def _million() -> str:
    """The whole gate on a million predictions that cost nothing."""
    import torch

    scores = torch.eye(10).repeat(100_000, 1)
    labels = torch.arange(10).repeat(100_000)
    labels[::100] = 0
    model = torch.nn.Identity()
    seconds = {}
    for name, promises in (("exact", {}), ("early stop", {"early_stop": 1e-6}), ("confidence", {"confidence": 0.95})):
        started = time.process_time()
        with Context().active():
            assert_accuracy(model, (scores, labels), min=0.98, **promises)
        seconds[name] = time.process_time() - started
    return "a million predictions, CPU seconds: " + ", ".join(f"{name} {used:.2f}" for name, used in seconds.items())
