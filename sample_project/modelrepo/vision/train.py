"""Train the digit network and write its checkpoint: `python -m modelrepo.vision.train`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import TQDMProgressBar
from safetensors.torch import save_file

from modelrepo.vision.classifier import DigitClassifier
from modelrepo.vision.data import DATA, MNISTDataModule
from modelrepo.vision.network import CHECKPOINT


def train(
    output: Path, *, epochs: int = 5, seed: int = 7, images: int = 55_000, data: Path = DATA, progress: bool = True
) -> DigitClassifier:
    """Train for `epochs` on `images` training images and write the weights to `output` (safetensors).

    The same seed gives the same weights on the same machine and versions. Ctrl-C ends the training early and
    still writes what was learnt so far.
    """
    seed_everything(seed, verbose=False)
    classifier = DigitClassifier().to(memory_format=torch.channels_last)
    trainer = Trainer(
        max_epochs=epochs,
        limit_train_batches=-(-images // 64),
        accelerator="auto",
        devices=1,
        deterministic="warn",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=progress,
        enable_progress_bar=progress,
        callbacks=[TQDMProgressBar(refresh_rate=20)] if progress else [],
    )
    try:
        trainer.fit(classifier, MNISTDataModule(data, batch_size=64))
    finally:
        save(classifier, output, {"seed": str(seed), "epochs": str(epochs), "images": str(images)})
    return classifier


def save(classifier: DigitClassifier, output: Path, recipe: dict[str, str]) -> None:
    """Write the network's weights, with the recipe and torch's version as metadata."""
    weights = {
        name: tensor.detach().cpu().contiguous(memory_format=torch.contiguous_format)
        for name, tensor in classifier.net.state_dict().items()
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, output, metadata={**recipe, "torch": torch.__version__})


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m modelrepo.vision.train",
        description="Train the digit network on MNIST and write its weights.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--output", type=Path, default=CHECKPOINT, help="the checkpoint to write (safetensors)")
    parser.add_argument("--epochs", type=int, default=5, help="passes over the training images")
    parser.add_argument("--seed", type=int, default=7, help="seed of the weights and of the order of the images")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder that holds MNIST/raw")
    parser.add_argument("--fast", action="store_true", help="a minute's run: one epoch on 20,000 images")
    arguments = parser.parse_args()
    epochs, images = (1, 20_000) if arguments.fast else (arguments.epochs, 55_000)
    classifier = train(arguments.output, epochs=epochs, seed=arguments.seed, images=images, data=arguments.data)
    trainer = Trainer(logger=False, accelerator="auto", devices=1, enable_model_summary=False)
    trainer.test(classifier, MNISTDataModule(arguments.data, batch_size=250))
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
