"""The weights with which a model attends: asked of transformers' models, of torch's modules, or of layers by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.forward import Note, Observation, observe, run
from pytest_modelcheck.models.meta import is_on_meta
from pytest_modelcheck.models.probing import within
from pytest_modelcheck.tensors import require_module, tensors_in

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# The outputs of transformers' models that hold weights, and which masks hide keys and queries of each.
_MASKS: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "attentions": (("attention_mask",), "attention_mask"),
        "encoder_attentions": (("attention_mask",), "attention_mask"),
        "decoder_attentions": (("decoder_attention_mask",), "decoder_attention_mask"),
        "cross_attentions": (("encoder_attention_mask", "attention_mask"), "decoder_attention_mask"),
    }
)


@dataclass(frozen=True)
class Weights:
    """The weights of one attention, `[batch, heads, queries, keys]`, on the CPU.

    `group` is what it is one layer of. `hidden` says which keys are masked for which queries, in a shape that
    broadcasts, and `padding` which queries are padding, `[batch, 1, queries]`. `is_self` says that the queries are
    the keys, and `may_look_ahead` that it belongs to an encoder beside a decoder.
    """

    name: str
    group: str
    tensor: Tensor
    hidden: Tensor | None = None
    padding: Tensor | None = None
    is_self: bool = True
    may_look_ahead: bool = False


def attention_weights(
    model: Module, inputs: Any, layers: str, *, device: str = ""
) -> tuple[list[Weights], Observation]:
    """All attention weights of one pass, and what else it gave.

    `layers` is a name in which `*` stands for any one part, or `"auto"` for all there are. Raises `ModelCheckError`
    where none are given.
    """
    torch = require_module(model)
    if is_on_meta(model):
        raise ModelCheckError("the model is on the meta device, and its attention has no numbers: give it weights")
    named = dict(model.named_modules())
    if layers != "auto":
        pattern = re.compile(re.escape(layers).replace(r"\*", r"[^.]+"))
        named = {name: module for name, module in named.items() if pattern.fullmatch(name)}
        if not named:
            raise ModelCheckError(f"there is no layer {layers!r}")
    own = {name: item for name, item in named.items() if isinstance(item, torch.nn.MultiheadAttention)}
    if own and (layers == "auto" or len(own) == len(named)):
        found, seen = _of_torch(model, inputs, own, device)
    elif layers != "auto":
        found, seen = _of_layers(model, inputs, named, device)
    else:
        found, seen = _of_output(model, inputs, device)
    for item in found:
        if item.tensor.ndim != 4 or not item.tensor.is_floating_point() or not item.tensor.numel():
            raise ModelCheckError(
                f"{item.name} is {list(item.tensor.shape)} of {item.tensor.dtype}, and no attention [batch, heads, "
                "queries, keys]"
            )
    return found, seen


def _of_output(model: Module, inputs: Any, device: str) -> tuple[list[Weights], Observation]:
    of_transformers = _is_of_transformers(model)
    seen = observe(model, _asking(model, inputs), device=device)
    tensors = {path: tensor for path, tensor in tensors_in(seen.output) if within(path, tuple(_MASKS))}
    if not tensors:
        raise ModelCheckError(
            'the model gives no attentions: load it with attn_implementation="eager", the others do not keep them'
            if of_transformers
            else "the model gives no attentions and has no nn.MultiheadAttention: name the layers that do, weights="
        )
    masks = dict(tensors_in(inputs))
    found = []
    for path, tensor in tensors.items():
        group = path.partition(".")[0]
        keys, queries = _MASKS[group]
        hidden = next((_hidden(masks[name], name) for name in keys if name in masks), None)
        padding = _hidden(masks[queries], queries) if queries in masks else None
        found.append(
            Weights(
                name=path,
                group=group,
                tensor=tensor.detach().cpu(),
                hidden=_for_keys(hidden, tensor, path),
                padding=None if padding is None else padding[:, None],
                is_self=group != "cross_attentions",
                may_look_ahead=group == "encoder_attentions",
            )
        )
    return found, seen


def _is_of_transformers(model: Module) -> bool:
    return any(owner.__name__ == "PreTrainedModel" for owner in type(model).__mro__)


def _asking(model: Module, inputs: Any) -> Any:
    """The inputs with what has a model of transformers give its weights; its layers before 5 give them only then."""
    if not _is_of_transformers(model):
        return inputs
    return {**_by_name(model, inputs), "output_attentions": True, "return_dict": True}


def _by_name(model: Module, inputs: Any) -> dict[str, Any]:
    """The inputs as keywords of the model's forward."""
    if isinstance(inputs, Mapping):
        return dict(inputs)
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    return dict(zip(inspect.signature(model.forward).parameters, given, strict=False))


def _hidden(mask: Tensor, name: str) -> Tensor:
    """What a mask of ones and zeros hides."""
    if mask.ndim != 2:
        raise ModelCheckError(f"{name} is {list(mask.shape)}: [batch, tokens] is expected")
    hidden = mask.detach().cpu() == 0
    empty = hidden.all(1).nonzero().flatten().tolist()
    if empty:
        raise ModelCheckError(f"{name} hides every token of sample {empty[0]}: it has nothing to attend to")
    return hidden


def _for_keys(hidden: Tensor | None, weights: Tensor, name: str) -> Tensor | None:
    if hidden is None:
        return None
    if weights.ndim != 4 or (weights.shape[0], weights.shape[3]) != tuple(hidden.shape):
        raise ModelCheckError(f"{name} is {list(weights.shape)}, and its mask is {list(hidden.shape)}")
    return hidden[:, None, None]


def _of_layers(
    model: Module, inputs: Any, layers: Mapping[str, Module], device: str
) -> tuple[list[Weights], Observation]:
    """The tensors with four axes that these layers give."""
    found: list[Weights] = []
    mask = dict(tensors_in(inputs)).get("attention_mask")
    hidden = None if mask is None else _hidden(mask, "attention_mask")

    def note(name: str) -> Note:
        def take(_args: Any, _keywords: Any, output: Any) -> None:
            inside = [item for _, item in tensors_in(output) if item.ndim == 4 and item.is_floating_point()]
            if not inside:
                raise ModelCheckError(f"layer {name} gives no tensor [batch, heads, queries, keys]")
            # What an attention gives beside its weights comes first.
            tensor = inside[-1].detach().cpu()
            fits = hidden is not None and (tensor.shape[0], tensor.shape[3]) == tuple(hidden.shape)
            is_self = tensor.shape[2] == tensor.shape[3]
            found.append(
                Weights(
                    name,
                    "weights",
                    tensor,
                    hidden[:, None, None] if fits and hidden is not None else None,
                    hidden[:, None] if fits and is_self and hidden is not None else None,
                    is_self,
                )
            )

        return take

    hooks = [(module, note(name)) for name, module in layers.items()]
    seen = run(model, _asking(model, inputs), hooks, device=device)
    if not found:
        raise ModelCheckError(f"{', '.join(layers)} did not run in this forward pass")
    return found, seen


def _of_torch(
    model: Module, inputs: Any, modules: Mapping[str, Module], device: str
) -> tuple[list[Weights], Observation]:
    """What `nn.MultiheadAttention` gives where it is asked for the weights of each head."""
    found: list[Weights] = []

    def note(name: str) -> Note:
        def take(_args: Any, given: Mapping[str, Any], output: Any) -> None:
            if not isinstance(output, tuple) or len(output) < 2 or output[1] is None:
                raise ModelCheckError(f"{name} was asked for its weights, and gives none")
            found.append(_read(name, given, output[1].detach().cpu()))

        return take

    with ExitStack() as hooks:
        for module in modules.values():
            hooks.callback(module.register_forward_pre_hook(_ask, with_kwargs=True).remove)
        watched = [(module, note(name or "the model")) for name, module in modules.items()]
        seen = run(model, inputs, watched, device=device, attempt=_slow_path)
    if not found:
        raise ModelCheckError(f"{', '.join(modules)} did not run in this forward pass")
    return found, seen


def _ask(_module: Module, args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[tuple[()], dict[str, Any]]:
    import torch

    # The names of torch's own, since a subclass may take anything and hand it on.
    _, *names = inspect.signature(torch.nn.MultiheadAttention.forward).parameters
    given = dict(zip(names, args, strict=False))
    return (), {**given, **keywords, "need_weights": True, "average_attn_weights": False}


@contextmanager
def _slow_path() -> Iterator[None]:
    """Torch's fast path computes no weights; how it was set comes back."""
    import torch

    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _read(name: str, given: Mapping[str, Any], weights: Tensor) -> Weights:
    weights = weights if weights.ndim == 4 else weights[None]
    batch, heads, _, keys = weights.shape
    is_self = given["query"] is given["key"]
    hidden = padding = None
    mask = _is_hidden(given.get("key_padding_mask"))
    if mask is not None:
        mask = mask.reshape(batch, -1)
        hidden, padding = _wide(mask, keys)[:, None, None], mask[:, None] if is_self else None
    mask = _is_hidden(given.get("attn_mask"))
    if mask is not None:
        mask = mask[None, None] if mask.ndim == 2 else mask.reshape(batch, heads, *mask.shape[1:])
        mask = _wide(mask, keys)
        hidden = mask if hidden is None else hidden | mask
    return Weights(name, "attentions", weights, hidden, padding, is_self)


def _is_hidden(mask: Tensor | None) -> Tensor | None:
    """What a mask of torch hides: where it is true, or minus infinity."""
    if mask is None:
        return None
    mask = mask.detach().cpu()
    return mask == float("-inf") if mask.is_floating_point() else mask.bool()


def _wide(mask: Tensor, keys: int) -> Tensor:
    """The mask for keys that the module adds at the end too (`bias_k`, `add_zero_attn`), which are not hidden."""
    import torch

    return torch.nn.functional.pad(mask, (0, keys - mask.shape[-1]), value=False)
