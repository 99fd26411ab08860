"""What `pyproject.toml` asks for, and the lowest versions that it admits."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]

# Distributions whose module has another name.
_MODULES = {"pyyaml": "yaml", "markdown-it-py": "markdown_it", "pytest-xdist": "xdist"}


def project(root: Path = ROOT) -> dict[str, Any]:
    """The table `[project]`."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # pytest brings it
    return dict(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def requirements(table: dict[str, Any]) -> list[Requirement]:
    """Every requirement of the project and of its extras; extras that it asks of itself are among them anyway."""
    texts = [*table["dependencies"], *(text for extra in table["optional-dependencies"].values() for text in extra)]
    own = canonicalize_name(table["name"])
    return [found for found in map(Requirement, dict.fromkeys(texts)) if canonicalize_name(found.name) != own]


def without(every: Collection[Requirement], absent: Collection[str]) -> list[Requirement]:
    """The requirements but those of these names."""
    return [requirement for requirement in every if canonicalize_name(requirement.name) not in absent]


def lowest(every: Collection[Requirement]) -> list[str]:
    """The lowest version of each that all its requirements admit; a `ValueError` for one without a lower bound."""
    found: dict[str, Version] = {}
    for requirement in every:
        name = canonicalize_name(requirement.name)
        bounds = list(_lower_bounds(requirement))
        if not bounds:
            raise ValueError(f"{requirement} has no lower bound: name>=version is expected")
        found[name] = max([*bounds, *([found[name]] if name in found else [])])
    for requirement in every:
        version = found[canonicalize_name(requirement.name)]
        if not requirement.specifier.contains(version, prereleases=True):
            raise ValueError(f"{requirement} does not admit {version}, the lowest version of the others")
    return [f"{name}=={version}" for name, version in found.items()]


def _lower_bounds(requirement: Requirement) -> Iterator[Version]:
    return (Version(item.version) for item in requirement.specifier if item.operator in (">=", "~=", "=="))


def module_of(name: str) -> str:
    """The module that a distribution brings."""
    return _MODULES.get(canonicalize_name(name), canonicalize_name(name).replace("-", "_"))
