"""The globals of the process as a check found them: saved, restored, and what changed is named.

Nothing here imports torch or numpy: a process that has not loaded them has nothing of theirs to save.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _Setting:
    """One global of the process: how to read it, how to set it, and its name in a message."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def _settings(torch: Any) -> list[_Setting]:
    """The globals of torch that change what a model computes or how fast. Random states are in `_random_states`."""
    if not hasattr(torch, "get_default_dtype"):
        return []
    backends = torch.backends
    return [
        _Setting("the default dtype", torch.get_default_dtype, torch.set_default_dtype),
        _Setting("the grad mode", torch.is_grad_enabled, torch.set_grad_enabled),
        _Setting("the number of threads", torch.get_num_threads, torch.set_num_threads),
        _Setting(
            "autocast on the CPU",
            lambda: torch.is_autocast_enabled("cpu"),
            lambda value: torch.set_autocast_enabled("cpu", value),
        ),
        _Setting(
            "autocast on CUDA",
            lambda: torch.is_autocast_enabled("cuda"),
            lambda value: torch.set_autocast_enabled("cuda", value),
        ),
        _Setting(
            "deterministic algorithms",
            lambda: (
                torch.are_deterministic_algorithms_enabled(),
                torch.is_deterministic_algorithms_warn_only_enabled(),
            ),
            lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
        ),
        _Setting(
            "the float32 matmul precision",
            torch.get_float32_matmul_precision,
            torch.set_float32_matmul_precision,
        ),
        _Setting(
            "the default device",
            lambda: _default_device(torch),
            # None is the CPU without the mode that a default device brings, through which every call would go.
            lambda value: torch.set_default_device(None if value == "cpu" else value),
        ),
        _Setting(
            "anomaly detection",
            torch.is_anomaly_enabled,
            lambda value: torch.set_anomaly_enabled(value, torch.is_anomaly_check_nan_enabled()),
        ),
        *(
            _Setting(f"torch.backends.cudnn.{name}", _reader(backends.cudnn, name), _writer(backends.cudnn, name))
            for name in ("enabled", "benchmark", "deterministic")
        ),
    ]


def _default_device(torch: Any) -> str:
    try:
        return str(torch.get_default_device())
    except AttributeError:  # torch 2.6 looks for the device of None, once that was set
        return "cpu"


def _as_loaded(torch: Any) -> list[tuple[_Setting, Any]]:
    """What decides most of a torch that was loaded inside of the block, with the values that it starts from."""
    values = (torch.float32, True) if hasattr(torch, "get_default_dtype") else ()
    return list(zip(_settings(torch), values, strict=False))


def _reader(holder: Any, name: str) -> Callable[[], Any]:
    return lambda: getattr(holder, name)


def _writer(holder: Any, name: str) -> Callable[[Any], object]:
    return lambda value: setattr(holder, name, value)


def _loaded(name: str) -> Any:
    """The module, if this process has loaded it; nothing is imported."""
    return sys.modules.get(name)


def _random_states() -> list[_Setting]:
    states = [_Setting("random", random.getstate, random.setstate)]
    numpy, torch = _loaded("numpy"), _loaded("torch")
    if hasattr(numpy, "random"):
        states.append(_Setting("numpy", numpy.random.get_state, numpy.random.set_state))
    if hasattr(torch, "get_rng_state"):
        states.append(_Setting("torch", torch.get_rng_state, torch.set_rng_state))
        if torch.cuda.is_initialized():
            states.append(_Setting("cuda", torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all))
    return states


class RandomNumbers:
    """The states of the random numbers of random, numpy and torch as they are when it is made."""

    def __init__(self) -> None:
        self._states = [(item, item.read()) for item in _random_states()]

    def restore(self) -> None:
        """Have the numbers drawn again that were to be drawn then."""
        for state, before in self._states:
            state.write(before)


class World:
    """The globals of random, numpy and torch as they are when it is made."""

    def __init__(self) -> None:
        self._settings = {item.name: (item, item.read()) for item in _settings(_loaded("torch"))}
        self._random = RandomNumbers()

    def restore(self) -> list[str]:
        """Make the world as it was, and name what had changed; random states are restored without a word."""
        changes = []
        for setting, before in self._settings.values() or _as_loaded(_loaded("torch")):
            after = setting.read()
            if after != before:
                setting.write(before)
                changes.append(f"{setting.name} was changed from {before} to {after}")
        self.restore_random()
        return changes

    def restore_random(self) -> None:
        """Make the random states what they were."""
        self._random.restore()

    def adopt(self, before: World, after: World) -> None:
        """Take over, as if it had been so from the start, what has changed from one world to another."""
        for name, (setting, value) in after._settings.items():
            if name not in before._settings or before._settings[name][1] != value:
                self._settings[name] = (setting, value)
        self._random = after._random


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
    return [(item.name, str(item.read())) for item in _settings(_loaded("torch"))]


def seed_world(seed: int) -> None:
    """Seed random, and numpy and torch where they are loaded."""
    random.seed(seed)
    numpy, torch = _loaded("numpy"), _loaded("torch")
    if hasattr(numpy, "random"):
        numpy.random.seed(seed)
    if hasattr(torch, "default_generator"):
        # torch.manual_seed does the same and loads torch's compiler, which takes seconds.
        torch.default_generator.manual_seed(seed)
        torch.cuda.manual_seed_all(seed)
        if torch.backends.mps.is_available():
            torch.mps.manual_seed(seed)
