"""What data is: a DataLoader, a Dataset, a LightningDataModule or a pair of tensors, seen as batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import process
from pytest_modelcheck.errors import RAISED, ModelCheckError, require, told
from pytest_modelcheck.evaluation.tensor_data import TensorData, tensor_data
from pytest_modelcheck.tensors import moved_to

if TYPE_CHECKING:
    from torch import Tensor

_LABEL_KEYS = ("labels", "label", "targets", "target")
_LIGHTNING = ("lightning", "pytorch_lightning")
STAGES = ("test", "validate")
_TRANSFER_HOOKS = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")

# A batch of what is not in batches yet. See the costs of evaluation: 100 to 250 images are best on a CPU.
_BATCH = 250


@dataclass(frozen=True)
class Source:
    """Data to evaluate on. `size` is `None` where it is not known before the end.

    `tensors` is the same data as whole tensors, where that is provably the same. `module` is the LightningDataModule
    that gave the loader, if one did. `order` is the order in which samples are read, where it is not that of the data.
    """

    loader: Any
    size: int | None
    batch_size: int
    tensors: TensorData | None
    module: Any = None
    order: Sequence[int] | None = None

    @property
    def is_ordered(self) -> bool:
        """Whether each reading gives the same samples in the same order, so that a position is a sample's name."""
        torch = require("torch", "reading data")
        batches = self.loader.batch_sampler
        if batches is not None and type(batches) is not torch.utils.data.BatchSampler:
            return False  # it may give the samples of its sampler in any order
        sampler = self.loader.sampler if batches is None else batches.sampler
        return type(sampler) is torch.utils.data.SequentialSampler and self.order is None

    @property
    def can_be_reordered(self) -> bool:
        """Whether the samples can be read in any order, each once."""
        torch = require("torch", "reading data")
        return self.size is not None and self.is_ordered and type(self.loader) is torch.utils.data.DataLoader

    def reordered(self, order: Sequence[int]) -> Source:
        """The same samples in another order, in batches of the same size."""
        torch = require("torch", "reading data")
        old = self.loader
        loader = torch.utils.data.DataLoader(
            torch.utils.data.Subset(old.dataset if self.order is None else old.dataset.dataset, order),
            batch_size=self.batch_size,
            collate_fn=old.collate_fn,
            num_workers=old.num_workers,
            worker_init_fn=old.worker_init_fn,
            timeout=old.timeout,
        )
        return replace(self, loader=loader, order=order)

    @property
    def class_names(self) -> Sequence[str]:
        """The names of the classes, where the data set tells them as torchvision's do; `()` where it does not."""
        torch = require("torch", "reading data")
        dataset = self.loader.dataset
        while type(dataset) is torch.utils.data.Subset:
            dataset = dataset.dataset
        names = getattr(dataset, "classes", None)
        is_list = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
        return tuple(names) if is_list and names is not None else ()

    def transfer(self, model: Any, batch: Any, device: str) -> Any:
        """The batch after the hooks that Lightning runs when it moves one to a device, on the device."""
        torch = require("torch", "evaluating a model")
        for name in _TRANSFER_HOOKS:
            hook = _own_hook(self.module, name) or _own_hook(model, name)
            extra = (torch.device(device),) if name == "transfer_batch_to_device" else ()
            if hook is not None:
                batch = hook(batch, *extra, 0)
            elif extra:
                batch = moved_to(batch, device)
        return batch


def open_data(data: Any, model: Any = None, stage: str = "test") -> Source:
    """Look at data before reading it. `model` tells whether Lightning's batch hooks stand in the way of whole tensors.

    `stage` is the one that a LightningDataModule is set up for, `"test"` or `"validate"`.

    Raises `ModelCheckError` for what is no data, for empty data, and for loaders that leave samples out or give some
    of them twice: `drop_last`, sampling with replacement, a shard of a distributed sampler.
    """
    torch = require("torch", "reading data")
    module = data if is_lightning(data, "LightningDataModule") else None
    found = _loader_of(data, stage) if module is not None else data
    if isinstance(found, tuple | list) and len(found) == 2 and all(torch.is_tensor(item) for item in found):
        sizes = [len(item) if item.dim() else 0 for item in found]
        if sizes[0] != sizes[1]:
            raise ModelCheckError(
                f"the data has {sizes[0]:,} inputs and {sizes[1]:,} targets: one target for each input is needed"
            )
        found = torch.utils.data.TensorDataset(*found)
    if isinstance(found, torch.utils.data.Dataset) or (hasattr(found, "__getitem__") and hasattr(found, "__len__")):
        if isinstance(found, str | bytes | list | tuple | dict):
            raise _not_data(data)
        found = torch.utils.data.DataLoader(found, batch_size=_BATCH)
    if not isinstance(found, torch.utils.data.DataLoader):
        raise _not_data(data)
    size = _size(torch, found)
    batch_size = getattr(found.batch_sampler, "batch_size", None) or _BATCH
    plain = not any(_own_hook(owner, name) for owner in (module, model) for name in _TRANSFER_HOOKS)
    tensors = tensor_data(found) if plain and size else None
    return Source(found, size, batch_size, tensors, module)


def split_batch(batch: Any) -> tuple[Any, Tensor]:
    """The inputs and the targets of a batch: of a pair, or of what has labels under a usual name.

    That may be a mapping or a dataclass, whose other items are then the model's keywords.
    """
    if is_dataclass(batch) and not isinstance(batch, type):
        batch = {item.name: getattr(batch, item.name) for item in fields(batch)}
    if isinstance(batch, Mapping):
        keys = [key for key in _LABEL_KEYS if key in batch]
        if len(keys) == 1:
            return {key: value for key, value in batch.items() if key != keys[0]}, batch[keys[0]]
        raise ModelCheckError(f"a batch is a mapping with the keys {list(batch)}: one of {_LABEL_KEYS} is needed")
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return batch[0], batch[1]
    kind = f"{type(batch).__name__} of {len(batch)}" if hasattr(batch, "__len__") else type(batch).__name__
    raise ModelCheckError(
        f"a batch is a {kind}: a pair (inputs, targets) or a mapping with labels is needed, or step=, a function of "
        "the model and a batch that gives outputs and targets"
    )


def is_lightning(value: object, name: str) -> bool:
    """Whether a value is of this class of Lightning, under either of its import names."""
    return any(
        base.__name__ == name and base.__module__.partition(".")[0] in _LIGHTNING for base in type(value).__mro__
    )


def _own_hook(owner: Any, name: str) -> Callable[..., Any] | None:
    """A Lightning hook that its owner has written itself, or `None`."""
    hook = getattr(type(owner), name, None)
    if hook is None or hook.__module__.partition(".")[0] in _LIGHTNING:
        return None
    bound: Callable[..., Any] = getattr(owner, name)
    return bound


def _not_data(data: object) -> ModelCheckError:
    return ModelCheckError(
        f"{type(data).__name__} is no data: give a DataLoader, a Dataset, a LightningDataModule or a pair of tensors"
    )


def _loader_of(module: Any, stage: str) -> Any:
    name = "test_dataloader" if stage == "test" else "val_dataloader"
    try:
        # A module that splits at random splits in the same way for each gate.
        with process.preserved_world():
            process.seed_world(0)
            module.prepare_data()
            module.setup(stage)
            loader = getattr(module, name)()
    except RAISED as error:
        kind = type(module).__name__
        raise ModelCheckError(f"{kind} gave no {stage} data: {told(error)}") from error
    loaders = loader if isinstance(loader, list | tuple) else [loader]
    if len(loaders) != 1:
        raise ModelCheckError(f"{type(module).__name__}.{name}() gave {len(loaders)} loaders: pass one of them")
    return loaders[0]


def _size(torch: Any, loader: Any) -> int | None:
    """The number of samples that the loader gives, every sample of its sampler once; `None` where it has no length."""
    if isinstance(loader.dataset, torch.utils.data.IterableDataset):
        if loader.num_workers > 1:
            raise ModelCheckError(
                f"an iterable data set with {loader.num_workers} workers gives every sample {loader.num_workers} times "
                "unless it shards itself, which cannot be seen. Evaluate with num_workers=0 or 1"
            )
        if loader.drop_last:
            raise ModelCheckError(
                "the loader has drop_last=True and leaves the last samples of an iterable data set unread. Evaluate "
                "with drop_last=False"
            )
        return None
    batches = loader.batch_sampler
    if batches is not None and type(batches) is not torch.utils.data.BatchSampler:
        return None
    # A batch sampler that the user gave has a sampler of its own, and then the loader's sampler is not used.
    sampler = loader.sampler if batches is None else batches.sampler
    if isinstance(sampler, torch.utils.data.DistributedSampler):
        raise ModelCheckError("the loader's DistributedSampler gives one process's share: evaluate on all the data")
    if getattr(sampler, "replacement", False):
        raise ModelCheckError(
            f"the loader's {type(sampler).__name__} draws with replacement: some samples would count twice and some "
            "not at all. Evaluate without it"
        )
    try:
        size = len(sampler)
    except TypeError:
        return None
    if size == 0:
        raise ModelCheckError("the data is empty: there is no sample to judge")
    if hasattr(loader.dataset, "__len__") and size > len(loader.dataset):
        raise ModelCheckError(
            f"the loader's {type(sampler).__name__} draws {size:,} samples of {len(loader.dataset):,}: some would "
            "count twice. Evaluate on each sample once"
        )
    is_drawn = type(sampler) in (torch.utils.data.RandomSampler, torch.utils.data.WeightedRandomSampler)
    if is_drawn and size < len(loader.dataset):
        raise ModelCheckError(
            f"the loader's {type(sampler).__name__} draws {size:,} samples of {len(loader.dataset):,}, others each "
            "time. Evaluate on all of them"
        )
    if batches is None:
        return None  # each item of the data set is a batch already, of a size of its own
    if batches.drop_last and size % batches.batch_size:
        raise ModelCheckError(
            f"the loader has drop_last=True and leaves {size % batches.batch_size} of {size:,} samples unread. "
            "Evaluate with drop_last=False"
        )
    return size
