"""Promises of a model's quality on data: how often it is right."""

from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

from pytest_modelcheck.checks.promises import Rate, one_of
from pytest_modelcheck.comparison import at_least, promised_number
from pytest_modelcheck.context import current
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.batches import BatchError
from pytest_modelcheck.evaluation.gate import ClassCounts, CountGate
from pytest_modelcheck.evaluation.predictions import Pass, shared_pass
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.models.forward import first_nonfinite_layer
from pytest_modelcheck.result import Result

if TYPE_CHECKING:
    from torch.nn import Module

_SHOWN = 3


@check
def accuracy(
    model: "Module", data: Any, /, *, min: Rate, average: Annotated[str, one_of("micro", "macro")] = "micro"
) -> Result:
    """The model predicts at least this share of the samples right, on this data, exactly.

    `data` is a DataLoader, a Dataset, a LightningDataModule (its test split) or a pair of tensors, and gives inputs and
    class indices `[batch]`; the model gives class scores `[batch, classes]`. `average="micro"` is the share of correct
    samples, compared in integers: with N samples, `ceil(min * N)` must be correct. `average="macro"` is the mean of
    the classes' recalls, as a fraction. `min` is read as the decimal that it prints as.

    A micro gate that is certain to fail reads no further, unless the run is a full one. Raises `ModelCheckError` for
    empty data, scores that are NaN or infinite, targets that are no classes, and loaders that leave samples out.

    >>> import torch
    >>> model, data = torch.nn.Identity(), (torch.eye(4), torch.tensor([0, 1, 2, 0]))
    >>> accuracy(model, data, min=0.75).measured
    '0.7500 (3 of 4)'
    >>> print(accuracy(model, data, min=0.8).message)
    accuracy of Identity: 3 of 4 samples are correct, and 4 are needed for 0.8 (1 too few).
      recall of class 0: 1 of 2
      class 0 taken for 3: 1
    """
    context = current()
    threshold = promised_number("min", min)
    run = shared_pass(model, data, context.shared, device=context.device, threads=context.threads)
    try:
        return _micro(run, threshold, min, context.full) if average == "micro" else _macro(run, threshold, min)
    except BatchError as error:
        layer = "" if error.inputs is None else first_nonfinite_layer(model, error.inputs, device=run.device)
        raise ModelCheckError(f"{error}" + (f"; {layer}" if layer else "")) from error.__cause__


def _micro(run: Pass, threshold: Fraction, promised: float, full: bool) -> Result:
    early = None if run.size is None or full else CountGate(threshold, run.size)
    run.read(lambda now: early is not None and early.is_lost(now.seen - now.correct))
    gate = early or CountGate(threshold, run.seen)
    wrong = run.seen - run.correct
    if run.finished:
        comparison = gate.compare(run.correct)
        measured = f"{run.correct / gate.size:.4f} ({run.correct:,} of {gate.size:,})"
        finding = f"{run.correct:,} of {gate.size:,} samples are correct, and {gate.needed:,} are needed for {promised}"
        finding += f" ({gate.needed - run.correct:,} too few)."
    else:
        comparison = gate.compare(gate.size - wrong)
        measured = f"at most {1 - wrong / gate.size:.4f} ({wrong:,} of the first {run.seen:,} wrong)"
        finding = (
            f"{wrong:,} of the first {run.seen:,} samples are wrong, and {gate.allowed:,} of all {gate.size:,} may be "
            f"for {promised}; the rest was not read (--modelcheck-full reads it)."
        )
    return _result(
        run,
        comparison.ok and run.finished,
        f"at least {promised} ({gate.needed:,} of {gate.size:,})",
        measured,
        finding,
        comparison.margin,
        "micro",
    )


def _macro(run: Pass, threshold: Fraction, promised: float) -> Result:
    run.read()
    value = run.counts().macro()
    comparison = at_least(value, threshold)
    finding = f"the mean of the classes' recalls is {float(value):.6f}, promised at least {promised}."
    return _result(
        run,
        comparison.ok,
        f"macro at least {promised}",
        f"{float(value):.4f} (macro, {run.seen:,} samples)",
        finding,
        comparison.margin,
        "macro",
    )


def _result(
    run: Pass, ok: bool, promised: str, measured: str, finding: str, margin: float | None, average: str
) -> Result:
    counts = run.counts()
    return Result(
        outcome="passed" if ok else "failed",
        promised=promised,
        measured=measured,
        message="" if ok else "\n".join([finding, *_weakest(counts)]),
        margin=margin,
        device=run.device,
        changes=tuple(run.changes),
        evidence={
            "average": average,
            "correct": run.correct,
            "seen": run.seen,
            "size": run.size if run.size is not None else run.seen,
            "complete": run.finished,
            "recalls": {str(target): list(pair) for target, pair in counts.recalls().items()},
        },
    )


def _weakest(counts: ClassCounts) -> list[str]:
    recalls = sorted(counts.recalls().items(), key=lambda item: (Fraction(*item[1]), item[0]))
    lines = [
        f"  recall of class {target}: {right:,} of {number:,}"
        for target, (right, number) in recalls[:_SHOWN]
        if right < number
    ]
    pairs = counts.confused()[:_SHOWN]
    return lines + [f"  class {target} taken for {predicted}: {number:,}" for target, predicted, number in pairs]
