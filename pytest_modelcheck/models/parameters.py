"""A model's parameters, counted exactly: each tensor once, whatever names it goes by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_modelcheck import guard
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.wrappers import plain_names
from pytest_modelcheck.tensors import require_module

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_Key = tuple[object, ...]


@dataclass(frozen=True)
class ParameterCounts:
    """The numbers of a model's parameters.

    `layers` has every submodule with the parameters that it holds, children included. `tied` has the names of each
    tensor that has several. `dtypes` and `size` are by dtype: how many parameters, and how many bytes they take.
    `names` has the tensor of each name, as a number of its own, and `buffers` the elements of all buffers, which are no
    parameters. `frozen` are the outermost layers of which nothing learns, and `shared` the further names of layers that
    have several.
    """

    total: int
    trainable: int
    layers: Mapping[str, int]
    tied: tuple[tuple[str, ...], ...]
    dtypes: Mapping[str, int] = field(default_factory=dict)
    size: int = 0
    buffers: int = 0
    names: Mapping[str, int] = field(default_factory=dict)
    dtype_of: Mapping[str, str] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()

    @property
    def non_trainable(self) -> int:
        """The parameters that do not require a gradient."""
        return self.total - self.trainable

    @property
    def frozen_fraction(self) -> Fraction:
        """The share of the parameters that do not learn, from 0 to 1."""
        return Fraction(self.non_trainable, self.total) if self.total else Fraction(0)

    @property
    def innermost(self) -> dict[str, int]:
        """The layers that hold parameters, without those that only hold layers that do."""
        names = [name for name, size in self.layers.items() if size and name not in self.shared]
        outer = {name[: name.rindex(".")] for name in names if "." in name}
        outer |= {name[:at] for name in outer for at, letter in enumerate(name) if letter == "."}
        return {name: self.layers[name] for name in names if name not in outer}


def count_parameters(model: Module) -> ParameterCounts:
    """Count a model's parameters; tensors that share their memory count once, under all of their names in `tied`.

    Raises `ModelCheckError` where a parameter has no size yet (a lazy module that has not run), is not visible (a
    dynamically quantized layer) or holds several weights in one element (4-bit weights of bitsandbytes).

    >>> import torch
    >>> counts = count_parameters(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()))
    >>> counts.total, counts.layers["0"], counts.size
    (15, 15, 60)
    """
    require_module(model)
    _refuse_uncountable(model)
    plain = plain_names(model)
    names: dict[_Key, list[str]] = {}
    tensors: dict[_Key, Tensor] = {}
    trainable: set[_Key] = set()
    for name, parameter in model.named_parameters(remove_duplicate=False):
        key = _identity(parameter)
        layer, _, last = name.rpartition(".")
        names.setdefault(key, []).append(f"{plain[layer]}.{last}" if plain[layer] else last)
        tensors.setdefault(key, parameter)
        if parameter.requires_grad:
            trainable.add(key)
    layers = {plain[name]: number for name, number in _by_layer(model) if plain[name]}
    dtypes: Counter[str] = Counter()
    for tensor in tensors.values():
        dtypes[_dtype(tensor)] += tensor.numel()
    return ParameterCounts(
        total=sum(tensor.numel() for tensor in tensors.values()),
        trainable=sum(tensors[key].numel() for key in trainable),
        layers=layers,
        shared=frozenset(layers) - {plain[name] for name, _ in model.named_modules()},
        tied=tuple(tuple(group) for group in names.values() if len(group) > 1),
        dtypes=dict(dtypes),
        size=sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()),
        buffers=sum(buffer.numel() for buffer in model.buffers()),
        names={name: number for number, group in enumerate(names.values()) for name in group},
        frozen=tuple(_frozen_layers(model, plain)),
        dtype_of={name: _dtype(tensors[key]) for key, group in names.items() for name in group},
    )


def _by_layer(model: Module) -> Iterator[tuple[str, int]]:
    for name, module in model.named_modules(remove_duplicate=False):
        yield name, sum({_identity(item): item.numel() for item in module.parameters()}.values())


def _frozen_layers(model: Module, plain: Mapping[str, str]) -> Iterator[str]:
    found: list[str] = []
    for path, module in model.named_modules():
        learns = [item.requires_grad for item in module.parameters()]
        inside = any(path.startswith(f"{outer}.") or not outer for outer in found)
        if learns and not any(learns) and not inside:
            found.append(path)
            yield plain[path]


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _identity(parameter: Tensor) -> _Key:
    """Two parameters are one where they are the same memory, transposed or not; without memory, the same object.

    Slices of one tensor that overlap are tensors of their own.
    """
    if parameter.numel() == 0 or _is_sharded(parameter) or not _is_strided(parameter):
        return (id(parameter),)
    storage = parameter.untyped_storage()
    memory = storage._cdata if parameter.is_meta else storage.data_ptr()
    if memory == 0:
        return (id(parameter),)
    layout = tuple(sorted(zip(parameter.shape, parameter.stride(), strict=True)))
    return (str(parameter.device), memory, parameter.storage_offset(), parameter.dtype, layout)


def _is_strided(parameter: Tensor) -> bool:
    return str(parameter.layout) == "torch.strided" and type(parameter).__name__ in ("Parameter", "Tensor", "Buffer")


def _is_sharded(parameter: Tensor) -> bool:
    return type(parameter).__name__ == "DTensor" or type(getattr(parameter, "data", None)).__name__ == "DTensor"


def _refuse_uncountable(model: Module) -> None:
    guard.refuse_lazy(model)
    if type(model).__module__.startswith("torch.jit") and not any(True for _ in model.parameters()):
        raise ModelCheckError("it is scripted and shows no parameters: what was frozen into its graph is not counted")
    packed = list(_packed(model))
    if packed:
        raise ModelCheckError(
            f"{', '.join(packed[:3])} is quantized and hides its weights from parameters(): count the model before "
            "it is quantized"
        )
    dense = [name for name, item in model.named_parameters() if type(item).__name__ == "Params4bit"]
    if dense:
        raise ModelCheckError(
            f"{', '.join(dense[:3])} holds two weights in each element: count the model before it is quantized"
        )


def _packed(model: Module) -> Iterator[str]:
    outer: list[str] = []
    for name, module in model.named_modules():
        is_packed = hasattr(module, "_packed_params") or ".quantized." in f"{type(module).__module__}."
        if is_packed and not any(True for _ in module.parameters()) and not name.startswith(tuple(outer)):
            outer.append(f"{name}." if name else "")
            yield name or type(module).__name__
