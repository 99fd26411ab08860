"""Under GitHub Actions: the summary of the step, annotations, and a log in which no text is a command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_modelcheck import __main__ as program

GATES = """
import pytest

@pytest.mark.modelcheck_small(at_most=9)
def test_kept(): ...

@pytest.mark.modelcheck_small(at_most=1)
def test_broken(): ...
"""

MARKER = "<!-- pytest-modelcheck -->"


@pytest.fixture
def summary(small_check: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = small_check.path / "summary.md"
    path.write_text("# before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(small_check.path))
    folder = small_check.mkdir("sub")
    (folder / "test_it.py").write_text(GATES, encoding="utf-8")
    return path


def test_the_summary_is_appended_once_and_failures_are_annotated(
    small_check: pytest.Pytester, summary: Path, processes: str
):
    result = small_check.runpytest_inprocess("--modelcheck", processes)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = summary.read_text(encoding="utf-8")
    assert text.startswith(f"# before\n\n\n{MARKER}\n## modelcheck failed: 1 failed, 1 passed\n")
    assert text.count(MARKER) == 1
    assert [line for line in result.outlines if line.startswith("::")] == [
        "::error file=sub/test_it.py,line=7,title=test_broken%3A small::small of int: 5 is more than 1"
    ]


def test_nothing_of_both_elsewhere(small_check: pytest.Pytester, summary: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GITHUB_ACTIONS")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    result = small_check.runpytest_inprocess("--modelcheck")
    assert not [line for line in result.outlines if line.startswith("::")]
    assert summary.read_text(encoding="utf-8") == "# before\n"


@pytest.mark.parametrize("options", [(), ("--modelcheck", "--collect-only")])
def test_nor_where_no_gate_is_to_run(small_check: pytest.Pytester, summary: Path, options: tuple[str, ...]):
    small_check.runpytest_inprocess(*options)
    assert summary.read_text(encoding="utf-8") == "# before\n"


def test_a_summary_that_cannot_be_written_fails_the_run(small_check: pytest.Pytester, summary: Path):
    (small_check.path / "sub" / "test_it.py").write_text(GATES.replace("at_most=1)", "at_most=8)"), encoding="utf-8")
    summary.unlink()
    summary.mkdir()
    result = small_check.runpytest_inprocess("--modelcheck")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"the step summary {summary} could not be written: *"])


def test_no_text_of_a_gate_is_a_command(small_check: pytest.Pytester, summary: Path):
    small_check.makeconftest(
        """
        import pytest
        from pytest_modelcheck import Result, check

        @check
        def loud(model, /, *, what: str) -> Result:
            '''It says what it likes.'''
            evidence = {"model": "::error::size", "total": 1, "trainable": 1, "dtypes": {}, "bytes": 4, "largest": []}
            changes = ("##[error]changed",)
            message = f"broken\\n{what}"
            return Result("failed", what, what, message, evidence=evidence, subject=what, changes=changes)

        def pytest_modelcheck_checks(config):
            return [loud]

        @pytest.fixture
        def model():
            return 1
        """
    )
    (small_check.path / "sub" / "test_it.py").write_text(
        """
import pytest

@pytest.mark.modelcheck_loud(what="::warning::a\\n::error::b ##[group]c ##vso[task.complete]d")
@pytest.mark.parametrize("x", ["::notice::e"])
def test_it(x): ...
""",
        encoding="utf-8",
    )
    result = small_check.runpytest_inprocess("--modelcheck", "-rA", "-vv")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    commands = [line for line in result.outlines if line.strip().startswith("::")]
    assert len(commands) == 1
    assert commands[0].startswith("::error file=sub/test_it.py,line=4,")
    others = "\n".join(line for line in result.outlines if line not in commands)
    assert "##[" not in others
    assert "##vso[" not in others


def test_a_comparison_goes_behind_what_is_in_the_summary(
    small_check: pytest.Pytester, summary: Path, capsys: pytest.CaptureFixture[str]
):
    small_check.runpytest_inprocess("--modelcheck", "--modelcheck-report=r.json")
    before = summary.read_text(encoding="utf-8")
    assert program.main(["compare", "r.json", "r.json", "--markdown", str(summary)]) == 0
    after = summary.read_text(encoding="utf-8")
    assert after.startswith(before)
    assert after.count("\n## ") == before.count("\n## ") + 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
def test_a_summary_that_fits_no_disk_is_as_it_was(small_check: pytest.Pytester, summary: Path):
    text = summary.read_text(encoding="utf-8") + "x" * 500 + "\n"
    summary.write_text(text, encoding="utf-8")
    limit = (
        "import resource, signal, sys, pytest\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))\n"
        "sys.exit(pytest.main(['--modelcheck', '-p', 'no:cacheprovider', '-p', 'no:modelcheck-none']))\n"
    )
    result = small_check.run(sys.executable, "-c", limit)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert summary.read_text(encoding="utf-8") == text
