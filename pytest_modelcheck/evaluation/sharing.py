"""The passes of a session: a sample is inferred once for all gates on one model, data and device."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.devices import device_of, resolve_device
from pytest_modelcheck.evaluation.batches import Way
from pytest_modelcheck.evaluation.data import Source, open_data
from pytest_modelcheck.evaluation.identity import model_identity, weights_digest
from pytest_modelcheck.evaluation.predictions import Listener, Pass
from pytest_modelcheck.evaluation.tensor_data import KnownData
from pytest_modelcheck.tensors import require_module

if TYPE_CHECKING:
    from torch.nn import Module

# Passes that are remembered of a session: of those that are read to their ends, and of the others.
_FINISHED, _BEGUN = 8, 4


@dataclass(frozen=True)
class Asked:
    """What a gate asks to be evaluated, and how: a model on data, on a device (`""` for where the model is).

    `stage` chooses the loader of a LightningDataModule, `way` how batches are judged. `shuffled` is the seed of a
    random order, and `None` for the order of the data. A model that draws numbers draws them from `seed`.
    """

    model: Module
    data: Any
    device: str = ""
    threads: int | None = None
    stage: str = "test"
    way: Way = field(default_factory=Way)
    shuffled: str | None = None
    seed: int = 0


def shared_pass(asked: Asked, shared: MutableMapping[Any, Any]) -> Pass:
    """The pass of this model over this data on this device, begun by an earlier gate or new.

    A pass is shared while the model, torch's settings and the data are what they were: by their digests, and by what
    the model still gives for the first samples. Whole tensors have a digest; a map-style data set of the user's own is
    read again to its end, and not judged again. A stream is judged by each gate. A gate that draws samples in random
    order has a pass of its own, since its verdict is of those samples, whichever gates ran before it.
    """
    require_module(asked.model)
    source = open_data(asked.data, asked.model, asked.stage)
    where = resolve_device(asked.device) if asked.device else device_of(asked.model)
    digest, named = model_identity(asked.model)
    identity = _identity(source, asked, shared) if digest else None
    is_drawn = asked.shuffled is not None and source.can_be_reordered and source.size is not None
    drawn = asked.shuffled if is_drawn else None
    key = ("pass", digest, where, source.batch_size, id(asked.way.step), asked.way.precision, identity, drawn)
    found = shared.get(key) if identity is not None else None
    if isinstance(found, Pass) and _serves(found, asked) and _still_holds(found, asked.model, source):
        return found
    if is_drawn and source.size is not None:
        told = source.size if isinstance(identity, tuple) else identity
        seed = f"{asked.shuffled} {weights_digest(asked.model)} {told}"
        source = source.reordered(_drawn(source.size, seed))
    made = Pass(asked.model, source, device=where, threads=asked.threads, way=asked.way, seed=asked.seed)
    if identity is not None:
        _forget_the_oldest(shared)
        # What stands in the key by its id is held, so that no other object gets it.
        shared[key] = made
        shared["held", key] = (asked.data, asked.way, named)
        kin = shared.setdefault(("kin", digest, asked.way.precision, id(asked.way.step), identity, drawn), {})
        kin[where] = made
    return made


def _serves(found: Pass, asked: Asked) -> bool:
    """Whether an earlier gate's pass tells what is asked, or can be read on until it does."""
    if not found.is_whole:
        return found.is_of(asked.model) and found.source.order is None and found.source.tensors is not None
    # Of whole tensors it is known that each sample is judged alone, in any order. A pass that is finished says all of
    # another model that is the same in everything, as a fixture may build for each test.
    if found.source.tensors is not None and found.way.is_plain:
        return found.finished or found.is_of(asked.model)
    return found.finished and found.source.order is None


def _still_holds(found: Pass, model: Module, source: Source) -> bool:
    """Whether a pass still is of this model and data: what went wrong is told again, what went well looked at again."""
    return not found.is_whole or not found.seen or found.repeats(model, source)


def _forget_the_oldest(shared: MutableMapping[Any, Any]) -> None:
    """Let go of all but the latest passes: each keeps its outputs, and one that is not finished its model."""
    passes = [(key, value) for key, value in shared.items() if isinstance(value, Pass)]
    finished = [key for key, value in passes if value.finished]
    begun = [key for key, value in passes if value.seen and not value.finished]
    for key in [*finished[:-_FINISHED], *begun[:-_BEGUN]]:
        shared.pop(key)
        shared.pop(("held", key), None)
    for key in [key for key in shared if isinstance(key, tuple) and key[0] == "kin"][:-_BEGUN]:
        shared.pop(key)


def _drawn(size: int, seed: str) -> list[int]:
    """A random order of so many samples, always the same for a seed."""
    import torch

    generator = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7], "big"))
    order: list[int] = torch.randperm(size, generator=generator).tolist()
    return order


def heard_pass(asked: Asked, listener: Listener) -> Pass:
    """A pass of its own, whose batches a listener hears, for one that cannot use what a shared pass has kept."""
    # In the loader's own batches.
    source = replace(open_data(asked.data, asked.model, asked.stage), tensors=None)
    where = resolve_device(asked.device) if asked.device else device_of(asked.model)
    return Pass(
        asked.model,
        source,
        device=where,
        threads=asked.threads,
        way=asked.way,
        listener=listener,
        seed=asked.seed,
    )


def passes_elsewhere(run: Pass, shared: MutableMapping[Any, Any]) -> list[Pass]:
    """The passes of the same model over the same data, read to their ends on other devices."""
    for key, kin in list(shared.items()):
        if isinstance(key, tuple) and key[0] == "kin" and any(item is run for item in kin.values()):
            return [other for other in kin.values() if other is not run and other.finished]
    return []


def _identity(source: Source, asked: Asked, shared: MutableMapping[Any, Any]) -> object:
    """What tells data from other data, or `None` where nobody knows whether a second reading gives the same."""
    if source.tensors is not None:
        known: KnownData = shared.setdefault("data", KnownData())
        return known.fingerprint(source.tensors)
    if source.size is None or not source.is_ordered:
        return None
    return id(asked.data), asked.stage, source.size
