"""One pass of a model over data: lazy, so that it reads no more than its gates need, and shared between them."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import guard, process
from pytest_modelcheck.devices import device_of, placed, resolve_device
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.batches import batches
from pytest_modelcheck.evaluation.data import Source, open_data
from pytest_modelcheck.evaluation.gate import ClassCounts
from pytest_modelcheck.evaluation.identity import model_digest
from pytest_modelcheck.tensors import require_module

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class Pass:
    """The predictions of one model on one data set, as far as they were asked for.

    `size` is the number of samples, or `None` where only the end of the data will tell; `seen` and `correct` count
    those that were read; `device` is where the model ran. `changes` names what the model changed while it ran;
    `broken_off` says that the pass ended in the middle of a batch and must not be used any more.
    """

    def __init__(self, model: Module, source: Source, *, device: str = "", threads: int | None = None) -> None:
        self.size = source.size
        self.device = device
        self.finished = False
        self.broken_off = False
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
        except BaseException:  # a time limit or Ctrl-C: what was read so far cannot be read on from
            self.broken_off = True
            self._batches = None
            raise

    def counts(self) -> ClassCounts:
        """The samples that were read, by target and predicted class."""
        return ClassCounts(self._classes, dict(self._confusion))

    def _read_on(self, model: Module, enough: Callable[[Pass], bool]) -> None:
        with self._running(model) as target:
            if self._batches is None:
                self._batches = batches(model, self._source, target, self._note)
            for scores, targets in self._batches:
                self._add(scores, targets)
                if enough(self) and (self.size is None or self.seen < self.size):
                    return
        self._finish()

    @contextmanager
    def _running(self, model: Module) -> Iterator[str]:
        torch = require_module(model)
        with process.preserved_world(), guard.preserved_model(model) as changes, placed(model, self.device) as target:
            self.device = target
            if self._threads is not None:
                torch.set_num_threads(self._threads)
            model.eval()
            with torch.no_grad(), process.preserved_world() as world:
                yield target
        for change in (*changes, *world):
            self._note(change)

    def _note(self, change: str) -> None:
        if change not in self.changes:
            self.changes.append(change)

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

    A pass is shared while the model, torch's settings and the data are what they were, by their digests. Of data that
    cannot be read as whole tensors nobody knows whether a second reading gives the same, and each gate reads it anew.
    """
    require_module(model)
    source = open_data(data, model)
    where = resolve_device(device) if device else device_of(model)
    digest = model_digest(model)
    made = Pass(model, source, device=where, threads=threads)
    if source.tensors is None or not digest:
        return made
    key = ("pass", id(model), digest, where, source.batch_size, source.tensors.fingerprint())
    found = shared.get(key)
    if not isinstance(found, Pass) or found.broken_off or found._model() is not model:
        found = shared[key] = made
    return found
