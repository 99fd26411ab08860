"""The samples of a batch: how many there are, each of them alone, and where they are in the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.probing import Axes, Outputs, Probe, listed, with_tensors
from pytest_modelcheck.tensors import tensors_in

if TYPE_CHECKING:
    from torch import Tensor


def batch_size(inputs: Any, axes: Axes) -> int:
    """The number of samples, of which there are two different ones at least; else a `ModelCheckError`."""
    sizes: dict[str, int] = {}
    differ = False
    for path, tensor in tensors_in(inputs):
        axis = axes.of_input(path)
        if axis is None:
            continue
        name = f"inputs.{path}" if path else "inputs"
        if tensor.ndim <= axis:
            raise ModelCheckError(f"{name} is {list(tensor.shape)}, and has no axis {axis}: {_remedy(name)}")
        sizes[name] = tensor.shape[axis]
        differ = differ or (tensor.numel() > 0 and bool((tensor != tensor.narrow(axis, 0, 1)).any()))
    if not sizes:
        raise ModelCheckError("no tensor of the inputs has an axis of the batch")
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{size} of {name}" for name, size in sizes.items())
        raise ModelCheckError(f"the sizes of the batch are not the same ({shown}): {_remedy(list(sizes)[-1])}")
    size = next(iter(sizes.values()))
    if size < 2:
        raise ModelCheckError(f"the batch has {size} sample{'s' * (size != 1)}: two are needed to compare anything")
    if not differ:
        raise ModelCheckError("all samples are the same, and would not show that they are seen by each other")
    return size


def _remedy(name: str) -> str:
    return f"say which axis is that of the batch, or None for none, batch_dim={{{name!r}: ...}}"


def batch_axes(outputs: Outputs, size: int, axes: Axes) -> dict[str, int | None]:
    """The axis of the batch in each output; a `ModelCheckError` where the promised one is not of its size."""
    found = {path: axes.of_output(path) for path in outputs.tensors}
    for path, axis in found.items():
        tensor = outputs.tensors[path]
        if axis is not None and (tensor.ndim <= axis or tensor.shape[axis] != size):
            what = f"axis {axis} is {tensor.shape[axis]}" if tensor.ndim > axis else f"there is no axis {axis}"
            raise ModelCheckError(
                f"{path} is {list(tensor.shape)}: {what}, and the batch has {size} samples: {_remedy(path)}"
            )
    if all(axis is None for axis in found.values()):
        raise ModelCheckError(f"no output has an axis of the batch; there is {listed(outputs.tensors)}")
    return found


def alone(probe: Probe, inputs: Any, sample: int, axes: Axes) -> Outputs:
    """What the model gives for one sample as a batch of its own."""

    def one(path: str, tensor: Tensor) -> Tensor:
        axis = axes.of_input(path)
        return tensor if axis is None else tensor.narrow(axis, sample, 1)

    try:
        return probe.outputs(with_tensors(inputs, one))
    except ModelCheckError as error:
        raise ModelCheckError(f"sample {sample} alone, which ran in the batch: {error}") from error.__cause__


def sample_of(before: Outputs, sample: int, places: Mapping[str, int | None], after: Outputs) -> Outputs:
    """What the batch gave for one sample; a `ModelCheckError` where an axis is not that of the batch."""
    for path, axis in places.items():
        single = after.tensors.get(path)
        if axis is not None and single is not None and (single.ndim <= axis or single.shape[axis] != 1):
            raise ModelCheckError(
                f"{path} is {list(single.shape)} for one sample alone: axis {axis} is not that of the batch. "
                f"{_remedy(path).capitalize()}"
            )
    return before.each(
        lambda path, tensor: tensor if (axis := places[path]) is None else tensor.narrow(axis, sample, 1)
    )


def all_alike(outputs: Outputs, places: Mapping[str, int | None]) -> bool:
    """Whether the numbers of every sample are the same; classes may be, and are not asked."""
    asked = [
        (tensor, axis)
        for path, tensor in outputs.tensors.items()
        if (axis := places[path]) is not None and (tensor.is_floating_point() or tensor.is_complex())
    ]
    return bool(asked) and all(bool((tensor == tensor.narrow(axis, 0, 1)).all()) for tensor, axis in asked)
