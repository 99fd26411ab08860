"""Baselines: recorded once, merged, written whole, and refused where they cannot be believed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.baselines.store import Store

RECORD = "pytest --modelcheck --modelcheck-update records it"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "test_words.py")


def test_nothing_recorded_is_an_error_that_names_the_command(store: Store):
    with pytest.raises(ModelCheckError) as raised:
        store.compare_or_record("test_a token_ids", {"ids": [1]}, "")
    assert str(raised.value) == f"no baseline is recorded for 'test_a token_ids' in {store.path}. {RECORD}"
    assert not store.path.parent.exists()


def test_what_is_missing_is_recorded_and_then_kept(store: Store):
    assert store.compare_or_record("a", {"ids": [1]}, "missing") == ({"ids": [1]}, True)
    assert store.compare_or_record("a", {"ids": [2]}, "missing") == ({"ids": [1]}, False)
    assert store.compare_or_record("a", {"ids": [3]}, "") == ({"ids": [1]}, False)


def test_all_records_what_has_changed(store: Store):
    store.compare_or_record("a", {"ids": [1]}, "missing")
    assert store.compare_or_record("a", {"ids": [2]}, "all") == ({"ids": [2]}, True)
    assert store.compare_or_record("a", {"ids": [2]}, "all") == ({"ids": [2]}, False)


def test_the_file_reads_like_a_review(store: Store):
    store.compare_or_record("test_b token_ids", {"text": "é", "ids": [7, 8]}, "missing")
    store.compare_or_record("test_a token_ids", {"text": "a", "ids": []}, "missing")
    assert store.path.read_text(encoding="utf-8") == (
        "{\n"
        '  "baselines": {\n'
        '    "test_a token_ids": {\n'
        '      "ids": [],\n'
        '      "text": "a"\n'
        "    },\n"
        '    "test_b token_ids": {\n'
        '      "ids": [7, 8],\n'
        '      "text": "é"\n'
        "    }\n"
        "  },\n"
        '  "digests": {\n'
        '    "test_a token_ids": "a3dc0273a46fb37d",\n'
        '    "test_b token_ids": "fe488a00321faa6c"\n'
        "  },\n"
        '  "schema_version": 1\n'
        "}\n"
    )


@given(
    st.dictionaries(st.text(max_size=5), st.recursive(st.integers() | st.text(max_size=5) | st.booleans(), st.lists))
)
def test_whatever_is_recorded_is_read_back(tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]):
    store = Store(tmp_path_factory.mktemp("any") / "test_any.py")
    store.compare_or_record("a", content, "missing")
    assert store.compare_or_record("a", {}, "") == (content, False)
    assert json.loads(store.path.read_text(encoding="utf-8"))["baselines"]["a"] == content


REFUSED = {
    "no JSON": (
        "{",
        "it is not strict JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    "NaN": (
        '{"schema_version": 1, "baselines": {"a": {"x": NaN}}}',
        "it is not strict JSON: it has the number NaN, which JSON does not know",
    ),
    "a number beyond a float": (
        '{"schema_version": 1, "baselines": {"a": {"history": [1e999]}}}',
        "it is not strict JSON: it has the number 1e999, which is too large",
    ),
    "a key that a merge left twice": (
        '{"schema_version": 1, "baselines": {"a": {"x": 1}, "a": {"x": 2}}}',
        'it is not strict JSON: it has the key "a" twice',
    ),
    "a merge conflict": (
        '{\n<<<<<<< HEAD\n"schema_version": 1\n',
        "line 2 is a mark of a merge conflict: resolve it",
    ),
    "a newer schema": (
        '{"schema_version": 2, "baselines": {}}',
        "its schema_version is 2, and this version reads 1",
    ),
    "a schema that is no number": (
        '{"schema_version": true, "baselines": {}}',
        "its schema_version is True, and this version reads 1",
    ),
    "no schema": ("[]", "its schema_version is None, and this version reads 1"),
    "no baselines": (
        '{"schema_version": 1, "baselines": [1]}',
        "its baselines are no mapping from tests to what was recorded",
    ),
    "no digests": (
        '{"schema_version": 1, "baselines": {}, "digests": ["a"]}',
        "its digests are no mapping from tests to the digests of what was recorded",
    ),
    "deep nesting": ("[" * 100_000, "it is not strict JSON: maximum recursion depth exceeded"),
}


@pytest.mark.parametrize("update", ["", "missing", "all"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_believed_is_refused_and_left_alone(store: Store, name: str, update: str):
    text, why = REFUSED[name]
    store.path.parent.mkdir()
    store.path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelCheckError) as raised:
        store.compare_or_record("a", {"ids": [1]}, update)
    assert str(raised.value).startswith(f"the baseline {store.path} is refused: {why}")
    assert str(raised.value).endswith(f". Mend it, or delete it: {RECORD} anew")
    assert store.path.read_text(encoding="utf-8") == text


def test_a_link_is_refused(store: Store, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("{}", encoding="utf-8")
    store.path.parent.mkdir()
    store.path.symlink_to(elsewhere)
    with pytest.raises(ModelCheckError, match="it is a link, and baselines stay in their folder"):
        store.compare_or_record("a", {"ids": [1]}, "all")
    assert elsewhere.read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["a folder", "a pipe"])
def test_what_is_no_file_is_refused(store: Store, make: Callable[[Path], None]):
    store.path.parent.mkdir()
    make(store.path)
    with pytest.raises(ModelCheckError) as raised:
        store.compare_or_record("a", {"ids": [1]}, "all")
    refused = f"the baseline {store.path} is refused: it is no file. Mend it, or delete it: {RECORD} anew"
    assert str(raised.value) == refused


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path):
    store = Store(tmp_path / f"{'x' * 252}.py")
    store.path.parent.mkdir()
    with pytest.raises(ModelCheckError, match=r"the baseline .* is refused: it cannot be read: .*File name too long"):
        store.compare_or_record("a", {"ids": [1]}, "all")


def test_a_name_as_long_as_a_name_can_be_is_recorded(tmp_path: Path):
    assert Store(tmp_path / f"{'x' * 250}.py").compare_or_record("a", {"ids": [1]}, "all") == ({"ids": [1]}, True)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "__modelcheck__").write_text("a file is in the way", encoding="utf-8")
    store = Store(tmp_path / "test_words.py")
    with pytest.raises(ModelCheckError, match="the baseline .* is refused: it cannot be read: "):
        store.compare_or_record("a", {"ids": [1]}, "missing")


def _record(test_file: Path, writer: int, number: int) -> None:
    for index in range(number):
        Store(test_file).compare_or_record(f"{writer} {index}", {"ids": [writer, index]}, "missing")


def test_no_record_of_four_processes_is_lost(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_record, args=(tmp_path / "test_words.py", writer, 50)) for writer in range(4)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    content = json.loads((tmp_path / "__modelcheck__" / "test_words.json").read_text(encoding="utf-8"))
    assert content["baselines"] == {
        f"{writer} {index}": {"ids": [writer, index]} for writer in range(4) for index in range(50)
    }


def test_a_process_that_is_killed_leaves_a_whole_file(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_record, args=(tmp_path / "test_words.py", 0, 100_000))
    process.start()
    path = tmp_path / "__modelcheck__" / "test_words.json"
    while not path.exists():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    recorded = json.loads(path.read_text(encoding="utf-8"))["baselines"]
    assert list(recorded) == sorted(f"0 {index}" for index in range(len(recorded)))
    assert Store(tmp_path / "test_words.py").compare_or_record("new", {"ids": []}, "missing") == ({"ids": []}, True)
