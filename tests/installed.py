"""Which versions are installed, for what differs between them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version


def before(name: str, bound: str) -> bool:
    """Whether a package is older than this version; not where it is absent."""
    try:
        return Version(version(name)) < Version(bound)
    except PackageNotFoundError:
        return False
