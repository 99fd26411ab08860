"""The shapes of a model's inputs and outputs, or of layers, against those that were recorded and reviewed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.context import current
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.places import layers_named, layers_of, parse_layer
from pytest_modelcheck.models.sights import Sights, see
from pytest_modelcheck.result import Result

if TYPE_CHECKING:
    from torch.nn import Module

_SHOWN = 10
_ANEW = "pytest --modelcheck --modelcheck-update=all records"


def as_recorded(model: Module, inputs: Any, layer: str | None, *, name: str, note: str, meta: bool) -> Result:
    """The verdict on all tensors that go in and come out, or on those that leave the layers of a name.

    Raises `ModelCheckError` where nothing was recorded, or what was cannot be read.
    """
    watched = {} if layer is None else layers_named([parse_layer(layer)], layers_of(model))
    seen = see(model, inputs, watched, values=False, device=current().device, meta=meta)
    today: dict[str, list[Any]] = {}
    seen_before: Counter[str] = Counter()
    for label, shape, dtype in _tensors(seen, layer):
        seen_before[label] += 1
        today[f"{label} ({seen_before[label]})" if seen_before[label] > 1 else label] = [shape, dtype]
    if not today:
        raise ModelCheckError("no tensor was seen whose shape could be recorded")
    recorded, is_new = current().baseline("shape", {"tensors": [[key, *told] for key, told in today.items()]})
    known = _read(recorded)
    every = {**known, **today}
    lines = [line for label in every if (line := _difference(label, known.get(label), today.get(label)))]
    more = [f"  ... and {len(lines) - _SHOWN:,} more"] if len(lines) > _SHOWN else []
    head = f"{len(lines):,} of {len(every):,} tensors are not as they were recorded."
    return Result(
        outcome="failed" if lines else "passed",
        promised=_told(known),
        measured=f"{_told(today)} ({'recorded now' if is_new else 'baseline'}){note}",
        message="\n".join([head, *lines[:_SHOWN], *more, f"If the change is meant, {_ANEW} it."]) if lines else "",
        evidence={"layer": layer or "", "places": list(today), "shapes": [shape for shape, _ in today.values()]},
        subject=name,
        device=seen.device,
        changes=tuple(seen.changes),
    )


def _tensors(seen: Sights, layer: str | None) -> Iterator[tuple[str, list[int], str]]:
    """Each tensor by a name of its own, a layer's with the number of its call from the second on."""
    if layer is None:
        for kind, sights in (("input", seen.inputs), ("output", seen.output.tensors)):
            for sight in sights:
                yield f"{kind} {sight.path}".rstrip(), sight.shape, sight.dtype
        return
    calls: dict[str, int] = {}
    for given in seen.calls:
        calls[given.layer] = calls.get(given.layer, 0) + 1
        call = f" call {calls[given.layer]}" if calls[given.layer] > 1 else ""
        for sight in given.tensors:
            inside = f":{sight.path}" if sight.path else ""
            yield f"layer {given.layer}{inside}{call}", sight.shape, sight.dtype


def _read(recorded: Mapping[str, Any]) -> dict[str, list[Any]]:
    try:
        known = {str(label): [[int(size) for size in shape], str(dtype)] for label, shape, dtype in recorded["tensors"]}
    except (KeyError, TypeError, ValueError) as error:
        raise ModelCheckError(
            f"the baseline cannot be read ({type(error).__name__}: {error}); {_ANEW} it anew"
        ) from None
    if not known:
        raise ModelCheckError(f"the baseline has no tensor; {_ANEW} it anew")
    return known


def _difference(label: str, known: list[Any] | None, now: list[Any] | None) -> str:
    if known == now:
        return ""
    if known is None:
        return f"  + {label}: {_written(now)}"
    return f"  - {label}: {_written(known)}" if now is None else f"  ~ {label}: {_written(known)} -> {_written(now)}"


def _written(told: list[Any] | None) -> str:
    shape, dtype = told or ([], "")
    return f"{shape} {dtype}"


def _told(tensors: Mapping[str, list[Any]]) -> str:
    """The outputs, or the layers, which are what is looked for."""
    shown = [f"{label.partition(' ')[2] or label} {told[0]}" for label, told in tensors.items() if label[:5] != "input"]
    more = f" and {len(shown) - 3:,} more" if len(shown) > 3 else ""
    return ", ".join(shown[:3]) + more
