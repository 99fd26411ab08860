"""The fixtures of the plugin. None is called `model` or `tokenizer`: those names are the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_modelcheck.plugin.stash import session_of

if TYPE_CHECKING:
    import torch

    from pytest_modelcheck.plugin.handle import Modelcheck


@pytest.fixture
def _modelcheck_run_device(request: pytest.FixtureRequest) -> str:
    from pytest_modelcheck.context import current

    return getattr(request, "param", None) or current().device or session_of(request.config).settings.devices[0]


@pytest.fixture
def modelcheck(_modelcheck_run_device: str, request: pytest.FixtureRequest) -> Modelcheck:
    """The handle of this gate: its .device, its .seed, and .evaluate(model, data)."""
    from pytest_modelcheck.plugin.handle import Modelcheck

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
