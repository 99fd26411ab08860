"""What a report says of where a run took place enters by an allowlist."""

from __future__ import annotations

import json
import os

import pytest

from pytest_modelcheck.plugin.environment import environment

VALUE = "hunter2-of-the-registry"


def test_versions_the_platform_and_the_build_are_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GITHUB_SHA", "0123abc")
    monkeypatch.setenv("GITHUB_RUN_ID", "")
    found = environment()
    assert {"python", "platform", "pytest", "torch", "transformers", "pytest-modelcheck"} <= found.keys()
    assert found["GITHUB_SHA"] == "0123abc"
    assert "GITHUB_RUN_ID" not in found


def test_no_other_variable_reaches_any_report(small_check: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "CI_JOB_TOKEN", "HF_TOKEN", "PYTEST_ADDOPTS_NOTE"):
        monkeypatch.setenv(name, VALUE)
    small_check.makepyfile(test_it="import pytest\n@pytest.mark.modelcheck_small(at_most=1)\ndef test_broken(): ...\n")
    names = ("r.json", "r.md", "r.html", "r.txt", "metrics.json")
    small_check.runpytest_inprocess("--modelcheck", *(f"--modelcheck-report={name}" for name in names))
    for name in names:
        assert VALUE not in (small_check.path / name).read_text(encoding="utf-8")
    told = json.loads((small_check.path / "r.json").read_text(encoding="utf-8"))["environment"]
    assert set(told) & set(os.environ) <= {"OMP_NUM_THREADS", "GITHUB_REPOSITORY", "GITHUB_SHA", "GITHUB_REF_NAME"} | {
        name for name in told if name.startswith(("GITHUB_RUN", "CI_"))
    }
