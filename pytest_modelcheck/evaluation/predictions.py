"""One pass of a model over data: lazy, so that it reads no more than its gates need."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import guard, process
from pytest_modelcheck.devices import placed
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.batches import Batch, Reading, Way, first_of_all
from pytest_modelcheck.evaluation.chunks import batches, first_of_tensors
from pytest_modelcheck.evaluation.data import Source
from pytest_modelcheck.evaluation.gate import ClassCounts
from pytest_modelcheck.evaluation.outputs import BatchError
from pytest_modelcheck.evaluation.tally import Tally
from pytest_modelcheck.tensors import bytes_of, leaves_in, require_module, same_tensors, tensors_in

if TYPE_CHECKING:
    from torch.nn import Module

# The outputs that a pass keeps for its metrics, in bytes. Of more, each metric makes a pass of its own.
_KEPT = 256 * 1024 * 1024

# What tells arrays of the same bytes apart, and what images have in its place.
_KINDS = (("dtype", "mode"), ("shape", "size"))

Listener = Callable[[Batch], object]


class Pass:
    """What one model gives for one data set, as far as it was asked for.

    `size` is the number of samples, or `None` where only the end of the data will tell; `seen` counts those that were
    read, `tally` their classes; `device` is where the model ran. `changes` names what the model changed while it ran;
    `broken_off` says that the pass ended in the middle of a batch and must not be used any more. `listener` hears each
    batch; without one, outputs and targets are kept in `kept`, and `None` where they were too many.
    """

    def __init__(
        self,
        model: Module,
        source: Source,
        *,
        device: str = "",
        threads: int | None = None,
        way: Way | None = None,
        listener: Listener | None = None,
        seed: int = 0,
    ) -> None:
        self.size = source.size
        self.source = source
        self.way = way or Way()
        self.device = device
        self.finished = False
        self.broken_off = False
        self.seen = 0
        self.tally = Tally()
        self.kept: list[Batch] | None = []
        self.changes: list[str] = []
        self._bytes = 0
        self._threads = threads
        self._listener = listener
        self._seed = seed
        self._random: process.RandomNumbers | None = None
        self._first: Batch | None = None
        self._digest = hashlib.sha256()
        self._batches: Iterator[Batch] | None = None
        self._problem: ModelCheckError | None = None
        self._model = weakref.ref(model)

    @property
    def correct(self) -> int:
        """The number of samples that were predicted right so far."""
        return self.tally.correct

    @property
    def fingerprint(self) -> str:
        """A digest of all the data, once it was read in order; `""` of data in random order."""
        if self.source.tensors is not None:
            return self.source.tensors.fingerprint
        return self._digest.hexdigest() if self.finished and self.source.is_ordered else ""

    @property
    def is_whole(self) -> bool:
        """Whether what was read can be used: nothing went wrong."""
        return self._problem is None and not self.broken_off

    def is_of(self, model: Module) -> bool:
        """Whether this is a pass of this very model that can be read on."""
        return self._model() is model and not self.broken_off

    def read(self, enough: Callable[[Pass], bool] = lambda _: False) -> None:
        """Read on until `enough` says so, asked after each batch, or to the end.

        Raises `ModelCheckError` where a batch cannot be judged, or the data ends before or after its size.
        """
        if self._problem is not None:
            raise self._problem
        if self.finished or enough(self):
            return
        model = self._model()
        if model is None:
            raise ModelCheckError("the model of this pass is gone")
        try:
            self._read_on(model, enough)
        except ModelCheckError as error:
            # Told again without its traceback, which would hold the model.
            again = (
                BatchError(str(error), error.inputs) if isinstance(error, BatchError) else ModelCheckError(str(error))
            )
            self._problem = again
            self._batches = None
            raise
        except BaseException:  # a time limit or Ctrl-C: what was read so far cannot be read on from
            self.broken_off = True
            self._batches = None
            raise

    def read_classes(self, enough: Callable[[Pass], bool] = lambda _: False) -> None:
        """The same, where each sample must have class scores and a class."""
        self.read(lambda now: now.tally.problem is not None or enough(now))
        if self.tally.problem is not None:
            raise self.tally.problem

    def counts(self) -> ClassCounts:
        """The samples that were read, by target and predicted class."""
        return self.tally.counts()

    def _read_on(self, model: Module, enough: Callable[[Pass], bool]) -> None:
        with self._running(model) as target:
            if self._batches is None:
                reading = Reading(self.source, target, self.way, self._note, self._witness)
                self._first = first_of_tensors(model, reading)
                self._batches = batches(model, reading)
            for batch in self._batches:
                self._add(batch)
                if enough(self) and (self.size is None or self.seen < self.size):
                    self._pause()
                    return
        self._finish()

    def _pause(self) -> None:
        """Keep what it takes to read on; processes that read ahead are let go, and the pass with them."""
        if getattr(self.source.loader, "num_workers", 0):
            self._batches = None
            self.broken_off = True

    def repeats(self, model: Module, source: Source) -> bool:
        """Whether a model and data still give what they gave: the first samples the same outputs, the data all of it.

        Whole tensors are known by their digest. Other data is read again to its end, but not judged again.
        """
        digest = hashlib.sha256()
        try:
            with self._running(model, is_probe=True) as target:
                reading = Reading(source, target, self.way)
                again = first_of_tensors(model, reading)
                if again is None:
                    again = first_of_all(model, reading, lambda batch: add_to_digest(digest, batch))
                    if digest.hexdigest() != self._digest.hexdigest():
                        return False
        except Exception:  # the pass that is then made will say what is wrong
            return False
        first = self._first
        return first is not None and same_tensors((first.outputs, first.targets), (again.outputs, again.targets))

    @contextmanager
    def _running(self, model: Module, *, is_probe: bool = False) -> Iterator[str]:
        torch = require_module(model)
        with process.preserved_world(), guard.preserved_model(model) as changes, placed(model, self.device) as target:
            self.device = target
            if self._threads is not None:
                torch.set_num_threads(self._threads)
            model.eval()
            # A model that draws numbers draws the same in every run, and goes on where the pass was left.
            if self._random is None or is_probe:
                process.seed_world(self._seed)
            else:
                self._random.restore()
            with torch.no_grad(), process.preserved_world() as world:
                yield target
                if not is_probe:
                    self._random = process.RandomNumbers()
        for change in (*changes, *world):
            self._note(change)

    def _note(self, change: str) -> None:
        if change not in self.changes:
            self.changes.append(change)

    def _witness(self, batch: Any) -> None:
        add_to_digest(self._digest, batch)

    def _add(self, batch: Batch) -> None:
        self.seen += len(batch.ids)
        self.tally.add(batch)
        if self._listener is not None:
            self._listener(batch)
        elif self.kept is not None:
            self._bytes += sum(item.nbytes for value in (batch.outputs, batch.targets) for _, item in tensors_in(value))
            small = Batch(batch.outputs, batch.targets, batch.ids, batch.where)
            self._first = self._first or small
            self.kept.append(small)
            if self._bytes > _KEPT:
                self.kept = None

    def _finish(self) -> None:
        self._batches = None
        self.finished = True
        if self.seen == 0:
            raise ModelCheckError("the data is empty: there is no sample to judge")
        if self.size is not None and self.seen != self.size:
            raise ModelCheckError(f"the data gave {self.seen:,} samples and has {self.size:,}")


def add_to_digest(digest: Any, value: Any) -> None:
    """Add the tensors, arrays and images in a value, with their paths, and what is written of the rest, to a digest."""
    import torch

    for path, item in leaves_in(value):
        if isinstance(item, torch.Tensor):
            digest.update(f"{path} {item.dtype} {list(item.shape)}\0".encode())
            digest.update(bytes_of(item))
        elif callable(getattr(item, "tobytes", None)):  # what is written of a large array leaves most of it out
            kind, shape = (getattr(item, one, getattr(item, other, "")) for one, other in _KINDS)
            digest.update(f"{path} {kind} {shape}\0".encode())
            digest.update(item.tobytes())
        else:
            digest.update(f"{path} {item!r}\0".encode("utf-8", "backslashreplace"))
