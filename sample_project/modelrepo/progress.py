"""How a run tells of itself: a bar for each epoch, or a line where nobody watches a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from tqdm import tqdm

# How much a batch moves the loss that is shown.
_SMOOTHING = 0.05


class Progress(Callback):
    """The epoch, its loss so far, and the accuracy on the validation data once it is known; then the test."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self._bar: tqdm | None = None
        self._loss: float | None = None
        self._started = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.monotonic()
        self._open(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", trainer.num_training_batches)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = float(outputs["loss"])
        self._loss = loss if self._loss is None else self._loss + _SMOOTHING * (loss - self._loss)
        self._step(f"loss {self._loss:.4f}")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._bar is not None and self._loss is not None:
            self._bar.set_postfix_str(f"loss {self._loss:.4f}, validating")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        found = trainer.callback_metrics.get(self.monitor)
        told = "" if self._loss is None else f"loss {self._loss:.4f}"
        told += "" if found is None else f", {self.monitor} {float(found):.4f}"
        seconds = time.monotonic() - self._started
        self._close(told, f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {told}, {seconds:.0f} s")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._open("test", sum(trainer.num_test_batches))

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._step("")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close("")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._close("stopped")

    def _open(self, name: str, total: float) -> None:
        watched = sys.stderr.isatty()
        layout = "{desc} {percentage:3.0f}% |{bar:30}| {n_fmt}/{total_fmt} {elapsed}<{remaining} {postfix}"
        self._bar = tqdm(total=int(total), desc=name, disable=not watched, bar_format=layout, mininterval=0.2)

    def _step(self, told: str) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(told, refresh=False)
            self._bar.update()

    def _close(self, told: str, line: str = "") -> None:
        if self._bar is None:
            return
        bar, self._bar = self._bar, None
        if bar.disable and line:
            print(line, file=sys.stderr, flush=True)
        bar.set_postfix_str(told)
        bar.close()
