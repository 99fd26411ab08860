"""A disk that is full, or may only be read: a clear error, the old baseline to the byte, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.baselines.store import Store
from tests.small_disks import FULL, NO_NAMES, on_small_disk, read_only

ROOT = Path(__file__).parents[2]

BEFORE = {"ids": [1], "text": "before"}

# An update of a recorded baseline in a folder on a disk that is as the test wants it, and one after there is room.
UPDATE = """
import errno, json, resource, sys, tempfile
from pathlib import Path
from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.baselines.store import Store

folder, way, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = Store(folder / "test_words.py")
before, after = {"ids": [1], "text": "before"}, {"ids": list(range(size)), "text": "after"}
if way != "read only":
    store.compare_or_record("a", before, "missing")
old = store.path.read_bytes()
names = sorted(path.name for path in store.path.parent.iterdir())
filler = folder / "filler"

def fill():
    with filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))

def take_names():
    filler.mkdir()
    for number in range(100):
        (filler / str(number)).touch()

if way == "limit":
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(old), limits[1]))
elif way != "read only":
    try:
        fill() if way == "full" else take_names()
    except OSError as error:
        assert error.errno == errno.ENOSPC
    if way == "no names for the lock":
        tempfile.tempdir = str(folder / "__modelcheck__")
told = []
for update in ("all", "missing", ""):
    try:
        told.append(store.compare_or_record("a", after, update))
    except ModelCheckError as error:
        told.append(str(error))
    assert store.path.read_bytes() == old
    assert sorted(path.name for path in store.path.parent.iterdir()) == names
if way == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
elif filler.is_dir():
    [path.unlink() for path in filler.iterdir()]
elif filler.exists():
    filler.unlink()
if way != "read only":
    tempfile.tempdir = None
    assert store.compare_or_record("a", after, "all") == (after, True)
print(json.dumps(told))
"""

# What is done to the disk, how many ids the baseline gets, and what is said; small ones fail when they are flushed.
WAYS = {
    "a limit to the size of files": ("limit", 500, "", "could not be written: [Errno 27] File too large"),
    "a limit, and a baseline of many pages": ("limit", 9_000, "", "could not be written: [Errno 27] File too large"),
    "a full disk": ("full", 500, FULL, "could not be written: [Errno 28] No space left on device"),
    "a full disk, and a baseline of many pages": (
        "full",
        9_000,
        FULL,
        "could not be written: [Errno 28] No space left on device",
    ),
    "no room for a name": (
        "no names",
        3,
        NO_NAMES,
        "could not be written: [Errno 28] No space left on device: '{folder}/__modelcheck__/.",
    ),
    "no room for the lock": (
        "no names for the lock",
        3,
        NO_NAMES,
        "cannot be locked: [Errno 28] No space left on device: '{folder}/__modelcheck__/pytest-modelcheck'",
    ),
}


def run(folder: Path, command: list[str]) -> list[Any]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return list(json.loads(ended.stdout))


@pytest.mark.skipif(os.name == "nt", reason="limits and mounts of POSIX")
@pytest.mark.parametrize("name", WAYS)
def test_what_cannot_be_written_leaves_the_old_baseline(tmp_path: Path, name: str):
    way, size, options, said = WAYS[name]
    command = [sys.executable, "-c", UPDATE, str(tmp_path), way, str(size)]
    told = run(tmp_path, on_small_disk(tmp_path, options, command) if options else command)
    path = tmp_path / "__modelcheck__" / "test_words.json"
    assert told[0].startswith(f"the baseline {path} {said.format(folder=tmp_path)}")
    # What needs no room is as ever; a lock is room.
    assert told[1] == (told[0] if "lock" in name else [BEFORE, False])
    assert told[2] == [BEFORE, False]


def test_a_folder_that_is_read_only_keeps_its_baseline(tmp_path: Path):
    store = Store(tmp_path / "test_words.py")
    store.compare_or_record("a", BEFORE, "missing")
    old = store.path.read_bytes()
    told = run(tmp_path, read_only(tmp_path, [sys.executable, "-c", UPDATE, str(tmp_path), "read only", "3"]))
    assert told[0].startswith(f"the baseline {store.path} could not be written: [Errno 30] Read-only file system: '")
    assert told[1:] == [[BEFORE, False]] * 2
    assert store.path.read_bytes() == old


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path):
    command = "import sys; from pathlib import Path; from pytest_modelcheck.baselines.store import Store\n"
    command += "try: Store(Path(sys.argv[1]) / 'test_words.py').compare_or_record('a', {}, 'missing')\n"
    command += "except Exception as error: print(f'[\"{type(error).__name__}: {error}\"]')"
    told = run(tmp_path, read_only(tmp_path, [sys.executable, "-c", command, str(tmp_path)]))
    path = tmp_path / "__modelcheck__"
    assert told == [
        f"ModelCheckError: the baseline {path}/test_words.json could not be written: "
        f"[Errno 30] Read-only file system: '{path}'"
    ]
    assert not path.exists()


def test_a_path_under_a_file_is_refused(tmp_path: Path):
    (tmp_path / "folder").write_text("a file is in the way", encoding="utf-8")
    store = Store(tmp_path / "folder" / "test_words.py")
    for update in ("", "missing", "all"):
        with pytest.raises(ModelCheckError) as raised:
            store.compare_or_record("a", {"ids": [1]}, update)
        assert str(raised.value) == (
            f"the baseline {store.path} is refused: it cannot be read: [Errno 20] Not a directory: '{store.path}'. "
            "Mend it, or delete it: pytest --modelcheck --modelcheck-update records it anew"
        )
    assert (tmp_path / "folder").read_text(encoding="utf-8") == "a file is in the way"


@pytest.mark.parametrize("name", ["mkstemp", "fsync", "replace"])
def test_whatever_fails_leaves_the_old_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    from pytest_modelcheck.baselines import files

    store = Store(tmp_path / "test_words.py")
    store.compare_or_record("a", BEFORE, "missing")
    old = store.path.read_bytes()

    def fails(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files.tempfile if name == "mkstemp" else files.os, name, fails)
    with pytest.raises(ModelCheckError) as raised:
        store.compare_or_record("a", {"ids": [2]}, "all")
    assert str(raised.value) == f"the baseline {store.path} could not be written: [Errno 5] Input/output error"
    assert list(store.path.parent.iterdir()) == [store.path]
    assert store.path.read_bytes() == old
