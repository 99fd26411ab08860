"""The classifier with other optimizers and schedules than its own, to show what the Trainer's features do."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CyclicLR, ExponentialLR

from modelrepo.vision.classifier import DigitClassifier
from modelrepo.vision.network import digit_network


class PlainClassifier(DigitClassifier):
    """Gradient descent at a constant rate, and no dropout: two runs on the same images differ by rounding alone.

    Adam would not do: it divides by the size of the gradients, and hides one that is four times too large.
    """

    def __init__(self, lr: float = 0.05) -> None:
        super().__init__(digit_network(), lr=lr, max_lr=None)
        self.net[4].p = 0.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


class CyclicClassifier(PlainClassifier):
    """A rate that rises from `low` to `high` in `half` steps, falls in as many, and so on."""

    low, high, half = 0.01, 0.05, 8

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.SGD(self.parameters(), lr=self.low)
        schedule = CyclicLR(optimizer, self.low, self.high, step_size_up=self.half, cycle_momentum=False)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class OverheatedClassifier(DigitClassifier):
    """A rate that is five times higher after each epoch: the best epoch is not the last one."""

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": ExponentialLR(optimizer, 5.0)}}


class CrowdedClassifier(PlainClassifier):
    """One on a machine with memory for `room` images at a time, where a larger batch fails as it does in torch."""

    room = 300

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        if len(batch[0]) > self.room:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return super().training_step(batch, batch_idx)
