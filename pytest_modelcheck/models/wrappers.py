"""What stands around a model, and the model inside; or the model that a factory builds where nothing takes memory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import RAISED, ModelCheckError, require, told

if TYPE_CHECKING:
    from torch.nn import Module

# The attribute that holds the model, by the name of the wrapper's class.
_INSIDE: Mapping[str, str] = MappingProxyType(
    {
        "OptimizedModule": "_orig_mod",
        "DataParallel": "module",
        "DistributedDataParallel": "module",
        "FullyShardedDataParallel": "module",
        "CheckpointWrapper": "_checkpoint_wrapped_module",
    }
)


@dataclass(frozen=True)
class Unwrapped:
    """A model without what stood around it; `wrappers` names that, the outermost first."""

    model: Module
    wrappers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The class of the model, in the words of a scripted one too."""
        return class_name(self.model)

    @property
    def note(self) -> str:
        """Where it was found, in words; `""` where nothing stood around it."""
        return f" (inside of {', '.join(self.wrappers)})" if self.wrappers else ""


def unwrapped(subject: Any, *, meta: bool = True) -> Unwrapped:
    """The model inside of `torch.compile`, DDP and FSDP, or what a factory builds on the meta device.

    A factory is a class or a function without arguments; nothing that it builds takes memory, unless `meta` is false
    and it is called as it is. Raises `ModelCheckError` where there is no model, or where the factory cannot build.

    >>> from torch import nn
    >>> unwrapped(nn.DataParallel(nn.Linear(4, 3))).wrappers
    ('DataParallel',)
    >>> unwrapped(lambda: nn.Linear(10**6, 10**6)).model.weight.is_meta
    True
    """
    torch = require("torch", "looking at a model")
    model, wrappers = subject, []
    if callable(subject) and not isinstance(subject, torch.nn.Module):
        model = _built(subject, torch.device("meta") if meta else nullcontext())
        wrappers.append("a factory, built on the meta device" if meta else "a factory")
    while isinstance(model, torch.nn.Module):
        _refuse_shards(model)
        inside = _inside_of(model)
        if inside is None:
            return Unwrapped(model, tuple(wrappers))
        wrappers.append(type(model).__name__)
        model = getattr(model, inside)
    raise ModelCheckError(
        f"{type(model).__name__} is no torch.nn.Module: give the model itself, or a function without arguments that "
        "builds it"
    )


def class_name(module: Module) -> str:
    """The class of a module, which a scripted one keeps as its original name."""
    scripted = type(module).__module__.startswith("torch.jit")
    return str(module.original_name) if scripted and hasattr(module, "original_name") else type(module).__name__


def plain_names(model: Module) -> dict[str, str]:
    """The path of each layer, under all of its names, without what `torch.compile` and others put in between.

    >>> from torch import nn
    >>> plain_names(nn.Sequential(nn.DataParallel(nn.Linear(4, 3))))
    {'': '', '0': '0', '0.module': '0'}
    """
    names: dict[str, str] = {}
    modules: dict[str, Module] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        modules[path] = module
        parent, _, last = path.rpartition(".")
        if not path:
            names[path] = ""
        elif last == _inside_of(modules[parent]):
            names[path] = names[parent]
        else:
            names[path] = f"{names[parent]}.{last}" if names[parent] else last
    return names


def _inside_of(module: Module) -> str | None:
    """The attribute in which a wrapper holds the model; `None` for what is no wrapper."""
    return next((_INSIDE[owner.__name__] for owner in type(module).__mro__ if owner.__name__ in _INSIDE), None)


def _refuse_shards(model: Module) -> None:
    flat = [name for name, item in model.named_parameters() if getattr(item, "_is_flat_param", False)]
    if flat:
        raise ModelCheckError(
            f"{flat[0]} is flattened by FSDP, and shows no layers: check the model before it is wrapped"
        )
    for path, module in model.named_modules():
        kind = any(owner.__name__ == "FullyShardedDataParallel" for owner in type(module).__mro__)
        if kind and getattr(module, "world_size", 1) > 1:
            raise ModelCheckError(
                f"{path or 'the model'} is sharded over {module.world_size} processes by FSDP, and each has a part: "
                "check the model before it is wrapped"
            )


def _built(factory: Any, place: AbstractContextManager[object]) -> Any:
    try:
        with place:
            return factory()
    except RAISED as error:
        where = "" if isinstance(place, nullcontext) else " on the meta device"
        raise ModelCheckError(f"it cannot be built{where}: {told(error)}. Give the model itself") from error
