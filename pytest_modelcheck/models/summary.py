"""The table of a model: every layer with its type, parameters, sizes and operations, in exact numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, is_dataclass, replace
from dataclasses import fields as fields_of
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.forward import Entry, Note, run
from pytest_modelcheck.models.parameters import ParameterCounts, count_parameters
from pytest_modelcheck.models.wrappers import class_name, plain_names

if TYPE_CHECKING:
    from torch.nn import Module

# The columns after the layer's name, as ModelSummary calls them.
COLUMNS = ("type", "parameters", "mode", "in_sizes", "out_sizes", "flops")
# Deeper than any model.
_ALL = 999

MEASURED = ("in_sizes", "out_sizes", "flops")

Row = dict[str, Any]


@dataclass(frozen=True)
class Summary:
    """The rows of a model's layers by name, in their order; `batch` is the batch size of sizes and operations.

    `counts` are the parameters of the whole; `whole` has its sizes and operations, and nothing where nothing ran.
    """

    rows: Mapping[str, Row]
    counts: ParameterCounts
    batch: int | None = None
    whole: Row = field(default_factory=dict)
    device: str = ""
    changes: Sequence[str] = field(default_factory=tuple)


def summarize(
    model: Module, inputs: Any = None, *, max_depth: int = -1, device: str = "", flops: bool = True
) -> Summary:
    """The table of a model, as ModelSummary shows it, but exact and for any module.

    Sizes and operations are measured where inputs are given: those of a layer's first call, and its operations in all
    of them, as torch's `FlopCounterMode` counts them. Parameters that the model itself holds have rows of their own.
    `max_depth` is how deep layers are looked into: -1 for all of them. Without `flops`, operations are not counted.

    Operations are counted the same on every device: torch's fused kernels of attention and recurrent layers, which its
    counter does not know, are off.

    >>> import torch
    >>> table = summarize(torch.nn.Sequential(torch.nn.Linear(4, 3)), torch.zeros(2, 4))
    >>> table.rows["0"]["out_sizes"], table.rows["0"]["parameters"], table.whole["flops"]
    ([2, 3], 15, 48)
    """
    counts = count_parameters(model)
    plain = plain_names(model)
    layers = {plain[path]: module for path, module in model.named_modules() if plain[path]}
    shown = {name: module for name, module in layers.items() if max_depth < 0 or name.count(".") < max_depth}
    rows: dict[str, Row] = {
        name: {
            "type": class_name(module),
            "parameters": counts.layers[name],
            "mode": "train" if module.training else "eval",
        }
        for name, module in shown.items()
    }
    rows.update(_raw_parameters(model))
    if inputs is None:
        return Summary(rows, counts)
    return _measured(model, inputs, shown, rows, counts, device, flops=flops)


def _raw_parameters(model: Module) -> dict[str, Row]:
    """The parameters that the model itself holds."""
    return {
        name: {"type": f"{type(item).__name__}{list(item.shape)}", "parameters": item.numel(), "mode": ""}
        for name, item in model.named_parameters(recurse=False)
    }


def _measured(
    model: Module,
    inputs: Any,
    shown: Mapping[str, Module],
    rows: dict[str, Row],
    counts: ParameterCounts,
    device: str,
    *,
    flops: bool,
) -> Summary:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    seen: dict[str, Row] = {}
    counters: list[FlopCounterMode] = []

    @contextmanager
    def attempt() -> Iterator[None]:
        seen.clear()
        counters.append(FlopCounterMode(display=False, depth=_ALL))
        with warnings.catch_warnings(), counters[-1] if flops else nullcontext(), _plain_kernels():
            warnings.filterwarnings("ignore", "Using `torch.compile")  # a compiled layer minds that it is watched
            yield

    # A scripted layer takes no hooks.
    hooked = {name: module for name, module in shown.items() if not isinstance(module, torch.jit.ScriptModule)}
    entered = [(module, _in_sizes_into(seen, name)) for name, module in hooked.items()]
    watched = [(module, _out_sizes_into(seen, name)) for name, module in hooked.items()]
    try:
        observation = run(model, inputs, watched, entered=entered, device=device, attempt=attempt)
    except ModelCheckError as error:
        if flops and _runs(model, inputs, device):
            raise ModelCheckError(
                f"torch's FlopCounterMode cannot watch this model ({error.__cause__}): leave the column flops out"
            ) from error
        raise
    counted = _flops_by_layer(counters[-1], model)
    for name, row in rows.items():
        row.update({"in_sizes": None, "out_sizes": None, **seen.get(name, {})})
        row["flops"] = counted.get(name, 0) if flops and name in seen else None
    whole = {"in_sizes": sizes_of(inputs), "out_sizes": sizes_of(observation.output)}
    return Summary(
        rows,
        counts,
        batch=_batch_of(inputs),
        whole={**whole, "flops": int(counters[-1].get_total_flops()) if flops else None},
        device=observation.device,
        changes=observation.changes,
    )


def _runs(model: Module, inputs: Any, device: str) -> bool:
    try:
        run(model, inputs, device=device)
    except ModelCheckError:
        return False
    return True


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """Without the fused kernels that torch's counter does not know, so that a count is the same on every device."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    before = torch.backends.mha.get_fastpath_enabled(), torch._C._get_mkldnn_enabled(), torch.backends.cudnn.enabled
    try:
        _set_kernels(False, False, False)
        # The counter of torch before 2.15 does not know the CPU's fused attention.
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        _set_kernels(*before)


def _set_kernels(attention: bool, onednn: bool, cudnn: bool) -> None:
    import torch

    torch.backends.mha.set_fastpath_enabled(attention)
    torch._C._set_mkldnn_enabled(onednn)  # the public context manager sets, and warns of, more than this
    torch.backends.cudnn.enabled = cudnn


def _in_sizes_into(seen: dict[str, Row], name: str) -> Entry:
    def note(args: tuple[Any, ...], keywords: Mapping[str, Any]) -> None:
        if name not in seen:
            given = [*args, *keywords.values()]
            seen[name] = {"in_sizes": sizes_of(given[0] if len(given) == 1 else given)}

    return note


def _out_sizes_into(seen: dict[str, Row], name: str) -> Note:
    def note(_args: tuple[Any, ...], _keywords: Mapping[str, Any], output: Any) -> None:
        seen[name].setdefault("out_sizes", sizes_of(output))

    return note


def sizes_of(value: Any) -> Any:
    """The sizes of the tensors in a value, nested as they are; `None` where there is none.

    >>> import torch
    >>> sizes_of((torch.zeros(2, 3), None, {"state": torch.zeros(4)}))
    [[2, 3], {'state': [4]}]
    """
    import torch

    if isinstance(value, torch.Tensor):
        return list(value.shape)
    if is_dataclass(value) and not isinstance(value, type):
        value = {item.name: getattr(value, item.name) for item in fields_of(value)}
    if isinstance(value, Mapping):
        return {str(key): sizes for key, item in value.items() if (sizes := sizes_of(item)) is not None} or None
    if isinstance(value, list | tuple):
        return [sizes for item in value if (sizes := sizes_of(item)) is not None] or None
    return None


def _flops_by_layer(counter: Any, model: Module) -> dict[str, int]:
    """The operations of each layer by its first name; the counter knows it by the model's class and its last path."""
    plain = plain_names(model)
    first = {id(module): plain[path] for path, module in model.named_modules()}
    name_of = {path: first[id(module)] for path, module in model.named_modules(remove_duplicate=False)}
    counted: dict[str, int] = {}
    root = f"{type(model).__name__}."
    for known, operations in counter.get_flop_counts().items():
        path = known.removeprefix(root)
        if known.startswith(root) and path in name_of:
            # A wrapper and what it holds have one name, and the same operations.
            counted[name_of[path]] = max(counted.get(name_of[path], 0), int(sum(operations.values())))
    return counted


def _batch_of(inputs: Any) -> int | None:
    from pytest_modelcheck.tensors import tensors_in

    return next((int(tensor.shape[0]) for _, tensor in tensors_in(inputs) if tensor.ndim), None)


def with_symbolic_batch(summary: Summary, name: str) -> Summary:
    """The summary with the batch size, where it is the first axis, under a name, and with operations for one sample.

    Raises `ModelCheckError` for a batch of one, which no axis could be told from, and where operations do not divide by
    the batch.
    """
    batch = summary.batch
    if batch is None or batch < 2:
        raise ModelCheckError(f"a symbolic batch size needs inputs with a batch of at least 2, and this is {batch}")
    rows = {layer: _symbolic(layer, row, batch, name) for layer, row in summary.rows.items()}
    return replace(summary, rows=rows, whole=_symbolic("the model", summary.whole, batch, name))


def _symbolic(layer: str, row: Row, batch: int, name: str) -> Row:
    flops = row.get("flops")
    if flops and flops % batch:
        raise ModelCheckError(
            f"the {flops:,} operations of {layer} do not divide by the batch of {batch}: leave the column flops out, "
            "or the symbolic batch size"
        )
    sizes: Row = {column: _renamed(row[column], batch, name) for column in ("in_sizes", "out_sizes") if column in row}
    return {**row, **sizes, "flops": flops // batch if flops is not None else None}


def _renamed(sizes: Any, batch: int, name: str) -> Any:
    if isinstance(sizes, dict):
        return {key: _renamed(item, batch, name) for key, item in sizes.items()}
    if isinstance(sizes, list) and sizes and isinstance(sizes[0], int):
        return [name if sizes[0] == batch else sizes[0], *sizes[1:]]
    return [_renamed(item, batch, name) for item in sizes] if isinstance(sizes, list) else sizes
