"""Promises of the tensors that leave a model: their shapes, axis by axis."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pytest_modelcheck.checks.promises import Text
from pytest_modelcheck.context import current
from pytest_modelcheck.errors import ConfigError, ModelCheckError
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.models.forward import Observation, observe
from pytest_modelcheck.models.shapes import mismatch, parse_shape
from pytest_modelcheck.result import Result
from pytest_modelcheck.tensors import tensors_in

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def _shape(name: str, value: object) -> None:
    try:
        parse_shape(value)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


@check
def shape(
    model: "Module",
    inputs: Any,
    /,
    *,
    expected: Annotated[Sequence[int | str] | str, _shape],
    layer: Text | None = None,
) -> Result:
    """The model's output, or that of one layer, has this shape.

    The model runs once on the inputs in evaluation mode: a tuple is passed as positional arguments, a mapping as
    keywords, anything else as the one argument. The shape is written `[1, 7, 768]` or `"batch tokens 768"`; a name
    stands for one size throughout, `_` for any size, `...` for any number of axes. A layer that runs several times
    keeps the promise at each of its calls.

    Raises `ModelCheckError` where the forward raises, the layer is not there or does not run, or the output holds no
    tensor or several.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
    >>> shape(model, torch.zeros(2, 4), expected="batch 3").ok
    True
    >>> print(shape(model, torch.zeros(2, 4), expected=[2, 5], layer="0").message)
    shape of Sequential: layer 0 is [2, 3], promised [2, 5]: axis 1 is 3, promised 5.
    """
    promised = parse_shape(expected)
    seen = observe(model, inputs, layers=[layer] if layer is not None else [], device=current().device)
    sizes: dict[str, int] = {}
    place = "output" if layer is None else f"layer {layer}"
    found = [list(tensor.shape) for tensor in _tensors(seen, layer)]
    problems = [
        f"{place} is {size}, promised {promised}: {problem}."
        for size in found
        if (problem := mismatch(size, promised, sizes))
    ]
    shown = ", ".join(map(str, dict.fromkeys(map(str, found))))
    return Result(
        outcome="failed" if problems else "passed",
        promised=f"{place} {promised}",
        measured=shown + (f", with {_bound(sizes)}" if sizes else ""),
        message="\n".join(dict.fromkeys(problems)),
        evidence={"layer": layer or "", "shapes": found, "sizes": sizes},
        device=seen.device,
        changes=tuple(seen.changes),
    )


def _bound(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items())


def _tensors(seen: Observation, layer: str | None) -> list["Tensor"]:
    """The one tensor of the output, or of the layer at each of its calls."""
    place = "the output" if layer is None else f"layer {layer}"
    calls = [seen.output] if layer is None else seen.layers[layer]
    if not calls:
        raise ModelCheckError(f"{place} did not run in this forward pass")
    return [_only_tensor(call, place) for call in calls]


def _only_tensor(value: Any, place: str) -> "Tensor":
    found = list(tensors_in(value))
    if len(found) == 1:
        return found[0][1]
    if not found:
        raise ModelCheckError(f"{place} holds no tensor: it is a {type(value).__name__}")
    listed = ", ".join(f"{path} {list(tensor.shape)}" for path, tensor in found[:8])
    raise ModelCheckError(
        f"{place} holds {len(found)} tensors ({listed}). Name the layer that makes the one that is meant"
    )
