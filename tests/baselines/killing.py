"""A process that is killed at each step of an update of a baseline, one after the other, and what it left each time.

`python -m tests.baselines.killing FOLDER` prints one line of JSON for each kill. A step is a call into the system's
modules, and the process is killed before it begins and after it ends: whatever the store calls is found here, and no
list of it has to be kept. It runs in a process without threads and without torch, which forks cheaply.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import posix
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_modelcheck.baselines.store import Store

KEY, NEXT = "test_killed token_ids", "test_next token_ids"
BEFORE = {"ids": [1, 2, 3], "text": "before"}
AFTER = {"ids": list(range(2_000)), "text": "after"}

_SYSTEM = (fcntl.__name__, posix.__name__, io.FileIO.__module__)

# Of those, what asks a process about itself or looks at a name only.
_HARMLESS = ("fspath", "getpid", "geteuid", "_path_normpath", "TextIOWrapper.fileno")


def of_system(function: Any) -> bool:
    """Whether a function written in C is one by which a process reaches the file system."""
    owner = getattr(function, "__self__", None)
    module = getattr(function, "__module__", None) or type(owner).__module__
    return module in _SYSTEM and _name(function) not in _HARMLESS


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", function))


def at_each_step(reached: Callable[[str], None]) -> None:
    """Have a function hear of each step before it begins and after it ends, by the name of its call."""

    def profile(_: object, event: str, function: Any) -> None:
        if event.startswith("c_") and of_system(function):
            reached(f"{'before' if event == 'c_call' else 'after'} {_name(function)}")

    sys.setprofile(profile)


def update(test_file: Path) -> None:
    Store(test_file).compare_or_record(KEY, AFTER, "all")


def prepared(folder: Path, is_there: bool) -> Path:
    """A test file, with or without baselines, in a folder with a place of its own for locks."""
    (folder / "tmp").mkdir(parents=True)
    tempfile.tempdir = str(folder / "tmp")
    test_file = folder / "test_words.py"
    if is_there:
        Store(test_file).compare_or_record(KEY, BEFORE, "missing")
    return test_file


def in_child(work: Callable[[], None]) -> int:
    """Do something in a process of its own: the status that it ended with."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def steps_of(folder: Path, is_there: bool) -> list[str]:
    """The steps of an update that nobody kills."""
    test_file, notes = prepared(folder, is_there), folder / "steps"

    def noted() -> None:
        found: list[str] = []
        at_each_step(found.append)
        update(test_file)
        sys.setprofile(None)
        notes.write_text(json.dumps(found), encoding="utf-8")

    assert in_child(noted) == 0
    return list(json.loads(notes.read_text(encoding="utf-8")))


def killed_at(folder: Path, is_there: bool, number: int) -> dict[str, Any]:
    """What is there after a kill at one step, and after the next update."""
    test_file = prepared(folder, is_there)
    path = Store(test_file).path
    before = _text(path)

    def dying() -> None:
        seen: list[str] = []

        def reached(name: str) -> None:
            seen.append(name)
            if len(seen) == number + 1:
                os.kill(os.getpid(), signal.SIGKILL)

        at_each_step(reached)
        update(test_file)

    status = in_child(dying)
    told: dict[str, Any] = {"signal": os.WTERMSIG(status), "before": before, "killed": _text(path)}
    told["left"] = _others(path)
    signal.alarm(20)  # the lock of a process that was killed is free
    Store(test_file).compare_or_record(NEXT, BEFORE, "missing")
    signal.alarm(0)
    told["next"] = read(Store(test_file))
    return {**told, "left after": _others(path)}


def whole(folder: Path, is_there: bool) -> str | None:
    """The file after an update that nobody kills."""
    test_file = prepared(folder, is_there)
    update(test_file)
    return _text(Store(test_file).path)


def read(store: Store) -> dict[str, Any]:
    """All baselines of a store."""
    return {key: store.compare_or_record(key, {}, "")[0] for key in store.recorded()}


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _others(path: Path) -> list[str]:
    return sorted(found.name for found in path.parent.iterdir() if found != path) if path.parent.exists() else []


def main(root: Path) -> None:
    for is_there in (True, False):
        beside = root / str(is_there)
        after = whole(beside / "whole", is_there)
        for number, step in enumerate(steps_of(beside / "steps", is_there)):
            told = killed_at(beside / str(number), is_there, number)
            print(json.dumps({"step": step, "after": after, **told}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
