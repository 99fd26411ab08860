"""MNIST as a LightningDataModule: 55,000 images to train on, 5,000 to choose by, 10,000 to report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from filelock import FileLock
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, random_split
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from modelrepo.errors import UserError

DATA = Path(__file__).parents[2] / "data"

# The unpacked files and their md5. torchvision verifies the packed ones alone.
FILES: Mapping[str, str] = MappingProxyType(
    {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }
)


class MNISTDataModule(LightningDataModule):
    """The splits of MNIST as loaders of `[batch, 1, 28, 28]` images in 0..1 and `[batch]` labels in 0..9."""

    def __init__(self, root: Path = DATA, batch_size: int = 32, num_workers: int = 0, split_seed: int = 0) -> None:
        super().__init__()
        self.root = root
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.split_seed = split_seed

    def prepare_data(self) -> None:
        """Unpack the files under `root`, and verify them; whoever deleted them gets them downloaded.

        Raises `UserError` where they cannot be had, or are not the canonical ones.
        """
        raw = Path(self.root) / "MNIST" / "raw"
        if not all((raw / name).exists() for name in FILES):
            _unpack(Path(self.root), raw)
        for name, expected in FILES.items():
            found = hashlib.md5((raw / name).read_bytes(), usedforsecurity=False).hexdigest()
            if found != expected:
                raise UserError(
                    f"{raw / name} is not the canonical file: its md5 is {found}, expected {expected}. Delete it, and "
                    f"the next run unpacks it again from {name}.gz, or downloads it"
                )

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


def _unpack(root: Path, raw: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".unpacking.lock"):
            MNIST(root, download=True)
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"MNIST is not complete in {raw}, and could not be unpacked or downloaded ({reason}). Put its four "
            "canonical .gz files there, or name the folder that holds MNIST/raw with --data"
        ) from error
