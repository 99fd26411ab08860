"""What the checks on data have in common: a pass that is shared, shown, and explained where it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pytest_modelcheck.checks.promises import one_of
from pytest_modelcheck.context import Context
from pytest_modelcheck.devices import resolve_device
from pytest_modelcheck.errors import ConfigError, ModelCheckError
from pytest_modelcheck.evaluation.batches import Way
from pytest_modelcheck.evaluation.checkpoint import LoadedModel, loaded
from pytest_modelcheck.evaluation.data import STAGES
from pytest_modelcheck.evaluation.identity import model_digest
from pytest_modelcheck.evaluation.outputs import BatchError
from pytest_modelcheck.evaluation.parity import parity
from pytest_modelcheck.evaluation.precision import precision_named
from pytest_modelcheck.evaluation.predictions import Pass
from pytest_modelcheck.evaluation.prefix import Prefix
from pytest_modelcheck.evaluation.sharing import Asked, passes_elsewhere
from pytest_modelcheck.models.forward import first_nonfinite_layer
from pytest_modelcheck.result import Part, Result

if TYPE_CHECKING:
    from torch.nn import Module


def _function(name: str, value: object) -> None:
    if not callable(value):
        raise ConfigError(f"{name}={value!r}: a function of the model and a batch is expected")


def _precision(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ConfigError(f"{name}={value!r}: one of Lightning's names of precisions is expected")
    precision_named(value)


def _path(name: str, value: object) -> None:
    if not isinstance(value, str | Path) or not str(value):
        raise ConfigError(f"{name}={value!r}: the path of a checkpoint is expected")


Step = Annotated[Callable[[Any, Any], tuple[Any, Any]], _function]
Precision = Annotated[str, _precision]
Checkpoint = Annotated[str | Path, _path]
Stage = Annotated[str, one_of(*STAGES)]


def asked_of(
    context: Context,
    model: Module,
    data: Any,
    step: Any,
    precision: str | None,
    stage: str,
    shuffled: str | None = None,
) -> Asked:
    """What a check asks to be evaluated, in the context of its gate."""
    way = Way(step, precision_named(precision or ""))
    return Asked(model, data, context.device, context.threads, stage, way, shuffled, context.seed)


def with_checkpoint(context: Context, model: Module, checkpoint: str | Path | None) -> tuple[Module, str]:
    """The model, or a copy with the weights of a checkpoint that the gates of a session share, and what was loaded."""
    if checkpoint is None:
        return model, ""
    key = ("checkpoint", id(model))
    known = context.shared.get(key)
    found = loaded(model, checkpoint, folder=context.folder)
    # Loaded anew each time, since model and file may have changed; the copy is shared where they have not.
    if isinstance(known, LoadedModel) and known.digest == found.digest and _same_weights(known.model, found.model):
        found = known
    context.shared[key] = found
    return found.model, f", {found.note}"


def _same_weights(one: Module, other: Module) -> bool:
    return model_digest(one) == model_digest(other) != ""


@contextmanager
def explained(model: Module, run: Callable[[], Pass | None]) -> Iterator[None]:
    """Name the first layer whose numbers are not finite, where a batch could not be judged for that."""
    try:
        yield
    except BatchError as error:
        now = run()
        device = now.device if now is not None else ""
        layer = "" if error.inputs is None else first_nonfinite_layer(model, error.inputs, device=device)
        raise ModelCheckError(f"{error}" + (f"; {layer}" if layer else "")) from error.__cause__


def read_shown(
    context: Context,
    check: str,
    run: Pass,
    enough: Callable[[Pass], bool],
    note: Callable[[Pass], str],
    *,
    classes: bool,
) -> None:
    """Read on with a progress bar of the samples; `note` says how things stand after each batch."""
    read = run.read_classes if classes else run.read
    shown = 0
    with context.progress(check, run.size, "samples") as advance:

        def told(now: Pass) -> bool:
            nonlocal shown
            advance(now.seen - shown, note(now))
            shown = now.seen
            return enough(now)

        read(told)


def with_parity(context: Context, run: Pass | Prefix, result: Result) -> Result:
    """The result, with a row for each other device on which the same model was evaluated on the same data."""
    others = passes_elsewhere(run, context.shared) if isinstance(run, Pass) and run.finished else []
    rows = [_parity_row(run, other) for other in others if isinstance(run, Pass)]
    known = [run.device, *(other.device for other in others)]
    rows += [_unseen(run, name) for name in dict.fromkeys(map(resolve_device, context.before)) if name not in known]
    if not rows:
        return result
    own = Part(
        name="value",
        outcome=result.outcome,
        promised=result.promised,
        measured=result.measured,
        message=result.message,
        evidence=result.evidence,
        number=result.number,
        margin=result.margin,
    )
    broken = [part.message for part in rows if part.broken]
    outcome = result.outcome if result.outcome != "passed" or not broken else "failed"
    message = "\n".join(filter(None, [result.message, *broken]))
    return replace(result, outcome=outcome, message=message, parts=(own, *rows))


def _unseen(run: Pass | Prefix, device: str) -> Part:
    """The row for a device that the gate was to be run on before: what it gave there is not known here."""
    if not run.finished:
        why = "the verdict fell before all samples were read"
    else:
        why = f"the pass on {device} was not read to its end in this process"
    return Part(f"parity {device}", "skipped", f"the scores of {device}", f"not compared: {why}")


def _parity_row(run: Pass, other: Pass) -> Part:
    name = f"parity {other.device}"
    promised = f"the scores of {other.device}"
    try:
        found = parity(run, other)
    except ModelCheckError as error:
        return Part(name, "skipped", promised, f"{error}")
    differing = f"{found.differing:,} of {found.size:,} predictions differ"
    measured = f"{differing}, scores by up to {found.largest:.3g} (tolerance {found.tolerance:.3g})"
    message = f"the scores on {run.device} are not those on {other.device}: {measured}."
    evidence = {
        "differing": found.differing,
        "size": found.size,
        "largest": found.largest,
        "tolerance": found.tolerance,
    }
    return Part(name, "passed" if found.ok else "failed", promised, measured, "" if found.ok else message, evidence)
