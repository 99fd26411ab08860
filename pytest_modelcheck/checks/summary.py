"""Promises of a model's whole table, and of the operations that it takes."""

import json
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

from pytest_modelcheck.checks.parameters import totals_of
from pytest_modelcheck.checks.promises import Count, Text
from pytest_modelcheck.comparison import at_most, equal
from pytest_modelcheck.context import current
from pytest_modelcheck.errors import ConfigError, ModelCheckError
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.models.inputs import made_inputs
from pytest_modelcheck.models.summary import COLUMNS, MEASURED, Summary, summarize, with_symbolic_batch
from pytest_modelcheck.models.summary_changes import change, changes
from pytest_modelcheck.models.wrappers import unwrapped
from pytest_modelcheck.result import Number, Result

if TYPE_CHECKING:
    from torch.nn import Module

_SHOWN = 30


def _depth(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value == 0 or value < -1:
        raise ConfigError(f"{name}={value!r}: -1 for all layers, or how deep they are looked into, is expected")


def _described(name: str, value: object) -> None:
    if isinstance(value, str):
        raise ConfigError(
            f"{name}={value!r}: a tensor, or sizes such as [32, 1, 28, 28], are expected, and no name of a fixture: "
            "the table's inputs are part of what is promised"
        )


def _columns(name: str, value: object) -> None:
    known = ", ".join(COLUMNS)
    chosen = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    if not chosen:
        raise ConfigError(f"{name}={value!r}: a list of some of {known} is expected")
    for column in chosen:
        if column not in COLUMNS:
            raise ConfigError(f"{name} has {column!r}, and the columns are {known}")


@check
def summary(
    model: "Module | Callable[[], Module]",
    /,
    *,
    inputs: Annotated[Any, _described] = None,
    max_depth: Annotated[int, _depth] = -1,
    columns: Annotated[Sequence[str], _columns] | None = None,
    batch: Text | None = None,
) -> Result:
    """Every layer has the name, type, parameters, sizes, mode and operations that were reviewed.

    The table is that of ModelSummary in exact numbers. It is recorded by `--modelcheck-update` in `__modelcheck__/`
    beside the test file, one layer to a line, to be reviewed like code; a difference tells which layers were added,
    removed, renamed, moved and changed.

    Beside the layers, the sizes and operations of the whole model are compared, its dtypes, and what of it is frozen.
    Sizes and operations are measured on `inputs`, or on the model's own `example_input_array`: a tensor, a tuple, a
    mapping, or what describes them, `[32, 1, 28, 28]` or `{"input_ids": ([1, 7], "int64")}`. Without either, the table
    has none. `max_depth` is how deep layers are looked into, `columns` which of them the table has, and `batch` a name
    that stands for the batch size, of at least 2, where it is the first axis; operations are then those of one sample.

    The model may stand inside of `torch.compile`, DDP or FSDP; a class or a function without arguments builds one on
    the meta device, where neither the model nor its pass takes memory.

    Raises `ModelCheckError` where the forward raises, and where parameters cannot be counted.

    >>> import torch
    >>> summary(torch.nn.Linear(4, 3), columns=["type", "parameters"])
    Traceback (most recent call last):
    pytest_modelcheck.ConfigError: summary has a baseline under pytest --modelcheck only: give the promise itself
    """
    inside = unwrapped(model)
    given = made_inputs(inputs, current().seed) if inputs is not None else _example_of(inside.model)
    chosen = _chosen(columns, given)
    table = summarize(
        inside.model, given, max_depth=max_depth, device=current().device, flops=columns is None or "flops" in chosen
    )
    today = _content(table, chosen, batch, max_depth)
    recorded, is_new = current().baseline("summary", today)
    problem = _problem(recorded, today)
    number = len(table.rows)
    return Result(
        outcome="failed" if problem else "passed",
        promised=f"{len(recorded.get('rows', ()))} layers, total {_total(recorded)}",
        measured=f"{number} layers, total {table.counts.total:,} ({'recorded now' if is_new else 'baseline'})"
        + inside.note,
        message=problem,
        evidence={
            **totals_of(table.counts, inside.name),
            "flops": table.whole.get("flops"),
            "batch": table.batch,
            "rows": {name: dict(row) for name, row in table.rows.items()},
        },
        number=Number("parameters", table.counts.total),
        subject=inside.name,
        device=table.device,
        changes=tuple(table.changes),
    )


@check
def flops(
    model: "Module | Callable[[], Module]", inputs: Any, /, *, total: Count | None = None, max: Count | None = None
) -> Result:
    """One forward pass on the inputs takes exactly this many floating-point operations, or at most so many.

    They are counted by torch's `FlopCounterMode`: two for each multiplication with its addition, of matrix products,
    convolutions and attention. `inputs` are a tensor, a tuple, a mapping, or what describes them, `[1, 3, 224, 224]`. A
    model on the meta device, or a function without arguments that builds one there, is counted without numbers.

    Raises `ModelCheckError` where the forward raises.

    >>> import torch
    >>> flops(torch.nn.Linear(4, 3), [2, 4], total=48).measured
    '48 FLOPs at a batch of 2'
    >>> print(flops(torch.nn.Linear(4, 3), [2, 4], max=40).message)
    flops of Linear: one pass takes 48 FLOPs at a batch of 2, promised at most 40 (8 more).
    """
    inside = unwrapped(model)
    table = summarize(inside.model, made_inputs(inputs, current().seed), device=current().device)
    measured = table.whole["flops"] or 0
    at_batch = f" at a batch of {table.batch}" if table.batch is not None else ""
    problems = []
    if total is not None and not equal(measured, Fraction(total)).ok:
        change = f"{abs(measured - total):,} {'more' if measured > total else 'fewer'}"
        problems.append(f"one pass takes {measured:,} FLOPs{at_batch}, promised {total:,} ({change}).")
    bound = at_most(measured, Fraction(max)) if max is not None else None
    if bound is not None and not bound.ok:
        problems.append(
            f"one pass takes {measured:,} FLOPs{at_batch}, promised at most {max:,} ({measured - (max or 0):,} more)."
        )
    if measured == 0:
        raise ModelCheckError("the pass had no operation that is counted: matrix products, convolutions or attention")
    promised = [f"{total:,} FLOPs"] if total is not None else []
    promised += [f"at most {max:,} FLOPs"] if max is not None else []
    return Result(
        outcome="failed" if problems else "passed",
        promised=", ".join(promised),
        measured=f"{measured:,} FLOPs{at_batch}{inside.note}",
        margin=bound.margin if bound is not None else None,
        message="\n".join([*problems, *_heaviest(table)]) if problems else "",
        evidence={"flops": measured, "batch": table.batch},
        number=Number("flops", measured, better="" if max is None else "lower"),
        subject=inside.name,
        device=table.device,
        changes=tuple(table.changes),
    )


def _example_of(model: Any) -> Any:
    return getattr(model, "example_input_array", None)


def _chosen(columns: Sequence[str] | None, given: Any) -> list[str]:
    if columns is None:
        return [column for column in COLUMNS if given is not None or column not in MEASURED]
    missing = [column for column in columns if column in MEASURED and given is None]
    if missing:
        raise ModelCheckError(f"the column {missing[0]} needs a pass of the model: give inputs=")
    return [column for column in COLUMNS if column in columns]


def _content(table: Summary, columns: list[str], batch: str | None, max_depth: int) -> dict[str, Any]:
    """What is recorded: the columns, and a list for each layer, in the model's order."""
    measured = [column for column in columns if column in MEASURED]
    shown = with_symbolic_batch(table, batch) if batch is not None else table
    if not shown.rows and not measured:
        raise ModelCheckError("the model has neither layers nor parameters, and there is nothing to compare")
    return {
        "batch": (batch or table.batch) if measured else None,
        "columns": ["name", *columns],
        "dtypes": dict(table.counts.dtypes) if len(table.counts.dtypes) > 1 else list(table.counts.dtypes),
        "frozen": list(table.counts.frozen),
        "max_depth": max_depth,
        "model": {column: shown.whole[column] for column in measured},
        "rows": [[name, *(row.get(column) for column in columns)] for name, row in shown.rows.items()],
        "total": table.counts.total,
        "trainable": table.counts.trainable,
    }


def _problem(recorded: Mapping[str, Any], today: Mapping[str, Any]) -> str:
    # As text, in which 1, 1.0 and true are three things.
    if json.dumps(recorded, sort_keys=True) == json.dumps(today, sort_keys=True):
        return ""
    for name in ("columns", "batch", "max_depth"):
        if recorded.get(name) != today[name]:
            raise _unlike(f"was recorded with {name} {recorded.get(name)}, and this is {name} {today[name]}")
    try:
        whole = [change("the model", recorded["model"], today["model"])] if recorded["model"] != today["model"] else []
        lines = [*(line for told in whole for line in told), *changes(_rows(recorded), _rows(today))]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _unlike(f"is no table of layers ({type(error).__name__}: {error})") from None
    lines += [
        f"~ {name}: {recorded.get(name)} -> {today[name]}"
        for name in ("dtypes", "frozen")
        if recorded.get(name) != today[name]
    ]
    totals = [_change(name, recorded.get(name), today[name]) for name in ("total", "trainable")]
    if not lines and not any("->" in total for total in totals):
        raise _unlike("says the same in another way, as a file that was edited by hand may")
    shown = [f"  {line}" for line in lines[:_SHOWN]]
    if len(lines) > _SHOWN:
        shown.append(f"  ... and {len(lines) - _SHOWN} more")
    number = f"{len(lines)} change{'s' * (len(lines) != 1)} since the table was reviewed; "
    told = "\n".join([number + ", ".join(totals) + ".", *shown])
    return f"{told}\nIf the changes are meant, pytest --modelcheck --modelcheck-update=all records them."


def _unlike(why: str) -> ModelCheckError:
    return ModelCheckError(f"the baseline {why}. pytest --modelcheck --modelcheck-update=all records it anew")


def _rows(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    _, *columns = content["columns"]
    rows = {row[0]: dict(zip(columns, row[1:], strict=True)) for row in content["rows"]}
    if len(rows) != len(content["rows"]):
        raise ValueError("a layer stands in it twice")
    return rows


def _change(name: str, before: Any, after: int) -> str:
    if before == after or not isinstance(before, int):
        return f"{name} {after:,}"
    return f"{name} {before:,} -> {after:,} ({abs(after - before):,} {'more' if after > before else 'fewer'})"


def _total(recorded: Mapping[str, Any]) -> str:
    total = recorded.get("total")
    return f"{total:,}" if isinstance(total, int) else str(total)


def _heaviest(table: Summary) -> list[str]:
    inner = table.counts.innermost
    total = table.whole.get("flops") or 1
    layers = {name: row["flops"] for name, row in table.rows.items() if row.get("flops") and name in inner}
    heaviest = sorted(layers.items(), key=lambda item: -item[1])[:5]
    return [f"  {name}: {number:,} ({number / total:.1%})" for name, number in heaviest]
