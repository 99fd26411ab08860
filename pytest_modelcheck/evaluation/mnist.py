"""MNIST's test split from its canonical files, verified before it is believed."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_modelcheck.errors import ModelCheckError, require

# md5 of the unpacked file, and of the .gz that it comes in (torchvision's list).
_FILES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "train-images-idx3-ubyte": ("6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        "train-labels-idx1-ubyte": ("a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"),
        "t10k-images-idx3-ubyte": ("2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"),
        "t10k-labels-idx1-ubyte": ("27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"),
    }
)

# None of them comes near: what is larger, or has no end, is not read for its checksum.
_LARGEST = 50_000_000


def mnist_test_split(root: Path) -> Any:
    """Torchvision's `MNIST(root, train=False, transform=ToTensor())`: 10,000 images `[1, 28, 28]` in 0..1, and labels.

    The canonical files lie in `root/MNIST/raw`, as they are or packed (`.gz`); packed ones are unpacked beside
    themselves. Every file is compared with its checksum first, since torchvision does not look at files that are
    unpacked already. Nothing is downloaded. Raises `ModelCheckError` for a file that is missing or is another one.
    """
    datasets = require("torchvision.datasets", "MNIST")
    transforms = require("torchvision.transforms", "MNIST")
    folder = Path(root) / "MNIST" / "raw"
    for name, (unpacked, packed) in _FILES.items():
        _prepare(folder / name, unpacked, packed)
    return datasets.MNIST(str(root), train=False, transform=transforms.ToTensor())


def _prepare(path: Path, unpacked: str, packed: str) -> None:
    archive = path.with_name(f"{path.name}.gz")
    if not path.exists():
        if not archive.exists():
            raise ModelCheckError(
                f"MNIST is not complete: neither {path.name} nor {archive.name} is in {path.parent}. "
                f"Download it with torchvision.datasets.MNIST({str(path.parents[2])!r}, download=True), or name the "
                "folder that holds MNIST/raw with --modelcheck-mnist-root"
            )
        _verify(archive, packed)
        _unpack(archive, path)
    _verify(path, unpacked)


def _verify(path: Path, expected: str) -> None:
    size = path.stat().st_size
    if not path.is_file() or size > _LARGEST:
        found = f"it has {size:,} bytes, expected at most {_LARGEST:,}" if path.is_file() else "it is no regular file"
        raise _not_canonical(path, found)
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    found = digest.hexdigest()
    if found != expected:
        raise _not_canonical(path, f"its md5 is {found}, expected {expected} ({size:,} bytes)")


def _not_canonical(path: Path, found: str) -> ModelCheckError:
    return ModelCheckError(f"{path} is not the canonical file: {found}. Delete it and fetch or unpack it again")


def _unpack(archive: Path, path: Path) -> None:
    """Unpack through a temporary file, so that another process sees the whole file or none."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with gzip.open(archive) as source, os.fdopen(handle, "wb") as target:
            shutil.copyfileobj(source, target)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
