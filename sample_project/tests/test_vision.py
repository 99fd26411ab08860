"""What the vision side promises: the data, the network's size and shapes, and how well it reads digits."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.classification import MulticlassF1Score

from modelrepo.vision.data import MNISTDataModule
from modelrepo.vision.network import digit_network
from modelrepo.vision.train import train
from pytest_modelcheck import assert_shape

TRAIN_HISTOGRAM = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_HISTOGRAM = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]

LAYERS = {
    "0": ("Conv2d", 320, [32, 32, 26, 26]),
    "1": ("MaxPool2d", 0, [32, 32, 13, 13]),
    "2": ("Conv2d", 51_264, [32, 64, 9, 9]),
    "3": ("MaxPool2d", 0, [32, 64, 4, 4]),
    "4": ("Dropout2d", 0, [32, 64, 4, 4]),
    "5": ("AdaptiveMaxPool2d", 0, [32, 64, 1, 1]),
    "6": ("Flatten", 0, [32, 64]),
    "7": ("Linear", 2_080, [32, 32]),
    "8": ("ReLU", 0, [32, 32]),
    "9": ("Linear", 330, [32, 10]),
}


@pytest.mark.modelcheck
def test_the_splits_are_whole_and_disjoint(mnist):
    mnist.setup("fit")
    training, validation = set(mnist.train.indices), set(mnist.validation.indices)
    assert (len(training), len(validation), len(mnist.test)) == (55_000, 5_000, 10_000)
    assert training.isdisjoint(validation)
    assert training | validation == set(range(60_000))
    assert torch.bincount(mnist.train.dataset.targets).tolist() == TRAIN_HISTOGRAM
    assert torch.bincount(mnist.test.targets).tolist() == TEST_HISTOGRAM


@pytest.mark.modelcheck
def test_the_splits_are_the_same_each_time(mnist):
    mnist.setup("fit")
    again = MNISTDataModule()
    again.setup("fit")
    assert again.train.indices == mnist.train.indices
    assert again.validation.indices == mnist.validation.indices


@pytest.mark.modelcheck
@pytest.mark.parametrize("loader", ["train_dataloader", "val_dataloader", "test_dataloader"])
def test_batches_have_their_shape(mnist, loader):
    mnist.setup("fit")
    images, labels = next(iter(getattr(mnist, loader)()))
    assert (list(images.shape), list(labels.shape)) == ([32, 1, 28, 28], [32])
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert set(labels.tolist()) <= set(range(10))


@pytest.mark.modelcheck_parameters(
    model="network", total=53_994, trainable=53_994, layers={name: size for name, (_, size, _) in LAYERS.items()}
)
def test_the_network_has_its_published_size(network):
    assert [type(layer).__name__ for layer in network] == [kind for kind, _, _ in LAYERS.values()]


@pytest.mark.modelcheck_summary(model="classifier", inputs=[32, 1, 28, 28])
@pytest.mark.modelcheck_flops(model="classifier", inputs="images", max=300_000_000)
def test_the_table_of_layers_is_the_reviewed_one(): ...


@pytest.fixture
def images():
    return [32, 1, 28, 28]


@pytest.mark.modelcheck
def test_every_layer_has_its_published_shape(network):
    for layer, (_, _, shape) in LAYERS.items():
        assert_shape(network, torch.zeros(32, 1, 28, 28), expected=shape, layer=layer)


@pytest.mark.modelcheck_accuracy(model="classifier", data="mnist", min=0.985)
@pytest.mark.modelcheck_accuracy(model="classifier", data="mnist", min=0.98, confidence=0.95)
@pytest.mark.modelcheck_accuracy(model="classifier", data="mnist", max_drop=0.001, baseline="release")
@pytest.mark.modelcheck_metric(model="classifier", data="mnist", logged="test_acc", min=0.985)
def test_the_classifier_reads_digits(): ...


@pytest.mark.modelcheck_metric(
    model="classifier",
    data="modelcheck_mnist",
    metric=MulticlassF1Score(num_classes=10, average="macro"),
    min=0.98,
    confidence=0.95,
)
@pytest.mark.modelcheck_accuracy(model="network", data="modelcheck_mnist", min=0.95, early_stop=1e-6)
def test_the_classifier_mixes_no_digits_up(): ...


@pytest.mark.modelcheck_accuracy(model="classifier", data="modelcheck_mnist", min=0.985, average="macro")
@pytest.mark.modelcheck_accuracy(model="classifier", data="modelcheck_mnist", min=0.97, per_class=True)
def test_the_classifier_reads_every_digit(classifier, modelcheck, modelcheck_mnist):
    recalls = modelcheck.evaluate(classifier, modelcheck_mnist).recalls()
    assert {digit: number for digit, (_, number) in recalls.items()} == dict(enumerate(TEST_HISTOGRAM))
    assert all(right >= 0.97 * number for right, number in recalls.values())


@pytest.mark.recipe
@pytest.mark.modelcheck_recipe(train="trained_for_an_epoch", data="mnist", min=0.97, seeds=5)
def test_the_recipe_reaches_its_promise(): ...


@pytest.fixture
def trained_for_an_epoch(tmp_path):
    return lambda seed: train(tmp_path / "digits.safetensors", epochs=1, seed=seed, progress=False)


@pytest.mark.modelcheck
def test_an_untrained_network_does_not_read_digits(modelcheck, modelcheck_mnist):
    counts = modelcheck.evaluate(digit_network(), modelcheck_mnist)
    assert counts.correct < 0.3 * counts.total
