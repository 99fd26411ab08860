"""The promise that a classifier is right about as often as the one that was recorded, on the same samples."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

import pytest_modelcheck.checks.accuracy
import pytest_modelcheck.evaluation.mnist  # noqa: F401  (a session inside of a test forgets what it loads itself)
from pytest_modelcheck import ConfigError, assert_accuracy
from pytest_modelcheck.context import Context
from pytest_modelcheck.evaluation.paired import packed
from tests.baselines_by_hand import rewrite

# A model that looks its scores up, wrong where the environment says so, and 200 samples in one of several forms.
CONFTEST = """
    import json
    import os

    import pytest
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

    IDS, LABELS = torch.arange(200), torch.arange(200) % 4

    class Table(nn.Module):
        def __init__(self, wrong):
            super().__init__()
            predicted = LABELS.clone()
            predicted[wrong] = (predicted[wrong] + 1) % 4
            self.register_buffer("scores", torch.eye(4)[predicted])

        def forward(self, ids):
            return self.scores[ids]

    class Own(Dataset):
        def __init__(self, labels):
            self.labels = labels.tolist()

        def __len__(self):
            return 200

        def __getitem__(self, index):
            return IDS[index], self.labels[index]

    class Stream(IterableDataset):
        def __iter__(self):
            return iter(zip(IDS, LABELS))

    def other():
        labels = LABELS.clone()
        labels[100] = 3
        return labels

    DATA = {
        "tensors": lambda: (IDS, LABELS),
        "other tensors": lambda: (IDS, other()),
        "fewer tensors": lambda: (IDS[:-1], LABELS[:-1]),
        "own": lambda: Own(LABELS),
        "other own": lambda: Own(other()),
        "shuffled": lambda: DataLoader(TensorDataset(IDS, LABELS), shuffle=True, batch_size=50),
        "stream": Stream,
    }

    @pytest.fixture(scope="session")
    def model():
        return Table(json.loads(os.environ.get("WRONG", "[]")))

    @pytest.fixture(scope="session")
    def data():
        return DATA[os.environ.get("DATA", "tensors")]()
"""
MARKER = """
    import pytest

    @pytest.mark.modelcheck_accuracy({promises})
    def test_table(): ...
"""
DROP = "max_drop=0.02, baseline='v1'"
ANEW = "pytest --modelcheck --modelcheck-update=all records it anew"
UNPAIRED = (
    "accuracy of Table: not measured: the samples cannot be paired with those of the baseline 'v1': the data gives "
    "them in random order. Evaluate without shuffle"
)
# Of the 200 samples these ten are wrong in the model that is recorded.
BEFORE = list(range(0, 200, 20))


@pytest.fixture
def gate(pytester, run_gates, monkeypatch):
    """A session with one gate: how its model, data and promises are set, and how it runs."""
    monkeypatch.setenv("COLUMNS", "200")

    class Gate:
        path = pytester.path / "__modelcheck__" / "test_it.json"

        def model(self, wrong):
            monkeypatch.setenv("WRONG", json.dumps(list(wrong)))

        def data(self, kind):
            monkeypatch.setenv("DATA", kind)

        def promise(self, promises):
            pytester.makepyfile(test_it=MARKER.format(promises=promises))

        def run(self, *options):
            result, rows = run_gates("-p", "no:cacheprovider", *options)
            return result, rows[0] if rows else None

        def record(self, *options):
            result, row = self.run("--modelcheck-update", *options)
            result.assert_outcomes(passed=1)
            return row

        @property
        def recorded(self):
            return json.loads(self.path.read_text(encoding="utf-8"))["baselines"]["test_table accuracy v1 on cpu"]

        def rewrite(self, change):
            rewrite(self.path, lambda baselines: change(baselines["test_table accuracy v1 on cpu"]))

    made = Gate()
    pytester.makeconftest(CONFTEST)
    made.promise(DROP)
    made.model(BEFORE)
    return made


def test_outside_of_a_gate_there_is_no_baseline():
    with pytest.raises(ConfigError) as raised:
        assert_accuracy(nn.Identity(), (torch.eye(4), torch.arange(4)), max_drop=0, baseline="v1")
    assert str(raised.value) == "accuracy has a baseline under pytest --modelcheck only: give the promise itself"


def test_a_run_tells_that_it_recorded(gate):
    recorded, again = (gate.run("--modelcheck-update")[0] for _ in range(2))
    recorded.stdout.fnmatch_lines(["baselines recorded: 1; review them: git diff '[*]__modelcheck__/[*]'"])
    assert "baselines recorded" not in again.stdout.str()


def test_a_missing_baseline_is_an_error(gate):
    result, row = gate.run()
    result.assert_outcomes(failed=1)
    assert (row["outcome"], row["message"]) == (
        "error",
        "accuracy of Table: not measured: no baseline is recorded for 'test_table accuracy v1 on cpu' in "
        f"{gate.path}. pytest --modelcheck --modelcheck-update records it",
    )
    assert not gate.path.exists()


@pytest.mark.parametrize("kind", ["tensors", "own"])
def test_a_model_is_recorded_and_compared_from_then_on(gate, kind):
    gate.data(kind)
    row = gate.record()
    assert (row["measured"], row["history"]) == ("0.9500, 0 broken and 0 fixed since 'v1' (0.9500)", [0.95])
    right = torch.ones(200, dtype=torch.bool)
    right[BEFORE] = False
    assert {name: value for name, value in gate.recorded.items() if name != "data"} == {
        "correct": 190,
        "model": "Table",
        "right": packed(right),
        "samples": 200,
        "value": 0.95,
    }
    assert len(gate.recorded["data"]) == 64
    result, row = gate.run()
    result.assert_outcomes(passed=1)
    assert row["promised"] == "at most 0.02 below 'v1' (186 of 200)"
    assert (row["measured"], row["history"]) == ("0.9500, 0 broken and 0 fixed since 'v1' (0.9500)", [0.95])


def test_so_many_may_break_as_were_promised(gate):
    gate.record()
    gate.model([*BEFORE, 1, 2, 3, 4])
    result, row = gate.run()
    result.assert_outcomes(passed=1)
    assert row["measured"] == "0.9300, 4 broken and 0 fixed since 'v1' (0.9500)"
    gate.model([*BEFORE[3:], 1, 2, 3, 4, 5, 6, 7])
    assert gate.run()[1]["measured"] == "0.9300, 7 broken and 3 fixed since 'v1' (0.9500)"
    gate.model([])
    result, row = gate.run()
    result.assert_outcomes(passed=1)
    assert row["measured"] == "1.0000, 0 broken and 10 fixed since 'v1' (0.9500)"


def test_a_model_that_is_right_less_often_fails_with_the_samples_that_broke(gate):
    gate.record()
    gate.model([*BEFORE[1:], 77, 78, 79, 81, 82, 199])
    result, row = gate.run()
    result.assert_outcomes(failed=1)
    assert row["outcome"] == "failed"
    assert row["message"].split("\n") == [
        "accuracy of Table: 185 of 200 samples are correct, 190 were in baseline 'v1', and 186 are needed for a drop "
        "of at most 0.02: 6 broken and 1 fixed since 'v1' (0.9500); by chance alone: 0.035 (McNemar's mid-p).",
        "  samples that broke: 77, 78, 79, 81, 82 and 1 more",
        "  recall of class 0: 41 of 50",
        "  recall of class 1: 48 of 50",
        "  recall of class 2: 48 of 50",
        "  class 0 taken for 1: 9",
        "  class 1 taken for 2: 2",
        "  class 2 taken for 3: 2",
        "  first wrong samples: 20, 40, 60, 77, 78 and 10 more",
    ]
    assert gate.recorded["correct"] == 190
    gate.run("--modelcheck-update=missing")[0].assert_outcomes(failed=1)
    gate.run("--modelcheck-update=all")[0].assert_outcomes(passed=1)
    assert gate.recorded["correct"] == 185
    assert gate.run()[1]["measured"] == "0.9250, 0 broken and 0 fixed since 'v1' (0.9250)"


def test_no_drop_at_all_may_be_promised(gate):
    gate.promise("max_drop=0, baseline='v1'")
    gate.record()
    gate.model([*BEFORE[1:], 77])
    assert gate.run()[1]["measured"] == "0.9500, 1 broken and 1 fixed since 'v1' (0.9500)"
    gate.model([*BEFORE, 77])
    result, row = gate.run()
    result.assert_outcomes(failed=1)
    assert row["message"].split("\n")[1] == "  samples that broke: 77"


def test_a_true_drop_is_bounded_at_a_confidence(gate):
    gate.promise("max_drop=0.02, baseline='v1', confidence=0.95")
    gate.record()
    result, row = gate.run()
    result.assert_outcomes(passed=1)
    assert row["promised"] == "true drop at most 0.02 below 'v1' at 95 %"
    # Without a pair that differs Tango's bound is z² / (N + z²).
    assert row["measured"] == "0.9500, 0 broken and 0 fixed since 'v1' (0.9500), true drop at most 0.0134"
    # Four more wrong are within 0.02, and yet no proof of it.
    gate.model([*BEFORE, 1, 2, 3, 4])
    result, row = gate.run()
    result.assert_outcomes(failed=1)
    told = row["message"].split("\n")
    assert told[0] == (
        "accuracy of Table: the true drop since baseline 'v1' is at most 0.0439 at 95 % confidence, promised at most "
        "0.02: 4 broken and 0 fixed since 'v1' (0.9500) of 200; by chance alone: 0.031 (McNemar's mid-p)."
    )
    assert told[1] == "  samples that broke: 1, 2, 3, 4"


def test_a_share_is_promised_beside_a_drop(gate):
    gate.promise("min=0.95, max_drop=0.02, baseline='v1'")
    gate.record()
    gate.model([*BEFORE, 1, 2, 3, 4])
    result, row = gate.run()
    result.assert_outcomes(failed=1)
    assert row["promised"] == "at least 0.95 (190 of 200); at most 0.02 below 'v1' (186 of 200)"
    assert row["measured"] == "0.9300 (186 of 200); 0.9300, 4 broken and 0 fixed since 'v1' (0.9500)"
    told = row["message"].split("\n")
    assert told[0] == "accuracy of Table: 186 of 200 samples are correct, and 190 are needed for 0.95 (4 too few)."
    assert told[1].startswith("  recall of class")


@pytest.mark.parametrize(
    ("recorded", "now", "size"),
    [("tensors", "other tensors", 200), ("tensors", "fewer tensors", 199), ("own", "other own", 200)],
)
def test_a_baseline_of_other_data_is_refused(gate, recorded, now, size):
    gate.data(recorded)
    gate.record()
    then = gate.recorded["data"]
    gate.data(now)
    result, row = gate.run()
    result.assert_outcomes(failed=1)
    assert row["outcome"] == "error"
    gate.run("--modelcheck-update=all")[0].assert_outcomes(passed=1)
    assert gate.recorded["data"] != then
    assert row["message"] == (
        f"accuracy of Table: not measured: the baseline 'v1' was recorded on other data: 200 samples of fingerprint "
        f"{then[:16]}, and this is {size} of {gate.recorded['data'][:16]}. Samples that are not the same cannot be "
        f"paired; {ANEW}"
    )


CORRUPTED = {
    "count": (lambda old: old.update(correct=189), "counts 189 correct samples, and its bits 190"),
    "no count": (lambda old: old.pop("correct"), "counts None correct samples, and its bits 190"),
    "flipped bit": (
        lambda old: old.update(right="8" + old["right"][1:]),
        "counts 190 correct samples, and its bits 189",
    ),
    "short": (
        lambda old: old.update(right=old["right"][:-4]),
        "cannot be read (ValueError: 24 bytes of bits, and 200 samples have 25)",
    ),
    "no base64": (
        lambda old: old.update(right="!" + old["right"][1:]),
        "cannot be read (ValueError: the bits are no base64)",
    ),
    "no text": (
        lambda old: old.update(right=7),
        "cannot be read (TypeError: argument should be a bytes-like object or ASCII string, not 'int')",
    ),
    "no bits": (lambda old: old.pop("right"), "cannot be read (KeyError: 'right')"),
    "no size": (lambda old: old.pop("samples"), "tells no number of samples"),
}


@pytest.mark.parametrize(("change", "why"), CORRUPTED.values(), ids=CORRUPTED)
def test_a_baseline_that_was_corrupted_is_refused(gate, change, why):
    gate.record()
    gate.rewrite(change)
    result, row = gate.run()
    result.assert_outcomes(failed=1)
    assert (row["outcome"], row["message"]) == (
        "error",
        f"accuracy of Table: not measured: the baseline 'v1' {why}; {ANEW}",
    )


@pytest.mark.parametrize("kind", ["shuffled", "stream"])
def test_samples_in_an_order_of_their_own_are_neither_paired_nor_recorded(gate, kind):
    gate.data(kind)
    for options in ([], ["--modelcheck-update"], ["--modelcheck-update=all"]):
        result, row = gate.run(*options)
        result.assert_outcomes(failed=1)
        assert (row["outcome"], row["message"]) == ("error", UNPAIRED)
        assert not gate.path.exists()


@pytest.mark.parametrize("kind", ["tensors", "own"])
def test_a_gate_that_stopped_early_does_not_disturb_the_pairing(gate, pytester, run_gates, kind):
    gate.data(kind)
    pytester.makepyfile(
        test_it=f"""
        import pytest

        @pytest.mark.modelcheck_accuracy(min=0.5, early_stop=0.01)
        def test_early(): ...

        @pytest.mark.modelcheck_accuracy({DROP})
        def test_table(): ...
        """
    )
    result, _ = run_gates("-p", "no:cacheprovider", "--modelcheck-update")
    result.assert_outcomes(passed=2)
    gate.promise(DROP)
    gate.model([*BEFORE, 5])
    assert gate.run()[1]["measured"] == "0.9450, 1 broken and 0 fixed since 'v1' (0.9500)"


def test_two_baselines_of_one_test_are_kept_apart(gate, pytester):
    pytester.makepyfile(
        test_it="""
        from pytest_modelcheck import assert_accuracy

        def test_table(model, data, modelcheck):
            for name in ("v1", "v2"):
                assert_accuracy(model, data, max_drop=0.02, baseline=name)
        """
    )
    result, _ = gate.run("--modelcheck-update")
    result.assert_outcomes(passed=1)
    recorded = json.loads(gate.path.read_text(encoding="utf-8"))["baselines"]
    assert list(recorded) == ["test_table accuracy v1 on cpu", "test_table accuracy v2 on cpu"]


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ("min=0.9, baseline='v1'", "accuracy compares with a baseline by max_drop and baseline together: give both"),
        ("max_drop=0.1", "accuracy compares with a baseline by max_drop and baseline together: give both"),
        ("max_drop=-0.1, baseline='v1'", "max_drop=-0.1: a number from 0 to 1 is expected"),
    ],
)
def test_a_promise_that_makes_no_sense_is_refused_at_collection(gate, promises, message):
    gate.promise(promises)
    result, _ = gate.run("--collect-only")
    assert result.ret != 0
    assert message in result.stdout.str() + result.stderr.str()


def test_a_baseline_is_compared_where_a_context_tells_one():
    recorded = {}

    def remember(check, case, content, is_one):
        assert is_one
        known = recorded.setdefault((check, case), content)
        return known, known is content

    model = nn.Linear(4, 4, bias=False)
    nn.init.eye_(model.weight)
    data = (torch.eye(4), torch.arange(4))
    for drop in (0, 0.25):
        with Context(recorded=remember).active():
            assert assert_accuracy(model, data, max_drop=drop, baseline="v1").history == (1.0,)
        nn.init.eye_(model.weight)
        model.weight.data[0] = 0
        model.weight.data[1, 0] = 1
