"""Promises of a model's size: how many parameters it has, and which of them learn."""

from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_modelcheck.checks.promises import Count, Counts
from pytest_modelcheck.comparison import Comparison, at_most, equal
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.models.summary import ParameterCounts, count_parameters
from pytest_modelcheck.result import Result

if TYPE_CHECKING:
    from torch.nn import Module

_SHOWN = 10


@check
def parameters(
    model: "Module",
    /,
    *,
    total: Count | None = None,
    trainable: Count | None = None,
    non_trainable: Count | None = None,
    max_total: Count | None = None,
    layers: Counts | None = None,
) -> Result:
    """The model has exactly these parameters, or at most so many.

    Tensors that share their memory count once. `layers` promises the parameters of single layers by their names, the
    layers inside them included. At least one promise is made.

    Raises `ModelCheckError` for a layer that is not there, and where parameters cannot be counted: lazy modules that
    have not run, layers that were quantized dynamically.

    >>> import torch
    >>> parameters(torch.nn.Linear(4, 3), total=15, max_total=20).measured
    'total 15, at most 20: 15'
    >>> print(parameters(torch.nn.Linear(4, 3), total=16).message)
    parameters of Linear: total is 15, promised 16 (1 fewer).
    If the change is meant, promise total=15.
    """
    counts = count_parameters(model)
    exact = {"total": total, "trainable": trainable, "non_trainable": non_trainable}
    rows = [_equality(name, getattr(counts, name), value) for name, value in exact.items() if value is not None]
    rows += [_equality(f"layer {name}", _of_layer(counts, name), value) for name, value in (layers or {}).items()]
    bound = None if max_total is None else at_most(counts.total, Fraction(max_total))
    if bound is not None and max_total is not None:
        rows.append(_bound(counts.total, max_total, bound))
    broken = [problem for _, _, problem in rows if problem]
    message = "\n".join([*broken, *_largest(counts), _remedy(counts, total)]).strip() if broken else ""
    return Result(
        outcome="failed" if broken else "passed",
        promised=", ".join(promised for promised, _, _ in rows),
        measured=", ".join(measured for _, measured, _ in rows),
        margin=bound.margin if bound is not None else None,
        message=message,
        evidence={
            "total": counts.total,
            "trainable": counts.trainable,
            "non_trainable": counts.non_trainable,
            "tied": [list(group) for group in counts.tied],
            "layers": dict(counts.layers),
        },
    )


def _equality(name: str, measured: int, promised: int) -> tuple[str, str, str]:
    ok = equal(measured, Fraction(promised)).ok
    change = f"{abs(measured - promised):,} {'more' if measured > promised else 'fewer'}"
    problem = "" if ok else f"{name} is {measured:,}, promised {promised:,} ({change})."
    return f"{name} {promised:,}", f"{name} {measured:,}", problem


def _bound(measured: int, promised: int, comparison: Comparison) -> tuple[str, str, str]:
    problem = f"total is {measured:,}, promised at most {promised:,} ({measured - promised:,} more)."
    return f"total at most {promised:,}", f"at most {promised:,}: {measured:,}", "" if comparison.ok else problem


def _of_layer(counts: ParameterCounts, name: str) -> int:
    if name not in counts.layers:
        known = ", ".join(list(counts.layers)[:_SHOWN])
        raise ModelCheckError(f"there is no layer {name!r}; there is {known or 'no layer at all'}")
    return counts.layers[name]


def _largest(counts: ParameterCounts) -> list[str]:
    """The layers that hold the parameters, innermost only, in their order."""
    names = [name for name, size in counts.layers.items() if size]
    inner = [name for name in names if not any(other.startswith(f"{name}.") for other in names)]
    lines = [f"  {name}: {counts.layers[name]:,}" for name in inner[:_SHOWN]]
    if len(inner) > _SHOWN:
        lines.append(f"  ... and {len(inner) - _SHOWN} layers more")
    return lines


def _remedy(counts: ParameterCounts, total: int | None) -> str:
    return f"If the change is meant, promise total={counts.total:_}." if total not in (None, counts.total) else ""
