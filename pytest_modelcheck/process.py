"""The globals of the process as a check found them: saved, restored, and what changed is named.

Nothing here imports torch or numpy: a process that has not loaded them has nothing of theirs to save.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

# The name of a global of torch in a message, how to read it, and how to set it.
_Setting = tuple[str, Callable[[Any], Any], Callable[[Any, Any], object]]

# What changes what a model computes, or how fast. Random states are in `_random_states`.
_SETTINGS: tuple[_Setting, ...] = (
    (
        "the default dtype",
        lambda torch: torch.get_default_dtype(),
        lambda torch, value: torch.set_default_dtype(value),
    ),
    (
        "the grad mode",
        lambda torch: torch.is_grad_enabled(),
        lambda torch, value: torch.set_grad_enabled(value),
    ),
    (
        "the number of threads",
        lambda torch: torch.get_num_threads(),
        lambda torch, value: torch.set_num_threads(value),
    ),
    (
        "autocast on the CPU",
        lambda torch: torch.is_autocast_enabled("cpu"),
        lambda torch, value: torch.set_autocast_enabled("cpu", value),
    ),
    (
        "autocast on CUDA",
        lambda torch: torch.is_autocast_enabled("cuda"),
        lambda torch, value: torch.set_autocast_enabled("cuda", value),
    ),
    (
        "deterministic algorithms",
        lambda torch: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda torch, value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
    ),
    (
        "the float32 matmul precision",
        lambda torch: torch.get_float32_matmul_precision(),
        lambda torch, value: torch.set_float32_matmul_precision(value),
    ),
    (
        "the default device",
        lambda torch: _default_device(torch),
        # None is the CPU without the mode that a default device brings, through which every call would go.
        lambda torch, value: torch.set_default_device(None if value == "cpu" else value),
    ),
    (
        "anomaly detection",
        lambda torch: torch.is_anomaly_enabled(),
        lambda torch, value: torch.set_anomaly_enabled(value, torch.is_anomaly_check_nan_enabled()),
    ),
    (
        "torch.backends.cudnn.enabled",
        lambda torch: torch.backends.cudnn.enabled,
        lambda torch, value: setattr(torch.backends.cudnn, "enabled", value),
    ),
    (
        "torch.backends.cudnn.benchmark",
        lambda torch: torch.backends.cudnn.benchmark,
        lambda torch, value: setattr(torch.backends.cudnn, "benchmark", value),
    ),
    (
        "torch.backends.cudnn.deterministic",
        lambda torch: torch.backends.cudnn.deterministic,
        lambda torch, value: setattr(torch.backends.cudnn, "deterministic", value),
    ),
)


def _values() -> list[tuple[_Setting, Any]]:
    """Each setting of torch with its value; none where torch is not loaded, or is being loaded."""
    torch = _loaded("torch")
    return [(item, item[1](torch)) for item in _SETTINGS] if hasattr(torch, "get_default_dtype") else []


def _default_device(torch: Any) -> str:
    try:
        return str(torch.get_default_device())
    except AttributeError:  # torch 2.6 looks for the device of None, once that was set
        return "cpu"


def _as_loaded() -> list[tuple[_Setting, Any]]:
    """What decides most of a torch that was loaded inside of the block, with the values that it starts from."""
    torch = _loaded("torch")
    values = (torch.float32, True) if hasattr(torch, "get_default_dtype") else ()
    return list(zip(_SETTINGS, values, strict=False))


def _loaded(name: str) -> Any:
    """The module, if this process has loaded it; nothing is imported."""
    return sys.modules.get(name)


def _random_states() -> list[tuple[Callable[[Any], object], Any]]:
    """The random states of random, numpy and torch, each after the function that sets it."""
    states: list[tuple[Callable[[Any], object], Any]] = [(random.setstate, random.getstate())]
    numpy, torch = _loaded("numpy"), _loaded("torch")
    if hasattr(numpy, "random"):
        kind, key, *rest = numpy.random.get_state()
        # As a list, the key is set in a twentieth of the time.
        states.append((numpy.random.set_state, (kind, key.tolist(), *rest)))
    if hasattr(torch, "get_rng_state"):
        states.append((torch.set_rng_state, torch.get_rng_state()))
        if torch.cuda.is_initialized():
            states.append((torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    return states


class RandomNumbers:
    """The states of the random numbers of random, numpy and torch as they are when it is made."""

    def __init__(self) -> None:
        self._states = _random_states()

    def restore(self) -> None:
        """Have the numbers drawn again that were to be drawn then."""
        for write, before in self._states:
            write(before)


@dataclass(frozen=True)
class SeededNumbers:
    """The random numbers as they are after a seed, which takes less than to keep their states."""

    seed: int

    def restore(self) -> None:
        """Have them drawn from the seed again."""
        seed_world(self.seed)


class Settings:
    """The globals of torch as they are when it is made."""

    def __init__(self) -> None:
        self._values = {setting[0]: (setting, value) for setting, value in _values()}

    def restore(self) -> list[str]:
        """Make them what they were, and name what had changed."""
        torch, changes = _loaded("torch"), []
        for (name, read, write), before in self._values.values() or _as_loaded():
            after = read(torch)
            if after != before:
                write(torch, before)
                changes.append(f"{name} was changed from {before} to {after}")
        return changes

    def adopt(self, before: Settings, after: Settings) -> None:
        """Take over, as if it had been so from the start, what has changed from one time to another."""
        for name, (setting, value) in after._values.items():
            if name not in before._values or before._values[name][1] != value:
                self._values[name] = (setting, value)


class World:
    """The globals of random, numpy and torch as they are when it is made."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.random = RandomNumbers()

    def restore(self) -> list[str]:
        """Make the world as it was, and name what had changed; random states are restored without a word."""
        changes = self.settings.restore()
        self.random.restore()
        return changes

    def adopt(self, before: World, after: World) -> None:
        """Take over, as if it had been so from the start, what has changed from one world to another."""
        self.settings.adopt(before.settings, after.settings)
        self.random = after.random


@contextmanager
def preserved_settings() -> Iterator[list[str]]:
    """Restore the globals of torch at the end, and name what had changed in the list it yields."""
    settings = Settings()
    changes: list[str] = []
    try:
        yield changes
    finally:
        changes += settings.restore()


@contextmanager
def preserved_world() -> Iterator[list[str]]:
    """Restore the globals of random, numpy and torch at the end, and name what had changed in the list it yields.

    Random states are restored without a word: drawing a number is no fault.

    >>> import random
    >>> before = random.getstate()
    >>> with preserved_world() as changes:
    ...     _ = random.random()
    >>> random.getstate() == before, changes
    (True, [])
    """
    world = World()
    changes: list[str] = []
    try:
        yield changes
    finally:
        changes += world.restore()


def settings_now() -> list[tuple[str, str]]:
    """The globals of torch that change what a model computes, with their values; none where torch is not loaded."""
    return [(name, str(value)) for (name, _, _), value in _values()]


@cache  # with Lightning loaded, torch looks for NVIDIA's library each time
def _has_gpu() -> bool:
    return bool(_loaded("torch").cuda.is_available())


def seed_world(seed: int) -> None:
    """Seed random, and numpy and torch where they are loaded."""
    random.seed(seed)
    numpy, torch = _loaded("numpy"), _loaded("torch")
    if hasattr(numpy, "random"):
        numpy.random.seed(seed)
    if hasattr(torch, "default_generator"):
        # torch.manual_seed does the same and loads torch's compiler, which takes seconds.
        torch.default_generator.manual_seed(seed)
        # Where there is no GPU, the seed would be kept with a traceback, which takes longer.
        if torch.cuda.is_initialized() or _has_gpu():
            torch.cuda.manual_seed_all(seed)
        if torch.backends.mps.is_available():
            torch.mps.manual_seed(seed)
