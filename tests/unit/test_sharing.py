"""A sample is inferred once for all gates on one model, data and device, and again wherever one of them is another."""

from __future__ import annotations

import copy
import gc
import random
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
import torchmetrics
from pytorch_lightning import LightningDataModule
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
)
from torchmetrics.classification import MulticlassAccuracy

from pytest_modelcheck import assert_accuracy
from pytest_modelcheck.checks.metric import metric
from pytest_modelcheck.context import Context
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation import predictions, tensor_data
from pytest_modelcheck.evaluation.batches import Way
from pytest_modelcheck.evaluation.metric_values import replayed
from pytest_modelcheck.evaluation.sharing import Asked, heard_pass, passes_elsewhere, shared_pass

X, Y = torch.eye(4).repeat(100, 1), torch.arange(400) % 4


class Own(Dataset):
    """A data set of the user's own, of what a function of the position gives."""

    def __init__(self, give, size=400):
        self.give, self.size = give, size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return self.give(index)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(X, Y, strict=True))


class Counting(nn.Module):
    """The identity; it counts the samples that it is shown."""

    def __init__(self, counted):
        super().__init__()
        self.count = counted.append  # a method is no state of the model's own

    def forward(self, inputs):
        self.count(len(inputs))
        return inputs


def linear():
    model = nn.Linear(4, 4, bias=False)
    nn.init.eye_(model.weight)
    return model


def finished(asked, shared):
    run = shared_pass(asked, shared)
    run.read()
    return run


SHARED = {
    "numbers": lambda: Own(lambda row: (X[row], int(Y[row]))),
    "arrays": lambda: Own(lambda row: (X[row].numpy(), np.int64(Y[row]))),
    "mapping": lambda: Own(lambda row: {"inputs": X[row], "label": int(Y[row])}),
    "loader": lambda: DataLoader(Own(lambda row: (X[row], int(Y[row]))), batch_size=32),
    "own collation": lambda: DataLoader(TensorDataset(X, Y), collate_fn=lambda rows: default_collate(rows)),
    "subset": lambda: Subset(Own(lambda row: (X[row], int(Y[row]))), range(300)),
    "cached augmentation": lambda: Own(lambda row: (X[row] + torch.rand(4, generator=seeded(row)), int(Y[row]))),
}


def seeded(row):
    return torch.Generator().manual_seed(row)


@pytest.mark.parametrize("make", SHARED.values(), ids=SHARED)
def test_a_map_style_data_set_is_inferred_once(make):
    counted, shared, data = [], {}, make()
    model = Counting(counted)
    first = finished(Asked(model, data), shared)
    assert sum(counted) == first.seen
    second = finished(Asked(model, data), shared)
    assert second is first
    # The first batch is looked at again.
    assert sum(counted) <= first.seen + first.source.batch_size


def test_another_object_that_gives_the_same_is_read_again():
    shared, model = {}, linear()
    runs = [finished(Asked(model, SHARED["numbers"]()), shared) for _ in range(2)]
    assert runs[0] is not runs[1]


LABELS, IMAGE = Y.tolist(), np.zeros((400, 3, 40, 40), dtype=np.float32)
NAMES = ["cat"] * 400


def relabel():
    LABELS[0] = 3


def repaint():
    IMAGE[0, 1, 20, 20] = 1  # numpy writes out the corners of a large array only


def rename():
    NAMES[399] = "dog"


class Still(nn.Module):
    """It gives the same for everything."""

    def forward(self, input, name=()):
        return torch.zeros(len(input), 4)


CHANGED = {
    "number": (lambda row: (X[row], LABELS[row]), relabel),
    "tensor": (lambda row: (X[row], torch.tensor(LABELS[row])), relabel),
    "middle of an array": (lambda row: (IMAGE[row], 0), repaint),
    "text": (lambda row: {"input": X[row], "name": NAMES[row], "label": 0}, rename),
}


@pytest.mark.parametrize(("give", "change"), CHANGED.values(), ids=CHANGED)
def test_samples_that_changed_between_two_gates_are_read_again(give, change):
    LABELS[:], IMAGE[:], NAMES[:] = Y.tolist(), 0, ["cat"] * 400
    shared, model, data = {}, Still(), Own(give)
    first = finished(Asked(model, data), shared)
    assert shared_pass(Asked(model, data), shared) is first
    change()
    assert shared_pass(Asked(model, data), shared) is not first


def rows_of_odd_size():
    """Of 60 bytes, which are no multiple of a word's, with a NaN and a zero of either sign."""
    inputs = torch.arange(15, dtype=torch.float32).reshape(5, 3)
    inputs[0, 0], inputs[1, 1], inputs[2, 2] = float("nan"), 0.0, -0.0
    return inputs, torch.arange(5) % 3


WHOLE = {
    "the first number": lambda inputs, _: inputs[0].fill_(1),
    "the last number": lambda inputs, _: inputs[4, 2].add_(1),
    "a sign of zero": lambda inputs, _: inputs[1, 1].neg_(),
    "the last label": lambda _, labels: labels[4].add_(1),
}


@pytest.mark.parametrize("most", [1 << 20, 8], ids=["kept", "too large to be kept"])
@pytest.mark.parametrize("change", WHOLE.values(), ids=WHOLE)
def test_whole_tensors_that_changed_between_two_gates_are_read_again(monkeypatch, change, most):
    monkeypatch.setattr(tensor_data, "_REMEMBERED", most)
    shared, model, tensors = {}, Still(), rows_of_odd_size()
    asked = Asked(model, DataLoader(TensorDataset(*tensors), batch_size=2))
    first = shared_pass(asked, shared)
    assert shared_pass(asked, shared) is first
    assert shared_pass(Asked(model, DataLoader(TensorDataset(*rows_of_odd_size()), batch_size=2)), shared) is first
    change(*tensors)
    changed = shared_pass(asked, shared)
    assert changed is not first
    assert changed.fingerprint != first.fingerprint
    assert shared_pass(asked, shared) is changed


def test_a_fingerprint_is_of_the_data_that_a_pass_began_with():
    shared, tensors = {}, rows_of_odd_size()
    loader = DataLoader(TensorDataset(*tensors), batch_size=2)
    runs = [shared_pass(Asked(model, loader), shared) for model in (linear(), Still())]
    tensors[1].zero_()
    assert runs[0].fingerprint == runs[1].fingerprint
    assert shared_pass(Asked(Still(), loader), shared).fingerprint != runs[0].fingerprint


def test_the_same_bytes_of_another_kind_are_other_data():
    shared, model = {}, Still()
    kinds = [torch.zeros(6, 2), torch.zeros(3, 4).reshape(6, 2).view(torch.int32), torch.zeros(6, 1, 2)]
    runs = {id(shared_pass(Asked(model, DataLoader(TensorDataset(kind, Y[:6]))), shared)) for kind in kinds}
    assert len(runs) == 3


def test_data_is_known_again_whatever_came_in_between():
    shared, model = {}, Still()
    data = [DataLoader(TensorDataset(torch.full((4, 2), float(number)), Y[:4])) for number in range(5)]
    runs = [shared_pass(Asked(model, loader), shared) for loader in data]
    assert [shared_pass(Asked(model, loader), shared) for loader in data] == runs
    assert len({run.fingerprint for run in runs}) == 5


AUGMENTED = {
    "torch": lambda row: (X[row] + torch.rand(4), int(Y[row])),
    "numpy": lambda row: (X[row] + np.random.rand(), int(Y[row])),
    "random": lambda row: (X[row] + random.random(), int(Y[row])),
    "label noise": lambda row: (X[row], random.randrange(4)),
}


@pytest.mark.parametrize("give", AUGMENTED.values(), ids=AUGMENTED)
def test_samples_that_are_drawn_are_the_same_in_every_gate(give):
    shared, model, data = {}, linear(), Own(give)
    runs = []
    for seed in (0, 0, 1):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = (random.getstate(), torch.get_rng_state().tolist())
        runs.append(finished(Asked(model, data), shared))
        assert (random.getstate(), torch.get_rng_state().tolist()) == before
    assert runs[0] is runs[1] is runs[2]
    assert finished(Asked(model, data, seed=1), {}).fingerprint != runs[0].fingerprint


class Bucketed(BatchSampler):
    """It gives the samples of its sampler in an order of its own."""


UNSHARED = {
    "stream": Stream,
    "loader of a stream": lambda: DataLoader(Stream(), batch_size=32),
    "shuffled": lambda: DataLoader(TensorDataset(X, Y), shuffle=True),
    "batches of its own": lambda: DataLoader(
        TensorDataset(X, Y), batch_sampler=Bucketed(SequentialSampler(X), 20, drop_last=False)
    ),
    "whole batches": lambda: DataLoader(Own(lambda row: (X[row : row + 1], Y[row : row + 1])), batch_size=None),
}


@pytest.mark.parametrize("make", UNSHARED.values(), ids=UNSHARED)
def test_data_that_may_be_other_the_next_time_is_read_by_each_gate(make):
    shared, model, data = {}, linear(), make()
    runs = [finished(Asked(model, data), shared) for _ in range(2)]
    assert runs[0] is not runs[1]
    assert [(run.seen, run.correct) for run in runs] == [(400, 400)] * 2
    assert shared == {}


def test_samples_that_cannot_be_read_are_told_by_the_pass():
    def give(row):
        if row == 399:
            raise OSError("disk")
        return X[row], int(Y[row])

    shared = {}
    model = linear()
    run = shared_pass(Asked(model, Own(give)), shared)
    with pytest.raises(ModelCheckError) as raised:
        run.read()
    assert str(raised.value) == "batch 1: reading the data raised OSError: disk"


def one_step(model, batch):
    return model(batch[0]), batch[1]


def other_step(model, batch):
    return -model(batch[0]), batch[1]


class Splits(LightningDataModule):
    """Two splits that differ in one label, which no gate looks at before it shares."""

    def test_dataloader(self):
        return DataLoader(Own(lambda row: (X[row], int(Y[row]))), batch_size=50)

    def val_dataloader(self):
        return DataLoader(Own(lambda row: (X[row], 3 if row == 1 else int(Y[row]))), batch_size=50)


DATA = SHARED["numbers"]()
OTHERWISE = {
    "step": {"way": Way(one_step)},
    "another step": {"way": Way(other_step)},
    "precision": {"way": Way(precision="bf16-mixed")},
    "another precision": {"way": Way(precision="64-true")},
    "batch size": {"data": DataLoader(DATA, batch_size=10)},
    "model": {"model": nn.Identity()},
}


def test_another_way_is_another_pass():
    shared, model = {}, linear()
    ways = [Asked(model, DATA), *(Asked(**{"model": model, "data": DATA, **how}) for how in OTHERWISE.values())]
    runs = [finished(asked, shared) for asked in ways]
    assert len({id(run) for run in runs}) == len(ways)
    assert [shared_pass(asked, shared) for asked in ways] == runs


def test_another_stage_is_another_pass():
    shared, model, data = {}, linear(), Splits()
    runs = [finished(Asked(model, data, stage=stage), shared) for stage in ("test", "validate")]
    assert [run.correct for run in runs] == [400, 399]
    assert shared_pass(Asked(model, data, stage="validate"), shared) is runs[1]


@pytest.mark.parametrize("data", [DATA, (X, Y)], ids=["own", "tensors"])
def test_a_pass_in_random_order_is_none_for_gates_that_judge_all_samples(data):
    shared, model = {}, linear()
    early = shared_pass(Asked(model, data, shuffled="test 0"), shared)
    early.read(lambda now: now.seen >= 100)
    later = finished(Asked(model, data), shared)
    assert later is not early
    predicted, targets = later.tally.by_sample()
    assert torch.equal(predicted, Y)
    assert torch.equal(targets, Y)
    assert later.fingerprint == finished(Asked(model, data), {}).fingerprint != ""
    assert shared_pass(Asked(model, data), shared) is later


def test_a_model_that_looks_at_its_neighbours_is_not_judged_in_random_order():
    class Centred(nn.Module):
        def forward(self, x):
            return x - x.mean(0)

    shared, model, labels = {}, Centred(), torch.arange(4).repeat_interleave(100)
    data = TensorDataset(torch.eye(4).repeat_interleave(100, 0) + torch.linspace(0, 0.1, 400)[:, None], labels)
    early = shared_pass(Asked(model, data, shuffled="test 0"), shared)
    with pytest.raises(ModelCheckError, match="early_stop needs each judged alone"):
        early.read()
    exact = finished(Asked(model, data), shared)
    assert exact is not early
    assert exact.source.order is None


ORDER = """
import torch
from torch import nn
from pytest_modelcheck.evaluation.metric_values import replayed
from pytest_modelcheck.evaluation.sharing import Asked, shared_pass

class Own(torch.utils.data.Dataset):
    def __len__(self):
        return 400

    def __getitem__(self, index):
        return torch.eye(4)[index % 4], index % 4

class Model(nn.Linear):
    pass

model = Model(4, 4, bias=False)
nn.init.eye_(model.weight)
for data in (Own(), (torch.eye(4).repeat(100, 1), torch.arange(400) % 4)):
    print(shared_pass(Asked(model, data, shuffled="test_it.py::test_it 0"), {}).source.order)
"""


def test_the_random_order_is_the_same_in_every_process():
    told = [
        subprocess.run([sys.executable, "-c", ORDER], capture_output=True, text=True, check=True).stdout.splitlines()
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert len(set(told[0])) == 2


def test_another_model_that_is_the_same_gets_what_is_finished():
    shared, one = {}, linear()
    part = shared_pass(Asked(one, (X, Y)), shared)
    part.read(lambda now: now.seen >= 250)
    assert not part.finished
    other = linear()
    whole = finished(Asked(other, (X, Y)), shared)
    assert whole is not part
    assert shared_pass(Asked(one, (X, Y)), shared) is whole
    other.weight.data.neg_()
    assert shared_pass(Asked(other, (X, Y)), shared) is not whole


def test_passes_of_dead_models_are_let_go():
    shared, counted = {}, []
    for number in range(10):
        model = linear()
        model.weight.data *= number + 1
        finished(Asked(model, (X, Y)), shared)
        counted.append(sum(isinstance(value, predictions.Pass) for value in shared.values()))
        assert sum(isinstance(key, tuple) and key[0] == "held" for key in shared) == counted[-1]
        assert sum(isinstance(key, tuple) and key[0] == "kin" for key in shared) <= 5
    last = weakref.ref(model)
    del model
    gc.collect()
    assert last() is None
    assert counted == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9]


F1 = torchmetrics.classification.MulticlassF1Score(num_classes=4, average="macro")


@pytest.mark.parametrize("kept", [0, 3_000, 256 * 1024 * 1024])
def test_outputs_that_are_too_many_to_be_kept_are_read_again_by_each_metric(monkeypatch, kept):
    monkeypatch.setattr(predictions, "_KEPT", kept)
    counted = []
    model = Counting(counted)
    labels = torch.where(torch.arange(400) < 40, (Y + 1) % 4, Y)
    loader = DataLoader(Own(lambda row: (X[row], labels[row])), batch_size=50)
    with Context().active():
        results = [metric(model, loader, metric=F1, min=0.5) for _ in range(2)]
        assert_accuracy(model, loader, min=0.9)
    assert results[0].measured == results[1].measured
    assert results[0].measured.startswith("MulticlassF1Score 0.9 (macro; ")
    assert sum(counted) == (400 if kept > 10_000 else 3 * 400) + 2 * 50  # a batch is looked at again


def test_a_pass_of_its_own_keeps_nothing():
    heard, model = [], linear()
    run = heard_pass(Asked(model, DATA), heard.append)
    run.read()
    assert sum(len(batch.targets) for batch in heard) == 400
    assert run.kept == []


@pytest.mark.parametrize(("classes", "most"), [(10, 600), (2_000, 125)])
def test_small_batches_are_shown_together_within_a_number_of_scores(classes, most):
    data = DataLoader(TensorDataset(torch.randn(600, classes), torch.arange(600) % 10), batch_size=5)
    run = finished(Asked(nn.Identity(), data), {})
    shown = [len(batch.targets) for batch in replayed(run, MulticlassAccuracy(classes))]
    assert (sum(shown), max(shown)) == (600, most)


def test_the_passes_on_other_devices_are_found():
    shared, model = {}, linear()
    run = finished(Asked(model, (X, Y)), shared)
    unrelated = finished(Asked(model, (X, (Y + 1) % 4)), shared)
    assert passes_elsewhere(run, shared) == []
    other = copy.copy(run)
    kin = next(kin for key, kin in shared.items() if key[0] == "kin" and run in kin.values())
    kin["cuda"] = other
    assert passes_elsewhere(run, shared) == [other]
    assert passes_elsewhere(other, shared) == [run]
    assert passes_elsewhere(unrelated, shared) == []
    other.finished = False
    assert passes_elsewhere(run, shared) == []


def test_a_pass_whose_model_is_gone_says_so_unless_it_is_finished():
    whole, part = finished(Asked(linear(), (X, Y)), {}), shared_pass(Asked(linear(), (X, Y)), {})
    gc.collect()
    whole.read()
    with pytest.raises(ModelCheckError) as raised:
        part.read()
    assert str(raised.value) == "the model of this pass is gone"
