"""What is in an embedding table: its rows, what it shares, what it gives for an id, and whether it can grow."""

from __future__ import annotations

import copy
import hashlib
import inspect
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.embeddings import input_table, output_heads
from pytest_modelcheck.models.forward import observe

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_CHUNK = 4096


def same_memory(left: Tensor, right: Tensor) -> bool:
    """Whether two weights are one: the same tensor, or the same memory read in the same way.

    >>> import torch
    >>> weight = torch.zeros(2, 3)
    >>> same_memory(weight, weight.detach()), same_memory(weight, weight.clone())
    (True, False)
    """
    if left is right:
        return True
    if left.is_meta or right.is_meta or not left.numel() or left.device != right.device:
        return False
    layout = [(item.data_ptr(), tuple(item.shape), item.stride(), item.dtype) for item in (left, right)]
    return layout[0] == layout[1]


def rows_not_finite(weight: Tensor) -> list[int]:
    """The ids whose rows hold NaN or infinite values."""
    found: list[int] = (~weight.detach().isfinite().all(dim=1)).nonzero().flatten().tolist()
    return found


def equal_rows(weight: Tensor) -> list[list[int]]:
    """The ids whose rows are equal, group by group.

    >>> import torch
    >>> equal_rows(torch.tensor([[0.0, 1.0], [2.0, 3.0], [-0.0, 1.0]]))
    [[0, 2]]
    """
    import torch

    groups: dict[bytes, list[int]] = {}
    for start in range(0, weight.shape[0], _CHUNK):
        # Adding 0 makes -0.0 the 0.0 that it equals.
        part = (weight.detach()[start : start + _CHUNK].cpu() + 0).contiguous()
        for at, row in enumerate(part.view(torch.uint8).numpy()):
            groups.setdefault(hashlib.blake2b(row.tobytes(), digest_size=16).digest(), []).append(start + at)
    return [group for group in groups.values() if len(group) > 1]


def lookup_problems(table: Module, rows: int) -> list[str]:
    """What is wrong with looking up the last id, which works, and the one after it, which does not.

    The table runs on the CPU, as a copy where it is not there: on a GPU an id out of range ends the process' CUDA.
    """
    import torch

    local = table if table.weight.device.type == "cpu" else copy.deepcopy(table).cpu()
    problems = []
    try:
        observe(local, torch.tensor([[rows - 1]]))
    except ModelCheckError as error:
        problems.append(f"the last id, {rows - 1}, cannot be looked up: {_first_line(error)}.")
    try:
        observe(local, torch.tensor([[rows]]))
    except ModelCheckError:
        return problems
    return [*problems, f"the id {rows} can be looked up too, and lies behind the last of {rows:,} rows."]


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0].rstrip(".")


def resize_problems(model: Module, embedding: str) -> list[str]:
    """What is wrong with a copy of the model that is given one row more: old rows, ties, the new row, the output."""
    import torch

    if not callable(getattr(model, "resize_token_embeddings", None)):
        raise ModelCheckError(f"{type(model).__name__} has no resize_token_embeddings")
    other: Any = copy.deepcopy(model)
    before = input_table(other, embedding).weight.detach().clone()
    ties = _ties(other, embedding)
    wanted = len(before) + 1
    # The mean of the old rows would be a nicer new row, and takes a covariance of the whole table.
    names = inspect.signature(other.resize_token_embeddings).parameters
    keywords = {"mean_resizing": False} if "mean_resizing" in names else {}
    try:
        other.resize_token_embeddings(wanted, **keywords)
    except Exception as error:
        return [f"resize_token_embeddings({wanted}) raised {type(error).__name__}: {_first_line(error)}."]
    table, problems = input_table(other, embedding), []
    after = table.weight.detach()
    if len(after) != wanted:
        return [f"resize_token_embeddings({wanted}) gives {len(after):,} rows."]
    if not torch.equal(after[:-1], before):
        first = int((after[:-1] != before).any(dim=1).nonzero()[0])
        problems.append(f"resize_token_embeddings({wanted}) changes old rows, the first of them row {first}.")
    if not bool(after[-1].isfinite().all()):
        problems.append(f"resize_token_embeddings({wanted}) adds a row that is not finite.")
    heads = [len(head.weight) for head in output_heads(other)]
    problems += [
        f"resize_token_embeddings({wanted}) leaves the output embeddings with {rows:,} rows."
        for rows in dict.fromkeys(heads)
        if rows < wanted
    ]
    if _ties(other, embedding) != ties:
        done = "unties" if any(ties) else "ties"
        problems.append(f"resize_token_embeddings({wanted}) {done} the input and the output embeddings.")
    return problems + [
        problem.replace("the id", "after resizing, the id") for problem in lookup_problems(table, wanted)
    ]


def _ties(model: Module, embedding: str) -> list[bool]:
    table = input_table(model, embedding)
    return [same_memory(table.weight, head.weight) for head in output_heads(model)]
