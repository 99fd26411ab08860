"""Accuracy on MNIST's 10,000 test images: the gate, the practical limit, and what people use instead."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest_modelcheck
from tests.benchmarks.rounds import in_process, interleaved, shown

SAMPLE = Path(__file__).parents[2] / "sample_project"


def measure(rounds: int) -> str:
    """Each contender's answer is checked before its time counts. One torch thread."""
    sys.path.insert(0, str(SAMPLE))
    import torch

    torch.set_num_threads(1)
    contenders = _contenders(torch)
    answers = {name: round(float(run()), 4) for name, run in contenders.items()}
    if len(set(answers.values())) != 1:
        raise SystemExit(f"the contenders do not agree: {answers}")
    costs = interleaved({name: in_process(run) for name, run in contenders.items()}, rounds)
    return shown("accuracy, 10,000 images", costs, "tensor chunks (the limit)")


def _contenders(torch: object) -> dict[str, Callable[[], float]]:
    from modelrepo.vision.classifier import DigitClassifier
    from modelrepo.vision.data import MNISTDataModule
    from modelrepo.vision.network import trained_digit_network

    data = MNISTDataModule()
    data.prepare_data()
    data.setup("test")
    usual = MNISTDataModule(num_workers=4)
    usual.setup("test")
    classifier = DigitClassifier(trained_digit_network())
    hidden = _Unwrapped(data.test)
    return {
        "tensor chunks (the limit)": lambda: _limit(data.test),
        "accuracy gate": lambda: _gate(classifier, data.test_dataloader()),
        "accuracy gate, data it cannot read as tensors": lambda: _gate(classifier, hidden),
        "loop over a DataLoader with torchmetrics": lambda: _loop(classifier, data.test_dataloader()),
        "Trainer.test": lambda: by_trainer(classifier, data),
        "Trainer.test, 4 workers": lambda: by_trainer(classifier, usual),
    }


class _Unwrapped:
    """The same data set behind a class of its own, which no fast path knows."""

    def __init__(self, dataset: object) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> object:
        return self.dataset[index]


def _limit(dataset: object) -> float:
    import torch

    from modelrepo.vision.network import trained_digit_network

    network = trained_digit_network().to(memory_format=torch.channels_last)
    images = dataset.data.unsqueeze(1).float().div(255)
    correct = 0
    with torch.inference_mode():
        for start in range(0, len(images), 250):
            chunk = images[start : start + 250].contiguous(memory_format=torch.channels_last)
            correct += int((network(chunk).argmax(1) == dataset.targets[start : start + 250]).sum())
    return correct / len(images)


def _gate(model: object, data: object) -> float:
    result = pytest_modelcheck.assert_accuracy(model, data, min=0.98)
    return result.evidence["correct"] / result.evidence["size"]


def _loop(model: object, loader: object) -> float:
    import torch
    from torchmetrics.classification import MulticlassAccuracy

    metric = MulticlassAccuracy(10, average="micro")
    model.eval()
    with torch.inference_mode():
        for images, labels in loader:
            metric.update(model(images), labels)
    return float(metric.compute())


def by_trainer(model: object, data: object) -> float:
    """What `Trainer.test` logs, without its greetings."""
    from pytorch_lightning import Trainer

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = Trainer(
            logger=False, accelerator="cpu", devices=1, enable_progress_bar=False, enable_model_summary=False
        )
        return trainer.test(model, data, verbose=False)[0]["test_acc"]
