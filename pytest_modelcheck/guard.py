"""The world and a model as a check found them: saved, restored, and what changed is named.

Nothing here imports torch or numpy: a process that has not loaded them has nothing of theirs to save.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(frozen=True)
class _Setting:
    """One global of the process: how to read it, how to set it, and its name in a message."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def _settings(torch: Any) -> list[_Setting]:
    """The globals of torch that change what a model computes or how fast. Random states are in `_random_states`."""
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
        *(
            _Setting(f"torch.backends.cudnn.{name}", _reader(backends.cudnn, name), _writer(backends.cudnn, name))
            for name in ("enabled", "benchmark", "deterministic")
        ),
    ]


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
    torch = _loaded("torch")
    settings = [(item, item.read()) for item in _settings(torch)] if hasattr(torch, "get_default_dtype") else []
    states = [(item, item.read()) for item in _random_states()]
    changes: list[str] = []
    try:
        yield changes
    finally:
        for setting, before in settings:
            after = setting.read()
            if after != before:
                setting.write(before)
                changes.append(f"{setting.name} was changed from {before} to {after}")
        for state, before in states:
            state.write(before)


def seed_world(seed: int) -> None:
    """Seed random, and numpy and torch where they are loaded."""
    random.seed(seed)
    numpy, torch = _loaded("numpy"), _loaded("torch")
    if hasattr(numpy, "random"):
        numpy.random.seed(seed)
    if hasattr(torch, "manual_seed"):
        torch.manual_seed(seed)


@dataclass(frozen=True)
class _ModelState:
    """What a model is besides its class: weights, buffers, train flags, hooks, and which parameters learn."""

    tensors: dict[str, tuple[Tensor, Tensor]]
    training: list[tuple[Module, bool]]
    hooks: dict[str, tuple[Module, dict[str, dict[int, Any]]]]
    learning: dict[str, tuple[Tensor, bool]] = field(default_factory=dict)


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@contextmanager
def preserved_model(model: Module) -> Iterator[list[str]]:
    """Restore a model's weights, buffers, train flags, hooks and `requires_grad` at the end, and name what changed.

    Train flags are restored without a word, since a check sets them itself; everything else that changed is named
    in the list that it yields. Tensors without storage (meta, not yet initialized) are left alone.
    """
    state = _remember(model)
    changes: list[str] = []
    try:
        yield changes
    finally:
        changes.extend(_restore(model, state))


def _remember(model: Module) -> _ModelState:
    modules = dict(model.named_modules())
    named = [*model.named_parameters(), *model.named_buffers()]
    return _ModelState(
        tensors={name: (tensor, tensor.detach().clone()) for name, tensor in named if _has_storage(tensor)},
        training=[(module, module.training) for module in modules.values()],
        hooks={name: (module, _hooks_of(module)) for name, module in modules.items()},
        learning={name: (tensor, tensor.requires_grad) for name, tensor in model.named_parameters()},
    )


def _hooks_of(module: Module) -> dict[str, dict[int, Any]]:
    return {kind: dict(getattr(module, kind)) for kind in _HOOKS if hasattr(module, kind)}


def _has_storage(tensor: Tensor) -> bool:
    return not tensor.is_meta and type(tensor).__name__ not in ("UninitializedParameter", "UninitializedBuffer")


def _restore(model: Module, state: _ModelState) -> list[str]:
    import torch

    changes = []
    now = dict([*model.named_parameters(), *model.named_buffers()])
    with torch.no_grad():
        for name, (tensor, before) in state.tensors.items():
            current = now.get(name)
            if current is not None and same_tensor(current, before):
                continue
            changes.append(f"{name} was {'removed' if current is None else 'changed'}")
            if tensor.shape == before.shape and tensor.dtype == before.dtype and tensor.device == before.device:
                tensor.data.copy_(before)
            else:
                tensor.data = before
            _put(model, name, tensor)
    new = (name for name in now if name not in state.tensors and _has_storage(now[name]))
    changes += [f"{name} was added" for name in new]
    for module, flag in state.training:
        module.training = flag
    for name, (module, hooks) in state.hooks.items():
        for kind, before_hooks in hooks.items():
            registry = getattr(module, kind)
            if dict(registry) != before_hooks:
                changes.append(f"the hooks of {name or 'the model'} were changed")
                registry.clear()
                registry.update(before_hooks)
    for name, (tensor, flag) in state.learning.items():
        if tensor.requires_grad != flag:
            changes.append(f"requires_grad of {name} was changed from {flag} to {not flag}")
            tensor.requires_grad_(flag)
    return changes


def same_tensor(current: Tensor, before: Tensor) -> bool:
    """Whether two tensors hold the same values; a NaN is the same as a NaN, since one that was there is no change."""
    import torch

    if current.shape != before.shape or current.dtype != before.dtype or current.device != before.device:
        return False
    if torch.equal(current, before):
        return True
    if not (current.is_floating_point() or current.is_complex()):
        return False
    return bool(((current == before) | ((current != current) & (before != before))).all())


def _put(model: Module, name: str, tensor: Tensor) -> None:
    path, _, last = name.rpartition(".")
    try:
        owner = model.get_submodule(path)
    except AttributeError:
        return
    if owner._parameters.get(last) is not tensor and owner._buffers.get(last) is not tensor:
        holder = owner._parameters if isinstance(tensor, _parameter_class()) else owner._buffers
        holder[last] = tensor  # type: ignore[assignment]


def _parameter_class() -> type[Tensor]:
    from torch.nn import Parameter

    return Parameter
