"""Files that are written whole: what is beside them is left alone, but for what a killed write left there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pytest_modelcheck.baselines import files
from pytest_modelcheck.baselines.files import remove_left_over, write_whole
from pytest_modelcheck.baselines.store import Store


def left_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary file of a write that was killed before it took its name."""
    known = set(path.parent.iterdir()) if path.parent.exists() else set()
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", lambda source, _: os.link(source, f"{source}.kept"))
        write_whole(path, "half")
    [kept] = [found for found in path.parent.iterdir() if found.suffix == ".kept"]
    temporary = kept.with_suffix("")
    kept.unlink()
    assert set(path.parent.iterdir()) == known | {temporary}
    return temporary


def test_what_a_killed_write_left_is_removed_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "test_a.json"
    ours, others = left_over(path, monkeypatch), left_over(tmp_path / "test_b.json", monkeypatch)
    names = (".test_a.json.swp", "test_a.json~", f"{ours.name}.bak", f"{ours.stem}x{ours.suffix}", "test_a.json")
    for name in names:
        (tmp_path / name).write_text("somebody's", encoding="utf-8")
    remove_left_over(path)
    assert {found.name for found in tmp_path.iterdir()} == {*names, others.name}


def test_the_next_update_removes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(tmp_path / "test_a.py")
    temporary = left_over(store.path, monkeypatch)
    store.compare_or_record("a", {"ids": [1]}, "missing")
    assert not temporary.exists()
    temporary = left_over(store.path, monkeypatch)
    assert store.compare_or_record("a", {}, "") == ({"ids": [1]}, False)
    assert temporary.exists()
    store.prune(lambda _: True)
    assert not store.path.parent.exists()


def test_what_cannot_be_removed_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(tmp_path / "test_a.py")
    temporary = left_over(store.path, monkeypatch)
    temporary.unlink()
    temporary.mkdir()
    assert store.compare_or_record("a", {"ids": [1]}, "missing") == ({"ids": [1]}, True)


@pytest.mark.skipif(os.name == "nt", reason="Windows opens no folder")
def test_the_names_reach_the_disk_after_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    steps: list[tuple[str, object]] = []
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        seen = os.fstat(handle)
        steps.append(("fsync of the folder", seen.st_ino) if stat.S_ISDIR(seen.st_mode) else ("fsync", seen.st_size))
        fsync(handle)

    def replaced(source: Path, path: Path) -> None:
        steps.append(("replace", Path(path).name))
        replace(source, path)

    monkeypatch.setattr(files.os, "fsync", synced)
    monkeypatch.setattr(files.os, "replace", replaced)
    path = tmp_path / "folder" / "a.json"
    write_whole(path, "new")
    inodes = [folder.stat().st_ino for folder in (path.parent, tmp_path)]
    written: list[tuple[str, object]] = [("fsync", 3), ("replace", "a.json"), ("fsync of the folder", inodes[0])]
    assert steps == [*written, ("fsync of the folder", inodes[1])]
    steps.clear()
    write_whole(path, "two")
    assert steps == written


def test_a_file_system_that_knows_of_no_folders_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fsync = os.fsync

    def refused(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(22, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(files.os, "fsync", refused)
    write_whole(tmp_path / "a.json", "new")
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_the_rights_of_a_file_are_kept(tmp_path: Path, mode: int):
    path = tmp_path / "a.json"
    write_whole(path, "old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.chmod(mode)
    write_whole(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
