"""A model's parameters, counted exactly: each tensor once, whatever names it goes by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_modelcheck import guard
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.tensors import require_module

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(frozen=True)
class ParameterCounts:
    """The numbers of a model's parameters. `layers` has every submodule with those that it holds, children included."""

    total: int
    trainable: int
    layers: Mapping[str, int]
    tied: tuple[tuple[str, ...], ...]

    @property
    def non_trainable(self) -> int:
        """The parameters that do not require a gradient."""
        return self.total - self.trainable


def count_parameters(model: Module) -> ParameterCounts:
    """Count a model's parameters; tensors that share their memory count once, under all of their names in `tied`.

    Raises `ModelCheckError` where a parameter has no size yet (a lazy module that has not run) or is not visible (a
    dynamically quantized layer).

    >>> import torch
    >>> counts = count_parameters(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()))
    >>> counts.total, counts.layers["0"]
    (15, 15)
    """
    require_module(model)
    _refuse_uncountable(model)
    names: dict[tuple[object, ...], list[str]] = {}
    sizes: dict[tuple[object, ...], tuple[int, bool]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        key = _identity(parameter)
        names.setdefault(key, []).append(name)
        sizes[key] = (parameter.numel(), parameter.requires_grad or sizes.get(key, (0, False))[1])
    return ParameterCounts(
        total=sum(size for size, _ in sizes.values()),
        trainable=sum(size for size, learns in sizes.values() if learns),
        layers={
            name: sum({_identity(item): item.numel() for item in module.parameters()}.values())
            for name, module in model.named_modules()
            if name
        },
        tied=tuple(tuple(group) for group in names.values() if len(group) > 1),
    )


def _identity(parameter: Tensor) -> tuple[object, ...]:
    """Two parameters are one where they are the same memory, transposed or not; without memory, the same object."""
    if parameter.is_meta or parameter.numel() == 0 or parameter.data_ptr() == 0:
        return (id(parameter),)
    start = parameter.untyped_storage().data_ptr(), parameter.storage_offset()
    return (str(parameter.device), *start, parameter.dtype, parameter.numel())


def _refuse_uncountable(model: Module) -> None:
    guard.refuse_lazy(model)
    packed = list(_packed(model))
    if packed:
        raise ModelCheckError(
            f"{', '.join(packed[:3])} is quantized and hides its weights from parameters(): count the model before "
            "it is quantized"
        )


def _packed(model: Module) -> Iterator[str]:
    outer: list[str] = []
    for name, module in model.named_modules():
        is_packed = hasattr(module, "_packed_params") or ".quantized." in f"{type(module).__module__}."
        if is_packed and not any(True for _ in module.parameters()) and not name.startswith(tuple(outer)):
            outer.append(f"{name}." if name else "")
            yield name or type(module).__name__
