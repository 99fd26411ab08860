"""Evaluate the digit network on several processes, each image once: `python -m modelrepo.vision.evaluate`."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from modelrepo.errors import UserError
from modelrepo.running import quiet
from modelrepo.vision.data import DATA, MNISTDataModule
from modelrepo.vision.network import CHECKPOINT, trained_digit_network


@dataclass(frozen=True)
class Evaluation:
    """What all processes together found: how often each image was seen, and the digit that was read in it."""

    processes: int
    seen: list[int]
    predicted: list[int]
    correct: int

    def require_exact(self) -> None:
        """Raise `UserError` unless each image was seen once."""
        odd = [place for place, times in enumerate(self.seen) if times != 1]
        if odd:
            raise UserError(
                f"{self.processes} processes saw {sum(self.seen):,} images of {len(self.seen):,}: "
                f"{len(odd):,} not exactly once, the first of them {odd[:3]}"
            )


class Numbered(Dataset):
    """The images and labels of a data set, with their places in it."""

    def __init__(self, images: Dataset) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> tuple[Tensor, int, int]:
        return (*self.images[place], place)


class ShardedDigits(LightningDataModule):
    """MNIST's test images, every n-th of them for each of n processes."""

    def __init__(self, root: Path = DATA) -> None:
        super().__init__()
        self.root = root

    def prepare_data(self) -> None:
        MNISTDataModule(self.root).prepare_data()

    def setup(self, stage: str) -> None:
        self.images = Numbered(MNIST(self.root, train=False, transform=ToTensor()))

    def test_dataloader(self) -> DataLoader:
        # A sampler that Lightning puts in would give some images twice, so that all processes have equally many.
        places = range(self.trainer.global_rank, len(self.images), self.trainer.world_size)
        return DataLoader(self.images, batch_size=250, sampler=places)


class ExactEvaluation(LightningModule):
    """Counts in integers, and adds the processes' counts up once, at the end."""

    def __init__(self, net: nn.Module, size: int = 10_000) -> None:
        super().__init__()
        self.net = net
        self.counts = torch.zeros(3, size, dtype=torch.int64)

    def test_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> None:
        images, labels, places = batch
        predicted = self.net(images).argmax(dim=1)
        for row, values in enumerate((torch.ones_like(places), predicted, predicted == labels)):
            self.counts[row].index_add_(0, places.cpu(), values.cpu().to(torch.int64))

    def on_test_epoch_end(self) -> None:
        self.counts = self.trainer.strategy.reduce(self.counts.to(self.device), reduce_op="sum").cpu()


def evaluate(
    network: nn.Module, processes: int, data: LightningDataModule | None = None, **options: object
) -> Evaluation:
    """Evaluate on so many processes. `options` are the Trainer's."""
    module = ExactEvaluation(network)
    with quiet():
        trainer = Trainer(
            accelerator="cpu",
            devices=processes,
            strategy="ddp" if processes > 1 else "auto",
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            **{"use_distributed_sampler": False, **options},
        )
        trainer.test(module, data or ShardedDigits(), verbose=False)
    seen, predicted, correct = module.counts
    return Evaluation(processes, seen.tolist(), predicted.tolist(), int(correct.sum()))


def stay_at_home() -> None:
    """Let the processes talk over the loopback interface alone."""
    loopback = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback[0])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m modelrepo.vision.evaluate", description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--output", type=Path, help="a JSON file for what was found")
    asked = parser.parse_args()
    stay_at_home()
    torch.set_num_threads(1)
    found = evaluate(trained_digit_network(asked.checkpoint), asked.processes)
    # Each process runs this file, and the first one speaks for all.
    if int(os.environ.get("LOCAL_RANK", "0")) > 0:
        return
    if asked.output is not None:
        asked.output.write_text(json.dumps(asdict(found)), encoding="utf-8")
    try:
        found.require_exact()
    except UserError as error:
        sys.exit(f"error: {error}")
    print(f"test accuracy: {found.correct / len(found.seen):.4f} ({found.correct:,} of {len(found.seen):,})")


if __name__ == "__main__":
    main()
