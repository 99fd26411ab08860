"""Updates of several processes at once: none is lost."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from pytest_modelcheck.baselines.store import FOLDER, Store

WRITERS, UPDATES = 4, 250
FILES = ("test_one", "test_two", "test_three")


def _record(folder: Path, writer: int, barrier: multiprocessing.synchronize.Barrier) -> None:
    """A writer's share: most are baselines of its own, and every fifth is one that all writers record anew."""
    barrier.wait()
    for number in range(UPDATES):
        store = Store(folder / f"{FILES[number % len(FILES)]}.py")
        if number % 5:
            store.compare_or_record(f"{writer} {number}", {"ids": [writer, number]}, "missing")
        else:
            store.compare_or_record(f"all {number}", {"value": writer}, "all")


@pytest.mark.slow  # 1,000 updates reach the disk, each by itself
def test_of_a_thousand_updates_by_four_processes_none_is_lost(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(WRITERS)
    writers = [context.Process(target=_record, args=(tmp_path, writer, barrier)) for writer in range(WRITERS)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    assert [process.exitcode for process in writers] == [0] * WRITERS
    own, shared = {}, {}
    for name in FILES:
        store = Store(tmp_path / f"{name}.py")
        found = {key: store.compare_or_record(key, {}, "")[0] for key in store.recorded()}
        assert list(found) == sorted(found)
        own |= {key: content for key, content in found.items() if not key.startswith("all ")}
        shared |= {key: content for key, content in found.items() if key.startswith("all ")}
    numbers = range(UPDATES)
    assert own == {f"{w} {n}": {"ids": [w, n]} for w in range(WRITERS) for n in numbers if n % 5}
    # The last one stands there, and those before it are its history: all four have been there.
    values = {key: sorted([content["value"], *content["history"]]) for key, content in shared.items()}
    assert values == {f"all {number}": list(range(WRITERS)) for number in numbers if number % 5 == 0}
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == sorted(f"{name}.json" for name in FILES)
    assert json.loads((tmp_path / FOLDER / "test_one.json").read_text(encoding="utf-8"))["schema_version"] == 1
