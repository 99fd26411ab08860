"""What the checks that run a model more than once have in common: their promises, and how a difference is judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pytest_modelcheck.checks.promises import count
from pytest_modelcheck.context import current
from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.models.forward import first_nonfinite_layer
from pytest_modelcheck.models.other_tokens import shuffles, with_other_tokens
from pytest_modelcheck.models.probing import Axes, Difference, NotFinite, Probe
from pytest_modelcheck.models.tokens import output_axes, shuffled, tokens_of, without_masked
from pytest_modelcheck.result import Result

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_SHUFFLES = 3


def axis_promise(name: str, value: object) -> None:
    """An axis, or a mapping from paths to axes, in which `None` says that there is none."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            if not isinstance(key, str) or not key:
                raise ConfigError(f"{name} has the key {key!r}: the path of an output is expected, or 'inputs'")
            if item is not None:
                count(f"{name}[{key!r}]", item)
    elif isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(
            f"{name}={value!r}: an axis is expected, an integer of at least 0, or a mapping from paths to axes"
        )


def names_promise(name: str, value: object) -> None:
    """A path, or a list of paths."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(item, str) for item in listed):
        raise ConfigError(f"{name}={value!r}: a path (str) or a list of paths is expected")


def at_least_one(name: str, value: object) -> None:
    """An integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name}={value!r}: an integer of at least 1 is expected")


AxisOf = Annotated[int | Mapping[str, int | None], axis_promise]
Names = Annotated[str | Sequence[str], names_promise]
AtLeastOne = Annotated[int, at_least_one]


def axes_of(promised: int | Mapping[str, int | None], default: int) -> Axes:
    """The axes that are promised; `default` is for what a mapping does not name."""
    return Axes(promised) if isinstance(promised, int) else Axes(default, promised)


def names_of(promised: str | Sequence[str] | None) -> tuple[str, ...]:
    """The paths that are promised."""
    return (promised,) if isinstance(promised, str) else tuple(promised or ())


def probe_of(model: Module, outputs: str | Sequence[str] | None, tolerance: float | None) -> Probe:
    """The model, ready to be run on the device of its gate, from the gate's seed."""
    context = current()
    return Probe(
        model,
        device=context.device,
        seed=context.seed,
        chosen=names_of(outputs),
        tolerance=None if tolerance is None else float(tolerance),
        table=context.tolerances,
    )


@dataclass(frozen=True)
class Finding:
    """The difference that decides, and what was done to the inputs: the beginning of a sentence, with its verb."""

    difference: Difference
    done: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def decisive(findings: Sequence[Finding], *, least: bool = False) -> Finding:
    """The finding with the largest difference, or the least."""
    chosen = min if least else max
    return chosen(findings, key=lambda item: item.difference.rank)


def judged(
    probe: Probe,
    promised: str,
    measure: Callable[[], Finding],
    *,
    reason: str,
    sensitive: bool = False,
) -> Result:
    """The verdict on what `measure` finds: differences are tolerated, or `sensitive` wants one that is not.

    Outputs that are not finite fail either way. `reason` is what a broken promise says of the model.
    """
    try:
        found = measure()
    except NotFinite as error:
        layer = first_nonfinite_layer(probe.model, error.inputs, device=probe.device)
        return Result(
            outcome="failed",
            promised=promised,
            measured="not finite",
            message=f"{error}: {layer}." if layer else f"{error}.",
            device=probe.ran_on,
            changes=tuple(probe.changes),
        )
    apart = found.difference
    ok = apart.seen if sensitive else apart.tolerated
    place = f"{apart.path} at {list(apart.index)}"
    limit = f"{apart.tolerance:.3g}"
    bound = f"no output by more than {limit}" if sensitive else f"{limit} is tolerated"
    problem = f"{found.done} {place} by {apart.value:.3g}, and {bound}: {reason}"
    return Result(
        outcome="passed" if ok else "failed",
        promised=f"{promised} ({'more than ' if sensitive else 'tolerance '}{limit})",
        measured=f"{apart.value:.3g} ({apart.path})",
        margin=-apart.margin if sensitive else apart.margin,
        message="" if ok else problem,
        evidence={
            "difference": apart.value if math.isfinite(apart.value) else None,
            "tolerance": apart.tolerance,
            "output": apart.path,
            "index": list(apart.index),
            **found.evidence,
        },
        device=probe.ran_on,
        changes=tuple(probe.changes),
    )


@dataclass(frozen=True)
class Shuffled:
    """What each shuffle of the tokens changed, beside shuffling the outputs; and whether other tokens change them."""

    findings: Sequence[Finding]
    depends: Callable[[], bool]


def shuffled_outputs(probe: Probe, inputs: Any, dim: int | Mapping[str, int | None], named: Sequence[str]) -> Shuffled:
    """Run the model on shuffled tokens, and compare what it gives with its shuffled outputs."""
    axes = axes_of(dim, 1)
    found = tokens_of(inputs, axes, named)
    orders = shuffles(inputs, found, current().seed, _SHUFFLES)
    before = probe.reference(inputs)
    places = output_axes(probe, before, found, axes)

    def one(order: Tensor) -> Difference:
        after = probe.outputs(found.along(inputs, lambda tensor, axis: shuffled(tensor, axis, order)))
        expected = before.each(lambda path, tensor: shuffled(tensor, places[path], order))
        real = None if found.real is None else shuffled(found.real, 1, order)
        return probe.largest(without_masked(expected, places, real), without_masked(after, places, real))

    def depends() -> bool:
        other = probe.outputs(with_other_tokens(probe.model, inputs, found))
        return probe.largest(*(without_masked(run, places, found.real) for run in (before, other))).seen

    findings = [
        Finding(one(order), f"shuffle {number} of {_SHUFFLES} changes", {"order": order.tolist()})
        for number, order in enumerate(orders, 1)
    ]
    return Shuffled(findings, depends)
