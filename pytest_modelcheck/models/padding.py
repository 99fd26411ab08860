"""Padding put into a model's inputs, as a tokenizer would, and taken out of its outputs again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.probing import Outputs, listed, with_tensors
from pytest_modelcheck.tensors import tensors_in

if TYPE_CHECKING:
    from torch import Tensor

_NEEDED = ("input_ids", "attention_mask")
_PADDED = ("input_ids", "attention_mask", "token_type_ids")


def require_paddable(inputs: Any) -> None:
    """Raise a `ModelCheckError` for inputs into which no padding can be put as a tokenizer would."""
    found = dict(tensors_in(inputs))
    missing = [name for name in _NEEDED if name not in found]
    if not isinstance(inputs, Mapping) or missing:
        raise ModelCheckError(
            f"padding needs the tensors of a tokenizer, input_ids and attention_mask; there is "
            f"{listed(found) or 'no tensor'}"
        )
    ids = found["input_ids"]
    for path, tensor in found.items():
        if path not in _PADDED and not path.startswith("decoder_"):
            raise ModelCheckError(f"it is not known how {path} is padded: leave it out")
        if path in _PADDED and (tensor.ndim != 2 or tensor.shape != ids.shape):
            raise ModelCheckError(
                f"{path} is {list(tensor.shape)} and input_ids is {list(ids.shape)}: [batch, tokens] is expected"
            )
    if not bool((found["attention_mask"] != 0).any()):
        raise ModelCheckError("the attention mask hides every token: there is nothing to compare")


def padded(inputs: Any, number: int, side: str, pad_token_id: int) -> Any:
    """The inputs with so many pad tokens more on one side, which the mask hides.

    >>> import torch
    >>> given = {"input_ids": torch.tensor([[5, 6]]), "attention_mask": torch.tensor([[1, 1]])}
    >>> padded(given, 1, "left", 9)["input_ids"].tolist(), padded(given, 1, "left", 9)["attention_mask"].tolist()
    ([[9, 5, 6]], [[0, 1, 1]])
    """
    import torch

    def change(path: str, tensor: Tensor) -> Tensor:
        if path not in _PADDED:
            return tensor
        fill = tensor.new_full((tensor.shape[0], number), pad_token_id if path == "input_ids" else 0)
        return torch.cat([tensor, fill] if side == "right" else [fill, tensor], dim=1)

    return with_tensors(inputs, change)


def without_padding(outputs: Outputs, reference: Outputs, number: int, side: str) -> tuple[Outputs, Outputs]:
    """The outputs at the places of the real tokens, with padding and without: what became longer is cut there.

    Outputs that did not become longer are whole. Tokens that were padding before are zeros in both.
    """
    real = dict(tensors_in(reference.inputs))["attention_mask"].detach().cpu() != 0
    start = number if side == "left" else 0
    one: dict[str, Tensor] = {}
    two: dict[str, Tensor] = {}
    for path, before in reference.tensors.items():
        after = outputs.tensors.get(path)
        if after is None or after.ndim != before.ndim:
            raise ModelCheckError(f"{path} is another tensor where there is padding: give outputs= without it")
        grown = [axis for axis in range(before.ndim) if before.shape[axis] != after.shape[axis]]
        for axis in grown:
            if (before.shape[axis], after.shape[axis]) != (real.shape[1], real.shape[1] + number):
                raise ModelCheckError(
                    f"{path} is {list(before.shape)}, and {list(after.shape)} with {number} more tokens: its tokens "
                    "are not known. Give outputs= without it"
                )
            after = after.narrow(axis, start, real.shape[1])
            mask = _along(real, axis, path, before)
            before, after = before.masked_fill(~mask, 0), after.masked_fill(~mask, 0)
        one[path], two[path] = before, after
    return Outputs(one, reference.inputs), Outputs(two, outputs.inputs)


def _along(real: Tensor, axis: int, path: str, output: Tensor) -> Tensor:
    """The mask of the tokens as one of an output, whose first axis is the batch."""
    if axis == 0 or output.shape[0] != real.shape[0]:
        raise ModelCheckError(f"{path} is {list(output.shape)}, and its first axis is not the batch")
    sizes = [1] * output.ndim
    sizes[0], sizes[axis] = real.shape
    return real.reshape(sizes)
