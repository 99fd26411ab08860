"""How near texts lie to each other: triplets of texts, their vectors, and the cosines between these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import guard
from pytest_modelcheck.devices import placed
from pytest_modelcheck.errors import ModelCheckError, require
from pytest_modelcheck.models.forward import observe
from pytest_modelcheck.models.meta import is_on_meta
from pytest_modelcheck.tensors import tensors_in

if TYPE_CHECKING:
    from torch import Tensor

_BATCH = 32


@dataclass(frozen=True)
class Triplet:
    """An anchor, what belongs to it and what does not; `category` is `""` where there are none."""

    anchor: str
    positive: str
    negative: str
    category: str = ""


@dataclass(frozen=True)
class Cosines:
    """For each triplet the cosine of anchor and positive, and that of anchor and negative; and who gave the vectors.

    `subject` is the model of a pair, and `""` where what embeds has a name of its own.
    """

    cosines: Sequence[tuple[float, float]]
    subject: str
    device: str = ""
    changes: tuple[str, ...] = ()


def read_triplets(given: Any) -> list[Triplet]:
    """The triplets of a list, or of a mapping from categories to lists; a `ModelCheckError` for what is none.

    >>> read_triplets({"animals": [("cat", "dog", "car")]})
    [Triplet(anchor='cat', positive='dog', negative='car', category='animals')]
    """
    groups = given if isinstance(given, Mapping) else {"": given}
    found: list[Triplet] = []
    for category, items in groups.items():
        if isinstance(items, str) or not isinstance(items, Iterable):
            raise ModelCheckError(f"{_of(category)}{items!r:.60} is no list of triplets (anchor, positive, negative)")
        triplets = [_triplet(item, f"{_of(category)}triplet {at}", str(category)) for at, item in enumerate(items)]
        if not triplets:
            raise ModelCheckError(f"{_of(category)}there are no triplets")
        found += triplets
    if not found:
        raise ModelCheckError("there are no triplets")
    return found


def _of(category: object) -> str:
    return f"{category}: " if category != "" else ""


def _triplet(item: Any, name: str, category: str) -> Triplet:
    parts = tuple(item) if isinstance(item, list | tuple) else ()
    if len(parts) != 3 or not all(isinstance(part, str) for part in parts):
        raise ModelCheckError(f"{name} is {item!r:.80}: three texts are expected, (anchor, positive, negative)")
    anchor, positive, negative = parts
    if anchor == positive or positive == negative:
        pair = "the anchor and the positive" if anchor == positive else "the positive and the negative"
        raise ModelCheckError(f"{name} is {item!r:.80}: {pair} are the same text, and there is nothing to compare")
    return Triplet(anchor, positive, negative, category)


def cosines_of(embed: Any, triplets: Sequence[Triplet], *, device: str = "") -> Cosines:
    """The cosines of the triplets, in float64; each text is given once, whatever the triplets that it stands in.

    Raises `ModelCheckError` where the vectors are not one for each text, hold NaN, or have no direction.
    """
    torch = require("torch", "comparing embeddings")
    texts = list(dict.fromkeys(text for item in triplets for text in (item.anchor, item.positive, item.negative)))
    places = {text: at for at, text in enumerate(texts)}
    changes: list[str] = []
    with torch.no_grad(), _kept(embed, device) as (kept, home):
        vectors, ran_on = _vectors(embed, texts, device, changes)
        ran_on = ran_on or home
    changes += kept
    table = _checked(vectors, texts).double()
    # Scaled first, since the square of a very small number is 0.
    scaled = table / table.abs().amax(dim=1, keepdim=True)
    unit = scaled / scaled.norm(dim=1, keepdim=True)
    pairs = [
        tuple(float(unit[places[item.anchor]] @ unit[places[other]]) for other in (item.positive, item.negative))
        for item in triplets
    ]
    name = type(embed[0]).__name__ if isinstance(embed, tuple | list) else ""
    return Cosines([(one, other) for one, other in pairs], name, ran_on, tuple(dict.fromkeys(changes)))


@contextmanager
def _kept(embed: Any, device: str) -> Iterator[tuple[list[str], str]]:
    """An embedding object that is a module, as sentence-transformers' are, runs on the device and is left as it was."""
    torch = require("torch", "comparing embeddings")
    if isinstance(embed, torch.nn.Module) and callable(getattr(embed, "encode", None)):
        with guard.preserved_model(embed) as changes, placed(embed, device) as home:
            embed.eval()
            yield changes, home
    else:
        yield [], ""


def _vectors(embed: Any, texts: list[str], device: str, changes: list[str]) -> tuple[Any, str]:
    torch = require("torch", "comparing embeddings")
    if isinstance(embed, tuple | list):
        if len(embed) != 2 or not isinstance(embed[0], torch.nn.Module) or not callable(embed[1]):
            raise ModelCheckError("a pair of a model and its tokenizer is expected, (model, tokenizer)")
        model, tokenizer = embed
        return _pooled(model, tokenizer, texts, device, changes)
    encode = getattr(embed, "encode", None)
    if callable(encode):
        return encode(texts), ""
    if isinstance(embed, torch.nn.Module):
        seen = observe(embed, texts, device=device)
        changes += seen.changes
        return seen.output, seen.device
    if callable(embed):
        return embed(texts), ""
    raise ModelCheckError(
        f"{type(embed).__name__} embeds nothing: a function of a list of texts is expected, an object with encode, or "
        "a pair (model, tokenizer)"
    )


def _pooled(model: Any, tokenizer: Any, texts: list[str], device: str, changes: list[str]) -> tuple[Tensor, str]:
    """The mean of the last hidden states over the tokens that are no padding."""
    import torch

    if is_on_meta(model):
        raise ModelCheckError("the model is on the meta device, and its outputs hold no numbers: give it weights")
    rows, ran_on = [], ""
    # By length, so that little of a batch is padding; the vectors are put back in order.
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    for start in range(0, len(order), _BATCH):
        given = tokenizer(
            [texts[at] for at in order[start : start + _BATCH]], padding=True, truncation=True, return_tensors="pt"
        )
        if "attention_mask" not in given:
            raise ModelCheckError("the tokenizer gives no attention_mask: the mean over the real tokens is not known")
        seen = observe(model, given, device=device)
        changes += seen.changes
        ran_on = seen.device
        states = dict(tensors_in(seen.output)).get("last_hidden_state")
        if states is None or states.ndim != 3:
            raise ModelCheckError("the model gives no last_hidden_state [batch, tokens, dimension]: give a function")
        mask = given["attention_mask"].cpu().double()[..., None]
        rows.append((states.detach().cpu().double().masked_fill(mask == 0, 0) * mask).sum(1) / mask.sum(1))
    table = torch.cat(rows)
    return table[torch.tensor(order).argsort()], ran_on


def _checked(vectors: Any, texts: list[str]) -> Tensor:
    """The vectors as a table with a row for each text, each of them a direction."""
    import torch

    try:
        if isinstance(vectors, list | tuple) and any(isinstance(item, torch.Tensor) for item in vectors):
            vectors = torch.stack([torch.as_tensor(item) for item in vectors])
        table = torch.as_tensor(vectors).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelCheckError(f"the vectors cannot be read as a tensor: {error}") from error
    if table.ndim != 2 or len(table) != len(texts) or not table.shape[1]:
        raise ModelCheckError(f"{len(texts)} texts gave {list(table.shape)}: [{len(texts)}, dimension] is expected")
    if table.is_complex():
        raise ModelCheckError(f"the vectors are {table.dtype}, and have no cosines here")
    wide = table.double()
    for problem, wrong in (
        ("holds NaN or infinite values", ~wide.isfinite().all(dim=1)),
        ("is all zeros, and has no direction", (wide == 0).all(dim=1)),
    ):
        if bool(wrong.any()):
            raise ModelCheckError(f"the vector of {texts[int(wrong.nonzero()[0])]!r:.80} {problem}")
    return table
