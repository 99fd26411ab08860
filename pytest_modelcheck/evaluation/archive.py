"""The zip archive in which torch saves: what it holds, and whether that is all of what was read from it."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_modelcheck.tensors import tensors_in


def entries_of(file: Path) -> list[zipfile.ZipInfo]:
    """The entries of an archive."""
    with zipfile.ZipFile(file) as archive:
        return archive.infolist()


def whole(content: Any, entries: Sequence[zipfile.ZipInfo]) -> Any:
    """What was read from these entries; a `ValueError` where its tensors have more bytes than the entries.

    Torch 2.6 fills up what is missing with whatever lies in memory.
    """
    tensors = [tensor for _, tensor in tensors_in(content) if str(tensor.layout) == "torch.strided"]
    storages = [tensor.untyped_storage() for tensor in tensors if not tensor.is_meta]
    read = sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
    if read > sum(entry.file_size for entry in entries if "/data/" in entry.filename):
        raise ValueError("its weights end too early")
    return content
