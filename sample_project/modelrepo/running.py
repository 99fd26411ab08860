"""One run of a recipe: from a plan to a trained module, and to the files of its folder."""

from __future__ import annotations

import inspect
import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import Callback, ModelCheckpoint

from modelrepo.errors import UserError
from modelrepo.history import History
from modelrepo.plan import Plan
from modelrepo.progress import Progress
from modelrepo.recipe import Recipe

LAST, BEST = "last.ckpt", "best.ckpt"


class Interrupted(Exception):
    """Ctrl-C, after Lightning has put its things in order. `finished` epochs are kept; `None` if all of them are."""

    def __init__(self, finished: int | None) -> None:
        super().__init__(finished)
        self.finished = finished


def fit(
    recipe: Recipe,
    plan: Plan,
    data: LightningDataModule,
    *,
    folder: Path | None = None,
    resume: bool = False,
    progress: bool = True,
) -> LightningModule:
    """Train the recipe's module as planned; the same plan gives the same weights on the same machine and versions.

    With a `folder`, each epoch leaves `last.ckpt` there, the best one `best.ckpt`, and both the numbers so far; with
    `resume` the training goes on from `last.ckpt`. Raises `Interrupted` after Ctrl-C.
    """
    seed_everything(plan.seed, verbose=False)
    module = recipe.module()
    callbacks: list[Callback] = [Progress(recipe.monitor)] if progress else []
    if folder is not None:
        callbacks += [History(plan, folder, recipe.monitor), _checkpoints(folder, recipe.monitor)]
    trainer = _trainer(
        max_epochs=plan.epochs,
        limit_train_batches=1.0 if plan.batches is None else plan.batches,
        deterministic="warn",
        enable_checkpointing=folder is not None,
        callbacks=callbacks,
    )
    start: dict[str, Any] = {}
    if folder is not None and resume:
        start["ckpt_path"] = folder / LAST
        if "weights_only" in inspect.signature(trainer.fit).parameters:
            start["weights_only"] = True
    with quiet(), _interruptible(trainer):
        trainer.fit(module, data, **start)
    return module


def tested(recipe: Recipe, module: LightningModule, data: LightningDataModule) -> float:
    """The accuracy that the module logs in its test steps."""
    trainer = _trainer(enable_checkpointing=False, callbacks=[Progress(recipe.monitor)])
    with quiet(), _interruptible(trainer):
        (logged,) = trainer.test(module, data, verbose=False)
    name = recipe.monitor.replace("val_", "test_")
    if name not in logged:
        raise UserError(f"the module of {recipe.name} logs no {name} in its test_step: it logs {sorted(logged)}")
    return float(logged[name])


def recorded(checkpoint: Path) -> tuple[Plan, int]:
    """The plan of the run that wrote a checkpoint, and how many epochs of it are done. Nothing in the file is run."""
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        plan, epochs = Plan(**content["callbacks"]["History"]["plan"]), content["loops"]["fit_loop"]["epoch_progress"]
        return plan, int(epochs["total"]["processed"])
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{checkpoint} is no checkpoint of a run ({reason}): delete it and train again") from error


def _trainer(**options: Any) -> Trainer:
    with quiet():
        return Trainer(
            accelerator="auto",
            devices=1,
            logger=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            **options,
        )


def _checkpoints(folder: Path, monitor: str) -> ModelCheckpoint:
    return ModelCheckpoint(
        folder,
        BEST.removesuffix(".ckpt"),
        monitor=monitor,
        mode="max",
        save_last=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep from the terminal what Lightning tells of machines, tips and the inside of itself."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\b")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _interruptible(trainer: Trainer) -> Iterator[None]:
    """Lightning answers Ctrl-C by leaving the process, and ignores the key from then on: both are undone."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if is_main else None
    try:
        yield
    except SystemExit:
        if not trainer.interrupted:
            raise
        finished = trainer.current_epoch if trainer.state.fn == "fit" else None
        raise Interrupted(finished) from None
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
