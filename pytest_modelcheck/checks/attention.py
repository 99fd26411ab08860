"""Promises of attention: its weights are shares, masks hide what they should, and nothing looks ahead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.checks.promises import Count, Flag, Positive, Text
from pytest_modelcheck.comparison import at_most, equal, promised_number
from pytest_modelcheck.context import current
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.models.attention import Weights, attention_weights
from pytest_modelcheck.models.tolerances import tolerance_for
from pytest_modelcheck.result import Result

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_SHOWN = 8


@check
def attention(
    model: Module,
    inputs: Any,
    /,
    *,
    heads: Count | None = None,
    layers: Count | None = None,
    causal: Flag | None = None,
    weights: Text = "auto",
    tolerance: Positive | None = None,
) -> Result:
    """The weights with which each token attends to others are shares of 1, and those of masked tokens are 0.

    No weight is negative or NaN, each row sums to 1 to the `tolerance`, which follows from the dtype and the device
    where none is given, and what a mask hides has exactly 0. `causal=True`: later tokens have exactly 0 as well, beside
    in cross attention and in the encoder of an encoder-decoder model; `causal=False`: in each layer some have more.
    `heads` and `layers` are numbers, of each kind of attention that the model has.

    Models of transformers are asked with `output_attentions=True`, and have to be loaded with
    `attn_implementation="eager"`; `nn.MultiheadAttention` is asked wherever it stands in a model. `weights` names other
    layers, whose last tensor with four axes `[batch, heads, queries, keys]` it is, or some of the modules:
    `"decoder.layers.*.self_attn"`, in which `*` stands for any one part.

    A row in which everything is masked fails, unless it is that of a token that is masked itself: such rows are counted
    in the measurement.

    Raises `ModelCheckError` where the model gives no weights.

    >>> import torch
    >>> tokens = torch.arange(24.0).reshape(1, 6, 4)
    >>> layer = torch.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    >>> attention(layer, tokens, heads=2, layers=1).ok
    True
    >>> print(attention(layer, tokens, heads=4).message)
    attention of TransformerEncoderLayer: self_attn has 2 heads, promised 4.
    """
    found, seen = attention_weights(model, inputs, weights, device=current().device)
    problems = list(_numbers(found, heads, layers))
    worst, limit, empty = 0.0, 0.0, 0
    for item in found:
        own = tolerance_for(item.tensor.dtype, seen.device, current().tolerances)
        limit = own if tolerance is None else float(tolerance)
        broken, apart, skipped = _rows(item, limit, causal=causal)
        problems += broken
        worst, empty = max(worst, apart), empty + skipped
    counts = Counter(item.group for item in found)
    shown = ", ".join(f"{number} {group}" for group, number in counts.items())
    promised = [f"{heads} heads"] if heads is not None else []
    promised += [f"{layers} layers"] if layers is not None else []
    promised += ["causal" if causal else "not causal"] if causal is not None else []
    more = f"\n... and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return Result(
        outcome="failed" if problems else "passed",
        promised=", ".join([*promised, f"rows sum to 1 (tolerance {limit:.3g})"]),
        measured=f"{shown}, sums within {worst:.3g}"
        + (f", {empty} rows of padding have nothing to attend to" if empty else ""),
        margin=(limit - worst) / max(limit, worst) if not problems and limit else None,
        message="\n".join(problems[:_SHOWN]) + more,
        evidence={
            "layers": {item.name: list(item.tensor.shape) for item in found},
            "difference": worst,
            "tolerance": limit,
            "empty_rows": empty,
        },
        device=seen.device,
        changes=tuple(seen.changes),
    )


def _numbers(found: list[Weights], heads: int | None, layers: int | None) -> Iterator[str]:
    for item in found:
        number = item.tensor.shape[1]
        if heads is not None and not equal(number, Fraction(heads)).ok:
            yield f"{item.name} has {number} head{'s' * (number != 1)}, promised {heads}."
    for group, number in Counter(item.group for item in found).items():
        if layers is not None and not equal(number, Fraction(layers)).ok:
            yield f"there are {number} {group}, promised {layers}."


def _rows(item: Weights, limit: float, *, causal: bool | None) -> tuple[list[str], float, int]:
    """What is wrong with the weights of one layer, how far a row is from 1 at most, and how many rows see nothing."""
    import torch

    weights = item.tensor.double()
    wrong = ~weights.isfinite()
    if bool(wrong.any()):
        number = f"{int(wrong.sum()):,} of {weights.numel():,}"
        problem = f"{item.name} holds {number} weights that are NaN or infinite, the first at {_first(wrong)}."
        return [problem], 0.0, 0
    problems = []
    if bool((weights < 0).any()):
        first = _first(weights < 0)
        problems.append(f"{item.name} gives {_at(weights, first):.3g} at {first}, a weight below 0.")
    hidden = torch.zeros_like(weights, dtype=torch.bool)
    if item.hidden is not None:
        hidden = hidden | item.hidden
    queries, keys = weights.shape[-2:]
    # The last query is the last key, also where keys of an earlier pass come before them.
    later = torch.ones(queries, keys, dtype=torch.bool).triu(1 + keys - queries).expand_as(weights)
    looks_back = item.is_self and not item.may_look_ahead
    none = (hidden | later if causal and looks_back else hidden).all(-1)
    padding = torch.zeros_like(none) if item.padding is None else item.padding.expand_as(none)
    skipped = none & padding
    if bool((none & ~padding).any()):
        problems.append(f"{item.name} at {_first(none & ~padding)} has nothing to attend to: everything is masked.")
    kept = ~none
    sums = (weights.sum(-1) - 1).abs().masked_fill(~kept, 0)
    worst = float(sums.max())
    if not at_most(worst, promised_number("tolerance", limit)).ok:
        first = _first(sums == worst)
        problems.append(
            f"{item.name} at {first} sums to {_at(weights.sum(-1), first):.6g}, and {limit:.3g} from 1 is tolerated."
        )
    seen = (weights != 0) & kept[..., None]
    if bool((seen & hidden).any()):
        first = _first(seen & hidden)
        problems.append(f"{item.name} gives {_at(weights, first):.3g} at {first}, which is masked.")
    ahead = seen & later & ~hidden
    if causal and looks_back and bool(ahead.any()):
        first = _first(ahead)
        problems.append(f"{item.name} gives {_at(weights, first):.3g} at {first}, to a later token.")
    if causal is False and looks_back and not bool(ahead.any()):
        problems.append(f"{item.name} gives nothing to later tokens: it is causal, and was promised not to be.")
    return problems, worst, int(skipped.any(1).sum())


def _first(where: Tensor) -> list[int]:
    found: list[int] = where.nonzero()[0].tolist()
    return found


def _at(tensor: Tensor, index: list[int]) -> float:
    return float(tensor[tuple(index)])
