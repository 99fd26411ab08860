"""The promise of what a LightningModule logs in its own step: the Trainer's number, and nothing else is touched."""

from __future__ import annotations

import logging
import random
import warnings

import pytest
import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Subset, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from pytest_modelcheck.checks.accuracy import accuracy
from pytest_modelcheck.checks.metric import metric
from pytest_modelcheck.context import Context

_RANDOM = torch.Generator().manual_seed(3)
LABELS = torch.arange(103) % 4
SCORES = torch.randn(103, 4, generator=_RANDOM) + 2 * torch.eye(4)[LABELS]
DATA = (SCORES, LABELS)


class Lit(LightningModule):
    """It logs a metric, a loss, plain numbers, a random one and one that is none."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 4, bias=False))
        self.layer[1].weight.data.copy_(torch.eye(4))
        self.accuracy = MulticlassAccuracy(4, average="micro")

    def forward(self, scores):
        return self.layer(scores)

    def test_step(self, batch, batch_idx):
        print("a step that talks")
        scores = self(batch[0])
        self.accuracy(scores, batch[1])
        self.log("acc", self.accuracy)
        self.log("loss", cross_entropy(scores, batch[1]))
        self.log("size", float(len(batch[1])), reduce_fx="sum")
        self.log("both", 0.5, on_step=True, on_epoch=True)
        self.log("drawn", torch.rand(()))
        self.log("undefined", float("nan"))

    def validation_step(self, batch, batch_idx):
        self.log("val_acc", 0.25)


def quiet_trainer():
    return Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def by_hand(model, loader, stage="test"):
    """What Trainer.test gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = quiet_trainer()
        run = trainer.test if stage == "test" else trainer.validate
        data = {"datamodule": loader} if isinstance(loader, LightningDataModule) else {"dataloaders": loader}
        return run(model, **data, verbose=False)[0]


def logged(model, data, name, **promises):
    return metric(model, data, logged=name, **({"min": 0} | promises))


@pytest.mark.parametrize("batch_size", [10, 250])
@pytest.mark.parametrize("name", ["acc", "loss", "size", "both"])
def test_the_value_is_that_of_the_trainer(name, batch_size):
    model, loader = Lit(), DataLoader(TensorDataset(*DATA), batch_size=batch_size)
    result = logged(model, loader, name)
    expected = by_hand(model, loader)
    assert result.outcome == "passed"
    assert result.evidence["values"][name]["value"] == expected.get(name, expected.get(f"{name}_epoch"))
    assert result.evidence["seen"] == 103


def test_a_metric_that_is_logged_is_that_of_a_plain_loop():
    value = logged(Lit(), DATA, "acc").evidence["values"]["acc"]["value"]
    assert value == MulticlassAccuracy(4, average="micro")(*DATA).item()
    assert accuracy(Lit(), DATA, min=0).evidence["correct"] == round(value * 103)


BROKEN = [
    ("min", "size", {"min": 104}, "size is 103, promised at least 104 (1 too low)."),
    ("max", "size", {"max": 100}, "size is 103, promised at most 100 (3 too high)."),
    ("mapping", "both", {"min": {"both": 0.75}}, "both is 0.5, promised at least 0.75 (0.25 too low)."),
    (
        "nan, min",
        "undefined",
        {"min": -1e9},
        "undefined is nan, which is no finite number, promised at least -1000000000.0.",
    ),
    (
        "nan, max",
        "undefined",
        {"max": 1e9},
        "undefined is nan, which is no finite number, promised at most 1000000000.0.",
    ),
    (
        "validation",
        "val_acc",
        {"min": 0.3, "stage": "validate"},
        "val_acc is 0.25, promised at least 0.3 (0.05 too low).",
    ),
]


@pytest.mark.parametrize(("name", "promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_value_that_is_not_what_was_promised_fails(expect, name, promises, message):
    message = f"metric of Lit: {message}"
    expect(metric, Lit(), DATA, logged=name, outcome="failed", message=message, **promises)


class Raising(Lit):
    def test_step(self, batch, batch_idx):
        raise ValueError(f"batch {batch_idx} is no batch")


class Silent(Lit):
    def test_step(self, batch, batch_idx):
        return {"scores": self(batch[0])}


class Old(Silent):
    def test_step_end(self, outputs):
        self.log("acc", 1.0)


class HalfOld(Old):
    def test_step(self, batch, batch_idx):
        self.log("loss", 1.0)


class Untested(LightningModule):
    def forward(self, scores):
        return scores


NAMES = "acc, loss, size, both, both_epoch, drawn, undefined"
UNMEASURED = [
    ("unknown name", Lit, "test_acc", f"nothing is logged as 'test_acc' in the test step: there is {NAMES}"),
    ("another stage", Lit, "val_acc", f"nothing is logged as 'val_acc' in the test step: there is {NAMES}"),
    ("nothing", Silent, "acc", "Silent logged nothing in its test step"),
    (
        "removed hook",
        Old,
        "acc",
        "Old logged nothing in its test step; it has test_step_end, which Lightning 2 no longer calls: log in the step",
    ),
    (
        "removed hook beside the step",
        HalfOld,
        "acc",
        "nothing is logged as 'acc' in the test step: there is loss; it has test_step_end, which Lightning 2 no longer "
        "calls: log in the step",
    ),
    ("step raises", Raising, "acc", "Trainer.test raised ValueError: batch 0 is no batch"),
    (
        "no step",
        Untested,
        "acc",
        "Trainer.test raised MisconfigurationException: No `test_step()` method defined to run `Trainer.test`.",
    ),
    (
        "no LightningModule",
        nn.Identity,
        "acc",
        "Identity is no LightningModule, and nothing is logged: give metric= in the place of logged=",
    ),
]


@pytest.mark.parametrize(
    ("make", "name", "message"), [row[1:] for row in UNMEASURED], ids=[row[0] for row in UNMEASURED]
)
def test_what_was_not_logged_is_an_error(expect, make, name, message):
    message = f"metric of {make.__name__}: not measured: {message}"
    expect(metric, make(), DATA, logged=name, min=0, outcome="error", message=message)


def test_the_error_names_the_step_of_its_stage():
    result = logged(Lit(), DATA, "acc", stage="validate")
    assert result.message == (
        "metric of Lit: not measured: nothing is logged as 'acc' in the validate step: there is val_acc"
    )


def test_nothing_is_printed_and_no_file_is_written(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    levels = [logging.getLogger(name).level for name in ("pytorch_lightning", "lightning.pytorch")]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with Context().active():
            assert logged(Lit(), DATA, "acc").ok
            assert not logged(Raising(), DATA, "acc").ok
    assert (capfd.readouterr(), list(tmp_path.iterdir()), told) == (("", ""), [], [])
    assert [logging.getLogger(name).level for name in ("pytorch_lightning", "lightning.pytorch")] == levels


@pytest.mark.parametrize("make", [Lit, Raising])
def test_the_model_is_left_as_it_was(make):
    model = make().train()
    model.layer[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    attributes = {name: value for name, value in vars(model).items() if name not in ("_hparams", "_device")}
    flags = [module.training for module in model.modules()]
    result = logged(model, DATA, "acc")
    assert result.changes == ()
    assert [module.training for module in model.modules()] == flags
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(vars(model)[name] is value for name, value in attributes.items())
    assert (model._trainer, model.device.type, model.accuracy._update_count) == (None, "cpu", 0)
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


def test_a_trainer_that_was_attached_stays_attached():
    model = Lit()
    by_hand(model, DataLoader(TensorDataset(*DATA), batch_size=10))
    own, count = model.trainer, model.trainer.global_step
    assert logged(model, DATA, "acc").ok
    assert (model.trainer, model.trainer.global_step) == (own, count)
    assert own.callback_metrics["acc"] == logged(model, DATA, "acc").evidence["values"]["acc"]["value"]


def test_the_random_numbers_of_the_process_are_left_alone_and_those_of_the_step_are_the_seeds():
    model, drawn = Lit(), []
    for seed in (5, 5, 6):
        with Context(seed=seed).active():
            drawn.append(logged(model, DATA, "drawn").evidence["values"]["drawn"]["value"])
        torch.rand(3)
    assert drawn[0] == drawn[1] != drawn[2]
    states = torch.get_rng_state(), random.getstate()
    logged(model, DATA, "drawn")
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16", "32"])
def test_a_precision_is_the_trainers(precision):
    class Telling(Lit):
        def test_step(self, batch, batch_idx):
            self.log("narrow", float(self(batch[0]).dtype is torch.bfloat16))

    value = logged(Telling(), DATA, "narrow", precision=precision).evidence["values"]["narrow"]["value"]
    assert value == precision.startswith("bf16")
    assert not torch.is_autocast_enabled("cpu")


class Turned(LightningDataModule):
    """Its batches are another thing once its own hook has seen them."""

    def test_dataloader(self):
        return DataLoader(TensorDataset(*DATA), batch_size=10)

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return -batch[0], batch[1]


def test_the_hooks_of_a_data_module_are_run():
    model, data = Lit(), Turned()
    value = logged(model, data, "acc").evidence["values"]["acc"]["value"]
    assert value == pytest.approx(accuracy(model, data, min=0).evidence["correct"] / 103)
    assert value != logged(model, DATA, "acc").evidence["values"]["acc"]["value"]
    assert data.trainer is None
    assert value == by_hand(model, data)["acc"]


GATES = """
import pytest
import torch
from pytorch_lightning import LightningModule

class Lit(LightningModule):
    def test_step(self, batch, batch_idx):
        self.log("acc", (batch[0].argmax(1) == batch[1]).float().mean())

@pytest.fixture
def model():
    return Lit()

@pytest.fixture
def data():
    return torch.eye(4), torch.tensor([0, 1, 2, 0])

@pytest.mark.modelcheck_metric(logged="acc", min=0.75)
def test_kept(): ...

@pytest.mark.modelcheck_metric(logged="acc", max=0.7)
def test_broken(): ...
"""


def test_markers_gate_what_is_logged(pytester, run_gates, processes):
    pytester.makepyfile(test_it=GATES)
    result, rows = run_gates(processes)
    result.assert_outcomes(passed=1, failed=1)
    found = sorted((row["gate"].partition("::")[2], row["outcome"], row["promised"], row["measured"]) for row in rows)
    assert found == [
        ("test_broken", "failed", "at most 0.7", "acc 0.75"),
        ("test_kept", "passed", "at least 0.75", "acc 0.75"),
    ]
    assert not (pytester.path / "lightning_logs").exists()


def test_digits_are_logged_as_the_trainer_logs_them(classifier, mnist):
    some = Subset(mnist, range(300))
    value = logged(classifier, some, "test_acc").evidence["values"]["test_acc"]["value"]
    assert value == by_hand(classifier, DataLoader(some, batch_size=250))["test_acc"]


# Slow: Lightning's loop reads 10,000 images one by one, and the gate on classes infers them all once more.
@pytest.mark.slow
def test_what_is_logged_of_all_digits_is_what_is_counted_to_the_sample(classifier, mnist):
    with Context().active():
        correct = accuracy(classifier, mnist, min=0.985).evidence["correct"]
        result = logged(classifier, DataLoader(mnist, batch_size=64), "test_acc", min=0.985)
    assert result.outcome == "passed"
    assert result.evidence["seen"] == 10_000
    assert result.evidence["values"]["test_acc"]["value"] * 10_000 == pytest.approx(correct, abs=0.01)
