"""What a LightningModule logs in its own test step."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_modelcheck import process
from pytest_modelcheck.devices import device_of, resolve_device
from pytest_modelcheck.errors import RAISED, ModelCheckError, require, told
from pytest_modelcheck.evaluation.copies import model_copy
from pytest_modelcheck.evaluation.data import Source, is_lightning, open_data
from pytest_modelcheck.evaluation.sharing import Asked
from pytest_modelcheck.memory import memory_advice

# Hooks that Lightning 2 removed: it neither calls them nor says so.
_REMOVED = (
    "test_step_end",
    "test_epoch_end",
    "validation_step_end",
    "validation_epoch_end",
    "training_epoch_end",
)


def logged_values(asked: Asked) -> tuple[dict[str, Any], Source, str, list[str]]:
    """What `Trainer.test`, or `validate`, logs of a LightningModule on data: its own step, loader and precision.

    The values by name, the data, the device and what the model changed. One process on one device; nothing is written.
    Raises `ModelCheckError` where the step raises, logs nothing, or needs a hook that Lightning no longer calls.
    """
    model = asked.model
    if not is_lightning(model, "LightningModule"):
        raise ModelCheckError(
            f"{type(model).__name__} is no LightningModule, and nothing is logged: give metric= in the place of logged="
        )
    source = open_data(asked.data, model, asked.stage)
    where = resolve_device(asked.device) if asked.device else device_of(model)
    # The package that the module is made of: `lightning` and `pytorch_lightning` do not know each other.
    package = next(
        base.__module__.partition(".")[0] for base in type(model).__mro__ if base.__name__ == "LightningModule"
    )
    name = "pytorch_lightning" if package == "pytorch_lightning" else "lightning.pytorch"
    lightning = require(name, "logged=")
    kind, _, index = where.partition(":")
    with process.preserved_world(), _quiet(), _own_settings(asked.threads), process.preserved_world() as world:
        # A copy: the step may collect what it saw in the module, and the next run starts without it.
        subject = model_copy(model)
        _reset_metrics(subject)
        # Importing Lightning's trainer, and running it, draws random numbers.
        process.seed_world(asked.seed)
        trainer = lightning.Trainer(
            accelerator={"cuda": "gpu"}.get(kind, kind),
            devices=[int(index or 0)] if kind == "cuda" else 1,
            precision=asked.way.precision or None,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            inference_mode=False,
            limit_test_batches=1.0,
            limit_val_batches=1.0,
            fast_dev_run=False,
        )
        run = trainer.test if asked.stage == "test" else trainer.validate
        module = source.module
        its_trainer = getattr(module, "trainer", None)
        # A LightningDataModule is given whole: the Trainer runs its hooks on each batch.
        data = {"dataloaders": source.loader} if module is None else {"datamodule": module}
        try:
            run(subject, **data, verbose=False)
        except RAISED as error:
            raise ModelCheckError(f"Trainer.{run.__name__} raised {told(error)}{memory_advice(error)}") from error
        finally:
            if module is not None:
                module.trainer = its_trainer
        found = {key: value.detach().cpu() for key, value in trainer.callback_metrics.items()}
    if not found:
        raise ModelCheckError(f"{type(model).__name__} logged nothing in its {asked.stage} step{removed_hooks(model)}")
    return found, source, where, list(world)


def removed_hooks(model: Any) -> str:
    """The words about the hooks of a LightningModule that are no longer called, `""` where it has none of them."""
    removed = [hook for hook in _REMOVED if callable(getattr(type(model), hook, None))]
    return f"; it has {', '.join(removed)}, which Lightning 2 no longer calls: log in the step" if removed else ""


def _reset_metrics(model: Any) -> None:
    """What metrics inside of the module saw before is no part of this run."""
    for module in model.modules():
        is_metric = any(base.__module__.partition(".")[0] == "torchmetrics" for base in type(module).__mro__)
        if is_metric and callable(getattr(module, "reset", None)):
            module.reset()


@contextmanager
def _own_settings(threads: int | None) -> Iterator[None]:
    """With the gate's threads, and without the environment's settings of Trainers, which may cut a run short."""
    if threads is not None:
        require("torch", "logged=").set_num_threads(threads)
    held = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PL_TRAINER_")}
    try:
        yield
    finally:
        os.environ.update(held)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's greetings; its errors come as exceptions."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
