"""Names that would lead out of the folder of baselines, were they taken for paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_modelcheck.baselines.store import FOLDER, Store
from tests.faults.fault import Fault, Group, Session
from tests.faults.rows.baselines import MISSING, UPDATE, refused

# The first marker records, and the second is a promise that is broken: what was recorded is looked at after the run.
NAMED = """
from pathlib import Path
import pytest

HERE = Path(__file__).parent

@pytest.mark.modelcheck_token_ids(text="abc")
@pytest.mark.modelcheck_token_ids(text="abc", ids=[97])
@pytest.mark.parametrize("name", {names})
def test_gate(tokenizer, name): ...
"""

BROKEN = (
    "token_ids of Letters: 'abc' becomes 3 ids, and id 1 is 98 ('b') where the promise ends.\n"
    "  promised: [97]\n  measured: [97, 98, 99]\nIf the new ids are meant, promise ids=[97, 98, 99]."
)

# What pytest itself takes back of its care for ids.
RAW = {"pytest.ini": "[pytest]\ndisable_test_id_escaping_and_forfeit_all_rights_to_community_support = true\n"}

ACCURACY = """
import pytest
import torch
from pytest_modelcheck import assert_accuracy

@pytest.mark.modelcheck
def test_gate():
    assert_accuracy(torch.nn.Identity(), (torch.eye(4), torch.arange(4)), max_drop=0, baseline="../../outside")
"""


def stays(*names: str) -> Callable[[Session], None]:
    """All that was recorded lies in one file of the folder, under these names, and nothing lies outside."""

    def check(session: Session) -> None:
        expected = [f"test_gate[{name.replace('HERE', str(session.root))}] token_ids" for name in names]
        assert sorted(Store(session.root / "test_fault.py").recorded()) == sorted(expected)
        inside(session)

    return check


def inside(session: Session) -> None:
    known = {"test_fault.json", "test_next.json"}
    assert {path.name for path in (session.root / FOLDER).iterdir()} <= known
    assert not [*session.root.parent.glob("outside*"), *session.root.parent.parent.glob("outside*")]
    assert not [path for path in session.root.rglob("outside*") if path.read_bytes() != b"somebody's"]


def named(names: str, *recorded_as: str, **more: Any) -> Fault:
    """Gates with these names in their ids, each of which records a baseline."""
    return Fault(NAMED.format(names=names), BROKEN, "failed", options=UPDATE, check=stays(*recorded_as), **more)


def linked_folder(root: Path) -> None:
    """The folder of baselines is a link to another one."""
    (root / FOLDER).rename(root / "elsewhere")
    (root / FOLDER).symlink_to("elsewhere")


def linked_out(root: Path) -> None:
    (root / "outside.json").write_text("somebody's", encoding="utf-8")
    (root / FOLDER / "test_fault.json").symlink_to("../outside.json")


GROUP = Group(
    "Names of baselines",
    {
        "the id of a test leads out of the folder": named(
            '["../../outside", "..", "/../outside.json"]', "../../outside", "..", "/../outside.json"
        ),
        "the id of a test is an absolute path": named('[str(HERE / "outside.json")]', "HERE/outside.json"),
        "the id of a test has a NUL": named('["outside\\0.json"]', "outside\0.json", files=RAW),
        "the ids of tests are names that Windows keeps for itself": named(
            '["CON", "aux.json", "NUL.", "C:\\\\outside"]', "CON", "aux.json", "NUL.", "C:\\\\outside"
        ),
        "the id of a test has 5,000 letters": named('[pytest.param(0, id="x" * 5_000)]', "x" * 5_000),
        "the ids of tests differ in case only": named('["a", "A", "\\u0131", "I"]', "a", "A", "\u0131", "I", files=RAW),
        "the id of a test would turn the line around": Fault(
            NAMED.format(names='["\\u202egate\\u2066", "\\x1b[2J"]'),
            BROKEN,
            "failed",
            options=UPDATE,
            files=RAW,
            check=stays("\u202egate\u2066", "\x1b[2J"),
        ),
        "the name of a baseline leads out of the folder": Fault(
            ACCURACY,
            MISSING.replace("test_gate token_ids", "test_gate accuracy ../../outside on cpu").replace(
                "token_ids of Letters", "accuracy of Identity"
            ),
            check=inside,
            needs="torch",
        ),
        "the folder of baselines is a link": refused(
            "it is a link, and baselines stay in their folder", UPDATE, prepare=linked_folder, goes_on=False
        ),
        "the file of baselines is a link that leads out of the folder": refused(
            "it is a link, and baselines stay in their folder", UPDATE, prepare=linked_out, check=inside
        ),
    },
    hostile=True,
)
