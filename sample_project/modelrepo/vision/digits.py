"""How the digit network is trained."""

from __future__ import annotations

import torch

from modelrepo.recipe import Recipe
from modelrepo.vision.classifier import DigitClassifier
from modelrepo.vision.data import MNISTDataModule

BATCH = 64

DIGITS = Recipe(
    name="digits",
    learns="to read handwritten digits (MNIST)",
    # channels_last is twice as fast on a CPU.
    module=lambda: DigitClassifier().to(memory_format=torch.channels_last),
    data=lambda: MNISTDataModule(batch_size=BATCH),
    epochs=5,
    fast_epochs=1,
    fast_batches=313,
    gates="tests/test_vision.py",
)
