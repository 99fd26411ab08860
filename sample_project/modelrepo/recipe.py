"""How a model of this repository is trained: all that the training command needs to know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytorch_lightning import LightningDataModule, LightningModule

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"


@dataclass(frozen=True)
class Recipe:
    """One model's training.

    `module` and `data` are called after the seed is set. The module logs `train_loss` in its training steps and
    `monitor`, an accuracy, in its validation and test steps as `val_acc` and `test_acc`; `weights` are those of its
    parts that are released. A fast run has `fast_epochs` epochs of `fast_batches` batches. `gates` is the file of the
    tests that judge the released weights.
    """

    name: str
    learns: str
    module: Callable[[], LightningModule]
    data: Callable[[], LightningDataModule]
    epochs: int
    fast_epochs: int
    fast_batches: int
    weights: str = "net"
    monitor: str = "val_acc"
    seed: int = 7
    gates: str = ""

    @property
    def checkpoint(self) -> Path:
        """The released weights, as safetensors."""
        return CHECKPOINTS / f"{self.name}.safetensors"
