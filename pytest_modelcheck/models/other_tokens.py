"""Other tokens in the place of a model's own: in another order, or of other values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.embeddings import embedding_tables
from pytest_modelcheck.models.tokens import Tokens

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_DRAWS = 100


def shuffles(inputs: Any, tokens: Tokens, seed: int, number: int) -> list[Tensor]:
    """Orders of the tokens, drawn by the seed, each of which changes what the model reads.

    Raises `ModelCheckError` where all tokens are the same.
    """
    import torch

    values, axis = tokens.values(inputs).detach().cpu(), tokens.axes[tokens.first]
    if not _differ(values, axis, tokens.real):
        raise ModelCheckError("all tokens are the same: shuffling them changes nothing. Give inputs with other tokens")
    generator = torch.Generator("cpu").manual_seed(seed)
    drawn: list[Tensor] = []
    for _ in range(_DRAWS * number):
        order = torch.randperm(tokens.length, generator=generator)
        if not torch.equal(_real_part(values.index_select(axis, order), tokens, order), _real_part(values, tokens)):
            drawn.append(order)
        if len(drawn) == number:
            return drawn
    raise ModelCheckError("no shuffle of these tokens changes them: give inputs with other tokens")


def _differ(values: Tensor, axis: int, real: Tensor | None) -> bool:
    if real is None:
        return bool((values != values.narrow(axis, 0, 1)).any())
    rows = (row[kept] for row, kept in zip(values, real, strict=True))
    return any(bool((row != row[:1]).any()) for row in rows if len(row))


def _real_part(values: Tensor, tokens: Tokens, order: Tensor | None = None) -> Tensor:
    """The tokens without padding, row by row, in the order that they have."""
    if tokens.real is None:
        return values
    return values[tokens.real if order is None else tokens.real[:, order]]


def with_other_tokens(model: Module, inputs: Any, tokens: Tokens, start: int = 0) -> Any:
    """The inputs with other tokens from `start` on."""
    return tokens.replaced(inputs, altered(model, tokens.values(inputs)), start)


def altered(model: Module, tokens: Tensor) -> Tensor:
    """Other tokens in the place of each: other ids of the model's vocabulary, or other numbers.

    Raises `ModelCheckError` for ids of which no other is known.
    """
    import torch

    if tokens.is_floating_point():
        generator = torch.Generator("cpu").manual_seed(0)
        noise = torch.randn(tokens.shape, generator=generator).to(tokens.device, tokens.dtype)
        return tokens + noise * (1 + tokens.abs().max())
    if tokens.dtype is torch.bool:
        return ~tokens
    try:
        rows = min(number for name, number in embedding_tables(model).items() if name != "output")
    except ModelCheckError:
        rows = 0
    if rows > 1:
        special = _special_ids(model)
        changed = (tokens + 1) % rows
        for _ in special:
            changed = torch.where(
                torch.isin(changed, torch.tensor(special, device=tokens.device)), changed + 1, changed
            )
            changed = changed % rows
        return torch.where(changed == tokens, (tokens + 1) % rows, changed)
    known, places = torch.unique(tokens, return_inverse=True)
    if len(known) < 2:
        raise ModelCheckError(
            f"all tokens are {int(known[0])}, and no table of the model says which others there are: give inputs with "
            "other tokens"
        )
    other: Tensor = known.roll(-1)[places]
    return other


def _special_ids(model: Module) -> list[int]:
    """The ids that a transformers model takes for something else than a word."""
    config = getattr(model, "config", None)
    found = (getattr(config, f"{name}_token_id", None) for name in ("pad", "bos", "eos"))
    return [item for item in found if isinstance(item, int)]
