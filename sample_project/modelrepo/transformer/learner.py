"""The LightningModule around the transformers: how they learn and what they log."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics.classification import MulticlassAccuracy

from modelrepo.transformer.schedule import warmup_cosine_schedule

# The label of a place about which nothing is asked, as cross-entropy knows it.
UNASKED = -100

Batch = Mapping[str, Tensor]


class TransformerLearner(LightningModule):
    """Cross-entropy, Adam and a warm-up cosine schedule around a network whose output has `logits` `[..., classes]`.

    A batch is a mapping: `labels` `[...]`, and the network's keywords.
    """

    def __init__(self, net: nn.Module, classes: int, lr: float, warmup: int) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["net"])
        self.net = net
        self.val_acc = MulticlassAccuracy(classes, average="micro", ignore_index=UNASKED)
        self.test_acc = MulticlassAccuracy(classes, average="micro", ignore_index=UNASKED)

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        return self.net(**inputs)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        scores, labels = self._judged(batch)
        loss = cross_entropy(scores, labels, ignore_index=UNASKED)
        self.log("train_loss", loss, prog_bar=True, batch_size=len(batch["labels"]))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.val_acc(*self._judged(batch))
        self.log("val_acc", self.val_acc, prog_bar=True, batch_size=len(batch["labels"]))

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.test_acc(*self._judged(batch))
        self.log("test_acc", self.test_acc, batch_size=len(batch["labels"]))

    def _judged(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Scores `[places, classes]` and labels `[places]` of all places of a batch."""
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        return self(**inputs)["logits"].flatten(0, -2), batch["labels"].flatten()

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams.lr)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = warmup_cosine_schedule(optimizer, min(self.hparams.warmup, total), total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
