"""The tokens among a model's inputs: which they are, and where they are in its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.probing import Axes, Outputs, Probe, listed, with_tensors
from pytest_modelcheck.tensors import tensors_in

if TYPE_CHECKING:
    from torch import Tensor

# What transformers calls the tensors that hold something for each token, positions left out: those do not move.
MOVED = ("input_ids", "inputs_embeds", "attention_mask", "token_type_ids")

# What it calls tokens, those that a decoder is given first.
READ = (("decoder_input_ids", "decoder_inputs_embeds"), ("input_ids", "inputs_embeds"))

# What has a place for each token of them, and is cut where they are.
_BESIDE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "input_ids": ("attention_mask", "token_type_ids", "position_ids"),
        "inputs_embeds": ("attention_mask", "token_type_ids", "position_ids"),
        "decoder_input_ids": ("decoder_attention_mask", "decoder_position_ids"),
        "decoder_inputs_embeds": ("decoder_attention_mask", "decoder_position_ids"),
    }
)

_MASKS: Mapping[str, str] = MappingProxyType(
    {
        "input_ids": "attention_mask",
        "inputs_embeds": "attention_mask",
        "decoder_input_ids": "decoder_attention_mask",
        "decoder_inputs_embeds": "decoder_attention_mask",
    }
)


@dataclass(frozen=True)
class Tokens:
    """The inputs that hold tokens, each with its axis, the tokens themselves first; and how many tokens there are.

    `real` says which of them are no padding, `[batch, tokens]`, `None` where that is not known.
    """

    axes: Mapping[str, int]
    length: int
    real: Tensor | None

    @property
    def first(self) -> str:
        """The path of the tokens themselves; what else there is goes with them."""
        return next(iter(self.axes))

    def shorter(self, inputs: Any) -> Any:
        """The inputs without the last token, and without its places in masks, types and positions."""
        beside = {name for path in self.axes for name in _BESIDE.get(path, ())}

        def change(path: str, tensor: Tensor) -> Tensor:
            axis = self.axes.get(path, tensor.ndim - 1 if path in beside else None)
            if axis is None or tensor.ndim < 1 or tensor.shape[axis] != self.length:
                return tensor
            return tensor.narrow(axis, 0, self.length - 1)

        return with_tensors(inputs, change)

    def along(self, inputs: Any, change: Callable[[Tensor, int], Tensor]) -> Any:
        """The inputs with each tensor of the tokens changed, which is given its axis."""
        return with_tensors(
            inputs, lambda path, tensor: change(tensor, self.axes[path]) if path in self.axes else tensor
        )

    def values(self, inputs: Any) -> Tensor:
        """The tokens themselves."""
        return dict(tensors_in(inputs))[self.first]

    @property
    def last_real(self) -> int:
        """The index of the last token that is no padding in some sample."""
        return self.length - 1 if self.real is None else int(self.real.any(0).nonzero().max())

    def replaced(self, inputs: Any, values: Tensor, start: int = 0) -> Any:
        """The inputs with other tokens from `start` on; what goes with them stays."""
        import torch

        def change(path: str, tensor: Tensor) -> Tensor:
            if path != self.first:
                return tensor
            axis = self.axes[path]
            return torch.cat([tensor.narrow(axis, 0, start), values.narrow(axis, start, self.length - start)], axis)

        return with_tensors(inputs, change)


def tokens_of(inputs: Any, axes: Axes, named: Sequence[str], *, read: bool = False, least: int = 2) -> Tokens:
    """The tokens among the inputs: those named, or those that transformers' names are, or the only tensor there is.

    `read` asks for the tokens alone, and for those of a decoder first; else masks and types go with them. Raises
    `ModelCheckError` where it is not known which are meant, where they are not of one length, and where there are less
    than `least`.
    """
    found = dict(tensors_in(inputs))
    paths = [*named] if named else _known(found, read)
    for path in paths:
        if path not in found:
            raise ModelCheckError(f"there is no input {path!r}; there is {listed(found) or 'no tensor'}")
    chosen: dict[str, int] = {}
    for path in paths:
        axis = axes.of_input(path)
        if axis is None:
            continue
        if found[path].ndim <= axis:
            raise ModelCheckError(f"{_input(path)} is {list(found[path].shape)}, and has no axis {axis} of tokens")
        chosen[path] = axis
    lengths = {found[path].shape[axis] for path, axis in chosen.items()}
    if len(lengths) != 1:
        shapes = ", ".join(f"{_input(path)} {list(found[path].shape)} on axis {axis}" for path, axis in chosen.items())
        raise ModelCheckError(f"the tokens are not of one length: {shapes or 'no input has an axis of them'}")
    length = lengths.pop()
    if length < least:
        raise ModelCheckError(f"there is {length} token, and two are needed" if length else "there are no tokens")
    return Tokens(chosen, length, _real(found, chosen))


def _known(found: Mapping[str, Tensor], read: bool) -> list[str]:
    if list(found) == [""]:
        return [""]
    groups = READ if read else (MOVED,)
    known = next((paths for group in groups if (paths := [name for name in group if name in found])), [])
    known = known if any(name in group for name in known for group in READ) else []
    if not known and len(found) == 1:
        known = list(found)
    if not known:
        raise ModelCheckError(
            f"it is not known which inputs are the tokens ({listed(found) or 'there is no tensor'}): give tokens="
        )
    return known


def _input(path: str) -> str:
    return path or "the input"


def _real(found: Mapping[str, Tensor], chosen: Mapping[str, int]) -> Tensor | None:
    """Which tokens are no padding, by the mask that transformers gives with them."""
    for path, axis in chosen.items():
        mask = found.get(_MASKS[path]) if path in _MASKS else None
        if mask is not None and axis == 1 and mask.shape == found[path].shape[:2]:
            real = mask.detach().cpu() != 0
            if not bool(real.any()):
                raise ModelCheckError("the attention mask hides every token: there is nothing to compare")
            return real
    return None


def output_axes(probe: Probe, before: Outputs, tokens: Tokens, axes: Axes) -> dict[str, int | None]:
    """The axis of the tokens in each output, `None` for an output that has none.

    It is not guessed by size: where an output is not named, the model runs without the last token, and the axis that
    became shorter by one is that of the tokens. Raises `ModelCheckError` where it is another one than promised.
    """
    axes.require_known(before.inputs, before.tensors)
    shorter: Mapping[str, Tensor] = {}
    if not all(axes.names(path) for path in before.tensors):
        try:
            shorter = probe.outputs(tokens.shorter(before.inputs)).tensors
        except ModelCheckError as error:
            raise ModelCheckError(
                f"which outputs have an axis of tokens cannot be seen, since the model does not run on "
                f"{tokens.length - 1} of {tokens.length} tokens: give dim= for each output, such as "
                f"{{{next(iter(before.tensors))!r}: {axes.default}}}. {error}"
            ) from error
    return {path: _axis(path, tensor, shorter.get(path), tokens, axes) for path, tensor in before.tensors.items()}


def _axis(path: str, tensor: Tensor, shorter: Tensor | None, tokens: Tokens, axes: Axes) -> int | None:
    promised = axes.of_output(path)
    if axes.names(path):
        if promised is not None and (tensor.ndim <= promised or tensor.shape[promised] != tokens.length):
            raise ModelCheckError(
                f"{path} is {list(tensor.shape)}, and its axis {promised} is not one of {tokens.length} tokens"
            )
        return promised
    if shorter is None or shorter.ndim != tensor.ndim:
        raise ModelCheckError(f"{path} is another tensor where a token is left out: give outputs= without it")
    moved = [axis for axis, sizes in enumerate(zip(tensor.shape, shorter.shape, strict=True)) if sizes[0] != sizes[1]]
    if not moved:
        return None
    if moved != [promised] or tensor.shape[moved[0]] != tokens.length:
        raise ModelCheckError(
            f"{path} is {list(tensor.shape)} for {tokens.length} tokens and {list(shorter.shape)} for one token less: "
            f"its tokens are not on axis {promised} alone. Give dim={{{path!r}: ...}}, or outputs= without it"
        )
    return promised


def sequence_axes(probe: Probe, before: Outputs, tokens: Tokens, axes: Axes) -> dict[str, int | None]:
    """The same where every output has to have one: a `ModelCheckError` for an output without."""
    found = output_axes(probe, before, tokens, axes)
    without = {path: before.tensors[path] for path, axis in found.items() if axis is None}
    if without:
        raise ModelCheckError(f"{listed(without)}: no axis of tokens. Give outputs= with those that have one")
    return found


def part_of(outputs: Outputs, places: Mapping[str, int | None], start: int, end: int) -> Outputs:
    """The outputs at the tokens from `start` up to `end`."""
    return outputs.each(
        lambda path, tensor: tensor if (axis := places[path]) is None else tensor.narrow(axis, start, end - start)
    )


def without_masked(outputs: Outputs, places: Mapping[str, int | None], real: Tensor | None) -> Outputs:
    """The outputs with zeros in the place of padding, where it is known which tokens are padding."""

    def change(path: str, tensor: Tensor) -> Tensor:
        if places[path] != 1 or real is None or tensor.shape[:2] != real.shape:
            return tensor
        return tensor.masked_fill(~real.reshape(*real.shape, *[1] * (tensor.ndim - 2)), 0)

    return outputs.each(change)


def shuffled(tensor: Tensor, axis: int | None, order: Tensor) -> Tensor:
    """A tensor with its tokens in another order; as it is where it has no axis of them."""
    return tensor if axis is None else tensor.index_select(axis, order.to(tensor.device))


def spread(last: int, most: int) -> list[int]:
    """Numbers from 1 to the last, all of them or so many, evenly spread.

    >>> spread(3, 8), spread(100, 4)
    ([1, 2, 3], [1, 34, 67, 100])
    """
    if last <= most:
        return list(range(1, last + 1))
    return [1 + (last - 1) * step // (most - 1) for step in range(most)]
