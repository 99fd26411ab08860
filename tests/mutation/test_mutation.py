"""The command that breaks the package: it counts what the tests notice, and cannot be talked into a pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation import __main__ as command
from tests.mutation.equivalents import EQUIVALENTS
from tests.mutation.mutants import Change, Mutant, change_of, undecorated
from tests.mutation.score import HEADER, score
from tests.mutation.session import ROOT, SessionError, mutated
from tests.mutation.targets import TARGETS, Target

PLUS = Change("add", "return a + b", "return a - b")
LESS = Change("Gate.is_lost", "return a < b", "return a <= b")

SOURCE = '''\
"""A tiny package."""


def largest(one: int, other: int) -> int:
    """The larger number."""
    return one if one > other else other


class Box:
    @property
    def size(self) -> int:
        return 2 + 3
'''

TESTS = """\
from pytest_modelcheck.tiny import Box, largest


def test_largest():
    assert largest(1, 2) == 2
    assert largest(2, 1) == 2


def test_size():
    assert Box().size {how} 5
"""


def tiny(folder: Path, how: str) -> tuple[Target, Path]:
    """A project of one file and its tests, and nothing else."""
    for name, text in {
        "pytest_modelcheck/__init__.py": "",
        "pytest_modelcheck/tiny.py": SOURCE,
        "tests/test_tiny.py": TESTS.format(how=how),
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['-p', 'no:modelcheck']\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return Target("pytest_modelcheck/tiny.py", ("tests/test_tiny.py",), "nothing_of_this_name"), folder


def test_the_faults_of_a_tiny_file_are_counted_and_its_source_stays(tmp_path: Path):
    pytest.importorskip("mutmut", reason="the extra mutation brings it")
    target, root = tiny(tmp_path, "==")
    progress = []
    found = score("tiny", mutated(target, lambda *told: progress.append(told), root), [])
    # Of two equal numbers it does not matter which one is given.
    equal = Change("largest", "return one if one > other else other", "return one if one >= other else other")
    assert [mutant.change for mutant in found.survivors] == [equal]
    assert found.killed == found.mutants - 1 >= 5
    assert found.ok is False
    assert progress == [] or progress[-1][1] == found.mutants
    assert (root / target.source).read_text(encoding="utf-8") == SOURCE
    assert sorted(path.name for path in root.iterdir()) == ["pyproject.toml", "pytest_modelcheck", "tests"]


def test_tests_that_fail_without_any_fault_judge_nothing(tmp_path: Path):
    pytest.importorskip("mutmut", reason="the extra mutation brings it")
    target, root = tiny(tmp_path, "!=")
    with pytest.raises(SessionError, match="^mutmut ended with 1:"):
        mutated(target, lambda *told: None, root)


@pytest.mark.parametrize("name", sorted({equivalent.target for equivalent in EQUIVALENTS}))
def test_what_is_listed_as_equivalent_is_still_a_mutant(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("mutmut", reason="the extra mutation brings it")
    from mutmut.configuration import reset_config
    from mutmut.mutation.file_mutation import mutate_file_contents

    (tmp_path / "setup.cfg").write_text("[mutmut]\nsource_paths = .\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    reset_config()
    source = (ROOT / TARGETS[name].source).read_text(encoding="utf-8")
    made = mutate_file_contents(TARGETS[name].source, undecorated(source))
    spans = {key: (span.start, span.end) for key, span in made.line_span_by_function_name.items()}
    lines = made.code.split("\n")
    changes = {change_of(mutant, lines, spans) for mutant in made.mutant_names}
    listed = [equivalent for equivalent in EQUIVALENTS if equivalent.target == name]
    assert [item.change for item in listed if item.change not in changes] == []
    assert len({item.change for item in listed}) == len(listed)
    assert all(len(item.why) > 20 for item in listed)


@pytest.mark.parametrize(
    ("killed", "timeout", "survived", "other", "ok"),
    [
        (95, 0, 5, 0, True),
        (94, 0, 6, 0, False),
        (94, 1, 5, 0, True),
        (19, 0, 1, 0, True),
        (95, 0, 0, 5, True),
        (94, 0, 0, 6, False),
        (0, 0, 0, 0, False),
        (1, 0, 0, 0, True),
    ],
)
def test_a_file_is_held_to_its_floor(killed: int, timeout: int, survived: int, other: int, ok: bool):
    counts = {"killed": killed, "timeout": timeout, "survived": survived, "segfault": other}
    mutants = [Mutant(Change(f"f{status}{i}", "a", "b"), status) for status in counts for i in range(counts[status])]
    found = score("gate", mutants, [])
    assert (found.ok, found.mutants, len(found.survivors)) == (ok, len(mutants), survived + other)


def test_a_report_is_this_to_the_letter():
    mutants = [Mutant(PLUS, "killed"), Mutant(LESS, "survived"), Mutant(Change("f", "x = 1", "x = 2"), "timeout")]
    found = score("gate", mutants, [])
    assert HEADER == "file            mutants     killed   survived    timeout equivalent    score"
    assert found.line() == "gate                  3          1          1          1          0    66.7%"
    assert found.details() == (
        "gate: survived: Gate.is_lost\n  - return a < b\n  + return a <= b\ngate: timeout: f\n  - x = 1\n  + x = 2"
    )


def test_what_is_listed_as_equivalent_counts_for_nothing_while_it_survives():
    found = score("gate", [Mutant(PLUS, "killed"), Mutant(LESS, "survived")], [LESS])
    assert (found.ok, found.mutants, found.equivalent, found.stale) == (True, 1, 1, [])


@pytest.mark.parametrize(
    ("mutants", "problem"),
    [
        ([Mutant(PLUS, "killed")], "no mutant"),
        ([Mutant(PLUS, "killed"), Mutant(LESS, "killed")], "noticed"),
    ],
    ids=["gone", "killed"],
)
def test_a_list_of_equivalents_that_is_stale_is_an_error(mutants: list[Mutant], problem: str):
    found = score("gate", mutants, [LESS])
    assert found.ok is False
    assert found.details().startswith(f"gate: listed as equivalent, and {problem}: Gate.is_lost\n  - return a < b")


def test_decorators_are_moved_below_their_functions():
    text = "@contextmanager\ndef f():\n    yield\n\nclass A:\n    @property\n    def a(self):\n        return 1\n"
    moved = "def f():\n    yield\nf = contextmanager(f)\n\nclass A:\n    def a(self):\n        return 1\n"
    assert undecorated(text) == f"{moved}    a = property(a)\n"
    for kept in ("@dataclass\nclass A:\n    a: int\n", "class A:\n    @classmethod\n    def a(cls): ...\n"):
        assert undecorated(kept) == kept


def test_every_target_has_its_tests():
    for target in TARGETS.values():
        assert all((ROOT / path).is_file() for path in (target.source, *target.tests))


def test_the_help_names_the_targets():
    shown = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "usage: python -m tests.mutation [-h] [NAME ...]" in shown
    assert " ".join(shown.split()).count(f"which to break, of {', '.join(TARGETS)} (default: all)") == 1


@pytest.mark.parametrize(
    ("names", "missing", "message"),
    [
        (["gate", "gat"], False, f"there is no target gat; there is {', '.join(TARGETS)}"),
        (["gate"], True, 'mutmut is not installed: pip install -e ".[mutation]"'),
    ],
    ids=["an unknown name", "no mutmut"],
)
def test_what_cannot_be_run_is_refused(names, missing, message, monkeypatch, capsys):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None if missing else object())
    with pytest.raises(SystemExit) as ended:
        command.main(names)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"python -m tests.mutation: error: {message}\n")


@pytest.mark.parametrize(
    ("statuses", "code"), [(["killed"], 0), (["killed", "survived"], 1), (["survived"], 1), ([], 1)]
)
def test_the_command_ends_as_its_files_are_judged(statuses, code, monkeypatch, capsys):
    asked = []

    def judged(target, told):
        asked.append(target)
        return [Mutant(Change(f"f{index}", "a", "b"), status) for index, status in enumerate(statuses)]

    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(command, "mutated", judged)
    monkeypatch.setattr(command, "EQUIVALENTS", ())
    assert command.main(["gate", "store"]) == code
    assert asked == [TARGETS["gate"], TARGETS["store"]]
    assert capsys.readouterr().out.count(HEADER) == 3
    asked.clear()
    assert command.main([]) == code
    assert asked == list(TARGETS.values())


def test_a_session_that_gives_no_verdict_is_no_pass(monkeypatch, capsys):
    def failing(target, told):
        raise SessionError("mutmut ended with 1:\nno tests")

    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(command, "mutated", failing)
    assert command.main(["gate"]) == 1
    assert capsys.readouterr().out == "gate: mutmut ended with 1:\nno tests\n"
