"""The CI files run as they stand: their lines, their hook and their stage, in a scratch copy of a small repository."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_modelcheck.reports import RENDERERS

ROOT = Path(__file__).parents[1]
CI = ROOT / "sample_project" / "ci"
FILES = ("github-actions.yml", "gitlab-ci.yml", "pre-commit-config.yaml", "dvc.yaml")

# The schemas that check-jsonschema brings along.
SCHEMAS = {"github-actions.yml": "github-workflows", "gitlab-ci.yml": "gitlab-ci"}

PYPROJECT = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\nmarkers = ["slow: takes long"]\n'
GATES = """
import pytest

@pytest.mark.modelcheck_small(at_most=7)
def test_fast(): ...

@pytest.mark.slow
@pytest.mark.modelcheck_small(at_most={slow})
def test_slow(): ...

def test_that_is_no_gate():
    assert {other}
"""

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on the PATH")
needs_dvc = pytest.mark.skipif(shutil.which("dvc") is None, reason="dvc is not on the PATH: uv tool install dvc")


def read(name: str) -> dict[Any, Any]:
    content = yaml.safe_load((CI / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


@pytest.fixture
def repository(small_check: pytest.Pytester) -> Path:
    """A repository of one small model, whose gates need no torch."""
    folder = small_check.path
    (folder / "tests").mkdir()
    (folder / "model").mkdir()
    (folder / "model" / "weights.txt").write_text("5", encoding="utf-8")
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    write_gates(folder)
    return folder


def write_gates(folder: Path, *, slow: int = 6, other: bool = True) -> None:
    (folder / "tests" / "test_gates.py").write_text(GATES.format(slow=slow, other=other), encoding="utf-8")


def environment(**variables: str) -> dict[str, str]:
    """What a job sees: the programs of this Python first, this package, and nothing that this process's own CI set."""
    given = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CI", "GITHUB_", "GITLAB_", "GIT_", "PYTEST_"))
    }
    programs = f"{Path(sys.executable).parent}{os.pathsep}{given['PATH']}"
    return {**given, "PATH": programs, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **variables}


def run(command: str | list[str], folder: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    words = ["bash", "-e", "-c", command] if isinstance(command, str) else command
    return subprocess.run(
        words, cwd=folder, env=environment(**variables), capture_output=True, encoding="utf-8", timeout=120, check=False
    )


def run_lines(lines: list[str], folder: Path, variables: Mapping[str, str]) -> None:
    """The lines of a job, one after the other, but for those that install; all must succeed."""
    for line in lines:
        if not line.startswith("pip install "):
            result = run(line, folder, variables)
            assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"


def steps_of(job: str) -> list[dict[str, Any]]:
    steps = read("github-actions.yml")["jobs"][job]["steps"]
    assert isinstance(steps, list)
    return steps


def lines_of(job: str) -> list[str]:
    return [step["run"] for step in steps_of(job) if "run" in step]


@pytest.fixture
def github(tmp_path: Path) -> dict[str, str]:
    """What GitHub sets for a job."""
    summary = tmp_path / "summary.md"
    summary.touch()
    return {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_yaml_and_says_where_it_goes(name: str):
    assert read(name)
    first = (CI / name).read_text(encoding="utf-8").splitlines()[0]
    assert re.match(r"# (Copy to \S+[.,]|A stage of dvc\.yaml)", first)


def test_no_file_is_left_out():
    assert {path.name for path in CI.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_file_keeps_the_schema_of_its_service(name: str):
    schema = f"vendor.{SCHEMAS[name]}"
    result = run([sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(CI / name)], ROOT, {})
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("job", ["gates", "compare"])
def test_actions_are_pinned_to_a_major_version_and_need_no_secret(job: str):
    actions = [step["uses"] for step in steps_of(job) if "uses" in step]
    assert actions
    assert all(re.fullmatch(r"actions/[a-z/-]+@v\d+", action) for action in actions)
    text = (CI / "github-actions.yml").read_text(encoding="utf-8")
    assert not re.search(r"secrets\.|github\.token|GITHUB_TOKEN", text)
    assert read("github-actions.yml")["permissions"] == {"contents": "read"}


def test_every_step_runs_something_or_uses_an_action():
    for job in read("github-actions.yml")["jobs"].values():
        assert all(("run" in step) != ("uses" in step) for step in job["steps"])


def reports_asked() -> Iterator[str]:
    for name in FILES:
        yield from re.findall(r"--modelcheck-report=(\S+)", (CI / name).read_text(encoding="utf-8"))


def test_every_report_has_a_renderer():
    asked = set(reports_asked())
    assert asked == {"gates.json", "gates.html", "metrics.txt", "metrics.json"}
    for path in asked:
        assert any(path.endswith(ending) for ending in RENDERERS), path
    assert "metrics.json" in RENDERERS


def test_the_github_job_leaves_its_reports(repository: Path, github: dict[str, str]):
    run_lines(lines_of("gates"), repository, github)
    upload = next(step for step in steps_of("gates") if step.get("uses", "").startswith("actions/upload-artifact@"))
    assert upload["if"] == "always()"
    for path in upload["with"]["path"].split():
        assert (repository / path).stat().st_size > 0
    assert (repository / "main" / "gates.json").read_bytes() == (repository / "gates.json").read_bytes()


def test_the_github_job_writes_the_summary_without_a_step_of_its_own(repository: Path, github: dict[str, str]):
    run_lines(lines_of("gates"), repository, github)
    summary = Path(github["GITHUB_STEP_SUMMARY"]).read_text(encoding="utf-8")
    assert "modelcheck" in summary
    assert "2 passed" in summary


def test_a_failed_gate_fails_the_github_job_and_leaves_the_reports(repository: Path, github: dict[str, str]):
    write_gates(repository, slow=4)
    (gates,) = [line for line in lines_of("gates") if line.startswith("pytest ")]
    result = run(gates, repository, github)
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "small of int: 5 is more than 4" in result.stdout
    assert json.loads((repository / "gates.json").read_text(encoding="utf-8"))["passed"] is False
    assert (repository / "gates.html").exists()


def test_a_pull_request_is_compared_with_the_main_branch(repository: Path, github: dict[str, str]):
    run_lines(lines_of("gates"), repository, github)
    run_lines(lines_of("compare"), repository, github)
    compared = (repository / "compare.md").read_text(encoding="utf-8")
    assert compared.strip()
    assert compared in Path(github["GITHUB_STEP_SUMMARY"]).read_text(encoding="utf-8")


def test_the_comparison_reads_what_the_gates_kept():
    kept = next(step["with"] for step in steps_of("gates") if step.get("uses", "").startswith("actions/cache/save@"))
    found = next(
        step["with"] for step in steps_of("compare") if step.get("uses", "").startswith("actions/cache/restore@")
    )
    assert kept["path"] == found["path"]
    assert kept["key"].startswith(found["key"])
    assert any(found["path"] in line for line in lines_of("compare"))


def test_the_gitlab_job_leaves_what_a_merge_request_shows(repository: Path):
    job = read("gitlab-ci.yml")["gates"]
    run_lines(job["script"], repository, {"CI": "true", "GITLAB_CI": "true"})
    assert job["artifacts"]["when"] == "always"
    for path in [*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()]:
        assert (repository / path).stat().st_size > 0
    assert "test_fast" in (repository / job["artifacts"]["reports"]["junit"]).read_text(encoding="utf-8")
    metrics = (repository / job["artifacts"]["reports"]["metrics"]).read_text(encoding="utf-8")
    assert metrics.endswith("# EOF\n")


def make_git(folder: Path) -> None:
    for command in ("git init -q", "git add ."):
        assert run(shlex.split(command), folder, {}).returncode == 0


@needs_git
def test_the_pre_commit_hook_runs_the_fast_gates_and_nothing_else(repository: Path, tmp_path: Path):
    write_gates(repository, slow=4, other=False)
    result = run_hook(repository, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^model gates\.+Passed$", result.stdout, flags=re.MULTILINE)


@needs_git
def test_the_pre_commit_hook_fails_with_its_gate(repository: Path, tmp_path: Path):
    gates = repository / "tests" / "test_gates.py"
    gates.write_text(gates.read_text(encoding="utf-8").replace("at_most=7", "at_most=3"), encoding="utf-8")
    result = run_hook(repository, tmp_path)
    assert result.returncode == 1
    assert "small of int: 5 is more than 3" in result.stdout


def run_hook(repository: Path, home: Path) -> subprocess.CompletedProcess[str]:
    shutil.copy(CI / "pre-commit-config.yaml", repository / ".pre-commit-config.yaml")
    make_git(repository)
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--hook-stage", "manual"]
    return run(command, repository, {"PRE_COMMIT_HOME": str(home)})


def test_the_dvc_stage_writes_flat_numbers(repository: Path):
    stage = read("dvc.yaml")["stages"]["gates"]
    run_lines([stage["cmd"]], repository, {})
    assert all((repository / path).exists() for path in stage["deps"])
    (metrics,) = stage["metrics"]
    assert metrics == {"metrics.json": {"cache": False}}
    numbers = json.loads((repository / "metrics.json").read_text(encoding="utf-8"))
    assert numbers
    assert all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers.values())


@needs_git
@needs_dvc
def test_dvc_runs_the_stage_once_and_shows_its_numbers(repository: Path, tmp_path: Path):
    shutil.copy(CI / "dvc.yaml", repository / "dvc.yaml")
    make_git(repository)
    own = {"DVC_NO_ANALYTICS": "1", "DVC_GLOBAL_CONFIG_DIR": str(tmp_path), "DVC_SITE_CACHE_DIR": str(tmp_path)}
    for command in ("dvc init -q", "dvc repro"):
        result = run(shlex.split(command), repository, own)
        assert result.returncode == 0, result.stdout + result.stderr
    shown = run(shlex.split("dvc metrics show --json"), repository, own)
    numbers = json.loads(shown.stdout)[""]["data"]["metrics.json"]["data"]
    assert numbers == json.loads((repository / "metrics.json").read_text(encoding="utf-8"))
    again = run(["dvc", "repro"], repository, own)
    assert "Stage 'gates' didn't change, skipping" in again.stdout
