"""Data that can be read as whole tensors, many times faster than sample by sample, where that is provably the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import require
from pytest_modelcheck.tensors import bytes_of, same_bytes, same_tensors

if TYPE_CHECKING:
    from torch import Tensor

# The samples that are read in both ways.
_COMPARED = 8

# The data that is kept to be known again: so many data sets, each of at most so many bytes.
_KNOWN = 2
_REMEMBERED = 32 * 1024 * 1024

_MNIST_KINDS = ("MNIST", "FashionMNIST", "KMNIST")


@dataclass(frozen=True)
class TensorData:
    """Inputs `[samples, ...]` as they are stored, targets `[samples]`, and the transform to the model's inputs."""

    stored: Tensor
    targets: Tensor
    transform: Callable[[Tensor], Tensor]
    recipe: str

    def inputs(self, ids: Sequence[int]) -> Tensor:
        """The transformed inputs of these samples, in this order, in memory of their own."""
        return self.transform(self.stored[_index(ids)])

    def labels(self, ids: Sequence[int]) -> Tensor:
        """The targets of these samples, in this order."""
        return self.targets[_index(ids)]

    @property
    def kind(self) -> str:
        """The transform, the dtype and the shape, as they are written."""
        return f"{self.recipe} {self.stored.dtype} {list(self.stored.shape)}"

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all samples, targets and the transform."""
        digest = hashlib.sha256(self.kind.encode())
        for tensor in (self.stored, self.targets):
            digest.update(bytes_of(tensor))
        return digest.hexdigest()


class KnownData:
    """The data of the latest gates as they were, to know them again in a sixth of the time that a digest takes."""

    def __init__(self) -> None:
        self._known: list[tuple[str, bytes, bytes, str]] = []

    def fingerprint(self, data: TensorData) -> str:
        """The data's fingerprint, looked up where all its bytes are those of data that is known."""
        if data.stored.nbytes + data.targets.nbytes > _REMEMBERED:
            return data.fingerprint
        stored, targets = bytes_of(data.stored), bytes_of(data.targets)
        for kind, samples, labels, fingerprint in self._known:
            if kind == data.kind and same_bytes(stored, samples) and same_bytes(targets, labels):
                # It is of the data as it is now, whatever becomes of it later.
                vars(data)["fingerprint"] = fingerprint
                return fingerprint
        latest = (data.kind, bytes(stored), bytes(targets), data.fingerprint)
        self._known = [latest, *self._known][:_KNOWN]
        return data.fingerprint


def _index(ids: Sequence[int]) -> slice | list[int]:
    # A slice is a view, where a list is a copy.
    return slice(ids.start, ids.stop) if isinstance(ids, range) and ids.step == 1 else list(ids)


def tensor_data(loader: Any) -> TensorData | None:
    """The loader's data as tensors, or `None` where that is not known to be the same.

    It is the same for a plain `DataLoader` that reads in order with the default collation, over a `TensorDataset` of
    inputs and targets, or torchvision's MNIST, FashionMNIST or KMNIST under `ToTensor` and `Normalize`, or a `Subset`
    of these; and only if samples from all over the data, made both ways, are the same.
    """
    torch = require("torch", "reading data")
    utils = torch.utils.data
    if type(loader) is not utils.DataLoader or type(loader.batch_sampler) is not utils.BatchSampler:
        return None
    sampler = loader.batch_sampler.sampler
    if type(sampler) is not utils.SequentialSampler or sampler.data_source is not loader.dataset:
        return None
    if loader.collate_fn is not utils.default_collate:
        return None
    found = _of_dataset(torch, loader.dataset)
    return found if found is not None and _same_samples(found, loader) else None


def _of_dataset(torch: Any, dataset: Any) -> TensorData | None:
    if type(dataset) is torch.utils.data.Subset:
        whole = _of_dataset(torch, dataset.dataset)
        if whole is None:
            return None
        rows = torch.as_tensor(list(dataset.indices), dtype=torch.long)
        return TensorData(whole.stored[rows], whole.targets[rows], whole.transform, whole.recipe)
    if type(dataset) is torch.utils.data.TensorDataset and len(dataset.tensors) == 2:
        inputs, targets = dataset.tensors
        return TensorData(inputs, targets, torch.clone, "tensors")
    if type(dataset).__module__ == "torchvision.datasets.mnist" and type(dataset).__name__ in _MNIST_KINDS:
        return _of_mnist(torch, dataset)
    return None


def _of_mnist(torch: Any, dataset: Any) -> TensorData | None:
    transforms = require("torchvision.transforms", "reading MNIST")
    steps = dataset.transform.transforms if type(dataset.transform) is transforms.Compose else [dataset.transform]
    first, rest = steps[0] if steps else None, steps[1:]
    if type(first) is not transforms.ToTensor or any(type(step) is not transforms.Normalize for step in rest):
        return None
    if dataset.target_transform is not None or dataset.data.dtype != torch.uint8:
        return None

    def transform(images: Tensor) -> Tensor:
        scaled: Tensor = images.unsqueeze(1).to(torch.get_default_dtype()).div(255)
        for step in rest:
            scaled = step(scaled)
        return scaled

    recipe = " ".join(map(repr, steps))
    return TensorData(dataset.data, torch.as_tensor(dataset.targets).long(), transform, recipe)


def _same_samples(found: TensorData, loader: Any) -> bool:
    size = len(loader.dataset)
    if len(found.stored) != size or len(found.targets) != size or size == 0:
        return False
    ids = sorted({(size - 1) * step // (_COMPARED - 1) for step in range(_COMPARED)})
    inputs, targets = loader.collate_fn([loader.dataset[index] for index in ids])
    chunk, labels = found.inputs(ids), found.labels(ids)
    return same_tensors((inputs, targets), (chunk, labels))
