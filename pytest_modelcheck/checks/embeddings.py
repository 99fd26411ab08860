"""Promises of embeddings: the table and what is in it, and that what means the same lies near."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

from pytest_modelcheck.checks.promises import Count, Flag, Rate, Text
from pytest_modelcheck.comparison import equal, promised_number
from pytest_modelcheck.context import current
from pytest_modelcheck.errors import ConfigError, ModelCheckError
from pytest_modelcheck.evaluation.gate import CountGate
from pytest_modelcheck.mechanism import check, check_together
from pytest_modelcheck.models.embeddings import input_table, output_heads
from pytest_modelcheck.models.similarity import Triplet, cosines_of, read_triplets
from pytest_modelcheck.models.tables import (
    equal_rows,
    lookup_problems,
    resize_problems,
    rows_not_finite,
    same_memory,
)
from pytest_modelcheck.models.wrappers import unwrapped
from pytest_modelcheck.result import Number, Part, Result
from pytest_modelcheck.tokenization.alignment import quoted

if TYPE_CHECKING:
    from torch.nn import Module

_SHOWN = 5

# What was promised, what was found, and what is wrong or "".
_Row = tuple[str, str, str]

# A triplet and its two cosines.
_Wrong = tuple[Triplet, tuple[float, float]]


def _only_true(name: str, value: object) -> None:
    if value is not True:
        raise ConfigError(f"{name}={value!r}: True is expected; leave it out where nothing is promised")


def _says_something(promises: Mapping[str, Any]) -> None:
    if set(promises) <= {"embedding"}:
        raise ConfigError(
            "embedding_table promises nothing: give at least one of num_embeddings, embedding_dim, tied, padding_idx, "
            "unique_rows, resizable"
        )


OnlyTrue = Annotated[bool, _only_true]


@check_together(_says_something)
def embedding_table(
    model: Module | Callable[[], Module],
    /,
    *,
    num_embeddings: Count | None = None,
    embedding_dim: Count | None = None,
    tied: Flag | None = None,
    padding_idx: Count | None = None,
    embedding: Text | None = None,
    unique_rows: OnlyTrue | None = None,
    resizable: OnlyTrue | None = None,
) -> Result:
    """The model's table of input embeddings has this size, and what is in it can be used.

    Whatever is promised, no row holds NaN or infinite values. With `num_embeddings` the last id can be looked up, and
    the next one cannot. `tied` says whether the output embeddings are the same memory. `unique_rows=True`: no two rows
    are equal. `resizable=True`: transformers' `resize_token_embeddings` gives a copy of the model one row more, keeps
    the old ones, and leaves ties as they are. `embedding` names the layer where the model has no
    `get_input_embeddings` and more than one table.

    The model may stand inside of `torch.compile`, DDP or FSDP. A class or a function without arguments builds one on
    the meta device, where rows have sizes and ties, and no values to look at.

    Raises `ModelCheckError` where the table, or the output embeddings of `tied`, cannot be found, and where values are
    promised of a model on the meta device.

    >>> from torch import nn
    >>> embedding_table(nn.Embedding(9, 4, padding_idx=0), num_embeddings=9, embedding_dim=4, padding_idx=0).measured
    '9 rows, dimension 4, padding_idx 0, all finite'
    >>> print(embedding_table(nn.Embedding(9, 4), num_embeddings=10).message)
    embedding_table of Embedding: it has 9 rows, promised 10 (1 fewer).
    """
    inside = unwrapped(model)
    path = embedding or "input"
    table = input_table(inside.model, path)
    weight = getattr(table, "weight", None)
    if getattr(weight, "ndim", 0) != 2:
        raise ModelCheckError(f"the embeddings ({type(table).__name__}) have no weight with two axes")
    rows, dimension = (int(size) for size in table.weight.shape)
    if not rows or not dimension:
        raise ModelCheckError(f"the table is [{rows}, {dimension}], and holds nothing")
    found: list[_Row] = []
    if num_embeddings is not None:
        found.append(_size("rows", rows, num_embeddings, f"{num_embeddings:,} rows", f"{rows:,} rows"))
        found += [("", "", problem) for problem in ([] if table.weight.is_meta else lookup_problems(table, rows))]
    if embedding_dim is not None:
        words = (f"dimension {embedding_dim:,}", f"dimension {dimension:,}")
        found.append(_size("dimensions", dimension, embedding_dim, *words))
    if tied is not None:
        found.append(_tie(inside.model, table.weight, promised=tied))
    if padding_idx is not None:
        found.append(_padding(table, padding_idx))
    found += _values(inside.model, table, path, unique=bool(unique_rows), resizable=bool(resizable))
    problems = [problem for _, _, problem in found if problem]
    return Result(
        outcome="failed" if problems else "passed",
        promised=", ".join(filter(None, (promised for promised, _, _ in found))),
        measured=", ".join(filter(None, (measured for _, measured, _ in found))) + inside.note,
        message="\n".join(problems),
        evidence={"num_embeddings": rows, "embedding_dim": dimension, "problems": problems},
        subject=inside.name,
    )


def _size(what: str, measured: int, promised: int, promise: str, found: str) -> _Row:
    if equal(measured, Fraction(promised)).ok:
        return promise, found, ""
    change = f"{abs(measured - promised):,} {'more' if measured > promised else 'fewer'}"
    return promise, found, f"it has {measured:,} {what}, promised {promised:,} ({change})."


def _tie(model: Module, weight: Any, *, promised: bool) -> _Row:
    heads = output_heads(model)
    if not heads:
        raise ModelCheckError(
            f"{type(model).__name__} has no get_output_embeddings that gives a layer: promise the tied weights by "
            "name, parameters(tied=[(..., ...)])"
        )
    ties = [same_memory(weight, head.weight) for head in heads]
    words = {True: "tied", False: "not tied"}
    # One head of several that stands apart is enough to break a tie, and one that is tied to break its absence.
    measured = all(ties) if promised else any(ties)
    problem = (
        "the output embeddings have a weight of their own, promised tied to the input embeddings. Call tie_weights(), "
        "and look at the configuration's tie_word_embeddings."
        if promised
        else "the output embeddings are the input embeddings, promised not tied."
    )
    return words[promised], words[measured], "" if measured == promised else problem


def _padding(table: Module, promised: int) -> _Row:
    measured = getattr(table, "padding_idx", None)
    problem = "" if measured == promised else f"padding_idx is {measured}, promised {promised}."
    return f"padding_idx {promised}", f"padding_idx {measured}", problem


def _values(model: Module, table: Any, path: str, *, unique: bool, resizable: bool) -> list[_Row]:
    """What needs the numbers of the table."""
    if table.weight.is_meta:
        if unique or resizable:
            asked = "unique_rows" if unique else "resizable"
            raise ModelCheckError(f"the model is on the meta device and has no values: {asked} needs its weights")
        return [("", "values not measured", "")]
    wrong = rows_not_finite(table.weight)
    broken = f"{_ids(wrong)} hold{'s' * (len(wrong) == 1)} NaN or infinite values." if wrong else ""
    found: list[_Row] = [("", f"{len(wrong):,} rows not finite" if wrong else "all finite", broken)]
    if unique:
        groups = equal_rows(table.weight)
        listed = "; ".join(_ids(group) for group in groups[:_SHOWN])
        more = f"; and {len(groups) - _SHOWN:,} groups more" if len(groups) > _SHOWN else ""
        number = sum(map(len, groups))
        problem = f"{number:,} rows are equal to others: {listed}{more}." if groups else ""
        found.append(("no equal rows", f"{number:,} equal rows" if groups else "no equal rows", problem))
    if resizable:
        problems = resize_problems(model, path)
        found.append(("resizable", "not resizable" if problems else "resizable", "\n".join(problems)))
    return found


def _ids(ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, ids[:_SHOWN]))
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return f"row{'s' * (len(ids) != 1)} {shown}{more}"


@check
def nearer(embed: Any, triplets: Any, /, *, min_rate: Rate, min_category_rate: Rate | None = None) -> Result:
    """An anchor is nearer to what belongs to it than to what does not, in at least this share of the triplets.

    A triplet is `(anchor, positive, negative)`, three texts; triplets are a list, or a mapping from categories to
    lists. One is right where the cosine of anchor and positive is greater than that of anchor and negative; a tie is
    wrong. `min_category_rate` is the least share of each category, which then has a row of its own in the reports.

    `embed` is a function from a list of texts to vectors `[texts, dimension]`, an object with such an `encode`, or a
    pair `(model, tokenizer)` of transformers, whose last hidden states are averaged over the tokens that are no
    padding.

    Raises `ModelCheckError` where a text has a vector of zeros or one that is not finite.

    >>> import torch
    >>> vectors = {"cat": [1.0, 0.1], "dog": [1.0, 0.2], "car": [0.1, 1.0]}
    >>> embed = lambda texts: torch.tensor([vectors[text] for text in texts])
    >>> nearer(embed, [("cat", "dog", "car")], min_rate=1).measured
    '1.0000 (1 of 1)'
    >>> print(nearer(embed, [("cat", "car", "dog")], min_rate=0.5).message)
    nearer of <lambda>: 0 of 1 triplets are right, and 1 is needed for 0.5 (1 too few).
      'cat' is at 0.198 to 'car' and at 0.995 to 'dog'
    """
    cases = read_triplets(triplets)
    seen = cosines_of(embed, cases, device=current().device)
    wrong = [(case, pair) for case, pair in zip(cases, seen.cosines, strict=True) if not pair[0] > pair[1]]
    wrong.sort(key=lambda item: item[1][0] - item[1][1])
    sizes = Counter(case.category for case in cases)
    misses = Counter(case.category for case, _ in wrong)
    rates = {name: (number - misses[name], number) for name, number in sizes.items()}
    whole = _share("nearer", (len(cases) - len(wrong), len(cases)), min_rate, wrong)
    each = (
        {}
        if min_category_rate is None
        else {
            name: _share(
                f"nearer {name}", counts, min_category_rate, [item for item in wrong if item[0].category == name]
            )
            for name, counts in rates.items()
        }
    )
    problems = [whole.message.partition("\n")[0]] if whole.broken else []
    problems += [f"{name}: {part.message}".partition("\n")[0] for name, part in each.items() if part.broken]
    is_grouped = list(rates) != [""]
    told = [f"  {name}: {good:,} of {number:,} ({good / number:.4f})" for name, (good, number) in rates.items()]
    told = [*(told if is_grouped else []), *(_miss(*item) for item in wrong[:_SHOWN])]
    margins = [part.margin for part in (whole, *each.values()) if part.margin is not None]
    return Result(
        outcome="failed" if problems else "passed",
        promised=whole.promised + (f", each category at least {min_category_rate}" if each else ""),
        measured=whole.measured,
        margin=min(margins, default=None),
        number=whole.number,
        message="\n".join([*problems, *told]) if problems else "",
        evidence={
            "right": len(cases) - len(wrong),
            "triplets": len(cases),
            "categories": {name: list(counts) for name, counts in rates.items()},
            "worst": [[case.anchor, case.positive, case.negative, *pair] for case, pair in wrong[:_SHOWN]],
        },
        parts=(whole, *each.values()) if each and is_grouped else (),
        subject=seen.subject,
        device=seen.device,
        changes=seen.changes,
    )


def _share(name: str, counts: tuple[int, int], promised: object, wrong: Sequence[_Wrong]) -> Part:
    """The verdict on the triplets of a category, or on all of them."""
    right, size = counts
    gate = CountGate(promised_number("min_rate", promised, low=0, high=1), size)
    comparison = gate.compare(right)
    lines = [_too_few(right, size, gate.needed, promised), *(_miss(*item) for item in wrong[:_SHOWN])]
    return Part(
        name,
        "passed" if comparison.ok else "failed",
        promised=f"at least {promised} ({gate.needed:,} of {size:,})",
        measured=f"{right / size:.4f} ({right:,} of {size:,})",
        message="" if comparison.ok else "\n".join(lines),
        evidence={"right": right, "triplets": size},
        number=Number("nearer_share", right / size, better="higher"),
        margin=comparison.margin,
    )


def _too_few(right: int, size: int, needed: int, promised: object) -> str:
    verb = "is" if needed == 1 else "are"
    return (
        f"{right:,} of {size:,} triplets are right, and {needed:,} {verb} needed for {promised} "
        f"({needed - right:,} too few)."
    )


def _miss(case: Triplet, pair: tuple[float, float]) -> str:
    return (
        f"  {quoted(case.anchor)} is at {pair[0]:.3f} to {quoted(case.positive)} and at {pair[1]:.3f} to "
        f"{quoted(case.negative)}"
    )
