"""The weights that a run releases, as safetensors."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

_ALIGNMENT = 8


def save_weights(network: nn.Module, path: Path, metadata: Mapping[str, object]) -> None:
    """Write the network's weights, with what they were made by and torch's version as metadata.

    Equal weights and metadata give equal files. Weights that are tied are written under each of their names.
    """
    weights = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
    told = {name: str(value) for name, value in metadata.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(_sorted(save(weights, metadata={**told, "torch": torch.__version__})))
    os.replace(unfinished, path)


def _sorted(content: bytes) -> bytes:
    """The same file with its metadata in alphabetical order: safetensors writes it in another order each time."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]
