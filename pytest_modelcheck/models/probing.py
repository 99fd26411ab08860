"""A model run on inputs that differ in one known way, and by how much its outputs differ then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import process
from pytest_modelcheck.comparison import at_most, exact
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.models.forward import observe
from pytest_modelcheck.models.meta import is_on_meta
from pytest_modelcheck.models.tolerances import tolerated
from pytest_modelcheck.tensors import require_module, tensors_in

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_SHOWN = 10


class NotFinite(Exception):
    """Outputs that were to be compared hold NaN or infinite values; `inputs` are what the model was given."""

    def __init__(self, problem: str, inputs: Any) -> None:
        super().__init__(problem)
        self.inputs = inputs


@dataclass(frozen=True)
class Outputs:
    """The tensors that a model gave by their paths, `"output"` for one that stands alone, and what it was given."""

    tensors: Mapping[str, Tensor]
    inputs: Any

    def each(self, change: Callable[[str, Tensor], Tensor]) -> Outputs:
        """The same with every tensor changed."""
        return replace(self, tensors={path: change(path, tensor) for path, tensor in self.tensors.items()})


@dataclass(frozen=True)
class Difference:
    """The largest difference between outputs, seen from what is tolerated: of which output, and at which index."""

    value: float
    tolerance: float
    path: str
    index: tuple[int, ...]

    @property
    def tolerated(self) -> bool:
        """Whether it is none."""
        promised = exact(self.tolerance)
        return promised is not None and at_most(self.value, promised).ok

    @property
    def seen(self) -> bool:
        """Whether it is one; what is no finite number is neither."""
        value, promised = exact(self.value), exact(self.tolerance)
        return value is not None and promised is not None and value > promised

    @property
    def rank(self) -> tuple[bool, float]:
        """What orders differences of outputs that have tolerances of their own."""
        return self.seen, self.value / self.tolerance if self.tolerance else self.value

    @property
    def margin(self) -> float:
        """What is left up to the tolerance, as a share of the larger of the two: from -1 to 1."""
        larger = max(self.value, self.tolerance)
        return (self.tolerance - self.value) / larger if larger else 0.0


@dataclass(frozen=True)
class Probe:
    """A model with what its runs have in common: the device, the seed, the outputs that are looked at, the tolerance.

    `tolerance` is an absolute one, `None` for that of the outputs' dtypes, of which `table` may have others. What the
    model changed in any run is named in `changes`.
    """

    model: Module
    device: str = ""
    seed: int = 0
    chosen: tuple[str, ...] = ()
    tolerance: float | None = None
    table: Mapping[str, float] | None = None
    changes: dict[str, None] = field(default_factory=dict)
    devices: dict[str, None] = field(default_factory=dict)

    def outputs(self, inputs: Any, *, seed: int = 0) -> Outputs:
        """What the model gives for these inputs, on the CPU. Every run starts from one random state."""
        process.seed_world(self.seed + seed)
        seen = observe(self.model, inputs, device=self.device)
        self.changes.update(dict.fromkeys(seen.changes))
        self.devices[seen.device] = None
        # A cache is no output; some models of transformers before 5 give theirs as plain tensors.
        outputs = [item for item in tensors_in(seen.output) if not item[0].startswith("past_key_values.")]
        found = {path or "output": tensor.detach().cpu() for path, tensor in outputs}
        if not found:
            raise ModelCheckError(f"the output holds no tensor: it is a {type(seen.output).__name__}")
        kept = {path: tensor for path, tensor in found.items() if not self.chosen or within(path, self.chosen)}
        for name in self.chosen:
            if not any(within(path, (name,)) for path in kept):
                raise ModelCheckError(f"there is no output {name!r}; there is {listed(found)}")
        for path, tensor in kept.items():
            if not tensor.numel():
                raise ModelCheckError(f"{path} is {list(tensor.shape)}, and holds no values to compare")
        return Outputs(kept, inputs)

    def reference(self, inputs: Any) -> Outputs:
        """What the model gives for these inputs, once it is clear that it gives the same again.

        Raises `ModelCheckError` for a model that is random in itself, and for one on the meta device.
        """
        require_module(self.model)
        if is_on_meta(self.model):
            raise ModelCheckError("the model is on the meta device, and its outputs hold no numbers: give it weights")
        first, again = self.outputs(inputs), self.outputs(inputs, seed=1)
        # What is not finite is judged where it is compared: it may stand in the place of padding.
        difference = self.largest(first.each(_finite_part), again.each(_finite_part))
        if not difference.tolerated:
            raise ModelCheckError(
                f"the model gives other outputs for the same inputs ({difference.path} differs by "
                f"{difference.value:.3g}): it is random in itself, and nothing can be compared"
            )
        return first

    def largest(self, reference: Outputs, other: Outputs) -> Difference:
        """The largest difference of two runs, measured by its tolerance; integers have none.

        Raises `ModelCheckError` where the runs gave tensors of other names or shapes, and `NotFinite`.
        """
        if list(reference.tensors) != list(other.tensors):
            raise ModelCheckError(f"one run gave {listed(reference.tensors)}, and another {listed(other.tensors)}")
        found = [self._of(path, tensor, reference, other) for path, tensor in reference.tensors.items()]
        return max(found, key=lambda item: item.rank)

    def _of(self, path: str, one: Tensor, reference: Outputs, other: Outputs) -> Difference:
        import torch

        two = other.tensors[path]
        if one.shape != two.shape or one.dtype != two.dtype:
            raise ModelCheckError(
                f"{path} is {list(one.shape)} of {one.dtype} in one run, and {list(two.shape)} of {two.dtype} in "
                "another: there is nothing to compare"
            )
        for tensor, run in ((one, reference), (two, other)):
            _require_finite(path, tensor, run.inputs)
        tolerance = self._tolerance(one)
        wide = torch.complex128 if one.is_complex() else torch.float64 if one.is_floating_point() else torch.int64
        apart = (one.to(wide) - two.to(wide)).abs()
        at = int(apart.argmax())
        index = tuple(int(item) for item in torch.unravel_index(torch.tensor(at), apart.shape))
        return Difference(float(apart.flatten()[at]), tolerance, path, index)

    def _tolerance(self, reference: Tensor) -> float:
        # What is exact stays so: an integer has a neighbour, and no noise.
        is_exact = not (reference.is_floating_point() or reference.is_complex())
        if self.tolerance is None or is_exact:
            return tolerated(reference, self.ran_on, self.table)
        return self.tolerance

    @property
    def ran_on(self) -> str:
        """The device that the model ran on; `""` before its first run."""
        return next(iter(self.devices), "")


def _finite_part(_path: str, tensor: Tensor) -> Tensor:
    return tensor.masked_fill(~tensor.isfinite(), 0)


def _require_finite(path: str, tensor: Tensor, inputs: Any) -> None:
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return
    wrong = ~tensor.isfinite()
    number = int(wrong.sum())
    if number:
        raise NotFinite(
            f"{path} holds {number:,} of {tensor.numel():,} values that are NaN or infinite, the first at "
            f"{wrong.nonzero()[0].tolist()}",
            inputs,
        )


def within(path: str, names: tuple[str, ...]) -> bool:
    """Whether a path is one of the names, or lies inside of one: `"hidden_states.0"` in `"hidden_states"`."""
    return any(path == name or path.startswith(f"{name}.") for name in names)


def listed(found: Mapping[str, Tensor]) -> str:
    """Paths with their shapes, for a message."""
    shown = [f"{path} {list(tensor.shape)}" for path, tensor in list(found.items())[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


def with_tensors(value: Any, change: Callable[[str, Tensor], Tensor], path: str = "") -> Any:
    """The value with every tensor in it changed, which is told its path.

    >>> import torch
    >>> with_tensors({"a": (torch.ones(1), "text")}, lambda path, tensor: tensor * 2)
    {'a': (tensor([2.]), 'text')}
    """
    import torch

    def inner(key: object, item: Any) -> Any:
        return with_tensors(item, change, f"{path}.{key}" if path else str(key))

    if isinstance(value, torch.Tensor):
        return change(path, value)
    if isinstance(value, Mapping):
        return {key: inner(key, item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(inner(key, item) for key, item in zip(value._fields, value, strict=True)))
    if isinstance(value, list | tuple):
        return type(value)(inner(key, item) for key, item in enumerate(value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{item.name: inner(item.name, getattr(value, item.name)) for item in fields(value)})
    return value


@dataclass(frozen=True)
class Axes:
    """Which axis is meant, of each input and each output.

    A path in `named` is that of an output, or of an input behind `inputs.`; it stands for all that lies inside of it.
    `None` is for a tensor that has no such axis. All that is not named has the `default`.
    """

    default: int
    named: Mapping[str, int | None] = field(default_factory=dict)

    def of_input(self, path: str) -> int | None:
        """The axis of an input."""
        return self._of(f"inputs.{path}" if path else "inputs")

    def of_output(self, path: str) -> int | None:
        """The axis of an output."""
        return self._of(path)

    def names(self, path: str) -> bool:
        """Whether an output has an axis of its own."""
        return any(name in self.named for name in _upwards(path))

    def _of(self, path: str) -> int | None:
        return next((self.named[name] for name in _upwards(path) if name in self.named), self.default)

    def require_known(self, given: Any, outputs: Mapping[str, Tensor]) -> None:
        """Raise a `ModelCheckError` for a name that is no input and no output."""
        inputs = [f"inputs.{path}" if path else "inputs" for path, _ in tensors_in(given)]
        for name in self.named:
            if name != "inputs" and not any(within(path, (name,)) for path in (*inputs, *outputs)):
                raise ModelCheckError(
                    f"an axis is promised for {name!r}, which is no tensor here; there is "
                    f"{', '.join([*inputs, *outputs][:_SHOWN])}"
                )


def _upwards(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]
