"""A part of MNIST, for runs of seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.data import TensorDataset
from torchvision.datasets import MNIST

from modelrepo.vision.data import DATA, MNISTDataModule


class MNISTPart(MNISTDataModule):
    """The first `images` of each split, as tensors; `shuffle` is for training."""

    def __init__(
        self, images: int = 1_000, root: Path = DATA, batch_size: int = 50, split_seed: int = 0, shuffle: bool = True
    ) -> None:
        super().__init__(root, batch_size, split_seed=split_seed)
        self.images = images
        self.shuffle = shuffle

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.train = self._part(self.train.dataset, self.train.indices)
        self.validation = self._part(self.validation.dataset, self.validation.indices)
        self.test = self._part(self.test, range(len(self.test)))

    def train_dataloader(self) -> torch.utils.data.DataLoader:
        return self._loader(self.train, shuffle=self.shuffle)

    def _part(self, images: MNIST, places: Sequence[int]) -> TensorDataset:
        chosen = torch.tensor(places[: self.images])
        return TensorDataset(images.data[chosen].unsqueeze(1) / 255, images.targets[chosen])
