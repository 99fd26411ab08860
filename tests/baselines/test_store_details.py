"""What a store tells, keeps and refuses, to the letter."""

from __future__ import annotations

import json
import math
import re
import stat
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.baselines import files
from pytest_modelcheck.baselines.store import Store
from pytest_modelcheck.errors import MissingDependency

RECORD = "pytest --modelcheck --modelcheck-update records it"
MEND = f". Mend it, or delete it: {RECORD} anew"
LARGEST = 64 * 1024 * 1024


class Listener(list):
    """What a store told of."""

    def __call__(self, *event: object) -> None:
        self.append(event)


@pytest.fixture
def told() -> Listener:
    return Listener()


@pytest.fixture
def store(tmp_path: Path, told: Listener) -> Store:
    return Store(tmp_path / "test_words.py", told)


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of locks, in a temporary folder of its own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder / "pytest-modelcheck"


def baselines_of(store: Store) -> dict[str, object]:
    return json.loads(store.path.read_text(encoding="utf-8"))["baselines"]


def refused(store: Store, why: str) -> str:
    return f"^{re.escape(f'the baseline {store.path} is refused: {why}')}"


def test_the_file_lies_beside_the_test_file(tmp_path: Path, told: Listener):
    path = tmp_path / "__modelcheck__" / "test_words.json"
    assert Store(tmp_path / "test_words.py").path == path
    assert Store.at(path).path == path
    Store.at(path, told).compare_or_record("a", {"ids": [1]}, "missing")
    assert told == [("a", None, {"ids": [1]})]
    assert Store.at(path).recorded() == ["a"]


def test_what_changes_is_told_and_what_does_not_is_not(store: Store, told: Listener):
    store.compare_or_record("a", {"ids": [1]}, "missing")
    store.compare_or_record("a", {"ids": [2]}, "missing")
    store.compare_or_record("a", {"ids": [1]}, "all")
    store.compare_or_record("a", {"ids": [1]}, "")
    assert told == [("a", None, {"ids": [1]})]
    store.compare_or_record("a", {"ids": [2]}, "all")
    assert told[1:] == [("a", {"ids": [1]}, {"ids": [2]})]


def test_nobody_has_to_listen(tmp_path: Path):
    store = Store(tmp_path / "test_words.py")
    assert store.compare_or_record("a", {"ids": [1]}, "all") == ({"ids": [1]}, True)
    store.prune(lambda key: True)
    assert not store.path.exists()


def test_of_what_is_the_same_the_file_is_not_written_again(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.compare_or_record("a", {"value": 1}, "all")
    store.compare_or_record("a", {"value": 2}, "all")
    before = (store.path.read_bytes(), store.path.stat().st_ino)
    assert store.compare_or_record("a", {"value": 2}, "all") == ({"value": 2, "history": [1]}, False)
    assert store.compare_or_record("a", {"value": 3}, "missing") == ({"value": 2, "history": [1]}, False)
    store.prune(lambda key: False)
    assert (store.path.read_bytes(), store.path.stat().st_ino) == before


def test_the_values_before_are_kept_the_oldest_first(store: Store):
    for value in range(25):
        content, recorded = store.compare_or_record("a", {"value": value}, "all")
        assert recorded
    assert content == {"value": 24, "history": list(range(4, 24))}
    assert baselines_of(store) == {"a": {"value": 24, "history": list(range(4, 24))}}


@pytest.mark.parametrize(
    ("before", "content", "after"),
    [
        ({"ids": [1]}, {"ids": [2]}, {"ids": [2]}),
        ({"ids": [1]}, {"value": 2}, {"value": 2}),
        ({"value": 1}, {"ids": [2]}, {"ids": [2]}),
        ({"value": 1, "history": "none"}, {"value": 2}, {"value": 2, "history": [1]}),
        ({"value": 1, "history": [0]}, {"value": 2, "of": "b"}, {"value": 2, "of": "b", "history": [0, 1]}),
    ],
    ids=["no values", "a first value", "a last value", "a history that is none", "a history"],
)
def test_only_a_number_has_a_history(store: Store, before: dict, content: dict, after: dict):
    store.compare_or_record("a", before, "missing")
    assert store.compare_or_record("a", content, "all") == (after, True)
    assert baselines_of(store) == {"a": after}


def test_what_is_recorded_leaves_the_others_as_they_are(store: Store):
    assert store.recorded() == []
    assert not store.path.parent.exists()
    for key in ("b", "a", "c"):
        store.compare_or_record(key, {"ids": [key]}, "missing")
    store.compare_or_record("a", {"ids": []}, "all")
    assert sorted(store.recorded()) == ["a", "b", "c"]
    assert baselines_of(store) == {"a": {"ids": []}, "b": {"ids": ["b"]}, "c": {"ids": ["c"]}}


def test_pruning_removes_what_is_unused_and_tells_it(store: Store, told: Listener):
    for key in ("a", "b", "c"):
        store.compare_or_record(key, {"ids": [key]}, "missing")
    told.clear()
    store.prune(lambda key: key == "b")
    assert told == [("b", {"ids": ["b"]}, None)]
    assert baselines_of(store) == {"a": {"ids": ["a"]}, "c": {"ids": ["c"]}}


def test_pruning_all_removes_the_file_and_a_folder_that_is_empty(store: Store, tmp_path: Path, told: Listener):
    other = Store(tmp_path / "test_other.py")
    for each in (store, other):
        each.compare_or_record("a", {"ids": [1]}, "missing")
    told.clear()
    store.prune(lambda key: True)
    assert told == [("a", {"ids": [1]}, None)]
    assert [path.name for path in store.path.parent.iterdir()] == ["test_other.json"]
    other.prune(lambda key: True)
    assert not store.path.parent.exists()


def test_pruning_nothing_makes_nothing(store: Store, told: Listener):
    store.prune(lambda key: True)
    assert told == []
    assert not store.path.parent.exists()


def test_a_file_that_cannot_be_removed_is_an_error(store: Store, monkeypatch: pytest.MonkeyPatch):
    def failing(path: Path) -> None:
        raise PermissionError("not yours")

    store.compare_or_record("a", {"ids": [1]}, "missing")
    monkeypatch.setattr(Path, "unlink", failing)
    with pytest.raises(ModelCheckError) as raised:
        store.prune(lambda key: True)
    assert str(raised.value) == f"the baseline {store.path} could not be removed: not yours"


def test_a_file_that_cannot_be_written_is_an_error_and_the_old_one_stays(
    store: Store, told: Listener, monkeypatch: pytest.MonkeyPatch
):
    def failing(*arguments: object) -> None:
        raise OSError("no space is left")

    store.compare_or_record("a", {"ids": [1]}, "missing")
    before = store.path.read_bytes()
    told.clear()
    monkeypatch.setattr(files.os, "replace", failing)
    with pytest.raises(ModelCheckError) as raised:
        store.compare_or_record("a", {"ids": [2]}, "all")
    assert str(raised.value) == f"the baseline {store.path} could not be written: no space is left"
    assert (store.path.read_bytes(), told) == (before, [])


@pytest.mark.parametrize("content", [{"value": math.nan}, {"rows": [["a", math.inf]]}, {"ids": [-math.inf]}])
def test_what_is_no_strict_json_is_not_written(store: Store, content: dict):
    store.compare_or_record("a", {"ids": [1]}, "missing")
    before = store.path.read_bytes()
    with pytest.raises(ValueError, match="^Out of range float values are not JSON compliant"):
        store.compare_or_record("a", content, "all")
    assert store.path.read_bytes() == before


def asks(store: Store) -> list:
    """All that can be asked of a store."""
    return [
        lambda: store.compare_or_record("a", {"ids": [1]}, ""),
        lambda: store.compare_or_record("a", {"ids": [1]}, "missing"),
        store.recorded,
        lambda: store.prune(lambda key: True),
    ]


@pytest.mark.parametrize("part", ["file", "folder"])
@pytest.mark.parametrize("ask", range(4))
def test_a_link_is_refused_whatever_is_asked(store: Store, tmp_path: Path, part: str, ask: int):
    store.compare_or_record("a", {"ids": [1]}, "missing")
    linked, elsewhere = (store.path if part == "file" else store.path.parent), tmp_path / "elsewhere"
    linked.rename(elsewhere)
    linked.symlink_to(elsewhere)
    with pytest.raises(
        ModelCheckError, match=refused(store, f"it is a link, and baselines stay in their folder{MEND}")
    ):
        asks(store)[ask]()
    assert linked.is_symlink()
    assert elsewhere.exists()


@pytest.mark.parametrize("ask", range(4))
def test_a_file_that_is_too_large_is_refused_before_it_is_read(store: Store, ask: int):
    store.path.parent.mkdir()
    with store.path.open("wb") as file:
        file.truncate(LARGEST + 1)
    why = f"it has 67,108,865 bytes, and baselines have at most 67,108,864{MEND}"
    with pytest.raises(ModelCheckError, match=refused(store, why) + "$"):
        asks(store)[ask]()


def test_a_file_of_the_largest_size_is_read(store: Store):
    store.path.parent.mkdir()
    with store.path.open("wb") as file:
        file.truncate(LARGEST)
    with pytest.raises(
        ModelCheckError, match=refused(store, "it is not strict JSON: Expecting value: line 1 column 1")
    ):
        store.recorded()


def test_a_file_in_another_encoding_is_refused(store: Store):
    store.path.parent.mkdir()
    store.path.write_bytes('{"é": 1}'.encode("latin-1"))
    why = "it cannot be read: 'utf-8' codec can't decode byte 0xe9 in position 2: invalid continuation byte"
    with pytest.raises(ModelCheckError, match=refused(store, why + MEND) + "$"):
        store.recorded()


@pytest.mark.parametrize(
    ("text", "line"), [("<<<<<<< a\n", 1), ("{\n\n=======\n}", 3), ("{}\n>>>>>>> b", 2), ("{\n<<<<<<<\n=======\n", 2)]
)
def test_a_merge_conflict_is_told_with_its_first_line(store: Store, text: str, line: int):
    store.path.parent.mkdir()
    store.path.write_text(text, encoding="utf-8")
    why = f"line {line} is a mark of a merge conflict: resolve it{MEND}"
    with pytest.raises(ModelCheckError, match=refused(store, why) + "$"):
        store.recorded()


def test_what_looks_like_a_conflict_inside_of_a_line_is_none(store: Store):
    content = {"text": "a\n<<<<<<< b\n=======", "<<<<<<<": ">>>>>>> c"}
    store.compare_or_record("=======", content, "missing")
    assert store.compare_or_record("=======", {}, "") == (content, False)


@pytest.mark.parametrize(
    ("text", "version"),
    [("{}", None), ('{"schema_version": "1"}', "1"), ('{"schema_version": null}', None), ("[1]", None), ("1", None)],
)
def test_a_file_of_no_known_schema_is_refused(store: Store, text: str, version: object):
    store.path.parent.mkdir()
    store.path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelCheckError, match=refused(store, f"its schema_version is {version!r}, and this version")):
        store.recorded()


@pytest.mark.parametrize("baselines", ["null", "[]", "[{}]", '"a"', '{"a": 1}', '{"a": {}, "b": [1]}'])
def test_baselines_that_are_no_mappings_are_refused(store: Store, baselines: str):
    store.path.parent.mkdir()
    store.path.write_text(f'{{"schema_version": 1, "baselines": {baselines}}}', encoding="utf-8")
    why = f"its baselines are no mapping from tests to what was recorded{MEND}"
    with pytest.raises(ModelCheckError, match=refused(store, why) + "$"):
        store.recorded()


def test_a_table_has_a_line_for_each_row_and_a_mapping_one_for_each_key(store: Store):
    content = {"rows": [["0", 1], [{"b": [1], "a": 2}]], "more": [{"x": 1}, 2], "of": {"z": {}, "y": [], "x": None}}
    store.compare_or_record("a", content, "missing")
    assert (
        '    "a": {\n'
        '      "more": [\n'
        '        {"x": 1},\n'
        "        2\n"
        "      ],\n"
        '      "of": {\n'
        '        "x": null,\n'
        '        "y": [],\n'
        '        "z": {}\n'
        "      },\n"
        '      "rows": [\n'
        '        ["0", 1],\n'
        '        [{"b": [1], "a": 2}]\n'
        "      ]\n"
        "    }\n"
    ) in store.path.read_text(encoding="utf-8")


def test_what_nobody_would_see_is_escaped_and_letters_are_not(store: Store):
    content = {"é\u200b": "日本\u202e\x1b", "rows": [["ü\u2066"]], "ids": ["\u00a0ö"]}
    store.compare_or_record("ä\u200d", content, "missing")
    text = store.path.read_text(encoding="utf-8")
    for line in ('"ä\\u200d": {', '"é\\u200b": "日本\\u202e\\u001b"', '["ü\\u2066"]', '"ids": ["\\u00a0ö"]'):
        assert line in text
    assert baselines_of(store) == {"ä\u200d": content}


def test_the_lock_lies_outside_of_the_repository_where_other_users_lock_too(store: Store, locks: Path, tmp_path: Path):
    store.compare_or_record("a", {"ids": [1]}, "missing")
    assert stat.S_IMODE(locks.stat().st_mode) == 0o1777
    (lock,) = locks.iterdir()
    assert re.fullmatch(r"[0-9a-f]{24}\.lock", lock.name)
    assert stat.S_IMODE(lock.stat().st_mode) & 0o600 == 0o600
    assert [path.name for path in store.path.parent.iterdir()] == ["test_words.json"]
    store.compare_or_record("b", {"ids": [1]}, "missing")
    assert list(locks.iterdir()) == [lock]
    Store(tmp_path / "test_other.py").compare_or_record("a", {"ids": [1]}, "missing")
    assert len(list(locks.iterdir())) == 2


def test_a_folder_by_another_name_has_the_same_lock(store: Store, locks: Path, tmp_path: Path):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").symlink_to(tmp_path / "here")
    for folder in ("here", "there"):
        Store(tmp_path / folder / "test_words.py").compare_or_record(folder, {"ids": [1]}, "missing")
    assert len(list(locks.iterdir())) == 1


def test_the_folder_of_locks_keeps_its_mode(store: Store, locks: Path):
    locks.mkdir(mode=0o700)
    store.compare_or_record("a", {"ids": [1]}, "missing")
    assert stat.S_IMODE(locks.stat().st_mode) == 0o700


def test_while_somebody_holds_the_lock_nothing_is_recorded(store: Store, locks: Path):
    filelock = pytest.importorskip("filelock")
    store.compare_or_record("a", {"ids": [1]}, "missing")
    (name,) = locks.iterdir()
    asked = threading.Thread(target=lambda: store.compare_or_record("b", {"ids": [2]}, "missing"))
    with filelock.FileLock(name):
        asked.start()
        asked.join(0.3)
        assert asked.is_alive()
        assert list(baselines_of(store)) == ["a"]
    asked.join(10)
    assert list(baselines_of(store)) == ["a", "b"]


def test_an_error_leaves_no_lock_behind(store: Store, locks: Path):
    filelock = pytest.importorskip("filelock")
    store.path.parent.mkdir()
    store.path.write_text("{", encoding="utf-8")
    with pytest.raises(ModelCheckError):
        store.compare_or_record("a", {"ids": [1]}, "all")
    (name,) = locks.iterdir()
    with filelock.FileLock(name, timeout=0):
        assert store.path.read_text(encoding="utf-8") == "{"


def test_where_nothing_can_be_locked_nothing_is_recorded(store: Store, locks: Path):
    locks.write_text("a file is in the way", encoding="utf-8")
    message = f"^{re.escape(f'the baseline {store.path} cannot be locked: ')}"
    for ask in (asks(store)[1], asks(store)[3]):
        with pytest.raises(ModelCheckError, match=message):
            ask()
    assert not store.path.exists()
    assert store.recorded() == []


def test_without_filelock_nothing_is_recorded(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(MissingDependency) as raised:
        store.compare_or_record("a", {"ids": [1]}, "missing")
    assert str(raised.value) == (
        "recording a baseline needs filelock, which cannot be imported (import of filelock halted; None in "
        "sys.modules). pip install filelock"
    )
    assert not store.path.exists()
