"""Accuracy on MNIST's 10,000 test images: the gate, the practical limit, and what people use instead."""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import early
from tests.benchmarks.peers import Peers
from tests.benchmarks.results import Goal, Section
from tests.benchmarks.rounds import SAMPLE, Contender, interleaved, ratio, table, worker

_CORRECT = 9888  # of the trained network, as the sample project promises
_LIMIT = "tensor chunks (the limit)"
_ONE, _EIGHT = "pytest-modelcheck, one gate", "pytest-modelcheck, eight gates on one pass"
_CONTENDERS = {
    _LIMIT: "limit",
    _ONE: "one_gate",
    _EIGHT: "eight_gates",
    "pytest-modelcheck, data that it cannot read as tensors": "hidden_data",
    "loop over a DataLoader with torchmetrics, batches of 250": "loop",
    "the same with a MetricCollection of seven metrics": "seven",
    "Trainer.test, batches of 250, no workers": "trainer_tuned",
    "Trainer.test, batches of 32, 4 workers": "trainer_usual",
    "pytest-torch's evaluation for metric_baseline, batches of 250": "pytest_torch",
}


def measure(peers: Peers, rounds: int) -> Section:
    """One torch thread; the network and the data set are there before the work begins."""
    contenders = {
        name: worker(
            peers.beside_torch, f"tests.benchmarks.mnist:{function}", is_right=lambda answer: answer == _CORRECT
        )
        for name, function in _CONTENDERS.items()
    }
    costs = interleaved("accuracy on MNIST", contenders, rounds)
    parts = [
        f"### Accuracy of one network, {_CORRECT:,} of 10,000 right, {rounds} rounds",
        "The eight gates are micro and macro accuracy, one with confidence, one of each class, F1, Matthews, AUROC and "
        "calibration; the collection has all of them but the second claim of micro accuracy, and compares nothing. The "
        "loader of the gates gives batches of 32.",
        table(costs, _LIMIT),
        f"### As sessions of pytest, {rounds} rounds",
        "Both hold the accuracy to 0.98, and compare sample by sample with the baseline that they recorded before.",
    ]
    with tempfile.TemporaryDirectory() as folder:
        sessions = _sessions(peers.beside_torch, Path(folder))
        whole = interleaved("sessions on MNIST", sessions, rounds)
    parts += [table(whole, next(iter(sessions))), early.told()]
    goals = (
        Goal("MNIST, one gate: work, to the limit", ratio(costs, _ONE, _LIMIT, "work"), 1.1),
        Goal("MNIST, eight gates: work, to one pass of the limit", ratio(costs, _EIGHT, _LIMIT, "work"), 1.15),
    )
    return Section("Accuracy on MNIST", "\n\n".join(parts), goals)


def _parts(**options: Any) -> tuple[Any, Any]:
    sys.path.insert(0, str(SAMPLE))
    from modelrepo.vision.classifier import DigitClassifier
    from modelrepo.vision.data import MNISTDataModule
    from modelrepo.vision.network import trained_digit_network

    data = MNISTDataModule(**options)
    data.prepare_data()
    data.setup("test")
    return DigitClassifier(trained_digit_network()), data


def limit() -> Callable[[], int]:
    import torch

    classifier, data = _parts()
    network = classifier.net.eval().to(memory_format=torch.channels_last)
    images, labels = data.test.data, data.test.targets

    def run() -> int:
        correct = 0
        with torch.inference_mode():
            for start in range(0, len(images), 250):
                chunk = images[start : start + 250].unsqueeze(1).float().div(255)
                scores = network(chunk.contiguous(memory_format=torch.channels_last))
                correct += int((scores.argmax(1) == labels[start : start + 250]).sum())
        return correct

    return run


def one_gate() -> Callable[[], int]:
    classifier, data = _parts()
    return _judged(_gates()[:1], classifier, data.test_dataloader())


def eight_gates() -> Callable[[], int]:
    classifier, data = _parts()
    return _judged(_gates(), classifier, data.test_dataloader())


def hidden_data() -> Callable[[], int]:
    classifier, data = _parts()
    return _judged(_gates()[:1], classifier, _Unwrapped(data.test))


class _Unwrapped:
    """The same data set behind a class of its own, which no fast path knows."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> object:
        return self.dataset[index]


def _judged(gates: list[Callable[[Any, Any], Any]], model: Any, data: Any) -> Callable[[], int]:
    from pytest_modelcheck.context import Context

    def run() -> int:
        with Context().active():
            first, *_ = [gate(model, data) for gate in gates]
        return first.evidence["correct"]

    return run


def _gates() -> list[Callable[[Any, Any], Any]]:
    from torchmetrics.classification import MulticlassAUROC, MulticlassCalibrationError, MulticlassF1Score
    from torchmetrics.classification import MulticlassMatthewsCorrCoef as Matthews

    from pytest_modelcheck import assert_accuracy, assert_metric

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


def loop() -> Callable[[], int]:
    from torchmetrics.classification import MulticlassAccuracy

    return _looped(lambda: MulticlassAccuracy(10, average="micro"), lambda value: value)


def seven() -> Callable[[], int]:
    from torchmetrics import MetricCollection
    from torchmetrics import classification as kinds

    def metrics() -> Any:
        return MetricCollection(
            {
                **{str(how): kinds.MulticlassAccuracy(10, average=how) for how in ("micro", "macro", None)},
                "f1": kinds.MulticlassF1Score(10, average="macro"),
                "mcc": kinds.MulticlassMatthewsCorrCoef(10),
                "auroc": kinds.MulticlassAUROC(10),
                "calibration": kinds.MulticlassCalibrationError(10),
            }
        )

    return _looped(metrics, lambda values: values["micro"])


def _looped(metrics: Callable[[], Any], accuracy: Callable[[Any], Any]) -> Callable[[], int]:
    import torch

    classifier, data = _parts(batch_size=250)
    loader = data.test_dataloader()

    def run() -> int:
        metric = metrics()
        classifier.eval()
        with torch.inference_mode():
            for images, labels in loader:
                metric.update(classifier(images), labels)
        return round(float(accuracy(metric.compute())) * 10_000)

    return run


def trainer_tuned() -> Callable[[], int]:
    return _by_trainer(*_parts(batch_size=250))


def trainer_usual() -> Callable[[], int]:
    return _by_trainer(*_parts(batch_size=32, num_workers=4))


def _by_trainer(model: Any, data: Any) -> Callable[[], int]:
    """What `Trainer.test` logs, without its greetings."""
    from pytorch_lightning import Trainer

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}

    def run() -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer = Trainer(accelerator="cpu", devices=1, **quiet)
            return round(trainer.test(model, data, verbose=False)[0]["test_acc"] * 10_000)

    return run


def pytest_torch() -> Callable[[], int]:
    from pytest_torch import evaluate

    classifier, data = _parts(batch_size=250)

    def accuracy(output: Any, batch: Any) -> Any:
        return (output.argmax(-1) == batch[1]).float()

    return lambda: round(evaluate(classifier, data.test_dataloader(), {"accuracy": accuracy})["accuracy"] * 10_000)


_CONFTEST = """\
import sys

import pytest

sys.path.insert(0, {sample!r})


@pytest.fixture
def model():
    from modelrepo.vision.classifier import DigitClassifier
    from modelrepo.vision.network import trained_digit_network

    return DigitClassifier(trained_digit_network())


@pytest.fixture
def data():
    from modelrepo.vision.data import MNISTDataModule

    digits = MNISTDataModule()
    digits.prepare_data()
    digits.setup("test")
    return digits.test_dataloader()
"""

_SESSIONS = {
    "pytest-modelcheck": (
        ["-p", "pytest_modelcheck.plugin", "--modelcheck"],
        "--modelcheck-update",
        "import pytest\n\n\n"
        "@pytest.mark.modelcheck_accuracy(min=0.98, max_drop=0.001, confidence=0.95, baseline='v1')\n"
        "def test_digits(): ...\n",
    ),
    "pytest-torch": (
        ["-p", "pytest_torch.plugin", "--torch-metrics-strict"],
        "--torch-update-metrics",
        "def accuracy(output, batch):\n    return (output.argmax(-1) == batch[1]).float()\n\n\n"
        "def test_digits(model, data, metric_baseline):\n"
        "    metric_baseline(model, data, {'accuracy': accuracy}, minimum={'accuracy': 0.98})\n",
    ),
}


def _sessions(python: Path, folder: Path) -> dict[str, Contender]:
    contenders = {}
    for name, (options, recording, test) in _SESSIONS.items():
        where = folder / name
        where.mkdir()
        (where / "conftest.py").write_text(_CONFTEST.format(sample=str(SAMPLE)), encoding="utf-8")
        (where / "test_digits.py").write_text(test, encoding="utf-8")
        command = [str(python), "-W", "ignore", "-m", "pytest", "-p", "no:cacheprovider", *options]
        environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CI": None}
        Contender([*command, recording], lambda told: "1 passed" in told, where, environment).run(name)
        contenders[name] = Contender(command, lambda told: "1 passed" in told, where, environment)
    return contenders
