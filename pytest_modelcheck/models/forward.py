"""One forward pass, looked at from outside: what went in, what each layer gave, what came out."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import guard, process
from pytest_modelcheck.devices import placed
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.meta import called_without_numbers, emptied, is_on_meta
from pytest_modelcheck.tensors import called, copied, is_finite, moved_to, require_module, same_tensors, tensors_in

if TYPE_CHECKING:
    from torch.nn import Module


# What a module is called with, its keywords, and what it gives.
Note = Callable[[tuple[Any, ...], Mapping[str, Any], Any], None]
Entry = Callable[[tuple[Any, ...], Mapping[str, Any]], None]


@dataclass(frozen=True)
class Observation:
    """What one forward pass gave. `layers` has, for each layer asked for, its output at every call, in order."""

    output: Any
    layers: Mapping[str, Sequence[Any]]
    device: str
    changes: list[str] = field(default_factory=list)


def observe(model: Module, inputs: Any, *, layers: Sequence[str] = (), device: str = "") -> Observation:
    """Run the model once on the inputs, in evaluation mode and without gradients, and leave it as it was.

    A tuple is passed as positional arguments, a mapping as keywords, anything else as the one argument. The model
    gets a copy of the inputs. Raises `ModelCheckError` where the forward raises, or a layer is not there.
    """
    require_module(model)
    outputs: dict[str, list[Any]] = {name: [] for name in layers}
    watched = [(_layer(model, name), _keeping(outputs[name])) for name in layers]
    return replace(run(model, inputs, watched, device=device), layers=outputs)


def run(
    model: Module,
    inputs: Any,
    watched: Iterable[tuple[Module, Note]] = (),
    *,
    entered: Iterable[tuple[Module, Entry]] = (),
    device: str = "",
    attempt: Callable[[], AbstractContextManager[object]] = nullcontext,
    meta: bool = False,
) -> Observation:
    """The same for modules that are watched: each is told of its calls, with arguments, keywords and output.

    Those that are `entered` are told before, with arguments and keywords as they go in.

    `attempt` is entered around the forward alone. A model on the meta device, or any where `meta` is true, runs there,
    without numbers, and twice where the first try needs one.
    """
    torch = require_module(model)
    without_numbers = meta or is_on_meta(model)
    with (
        emptied(model) if without_numbers else nullcontext(),
        guard.preserved_model(model) as changes,
        nullcontext("meta") if without_numbers else placed(model, device) as target,
        ExitStack() as hooks,
        torch.no_grad(),
        process.preserved_world() as world,
    ):
        for module, note in watched:
            hooks.enter_context(_hook(module, note))
        for module, entry in entered:
            hooks.callback(module.register_forward_pre_hook(_entering(entry), with_kwargs=True).remove)
        model.eval()
        if target == "meta":
            output = called_without_numbers(model, inputs, attempt)
        else:
            given = moved_to(copied(inputs), target)
            with attempt():
                output = called(model, given)
            if not same_tensors(given, moved_to(inputs, target)):
                changes.append("the input was changed in place")
    return Observation(output, {}, target, [*changes, *world])


def _entering(entry: Entry) -> Callable[[Module, tuple[Any, ...], dict[str, Any]], None]:
    return lambda _module, args, keywords: entry(args, keywords)


def _keeping(outputs: list[Any]) -> Note:
    def note(_args: tuple[Any, ...], _keywords: Mapping[str, Any], output: Any) -> None:
        outputs.append(output)

    return note


def first_nonfinite_layer(model: Module, inputs: Any, *, device: str = "") -> str:
    """What is not finite first, in the order of the forward pass: an input, a parameter, a layer's output.

    `""` where none of them is, or a layer cannot be watched.
    """
    torch = require_module(model)
    # An infinite input may be meant, as in a mask that is added.
    for path, tensor in tensors_in(inputs):
        if not tensor.is_meta and bool(tensor.isnan().any()):
            return f"the input{f' {path}' if path else ''} is not finite"
    for name, parameter in model.named_parameters():
        if not is_finite(parameter):
            return f"parameter {name} is not finite"
    inner = [
        (name, item)
        for name, item in model.named_modules()
        # A scripted layer takes no hooks.
        if name and not any(True for _ in item.children()) and not isinstance(item, torch.jit.ScriptModule)
    ]
    order: list[str] = []
    with ExitStack() as hooks:
        for name, module in inner:
            hooks.enter_context(_hook(module, _noting(name, order)))
        seen = observe(model, inputs, device=device)
    if order:
        return f"the output of layer {order[0]} is not finite"
    for path, tensor in tensors_in(inputs):
        if not is_finite(tensor):
            return f"the input{f' {path}' if path else ''} is not finite"
    is_whole = inner and not any(isinstance(item, torch.jit.ScriptModule) for item in model.modules())
    if is_whole and any(not is_finite(tensor) for _, tensor in tensors_in(seen.output)):
        return "the outputs of all layers are finite, and what the forward makes of them is not"
    return ""


def _noting(name: str, order: list[str]) -> Note:
    def note(_args: tuple[Any, ...], _keywords: Mapping[str, Any], output: Any) -> None:
        if any(not is_finite(tensor) for _, tensor in tensors_in(output)):
            order.append(name)

    return note


def _layer(model: Module, name: str) -> Module:
    try:
        return model.get_submodule(name)
    except RuntimeError as error:  # torch's own words for a scripted model
        raise ModelCheckError(f"layer {name!r} cannot be looked into ({error}): check the model itself") from error
    except AttributeError:
        names = [name for name, _ in model.named_modules() if name]
        close = difflib.get_close_matches(name, names, n=3) or names[:5]
        raise ModelCheckError(f"there is no layer {name!r}; there is {', '.join(close) or 'no layer at all'}") from None


def _hook(module: Module, note: Note) -> ExitStack:
    handle = module.register_forward_hook(
        lambda _module, args, keywords, output: note(args, keywords, output), with_kwargs=True
    )
    stack = ExitStack()
    stack.callback(handle.remove)
    return stack
