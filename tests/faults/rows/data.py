"""Data that is missing, broken, or other than it seems."""

from __future__ import annotations

import gzip

from tests.faults.fault import Fault, Group

GATE = """
import os
import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler, IterableDataset, RandomSampler, TensorDataset
from pytest_modelcheck import assert_accuracy

MODEL = torch.nn.Linear(4, 3)
TENSORS = TensorDataset(torch.ones(6, 4), torch.tensor([0, 1, 2, 0, 1, 2]))


class Samples(torch.utils.data.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        {sample}


class Stream(IterableDataset):
    def __iter__(self):
        {stream}


@pytest.mark.modelcheck
def test_fault():
    assert_accuracy(MODEL, {data}, min=0)
"""

MNIST = """
import pytest
import torch

@pytest.fixture
def model():
    return torch.nn.Flatten()

@pytest.mark.modelcheck_accuracy(data="modelcheck_mnist", min=0)
def test_fault(): ...
"""

RAW = "data/MNIST/raw/train-images-idx3-ubyte"


def data(written: str, message: str, *, sample: str = "return torch.ones(4), 1", stream: str = "...") -> Fault:
    """A gate on data that is no sound data."""
    text = GATE.format(data=written, sample=sample, stream=stream)
    return Fault(text, f"accuracy of Linear: not measured: {message}")


def mnist(message: str, files: dict[str, bytes] | None = None, *options: str) -> Fault:
    """A gate on MNIST's files."""
    return Fault(MNIST, f"setup: ModelCheckError: {message}", options=options, files=files or {}, needs="torchvision")


NO_PAIR = (
    "a pair (inputs, targets) or a mapping with labels is needed, or step=, a function of the model and a batch that "
    "gives outputs and targets"
)
ANOTHER = (
    "{{root}}/{} is not the canonical file: its md5 is …, expected {} ({} bytes). Delete it and fetch or unpack it "
    "again"
)
LABELS = "DataLoader(TensorDataset(torch.ones(6, 4), torch.tensor({})), batch_size=2)"

GROUP = Group(
    "Data",
    {
        "MNIST's folder is missing": mnist(
            "MNIST is not complete: neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz is in "
            "{root}/nowhere/MNIST/raw. Download it with torchvision.datasets.MNIST('{root}/nowhere', download=True), "
            "or name the folder that holds MNIST/raw with --modelcheck-mnist-root",
            None,
            "--modelcheck-mnist-root=nowhere",
        ),
        "MNIST's images are cut off": mnist(
            ANOTHER.format(RAW, "6bbc9ace898e44ae57da46a324031adb", 20),
            {RAW: bytes.fromhex("00000803 0000ea60 0000001c 0000001c 00000000")},
        ),
        "MNIST's images have the magic number of labels": mnist(
            ANOTHER.format(RAW, "6bbc9ace898e44ae57da46a324031adb", 8),
            {RAW: bytes.fromhex("00000801 0000ea60")},
        ),
        "MNIST's archive is another one": mnist(
            ANOTHER.format(f"{RAW}.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", "…"),
            {f"{RAW}.gz": gzip.compress(b"other images")},
        ),
        "there are fewer targets than inputs": data(
            "(torch.ones(6, 4), torch.zeros(5, dtype=torch.long))",
            "the data has 6 inputs and 5 targets: one target for each input is needed",
        ),
        "the data is empty": data(
            "(torch.ones(0, 4), torch.zeros(0, dtype=torch.long))", "the data is empty: there is no sample to judge"
        ),
        "a stream is empty": data(
            "DataLoader(Stream(), batch_size=2)",
            "the data is empty: there is no sample to judge",
            stream="yield from ()",
        ),
        "a stream is read by two workers": data(
            "DataLoader(Stream(), batch_size=2, num_workers=2)",
            "an iterable data set with 2 workers gives every sample 2 times unless it shards itself, which cannot be "
            "seen. Evaluate with num_workers=0 or 1",
        ),
        "a stream breaks off": data(
            "DataLoader(Stream(), batch_size=2)",
            "batch 1: reading the data raised OSError: connection lost",
            stream="yield from [(torch.ones(4), 1)] * 2; raise OSError('connection lost')",
        ),
        "a target is none of the model's classes": data(
            LABELS.format("[0, 1, 2, 0, 1, 3]"), "samples 0 to 5: target 3 is no class: the model scores classes 0 to 2"
        ),
        "a target is below all classes": data(
            LABELS.format("[0, 1, -1, 0, 1, 2]"),
            "samples 0 to 5: target -1 is no class: the model scores classes 0 to 2",
        ),
        "the targets are no integers": data(
            LABELS.format("[0.0, 1.0, 2.0, 0.0, 1.0, 2.0]"),
            "batch 0: the targets are [2] of torch.float32: integer class indices [2] are needed",
        ),
        "the data has no labels": data(
            "DataLoader(Samples(), batch_size=3)", f"a batch is a Tensor of 3: {NO_PAIR}", sample="return torch.ones(4)"
        ),
        "the batches are mappings without labels": data(
            "DataLoader(Samples(), batch_size=3)",
            "a batch is a mapping with the keys ['input']: one of ('labels', 'label', 'targets', 'target') is needed",
            sample="return {'input': torch.ones(4)}",
        ),
        "the batches are triples": data(
            "DataLoader(Samples(), batch_size=2)",
            f"a batch is a list of 3: {NO_PAIR}",
            sample="return torch.ones(4), 1, 'a name'",
        ),
        "a path in the place of data": data(
            "'data/test'",
            "str is no data: give a DataLoader, a Dataset, a LightningDataModule or a pair of tensors",
        ),
        "a sample cannot be read": data(
            "DataLoader(Samples(), batch_size=2)",
            "batch 1: reading the data raised OSError: image 3 is cut off",
            sample="if index == 3: raise OSError('image 3 is cut off')\n        return torch.ones(4), 1",
        ),
        "a sample takes more memory than there is": data(
            "DataLoader(Samples(), batch_size=2)",
            "batch 0: reading the data raised MemoryError\n  There was not enough memory. Give fewer samples at a "
            "time, as by a smaller batch_size of the DataLoader, or run where there is more",
            sample="raise MemoryError",
        ),
        "a worker of the loader dies": data(
            "DataLoader(Samples(), batch_size=2, num_workers=1)",
            "batch …: reading the data raised RuntimeError: DataLoader worker (pid(s) …) exited unexpectedly…",
            sample="os._exit(1)",
        ),
        "the loader leaves out the last samples": data(
            "DataLoader(TENSORS, batch_size=4, drop_last=True)",
            "the loader has drop_last=True and leaves 2 of 6 samples unread. Evaluate with drop_last=False",
        ),
        "the loader draws with replacement": data(
            "DataLoader(TENSORS, sampler=RandomSampler(TENSORS, replacement=True))",
            "the loader's RandomSampler draws with replacement: some samples would count twice and some not at all. "
            "Evaluate without it",
        ),
        "the loader gives one process's share": data(
            "DataLoader(TENSORS, sampler=DistributedSampler(TENSORS, num_replicas=2, rank=0))",
            "the loader's DistributedSampler gives one process's share: evaluate on all the data",
        ),
    },
)
