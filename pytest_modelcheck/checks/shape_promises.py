"""What the check of shapes may be promised: shapes under names, and what holds beside a shape of every tensor."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pytest_modelcheck.comparison import at_least, at_most, promised_number
from pytest_modelcheck.devices import parse_devices
from pytest_modelcheck.errors import ConfigError, ModelCheckError
from pytest_modelcheck.models.places import Name, only, parse_layer, parse_name, places, whole_output
from pytest_modelcheck.models.shapes import Shape, Sizes, mismatch, parse_shapes, require_bound
from pytest_modelcheck.models.sights import KINDS, Sight, Sights

# Each name with its shape, or with one shape for each tensor that it names.
Named = list[tuple[Name, Shape | list[Shape]]]


def named_shapes(expected: Any, layer: str | None = None) -> Named:
    """The names and shapes that are promised: those of a mapping, or one shape of the output or of a layer.

    >>> [(name.path, str(shape)) for name, shape in named_shapes({"logits": "batch 10"})]
    [('logits', '[batch, 10]')]
    """
    if isinstance(expected, Mapping):
        return [(parse_name(name), parse_shapes(item)) for name, item in expected.items()]
    return [(whole_output() if layer is None else parse_layer(layer), parse_shapes(expected))]


def _expected(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        _read_as(name, parse_shapes, value)
    elif not value:
        raise ConfigError(f"{name}={value!r}: a shape, or a mapping from names to shapes, is expected")
    for key, item in value.items() if isinstance(value, Mapping) else ():
        if not isinstance(key, str):
            raise ConfigError(f"{name} has the key {key!r}: the name of an input, layer or output is expected")
        _read_as(name, parse_name, key)
        _read_as(f"{name}[{key!r}]", parse_shapes, item)
    _read_as(name, require_bound, [item for _, shapes in named_shapes(value) for item in _listed(shapes)])


def _layer(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ConfigError(f"{name}={value!r}: a text (str) is expected")
    _read_as(name, parse_layer, value)


def _read_as(name: str, read: Callable[[Any], object], value: object) -> None:
    try:
        read(value)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def _listed(shapes: Shape | list[Shape]) -> list[Shape]:
    return shapes if isinstance(shapes, list) else [shapes]


def _finite(name: str, value: object) -> None:
    if value is not True:
        raise ConfigError(f"{name}={value!r}: True is expected, or nothing")


def _range(name: str, value: object) -> None:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ConfigError(f"{name}={value!r}: a pair of the lowest and the highest value is expected")
    if promised_number(f"{name}[0]", value[0]) > promised_number(f"{name}[1]", value[1]):
        raise ConfigError(f"{name}={value!r}: the lowest value comes first")


def _device(name: str, value: object) -> None:
    if not isinstance(value, str) or value == "auto" or len(parse_devices(value)) > 1:
        raise ConfigError(f"{name}={value!r}: one device is expected: cpu, cuda, cuda:N or mps")


def together(promises: Mapping[str, Any]) -> None:
    """Raise a `ConfigError` where promises clash."""
    alone = [name for name in ("dtype", "finite", "range", "device") if name in promises and "expected" not in promises]
    if alone:
        raise ConfigError(f"{alone[0]} is promised beside expected: give both")
    if "layer" in promises and isinstance(promises.get("expected"), Mapping):
        raise ConfigError("layer goes with one shape: name the layer in expected, where the others are")
    beside = [name for name in ("finite", "range", "device") if name in promises]
    if promises.get("meta") and beside:
        raise ConfigError(f"{beside[0]} cannot be promised with meta=True, where tensors have shapes and dtypes only")


# A shape or a list of shapes, as they are written.
_Written = Sequence[Any] | str | type

Expected = Annotated[_Written | Mapping[str, _Written], _expected]
Layer = Annotated[str, _layer]
Finite = Annotated[bool, _finite]
Range = Annotated[Sequence[float], _range]
Device = Annotated[str, _device]


@dataclass(frozen=True)
class Beside:
    """What is promised of the tensors that layers and outputs give, beside their shapes."""

    dtype: str = ""
    finite: bool = False
    range: Sequence[float] | None = None
    device: str = ""

    @property
    def told(self) -> list[str]:
        """The promises, in words."""
        told = [self.dtype, "finite" * self.finite, self.from_to, f"on {self.device}" if self.device else ""]
        return [words for words in told if words]

    @property
    def from_to(self) -> str:
        """The range in words, or `""`."""
        return f"from {self.range[0]} to {self.range[1]}" if self.range is not None else ""

    @property
    def of_numbers(self) -> list[str]:
        """The names of the promises that the meta device cannot tell."""
        known = {"finite": self.finite, "range": self.range is not None, "device": bool(self.device)}
        return [name for name, is_promised in known.items() if is_promised]


@dataclass(frozen=True)
class Row:
    """One tensor with the shape that it was promised, the name that was written, and the label of its place."""

    name: Name
    label: str
    sight: Sight
    promised: Shape


def rows_of(
    promised: Named, sights: Sights, beside: Beside, *, watched: Collection[str], layers: Collection[str]
) -> list[Row]:
    """Every tensor that is named, in the order in which they bind sizes; of all the layers, only some were watched.

    Raises `ModelCheckError` where a name means nothing or not what the number of its shapes says, and where nothing
    that is named could keep what is promised beside the shapes.
    """
    rows = []
    for name, shapes in promised:
        if name.is_whole and isinstance(shapes, Shape):
            only("the output", sights.output, "expected={'output:%s': ...}")
        found = places(name, sights, watched, layers)
        if isinstance(shapes, list) and len(shapes) != len(found):
            numbers = f"{_number(len(found), 'tensor')}, and {_number(len(shapes), 'shape')}"
            raise ModelCheckError(f"{name.written!r} names {numbers} in a list: one for each is expected")
        each = shapes if isinstance(shapes, list) else [shapes] * len(found)
        rows += [
            Row(name, item.label, sight, shape)
            for item, shape in zip(found, each, strict=True)
            for sight in item.sights
        ]
    if beside.told and all(row.sight.kind == "input" for row in rows):
        raise ModelCheckError(
            f"{' and '.join(beside.told)} is promised of what the model gives, and only inputs are named"
        )
    if beside.of_numbers and sights.device == "meta":
        raise ModelCheckError(
            f"the model is on the meta device, where {' and '.join(beside.of_numbers)} cannot be measured: give it "
            "with its weights"
        )
    return sorted(rows, key=lambda row: (KINDS.index(row.sight.kind), row.sight.call))


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def problems_of(row: Row, beside: Beside, sizes: Sizes) -> list[str]:
    """In which points a tensor breaks its promises; names that are new are bound in `sizes`."""
    sight, promised = row.sight, row.promised
    wrong = mismatch(sight.shape, promised, sizes)
    found = [f"is {sight.shape}, promised {promised}: {wrong}"] if wrong else []
    if promised.dtypes and sight.dtype not in promised.dtypes:
        found.append(f"is {sight.dtype}, promised {promised.dtype}")
    if sight.kind == "input":
        return found
    if beside.dtype and sight.dtype != beside.dtype:
        found.append(f"is {sight.dtype}, promised {beside.dtype}")
    if beside.device and beside.device not in (sight.device, sight.device.partition(":")[0]):
        found.append(f"is on {sight.device}, promised {beside.device}")
    if sight.nonfinite and (beside.finite or beside.range is not None):
        verb = "is" if sight.nonfinite == 1 else "are"
        wanted = "finite" if beside.finite else beside.from_to
        found.append(
            f"is not finite: {sight.nonfinite} of {sight.elements} elements {verb} NaN or infinite, promised {wanted}"
        )
    elif beside.range is not None and sight.low is not None:
        low, high = (promised_number("range", bound) for bound in beside.range)
        if not (at_least(sight.low, low).ok and at_most(sight.high, high).ok):
            found.append(f"is from {sight.low!s} to {sight.high!s}, promised {beside.from_to}")
    return found


def require_told(row: Row, beside: Beside) -> None:
    """Raise `ModelCheckError` where the values of a tensor cannot tell whether it keeps its promises."""
    sight = row.sight
    if sight.kind == "input" or not (beside.finite or beside.range is not None):
        return
    if sight.nonfinite is None:
        raise ModelCheckError(f"{row.label} is {sight.shape} and has no elements, whose values could be measured")
    if beside.range is not None and sight.low is None:
        raise ModelCheckError(f"{row.label} is {sight.dtype}, and has neither a lowest nor a highest value")
