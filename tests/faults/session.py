"""A session of pytest in a process and a folder of its own, with tests that follow on the fault.

Where the fault needs torch, the process is forked from one that has loaded it; with `MODELCHECK_FRESH_FAULTS=1` in the
environment, each is a new interpreter.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_modelcheck.baselines.store import Store
from tests.faults.fault import Fault, Session, report_of
from tests.faults.launcher import Launcher
from tests.outer import OUTER

_HERE = Path(__file__).parent

NEXT = '''
"""After the fault: a world as it was, and a gate whose baseline nobody touched."""

import conftest
import pytest


def test_world():
    assert conftest.changed() == []


@pytest.mark.modelcheck_token_ids(text="abc")
def test_baseline(tokenizer): ...
'''

# Hypothesis would be loaded for each failure, and numpy for nothing.
_ALONE = ("-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:jaxtyping")

# What a run leaves behind that is no file of the user's.
_OWN = ("report.json", "output", "ended", ".pytest_cache", "__pycache__", ".hypothesis")

# Of larger files only the size is compared.
_LARGEST = 1 << 30


def run(fault: Fault, root: Path, launcher: Callable[[], Launcher]) -> Session:
    """Run a fault's session, and assert that it changed no file of its folder to the byte."""
    _write(fault, root)
    before = _files(root)
    environment = {name: value for name, value in os.environ.items() if name not in OUTER}
    environment |= {
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
        "NETWORK_NOTES": str(root / "network"),
        **fault.environment,
    }
    arguments = [*_ALONE, "--modelcheck", "--modelcheck-report=report.json", *fault.options]
    output = root / "output"
    if _may_be_forked(fault):
        ended = launcher().run(arguments, root, environment, output)
    else:
        ended = _in_a_new_interpreter(arguments, root, environment, output)
    text = output.read_bytes().decode("utf-8", "backslashreplace")
    after = _files(root)
    assert {name: after.get(name) for name in before} == before, text
    return Session(ended, text, report_of(root), root)


def _may_be_forked(fault: Fault) -> bool:
    texts = (fault.test, *fault.files.values())
    return (
        "import torch" in "".join(map(str, texts)) and not fault.fresh and "MODELCHECK_FRESH_FAULTS" not in os.environ
    )


def _in_a_new_interpreter(arguments: list[str], root: Path, environment: Mapping[str, str], output: Path) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    with output.open("wb") as file:
        ended = subprocess.run(
            command, cwd=root, env=environment, stdout=file, stderr=subprocess.STDOUT, timeout=300, check=False
        )
    return ended.returncode


def _write(fault: Fault, root: Path) -> None:
    world = (_HERE / "world.py").read_text(encoding="utf-8")
    texts: Mapping[str, str | bytes] = {
        "pytest.ini": "[pytest]\n",
        "conftest.py": world,
        "test_fault.py": fault.test,
        "test_next.py": NEXT,
        **fault.files,
    }
    for name, content in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    store = Store(root / "test_next.py")
    store.compare_or_record("test_baseline token_ids", {"ids": [97, 98, 99], "text": "abc"}, "missing")
    if fault.prepare is not None:
        fault.prepare(root)


def _digest(path: Path) -> str:
    """What a file holds; its size alone where it is a hole that no memory holds."""
    size = path.stat().st_size
    return f"{size} bytes" if size > _LARGEST else hashlib.sha256(path.read_bytes()).hexdigest()


def _files(root: Path) -> dict[str, str]:
    """The digests of all files below a folder but those that are a run's own."""
    return {
        path.relative_to(root).as_posix(): _digest(path)
        for path in root.rglob("*")
        if path.is_file() and not any(part in _OWN for part in path.relative_to(root).parts)
    }
