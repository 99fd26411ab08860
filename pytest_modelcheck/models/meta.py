"""A forward pass without numbers: on the meta device, and with fake tensors where that is not enough."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import guard
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.tensors import called, moved_to

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def is_on_meta(model: Module) -> bool:
    """Whether the model's tensors have shapes and no numbers; buffers that were computed may have them all the same.

    A model with a part of its parameters on meta is one that was not loaded to the end, and is not taken for one.
    """
    parameters = list(model.parameters())
    return all(item.is_meta for item in parameters) if parameters else any(item.is_meta for item in model.buffers())


@contextmanager
def emptied(model: Module) -> Iterator[None]:
    """The model with tensors on the meta device in the place of its own, which come back at the end.

    Raises `ModelCheckError` for a scripted model, which keeps its tensors where nothing can be put in their place.
    """
    import torch

    guard.refuse_lazy(model)
    scripted = [path or "it" for path, item in model.named_modules() if isinstance(item, torch.jit.ScriptModule)]
    if scripted:
        raise ModelCheckError(f"{scripted[0]} is scripted, and cannot be emptied for the meta device: leave meta out")
    with _replaced(model, lambda item: item if item.is_meta else torch.empty_like(item, device="meta")):
        yield


def called_without_numbers(model: Module, inputs: Any, attempt: Callable[[], AbstractContextManager[object]]) -> Any:
    """What a model on the meta device gives: tensors that have shapes and dtypes, and no numbers.

    Where the forward asks a tensor for its number, as masks do, the pass is made again with fake tensors; `attempt` is
    entered around each pass. Raises `ModelCheckError` where it needs a number all the same, with the error and the
    innermost layer in which it was raised.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    try:
        with emptied(model), attempt():
            return called(model, moved_to(inputs, "meta"))
    except ModelCheckError as error:
        # Also "Meta tensors", in the words of torch's operators; of autocast, torch 2.6 does not say for which device.
        if not re.search("meta|unsupported scalarType", str(error.__cause__), re.IGNORECASE):
            raise _placed(model, error) from error.__cause__
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), _replaced(model, _empty), attempt():
            return called(model, _emptied(inputs))
    except ModelCheckError as error:
        told = _placed(model, error)
        raise ModelCheckError(f"{told}\n{_NEEDS_NUMBERS}") from error.__cause__


_NEEDS_NUMBERS = (
    "  On the meta device there are no numbers to compute or to decide by: give the model with its weights."
)


def _placed(model: Module, error: ModelCheckError) -> ModelCheckError:
    """The same error with the innermost module of the model whose forward it came through."""
    names = {id(module): name for name, module in model.named_modules()}
    place = None
    frame = error.__cause__.__traceback__ if error.__cause__ is not None else None
    while frame is not None:
        owner = frame.tb_frame.f_locals.get("self")
        if id(owner) in names:
            place = owner
        frame = frame.tb_next
    if place is None:
        return error
    layer, kind = names[id(place)], type(place).__name__
    told, behind, shapes = str(error).rpartition("\n  inputs: ")
    return ModelCheckError(f"{told}\n  in {f'layer {layer} ({kind})' if layer else kind}{behind}{shapes}")


@contextmanager
def _replaced(model: Module, make: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Every parameter and buffer as another tensor, tied ones still tied; the old ones come back."""
    import torch

    holders: list[dict[str, Any]] = [part for item in model.modules() for part in (item._parameters, item._buffers)]
    held = [(holder, dict(holder)) for holder in holders]
    memo: dict[int, Any] = {}
    try:
        for holder, before in held:
            for name, item in before.items():
                if item is None:
                    continue
                if id(item) not in memo:
                    made = make(item)
                    is_parameter = isinstance(item, torch.nn.Parameter) and made is not item
                    memo[id(item)] = torch.nn.Parameter(made, requires_grad=False) if is_parameter else made
                holder[name] = memo[id(item)]
        yield
    finally:
        for holder, before in held:
            holder.update(before)


def _emptied(inputs: Any) -> Any:
    """The inputs as tensors of the mode that is active."""
    import torch
    from torch.utils._pytree import tree_map_only

    return tree_map_only(torch.Tensor, _empty, inputs)


def _empty(item: Tensor) -> Tensor:
    import torch

    return torch.empty(item.shape, dtype=item.dtype, device="cpu")
