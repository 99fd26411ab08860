"""The handle that the fixture `modelcheck` gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.context import current
from pytest_modelcheck.devices import resolve_device
from pytest_modelcheck.evaluation.predictions import shared_pass

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
        run = shared_pass(model, data, context.shared, device=context.device, threads=context.threads)
        run.read()
        return run.counts()
