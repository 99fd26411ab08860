"""A model as a check found it: saved, restored, and what changed is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(frozen=True)
class _ModelState:
    """What a model is besides its class: weights, buffers, train flags, hooks, and which parameters learn."""

    tensors: dict[str, tuple[Tensor, Tensor]]
    held: list[tuple[str, dict[str, Any], dict[str, Any]]]
    training: list[tuple[Module, bool]]
    hooks: dict[str, tuple[Module, dict[str, dict[int, Any]]]]
    learning: dict[str, tuple[Tensor, bool]] = field(default_factory=dict)
    unhooked: list[Module] = field(default_factory=list)


# The last three say how the hooks of the first are called.
_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks_with_kwargs",
)

# Where transformers notes that it has hooked a model, which it does once, in the first pass that is asked for more.
_HOOKED = "_output_capturing_hooks_installed"

# What a module holds by name.
_HELD = ("_parameters", "_buffers", "_modules")


@contextmanager
def preserved_model(model: Module) -> Iterator[list[str]]:
    """Restore a model's weights, buffers, train flags, hooks and `requires_grad` at the end, and name what changed.

    Train flags are restored without a word, since a check sets them itself, and so are the hooks by which transformers
    captures hidden states; everything else that changed is named in the list that it yields. Tensors on the meta device
    have no values and are left alone.

    Raises `ModelCheckError` for a lazy module that has not run: its first pass cannot be taken back.
    """
    state = _remember(model)
    changes: list[str] = []
    try:
        yield changes
    finally:
        changes.extend(_restore(model, state))


def _remember(model: Module) -> _ModelState:
    refuse_lazy(model)
    modules = dict(model.named_modules())
    named = {name: tensor for name, tensor in _tensors_of(model).items() if not tensor.is_meta}
    copies = {key: tensor.detach().clone() for key, tensor in {id(item): item for item in named.values()}.items()}
    return _ModelState(
        tensors={name: (tensor, copies[id(tensor)]) for name, tensor in named.items()},
        held=[(name, holder, dict(holder)) for name, module in modules.items() for holder in _holders(module)],
        training=[(module, module.training) for module in modules.values()],
        hooks={name: (module, _hooks_of(module)) for name, module in modules.items()},
        learning={name: (tensor, tensor.requires_grad) for name, tensor in model.named_parameters()},
        unhooked=[module for module in modules.values() if _HOOKED not in vars(module)],
    )


def _hooks_of(module: Module) -> dict[str, dict[int, Any]]:
    return {kind: dict(getattr(module, kind)) for kind in _HOOKS if hasattr(module, kind)}


def _tensors_of(model: Module) -> dict[str, Tensor]:
    """Parameters and buffers under all of their names, tied ones too."""
    return dict([*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)])


def _holders(module: Module) -> list[dict[str, Any]]:
    # A scripted module keeps its own where nothing can be put back.
    return [holder for kind in _HELD if isinstance(holder := getattr(module, kind, None), dict)]


def refuse_lazy(model: Module) -> None:
    """Raise a `ModelCheckError` where a parameter or a buffer has no size yet."""
    named = [*model.named_parameters(), *model.named_buffers()]
    lazy = [name for name, item in named if type(item).__name__ in ("UninitializedParameter", "UninitializedBuffer")]
    if lazy:
        verb = "has" if len(lazy) == 1 else "have"
        shown = ", ".join(lazy[:3]) + (" and others" if len(lazy) > 3 else "")
        raise ModelCheckError(
            f"{shown} {verb} no size before the first forward pass: run the model once, then check it"
        )


def _restore(model: Module, state: _ModelState) -> list[str]:
    import torch

    changes = []
    now = _tensors_of(model)
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
    new = (name for name in now if name not in state.tensors and not now[name].is_meta)
    changes += [f"{name} was {'changed' if name in state.learning else 'added'}" for name in new]
    changes += _restore_held(state)
    for module, flag in state.training:
        module.training = flag
    changed_hooks: list[str] = []
    for name, (module, hooks) in state.hooks.items():
        for kind, before_hooks in hooks.items():
            registry = getattr(module, kind)
            if dict(registry) != before_hooks:
                if _is_told(dict(registry), before_hooks):
                    changed_hooks.append(f"the hooks of {name or 'the model'} were changed")
                registry.clear()
                registry.update(before_hooks)
    for module in state.unhooked:
        vars(module).pop(_HOOKED, None)
    changes += dict.fromkeys(changed_hooks)
    for name, (tensor, flag) in state.learning.items():
        if tensor.requires_grad != flag:
            changes.append(f"requires_grad of {name} was changed from {flag} to {not flag}")
            tensor.requires_grad_(flag)
    return changes


def _is_told(after: dict[int, Any], before: dict[int, Any]) -> bool:
    """Whether hooks were changed by anyone but transformers, which hooks a model again when it is asked to."""
    others = {key: hook for key, hook in after.items() if key in before or not _is_of_transformers(hook)}
    return others != before


def _is_of_transformers(hook: Any) -> bool:
    return str(getattr(hook, "__module__", "")).startswith("transformers.")


def _restore_held(state: _ModelState) -> list[str]:
    """Put back what each module held; layers are named here, and tensors where their values are compared."""
    changes = []
    for name, holder, before in state.held:
        if list(holder) == list(before) and all(holder[key] is item for key, item in before.items()):
            continue
        if any(hasattr(item, "named_modules") for item in {**before, **holder}.values()):
            changes.append(f"the layers of {name or 'the model'} were changed")
        holder.clear()
        holder.update(before)
    return changes


def same_tensor(current: Tensor, before: Tensor) -> bool:
    """Whether two tensors hold the same values; a NaN is the same as a NaN, since one that was there is no change."""
    import torch

    if current.shape != before.shape or current.dtype != before.dtype or current.device != before.device:
        return False
    if current.is_meta or torch.equal(current, before):
        return True
    if not (current.is_floating_point() or current.is_complex()):
        return False
    return bool(((current == before) | ((current != current) & (before != before))).all())
