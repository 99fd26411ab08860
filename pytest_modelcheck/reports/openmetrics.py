"""The report as OpenMetrics text, for GitLab's metrics reports and for the textfile collector of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports.numbers import finite
from pytest_modelcheck.reports.run import OUTCOMES, Run

_Labels = tuple[tuple[str, str], ...]

# Every family is a gauge, which the older format of Prometheus knows as well.
_HELP: Mapping[str, str] = MappingProxyType(
    {
        "modelcheck_run_passed": "1 if the run passed, 0 if not.",
        "modelcheck_run_complete": "1 if the run reached its end, 0 if it was cut short.",
        "modelcheck_run_seconds": "What the run took.",
        "modelcheck_gates": "The promises of the run by their outcome.",
        "modelcheck_gate_passed": "1 if the promise was measured and is kept, 0 with every other outcome.",
        "modelcheck_gate_margin": "The distance to the promise as a share of its scale, negative where it is broken.",
        "modelcheck_gate_value": "The number that was measured.",
        "modelcheck_gate_value_low": "The lower bound of the true value.",
        "modelcheck_gate_value_high": "The upper bound of the true value.",
        "modelcheck_gate_seconds": "What the measurement took.",
    }
)


class _Sample(NamedTuple):
    family: str
    labels: _Labels
    value: int | float


def render(run: Run) -> str:
    """Gauges of the run and of every promise, with the labels `gate`, `check`, `part` and `device`.

    A check that a test calls several times has the label `call` from the second on. Characters that cannot be printed
    are escaped in labels, and so is `#`, at which GitLab ends a line.
    """
    samples: dict[str, list[_Sample]] = {family: [] for family in _HELP}
    for sample in (*_of_run(run), *_of_rows(run)):
        samples[sample.family].append(sample)
    lines = [line for family, found in samples.items() for line in _family(family, found)]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _of_run(run: Run) -> Iterator[_Sample]:
    yield _Sample("modelcheck_run_passed", (), int(run.passed))
    yield _Sample("modelcheck_run_complete", (), int(run.complete))
    yield _Sample("modelcheck_run_seconds", (), run.seconds)
    numbers = Counter(row["outcome"] for row in run.rows)
    for outcome in OUTCOMES:
        yield _Sample("modelcheck_gates", (("outcome", outcome),), numbers[outcome])


def _of_rows(run: Run) -> Iterator[_Sample]:
    seen: Counter[_Labels] = Counter()
    for row in run.rows:
        told = ((name, _shown(row[name])) for name in ("gate", "check", "part", "device"))
        labels = tuple((name, value) for name, value in told if value)
        seen[labels] += 1
        labels = (*labels, ("call", str(seen[labels]))) if seen[labels] > 1 else labels
        yield _Sample("modelcheck_gate_passed", labels, int(row["outcome"] == "passed"))
        number = row.get("number") or {}
        named = (*labels, ("name", _shown(number["name"]))) if number else labels
        values = (
            ("modelcheck_gate_margin", labels, row["margin"]),
            ("modelcheck_gate_value", named, number.get("value")),
            ("modelcheck_gate_value_low", named, number.get("low")),
            ("modelcheck_gate_value_high", named, number.get("high")),
            ("modelcheck_gate_seconds", labels, row["seconds"]),
        )
        for family, found, value in values:
            shown = finite(value)
            if shown is not None:
                yield _Sample(family, found, shown)


def _family(family: str, samples: list[_Sample]) -> Iterator[str]:
    yield f"# TYPE {family} gauge"
    if family.endswith("_seconds"):
        yield f"# UNIT {family} seconds"
    yield f"# HELP {family} {_HELP[family]}"
    for _, labels, value in samples:
        shown = ",".join(f'{name}="{_escaped(told)}"' for name, told in labels)
        yield f"{family}{{{shown}}} {value}" if shown else f"{family} {value}"


def _shown(text: str) -> str:
    return printable(text).replace("#", r"\x23")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"")
