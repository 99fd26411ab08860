"""What befalls a baseline while it is recorded, or what it is compared with."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.coverage.row import (
    BENCHMARK,
    MODELCHECK,
    SYRUPY,
    TORCH,
    Group,
    Row,
    Use,
    judged,
    kept,
    none_lost,
    old_kept,
)
from tests.benchmarks.coverage.rows.stores import (
    CLASSIFIER,
    LETTERS,
    METRICS,
    OF_ACCURACY,
    OF_BENCHMARK,
    OF_METRICS,
    OF_MODELCHECK,
    OF_SYRUPY,
    SAVE,
    STRICT,
    UPDATE,
    UPDATE_ALL,
    UPDATE_GOLDEN,
    UPDATE_METRICS,
    UPDATE_SNAPSHOTS,
    deleted,
)

FULL = {"FILES_END_AT": "20000"}
KILLED = {**FULL, "KILLED_THERE": "1"}

# Baselines of more than 20,000 bytes.
LARGE = {
    MODELCHECK: Use(
        LETTERS.replace("ord(letter)", "ord(letter) + SUBJECT")
        + '\n@pytest.mark.modelcheck_token_ids(text="abc" * 9_000)\ndef test_it(): ...\n',
        "0",
        "1",
        record=UPDATE,
        updates=UPDATE_ALL,
    ),
    TORCH: Use(
        "import torch\n\ndef test_it(golden):\n    golden.check(torch.full((20_000,), SUBJECT))\n",
        "0",
        "1",
        record=UPDATE_GOLDEN,
        updates=UPDATE_GOLDEN,
    ),
    SYRUPY: Use(
        "def test_it(snapshot):\n    assert [SUBJECT] * 9_000 == snapshot\n",
        "0",
        "1",
        record=UPDATE_SNAPSHOTS,
        updates=UPDATE_SNAPSHOTS,
    ),
    BENCHMARK: replace(OF_BENCHMARK, updates=SAVE),
}

SIXTY = {
    MODELCHECK: Use(
        LETTERS + "".join(f'\n@pytest.mark.modelcheck_token_ids(text="{n}")\ndef test_{n}(): ...\n' for n in range(60)),
        options=("-p", "xdist"),
        record=UPDATE,
        baseline=OF_MODELCHECK.baseline,
        anew=(*UPDATE, "-n4"),
    ),
    TORCH: Use(
        CLASSIFIER.replace("SUBJECT", "0")
        + METRICS.partition("def test_it")[0]
        + "".join(
            f'\ndef test_{n}(metric_baseline):\n    metric_baseline(MODEL, LOADER, {{"accuracy": accuracy}})\n'
            for n in range(60)
        ),
        options=(*STRICT, "-p", "xdist"),
        record=UPDATE_METRICS,
        baseline=OF_METRICS.baseline,
        anew=(*UPDATE_METRICS, "-n4"),
    ),
    SYRUPY: Use(
        "".join(f"\ndef test_{n}(snapshot):\n    assert {n} == snapshot\n" for n in range(60)),
        options=("-p", "xdist"),
        record=UPDATE_SNAPSHOTS,
        baseline=OF_SYRUPY.baseline,
        anew=(*UPDATE_SNAPSHOTS, "-n4"),
    ),
}

OLD = {
    MODELCHECK: replace(
        OF_MODELCHECK,
        test=OF_MODELCHECK.test.replace("test_it", "test_old")
        + '\n@pytest.mark.modelcheck_token_ids(text="SUBJECT")\ndef test_it(): ...\n',
        anew=UPDATE_ALL,
    ),
    TORCH: Use(
        "def test_old(golden):\n    golden.check('old')\n\ndef test_it(golden):\n    golden.check('SUBJECT')\n",
        record=UPDATE_GOLDEN,
        anew=UPDATE_GOLDEN,
    ),
    SYRUPY: Use(
        "def test_old(snapshot):\n    assert 'old' == snapshot\n\n"
        "def test_it(snapshot):\n    assert 'SUBJECT' == snapshot\n",
        record=UPDATE_SNAPSHOTS,
        anew=UPDATE_SNAPSHOTS,
    ),
    BENCHMARK: replace(
        OF_BENCHMARK,
        test="def test_old(benchmark):\n    benchmark(sorted, [2, 1])\n\n"
        "def test_it(benchmark):\n    benchmark.extra_info['text'] = 'SUBJECT'\n    benchmark(sorted, [2, 1])\n",
        anew=SAVE,
    ),
}

RECORDING = Group(
    "Recording baselines",
    (
        Row(
            "the disk is full in the middle of an update",
            "too large|no space|could not|cannot be written|unexpected pos",
            {tool: replace(use, fault_environment=FULL) for tool, use in LARGE.items()},
            judged,
        ),
        Row(
            "the process is killed in the middle of an update",
            "",
            {tool: replace(use, fault_environment=KILLED, again=True) for tool, use in LARGE.items()},
            kept,
        ),
        Row(
            "60 tests record baselines at once, in four processes",
            "(?!)",
            {tool: deleted(use) for tool, use in SIXTY.items()},
            none_lost,
        ),
        Row(
            "a lone surrogate is in what is recorded",
            "surrogate",
            {tool: replace(use, healthy="plain", faulty="\\ud800") for tool, use in OLD.items()},
            old_kept,
        ),
        Row(
            "what was recorded (for pytest-torch: of each sample) is gone, and three of 100 became wrong",
            "paired|per.sample|does not exist|is recorded for",
            {
                MODELCHECK: deleted(replace(OF_ACCURACY, recorded="0", healthy="3", faulty="3")),
                TORCH: deleted(
                    replace(OF_METRICS, recorded="0", healthy="3", faulty="3", baseline=".torch-metric-baselines/*.pt")
                ),
            },
        ),
        Row(
            "it was recorded on other data",
            "fingerprint|other data|another",
            {
                MODELCHECK: replace(
                    OF_ACCURACY,
                    faulty="0; SCALE = 6.0",
                    test=OF_ACCURACY.test.replace("5.0", "SCALE"),
                    healthy="0; SCALE = 5.0",
                ),
                TORCH: replace(
                    OF_METRICS,
                    faulty="0; SCALE = 6.0",
                    test=OF_METRICS.test.replace("5.0", "SCALE"),
                    healthy="0; SCALE = 5.0",
                ),
            },
        ),
    ),
)
