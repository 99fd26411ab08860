"""Promises of a model's size: how many parameters it has, which of them learn, and what they weigh."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

from pytest_modelcheck.checks.promises import Count, Counts, Positive, Rate, Text
from pytest_modelcheck.comparison import Comparison, at_least, at_most, equal, promised_number
from pytest_modelcheck.errors import ConfigError, ModelCheckError
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.models.parameters import ParameterCounts, count_parameters
from pytest_modelcheck.models.wrappers import unwrapped
from pytest_modelcheck.result import Number, Result

if TYPE_CHECKING:
    from torch.nn import Module

_SHOWN = 10
_EMPTY = "the model has no parameters that could keep it."
_MEGABYTE = 1_000_000

# What is promised, what was measured, what is wrong or "", and the room that is left where there is any.
_Row = tuple[str, str, str, float | None]


def _groups(name: str, value: object) -> None:
    groups = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    sound = (isinstance(group, list | tuple) and 1 < len(set(group)) == len(group) for group in groups)
    if not groups or not all(sound):
        raise ConfigError(
            f"{name}={value!r}: a list of groups of different names is expected, [('a.weight', 'b.weight')]"
        )


@check
def parameters(
    model: "Module | Callable[[], Module]",
    /,
    *,
    total: Count | None = None,
    trainable: Count | None = None,
    non_trainable: Count | None = None,
    max_total: Count | None = None,
    max_trainable: Count | None = None,
    max_size_mb: Positive | None = None,
    frozen_fraction: Rate | None = None,
    layers: Counts | None = None,
    dtype: Text | None = None,
    tied: Annotated[Sequence[Sequence[str]], _groups] | None = None,
) -> Result:
    """The model has exactly these parameters, or at most so many.

    Tensors that share their memory count once, and buffers are no parameters. `layers` promises the parameters of
    single layers by their names, the layers inside them included; in a name such as `"encoder.layer.*"`, `*` stands
    for any one part, and each layer that it matches keeps the promise. `max_size_mb` is in megabytes of 10^6 bytes,
    each parameter in its own dtype. `frozen_fraction` is the least share that does not learn, from 0 to 1. `dtype` is
    that of all parameters, `"float32"`. `tied` has groups of names that are one tensor each. At least one promise is
    made.

    The model may stand inside of `torch.compile`, DDP or FSDP; a class or a function without arguments builds one on
    the meta device, where it takes no memory.

    Raises `ModelCheckError` for a layer or a parameter that is not there, and where parameters cannot be counted: lazy
    modules that have not run, layers that were quantized dynamically.

    >>> import torch
    >>> parameters(torch.nn.Linear(4, 3), total=15, max_total=20).measured
    'total 15, at most 20: 15'
    >>> print(parameters(torch.nn.Linear(4, 3), total=16).message)
    parameters of Linear: total is 15, promised 16 (1 fewer).
    If the change is meant, promise total=15.
    >>> parameters(lambda: torch.nn.Linear(10**6, 10**6), total=1_000_001_000_000, dtype="float32").ok
    True
    """
    inside = unwrapped(model)
    counts = count_parameters(inside.model)
    exact = {"total": total, "trainable": trainable, "non_trainable": non_trainable}
    rows = [_equality(name, getattr(counts, name), value) for name, value in exact.items() if value is not None]
    rows += [_layer(counts, name, value) for name, value in (layers or {}).items()]
    most = {"total": (counts.total, max_total), "trainable": (counts.trainable, max_trainable)}
    rows += [_bound(name, number, limit, counts.total) for name, (number, limit) in most.items() if limit is not None]
    if max_size_mb is not None:
        rows.append(_size(counts, max_size_mb))
    if frozen_fraction is not None:
        rows.append(_frozen(counts, frozen_fraction))
    if dtype is not None:
        rows.append(_dtype(counts, dtype))
    rows += [_tied(counts, group) for group in tied or ()]
    broken = [problem for _, _, problem, _ in rows if problem]
    message = "\n".join([*broken, *_largest(counts), _remedy(counts, total)]).strip() if broken else ""
    return Result(
        outcome="failed" if broken else "passed",
        promised=", ".join(promised for promised, _, _, _ in rows),
        measured=", ".join(found for _, found, _, _ in rows) + inside.note,
        margin=_margin(rows),
        message=message,
        evidence={**totals_of(counts, inside.name), "layers": dict(counts.layers)},
        number=Number("parameters", counts.total, better="" if max_total is None else "lower"),
        subject=inside.name,
    )


def _margin(rows: list[_Row]) -> float | None:
    """The least room of the bounds; none where something else is broken."""
    rooms = [room for _, _, _, room in rows if room is not None]
    others = any(problem for _, _, problem, room in rows if room is None or room >= 0)
    return None if others else min(rooms, default=None)


def totals_of(counts: ParameterCounts, name: str) -> dict[str, object]:
    """What the reports tell of a model's size."""
    largest = sorted(counts.innermost.items(), key=lambda item: -item[1])[:_SHOWN]
    return {
        "model": name,
        "total": counts.total,
        "trainable": counts.trainable,
        "non_trainable": counts.non_trainable,
        "dtypes": dict(counts.dtypes),
        "bytes": counts.size,
        "buffers": counts.buffers,
        "tied": [list(group) for group in counts.tied],
        "largest": [[layer, number] for layer, number in largest],
    }


def _equality(name: str, measured: int, promised: int) -> _Row:
    ok = equal(measured, Fraction(promised)).ok
    problem = "" if ok else f"{name} is {measured:,}, promised {promised:,} ({_change(measured, promised)})."
    return f"{name} {promised:,}", f"{name} {measured:,}", problem, None


def _change(measured: int, promised: int) -> str:
    return f"{abs(measured - promised):,} {'more' if measured > promised else 'fewer'}"


def _bound(name: str, measured: int, promised: int, total: int) -> _Row:
    comparison: Comparison = at_most(measured, Fraction(promised))
    if not total:
        return f"{name} at most {promised:,}", "no parameters", _EMPTY, None
    problem = f"{name} is {measured:,}, promised at most {promised:,} ({measured - promised:,} more)."
    shown = f"at most {promised:,}: {measured:,}" if name == "total" else f"{name} {measured:,}"
    return f"{name} at most {promised:,}", shown, "" if comparison.ok else problem, comparison.margin


def _size(counts: ParameterCounts, promised: float) -> _Row:
    megabytes = Fraction(counts.size, _MEGABYTE)
    comparison = at_most(megabytes, promised_number("max_size_mb", promised))
    limit = f"{promised:,}" if isinstance(promised, int | float) else f"{float(promised):,}"
    found = f"{float(megabytes):,.3f} MB"
    if not counts.total:
        return f"at most {limit} MB", "no parameters", _EMPTY, None
    problem = f"its parameters take {counts.size:,} bytes ({found}), promised at most {limit} MB."
    return f"at most {limit} MB", found, "" if comparison.ok else problem, comparison.margin


def _frozen(counts: ParameterCounts, promised: float) -> _Row:
    comparison = at_least(counts.frozen_fraction, promised_number("frozen_fraction", promised))
    least, share = f"at least {float(promised):.4%} frozen", f"{float(counts.frozen_fraction):.4%}"
    if not counts.total:
        return least, "no parameters", _EMPTY, None
    problem = f"{counts.non_trainable:,} of {counts.total:,} parameters are frozen ({share}), promised {least}."
    return least, f"{share} frozen", "" if comparison.ok else problem.replace(" frozen.", "."), comparison.margin


def _dtype(counts: ParameterCounts, promised: str) -> _Row:
    wanted = promised.removeprefix("torch.")
    others = [f"{name} ({kind})" for name, kind in counts.dtype_of.items() if kind != wanted]
    listed = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    problem = f"{len(others)} of {len(counts.dtype_of)} parameters are not {wanted}: {listed}." if others else ""
    if not counts.dtype_of:
        problem = _EMPTY
    return f"dtype {wanted}", f"dtype {' and '.join(counts.dtypes) or 'of nothing'}", problem, None


def _tied(counts: ParameterCounts, group: Sequence[str]) -> _Row:
    missing = [name for name in group if name not in counts.names]
    if missing:
        raise ModelCheckError(f"there is no parameter {missing[0]!r}; there is {_known(counts.names)}")
    apart = len({counts.names[name] for name in group})
    listed = " = ".join(group)
    problem = f"{' and '.join(group)} are {apart} tensors, promised one." if apart > 1 else ""
    return f"{listed} tied", f"{listed} {'apart' if problem else 'tied'}", problem, None


def _layer(counts: ParameterCounts, name: str, promised: int) -> _Row:
    """The promise of one layer, or of each layer that a glob matches."""
    pattern = re.compile(re.escape(name).replace(r"\*", r"[^.]+"))
    found = {layer: number for layer, number in counts.layers.items() if pattern.fullmatch(layer)}
    if not found:
        raise ModelCheckError(f"there is no layer {name!r}; there is {_known(counts.layers)}")
    if list(found) == [name]:
        return _equality(f"layer {name}", found[name], promised)
    wrong = {layer: number for layer, number in found.items() if not equal(number, Fraction(promised)).ok}
    listed = [f"{layer} has {number:,} ({_change(number, promised)})" for layer, number in wrong.items()]
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    problem = f"layers {name} have {promised:,} each by promise: {', '.join(listed[:_SHOWN])}{more}." if wrong else ""
    numbers = " or ".join(f"{number:,}" for number in dict.fromkeys(found.values()))
    return f"layers {name} {promised:,} each", f"{len(found)} layers {name} {numbers}", problem, None


def _known(names: Mapping[str, object]) -> str:
    return ", ".join(list(names)[:_SHOWN]) or "none at all"


def _largest(counts: ParameterCounts) -> Iterable[str]:
    """The layers that hold the parameters, innermost only, in their order."""
    inner = counts.innermost
    lines = [f"  {name}: {number:,}" for name, number in list(inner.items())[:_SHOWN]]
    if len(inner) > _SHOWN:
        lines.append(f"  ... and {len(inner) - _SHOWN} layers more")
    return [*lines, *(f"  one tensor: {' = '.join(group)}" for group in counts.tied)]


def _remedy(counts: ParameterCounts, total: int | None) -> str:
    return f"If the change is meant, promise total={counts.total:_}." if total not in (None, counts.total) else ""
