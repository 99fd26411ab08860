"""The promise of how often a classifier is right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

from pytest_modelcheck.checks.claims import Claim, Judged, claim, interval_of, judged_drop, macro_judged
from pytest_modelcheck.checks.classes import judged_by_slice, of_classes, weakest
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
from pytest_modelcheck.checks.promises import Chance, Confidence, Flag, Rate, Text, one_of
from pytest_modelcheck.comparison import promised_number
from pytest_modelcheck.context import Context, current, past_values
from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.evaluation.early_stop import EarlyStop
from pytest_modelcheck.evaluation.gate import CountGate
from pytest_modelcheck.evaluation.paired import compared, packed, require_order
from pytest_modelcheck.evaluation.predictions import Pass
from pytest_modelcheck.evaluation.prefix import Prefix, shortest
from pytest_modelcheck.evaluation.sharing import shared_pass
from pytest_modelcheck.mechanism import check_together
from pytest_modelcheck.result import Number, Result

if TYPE_CHECKING:
    from torch.nn import Module

# The confidence of the bounds that stand beside an accuracy in the reports.
_USUAL = 0.95

# The decimals of an accuracy in a baseline.
_DIGITS = 6


def _slices(name: str, value: object) -> None:
    if not isinstance(value, Mapping) or not value:
        raise ConfigError(f"{name}={value!r}: a mapping from names to positions of samples is expected")
    for key, item in value.items():
        if isinstance(item, str | bytes) or not hasattr(item, "__len__") or not hasattr(item, "__getitem__"):
            raise ConfigError(f"{name}[{key!r}]={item!r}: a list of positions, or of True and False, is expected")


Slices = Annotated[Mapping[str, Sequence[int]], _slices]


def _fits_together(promises: Mapping[str, Any]) -> None:
    if "min" not in promises and "max_drop" not in promises:
        raise ConfigError("accuracy needs the promise 'min' or 'max_drop'")
    if ("max_drop" in promises) != ("baseline" in promises):
        raise ConfigError("accuracy compares with a baseline by max_drop and baseline together: give both")
    made = {name for name, value in promises.items() if value is not False}  # max_drop=0 is one
    for name in ("early_stop", "per_class", "slices"):
        if name in made and "min" not in promises:
            raise ConfigError(f"{name} needs the promise 'min'")
    for name in ("early_stop", "confidence", "per_class", "slices", "max_drop"):
        if promises.get("average") == "macro" and name in made:
            raise ConfigError(
                f"{name} is for counts of correct samples (average='micro'); modelcheck_metric promises other averages"
            )
    for name in ("per_class", "slices", "max_drop"):
        if "early_stop" in promises and name in made:
            raise ConfigError(f"early_stop judges one count of all samples, and {name} needs every sample")


@check_together(_fits_together)
def accuracy(
    model: "Module",
    data: Any,
    /,
    *,
    min: Rate | None = None,
    average: Annotated[str, one_of("micro", "macro")] = "micro",
    confidence: Confidence | None = None,
    early_stop: Chance | None = None,
    max_drop: Rate | None = None,
    baseline: Text | None = None,
    per_class: Flag = False,
    slices: Slices | None = None,
    step: Step | None = None,
    precision: Precision | None = None,
    checkpoint: Checkpoint | None = None,
    stage: Stage = "test",
) -> Result:
    """The model predicts at least this share of the samples right.

    `data` is a DataLoader, a Dataset, a LightningDataModule (its loader of the `stage`) or a pair of tensors, and gives
    inputs and class indices `[batch]`; the model gives class scores `[batch, classes]`. For batches of another kind
    `step(model, batch)` gives scores and indices. What is claimed is one of these:

    - `min` alone: on this data, `ceil(min * N)` of the N samples are right. Integers decide, and `min` is read as the
      decimal that it prints as. A gate that is certain to fail reads no further, unless the run is a full one.
    - `min` with `early_stop=1e-6`: the same, on samples drawn in random order until the verdict is wrong in at most one
      run of a million (Waudby-Smith and Ramdas, 2020). Data that cannot be reordered is read as it comes, exactly.
    - `min` with `confidence=0.95`: the accuracy on all data of this kind, by the lower bound of Clopper and Pearson.
    - `max_drop` with `baseline="name"`: at most so much less than what `--modelcheck-update` recorded under the name,
      on the same samples; with `confidence`, the true drop, by the upper bound of Tango's score for paired samples.

    `per_class` promises `min` of every class, `slices={"name": positions}` of every slice of the data as well.
    `average="macro"` promises it of the mean of the classes' recalls. `precision` is one of Lightning's
    (`"bf16-mixed"`), and `checkpoint` a file whose weights are evaluated.

    Raises `ModelCheckError` for empty data, scores that are NaN or infinite, targets that are no classes, loaders that
    leave samples out, too few samples for a `confidence`, a baseline of other data, and weights that do not match.

    >>> import torch
    >>> model, data = torch.nn.Identity(), (torch.eye(4), torch.tensor([0, 1, 2, 0]))
    >>> accuracy(model, data, min=0.75).measured
    '0.7500 (3 of 4)'
    >>> print(accuracy(model, data, min=0.8).message)
    accuracy of Identity: 3 of 4 samples are correct, and 4 are needed for 0.8 (1 too few).
      recall of class 0: 1 of 2
      class 0 taken for 3: 1
      first wrong samples: 3
    """
    context = current()
    subject, note = with_checkpoint(context, model, checkpoint)
    run: Pass | None = None
    seen: Pass | Prefix
    with explained(subject, lambda: run):
        shuffled = None if early_stop is None or context.full else f"{context.test} {context.seed}"
        asked = asked_of(context, subject, data, step, precision, stage, shuffled)
        run = seen = shared_pass(asked, context.shared)
        judged: list[Judged] = []
        evidence: dict[str, Any] = {}
        history: tuple[float, ...] = ()
        needs_all = average == "macro" or max_drop is not None or bool(per_class or slices)
        if needs_all:
            read_shown(context, "accuracy", run, lambda _: False, _so_far, classes=True)
        if average == "macro":
            judged.append(macro_judged(run.counts().macro(), promised_number("min", min), min or 0, run.seen))
        elif min is not None and not per_class:
            is_full = context.full or needs_all
            seen, told = _counted(context, run, (promised_number("min", min), min), confidence, early_stop, is_full)
            judged.append(told)
            evidence["early_stop"] = told.chance
        if max_drop is not None:
            told, history = _against(context, run, max_drop, confidence, baseline or "", _class_of(subject))
            judged.append(told)
        if min is not None and (per_class or slices):
            judged += judged_by_slice(run, promised_number("min", min), min, confidence, per_class, slices)
    result = _result(seen, judged, average, evidence, note, has_slices=bool(per_class or slices))
    return with_parity(context, seen, replace(result, history=history))


def _so_far(now: Pass) -> str:
    return f"{now.seen - now.correct:,} wrong"


def _counted(
    context: Context,
    run: Pass,
    promise: tuple[Fraction, float],
    confidence: float | None,
    early_stop: float | None,
    is_full: bool,
) -> tuple[Pass | Prefix, Judged]:
    """The verdict on all samples, and what was read of them to know it."""
    known = claim(*promise, confidence, run.size) if run.size is not None else None
    decide = _decision(known, run, early_stop, is_full=is_full)
    note: Callable[[Pass], str] = _so_far
    if known is not None:
        allowed = known.gate.allowed

        def note(now: Pass) -> str:
            return f"{now.seen - now.correct:,} wrong, {allowed:,} allowed {decide(now.seen, now.correct)}".rstrip()

    # What other gates have read may be enough, and what they have found behind it is not this gate's.
    seen = shortest(run, decide)
    if seen is run and not (run.seen and decide(run.seen, run.correct)):
        read_shown(context, "accuracy", run, lambda now: bool(decide(now.seen, now.correct)), note, classes=True)
        seen = shortest(run, decide)
    if seen.finished or known is None:
        return seen, (known or claim(*promise, confidence, run.seen)).judged(run.correct)
    wrong = seen.seen - seen.correct
    if known.gate.is_lost(wrong):
        return seen, known.lost(wrong, seen.seen)
    return seen, known.stopped(decide(seen.seen, seen.correct), wrong, seen.seen, float(early_stop or 0.0))


def _decision(known: Claim | None, run: Pass, early_stop: float | None, *, is_full: bool) -> Callable[[int, int], str]:
    """What is known of the verdict after so many samples, of which so many are right.

    It is `"passed"`, `"failed"`, or `""` as long as it is open.
    """
    if known is None or is_full:
        return lambda _seen, _correct: ""
    gate: CountGate = known.gate
    # Only samples in random order stand for the rest.
    if early_stop is None or run.source.order is None:
        return lambda seen, correct: "failed" if gate.is_lost(seen - correct) else ""
    rule = EarlyStop(gate.size, gate.allowed, float(early_stop))
    return lambda seen, correct: rule.decision(seen, seen - correct) if seen else ""


def _against(
    context: Context, run: Pass, max_drop: float, confidence: float | None, name: str, model: str
) -> tuple[Judged, tuple[float, ...]]:
    """The verdict against what was recorded under a name, and the accuracies of all baselines of that name."""
    require_order(run.fingerprint, name)
    predicted, targets = run.tally.by_sample()
    right = predicted == targets
    today = {
        "correct": int(right.sum()),
        "data": run.fingerprint,
        "model": model,
        "right": packed(right),
        "samples": len(right),
        "value": round(float(right.double().mean()), _DIGITS),
    }
    recorded, _ = context.baseline("accuracy", today, name, is_one=True, device=run.device)
    # Models that one test compares under one name may be of any class; the first is that of the baseline.
    before = ("baseline", context.test, name, run.device)
    found = compared(recorded, right, run.fingerprint, name, context.shared.get(before, model))
    context.shared[before] = recorded["model"]
    return judged_drop(found, promised_number("max_drop", max_drop), max_drop, confidence, name), past_values(recorded)


def _class_of(model: "Module") -> str:
    return type(getattr(model, "_orig_mod", model)).__name__  # what torch.compile wraps


def _number(run: Pass | Prefix, average: str) -> Number | None:
    """How often the model is right; `None` where the samples that were read do not stand for the rest."""
    if average == "macro":
        return Number("macro_accuracy", float(run.counts().macro()), better="higher")
    if not run.finished and run.source.order is None:
        return None
    low, high = interval_of(run.correct, run.seen, _USUAL)
    return Number("accuracy", run.correct / run.seen, low, high, _USUAL, "higher")


def _result(
    run: Pass | Prefix, judged: list[Judged], average: str, evidence: dict[str, Any], note: str, *, has_slices: bool
) -> Result:
    broken = [item for item in judged if not item.ok]
    margins = [item.margin for item in judged if item.margin is not None]
    return Result(
        outcome="failed" if broken else "passed",
        promised="; ".join(item.promised for item in judged),
        measured="; ".join(item.measured for item in judged) + note,
        message="\n".join([*(item.finding for item in broken), *weakest(run, has_slices=has_slices)]) if broken else "",
        margin=sorted(margins)[0] if margins else None,
        device=run.device,
        changes=tuple(run.changes),
        number=_number(run, average),
        evidence={
            "average": average,
            "correct": run.correct,
            "seen": run.seen,
            "size": run.size if run.size is not None else run.seen,
            "complete": run.finished,
            "data": run.fingerprint,
            **of_classes(run),
            "wrong": [vars(item) for item in run.tally.wrong] if broken else [],
            **evidence,
        },
    )
