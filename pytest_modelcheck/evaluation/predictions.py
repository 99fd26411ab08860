"""One pass of a model over data: lazy, so that it reads no more than its gates need, and shared between them."""

from __future__ import annotations

import hashlib
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import guard
from pytest_modelcheck.devices import device_of, placed, resolve_device
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.batches import batches
from pytest_modelcheck.evaluation.data import Source, fingerprint, open_data
from pytest_modelcheck.evaluation.gate import ClassCounts
from pytest_modelcheck.tensors import require_module

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


# What a module holds that its digest has from elsewhere, or that a pass sets itself.
_APART = ("_parameters", "_buffers", "_modules", "training")


class Pass:
    """The predictions of one model on one data set, as far as they were asked for.

    `size` is the number of samples, or `None` where only the end of the data will tell; `seen` and `correct` count
    those that were read; `device` is where the model ran. `changes` names what the model changed while it ran.
    """

    def __init__(self, model: Module, source: Source, *, device: str = "", threads: int | None = None) -> None:
        self.size = source.size
        self.device = device
        self.finished = False
        self.seen = 0
        self.correct = 0
        self.changes: list[str] = []
        self._source = source
        self._threads = threads
        self._classes = 0
        self._confusion: Counter[tuple[int, int]] = Counter()
        self._batches: Iterator[tuple[Tensor, Tensor]] | None = None
        self._problem: ModelCheckError | None = None
        self._model = weakref.ref(model)

    def read(self, enough: Callable[[Pass], bool] = lambda _: False) -> None:
        """Read on until `enough` says so, asked after each batch, or to the end.

        Raises `ModelCheckError` where a batch cannot be judged, or the data ends before or after its size.
        """
        model = self._model()
        if model is None:
            raise ModelCheckError("the model of this pass is gone")
        if self._problem is not None:
            raise self._problem
        if self.finished or enough(self):
            return
        try:
            self._read_on(model, enough)
        except ModelCheckError as error:
            self._problem = error
            raise

    def counts(self) -> ClassCounts:
        """The samples that were read, by target and predicted class."""
        return ClassCounts(self._classes, dict(self._confusion))

    def _read_on(self, model: Module, enough: Callable[[Pass], bool]) -> None:
        with self._running(model) as target:
            if self._batches is None:
                self._batches = batches(model, self._source, target)
            for scores, targets in self._batches:
                self._add(scores, targets)
                if enough(self) and (self.size is None or self.seen < self.size):
                    return
        self._finish()

    @contextmanager
    def _running(self, model: Module) -> Iterator[str]:
        torch = require_module(model)
        with guard.preserved_world(), guard.preserved_model(model) as changes, placed(model, self.device) as target:
            self.device = target
            if self._threads is not None:
                torch.set_num_threads(self._threads)
            model.eval()
            with torch.no_grad(), guard.preserved_world() as world:
                yield target
        self.changes += [change for change in (*changes, *world) if change not in self.changes]

    def _add(self, scores: Tensor, targets: Tensor) -> None:
        predicted = scores.argmax(1)
        self._classes = scores.shape[1]
        self.seen += len(targets)
        self.correct += int((predicted == targets).sum())
        pairs = (targets * self._classes + predicted).bincount(minlength=self._classes**2)
        for cell in pairs.nonzero().flatten().tolist():
            self._confusion[divmod(cell, self._classes)] += int(pairs[cell])

    def _finish(self) -> None:
        self._batches = None
        self.finished = True
        if self.seen == 0:
            raise ModelCheckError("the data is empty: there is no sample to judge")
        if self.size is not None and self.seen != self.size:
            raise ModelCheckError(f"the data gave {self.seen:,} samples and has {self.size:,}")


def shared_pass(
    model: Module, data: Any, shared: MutableMapping[Any, Any], *, device: str = "", threads: int | None = None
) -> Pass:
    """The pass of this model over this data on this device, begun by an earlier gate or new.

    A pass is shared while the model and the data are what they were, by their digests; data whose second reading may
    differ (iterable, or augmented at random) is read anew.
    """
    require_module(model)
    source = open_data(data, model)
    where = resolve_device(device) if device else device_of(model)
    known = fingerprint(source)
    key = ("pass", id(model), _digest(model), where, known)
    found = shared.get(key)
    if known and isinstance(found, Pass) and found._model() is model:
        return found
    made = Pass(model, source, device=where, threads=threads)
    if known:
        shared[key] = made
    return made


def _digest(model: Module) -> str:
    """A digest of what decides a model's predictions: its layers, their attributes and hooks, and its weights."""
    import torch

    guard.refuse_lazy(model)
    digest = hashlib.sha256(repr(model).encode())
    for name, module in model.named_modules():
        state = [(key, _shown(value)) for key, value in vars(module).items() if key not in _APART]
        digest.update(f"{name} {state}".encode("utf-8", "backslashreplace"))
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_meta:
            raise ModelCheckError("the model is on the meta device and has no weights: evaluate a real one")
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
    return digest.hexdigest()


def _shown(value: object) -> str:
    """A value that is its own description, or else which object it is."""
    plain = (bool, int, float, str, bytes, tuple, list, dict, set, frozenset, type(None))
    return repr(value) if isinstance(value, plain) else f"{type(value).__qualname__} {id(value)}"
