"""What the tests can run beside, by name: what is installed, and which tests are the core there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.versions.bounds import lowest, without

_OF_TRANSFORMERS = ("transformers", "tokenizers")
_OF_LIGHTNING = ("pytorch-lightning", "torchmetrics")
_OF_TORCH = ("torch", "torchvision", "torchinfo", *_OF_LIGHTNING)

# What runs the tests, where nothing else is installed but what the package needs.
_RUNNERS = ("pytest", "filelock", "pytest-xdist", "hypothesis")

_FAST = ("-m", "not slow")


@dataclass(frozen=True)
class Surroundings:
    """One environment: what is told of it, what is left out, which versions are taken, and its tests by default.

    Beside absent packages, all those tests are the core that need none of them.
    """

    told: str
    absent: tuple[str, ...] = ()
    is_lowest: bool = False
    is_alone: bool = False
    tests: tuple[str, ...] = ()

    def installed(self, every: list[Requirement]) -> list[str]:
        """What pip is asked for beside the package itself."""
        absent = self.left_out(every)
        return [str(requirement) for requirement in without(every, absent)]

    def left_out(self, every: list[Requirement]) -> list[str]:
        """The names of what is not installed."""
        names = [canonicalize_name(requirement.name) for requirement in every]
        return sorted({name for name in names if name not in _RUNNERS}) if self.is_alone else list(self.absent)

    def pinned(self, every: list[Requirement]) -> list[str]:
        """The constraints that pip is given."""
        return lowest(without(every, self.left_out(every))) if self.is_lowest else []


EVERY: Mapping[str, Surroundings] = MappingProxyType(
    {
        "lowest": Surroundings(
            "every package in the lowest version that pyproject.toml admits; all tests that are not slow",
            is_lowest=True,
            tests=_FAST,
        ),
        "newest": Surroundings("every package in the newest version; all tests"),
        "core": Surroundings(
            "the package alone, with pytest, pytest-xdist and hypothesis; all tests that need nothing else",
            is_alone=True,
        ),
        "no-torch": Surroundings(
            "no torch, and nothing that needs it; all tests that need neither",
            absent=_OF_TORCH,
        ),
        "no-transformers": Surroundings(
            "no transformers and no tokenizers; all tests that need neither and are not slow",
            absent=_OF_TRANSFORMERS,
            tests=_FAST,
        ),
        "no-lightning": Surroundings(
            "no Lightning and no torchmetrics; all tests that need neither and are not slow",
            absent=_OF_LIGHTNING,
            tests=_FAST,
        ),
    }
)
