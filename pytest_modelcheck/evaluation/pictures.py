"""A small picture of a sample, as a report shows it."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

# The longest side of a picture, in pixels, and of an image that is looked at.
_SIDE = 64
_LARGEST = 8192


def picture_of(inputs: Any, row: int) -> str:
    """One sample of a batch of images `[batch, channels, height, width]` as a `data:` address of a PNG.

    Gray or in colour, its values stretched to the full range, at most 64 pixels a side; `""` for what is no image.
    """
    import torch

    if not isinstance(inputs, torch.Tensor) or inputs.dim() != 4 or inputs.shape[1] not in (1, 3):
        return ""
    image = inputs[row].detach().float().cpu()
    height, width = image.shape[1:]
    if not 4 <= min(height, width) <= max(height, width) <= _LARGEST or not bool(image.isfinite().all()):
        return ""
    scale = max(height, width) / _SIDE
    if scale > 1:
        size = (max(1, round(height / scale)), max(1, round(width / scale)))
        image = torch.nn.functional.interpolate(image[None], size=size, mode="area")[0]
    low, high = float(image.min()), float(image.max())
    pixels = ((image - low) / max(high - low, 1e-12) * 255).round().to(torch.uint8)
    return "data:image/png;base64," + base64.b64encode(_png(pixels)).decode("ascii")


def _png(pixels: Tensor) -> bytes:
    """Pixels `[1 or 3, height, width]` of bytes as a PNG file (W3C, Portable Network Graphics, third edition)."""
    channels, height, width = pixels.shape
    rows = pixels.permute(1, 2, 0).reshape(height, -1).tolist()
    data = b"".join(b"\0" + bytes(row) for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(data, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
