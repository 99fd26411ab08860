"""The handle that the fixture `modelcheck` gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import process
from pytest_modelcheck.context import current
from pytest_modelcheck.devices import resolve_device
from pytest_modelcheck.evaluation.predictions import Pass
from pytest_modelcheck.evaluation.sharing import Asked, shared_pass
from pytest_modelcheck.result import Result

if TYPE_CHECKING:
    import torch

    from pytest_modelcheck.evaluation.gate import ClassCounts


@dataclass(frozen=True)
class Modelcheck:
    """The handle of a gate: where it runs, the seed it started from, and the pass over data that its checks share."""

    device_name: str
    seed: int

    @property
    def device(self) -> torch.device:
        """The device of this gate."""
        import torch

        return torch.device(resolve_device(self.device_name))

    def evaluate(self, model: Any, data: Any) -> ClassCounts:
        """Every sample of the data, by target and predicted class; the pass is shared with the accuracy gates."""
        context = current()
        with process.preserved_world() as world:
            run = shared_pass(Asked(model, data, context.device, context.threads, seed=context.seed), context.shared)
            run.read_classes()
        if run.changes or world:
            context.record(_noted(run, (*run.changes, *world)))
        return run.counts()


def _noted(run: Pass, changes: tuple[str, ...]) -> Result:
    """The row that names what a model changed while it was evaluated."""
    measured = f"{run.correct:,} of {run.seen:,} right"
    return Result("passed", "all samples are seen", measured, check="evaluate", device=run.device, changes=changes)
