"""The fixtures of the plugin. None is called `model` or `tokenizer`: those names are the user's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_modelcheck.plugin.stash import session_of

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

        from pytest_modelcheck.devices import resolve_device

        return torch.device(resolve_device(self.device_name))

    def evaluate(self, model: Any, data: Any) -> ClassCounts:
        """Every sample of the data, by target and predicted class; the pass is shared with the accuracy gates."""
        from pytest_modelcheck.context import current
        from pytest_modelcheck.evaluation.predictions import shared_pass

        context = current()
        run = shared_pass(model, data, context.shared, device=context.device, threads=context.threads)
        run.read()
        return run.counts()


@pytest.fixture
def _modelcheck_run_device(request: pytest.FixtureRequest) -> str:
    from pytest_modelcheck.context import current

    return getattr(request, "param", None) or current().device or session_of(request.config).settings.devices[0]


@pytest.fixture
def modelcheck(_modelcheck_run_device: str, request: pytest.FixtureRequest) -> Modelcheck:
    """The handle of this gate: its .device, its .seed, and .evaluate(model, data)."""
    return Modelcheck(_modelcheck_run_device, session_of(request.config).settings.seed)


@pytest.fixture
def modelcheck_device(modelcheck: Modelcheck) -> torch.device:
    """The torch.device of this gate; with several devices, the gate runs once for each."""
    return modelcheck.device


@pytest.fixture
def modelcheck_texts(_modelcheck_run_device: str) -> tuple[str, ...]:
    """The hard corpus: texts that tokenizers get wrong, one for each trap."""
    from pytest_modelcheck.tokenization.corpus import HARD_TEXTS

    return HARD_TEXTS


@pytest.fixture
def modelcheck_mnist(_modelcheck_run_device: str, request: pytest.FixtureRequest) -> Any:
    """MNIST's 10,000 test images and labels, verified, ready to use as `data`."""
    from pytest_modelcheck.evaluation.mnist import mnist_test_split

    return mnist_test_split(session_of(request.config).settings.mnist_root)
