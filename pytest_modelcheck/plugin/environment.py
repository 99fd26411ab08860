"""What a report says of where a run took place: versions, and the variables of an allowlist, and nothing else."""

from __future__ import annotations

import importlib.metadata
import os
import platform

from pytest_modelcheck.plugin.rows import plain

_PACKAGES = (
    "pytest-modelcheck",
    "pytest",
    "torch",
    "transformers",
    "tokenizers",
    "pytorch-lightning",
    "torchmetrics",
    "torchvision",
    "numpy",
)

# What tells one run of continuous integration from another. No variable that could hold a secret.
_VARIABLES = (
    "GITHUB_REPOSITORY",
    "GITHUB_REF_NAME",
    "GITHUB_SHA",
    "GITHUB_RUN_ID",
    "CI_PROJECT_PATH",
    "CI_COMMIT_REF_NAME",
    "CI_COMMIT_SHA",
    "CI_PIPELINE_ID",
    "OMP_NUM_THREADS",
)


def environment() -> dict[str, str]:
    """The versions of what decides measurements, the platform, and where in continuous integration this is."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found | {name: plain(os.environ[name]) for name in _VARIABLES if os.environ.get(name)}
