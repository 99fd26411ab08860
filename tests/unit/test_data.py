"""What data is, how large it is, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.data import open_data, split_batch

STEP = ", or step=, a function of the model and a batch that gives outputs and targets"

X, Y = torch.arange(20.0).reshape(10, 2), torch.arange(10) % 2


class Items(Dataset):
    """Samples from a list, one by one."""

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index]


class Maplike:
    """A data set without the base class."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return X[index], Y[index]


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(X, Y, strict=True))


def samples():
    return [(X[index], int(Y[index])) for index in range(10)]


def module_of(base, loaders):
    class Digits(base):
        def prepare_data(self):
            self.asked = ["prepare_data"]

        def setup(self, stage):
            self.asked.append(f"setup {stage}")

        def test_dataloader(self):
            return loaders()

    return Digits()


class FakeDataModule:
    """Stands for Lightning's class under its other import name."""

    def on_before_batch_transfer(self, batch, dataloader_idx):
        return batch

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        raise AssertionError("Lightning's own hook is not called")


FakeDataModule.__name__ = "LightningDataModule"
FakeDataModule.__module__ = "lightning.pytorch.core.datamodule"
for hook in ("on_before_batch_transfer", "on_after_batch_transfer", "transfer_batch_to_device"):
    getattr(FakeDataModule, hook).__module__ = "lightning.pytorch.core.hooks"


def lightning_bases():
    """Lightning's class under each name by which it can be imported here, and one that looks like it."""
    bases = [FakeDataModule]
    for package in ("pytorch_lightning", "lightning.pytorch"):
        with suppress(ImportError):
            bases.append(import_module(package).LightningDataModule)
    return bases


def read(source):
    """All inputs and targets as the loader gives them."""
    pairs = [split_batch(batch) for batch in source.loader]
    return torch.cat([inputs for inputs, _ in pairs]), torch.cat([targets for _, targets in pairs])


DATA = [
    ("loader", lambda: DataLoader(TensorDataset(X, Y), batch_size=3), 10),
    ("dataset", lambda: TensorDataset(X, Y), 10),
    ("items", lambda: Items(samples()), 10),
    ("map-like", Maplike, 10),
    ("tensors", lambda: (X, Y), 10),
    ("list of two tensors", lambda: [X, Y], 10),
    ("iterable", Stream, None),
    ("iterable in a loader", lambda: DataLoader(Stream(), batch_size=4), None),
    ("batch sampler", lambda: DataLoader(Items(samples()), batch_sampler=_batches(SequentialSampler(X))), 10),
    ("own batches", lambda: DataLoader(Items(samples()), batch_sampler=[[0, 1, 2], [3, 4, 5, 6, 7, 8, 9]]), None),
    ("no batching", lambda: DataLoader(Items([(X[:4], Y[:4]), (X[4:], Y[4:])]), batch_size=None), None),
    ("even drop_last", lambda: DataLoader(TensorDataset(X, Y), batch_size=5, drop_last=True), 10),
]


def _batches(sampler, drop_last=False):
    return BatchSampler(sampler, 4, drop_last)


@pytest.mark.parametrize(("make", "size"), [row[1:] for row in DATA], ids=[row[0] for row in DATA])
def test_data_is_opened_and_read_whole(make, size):
    source = open_data(make())
    inputs, targets = read(source)
    assert source.size == size
    assert torch.equal(inputs, X)
    assert torch.equal(targets, Y)


@pytest.mark.parametrize("base", lightning_bases(), ids=lambda base: base.__module__)
def test_a_data_module_gives_its_test_split(base):
    module = module_of(base, lambda: DataLoader(TensorDataset(X, Y), batch_size=3))
    source = open_data(module)
    assert module.asked == ["prepare_data", "setup test"]
    assert (source.size, source.batch_size, source.module) == (10, 3, module)
    assert source.transfer(None, 5, "cpu") == 5
    assert source.tensors is not None


@pytest.mark.parametrize("base", lightning_bases(), ids=lambda base: base.__module__)
def test_a_data_module_with_two_loaders_is_refused(base):
    loader = DataLoader(TensorDataset(X, Y))
    with pytest.raises(ModelCheckError) as raised:
        open_data(module_of(base, lambda: [loader, loader]))
    assert str(raised.value) == "Digits.test_dataloader() gave 2 loaders: pass one of them"
    assert open_data(module_of(base, lambda: [loader])).size == 10


def test_a_data_module_that_raises_is_named():
    def loaders():
        raise FileNotFoundError("digits.zip")

    with pytest.raises(ModelCheckError) as raised:
        open_data(module_of(FakeDataModule, loaders))
    assert str(raised.value) == "Digits gave no test data: FileNotFoundError: digits.zip"


def test_a_data_module_without_a_loader_is_no_data():
    with pytest.raises(ModelCheckError) as raised:
        open_data(module_of(FakeDataModule, lambda: None))
    assert str(raised.value) == (
        "Digits is no data: give a DataLoader, a Dataset, a LightningDataModule or a pair of tensors"
    )


def test_batch_hooks_run_in_lightnings_order_and_hide_no_device():
    calls = []

    class Hooked(FakeDataModule):
        def on_before_batch_transfer(self, batch, dataloader_idx):
            calls.append(("before", batch[0].device.type))
            return batch

        def on_after_batch_transfer(self, batch, dataloader_idx):
            calls.append(("after", batch[0].device.type))
            return batch

    module = module_of(Hooked, lambda: DataLoader(TensorDataset(X, Y)))
    source = open_data(module)
    moved = source.transfer(None, [X, Y], "meta")
    assert calls == [("before", "cpu"), ("after", "meta")]
    assert moved[1].is_meta
    assert source.tensors is None


def test_a_transfer_hook_of_the_model_is_used():
    class Model:
        def transfer_batch_to_device(self, batch, device, dataloader_idx):
            return batch, device, dataloader_idx

    source = open_data((X, Y), Model())
    assert source.tensors is None
    assert source.transfer(Model(), "batch", "cpu") == ("batch", torch.device("cpu"), 0)


REFUSED = [
    (
        "drop_last",
        lambda: DataLoader(TensorDataset(X, Y), batch_size=4, drop_last=True),
        "the loader has drop_last=True and leaves 2 of 10 samples unread. Evaluate with drop_last=False",
    ),
    (
        "drop_last of a batch sampler",
        lambda: DataLoader(TensorDataset(X, Y), batch_sampler=_batches(SequentialSampler(X), drop_last=True)),
        "the loader has drop_last=True and leaves 2 of 10 samples unread. Evaluate with drop_last=False",
    ),
    (
        "replacement",
        lambda: DataLoader(TensorDataset(X, Y), sampler=RandomSampler(X, replacement=True)),
        "the loader's RandomSampler draws with replacement: some samples would count twice and some not at all. "
        "Evaluate without it",
    ),
    (
        "replacement in a batch sampler",
        lambda: DataLoader(TensorDataset(X, Y), batch_sampler=_batches(RandomSampler(X, replacement=True))),
        "the loader's RandomSampler draws with replacement: some samples would count twice and some not at all. "
        "Evaluate without it",
    ),
    (
        "weighted",
        lambda: DataLoader(TensorDataset(X, Y), sampler=WeightedRandomSampler([1.0] * 10, 10)),
        "the loader's WeightedRandomSampler draws with replacement: some samples would count twice and some not at "
        "all. Evaluate without it",
    ),
    (
        "more than there are",
        lambda: DataLoader(TensorDataset(X, Y), sampler=RandomSampler(X, num_samples=12)),
        "the loader's RandomSampler draws 12 samples of 10: some would count twice. Evaluate on each sample once",
    ),
    (
        "distributed",
        lambda: DataLoader(TensorDataset(X, Y), sampler=DistributedSampler(X, num_replicas=2, rank=0)),
        "the loader's DistributedSampler gives one process's share: evaluate on all the data",
    ),
    ("empty tensors", lambda: (X[:0], Y[:0]), "the data is empty: there is no sample to judge"),
    ("empty items", lambda: Items([]), "the data is empty: there is no sample to judge"),
    (
        "empty subset",
        lambda: DataLoader(Subset(TensorDataset(X, Y), [])),
        "the data is empty: there is no sample to judge",
    ),
    *(
        (
            type(value).__name__,
            lambda value=value: value,
            f"{type(value).__name__} is no data: give a DataLoader, a Dataset, a LightningDataModule or a pair of "
            "tensors",
        )
        for value in (None, "data/MNIST", b"MNIST", [1, 2], [], (), (X,), (X, Y, Y), {"x": X}, 7, iter([]), (X, [0]))
    ),
]


@pytest.mark.parametrize(("make", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_data_that_would_be_judged_wrongly_is_refused(make, message):
    with pytest.raises(ModelCheckError) as raised:
        open_data(make())
    assert str(raised.value) == message


@pytest.mark.parametrize("key", ["labels", "label", "targets", "target"])
def test_a_mapping_is_split_at_its_labels(key):
    assert split_batch({"pixels": 1, key: 2, "mask": 3}) == ({"pixels": 1, "mask": 3}, 2)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (
            {"pixels": X},
            "a batch is a mapping with the keys ['pixels']: one of ('labels', 'label', 'targets', 'target') is needed",
        ),
        (
            {"label": Y, "labels": Y},
            "a batch is a mapping with the keys ['label', 'labels']: one of ('labels', 'label', 'targets', 'target') "
            "is needed",
        ),
        ((X,), "a batch is a tuple of 1: a pair (inputs, targets) or a mapping with labels is needed" + STEP),
        ([X, Y, Y], "a batch is a list of 3: a pair (inputs, targets) or a mapping with labels is needed" + STEP),
        (X[:2], "a batch is a Tensor of 2: a pair (inputs, targets) or a mapping with labels is needed" + STEP),
        (None, "a batch is a NoneType: a pair (inputs, targets) or a mapping with labels is needed" + STEP),
        ("ab", "a batch is a str of 2: a pair (inputs, targets) or a mapping with labels is needed" + STEP),
    ],
)
def test_a_batch_without_labels_is_refused(batch, message):
    with pytest.raises(ModelCheckError) as raised:
        split_batch(batch)
    assert str(raised.value) == message


def digest(data):
    return open_data(data).tensors.fingerprint


def test_equal_data_has_one_fingerprint():
    assert digest((X, Y)) == digest((X.clone(), Y.clone()))
    assert digest((X.bfloat16(), Y)) != digest((X, Y))


def test_one_changed_label_changes_the_fingerprint():
    for index in range(10):
        labels = Y.clone()
        labels[index] = 5
        assert digest((X, labels)) != digest((X, Y))


def test_one_changed_value_changes_the_fingerprint():
    inputs = X.clone()
    inputs[9, 1] += 1
    assert digest((inputs, Y)) != digest((X, Y))


@pytest.mark.parametrize(
    "make",
    [
        Stream,
        lambda: DataLoader(TensorDataset(X, Y), sampler=SubsetRandomSampler([1, 2])),
        lambda: DataLoader(TensorDataset(X, Y), sampler=SequentialSampler(range(3))),
        lambda: DataLoader(TensorDataset(X, Y), shuffle=True),
        lambda: Items(samples()),
        lambda: module_of(
            type("Hooked", (FakeDataModule,), {"on_after_batch_transfer": lambda self, batch, index: batch}),
            lambda: DataLoader(TensorDataset(X, Y)),
        ),
    ],
    ids=["stream", "subset sampler", "part", "shuffled", "own data set", "batch hooks"],
)
def test_data_whose_next_reading_may_differ_is_not_read_as_tensors(make):
    assert open_data(make()).tensors is None


def test_fewer_draws_than_samples_are_refused():
    loader = DataLoader(TensorDataset(X, Y), sampler=RandomSampler(X, num_samples=3))
    with pytest.raises(ModelCheckError) as raised:
        open_data(loader)
    assert str(raised.value) == (
        "the loader's RandomSampler draws 3 samples of 10, others each time. Evaluate on all of them"
    )


def test_a_stream_read_by_several_workers_is_refused():
    with pytest.raises(ModelCheckError) as raised:
        open_data(DataLoader(Stream(), num_workers=2))
    assert str(raised.value) == (
        "an iterable data set with 2 workers gives every sample 2 times unless it shards itself, which cannot be seen. "
        "Evaluate with num_workers=0 or 1"
    )


def test_a_pair_has_one_target_for_each_input():
    with pytest.raises(ModelCheckError) as raised:
        open_data((X, Y[:9]))
    assert str(raised.value) == "the data has 10 inputs and 9 targets: one target for each input is needed"
