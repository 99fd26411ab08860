"""What the training relies on of Lightning's Trainer: each feature at work on MNIST, and judged by what it promises."""

from __future__ import annotations

import copy

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.tuner import Tuner
from torch.utils.data import Subset

from modelrepo.running import quiet
from modelrepo.vision.classifier import DigitClassifier
from modelrepo.vision.part import MNISTPart
from modelrepo.vision.variants import CrowdedClassifier, OverheatedClassifier, PlainClassifier
from pytest_modelcheck import assert_accuracy

PATIENCE, LONGEST = 2, 8


class Watch(Callback):
    """The accuracy after each epoch, and the loss of each step."""

    def __init__(self):
        self.scores, self.losses = [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.losses.append(float(outputs["loss"]))

    def on_train_epoch_end(self, trainer, pl_module):
        self.scores += [round(float(score), 6) for name, score in trainer.callback_metrics.items() if name == "val_acc"]


def furthest(one, other):
    """The parameter in which two modules differ most, and by how much."""
    pairs = zip(one.named_parameters(), other.parameters(), strict=True)
    distances = {name: float((mine.detach() - its.detach()).abs().max()) for (name, mine), its in pairs}
    return max(distances.items(), key=lambda item: item[1])


@pytest.fixture
def part():
    return MNISTPart(500)


@pytest.fixture
def checkpoints(tmp_path):
    return ModelCheckpoint(tmp_path / "checkpoints", monitor="val_acc", mode="max", save_last=True)


@pytest.mark.modelcheck
def test_the_best_checkpoint_is_kept_and_is_the_one_that_is_judged(fitted, part, checkpoints, tmp_path):
    watch = Watch()
    fitted(OverheatedClassifier(), part, max_epochs=4, enable_checkpointing=True, callbacks=[watch, checkpoints])
    assert watch.scores[-1] < max(watch.scores), "the last epoch is the best one, and the two cannot be told apart"
    promised = {"checkpoint": tmp_path / "checkpoints" / "best", "stage": "validate", "min": max(watch.scores)}
    assert_accuracy(DigitClassifier(), part, **promised)


@pytest.fixture
def stopper():
    return EarlyStopping("val_acc", mode="max", patience=PATIENCE)


@pytest.mark.modelcheck
def test_training_stops_once_nothing_gets_better(fitted, part, stopper):
    watch = Watch()
    fitted(OverheatedClassifier(), part, max_epochs=LONGEST, callbacks=[watch, stopper])
    tops = [watch.scores.index(max(watch.scores[: end + 1])) for end in range(len(watch.scores))]
    due = next((epoch for epoch, top in enumerate(tops) if epoch - top >= PATIENCE), LONGEST - 1)
    ended = len(watch.scores) - 1
    assert ended == due, (
        f"the training stopped after epoch {ended}, and by its scores it should after {due}: {watch.scores}"
    )
    assert due < LONGEST - 1, f"nothing was to be stopped: {watch.scores}"


@pytest.fixture
def accumulating():
    return PlainClassifier()


@pytest.mark.modelcheck
def test_gradients_of_small_batches_add_up_to_those_of_a_large_one(fitted, accumulating):
    whole, start = PlainClassifier(), copy.deepcopy(accumulating)
    whole.load_state_dict(accumulating.state_dict())
    steps = {"images": 320, "shuffle": False}
    fitted(whole, MNISTPart(batch_size=64, **steps), limit_val_batches=0)
    fitted(accumulating, MNISTPart(batch_size=16, **steps), limit_val_batches=0, accumulate_grad_batches=4)
    name, distance = furthest(accumulating, whole)
    assert furthest(whole, start)[1] > 1e-3, "the training moved no parameter, and there is nothing to compare"
    assert distance < 1e-5, f"{name} is {distance:.2g} from what batches of 64 give"


@pytest.fixture
def precision():
    return "bf16-mixed"


@pytest.mark.modelcheck
def test_bf16_stays_close_to_float32(fitted, precision):
    single, mixed = Watch(), Watch()
    network = PlainClassifier()
    half, kinds = copy.deepcopy(network), set()
    half.net[2].register_forward_hook(lambda layer, inputs, output: kinds.add(output.dtype))
    fitted(network, MNISTPart(640, batch_size=64), callbacks=[single], limit_val_batches=0)
    fitted(half, MNISTPart(640, batch_size=64), callbacks=[mixed], limit_val_batches=0, precision=precision)
    assert kinds == {torch.bfloat16}, f"the convolution gave {kinds}: no pass was in bf16"
    kept = {item.dtype for item in half.parameters()}
    assert kept == {torch.float32}, f"the weights are {kept}: small steps are lost in bf16"
    apart = max(abs(one - other) for one, other in zip(single.losses, mixed.losses, strict=True))
    assert 0 < apart < 0.05, f"the losses are up to {apart:.2g} from those in float32"


@pytest.fixture
def held_out(modelcheck_mnist):
    return Subset(modelcheck_mnist, range(1_000))


@pytest.mark.modelcheck_accuracy(model="classifier", data="held_out", precision="bf16-mixed", min=0.97)
def test_the_classifier_reads_digits_in_bf16(): ...


@pytest.fixture
def tuner(tmp_path):
    with quiet():
        quick = {"accelerator": "cpu", "devices": 1, "max_epochs": 1, "logger": False, "limit_val_batches": 0}
        silent = dict.fromkeys(["enable_checkpointing", "enable_model_summary", "enable_progress_bar"], False)
        return Tuner(Trainer(default_root_dir=tmp_path, **quick, **silent))


@pytest.fixture
def sized():
    return MNISTPart(600)


@pytest.mark.modelcheck
def test_the_batch_size_finder_finds_the_largest_that_fits(tuner, sized):
    classifier = CrowdedClassifier()
    before = copy.deepcopy(classifier)
    with quiet():
        found = tuner.scale_batch_size(classifier, datamodule=sized, init_val=64, steps_per_trial=1, max_trials=6)
    fits = max(size for size in (64, 128, 256, 512, 1024) if size <= classifier.room)
    assert found == fits, f"the finder gave {found}, and {fits} is the largest power of two that fits {classifier.room}"
    assert (sized.batch_size, len(next(iter(sized.train_dataloader()))[0])) == (found, found)
    assert furthest(classifier, before)[1] == 0, "the search moved the weights"


@pytest.fixture
def rates():
    return {"min_lr": 1e-5, "max_lr": 0.1}


@pytest.mark.modelcheck
def test_the_learning_rate_finder_gives_a_rate_that_learns(fitted, tuner, rates):
    classifier = DigitClassifier(max_lr=None)
    data = MNISTPart(1_600, batch_size=32)
    with quiet():
        found = tuner.lr_find(classifier, datamodule=data, num_training=50, **rates).suggestion()
    assert classifier.hparams.lr == found
    watch = Watch()
    fitted(classifier, data, callbacks=[watch], limit_val_batches=0)
    first, last = sum(watch.losses[:5]) / 5, sum(watch.losses[-5:]) / 5
    assert last < 0.7 * first, f"at the suggested rate of {found:.2g} the loss went from {first:.2f} to {last:.2f}"
