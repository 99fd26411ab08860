"""A file is written whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_modelcheck.baselines.files import write_whole


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_text_is_written_as_it_is_into_folders_that_are_made(tmp_path: Path):
    path = tmp_path / "a" / "b" / "c.json"
    write_whole(path, "é\n\u2028\r\n\ttext")
    assert path.read_bytes() == "é\n\u2028\r\n\ttext".encode()
    assert [item.name for item in path.parent.iterdir()] == ["c.json"]


def test_the_encoding_is_not_that_of_the_machine(tmp_path: Path):
    write_whole(tmp_path / "here.json", "é\u2028日")
    call = f"write_whole(Path({str(tmp_path / 'there.json')!r}), 'é\\u2028日')"
    code = f"from pathlib import Path\nfrom pytest_modelcheck.baselines.files import write_whole\n{call}"
    machine = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", code.encode("ascii", "backslashreplace")], env=machine, check=True)
    assert (tmp_path / "there.json").read_bytes() == (tmp_path / "here.json").read_bytes()


@pytest.fixture
def no_mask():
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_new_file_is_read_by_all_and_an_old_one_keeps_its_mode(tmp_path: Path, no_mask: None):
    path = tmp_path / "c.json"
    write_whole(path, "1")
    assert mode_of(path) == 0o644
    for mode in (0o600, 0o664, 0o755):
        path.chmod(mode)
        write_whole(path, "2")
        assert mode_of(path) == mode
    path.chmod(0o4777)
    write_whole(path, "3")
    assert mode_of(path) == 0o777


def test_it_reaches_the_disk_beside_the_file_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, events = tmp_path / "c.json", []
    path.write_text("old", encoding="utf-8")
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        # All of the text is in the file, and not in a buffer.
        if stat.S_ISREG(os.fstat(handle).st_mode):
            events.append(("synced", os.fstat(handle).st_size))
        fsync(handle)

    def replaced(source: Path, target: Path) -> None:
        source = Path(source)
        events.append(("replaced", source.read_text(encoding="utf-8"), path.read_text(encoding="utf-8")))
        assert source.parent == tmp_path
        assert source.name.startswith(".")
        assert Path(target) == path
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_whole(path, "a new text")
    assert events == [("synced", 10), ("replaced", "a new text", "old")]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("no space"), KeyboardInterrupt()], ids=["full disk", "interrupt"])
def test_where_a_step_fails_the_old_file_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
):
    def failing(*arguments: object) -> None:
        raise error

    path = tmp_path / "c.json"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, step, failing)
    with pytest.raises(type(error)) as raised:
        write_whole(path, "new")
    assert raised.value is error
    assert path.read_text(encoding="utf-8") == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["c.json"]


def test_what_cannot_be_encoded_leaves_nothing(tmp_path: Path):
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "c.json", "\ud800")
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_file_that_somebody_removed_hides_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def removed(source: Path, target: Path) -> None:
        Path(source).unlink()
        raise OSError("it is gone")

    monkeypatch.setattr(os, "replace", removed)
    with pytest.raises(OSError, match="^it is gone$"):
        write_whole(tmp_path / "c.json", "new")
