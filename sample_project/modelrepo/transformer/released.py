"""The released weights of a task's network."""

from __future__ import annotations

from torch import nn

from modelrepo.recipe import Recipe


def released(recipe: Recipe) -> nn.Module:
    """The network of a recipe with the weights of its checkpoint, in evaluation mode."""
    from safetensors.torch import load_file

    network = getattr(recipe.module(), recipe.weights)
    network.load_state_dict(load_file(recipe.checkpoint))
    return network.eval()
