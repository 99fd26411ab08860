"""What is broken on purpose, and the tests that are to notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A file of the package, the test files that judge it, and what of them is left out, as `-k` takes it."""

    source: str
    tests: tuple[str, ...]
    without: str = ""


def _file(source: str, *tests: str, without: str = "") -> Target:
    return Target(f"pytest_modelcheck/{source}", tests, without)


# Left out are tests of speed, which a busy machine fails, and those that start processes or take seconds.
TARGETS = {
    "comparison": _file("comparison.py", "tests/unit/test_comparison.py"),
    "gate": _file("evaluation/gate.py", "tests/unit/test_gate_arithmetic.py"),
    "early_stop": _file(
        "evaluation/early_stop.py", "tests/unit/test_early_stop.py", without="under_a_second or that_is_read"
    ),
    "paired": _file("evaluation/paired.py", "tests/unit/test_paired.py"),
    "bounds": _file("evaluation/bounds.py", "tests/unit/test_bounds.py"),
    "intervals": _file("evaluation/intervals.py", "tests/unit/test_intervals.py", without="milliseconds"),
    "strict_json": _file("strict_json.py", "tests/unit/test_strict_json.py"),
    "files": _file("baselines/files.py", "tests/baselines/test_files.py", "tests/baselines/test_write_whole.py"),
    "digests": _file("baselines/digests.py", "tests/baselines/test_digests.py"),
    "store": _file(
        "baselines/store.py",
        "tests/baselines/test_store.py",
        "tests/baselines/test_store_details.py",
        "tests/baselines/test_digests.py",
        without="four_processes or killed",
    ),
}
