"""Train the digit network from Python; `python -m modelrepo.train digits` is the command for it."""

from __future__ import annotations

import sys
from pathlib import Path

from modelrepo.plan import Plan
from modelrepo.running import fit
from modelrepo.vision.classifier import DigitClassifier
from modelrepo.vision.data import DATA, MNISTDataModule
from modelrepo.vision.digits import BATCH, DIGITS
from modelrepo.weights import save_weights


def train(
    output: Path,
    *,
    epochs: int = DIGITS.epochs,
    seed: int = DIGITS.seed,
    images: int = 55_000,
    data: Path = DATA,
    progress: bool = True,
) -> DigitClassifier:
    """Train for `epochs` on `images` training images and write the weights to `output` (safetensors).

    The same seed gives the same weights on the same machine and versions.
    """
    plan = Plan(DIGITS.name, seed, epochs, -(-images // BATCH))
    classifier = fit(DIGITS, plan, MNISTDataModule(data, batch_size=BATCH), progress=progress)
    save_weights(classifier.net, output, {"seed": seed, "epochs": epochs, "images": images})
    return classifier


if __name__ == "__main__":
    from modelrepo.train import main

    sys.exit(main(["digits", *sys.argv[1:]]))
