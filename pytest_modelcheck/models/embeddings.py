"""The embedding tables of a model, and how many rows each has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.tensors import require_module

if TYPE_CHECKING:
    from torch import nn


def embedding_tables(model: Any, embedding: str = "input") -> dict[str, int]:
    """The rows of the input embeddings and, where there are any, of the output embeddings.

    `embedding` is the path of the input embeddings, or `"input"` for what `get_input_embeddings` gives, or else for the
    only table there is. Raises `ModelCheckError` where it cannot be found.

    >>> from torch import nn
    >>> embedding_tables(nn.Sequential(nn.Embedding(8, 4), nn.Linear(4, 2)))
    {'input': 8}
    """
    table = input_table(model, embedding)
    tables = {"input": _rows(table, embedding)}
    decoder = _asked(model, "get_decoder")
    inner = None if decoder is None else _asked(decoder, "get_input_embeddings")
    if inner is not None and inner is not table:
        tables["decoder's"] = _rows(inner, "decoder's")
    # The smallest one counts.
    rows = [_rows(head, "output") for head in output_heads(model)]
    return {**tables, "output": min(rows)} if rows else tables


def input_table(model: Any, embedding: str = "input") -> Any:
    """The layer of the input embeddings, found as in `embedding_tables`."""
    require_module(model)
    return _input_table(model) if embedding == "input" else _at(model, embedding)


def output_heads(model: nn.Module) -> list[Any]:
    """The layers of the output embeddings, each once; a head may sit in a part of the model."""
    heads = [_asked(part, "get_output_embeddings") for part in model.modules()]
    return list({id(head): head for head in heads if head is not None}.values())


def _input_table(module: nn.Module) -> Any:
    from torch import nn

    table = _asked(module, "get_input_embeddings")
    if table is not None:
        return table
    kinds = (nn.Embedding, nn.EmbeddingBag)
    found = {name: item for name, item in module.named_modules() if isinstance(item, kinds)}
    if len(found) == 1 and "pos" not in next(iter(found)):
        return next(iter(found.values()))
    known = f"its tables are {', '.join(found)}" if found else "it has none"
    raise ModelCheckError(f"the input embeddings of {type(module).__name__} are not known: give embedding=; {known}")


def _asked(module: nn.Module, name: str) -> Any:
    method = getattr(module, name, None)
    if not callable(method):
        return None
    try:
        return method()
    except NotImplementedError:
        return None


def _at(module: nn.Module, path: str) -> Any:
    found = dict(module.named_modules()).get(path)
    if found is None:
        raise ModelCheckError(f"{type(module).__name__} has no layer {path!r}")
    return found


def _rows(table: Any, name: str) -> int:
    weight = getattr(table, "weight", None)
    if getattr(weight, "ndim", 0) != 2:
        raise ModelCheckError(f"the {name} embeddings ({type(table).__name__}) have no weight with two axes")
    return int(table.weight.shape[0])
