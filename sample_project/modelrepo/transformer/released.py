"""The released weights of a task's network."""

from __future__ import annotations

from torch import nn

from modelrepo.recipe import Recipe


def released(recipe: Recipe) -> nn.Module:
    """The network of a recipe with the weights of its checkpoint, in evaluation mode."""
    from safetensors.torch import load_model

    network = getattr(recipe.module(), recipe.weights)
    # A tied table is in the file once, which load_model knows and load_state_dict does not.
    load_model(network, recipe.checkpoint)
    return network.eval()
