"""The convolutional network that reads one digit."""

from __future__ import annotations

from pathlib import Path

from torch import nn

CHECKPOINT = Path(__file__).parents[2] / "checkpoints" / "digits.safetensors"


def digit_network() -> nn.Sequential:
    """The network: images `[batch, 1, 28, 28]` in, class scores `[batch, 10]` out, 53,994 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=3),
        nn.MaxPool2d(kernel_size=2, stride=2),
        nn.Conv2d(32, 64, kernel_size=5),
        nn.MaxPool2d(kernel_size=2, stride=2),
        nn.Dropout2d(p=0.1),
        nn.AdaptiveMaxPool2d((1, 1)),
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


def trained_digit_network(checkpoint: Path = CHECKPOINT) -> nn.Sequential:
    """The network with the weights that `python -m modelrepo.train digits` gave, in evaluation mode."""
    from safetensors.torch import load_file

    network = digit_network()
    network.load_state_dict(load_file(checkpoint))
    return network.eval()
