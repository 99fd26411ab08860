"""The passes of a session: a sample is inferred once for all gates on one model, data and device."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import process
from pytest_modelcheck.devices import device_of, resolve_device
from pytest_modelcheck.evaluation.batches import Way
from pytest_modelcheck.evaluation.data import Source, open_data
from pytest_modelcheck.evaluation.identity import model_identity, weights_digest
from pytest_modelcheck.evaluation.predictions import Listener, Pass, add_to_digest
from pytest_modelcheck.tensors import require_module

if TYPE_CHECKING:
    from torch.nn import Module

# Samples of a data set of the user's own that are read again before a pass over it is shared.
_PROBES = 32

# Models that are gone of which passes are remembered.
_REMEMBERED = 4


@dataclass(frozen=True)
class Asked:
    """What a gate asks to be evaluated, and how: a model on data, on a device (`""` for where the model is).

    `stage` chooses the loader of a LightningDataModule, `way` how batches are judged. `shuffled` is the seed of a
    random order, and `None` for the order of the data.
    """

    model: Module
    data: Any
    device: str = ""
    threads: int | None = None
    stage: str = "test"
    way: Way = field(default_factory=Way)
    shuffled: str | None = None


def shared_pass(asked: Asked, shared: MutableMapping[Any, Any]) -> Pass:
    """The pass of this model over this data on this device, begun by an earlier gate or new.

    A pass is shared while the model, torch's settings and the data are what they were: by the digest of whole tensors,
    or, for a map-style data set of the user's own, by the same object and the digest of samples from all over it. A
    stream is read by each gate. A pass over whole tensors that was begun in random order is read on in that order by
    gates that judge all samples; over other data they make one in the data's own batches.
    """
    require_module(asked.model)
    source = open_data(asked.data, asked.model, asked.stage)
    where = resolve_device(asked.device) if asked.device else device_of(asked.model)
    digest, named = model_identity(asked.model)
    identity = _identity(source, asked) if digest else None
    key = ("pass", digest, where, source.batch_size, id(asked.way.step), asked.way.precision, identity)
    found = shared.get(key) if identity is not None else None
    if isinstance(found, Pass) and _serves(found, asked):
        return found
    if asked.shuffled is not None and source.can_be_reordered and source.size is not None:
        told = identity[-1] if isinstance(identity, tuple) else identity
        seed = f"{asked.shuffled} {weights_digest(asked.model)} {told}"
        source = source.reordered(_drawn(source.size, seed))
    made = Pass(asked.model, source, device=where, threads=asked.threads, way=asked.way)
    if identity is not None:
        _forget_the_dead(shared)
        # What stands in the key by its id is held, so that no other object gets it.
        shared[key] = made
        shared["held", key] = (asked.data, asked.way, named)
        kin = shared.setdefault(("kin", digest, asked.way.precision, id(asked.way.step), identity), {})
        kin[where] = made
    return made


def _serves(found: Pass, asked: Asked) -> bool:
    """Whether an earlier gate's pass tells what is asked, or can be read on until it does."""
    # One that is finished says all of another model that is the same in everything, as a fixture may build for each
    # test; one that is not can only be read on with its own.
    is_readable = found.is_of(asked.model) or (found.finished and found.is_whole)
    if found.source.order is None or asked.shuffled is not None:
        return is_readable
    # Of whole tensors it is known that each sample is judged alone; elsewhere other batches may give other scores.
    return is_readable and found.is_whole and found.source.tensors is not None


def _forget_the_dead(shared: MutableMapping[Any, Any]) -> None:
    """Let go of passes whose models are gone, but for the latest of those that are finished."""
    dead = [(key, value) for key, value in shared.items() if isinstance(value, Pass) and not value.is_alive]
    finished = [key for key, value in dead if value.finished]
    # One that is not finished keeps its model alive.
    begun = [key for key, value in shared.items() if isinstance(value, Pass) and value.seen and not value.finished]
    for key in [*begun[:-_REMEMBERED], *finished[:-_REMEMBERED]]:
        shared.pop(key)
        shared.pop(("held", key), None)
    for key in [key for key in shared if isinstance(key, tuple) and key[0] == "kin"][:-_REMEMBERED]:
        shared.pop(key)


def _drawn(size: int, seed: str) -> list[int]:
    """A random order of so many samples, always the same for a seed."""
    import torch

    generator = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7], "big"))
    order: list[int] = torch.randperm(size, generator=generator).tolist()
    return order


def heard_pass(asked: Asked, listener: Listener) -> Pass:
    """A pass of its own, whose batches a listener hears, for one that cannot use what a shared pass has kept."""
    source = open_data(asked.data, asked.model, asked.stage)
    where = resolve_device(asked.device) if asked.device else device_of(asked.model)
    return Pass(asked.model, source, device=where, threads=asked.threads, way=asked.way, listener=listener)


def passes_elsewhere(run: Pass, shared: MutableMapping[Any, Any]) -> list[Pass]:
    """The passes of the same model over the same data, read to their ends on other devices."""
    for key, kin in list(shared.items()):
        if isinstance(key, tuple) and key[0] == "kin" and any(item is run for item in kin.values()):
            return [other for other in kin.values() if other is not run and other.finished]
    return []


def _identity(source: Source, asked: Asked) -> object:
    """What tells data from other data, or `None` where nobody knows whether a second reading gives the same."""
    if source.tensors is not None:
        return source.tensors.fingerprint
    if source.size is None or not source.is_ordered:
        return None
    dataset = source.loader.dataset
    size = len(dataset)
    rows = sorted({size * step // _PROBES for step in range(_PROBES)} | {size - 1})
    # Samples that are another each time, as of random crops, are no data that could be read for another gate. Random
    # numbers are drawn on from the first reading to the second, so that they differ.
    with process.preserved_world():
        try:
            read = [[dataset[row] for row in rows] for _ in range(2)]
        except Exception:  # the pass itself will say what is wrong
            return None
    one, other = map(_digest_of, read)
    return (id(asked.data), asked.stage, size, one) if one == other else None


def _digest_of(value: Any) -> str:
    digest = hashlib.sha256()
    add_to_digest(digest, value)
    return digest.hexdigest()
