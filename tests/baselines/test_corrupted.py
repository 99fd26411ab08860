"""A recorded baseline with one byte that is wrong, missing or there twice: refused, or read as what was recorded."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.baselines.digests import digest
from pytest_modelcheck.baselines.store import Store

RECORDED = Path(__file__).parents[2] / "sample_project" / "tests" / "__modelcheck__"

COMMANDS = ("pytest --modelcheck --modelcheck-update records it", "--modelcheck-update=all records it anew")


def copied(name: str, folder: Path) -> Store:
    """A store with the baselines that the sample project recorded."""
    store = Store(folder / f"{name}.py")
    store.path.parent.mkdir()
    shutil.copy(RECORDED / f"{name}.json", store.path)
    return store


def outcome(store: Store, known: dict[str, str]) -> str:
    """What a reader of all baselines gets: `refused` or `the same`; anything else is no outcome that may be."""
    refused = 0
    for key, recorded in known.items():
        found = asked(store, key)
        if not isinstance(found, ModelCheckError):
            assert digest(key, found) == recorded, found
            continue
        refused += 1
        assert str(store.path) in str(found)
        assert any(command in str(found) for command in COMMANDS), found
        if not str(found).startswith("the baseline of "):  # the whole file is refused, whatever is asked of it
            break
    return "refused" if refused else "the same"


def asked(store: Store, key: str) -> Any:
    """The baseline of a key, or the error that it is refused with."""
    try:
        return store.compare_or_record(key, {}, "")[0]
    except ModelCheckError as error:
        return error


def outcomes(store: Store, texts: Iterable[bytes]) -> list[str]:
    known = {key: digest(key, store.compare_or_record(key, {}, "")[0]) for key in store.recorded()}
    assert known
    assert outcome(store, known) == "the same"
    found = []
    for text in texts:
        store.path.write_bytes(text)
        found.append(outcome(store, known))
    return found


def wrong_bytes(text: bytes) -> Iterator[bytes]:
    """Each byte with one bit of it flipped, and in its place one that JSON has a use for, or nobody."""
    for offset, byte in enumerate(text):
        others = {byte ^ (1 << bit) for bit in range(8)} | {0x00, 0xFF, *b' "9'}
        for other in sorted(others - {byte}):
            yield text[:offset] + bytes([other]) + text[offset + 1 :]


def shifted_bytes(text: bytes) -> Iterator[bytes]:
    """Each byte left out, and each of them twice."""
    for offset in range(len(text)):
        yield text[:offset] + text[offset + 1 :]
        yield text[: offset + 1] + text[offset:]


@pytest.mark.slow  # reads some ten thousand files
def test_a_wrong_byte_is_refused_or_is_white_space(tmp_path: Path):
    store = copied("test_text", tmp_path)
    store.prune(lambda key: "naïve" not in key and "spaces" not in key)
    text = store.path.read_bytes()
    found = outcomes(store, wrong_bytes(text))
    assert len(found) >= 11 * len(text)
    # Between the tokens of JSON stand line ends and spaces, each of which may be the other.
    assert 0 < found.count("the same") < len(found) * 0.05


@pytest.mark.slow  # reads some four thousand files
def test_so_it_is_in_a_table_and_in_the_answers_to_all_samples(tmp_path: Path):
    store = copied("test_vision", tmp_path)
    text = store.path.read_bytes()
    flipped = (text[:offset] + bytes([byte ^ 1 << offset % 8]) + text[offset + 1 :] for offset, byte in enumerate(text))
    found = outcomes(store, flipped)
    assert len(found) == len(text) > 3_000
    assert found.count("refused") > len(found) * 0.95


def test_a_byte_that_is_missing_or_there_twice_is_refused_or_is_white_space(tmp_path: Path):
    store = copied("test_text", tmp_path)
    store.prune(lambda key: "naïve" not in key)
    text = store.path.read_bytes()
    found = outcomes(store, shifted_bytes(text))
    assert len(found) == 2 * len(text)
    assert 0 < found.count("the same") <= 2 * sum(text.count(space) for space in b" \n")


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path):
    store = copied("test_text", tmp_path)
    text = store.path.read_bytes()
    found = outcomes(store, (text[:end] for end in range(len(text))))
    assert found == ["refused"] * (len(text) - 1) + ["the same"]  # without the last line's end
