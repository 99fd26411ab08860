"""How far two runs of one model may be apart, by dtype and kind of device, before they are said to differ."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_modelcheck.comparison import exact
from pytest_modelcheck.errors import ConfigError, ModelCheckError

if TYPE_CHECKING:
    from torch import Tensor
    from torch import dtype as Dtype  # noqa: N812

# The share of the largest magnitude, or of 1 where that is more. An entry with a device goes before one without.
# Those of CUDA are for exact float32 products: TF32, where a user turns it on, takes a promise of its own.
FIGURES: Mapping[str, float] = MappingProxyType(
    {
        "float64": 1e-9,
        "float32": 1e-5,
        "float32@cuda": 1e-4,
        "float32@mps": 1e-4,
        "float16": 1e-2,
        "bfloat16": 5e-2,
    }
)

_DEVICES = ("cpu", "cuda", "mps")

# A complex number is as exact as the two floats that it is made of.
_PARTS: Mapping[str, str] = MappingProxyType({"complex64": "float32", "complex128": "float64", "complex32": "float16"})


def tolerance_for(dtype: Dtype | str, device: str, table: Mapping[str, float] | None = None) -> float:
    """The relative figure for a dtype on a device; integers and booleans have none, and are compared exactly.

    `table` goes before the figures of this package: its entry for the dtype and the device, then its entry for the
    dtype. Raises `ModelCheckError` for a dtype that no table knows.

    >>> tolerance_for("float32", "cpu"), tolerance_for("torch.float32", "cuda:0")
    (1e-05, 0.0001)
    >>> tolerance_for("float32", "cuda:0", {"float32": 0.5})
    0.5
    """
    name = str(dtype).removeprefix("torch.")
    name = _PARTS.get(name, name)
    if name == "bool" or "int" in name:
        return 0.0
    for figures in (table or {}, FIGURES):
        for key in (f"{name}@{device.partition(':')[0]}", name):
            if key in figures:
                return figures[key]
    raise ModelCheckError(f"no tolerance is known for {name}: give tolerance=")


def tolerated(reference: Tensor, device: str, table: Mapping[str, float] | None = None) -> float:
    """The largest difference from a tensor that is none: the figure, times the largest magnitude where that exceeds 1.

    >>> import torch
    >>> tolerated(torch.tensor([0.5, -200.0]), "cpu")
    0.002
    """
    figure = tolerance_for(reference.dtype, device, table)
    if not figure:
        return 0.0
    scale = float(reference.abs().max()) if reference.numel() else 1.0
    return figure * max(1.0, scale)


def parse_tolerances(text: str) -> Mapping[str, float]:
    """The table of figures in a comma list, each of them `dtype=figure` or `dtype@device=figure`.

    >>> dict(parse_tolerances("float32=1e-4, bfloat16@cuda=0.1"))
    {'float32': 0.0001, 'bfloat16@cuda': 0.1}
    >>> parse_tolerances("float=1e-4")
    Traceback (most recent call last):
    pytest_modelcheck.ConfigError: 'float=1e-4': 'float' is no dtype: float64, float32, float16 or bfloat16 is expected
    """
    table: dict[str, float] = {}
    for part in filter(None, (item.strip() for item in text.split(","))):
        key, figure = _entry(part)
        if key in table:
            raise ConfigError(f"{part!r}: {key} is named twice in {text!r}")
        table[key] = figure
    if not table:
        raise ConfigError(f"{text!r} names no tolerance: 'float32=1e-4, bfloat16@cuda=0.1' is expected")
    return MappingProxyType(table)


def _entry(part: str) -> tuple[str, float]:
    name, equals, written = (item.strip() for item in part.partition("="))
    dtype, at, device = name.partition("@")
    known = [key for key in FIGURES if "@" not in key]
    if not equals:
        raise ConfigError(f"{part!r} is no tolerance: dtype=figure or dtype@device=figure is expected")
    if dtype not in known:
        raise ConfigError(f"{part!r}: {dtype!r} is no dtype: {', '.join(known[:-1])} or {known[-1]} is expected")
    if at and device not in _DEVICES:
        raise ConfigError(f"{part!r}: {device!r} is no kind of device: cpu, cuda or mps is expected")
    try:
        figure = exact(float(written))
    except ValueError:
        figure = None
    if figure is None or figure <= 0:
        raise ConfigError(f"{part!r}: {written!r} is no figure: a finite number above 0 is expected")
    return name, float(figure)
