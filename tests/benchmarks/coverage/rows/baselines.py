"""Baselines that are missing, damaged, of another kind, or of no test."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.coverage.row import BENCHMARK, MODELCHECK, SYRUPY, TORCH, Group, Row
from tests.benchmarks.coverage.rows.stores import (
    OF_ACCURACY,
    OF_BENCHMARK,
    OF_GOLDEN,
    OF_METRICS,
    OF_MODELCHECK,
    OF_SYRUPY,
    Change,
    damaged,
    deleted,
)

# A damaged baseline is named by what it is, or by its file.
DAMAGED = (
    r"does not exist|regenerat|conflict|damaged|refused|corrupt|cannot be read|failed to load|no .{0,12}baseline"
    r"|[\w/]\.(json|ambr|pt)\b|__golden__"
)
MISSING = r"does not exist|no .{0,12}baseline|can't compare|is recorded for"
IN_CI = {"CI": "true"}


def in_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def garbage(content: bytes) -> bytes:
    return b"\x00\x9f garbage" * 20


def nested(content: bytes) -> bytes:
    return b'{"version": 1, "schema_version": 1, "entries": ' + b"[" * 100_000


def replacing(*pairs: tuple[bytes, bytes]) -> Change:
    def change(content: bytes) -> bytes:
        for old, new in pairs:
            assert old in content, content[:2000]
            content = content.replace(old, new, 1)
        return content

    return change


def conflicting(line: bytes) -> Change:
    """The marks of a merge conflict around a line, and another one with it."""
    return replacing((line, b"<<<<<<< ours\n" + line + b"\n=======\n" + line + b"\n>>>>>>> theirs"))


def slower(content: bytes) -> bytes:
    """A baseline of many times the time."""
    return content.replace(b'"min": ', b'"min": 9')


# A mean over a batch has no pairs to compare, so that the recorded number is what counts.
OF_MEANS = replace(OF_METRICS, test=OF_METRICS.test.replace(".float()", ".float().mean()"))

CHANGING = replace(
    OF_MODELCHECK,
    test=OF_MODELCHECK.test.replace("for letter in text]", "for letter in text[:-1]] + [SUBJECT]"),
    healthy="99",
    faulty="100",
)


BASELINES = Group(
    "Baselines",
    (
        Row(
            "none is recorded, in CI",
            MISSING,
            {
                MODELCHECK: deleted(OF_MODELCHECK, fault_environment=IN_CI),
                TORCH: deleted(OF_METRICS, fault_environment=IN_CI),
                SYRUPY: deleted(OF_SYRUPY, fault_environment=IN_CI),
                BENCHMARK: deleted(OF_BENCHMARK, fault_environment=IN_CI),
            },
        ),
        Row(
            "a golden file is gone, in CI",
            MISSING,
            {
                MODELCHECK: deleted(OF_ACCURACY, fault_environment=IN_CI),
                TORCH: deleted(OF_GOLDEN, fault_environment=IN_CI),
            },
        ),
        Row(
            "the file is garbage",
            DAMAGED,
            {
                MODELCHECK: damaged(OF_MODELCHECK, garbage),
                TORCH: damaged(OF_METRICS, garbage),
                SYRUPY: damaged(OF_SYRUPY, garbage),
                BENCHMARK: damaged(OF_BENCHMARK, garbage),
            },
        ),
        Row(
            "the file is cut off in the middle",
            DAMAGED,
            {
                MODELCHECK: damaged(OF_MODELCHECK, in_half),
                TORCH: damaged(OF_GOLDEN, in_half),
                SYRUPY: damaged(OF_SYRUPY, in_half),
                BENCHMARK: damaged(OF_BENCHMARK, in_half),
            },
        ),
        Row(
            "the file has the marks of a merge conflict",
            DAMAGED,
            {
                MODELCHECK: damaged(OF_MODELCHECK, conflicting(b'      "ids": [97, 98, 99],')),
                TORCH: damaged(OF_METRICS, conflicting(b'        "accuracy": 1.0')),
                SYRUPY: damaged(OF_SYRUPY, conflicting(b"    1.5,")),
                BENCHMARK: damaged(OF_BENCHMARK, conflicting(b'            "group": null,')),
            },
        ),
        Row(
            "the file is nested 100,000 levels deep",
            f"{DAMAGED}|nested",
            {
                MODELCHECK: damaged(OF_MODELCHECK, nested),
                TORCH: damaged(OF_METRICS, nested),
                BENCHMARK: damaged(OF_BENCHMARK, nested),
            },
        ),
        Row(
            "the file is of a newer version of its format",
            r"version|schema|newer|regenerat",
            {
                MODELCHECK: damaged(OF_MODELCHECK, replacing((b'"schema_version": 1', b'"schema_version": 99'))),
                TORCH: damaged(OF_METRICS, replacing((b'"version": 1', b'"version": 99'))),
                SYRUPY: damaged(OF_SYRUPY, replacing((b"version: 1", b"version: 99"))),
            },
        ),
        Row(
            "what is recorded is NaN",
            r"\bnan\b|finite",
            {
                MODELCHECK: damaged(OF_MODELCHECK, replacing((b"97, 98", b"NaN, 98"))),
                TORCH: damaged(OF_MEANS, replacing((b'"accuracy": 1.0', b'"accuracy": NaN'))),
                SYRUPY: damaged(OF_SYRUPY, replacing((b"1.5", b"nan"))),
                BENCHMARK: damaged(OF_BENCHMARK, lambda content: content.replace(b'"min": ', b'"min": NaN, "was": ')),
            },
        ),
        Row(
            "the file was edited so that a change is not seen",
            r"edited|digest|damaged|regressed|dropped|differ",
            {
                MODELCHECK: damaged(CHANGING, replacing((b"97, 98, 99", b"97, 98, 100"), (b'"c"', b'"d"'))),
                TORCH: damaged(OF_METRICS, replacing((b'"accuracy": 1.0', b'"accuracy": 0.6')), faulty="40"),
                SYRUPY: damaged(OF_SYRUPY, replacing((b"1.5", b"2.5")), faulty="['one', 2.5]"),
                BENCHMARK: damaged(OF_BENCHMARK, slower, faulty="20_000"),
            },
        ),
    ),
)
