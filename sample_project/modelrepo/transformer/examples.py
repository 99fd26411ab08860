"""The data of a task as a LightningDataModule: three splits, each made from a seed of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

SPLITS = ("train", "validation", "test")


class Examples(Dataset):
    """Tensors of one length under names; an example is the mapping of their rows."""

    def __init__(self, **tensors: Tensor) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, index: int) -> Mapping[str, Tensor]:
        return {name: tensor[index] for name, tensor in self.tensors.items()}


class ExampleDataModule(LightningDataModule):
    """Loaders over what `make` gives for `"train"`, `"validation"` and `"test"`, the same at every call."""

    def __init__(self, make: Callable[[str], Dataset], batch_size: int) -> None:
        super().__init__()
        self.make = make
        self.batch_size = batch_size

    def setup(self, stage: str) -> None:
        for split in ("test",) if stage == "test" else SPLITS:
            setattr(self, split, self.make(split))

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.validation, batch_size=self.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, batch_size=self.batch_size)
