"""MNIST as a LightningDataModule: 55,000 images to train on, 5,000 to choose by, 10,000 to report."""

from __future__ import annotations

from pathlib import Path

import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, random_split
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

DATA = Path(__file__).parents[2] / "data"


class MNISTDataModule(LightningDataModule):
    """The splits of MNIST as loaders of `[batch, 1, 28, 28]` images in 0..1 and `[batch]` labels in 0..9."""

    def __init__(self, root: Path = DATA, batch_size: int = 32, num_workers: int = 0, split_seed: int = 0) -> None:
        super().__init__()
        self.root = root
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.split_seed = split_seed

    def prepare_data(self) -> None:
        """Unpack the files under `root`; whoever deleted them gets them downloaded."""
        MNIST(self.root, download=True)

    def setup(self, stage: str) -> None:
        """Split the 60,000 training images, the same way at every call."""
        images = MNIST(self.root, train=True, transform=ToTensor())
        generator = torch.Generator().manual_seed(self.split_seed)
        self.train, self.validation = random_split(images, [55_000, 5_000], generator)
        self.test = MNIST(self.root, train=False, transform=ToTensor())

    def train_dataloader(self) -> DataLoader:
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.validation)

    def test_dataloader(self) -> DataLoader:
        return self._loader(self.test)

    def _loader(self, dataset: Dataset, *, shuffle: bool = False) -> DataLoader:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            shuffle=shuffle,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
        )
