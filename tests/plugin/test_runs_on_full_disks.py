"""A run whose disk is full: the verdict is what it was, and what could not be written is never a green run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_modelcheck.baselines.store import Store
from tests.letters import CONFTEST
from tests.outer import OUTER
from tests.small_disks import FULL, on_small_disk

GATES = """
import pytest

@pytest.mark.modelcheck_token_ids(text="abc")
def test_recorded(tokenizer): ...

@pytest.mark.modelcheck_token_ids(text="abc", ids={ids})
def test_promised(tokenizer): ...
"""

GOOD, BAD = GATES.format(ids=[97, 98, 99]), GATES.format(ids=[1])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two gates that pass, of which one has a baseline."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "conftest.py").write_text(dedent(CONFTEST.format(shift=0)), encoding="utf-8")
    (tmp_path / "test_it.py").write_text(GOOD, encoding="utf-8")
    content = {"ids": [97, 98, 99], "text": "abc", "tokens": ["97", "98", "99"]}
    Store(tmp_path / "test_it.py").compare_or_record("test_recorded token_ids", content, "missing")
    return tmp_path


def limited(size: int) -> Callable[[], None]:
    """Nothing longer than this is written: what a full disk does, at a place that is known."""
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def run(project: Path, *options: str, size: int = 20, **environment: str) -> subprocess.CompletedProcess[str]:
    outer = {name: value for name, value in os.environ.items() if name not in OUTER}
    command = [sys.executable, "-B", "-m", "pytest", "--modelcheck", "-p", "no:cacheprovider", *options]
    return subprocess.run(
        command,
        cwd=project,
        env={**outer, "COLUMNS": "200", **environment},
        preexec_fn=limited(size),
        capture_output=True,
        text=True,
        check=False,
    )


pytestmark = pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")


def test_a_run_that_writes_nothing_passes(project: Path):
    ended = run(project)
    assert ended.returncode == pytest.ExitCode.OK, ended.stdout
    assert "2 promises: 2 passed" in ended.stdout


@pytest.mark.parametrize("name", ["gates.json", "gates.html"])
def test_a_report_that_finds_no_room_turns_green_into_red(project: Path, name: str):
    ended = run(project, f"--modelcheck-report={name}")
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"the report {project / name} could not be written: [Errno 27] File too large" in ended.stdout
    assert "2 promises: 2 passed" in ended.stdout
    assert f"report: {project / name}" not in ended.stdout.splitlines()
    assert sorted(path.name for path in project.iterdir()) == [
        "__modelcheck__",
        "conftest.py",
        "pytest.ini",
        "test_it.py",
    ]


def test_the_reports_that_have_room_tell_of_the_others_and_none_of_last_time_is_taken_for_one(project: Path):
    (project / "gates.html").write_text("of last time", encoding="utf-8")
    reports = [f"--modelcheck-report={name}" for name in ("gates.json", "gates.html")]
    ended = run(project, *reports, size=20_000)
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert (project / "gates.html").read_text(encoding="utf-8") == ""
    told = json.loads((project / "gates.json").read_text(encoding="utf-8"))
    assert told["passed"] is False
    assert told["problems"] == [f"the report {project / 'gates.html'} could not be written: [Errno 27] File too large"]


def test_red_stays_red(project: Path):
    (project / "test_it.py").write_text(BAD, encoding="utf-8")
    ended = run(project, "--modelcheck-report=gates.json")
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert "2 promises: 1 failed, 1 passed" in ended.stdout
    assert f"the report {project / 'gates.json'} could not be written: " in ended.stdout


def test_a_summary_that_finds_no_room_is_as_it_was(project: Path):
    summary = project / "summary.md"
    summary.write_text("# of another step\n", encoding="utf-8")
    ended = run(project, size=40, GITHUB_STEP_SUMMARY=str(summary))
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"the step summary {summary} could not be written: [Errno 27] File too large" in ended.stdout
    assert summary.read_text(encoding="utf-8") == "# of another step\n"


def test_a_baseline_that_finds_no_room_is_not_measured_and_the_old_one_stands(project: Path):
    path = project / "__modelcheck__" / "test_it.json"
    old = path.read_bytes()
    (project / "test_it.py").write_text(GOOD.replace('"abc")', '"abcd")'), encoding="utf-8")
    ended = run(project, "--modelcheck-update=all", size=100)
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    said = f"token_ids of Letters: not measured: the baseline {path} could not be written: [Errno 27] File too large"
    assert said in ended.stdout
    assert "2 promises: 1 error, 1 passed" in ended.stdout
    assert "baselines recorded" not in ended.stdout
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


SESSION = """
import os, shutil, subprocess, sys
from pathlib import Path

disk = Path("disk")
shutil.copytree("project", disk / "project")
try:
    with open(disk / "filler", "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
except OSError:
    pass
before = {path: path.read_bytes() for path in (disk / "project").rglob("*") if path.is_file()}
ended = subprocess.run([sys.executable, "-B", "-m", "pytest", *sys.argv[1:]], cwd=disk / "project")
after = {path: path.read_bytes() for path in (disk / "project").rglob("*") if path.is_file()}
print("unchanged" if after == before else sorted(map(str, after)))
sys.exit(ended.returncode)
"""


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        ((), pytest.ExitCode.OK, "2 promises: 2 passed"),
        (
            ("--modelcheck-report=gates.json",),
            pytest.ExitCode.TESTS_FAILED,
            "gates.json could not be written: [Errno 28] No space left on device",
        ),
    ],
    ids=["no report", "a report"],
)
def test_so_it_is_on_a_disk_that_is_full(
    project: Path, tmp_path_factory: pytest.TempPathFactory, options: tuple[str, ...], exit_code: int, said: str
):
    root = tmp_path_factory.mktemp("root")
    (root / "disk").mkdir()
    project.rename(root / "project")
    command = [sys.executable, "-c", SESSION, "--modelcheck", "-p", "no:cacheprovider", *options]
    outer = {name: value for name, value in os.environ.items() if name not in OUTER}
    ended = subprocess.run(
        on_small_disk(root / "disk", FULL, command), cwd=root, env=outer, capture_output=True, text=True, check=False
    )
    assert ended.returncode == exit_code, ended.stdout + ended.stderr
    assert said in ended.stdout
    assert "unchanged" in ended.stdout.splitlines()
