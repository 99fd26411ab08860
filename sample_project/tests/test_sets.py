"""What the anomaly finder promises: it finds the image of another digit, in whatever order they come."""

from __future__ import annotations

import pytest
import torch

from modelrepo.transformer.anomaly import AnomalyFinder

SHAPES = {
    "images": "batch set 1 28 28",
    "embedding.0": "batch*set 8 13 13",
    "embedding.2": "batch*set 16 5 5",
    "embedding": "batch*set dim",
    "encoder.blocks.*.attention:1": "batch heads set set",
    "encoder.blocks.*.feed_forward_norm": "batch set dim",
    "head": "batch set 1",
    "logits": "batch set",
}


@pytest.fixture
def some_sets(image_sets):
    """The images of three sets of the test split, `[3, 10, 1, 28, 28]`."""
    image_sets.setup("test")
    return torch.stack([image_sets.test[index]["images"] for index in range(3)])


@pytest.fixture
def asked(some_sets):
    return {"images": some_sets, "output_attentions": True}


@pytest.mark.modelcheck_parameters(model="finder", total=96_025, layers={"embedding": 29_016, "encoder": 66_944})
@pytest.mark.modelcheck_shape(model="finder", inputs="some_sets", expected=SHAPES, finite=True)
@pytest.mark.modelcheck_attention(model="finder", inputs="asked", heads=4, layers=2, causal=False)
def test_the_finder_has_its_size_and_shapes(): ...


@pytest.mark.modelcheck_permutation_equivariant(model="finder", inputs="some_sets", tolerance=1e-5)
@pytest.mark.modelcheck_batch_invariant(model="finder", inputs="some_sets")
def test_shuffled_images_get_the_same_scores_shuffled(): ...


@pytest.mark.modelcheck_accuracy(model="finder", data="image_sets", min=0.97)
@pytest.mark.modelcheck_accuracy(model="finder", data="image_sets", min=0.97, confidence=0.95)
@pytest.mark.modelcheck_accuracy(model="finder", data="image_sets", min=0.94, per_class=True)
def test_the_anomaly_is_found_at_every_place(): ...


@pytest.mark.modelcheck
def test_each_set_has_one_anomaly(image_sets):
    image_sets.setup("test")
    digits, sets = image_sets.test.digits, image_sets.test
    shown = digits[sets.positions]
    odd = shown.gather(1, sets.places[:, None])
    assert int(((shown == odd).sum(dim=1) != 1).sum()) == 0
    assert {len(set(row)) for row in shown.tolist()} == {2}


@pytest.mark.modelcheck
def test_an_untrained_finder_guesses(modelcheck, image_sets):
    torch.manual_seed(modelcheck.seed)
    image_sets.setup("test")
    batch = [image_sets.test[index] for index in range(500)]
    found = AnomalyFinder().eval()(torch.stack([item["images"] for item in batch]))["logits"].argmax(dim=1)
    right = int((found == torch.stack([item["labels"] for item in batch])).sum())
    assert right < 250


@pytest.mark.recipe
@pytest.mark.modelcheck_recipe(train="train_finder", data="image_sets", min=0.95, seeds=5)
def test_finding_anomalies_is_learnt_from_nearly_any_seed(): ...
