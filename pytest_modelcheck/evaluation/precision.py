"""The precision that a model is evaluated in, by Lightning's own plugins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ConfigError, ModelCheckError, require
from pytest_modelcheck.evaluation.copies import model_copy
from pytest_modelcheck.tensors import called

if TYPE_CHECKING:
    from torch.nn import Module

# Lightning's names, and the short ones that it also takes.
_SHORT = (("", ""), ("32", "32-true"), ("64", "64-true"), ("16", "16-mixed"), ("bf16", "bf16-mixed"))
PRECISIONS = ("32-true", "64-true", "16-true", "bf16-true", "16-mixed", "bf16-mixed")


def precision_named(name: str) -> str:
    """Lightning's full name of a precision; a `ConfigError` for what is none.

    >>> precision_named("bf16")
    'bf16-mixed'
    """
    full = dict(_SHORT).get(name, name)
    if full and full not in PRECISIONS:
        raise ConfigError(f"precision={name!r}: one of {', '.join(PRECISIONS)} is expected")
    return full


@dataclass(frozen=True)
class Forward:
    """A model, or its copy, and how it is run: as it is, or in a precision of Lightning's."""

    model: Module
    plugin: Any = None

    def __call__(self, inputs: Any) -> Any:
        """The output for these inputs, with float32 in the place of narrower numbers."""
        if self.plugin is None:
            return called(self.model, inputs)
        with self.plugin.forward_context():
            return _widened(called(self.model, self.plugin.convert_input(inputs)))

    def step(self, step: Any, batch: Any) -> Any:
        """What the user's own step gives for the model and a batch."""
        if self.plugin is None:
            return step(self.model, batch)
        with self.plugin.forward_context():
            return _widened(step(self.model, self.plugin.convert_input(batch)))


def forward_in(model: Module, precision: str, device: str) -> Forward:
    """How a model is run in a precision, by its full name; `""` and 32 bits leave it as it is.

    In a mixed precision torch's autocast chooses the operations; the others convert a copy of the model.
    """
    kind, _, how = precision.partition("-")
    if kind in ("", "32"):
        return Forward(model)
    plugins = require("pytorch_lightning.plugins.precision", f"precision={precision!r}")
    if how == "mixed":
        where = device.partition(":")[0]
        if kind == "16" and where == "cpu":
            raise ModelCheckError("precision 16-mixed needs a GPU: take bf16-mixed on the CPU")
        return Forward(model, plugins.MixedPrecision(precision, where))
    plugin = plugins.DoublePrecision() if kind == "64" else plugins.HalfPrecision(precision)
    return Forward(plugin.convert_module(model_copy(model)), plugin)


def _widened(output: Any) -> Any:
    import torch
    from torch.utils._pytree import tree_map_only

    narrow = (torch.float16, torch.bfloat16)
    return tree_map_only(torch.Tensor, lambda item: item.float() if item.dtype in narrow else item, output)
