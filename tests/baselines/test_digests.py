"""The digest of each baseline: what was edited or damaged is refused by name, and what only looks different is not."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.baselines.digests import damage, digest
from pytest_modelcheck.baselines.store import Store

RECORDED = {
    "test_a accuracy": {"history": [0.5, 0.25], "value": 0.75},
    "test_b token_ids": {"ids": [7, 8], "text": "é"},
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "test_words.py")
    for value in (0.5, 0.25, 0.75):
        store.compare_or_record("test_a accuracy", {"value": value}, "all")
    store.compare_or_record("test_b token_ids", RECORDED["test_b token_ids"], "all")
    assert read(store) == RECORDED
    return store


def read(store: Store) -> dict[str, object]:
    return {key: store.compare_or_record(key, {}, "")[0] for key in store.recorded()}


def edit(store: Store, change: Callable[[Any], object]) -> str:
    content = json.loads(store.path.read_text(encoding="utf-8"))
    change(content)
    store.path.write_text(json.dumps(content), encoding="utf-8")
    return store.path.read_text(encoding="utf-8")


def refusal(store: Store, why: str) -> str:
    return (
        f"the baseline of 'test_b token_ids' in {store.path} is refused: {why}, so it was damaged or edited. Baselines "
        "are not edited by hand: restore it, or pytest --modelcheck --modelcheck-update=all records it anew"
    )


def rename(part: dict[str, object]) -> None:
    part["test_c token_ids"] = part.pop("test_b token_ids")


def test_a_digest_is_the_same_on_every_machine_and_in_every_version():
    # What is recorded today is read for years.
    assert digest("test_a token_ids", {"text": "é", "ids": [1, 2]}) == "9749bbc8805c542e"


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_json_does_not_know_has_no_digest(number: float):
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        digest("test_a accuracy", {"value": number})


EDITED = {
    "a value": (lambda file: file["baselines"]["test_b token_ids"].update(ids=[7, 9]), "it does not fit its digest"),
    "a type": (lambda file: file["baselines"]["test_b token_ids"].update(ids=[7.0, 8]), "it does not fit its digest"),
    "an item more": (lambda file: file["baselines"]["test_b token_ids"].update(more=0), "it does not fit its digest"),
    "its digest": (lambda file: file["digests"].update({"test_b token_ids": "0" * 16}), "it does not fit its digest"),
    "the case of its digest": (
        lambda file: file["digests"].update({"test_b token_ids": file["digests"]["test_b token_ids"].upper()}),
        "it does not fit its digest",
    ),
    "another's digest": (
        lambda file: file["digests"].update({"test_b token_ids": file["digests"]["test_a accuracy"]}),
        "it does not fit its digest",
    ),
    "no digest": (lambda file: file["digests"].pop("test_b token_ids"), "it has no digest"),
    "a digest of null": (lambda file: file["digests"].update({"test_b token_ids": None}), "it has no digest"),
    "its name": (lambda file: rename(file["baselines"]), "there is nothing of it but its digest"),
    "the name of its digest": (lambda file: rename(file["digests"]), "it has no digest"),
}


@pytest.mark.parametrize("update", ["", "missing"])
@pytest.mark.parametrize("name", EDITED)
def test_what_was_edited_is_refused_by_name_and_left_alone(store: Store, name: str, update: str):
    change, why = EDITED[name]
    text = edit(store, change)
    with pytest.raises(ModelCheckError) as raised:
        store.compare_or_record("test_b token_ids", RECORDED["test_b token_ids"], update)
    assert str(raised.value) == refusal(store, why)
    assert store.compare_or_record("test_a accuracy", {"value": 1}, update) == (RECORDED["test_a accuracy"], False)
    assert store.path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", EDITED)
def test_all_records_it_anew(store: Store, name: str):
    edit(store, EDITED[name][0])
    content = RECORDED["test_b token_ids"]
    assert store.compare_or_record("test_b token_ids", content, "all") == (content, True)
    assert store.compare_or_record("test_b token_ids", {}, "") == (content, False)


def test_an_update_of_another_makes_nothing_right(store: Store):
    edit(store, EDITED["a value"][0])
    store.compare_or_record("test_a accuracy", {"value": 0.9}, "all")
    store.compare_or_record("test_c token_ids", {"ids": []}, "missing")
    store.prune(lambda key: key.startswith("test_a"))
    with pytest.raises(ModelCheckError, match="it does not fit its digest"):
        store.compare_or_record("test_b token_ids", {}, "")


def test_a_history_that_was_edited_is_not_kept(store: Store):
    edit(store, lambda file: file["baselines"]["test_a accuracy"]["history"].append(0.99))
    assert store.compare_or_record("test_a accuracy", {"value": 0.75}, "all") == ({"value": 0.75}, True)


def test_a_digest_without_its_baseline_is_pruned(store: Store):
    edit(store, lambda file: file["baselines"].pop("test_b token_ids"))
    assert store.recorded() == ["test_a accuracy", "test_b token_ids"]
    store.prune(lambda key: key == "test_b token_ids")
    assert store.recorded() == ["test_a accuracy"]


FORMATS: dict[str, Callable[[str], str]] = {
    "four spaces": lambda text: json.dumps(json.loads(text), indent=4, ensure_ascii=False),
    "one line": lambda text: json.dumps(json.loads(text), separators=(",", ":")),
    "another order": lambda text: json.dumps(dict(reversed(json.loads(text).items()))),
    "lines of Windows": lambda text: text.replace("\n", "\r\n"),
    "lines of an old Mac": lambda text: text.replace("\n", "\r"),
    "tabs": lambda text: text.replace("  ", "\t"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_formatter_does_no_harm(store: Store, name: str):
    text = FORMATS[name](store.path.read_text(encoding="utf-8"))
    store.path.write_bytes(text.encode("utf-8"))
    assert read(store) == RECORDED


def recorded_on_branch(store: Store, name: str, *keys: str) -> Path:
    """A copy of the file in which some more were recorded."""
    branch = Store(store.path.parents[1] / name / "test_words.py")
    branch.path.parent.mkdir(parents=True)
    shutil.copy(store.path, branch.path)
    for key in keys:
        branch.compare_or_record(key, {"ids": [len(key)], "text": key}, "missing")
    return branch.path


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not on the PATH")
def test_branches_that_recorded_different_baselines_are_merged_by_git(store: Store, tmp_path: Path):
    base = recorded_on_branch(store, "base")
    theirs = recorded_on_branch(store, "theirs", "test_0 token_ids", "test_00 token_ids")
    ours = recorded_on_branch(store, "ours", "test_ab token_ids")
    command = ["git", "merge-file", "-p", str(ours), str(base), str(theirs)]
    merged = subprocess.run(command, capture_output=True, cwd=tmp_path, check=True).stdout
    store.path.write_bytes(merged)
    keys = ["test_0 token_ids", "test_00 token_ids", "test_ab token_ids"]
    assert read(store) == {**RECORDED, **{key: {"ids": [len(key)], "text": key} for key in keys}}


def test_a_digest_is_of_the_key_too_and_of_nothing_else():
    assert digest("a", {"x": 1, "y": [2]}) == digest("a", {"y": [2], "x": 1})
    others = [("b", {"x": 1}), ("a", {"x": 1.0}), ("a", {"x": True}), ("a", {"x": "1"}), ("a", {"x": [1]}), ("a", {})]
    assert digest("a", {"x": 1}) not in [digest(*other) for other in others]


def test_what_is_nested_too_deeply_for_a_digest_is_damaged():
    nested: list[Any] = []
    for _ in range(200_000):
        nested = [nested]
    assert damage("a", {"x": nested}, "0" * 16) == "it is nested too deeply"
    while nested:  # else its end would be a recursion of its own
        nested = nested.pop()
