"""Data files and settings that are bombs, have no end, or would take the run over."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.fault import Fault, Group

MNIST = """
import pytest
import torch

@pytest.mark.modelcheck
def test_fault(modelcheck_mnist):
    assert torch.is_tensor(modelcheck_mnist[0][0])
"""

GATE = """
import pytest

@pytest.mark.modelcheck
def test_fault():
    assert 1 == 2
"""

FIRST = "train-images-idx3-ubyte"


def data(name: str, make: Callable[[Path], object], problem: str) -> Fault:
    """A file in the place of MNIST's first one."""

    def prepare(root: Path) -> None:
        path = root / "data/MNIST/raw" / name
        path.parent.mkdir(parents=True)
        make(path)

    return Fault(
        MNIST,
        f"setup: ModelCheckError: {{root}}/data/MNIST/raw/{name} is not the canonical file: {problem}. Delete it and "
        "fetch or unpack it again",
        prepare=prepare,
        needs="torchvision",
    )


def idx(*sizes: int) -> bytes:
    return struct.pack(f">{1 + len(sizes)}I", 0x0803, *sizes) + bytes(784)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(idx(2**31, 2**31, 2**31))
        file.truncate(1 << 40)


def bomb(path: Path) -> None:
    """20 MB of zeros in twenty kilobytes."""
    path.write_bytes(gzip.compress(bytes(20_000_000)))


def waiver(toml: str | bytes, problem: str, *options: str) -> Fault:
    """A `pyproject.toml` that ends the run before any test; with `-c`, it is not pytest that reads it first."""
    return Fault(
        GATE,
        f"ERROR: modelcheck: {problem}\n",
        "",
        exit=pytest.ExitCode.USAGE_ERROR,
        files={"pyproject.toml": toml},
        options=options,
        goes_on=False,
    )


def waivers(entry: str) -> str:
    return f"[tool.modelcheck.waivers]\n{entry}\n"


WHO = 'reason = "r", owner = "o"'

DATA = Group(
    "Data files that are bombs",
    {
        "an archive that unpacks to a thousand times its size": data(
            f"{FIRST}.gz", bomb, "its md5 is …, expected f68b3c2dcbeaaa9fbdd348bbdeb94873 (… bytes)"
        ),
        "images whose header promises 2**31 of them": data(
            FIRST,
            lambda path: path.write_bytes(idx(2**31, 28, 28)),
            "its md5 is …, expected 6bbc9ace898e44ae57da46a324031adb (800 bytes)",
        ),
        "images of a terabyte": data(FIRST, sparse, "it has 1,099,511,627,776 bytes, expected at most 50,000,000"),
        "images that are a device without an end": data(
            FIRST, lambda path: path.symlink_to("/dev/zero"), "it is no regular file"
        ),
    },
    hostile=True,
)

SETTINGS = Group(
    "Settings that would take the run over",
    {
        "a waiver without an end": waiver(
            waivers(f'"t.py::test_fault" = {{ {WHO}, expires = inf }}'),
            "the waiver of t.py::test_fault: expires is a day such as 2030-01-31, not inf",
        ),
        "a waiver until a time without a day": waiver(
            waivers(f'"t.py::test_fault" = {{ {WHO}, expires = 23:59:59 }}'),
            "the waiver of t.py::test_fault: expires is a day such as 2030-01-31, not datetime.time(23, 59, 59)",
        ),
        "a waiver whose owner is a table": waiver(
            waivers('"t.py::test_fault" = { reason = "r", owner = { a = { b = 1 } }, expires = 2099-01-01 }'),
            "the waiver of t.py::test_fault: owner is a text, not {'a': {'b': 1}}",
        ),
        "a waiver whose reason cannot be seen": waiver(
            waivers(r'"t.py::test_fault" = { reason = "\u200b\u2060", owner = "o", expires = 2099-01-01 }'),
            "the waiver of t.py::test_fault has no reason: say why it may fail",
        ),
        "a waiver of a name that a terminal would obey": waiver(
            waivers(r'"\u001b[2J\u202e::error::evil" = { reason = "r" }'),
            "the waiver of \\x1b[2J\\u202e::error::evil has no owner: say who will mend it",
        ),
        "a waiver whose key has a million letters": waiver(
            waivers(f'"{"k" * 1_000_000}" = {{}}'),
            f'the waiver of {"k" * 200}… is of no test: write its name in quotes, "tests/test_it.py::test_it"',
        ),
        "waivers in deep nesting": waiver(
            f"x = {'[' * 100_000}", "{root}/pyproject.toml cannot be read: it is nested too deeply", "-cpytest.ini"
        ),
        "waivers that are no text": waiver(
            b"[tool.modelcheck.waivers]\n\xff\x00", "{root}/pyproject.toml cannot be read: …", "-cpytest.ini"
        ),
    },
    hostile=True,
)
