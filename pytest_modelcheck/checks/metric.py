"""The promise of any metric on data."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pytest_modelcheck.checks.claims import percent
from pytest_modelcheck.checks.classes import class_names
from pytest_modelcheck.checks.evaluated import (
    Checkpoint,
    Precision,
    Stage,
    Step,
    asked_of,
    explained,
    read_shown,
    with_checkpoint,
    with_parity,
)
from pytest_modelcheck.checks.promises import Confidence, Text
from pytest_modelcheck.comparison import Comparison, at_least, at_most, promised_number
from pytest_modelcheck.context import current
from pytest_modelcheck.errors import ConfigError, ModelCheckError
from pytest_modelcheck.evaluation.logged import logged_values, removed_hooks
from pytest_modelcheck.evaluation.metric_values import Measured, Value, replayed
from pytest_modelcheck.evaluation.predictions import Pass
from pytest_modelcheck.evaluation.sharing import Asked, heard_pass, shared_pass
from pytest_modelcheck.mechanism import check_together
from pytest_modelcheck.result import Better, Number, Result

if TYPE_CHECKING:
    from torch.nn import Module

_SHOWN = 5

# The confidence of the bounds that stand beside a value where none is promised.
_USUAL = 0.95


def _metric(name: str, value: object) -> None:
    wanted = ("update", "compute", "reset", "clone")
    if isinstance(value, type) or not all(callable(getattr(value, item, None)) for item in wanted):
        raise ConfigError(f"{name}={value!r}: a torchmetrics metric or MetricCollection is expected")


def _bound(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        promised_number(name, value)
        return
    if not value:
        raise ConfigError(f"{name}={value!r}: a number, or a mapping from names of values to numbers, is expected")
    for key, item in value.items():
        promised_number(f"{name}[{key!r}]", item)


Metric = Annotated[Any, _metric]
Bound = Annotated[float | Mapping[str, float], _bound]


def _fits_together(promises: Mapping[str, Any]) -> None:
    if ("metric" in promises) == ("logged" in promises):
        raise ConfigError("metric needs either metric=, a torchmetrics metric, or logged=, the name that a step logs")
    if "min" not in promises and "max" not in promises:
        raise ConfigError("metric needs the promise 'min' or 'max'")
    for name in ("confidence", "step"):
        if "logged" in promises and name in promises:
            raise ConfigError(f"logged= is a number that the model's own step gave: {name} needs metric=")


@check_together(_fits_together)
def metric(
    model: "Module",
    data: Any,
    /,
    *,
    metric: Metric | None = None,
    logged: Text | None = None,
    min: Bound | None = None,
    max: Bound | None = None,
    confidence: Confidence | None = None,
    step: Step | None = None,
    precision: Precision | None = None,
    checkpoint: Checkpoint | None = None,
    stage: Stage = "test",
) -> Result:
    """The model's value of a metric is at least `min`, and at most `max`.

    `metric` is any torchmetrics metric or `MetricCollection`; a copy of it, reset, sees the model's outputs and the
    targets of each batch. `min` and `max` hold for every number that it gives, or for those that they name: the classes
    of a vector are `"MulticlassRecall[3]"`. A value that is NaN keeps no promise. Values of float32 are read as the
    decimals that they print as; modelcheck_accuracy counts in integers.

    With `confidence` the bound of the metric's interval is compared, lower for `min` and upper for `max`: Clopper and
    Pearson's for counts, the delta method for other functions of the confusion matrix, DeLong's for `BinaryAUROC`, t
    for mean errors and losses, documents for `Perplexity`. A metric without an interval cannot promise one.

    `logged="test_acc"` is what a LightningModule logs under this name in its own step, by `Trainer.test`, or
    `Trainer.validate` for `stage="validate"`. `data`, `step(model, batch)`, `precision`, `checkpoint` and `stage` are
    those of modelcheck_accuracy; outputs may be any tensor here, and with `step` anything that the metric takes.

    Raises `ModelCheckError` where the metric or the model does not take a batch, and where nothing is logged.

    >>> import torch
    >>> from torchmetrics.classification import MulticlassF1Score
    >>> model, data = torch.nn.Identity(), (torch.eye(4), torch.tensor([0, 1, 2, 0]))
    >>> f1 = MulticlassF1Score(num_classes=4, average="weighted")
    >>> metric(model, data, metric=f1, min=0.8).measured
    'MulticlassF1Score 0.833333 (weighted; 95 %: 0.368 to 1)'
    >>> print(metric(model, data, metric=f1, min=0.9).message)
    metric of Identity: MulticlassF1Score (weighted) is 0.833333, promised at least 0.9 (0.0666666 too low).
    """
    context = current()
    subject, note = with_checkpoint(context, model, checkpoint)
    asked = asked_of(context, subject, data, step, precision, stage)
    if logged is not None:
        return _of_logged(asked, logged, min, max, note)
    run: Pass | None = None
    with explained(subject, lambda: run):
        run = shared_pass(asked, context.shared)
        measured = Measured(metric)
        read_shown(context, "metric", run, lambda _: False, lambda _: "", classes=False)
        if run.kept is None:
            run = heard_pass(asked, measured.update)
            read_shown(context, "metric", run, lambda _: False, lambda _: "", classes=False)
        else:
            for batch in replayed(run, metric):
                measured.update(batch)
        values = measured.values(confidence or _USUAL, class_names(run))
    result = _judged(values, min, max, confidence, note, run.device, run.changes, run.seen)
    return with_parity(context, run, result)


def _of_logged(asked: Asked, name: str, low: Any, high: Any, note: str) -> Result:
    found, source, device, changes = logged_values(asked)
    if name not in found:
        there, hooks = ", ".join(found), removed_hooks(asked.model)
        raise ModelCheckError(f"nothing is logged as {name!r} in the {asked.stage} step: there is {there}{hooks}")
    value = Value(name, found[name].numpy()[()], why_no_bounds="it was logged")
    return _judged([value], low, high, None, note, device, changes, source.size)


def _judged(
    values: list[Value],
    low: Any,
    high: Any,
    confidence: float | None,
    note: str,
    device: str,
    changes: list[str],
    seen: int | None,
) -> Result:
    compared = [
        (value, promised, comparison, is_low)
        for bound, is_low in ((low, True), (high, False))
        if bound is not None
        for value, promised in _named(values, bound)
        for comparison in [_compared(value, promised, confidence, is_low=is_low)]
    ]
    broken = [item for item in compared if not item[2].ok]
    worst = sorted(compared, key=lambda item: (item[2].ok, item[2].margin if item[2].margin is not None else -1e9))
    lines = [_finding(*item, confidence) for item in broken[:_SHOWN]]
    if len(broken) > _SHOWN:
        lines.append(f"... and {len(broken) - _SHOWN:,} more")
    shown, *rest = [worst[0][0], *[value for value in values if value is not worst[0][0]]]
    more = f" and {len(rest):,} more" if rest else ""
    how = f" at {percent(confidence)}" if confidence is not None else ""
    return Result(
        outcome="failed" if broken else "passed",
        promised=", ".join(
            _words(bound, word) for bound, word in ((low, "at least"), (high, "at most")) if bound is not None
        )
        + how,
        measured=f"{shown.name} {_number(shown.number)}{_in_brackets(shown, confidence)}{more}{note}",
        message="\n".join(lines),
        margin=worst[0][2].margin,
        number=_reported(shown, confidence, "higher" if high is None else "lower" if low is None else ""),
        device=device,
        changes=tuple(changes),
        evidence={
            "seen": seen,
            "values": {value.name: _evidence(value) for value in values},
            "confidence": confidence or _USUAL,
        },
    )


def _named(values: list[Value], bound: Any) -> list[tuple[Value, float]]:
    """The values that a promise is about; a `ModelCheckError` for a name that the metric does not give."""
    if not isinstance(bound, Mapping):
        return [(value, bound) for value in values]
    own = {value.name: value for value in values}
    known = {**{value.alias: value for value in values if value.alias}, **own}
    missing = [name for name in bound if name not in known]
    if missing:
        raise ModelCheckError(f"the metric gives no {missing[0]!r}: it gives {', '.join(own)}")
    return [(known[name], promised) for name, promised in bound.items()]


def _compared(value: Value, promised: float, confidence: float | None, *, is_low: bool) -> Comparison:
    compare, threshold = (at_least if is_low else at_most), promised_number("min" if is_low else "max", promised)
    own = compare(value.number, threshold)
    if confidence is None or own.problem:
        return own
    bound = value.low if is_low else value.high
    if bound is None:
        raise ModelCheckError(f"{value.name} has no bound at {percent(confidence)}: {value.why_no_bounds}")
    return compare(bound, threshold)


def _finding(value: Value, promised: float, comparison: Comparison, is_low: bool, confidence: float | None) -> str:
    average = f" ({value.average})" if value.average else ""
    word = "at least" if is_low else "at most"
    if comparison.problem:
        return (
            f"{value.name}{average} is {_number(value.number)}, which is no finite number, promised {word} {promised}."
        )
    side = "low" if is_low else "high"
    if confidence is None:
        gap = abs(float(value.number) - float(promised))
        return (
            f"{value.name}{average} is {_number(value.number)}, promised {word} {promised} ({_number(gap)} too {side})."
        )
    bound = value.low if is_low else value.high
    gap = abs(float(bound or 0.0) - float(promised))
    return (
        f"{value.name}{average} is {_number(value.number)}, and {word} {_number(bound)} at {percent(confidence)} "
        f"({value.method}), promised {word} {promised} ({_number(gap)} too {side})."
    )


def _words(bound: Any, word: str) -> str:
    if not isinstance(bound, Mapping):
        return f"{word} {bound}"
    return f"{word} " + ", ".join(f"{name} {promised}" for name, promised in bound.items())


def _reported(value: Value, confidence: float | None, better: Better) -> Number | None:
    """The value for the reports; `None` where it is no finite number."""
    try:
        return Number(value.name, float(value.number), value.low, value.high, confidence or _USUAL, better)
    except (TypeError, ValueError):
        return None


def _in_brackets(value: Value, confidence: float | None) -> str:
    bounds = ""
    if value.low is not None and value.high is not None:
        bounds = f"{percent(confidence or _USUAL)}: {value.low:.3g} to {value.high:.3g}"
    told = "; ".join(filter(None, (value.average, bounds)))
    return f" ({told})" if told else ""


def _number(number: Any) -> str:
    try:
        return f"{float(number):.6g}"
    except (TypeError, ValueError):
        return repr(number)


def _evidence(value: Value) -> dict[str, Any]:
    try:
        number: Any = float(value.number)
    except (TypeError, ValueError):
        number = str(value.number)
    told = {"value": number, "average": value.average, "low": value.low, "high": value.high, "method": value.method}
    return told if value.low is not None else {**told, "why_no_bounds": value.why_no_bounds}
