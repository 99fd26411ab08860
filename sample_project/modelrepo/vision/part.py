"""A part of MNIST, for runs of seconds."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.utils.data import Subset, TensorDataset

from modelrepo.vision.data import DATA, MNISTDataModule


class MNISTPart(MNISTDataModule):
    """The first `images` of the training images and of those to choose by, as tensors; `shuffle` is for training."""

    def __init__(
        self, images: int = 1_000, root: Path = DATA, batch_size: int = 50, split_seed: int = 0, shuffle: bool = True
    ) -> None:
        super().__init__(root, batch_size, split_seed=split_seed)
        self.images = images
        self.shuffle = shuffle

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.train, self.validation = self._part(self.train), self._part(self.validation)

    def train_dataloader(self) -> torch.utils.data.DataLoader:
        return self._loader(self.train, shuffle=self.shuffle)

    def _part(self, split: Subset) -> TensorDataset:
        chosen = torch.tensor(split.indices[: self.images])
        return TensorDataset(split.dataset.data[chosen].unsqueeze(1) / 255, split.dataset.targets[chosen])
