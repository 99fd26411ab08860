"""Promises of the tensors that go into a model, leave its layers and come out: their shapes, axis by axis."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.checks.promises import Flag, Text
from pytest_modelcheck.checks.shape_promises import (
    Beside,
    Device,
    Expected,
    Finite,
    Layer,
    Named,
    Range,
    Row,
    named_shapes,
    problems_of,
    require_told,
    rows_of,
    together,
)
from pytest_modelcheck.checks.shapes_recorded import as_recorded
from pytest_modelcheck.context import current
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.mechanism import check_together
from pytest_modelcheck.models.forward import first_nonfinite_layer
from pytest_modelcheck.models.inputs import dtype_of, made_inputs, sizes_promised
from pytest_modelcheck.models.places import layers_named, layers_of
from pytest_modelcheck.models.shapes import Shape, bind
from pytest_modelcheck.models.sights import makers, see
from pytest_modelcheck.models.wrappers import unwrapped
from pytest_modelcheck.result import Result

if TYPE_CHECKING:
    from torch.nn import Module

_SHOWN = 10


@check_together(together)
def shape(
    model: "Module | Callable[[], Module]",
    inputs: Any,
    /,
    *,
    expected: Expected | None = None,
    layer: Layer | None = None,
    dtype: Text | None = None,
    finite: Finite | None = None,
    range: Range | None = None,
    device: Device | None = None,
    meta: Flag = False,
) -> Result:
    """The model's output, or what its inputs, layers and outputs are called, has this shape.

    The model runs once on the inputs in evaluation mode: a tuple is passed as positional arguments, a mapping as
    keywords, anything else as the one argument. The inputs may also be described, `[1, 3, 224, 224]` or
    `{"input_ids": ("batch tokens", "int64")}`, where a name without a size gets a small one; a text with its
    tokenizer, `(tokenizer, "text")` or `(tokenizer, ["one", "two"])`; or `None` for the model's
    `example_input_array`.

    The shape is written `[1, 7, 768]` or `"batch tokens 768"`, or as an annotation of jaxtyping, which promises the
    dtype too. A name stands for one size throughout the check, `_` for any size, `...` for any number of axes, and
    `2*tokens+1` for what `+`, `-`, `*` and `//` make of sizes that stand alone elsewhere in `expected`.

    `expected` may name tensors: inputs as the forward calls them (`"input_ids"`), outputs by their path
    (`"last_hidden_state"`, `"hidden_states.*"`, `"0"`, `"cache.0.keys"`; `"output"` for a tensor that is
    the output itself), and layers (`"transformer.layer.*.ffn"`). `*` stands for any one part between dots; all that it
    matches keep one shape, or each its own of a list. One tensor of several that a layer gave stands behind a colon,
    `"gru:0"`. `"input:x"`, `"layer:x"` and `"output:x"` tell apart what goes by one name. A layer that runs several
    times keeps the promise at each of its calls. Sizes are bound by the inputs first, then by the layers in the order
    in which they end, then by the outputs.

    Without `expected`, the shapes and dtypes of all inputs and outputs, or of what the layers of `layer` give, are held
    to those that `--modelcheck-update` recorded, and any that is added, removed or changed is told.

    Of what layers and outputs give, `dtype` is the dtype, `finite` says that no element is NaN or infinite, `range`
    has the lowest and the highest value that may occur, and `device` is where it is.

    The model may stand inside of `torch.compile` or DDP, or be a class or function without arguments that builds it.
    With `meta`, it is built and run on the meta device, where neither takes memory and tensors have no numbers; the
    weights of a model that is built already are left out of that pass.

    Raises `ModelCheckError` where the forward raises; where nothing was recorded; where a name means nothing, or two
    kinds of tensors; where a layer does not run, or gives several tensors of which none is named; and where what is
    promised cannot be measured, such as numbers on the meta device, or of a tensor without elements.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
    >>> shape(model, torch.zeros(2, 4), expected="batch 3", dtype="float32").ok
    True
    >>> print(shape(model, torch.zeros(2, 4), expected=[2, 5], layer="0").message)
    shape of Sequential: layer 0 is [2, 3], promised [2, 5]: axis 1 is 3, promised 5.
    >>> shape(model, [2, 4], expected={"input": "batch dim", "0": "batch dim-1", "output": "batch 3"}).measured
    'input [2, 4], 0 [2, 3], output [2, 3], with batch=2, dim=4'
    >>> shape(lambda: torch.nn.Linear(10**6, 10**6), [2, 10**6], expected="batch 1000000", meta=True).device
    'meta'
    """
    inside = unwrapped(model, meta=meta)
    if expected is None:
        given = made_inputs(_given(inside.model, inputs), current().seed)
        return as_recorded(inside.model, given, layer, name=inside.name, note=inside.note, meta=meta)
    promised = named_shapes(expected, layer)
    beside = Beside(str(dtype_of(dtype)).removeprefix("torch.") if dtype else "", bool(finite), range, device or "")
    given = _given(inside.model, inputs)
    sizes = sizes_promised(given, _of_inputs(promised))
    given = made_inputs(given, current().seed, sizes)
    layers = layers_of(inside.model)
    watched = layers_named([name for name, _ in promised], layers)
    reads_values = beside.finite or beside.range is not None
    seen = see(inside.model, given, watched, values=reads_values, device=current().device, meta=meta)
    rows = rows_of(promised, seen, beside, watched=watched, layers=layers)
    for row in rows:
        bind(row.sight.shape, row.promised, sizes)
    broken = [(row, problems) for row in rows if (problems := problems_of(row, beside, sizes))]
    for row in rows if not broken else ():
        require_told(row, beside)
    lines = _lines(broken, _makers(broken, inside.model, given, meta=meta)) if broken else []
    if any(row.sight.nonfinite for row, _ in broken):
        first = first_nonfinite_layer(inside.model, given, device=current().device)
        lines += [f"The first: {first}."] if first else []
    return Result(
        outcome="failed" if broken else "passed",
        promised=("layer " if layer else "") + ", ".join([*_promised(promised), *beside.told]),
        measured=_measured(rows, are_named=isinstance(expected, Mapping)) + _bound(sizes) + inside.note,
        message="\n".join(lines),
        evidence={
            "layer": layer or "",
            "places": [row.label for row in rows],
            "shapes": [row.sight.shape for row in rows],
            "sizes": sizes,
        },
        subject=inside.name,
        device=seen.device,
        changes=tuple(seen.changes),
    )


def _given(model: "Module", inputs: Any) -> Any:
    given = inputs if inputs is not None else getattr(model, "example_input_array", None)
    if given is None:
        raise ModelCheckError("the inputs are None, and the model has no example_input_array: give inputs")
    return given


def _of_inputs(promised: Named) -> dict[str, Shape]:
    """The shapes under names that inputs may have."""
    return {name.path: item for name, item in promised if name.kind in ("", "input") and isinstance(item, Shape)}


def _lines(broken: list[tuple[Row, list[str]]], made_by: Mapping[str, str]) -> list[str]:
    """One line for each point in which a tensor breaks its promises, with the layer that made it if it is an output."""
    lines: dict[str, None] = {}
    for row, problems in broken:
        maker = made_by.get(row.sight.path) if row.sight.kind == "output" else None
        lines.update(
            {f"{row.label} {problem}{f' (made by layer {maker})' if maker else ''}.": None for problem in problems}
        )
    told = list(lines)
    return told[:_SHOWN] + ([f"... and {len(told) - _SHOWN} more."] if len(told) > _SHOWN else [])


def _makers(broken: list[tuple[Row, list[str]]], model: "Module", inputs: Any, *, meta: bool) -> dict[str, str]:
    # A pass of its own, so that one which keeps its promises watches nothing but what was named.
    is_asked = any(row.sight.kind == "output" for row, _ in broken)
    return makers(model, inputs, device=current().device, meta=meta) if is_asked else {}


def _promised(promised: Named) -> Iterator[str]:
    for name, shapes in promised:
        yield f"{name.written} {' '.join(map(str, shapes)) if isinstance(shapes, list) else shapes}"


def _measured(rows: list[Row], *, are_named: bool) -> str:
    """Each shape once, under the names that were promised, and how many tensors a name stands for."""
    if not are_named:
        return ", ".join(dict.fromkeys(str(row.sight.shape) for row in rows))
    told = []
    for name in dict.fromkeys(row.name.written for row in rows):
        found = [row for row in rows if row.name.written == name]
        number = len({row.label for row in found})
        shapes = " and ".join(dict.fromkeys(str(row.sight.shape) for row in found))
        told.append(f"{name} {shapes}{f' ({number})' * (number > 1)}")
    return ", ".join(told)


def _bound(sizes: Mapping[str, int]) -> str:
    return ", with " + ", ".join(f"{name}={size}" for name, size in sizes.items()) if sizes else ""
