"""What a user writes for batches of another kind: a step, and how many samples it has judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_modelcheck.errors import RAISED, told
from pytest_modelcheck.evaluation.outputs import BatchError
from pytest_modelcheck.evaluation.precision import Forward
from pytest_modelcheck.memory import memory_advice

# The model and a batch give outputs and targets.
Step = Callable[[Any, Any], tuple[Any, Any]]


def stepped(forward: Forward, step: Step, batch: Any, where: str) -> tuple[Any, Any]:
    """The outputs and targets that a user's step gives for a batch."""
    try:
        found = forward.step(step, batch)
    except RAISED as error:
        raise BatchError(f"{where}: step raised {told(error)}{memory_advice(error)}") from error
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise BatchError(f"{where}: step gave {type(found).__name__}: a pair (outputs, targets) is needed")
    return found[0], found[1]


def rows_of(targets: Any, where: str) -> int:
    """How many targets a batch has."""
    try:
        return len(targets)
    except TypeError:
        kind = type(targets).__name__
        raise BatchError(f"{where}: the targets are a {kind}: one for each sample of the batch is needed") from None


def samples_of(rows: int, samples: int, where: str) -> int:
    """The samples of a batch for which a user's step gave so many rows: one for each, or more, as of its tokens."""
    if rows < samples:
        raise BatchError(f"{where}: step gave {rows} targets for {samples} samples, and leaves some of them out")
    return samples
