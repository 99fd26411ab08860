"""A copy of a model, to be run in the place of the one that is judged."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# What a LightningModule is attached to: loaders, loggers and all.
_ATTACHED = ("_trainer", "_fabric")


def model_copy(model: Module) -> Module:
    """A deep copy of a model that shares the Trainer that it is attached to.

    Raises what copying raises, for a model that holds what cannot be copied.
    """
    held = {name: vars(model)[name] for name in _ATTACHED if vars(model).get(name) is not None}
    made = copy.deepcopy(model, {id(item): item for item in held.values()})
    # A LightningModule leaves its Trainer out of its state.
    vars(made).update(held)
    return made


def channels_last(model: Module, inputs: Tensor) -> Module:
    """A copy of a convolutional model in the memory layout that is fastest on a CPU, or the model itself."""
    import torch

    has_convolution = any(isinstance(module, torch.nn.Conv2d) for module in model.modules())
    if not has_convolution or inputs.dim() != 4:
        return model
    try:
        return model_copy(model).to(memory_format=torch.channels_last)
    except Exception:  # what cannot be copied is used as it is
        return model
