"""Baselines that are missing, damaged, of another kind, or of no test."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_modelcheck.baselines.store import Store
from tests.faults.fault import Fault, Group, Session

GATE = """
import pytest

@pytest.mark.modelcheck_token_ids(text="abc")
def test_gate(tokenizer): ...
"""

KEY = "test_gate token_ids"
CONTENT = {"ids": [97, 98, 99], "text": "abc", "tokens": ["97", "98", "99"]}

FILE = "{root}/__modelcheck__/test_fault.json"
NOT_MEASURED = "token_ids of Letters: not measured: "
RECORD = "pytest --modelcheck --modelcheck-update records it"
MISSING = NOT_MEASURED + f"no baseline is recorded for {KEY!r} in {FILE}. {RECORD}"

UPDATE, PRUNE = ("--modelcheck-update",), "--modelcheck-prune"


def recorded(*keys: str, change: Callable[[str], str] = str) -> Callable[[Path], None]:
    """Baselines that a run recorded, and what became of their file after that."""

    def prepare(root: Path) -> None:
        store = Store(root / "test_fault.py")
        for key in keys or (KEY,):
            store.compare_or_record(key, CONTENT, "missing")
        store.path.write_text(change(store.path.read_text(encoding="utf-8")), encoding="utf-8")

    return prepare


def refused(why: str, options: tuple[str, ...] = (), **more: Any) -> Fault:
    """A file that is refused as a whole."""
    message = NOT_MEASURED + f"the baseline {FILE} is refused: {why}. Mend it, or delete it: {RECORD} anew"
    return Fault(GATE, message, options=options, **more)


def written(content: str | bytes, why: str) -> Fault:
    """A file with this in it."""
    return refused(why, files={"__modelcheck__/test_fault.json": content})


def edited(change: Callable[[str], str], why: str, options: tuple[str, ...] = ()) -> Fault:
    """A baseline that somebody changed after it was recorded."""
    message = (
        f"the baseline of {KEY!r} in {FILE} is refused: {why}, so it was damaged or edited. Baselines are not edited "
        "by hand: restore it, or pytest --modelcheck --modelcheck-update=all records it anew"
    )
    return Fault(GATE, NOT_MEASURED + message, options=options, prepare=recorded(change=change))


def without_digest(text: str) -> str:
    return json.dumps({**json.loads(text), "digests": {}})


def in_place(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Something else in place of the file."""

    def prepare(root: Path) -> None:
        make(root / "__modelcheck__" / "test_fault.json")

    return prepare


def linked(path: Path) -> None:
    path.with_name("test_other.json").write_text("{}", encoding="utf-8")
    path.symlink_to("test_other.json")


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)


def folder_is_a_file(root: Path) -> None:
    shutil.rmtree(root / "__modelcheck__")
    (root / "__modelcheck__").write_text("somebody's notes", encoding="utf-8")


def nothing_recorded(session: Session) -> None:
    assert [path.name for path in (session.root / "__modelcheck__").iterdir()] == ["test_next.json"]


def told_of_the_unused(session: Session) -> None:
    assert "baselines that no test uses: 1; --modelcheck-prune removes them" in session.output.splitlines()


GROUP = Group(
    "Baselines",
    {
        "nothing is recorded": Fault(GATE, MISSING, check=nothing_recorded),
        "nothing is recorded, in CI": Fault(GATE, MISSING, environment={"CI": "true"}, check=nothing_recorded),
        "an update in CI": Fault(
            GATE,
            "ERROR: modelcheck: --modelcheck-update=missing is refused where CI=true: record where it is reviewed",
            outcome="",
            exit=pytest.ExitCode.USAGE_ERROR,
            options=UPDATE,
            environment={"CI": "true"},
            check=nothing_recorded,
            goes_on=False,
        ),
        "the file is no JSON": written(
            "{'baselines': {}}",
            "it is not strict JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        "the file is empty": written("", "it is not strict JSON: Expecting value: line 1 column 1 (char 0)"),
        "the file is cut off": refused(
            "it is not strict JSON: Expecting ':' delimiter: line 6 column 15 (char 110)",
            prepare=recorded(change=lambda text: text[:110]),
        ),
        "the file is not UTF-8": written(
            b"\xff\xfe{}",
            "it cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        "the file is a list": written("[]", "its schema_version is None, and this version reads 1"),
        "its baselines are a list": written(
            '{"schema_version": 1, "baselines": [[97, 98, 99]]}',
            "its baselines are no mapping from tests to what was recorded",
        ),
        "it is of a newer schema": written(
            '{"schema_version": 2, "baselines": {}}', "its schema_version is 2, and this version reads 1"
        ),
        "it has marks of a merge conflict": refused(
            "line 4 is a mark of a merge conflict: resolve it",
            prepare=recorded(
                change=lambda text: text.replace(
                    '      "ids": [97, 98, 99],\n',
                    '<<<<<<< ours\n      "ids": [97, 98, 99],\n=======\n      "ids": [1],\n>>>>>>> theirs\n',
                )
            ),
        ),
        "it has the number NaN": refused(
            "it is not strict JSON: it has the number NaN, which JSON does not know",
            prepare=recorded(change=lambda text: text.replace("97, 98", "NaN, 98")),
        ),
        "a key stands there twice": refused(
            'it is not strict JSON: it has the key "ids" twice',
            prepare=recorded(change=lambda text: text.replace('"text"', '"ids": [1], "text"')),
        ),
        "a value was edited": edited(lambda text: text.replace("97, 98", "97, 99"), "it does not fit its digest"),
        "a value was edited, and an update records what is missing": edited(
            lambda text: text.replace("97, 98", "97, 99"), "it does not fit its digest", UPDATE
        ),
        "it has no digest": edited(without_digest, "it has no digest"),
        "it was renamed by hand": edited(
            lambda text: text.replace(f'"{KEY}": {{', '"test_other token_ids": {'),
            "there is nothing of it but its digest",
        ),
        "it was recorded for another text": Fault(
            GATE.replace('"abc"', '"abd"'),
            NOT_MEASURED + "the baseline was recorded for another text, 'abc'. "
            "pytest --modelcheck --modelcheck-update=all records it anew",
            prepare=recorded(),
        ),
        "a link is in place of the file": refused(
            "it is a link, and baselines stay in their folder", prepare=in_place(linked)
        ),
        "a folder is in place of the file": refused("it is no file", prepare=in_place(Path.mkdir)),
        "a pipe is in place of the file": refused("it is no file", prepare=in_place(os.mkfifo)),
        "a file is in place of the folder": refused(
            f"it cannot be read: [Errno 20] Not a directory: '{FILE}'",
            UPDATE,
            prepare=folder_is_a_file,
            goes_on=False,
        ),
        "the file has 64 MiB and a byte": refused(
            "it has 67,108,865 bytes, and baselines have at most 67,108,864", prepare=in_place(huge)
        ),
        "the test was renamed": Fault(
            GATE.replace("test_gate", "test_renamed"),
            MISSING.replace("test_gate", "test_renamed"),
            prepare=recorded(),
            check=told_of_the_unused,
        ),
        "unused baselines are to be removed, in a run of some tests": Fault(
            GATE,
            "no baseline was removed: --modelcheck-prune needs a whole run of all tests",
            outcome="",
            options=(PRUNE, "-k", "not test_other"),
            prepare=recorded(KEY, "test_gone token_ids"),
        ),
        "unused baselines are to be removed, and a gate that has some fails": Fault(
            GATE.replace('"abc"', '"abc", ids=[97, 98]'),
            "token_ids of Letters: 'abc' becomes 3 ids, and id 2 is 99 ('c') where the promise ends.\n"
            "  promised: [97, 98]\n  measured: [97, 98, 99]\nIf the new ids are meant, promise ids=[97, 98, 99].",
            outcome="failed",
            options=(PRUNE,),
            prepare=recorded(),
        ),
    },
)
