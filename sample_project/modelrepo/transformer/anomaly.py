"""The set-anomaly task: of ten images of digits nine show the same digit, and one shows another. Which one?"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision.datasets import MNIST

from modelrepo.recipe import Recipe
from modelrepo.transformer.encoder import Encoder
from modelrepo.transformer.examples import SPLITS, ExampleDataModule
from modelrepo.transformer.learner import TransformerLearner
from modelrepo.vision.data import DATA

IMAGES = 10
SIZES = {"train": 10_000, "validation": 500, "test": 2_000}
# Of the 60,000 training images, the last are for the validation sets alone.
TRAINING_IMAGES = 55_000


class AnomalyFinder(nn.Module):
    """Images become vectors, an encoder without positions lets them look at each other, and each gets a score.

    Nothing in it knows the order of the images: shuffled images get the same scores, shuffled.
    """

    def __init__(self, dim: int = 64, heads: int = 4, hidden: int = 128, layers: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Sequential(
            nn.Conv2d(1, 8, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.Conv2d(8, 16, kernel_size=5, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 5 * 5, dim),
        )
        self.encoder = Encoder(dim, heads, hidden, layers)
        self.head = nn.Linear(dim, 1)

    def forward(self, images: Tensor, output_attentions: bool = False) -> dict[str, Tensor | tuple[Tensor, ...]]:
        """Sets `[batch, images, 1, 28, 28]` in, `logits` `[batch, images]` out: the highest is that of the anomaly.

        On request they come with `attentions`, the weights of each block `[batch, heads, images, images]`.
        """
        vectors = self.embedding(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        states, weights = self.encoder(vectors)
        logits = self.head(states).squeeze(-1)
        return {"logits": logits, "attentions": weights} if output_attentions else {"logits": logits}


class ImageSets(Dataset):
    """Sets of images by their positions `[sets, images]`, and the place of the anomaly in each `[sets]`."""

    def __init__(self, images: Tensor, digits: Tensor, positions: Tensor, places: Tensor) -> None:
        self.images = images
        self.digits = digits
        self.positions = positions
        self.places = places

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> Mapping[str, Tensor]:
        images = self.images[self.positions[index]][:, None].float() / 255
        return {"images": images, "labels": self.places[index]}


def anomalies(split: str) -> ImageSets:
    """The sets of a split, drawn from its seed; those of `"test"` are of MNIST's test images."""
    mnist = MNIST(DATA, train=split != "test")
    part = {"train": slice(TRAINING_IMAGES), "validation": slice(TRAINING_IMAGES, None), "test": slice(None)}[split]
    images, digits = mnist.data[part], mnist.targets[part]
    generator = torch.Generator().manual_seed(SPLITS.index(split))
    of_digit = [(digits == digit).nonzero().flatten() for digit in range(10)]
    number = SIZES[split]
    usual = torch.randint(10, (number,), generator=generator)
    other = (usual + torch.randint(1, 10, (number,), generator=generator)) % 10
    places = torch.randint(IMAGES, (number,), generator=generator)
    positions = torch.empty(number, IMAGES, dtype=torch.long)
    for row in range(number):
        same, odd = of_digit[usual[row]], of_digit[other[row]]
        positions[row] = same[torch.randperm(len(same), generator=generator)[:IMAGES]]
        positions[row, places[row]] = odd[torch.randint(len(odd), (1,), generator=generator)]
    return ImageSets(images, digits, positions, places)


class AnomalyDataModule(ExampleDataModule):
    """The splits of `anomalies` as loaders of `images` `[batch, 10, 1, 28, 28]` in 0..1 and `labels` `[batch]`."""

    def __init__(self, batch_size: int = 64) -> None:
        super().__init__(anomalies, batch_size)

    def prepare_data(self) -> None:
        """Unpack MNIST's files; whoever deleted them gets them downloaded."""
        MNIST(DATA, download=True)


ANOMALY = Recipe(
    name="anomaly",
    learns="to find the image of another digit among ten",
    module=lambda: TransformerLearner(AnomalyFinder(), classes=IMAGES, lr=2e-3, warmup=50),
    data=AnomalyDataModule,
    epochs=5,
    fast_epochs=1,
    fast_batches=60,
    gates="tests/test_sets.py",
)
