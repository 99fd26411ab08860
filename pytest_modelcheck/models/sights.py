"""What is seen of the tensors of one forward pass: those that go in, that leave a layer, and that come out."""

from __future__ import annotations

import inspect
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.forward import Entry, Note, run
from pytest_modelcheck.tensors import tensors_in

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

Kind = Literal["input", "layer", "output"]

# In the order in which they bind names.
KINDS: tuple[Kind, ...] = ("input", "layer", "output")


@dataclass(frozen=True)
class Sight:
    """One tensor as it was: `path` is where it stands among the inputs, or in what a layer or the model gave.

    `call` counts the calls of layers, in the order in which they end. `nonfinite` are the elements that are NaN or
    infinite, and `low` and `high` the extremes, as numbers of numpy where it has that dtype; `None` where they were not
    asked for, or there are none.
    """

    kind: Kind
    path: str
    shape: list[int]
    dtype: str
    device: str
    elements: int
    call: int = 0
    nonfinite: int | None = None
    low: Any = None
    high: Any = None


@dataclass(frozen=True)
class Given:
    """What a layer gave at one call, or the model, whose `layer` is `""`: its type, and the tensors in it."""

    layer: str
    type: str
    tensors: Sequence[Sight]


@dataclass(frozen=True)
class Sights:
    """What was seen of one pass; `calls` are those of the watched layers, in the order in which they ended."""

    inputs: Sequence[Sight]
    calls: Sequence[Given]
    output: Given
    device: str
    changes: Sequence[str] = field(default_factory=tuple)


def see(
    model: Module, inputs: Any, watched: Mapping[str, Module], *, values: bool, device: str = "", meta: bool = False
) -> Sights:
    """Run the model once and look at its inputs, at its output, and at what the watched layers give at each call.

    An input has the name of the forward's parameter, or its position where the forward names none. A tensor is looked
    at when it leaves its layer, before another one may write into it. Numbers are read only if `values` are asked for,
    and on the meta device there are none.

    >>> import torch
    >>> sights = see(torch.nn.Linear(4, 3), torch.zeros(2, 4), {}, values=True)
    >>> sights.inputs[0].path, sights.output.tensors[0].shape, sights.output.tensors[0].nonfinite
    ('input', [2, 3], 0)
    """
    calls: list[Given] = []

    @contextmanager
    def attempt() -> Iterator[None]:
        calls.clear()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Using `torch.compile")  # a compiled layer minds that it is watched
            yield

    def look(output: Any, layer: str = "") -> Given:
        kind: Kind = "layer" if layer else "output"
        found = tensors_of(output)
        sights = [_sight(kind, path, tensor, call=len(calls), values=values) for path, tensor in found]
        return Given(layer, type(output).__name__, sights)

    def noting(layer: str) -> Note:
        return lambda _args, _keywords, output: calls.append(look(output, layer))

    entering = [_sight("input", path, tensor) for path, tensor in named_inputs(model, inputs)]
    hooks = [(module, noting(layer)) for layer, module in watched.items()]
    seen = run(model, inputs, hooks, device=device, attempt=attempt, meta=meta)
    return Sights(entering, calls, look(seen.output), seen.device, tuple(seen.changes))


def tensors_of(value: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in a value as `tensors_in` gives them, and those in a cache of keys and values, by its layers."""
    parts = _parts_of_cache(value)
    if parts is not None:
        yield from tensors_of(parts, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from tensors_of(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        for index, item in enumerate(value):
            yield from tensors_of(item, f"{path}.{index}" if path else str(index))
    else:
        yield from tensors_in(value, path)


def _parts_of_cache(value: Any) -> Any:
    """The keys and values of transformers' caches, whose classes are told by what they hold."""
    if not type(value).__module__.startswith("transformers."):
        return None
    if hasattr(value, "self_attention_cache") and hasattr(value, "cross_attention_cache"):
        return {name: getattr(value, name) for name in ("self_attention_cache", "cross_attention_cache")}
    if hasattr(value, "key_cache") and hasattr(value, "value_cache"):
        pairs = list(zip(value.key_cache, value.value_cache, strict=True))
    elif all(hasattr(layer, "keys") and hasattr(layer, "values") for layer in getattr(value, "layers", [None])):
        pairs = [(layer.keys, layer.values) for layer in value.layers]
    else:
        return None
    return [{"keys": keys, "values": values} for keys, values in pairs]


def named_inputs(model: Module, inputs: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors among the inputs, under the names that the forward has for them."""
    if isinstance(inputs, Mapping):
        yield from tensors_of(inputs)
        return
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    names = _parameters(model, len(given))
    for name, item in zip(names, given, strict=True):
        yield from tensors_of(item, name)


def _parameters(model: Module, number: int) -> list[str]:
    """The names of a forward's positional parameters, and positions for those that it takes as `*args`."""
    try:
        known = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):  # of a scripted model
        known = {}.values()
    named = [item.name for item in known if item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD)][:number]
    return [*named, *map(str, range(len(named), number))]


def _sight(kind: Kind, path: str, tensor: Tensor, *, call: int = 0, values: bool = False) -> Sight:
    dtype = str(tensor.dtype).removeprefix("torch.")
    seen: dict[str, Any] = _values(tensor) if values else {}
    return Sight(kind, path, list(tensor.shape), dtype, str(tensor.device), tensor.numel(), call, **seen)


def _values(tensor: Tensor) -> dict[str, Any]:
    """How many elements are NaN or infinite, and the extremes, which complex numbers have none of."""
    if not tensor.numel() or tensor.is_meta or type(tensor).__name__ == "FakeTensor":
        return {}
    dense = tensor.dequantize() if tensor.is_quantized else tensor.detach()
    dense = dense.to_dense() if str(dense.layout) != "torch.strided" else dense
    if not dense.is_floating_point() and not dense.is_complex():
        # Torch has no extremes of its wider unsigned integers, and numpy none of booleans.
        numbers = (dense.byte() if str(dense.dtype) == "torch.bool" else dense).cpu().numpy()
        return {"nonfinite": 0, "low": numbers.min(), "high": numbers.max()}
    nonfinite = dense.numel() - int(dense.isfinite().sum())
    if dense.is_complex():
        return {"nonfinite": nonfinite}
    known = str(dense.dtype) in ("torch.float16", "torch.float32", "torch.float64")
    low, high = (item.cpu().numpy()[()] for item in (dense if known else dense.float()).aminmax())
    return {"nonfinite": nonfinite, "low": low, "high": high}


def makers(model: Module, inputs: Any, *, device: str = "", meta: bool = False) -> dict[str, str]:
    """The layer that made each output, in a pass of its own: of those that gave the tensor, the last to be entered.

    A layer is known by its first name. Empty where the pass cannot be watched.

    >>> import torch
    >>> makers(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()), torch.zeros(2, 4))
    {'': '1'}
    """
    import torch

    inner = {
        name: item for name, item in model.named_modules() if name and not isinstance(item, torch.jit.ScriptModule)
    }
    began: dict[str, int] = {}
    given: list[tuple[int, str, weakref.ref[Tensor]]] = []
    count = iter(range(10**12))

    def entering(name: str) -> Entry:
        return lambda _args, _keywords: began.update({name: next(count)})

    def leaving(name: str) -> Note:
        def note(_args: tuple[Any, ...], _keywords: Mapping[str, Any], output: Any) -> None:
            given.extend((began[name], name, weakref.ref(tensor)) for _, tensor in tensors_of(output))

        return note

    try:
        seen = run(
            model,
            inputs,
            [(item, leaving(name)) for name, item in inner.items()],
            entered=[(item, entering(name)) for name, item in inner.items()],
            device=device,
            meta=meta,
        )
    except ModelCheckError:
        return {}
    found = {}
    for path, tensor in tensors_of(seen.output):
        same = [(start, name) for start, name, known in given if known() is tensor]
        if same:
            found[path] = max(same)[1]
    return found
