"""What the training relies on of Lightning's schedules: averaged weights, and a rate that goes up and down."""

from __future__ import annotations

import pytest
import torch
from pytorch_lightning.callbacks import Callback, StochasticWeightAveraging

from modelrepo.vision.part import MNISTPart
from modelrepo.vision.variants import CyclicClassifier, PlainClassifier

EPOCHS, START = 5, 2  # averaging takes the weights at the beginning of each epoch, from the second epoch on


class Weights(Callback):
    """The weights at the beginning of each epoch, and at the end of the last one."""

    def __init__(self):
        self.begun, self.last = [], None

    def on_train_epoch_start(self, trainer, pl_module):
        self.begun.append(flat(pl_module))

    def on_train_epoch_end(self, trainer, pl_module):
        self.last = flat(pl_module)


class Rates(Callback):
    """The learning rate of each step."""

    def __init__(self):
        self.used = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.used.append(trainer.optimizers[0].param_groups[0]["lr"])


def flat(module):
    return torch.nn.utils.parameters_to_vector(module.parameters()).detach().clone()


@pytest.fixture
def averaging():
    return StochasticWeightAveraging(swa_lrs=0.05, swa_epoch_start=START, annealing_epochs=1)


@pytest.mark.modelcheck
def test_averaged_weights_are_the_mean_of_those_that_were_collected(fitted, averaging):
    classifier, weights = PlainClassifier(), Weights()
    fitted(
        classifier,
        MNISTPart(320, batch_size=32),
        max_epochs=EPOCHS,
        callbacks=[weights, averaging],
        limit_val_batches=0,
    )
    collected = weights.begun[START - 1 :]
    assert len(collected) == EPOCHS - START + 1
    assert (flat(classifier) - weights.last).abs().max() > 1e-3, "the weights are those of the last step"
    apart = float((flat(classifier) - torch.stack(collected).mean(dim=0)).abs().max())
    assert apart < 1e-6, f"the weights are up to {apart:.2g} from the mean of the {len(collected)} that were collected"


@pytest.fixture
def cyclic():
    return CyclicClassifier()


@pytest.mark.modelcheck
def test_the_cyclic_rate_is_a_triangle(fitted, cyclic):
    rates = Rates()
    fitted(cyclic, MNISTPart(640, batch_size=16), callbacks=[rates], limit_val_batches=0)
    low, high, half = 0.01, 0.05, 8
    triangle = [low + (high - low) * (1 - abs(step % (2 * half) / half - 1)) for step in range(40)]
    apart = [abs(used - promised) for used, promised in zip(rates.used, triangle, strict=True)]
    worst = apart.index(max(apart))
    assert max(apart) < 1e-9, f"the rate of step {worst} is {rates.used[worst]:.3g}, promised {triangle[worst]:.3g}"
