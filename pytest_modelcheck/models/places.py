"""Names of tensors: `"last_hidden_state"`, `"transformer.layer.*.ffn"`, `"gru:0"`; and the tensors that they name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pytest_modelcheck.errors import ConfigError, ModelCheckError
from pytest_modelcheck.models.sights import KINDS, Given, Kind, Sight, Sights
from pytest_modelcheck.models.wrappers import plain_names

if TYPE_CHECKING:
    from torch.nn import Module


# What an output is called that is one tensor, and has no name of its own.
_WHOLE = "output"
_SHOWN = 8


@dataclass(frozen=True)
class Name:
    """The name of tensors, as it was `written`. `kind` is `""` where it is not said; `inside` is a path in a layer.

    In `path` and `inside`, `*` stands for any one part between dots.
    """

    written: str
    kind: Kind | Literal[""]
    path: str
    inside: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all that the model gives."""
        return self.kind == "output" and not self.path


def whole_output() -> Name:
    """The name of all that the model gives."""
    return Name(_WHOLE, "output", "")


@dataclass(frozen=True)
class Place:
    """One place in a model, under the name that it has in messages, and the tensors that were there, call by call."""

    label: str
    sights: Sequence[Sight]


def parse_name(written: str) -> Name:
    """Read a name: `"input:input_ids"`, `"output:0"`, `"layer:encoder.*"`, `"gru:0"` for what a layer gave, or bare.

    >>> parse_name("last_hidden_state").kind, parse_name("layer:gru:0").inside, parse_name("gru:0").kind
    ('', '0', 'layer')
    """
    for kind in KINDS:
        if written.startswith(f"{kind}:"):
            rest = written.removeprefix(f"{kind}:")
            return _of_layer(written, rest) if kind == "layer" else Name(written, kind, _path(written, rest))
    return _of_layer(written, written) if ":" in written else Name(written, "", _path(written, written))


def parse_layer(written: str) -> Name:
    """Read the name of a layer, with a path inside of what it gave behind a colon where it gave several tensors."""
    return _of_layer(written, written)


def _of_layer(written: str, rest: str) -> Name:
    path, colon, inside = rest.partition(":")
    return Name(written, "layer", _path(written, path), _path(written, inside) if colon else None)


def _path(written: str, path: str) -> str:
    if not path or ":" in path:
        raise ConfigError(f"{written!r} names no tensor: 'input:NAME', 'output:NAME', 'layer:NAME' and 'LAYER:0' do")
    return path


def layers_of(model: Module) -> dict[str, Module]:
    """Every layer by its names, without what wrappers put in between."""
    plain = plain_names(model)
    return {plain[path]: item for path, item in model.named_modules(remove_duplicate=False) if plain[path]}


def layers_named(names: Iterable[Name], layers: Mapping[str, Module]) -> dict[str, Module]:
    """The layers that the names may mean, in the model's order; a `ModuleList` does not run, and is none of a glob.

    Raises `ModelCheckError` where a layer is not there, or is scripted and cannot be looked into.
    """
    import torch

    watched: set[str] = set()
    for name in names:
        if name.kind not in ("", "layer"):
            continue
        found = [layer for layer in layers if matches(name.path, layer)]
        if "*" in name.path:
            found = [layer for layer in found if not isinstance(layers[layer], _lists(torch))]
        scripted = [layer for layer in found if isinstance(layers[layer], torch.jit.ScriptModule)]
        if scripted and name.kind:
            raise ModelCheckError(
                f"layer {scripted[0]!r} is scripted, and cannot be looked into: check the model itself"
            )
        if not found and name.kind:
            raise ModelCheckError(_missing("layer", name.path, layers))
        watched.update(set(found) - set(scripted))
    return {layer: item for layer, item in layers.items() if layer in watched}


def _lists(torch: Any) -> tuple[type, ...]:
    return (torch.nn.ModuleList, torch.nn.ModuleDict, torch.nn.ParameterList, torch.nn.ParameterDict)


def matches(name: str, path: str) -> bool:
    """Whether a path has this name; `*` in it stands for any one part.

    >>> matches("layer.*.ffn", "layer.0.ffn"), matches("layer.*", "layer.0.ffn")
    (True, False)
    """
    return re.fullmatch(re.escape(name).replace(r"\*", r"[^.]+"), path) is not None


def places(name: Name, sights: Sights, watched: Collection[str], layers: Collection[str]) -> list[Place]:
    """The places that a name means, in the order of the pass; of all the layers, only some were watched.

    Raises `ModelCheckError` where it means nothing, or an input and a layer or an output; where a layer of it did not
    run; and where it gave several tensors and the name does not say which.
    """
    outputs = {item.path or _WHOLE: item for item in sights.output.tensors}
    if name.is_whole:
        return [Place("output", [item]) for item in outputs.values()]
    known: dict[Kind, list[str]] = {
        "input": [item.path for item in sights.inputs],
        "layer": list(watched),
        "output": list(outputs),
    }
    asked: Sequence[Kind] = (name.kind,) if name.kind else KINDS
    found = {kind: hits for kind in asked if (hits := [path for path in known[kind] if matches(name.path, path)])}
    if not found:
        known["layer"] = list(layers)
        everything = [path for kind in ("input", "output", "layer") if kind in asked for path in known[kind]]
        raise ModelCheckError(_missing(name.kind or "input, output or layer", name.path, everything))
    if len(found) > 1:
        one, other = list(found)[:2]
        article = {"input": "an input", "layer": "a layer", "output": "an output"}
        raise ModelCheckError(
            f"{name.written!r} names {article[one]} and {article[other]}: write '{one}:{name.written}' or "
            f"'{other}:{name.written}'"
        )
    kind, hits = next(iter(found.items()))
    if kind == "layer":
        return list(_of_layers(name, hits, sights.calls))
    if kind == "input":
        return [Place(f"input {item.path}", [item]) for item in sights.inputs if item.path in hits]
    return [Place(f"output {path}" if outputs[path].path else "output", [outputs[path]]) for path in hits]


def _of_layers(name: Name, layers: Sequence[str], calls: Sequence[Given]) -> Iterator[Place]:
    ran = {call.layer for call in calls}
    idle = [layer for layer in layers if layer not in ran]
    if idle:
        glob = f", and {name.written!r} names it" if idle[0] != name.path else ""
        raise ModelCheckError(f"layer {idle[0]} did not run in this forward pass{glob}")
    found: dict[str, list[Sight]] = {}
    for call in calls:
        if call.layer in layers:
            for sight in _inside(name, call):
                suffix = f":{sight.path}" if name.inside is not None else ""
                found.setdefault(f"layer {call.layer}{suffix}", []).append(sight)
    for label, sights in found.items():
        yield Place(label, sights)


def _inside(name: Name, call: Given) -> Sequence[Sight]:
    """The tensors of one call that are meant: all that the name says, or the only one."""
    if name.inside is None:
        return [only(f"layer {call.layer}", call, f"'{call.layer}:%s'")]
    found = [sight for sight in call.tensors if matches(name.inside, sight.path)]
    if not found:
        known = [sight.path for sight in call.tensors if sight.path]
        raise ModelCheckError(f"of layer {call.layer}, {_missing('tensor', name.inside, known)}")
    return found


def only(label: str, given: Given, example: str) -> Sight:
    """The one tensor that was given; a `ModelCheckError` with what to write where there are several or none."""
    if len(given.tensors) == 1:
        return given.tensors[0]
    if not given.tensors:
        raise ModelCheckError(f"{label} holds no tensor: it is a {given.type}")
    listed = ", ".join(f"{item.path} {item.shape}" for item in given.tensors[:_SHOWN])
    more = f" and {len(given.tensors) - _SHOWN} more" if len(given.tensors) > _SHOWN else ""
    raise ModelCheckError(
        f"{label} holds {len(given.tensors)} tensors ({listed}{more}): name the one that is meant, "
        f"{example % given.tensors[0].path}"
    )


def _missing(kind: str, name: str, known: Iterable[str]) -> str:
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name, names, n=3) or names[:5]
    return f"there is no {kind} {name!r}; there is {', '.join(close) or f'no {kind} at all'}"
