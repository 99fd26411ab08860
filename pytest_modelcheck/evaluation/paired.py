"""Two models on the same samples: which of them broke, and which were fixed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_modelcheck.errors import ModelCheckError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Paired:
    """How many samples were right before, and those that broke and were fixed since, by their positions."""

    before: int
    size: int
    broken: Sequence[int]
    fixed: Sequence[int]


def packed(right: Tensor) -> str:
    """Which samples are right, a bit for each, the first sample in the highest bit of the first byte, as base64.

    >>> import torch
    >>> packed(torch.tensor([True, False, True]))
    'oA=='
    """
    import torch

    bits = torch.nn.functional.pad(right.to(torch.uint8), (0, -len(right) % 8)).reshape(-1, 8)
    weights = torch.tensor([128, 64, 32, 16, 8, 4, 2, 1], dtype=torch.uint8)
    return base64.b64encode(bytes((bits * weights).sum(1).tolist())).decode("ascii")


def unpacked(text: str, size: int) -> Tensor:
    """What `packed` wrote of so many samples; a `ValueError` for what it did not write."""
    import torch

    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("the bits are no base64") from None
    if len(data) != -(-size // 8):
        raise ValueError(f"{len(data)} bytes of bits, and {size} samples have {-(-size // 8)}")
    found = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.zeros(0, dtype=torch.uint8)
    shifts = torch.tensor([7, 6, 5, 4, 3, 2, 1, 0], dtype=torch.uint8)
    bits = ((found[:, None] >> shifts) & 1).flatten().bool()
    if bool(bits[size:].any()):
        raise ValueError(f"bits are set behind the last of {size} samples")
    return bits[:size]


def require_order(fingerprint: str, name: str) -> None:
    """Raise `ModelCheckError` for data in an order that is not known, which has no fingerprint."""
    if not fingerprint:
        raise ModelCheckError(
            f"the samples cannot be paired with those of the baseline {name!r}: the data gives them in random order. "
            "Evaluate without shuffle"
        )


def compared(recorded: Mapping[str, Any], right: Tensor, fingerprint: str, name: str, model: str) -> Paired:
    """The samples that broke and were fixed since a baseline was recorded.

    Raises `ModelCheckError` where it was recorded on other data or of a model of another class, or says nothing that
    could be compared.
    """
    remedy = "pytest --modelcheck --modelcheck-update=all records it anew"
    require_order(fingerprint, name)
    size, data = recorded.get("samples"), recorded.get("data")
    if data != fingerprint or size != len(right):
        raise ModelCheckError(
            f"the baseline {name!r} was recorded on other data: {size:,} samples of fingerprint {data!s:.16}, and this "
            f"is {len(right):,} of {fingerprint:.16}. Samples that are not the same cannot be paired; {remedy}"
            if isinstance(size, int)
            else f"the baseline {name!r} tells no number of samples; {remedy}"
        )
    if recorded.get("model") != model:
        raise ModelCheckError(
            f"the baseline {name!r} was recorded of another model, {recorded.get('model')!s:.80}, and this is {model}. "
            f"If it takes the other's place, {remedy}"
        )
    try:
        before = unpacked(recorded["right"], len(right))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelCheckError(
            f"the baseline {name!r} cannot be read ({type(error).__name__}: {error}); {remedy}"
        ) from None
    known = int(before.sum())
    if known != recorded.get("correct"):
        counted = recorded.get("correct")
        raise ModelCheckError(f"the baseline {name!r} counts {counted} correct samples, and its bits {known}; {remedy}")
    broken, fixed = ((one & ~other).nonzero().flatten().tolist() for one, other in ((before, right), (right, before)))
    return Paired(known, len(right), broken, fixed)
