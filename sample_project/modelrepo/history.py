"""What a run has measured so far, and all else that a resumed run needs to go on as if it had never stopped."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from modelrepo.curve import curve_svg
from modelrepo.plan import Plan

COLUMNS = ("epoch", "step", "train_loss", "val_acc", "lr")

# Rows of an epoch in the table and the curve.
_ROWS = 20


class History(Callback):
    """The rows of `metrics.csv` and `curve.svg`; they travel in the checkpoints, with the plan and the random states.

    Lightning's checkpoints have the weights, the optimizer and the schedule. Without the random states a resumed run
    would see the images in another order and drop out others.
    """

    def __init__(self, plan: Plan, folder: Path, monitor: str) -> None:
        self.plan = plan
        self.folder = folder
        self.monitor = monitor
        self.rows: list[dict[str, float | None]] = []
        self._random: dict[str, Any] = {}
        self._losses: list[Tensor] = []

    def state_dict(self) -> dict[str, Any]:
        return {"plan": asdict(self.plan), "rows": self.rows, "random": self._random}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._random = _random_state()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows, self._random = state["rows"], state["random"]
        # Now, and in no later hook: the loader of the first epoch draws from the random state when it begins, which
        # may be as soon as the optimizer is made.
        _set_random_state(state["random"])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step == 0:
            trainer.save_checkpoint(self.folder / "last.ckpt")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._losses = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._losses.append(outputs["loss"].detach())
        done, total = batch_idx + 1, int(trainer.num_training_batches)
        if done % max(1, total // _ROWS) == 0 and done < total:
            self._add_row(trainer, done)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._add_row(trainer, int(trainer.num_training_batches), trainer.callback_metrics.get(self.monitor))
        self._random = _random_state()
        self.write()

    def write(self) -> None:
        """Write `metrics.csv` and `curve.svg`."""
        with (self.folder / "metrics.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows({name: "" if row[name] is None else row[name] for name in COLUMNS} for row in self.rows)
        title = f"{self.plan.recipe}: {self.plan}"
        (self.folder / "curve.svg").write_text(curve_svg(self.rows, title), encoding="utf-8")

    def _add_row(self, trainer: Trainer, done: int, accuracy: Tensor | None = None) -> None:
        total = int(trainer.num_training_batches)
        self.rows.append(
            {
                "epoch": round(trainer.current_epoch + done / total, 3),
                "step": trainer.current_epoch * total + done,
                "train_loss": round(float(torch.stack(self._losses).mean()), 6),
                "val_acc": None if accuracy is None else round(float(accuracy), 6),
                "lr": float(f"{trainer.optimizers[0].param_groups[0]['lr']:.6g}"),
            }
        )
        self._losses = []


def _random_state() -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _set_random_state(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
