"""What may be claimed of an accuracy, beside a share of all samples: early, of a population, by class and by slice."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from pytest_modelcheck import ConfigError, assert_accuracy
from pytest_modelcheck.checks.accuracy import accuracy
from pytest_modelcheck.context import Context

SIZE = 10_000
# What a pass over tensors judges twice before it begins, at most.
FIRST = 250 + 250 + 32 + 32

# What is looked at again before a pass is shared.
AGAIN = 250


def samples(wrong, size=SIZE, classes=10):
    """Scores and labels, of which the identity gets those at the positions `wrong` wrong."""
    labels = torch.arange(size) % classes
    scores = torch.eye(classes)[labels]
    labels[list(wrong)] = (labels[list(wrong)] + 1) % classes
    return scores, labels


class Own(Dataset):
    """A data set of the user's own, with labels that are plain numbers; it remembers what was read."""

    def __init__(self, scores, labels):
        self.scores, self.labels, self.read = scores, labels.tolist(), []

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        self.read.append(index)
        return self.scores[index], self.labels[index]


class Stream(IterableDataset):
    def __init__(self, scores, labels):
        self.rows = list(zip(scores, labels, strict=True))

    def __iter__(self):
        return iter(self.rows)


class Counting(nn.Module):
    """The identity; it counts the samples that it is shown."""

    def __init__(self, counted):
        super().__init__()
        self.count = counted.append  # a method is no state of the model's own

    def forward(self, inputs):
        self.count(len(inputs))
        return inputs


MAP_STYLE = {
    "tensors": lambda scores, labels: (scores, labels),
    "loader": lambda scores, labels: DataLoader(TensorDataset(scores, labels), batch_size=32),
    "own": Own,
    "loader of own": lambda scores, labels: DataLoader(Own(scores, labels), batch_size=64),
}
SURE = [
    ("none wrong", [], True),
    ("some wrong", range(0, SIZE, 200), True),
    ("wrong ones first", range(50), True),
    ("wrong ones last", range(SIZE - 50, SIZE), True),
    ("broken throughout", range(0, SIZE, 10), False),
    ("broken at the end", range(SIZE - 1_000, SIZE), False),
    ("more often wrong than right", [row for row in range(SIZE) if row % 3], False),
]


@pytest.mark.parametrize("kind", MAP_STYLE)
@pytest.mark.parametrize(("wrong", "is_kept"), [row[1:] for row in SURE], ids=[row[0] for row in SURE])
def test_an_early_stop_gives_the_verdict_of_all_samples_after_a_part_of_them(kind, wrong, is_kept):
    data = MAP_STYLE[kind](*samples(wrong))
    with Context(test="test_it").active():
        early = accuracy(nn.Identity(), data, min=0.98, early_stop=1e-6)
    with Context(test="test_it", full=True).active():
        full = accuracy(nn.Identity(), data, min=0.98, early_stop=1e-6)
    assert (early.ok, full.ok) == (is_kept, is_kept)
    assert early.evidence["seen"] < SIZE / 3
    assert early.measured.endswith(" drawn from 10,000 (wrong by chance in at most 1e-06 of runs)")
    assert (early.promised, full.promised) == ("at least 0.98 (9,800 of 10,000)",) * 2
    assert (early.evidence["early_stop"], early.evidence["complete"]) == (1e-6, False)
    assert (full.evidence["early_stop"], full.evidence["complete"]) == (None, True)
    right = SIZE - len(wrong)
    assert full.measured == f"{right / SIZE:.4f} ({right:,} of 10,000)"


def test_a_broken_promise_that_is_known_early_is_told():
    data = Own(*samples(range(SIZE), classes=2))
    with Context(test="test_it").active():
        result = accuracy(nn.Identity(), DataLoader(data, batch_size=40), min=0.98, early_stop=1e-6)
    drawn = data.read[-40:]
    first = ", ".join(str(position) for position in sorted(drawn)[:5])
    ones = sum(position % 2 for position in drawn)
    confused = sorted([(40 - ones, 1, 0), (ones, 0, 1)], key=lambda item: (-item[0], item[1]))
    assert result.message.split("\n") == [
        "accuracy of Identity: 40 of 40 samples drawn at random are wrong, and 200 of all 10,000 may be for 0.98: it "
        "is broken, wrong by chance in at most 1e-06 of runs (--modelcheck-full reads all).",
        f"  recall of class 0: 0 of {ones}",
        f"  recall of class 1: 0 of {40 - ones}",
        *(f"  class {target} taken for {predicted}: {number}" for number, target, predicted in confused),
        f"  first wrong samples: {first} and 35 more",
    ]
    assert result.measured == "0.0000 of 40 drawn from 10,000 (wrong by chance in at most 1e-06 of runs)"
    assert result.margin < 0
    assert [item["id"] for item in result.evidence["wrong"]] == drawn[:8]


def test_a_verdict_that_takes_all_samples_is_exact():
    result = accuracy(nn.Identity(), samples([]), min=1, early_stop=1e-6)
    assert (result.measured, result.evidence["early_stop"]) == ("1.0000 (10,000 of 10,000)", None)


NOT_REORDERED = {
    "stream": Stream,
    "loader of a stream": lambda scores, labels: DataLoader(Stream(scores, labels), batch_size=100),
    "shuffled": lambda scores, labels: DataLoader(TensorDataset(scores, labels), batch_size=100, shuffle=True),
    "shuffled of own": lambda scores, labels: DataLoader(Own(scores, labels), batch_size=100, shuffle=True),
}


@pytest.mark.parametrize("kind", NOT_REORDERED)
def test_data_that_cannot_be_reordered_is_read_exactly(kind):
    for wrong, is_kept in ((range(0, 1_000, 100), True), (range(0, 1_000, 10), False)):
        data = NOT_REORDERED[kind](*samples(wrong, 1_000))
        result = accuracy(nn.Identity(), data, min=0.98, early_stop=1e-6)
        assert (result.outcome, result.evidence["early_stop"]) == ("passed" if is_kept else "failed", None)
        assert "by chance" not in result.measured + result.message
        if is_kept:
            assert result.measured == "0.9900 (990 of 1,000)"


@pytest.mark.parametrize("kind", MAP_STYLE)
def test_an_early_stop_says_the_same_whatever_other_gates_have_read(kind):
    counted = []
    model, data = Counting(counted), MAP_STYLE[kind](*samples(range(0, SIZE, 200)))
    with Context(test="test_it").active():
        early = assert_accuracy(model, data, min=0.98, early_stop=1e-6)
        part = sum(counted)
        exact = assert_accuracy(model, data, min=0.98)
        everything = sum(counted)
        again = assert_accuracy(model, data, min=0.98, early_stop=1e-6)
    # Of the user's own data the first batch is also judged alone and among others.
    assert early.evidence["seen"] <= part <= early.evidence["seen"] + FIRST + AGAIN
    assert everything <= SIZE + FIRST + AGAIN + part
    assert exact.measured == "0.9950 (9,950 of 10,000)"
    assert (again.measured, again.evidence) == (early.measured, early.evidence)  # whatever was read in between
    assert sum(counted) <= everything + AGAIN + (FIRST + part if "own" in kind else 0)
    with Context().active():
        assert accuracy(nn.Identity(), data, min=0.98).evidence["recalls"] == exact.evidence["recalls"]


def order_of(context, model, promised=0.98):
    data = Own(*samples([], 2_000))
    with context.active():
        accuracy(model, data, min=promised, early_stop=1e-6)
    return data.read[-250:]


def filled(value):
    model = nn.Linear(10, 10)
    nn.init.eye_(model.weight)
    nn.init.constant_(model.bias, value)
    return model


def test_the_order_hangs_on_the_test_the_seed_and_the_model_and_is_the_same_each_time():
    first = order_of(Context(test="test_it"), filled(1))
    assert first == order_of(Context(test="test_it"), filled(1))
    others = [
        order_of(Context(test="test_other"), filled(1)),
        order_of(Context(test="test_it", seed=1), filled(1)),
        order_of(Context(test="test_it"), filled(2)),
    ]
    assert len({tuple(order) for order in (first, *others)}) == 4
    assert len(set(first)) == 250
    assert first != sorted(first)


NAN_AT = {
    "the first": [0],
    "one in the middle": [600],
    "the last": [999],
    "one of a hundred": range(50, 1_000, 100),
}


@pytest.mark.parametrize("kind", MAP_STYLE)
@pytest.mark.parametrize("rows", NAN_AT.values(), ids=NAN_AT)
def test_a_nan_is_an_error_with_an_early_stop_as_well(kind, rows):
    scores, labels = samples([], 1_000)
    scores[list(rows), 3] = float("nan")
    with Context(test="test_it").active():
        model, data = nn.Identity(), MAP_STYLE[kind](scores, labels)
        result = accuracy(model, data, min=1, early_stop=1e-6)
    assert result.outcome == "error"
    assert result.message.endswith("samples are NaN or infinite; the input is not finite")


@pytest.mark.parametrize(
    ("size", "promised", "confidence", "needed"),
    [
        (10_000, 0.98, 0.95, 9_824),
        (10_000, 0.98, 0.99, 9_833),
        (1_000, 0.98, 0.95, 988),
        (1_000, 0.5, 0.95, 527),
        (149, 0.98, 0.95, 149),
        (59, 0.95, 0.95, 59),
        (1, 0.5, 0.5, 1),
        (100, 0, 0.95, 0),
    ],
)
def test_a_confidence_takes_so_many_correct_samples(size, promised, confidence, needed):
    for correct in {needed, needed - 1} - {-1}:
        data = samples(range(correct, size), size)
        result = accuracy(nn.Identity(), data, min=promised, confidence=confidence)
        assert result.promised == (
            f"true accuracy at least {promised} at {confidence:.0%} ({needed:,} of {size:,})".replace("%", " %")
        )
        assert result.outcome == ("passed" if correct == needed else "failed")


def test_a_true_accuracy_that_was_not_shown_is_told(expect):
    with Context(full=True).active():
        result = expect(
            accuracy,
            nn.Identity(),
            samples(range(0, 177 * 50, 50)),
            min=0.98,
            confidence=0.95,
            outcome="failed",
            message="""
            accuracy of Identity: 9,823 of 10,000 samples are correct, and 9,824 are needed for a true accuracy of 0.98 at 95 % confidence (1 too few).
              recall of class 1: 1,000 of 1,177
              class 1 taken for 0: 177
              first wrong samples: 0, 50, 100, 150, 200 and 172 more
            """,  # noqa: E501
        )
    assert result.measured == "0.9823 (9,823 of 10,000), true accuracy at least 0.9799"


def test_a_confidence_that_cannot_be_reached_any_more_ends_the_reading():
    result = accuracy(nn.Identity(), samples(range(200)), min=0.98, confidence=0.95)
    assert result.message.split("\n")[0] == (
        "accuracy of Identity: 200 of the first 250 samples are wrong, and 176 of all 10,000 may be for a true "
        "accuracy of 0.98 at 95 % confidence; it is broken whatever the rest gives (--modelcheck-full reads it)."
    )
    early = accuracy(nn.Identity(), samples(range(0, SIZE, 400)), min=0.98, confidence=0.95, early_stop=1e-6)
    assert early.promised == "true accuracy at least 0.98 at 95 % (9,824 of 10,000)"
    assert (early.ok, early.evidence["complete"]) == (True, False)


TOO_FEW = {
    "all of them": (148, {}, ""),
    "of a stream": (148, {"stream": True}, ""),
    "of a class": (1_480, {"per_class": True}, "class 0: "),
    "of a slice": (1_480, {"slices": {"odd": range(1, 297, 2)}}, "slice odd: "),
}


@pytest.mark.parametrize(("size", "promises", "where"), TOO_FEW.values(), ids=TOO_FEW)
def test_too_few_samples_for_a_confidence_are_an_error(expect, size, promises, where):
    data = samples([], size)
    expect(
        accuracy,
        nn.Identity(),
        Stream(*data) if promises.pop("stream", False) else data,
        min=0.98,
        confidence=0.95,
        **promises,
        outcome="error",
        message=f"accuracy of Identity: not measured: {where}148 samples cannot show a true accuracy of 0.98 at 95 % "
        "confidence: without any error they show 0.9799; at least 149 samples are needed",
    )


def test_no_number_of_samples_shows_that_there_is_no_error(expect):
    expect(
        accuracy,
        nn.Identity(),
        samples([], 1_000),
        min=1,
        confidence=0.95,
        outcome="error",
        message="accuracy of Identity: not measured: 1,000 samples cannot show a true accuracy of 1 at 95 % "
        "confidence: without any error they show 0.9970; no number of samples could",
    )


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({"confidence": 1}, "confidence=1: a number from 0.5 to below 1 is expected, such as 0.95"),
        ({"confidence": 0.3}, "confidence=0.3: a number from 0.5 to below 1 is expected, such as 0.95"),
        ({"confidence": 95}, "confidence=95: a number from 0 to 1 is expected"),
        ({"confidence": float("nan")}, "confidence=nan: a number from 0 to 1 is expected"),
        ({"early_stop": 0}, "early_stop=0: a probability above 0 and of at most 0.1 is expected, such as 1e-6"),
        ({"early_stop": 0.2}, "early_stop=0.2: a probability above 0 and of at most 0.1 is expected, such as 1e-6"),
        ({"early_stop": -1}, "early_stop=-1: a number of at least 0 is expected"),
        ({"early_stop": True}, "early_stop=True: a number of at least 0 is expected"),
        ({"per_class": 1}, "per_class=1: True or False is expected"),
        ({"slices": {}}, "slices={}: a mapping from names to positions of samples is expected"),
        ({"slices": [1, 2]}, "slices=[1, 2]: a mapping from names to positions of samples is expected"),
        ({"slices": {"a": 1}}, "slices['a']=1: a list of positions, or of True and False, is expected"),
        ({"slices": {"a": "12"}}, "slices['a']='12': a list of positions, or of True and False, is expected"),
        ({"max_drop": 2, "baseline": "b"}, "max_drop=2: a number from 0 to 1 is expected"),
        ({"max_drop": 0.1, "baseline": 3}, "baseline=3: a text (str) is expected"),
    ],
)
def test_a_claim_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_accuracy(nn.Identity(), samples([], 100), min=0.5, **promises)
    assert str(raised.value) == message


def counts_only(name):
    return f"{name} is for counts of correct samples (average='micro'); modelcheck_metric promises other averages"


def needs_every(name):
    return f"early_stop judges one count of all samples, and {name} needs every sample"


BOTH = "accuracy compares with a baseline by max_drop and baseline together: give both"
NONE = "accuracy needs the promise 'min' or 'max_drop'"
DROP = {"max_drop": 0, "baseline": "b"}
MACRO = {"min": 0.5, "average": "macro"}
EARLY = {"min": 0.5, "early_stop": 1e-6}
CLASHES = [
    ({"early_stop": 1e-6}, NONE),
    ({"confidence": 0.95}, NONE),
    ({"per_class": True}, NONE),
    ({"baseline": "b"}, NONE),
    ({"min": 0.5, "baseline": "b"}, BOTH),
    ({"max_drop": 0}, BOTH),
    ({"min": 0.5, "max_drop": 0.1}, BOTH),
    ({**DROP, "early_stop": 1e-6}, "early_stop needs the promise 'min'"),
    ({**DROP, "per_class": True}, "per_class needs the promise 'min'"),
    ({**DROP, "slices": {"a": [1]}}, "slices needs the promise 'min'"),
    ({**MACRO, "early_stop": 1e-6}, counts_only("early_stop")),
    ({**MACRO, "confidence": 0.95}, counts_only("confidence")),
    ({**MACRO, "per_class": True}, counts_only("per_class")),
    ({**MACRO, "slices": {"a": [1]}}, counts_only("slices")),
    ({**MACRO, **DROP}, counts_only("max_drop")),
    ({**DROP, "average": "macro"}, counts_only("max_drop")),
    ({**EARLY, "per_class": True}, needs_every("per_class")),
    ({**EARLY, "slices": {"a": [1]}}, needs_every("slices")),
    ({**EARLY, **DROP}, needs_every("max_drop")),
]


@pytest.mark.parametrize(("promises", "message"), CLASHES)
def test_promises_that_do_not_fit_together_are_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_accuracy(nn.Identity(), samples([], 100), **promises)
    assert str(raised.value) == message


def test_a_promise_of_nothing_clashes_with_nothing():
    nothing = {"early_stop": None, "per_class": False, "slices": None, "max_drop": None, "baseline": None}
    assert accuracy(nn.Identity(), samples([], 100), min=1, average="macro", confidence=None, **nothing).ok


def test_promises_that_do_not_fit_together_are_refused_at_collection(pytester, run_gates):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.modelcheck_accuracy(min=0.9, early_stop=1e-6, max_drop=0, baseline="b")
        def test_digits(): ...
        """
    )
    result, rows = run_gates("-p", "no:cacheprovider")
    assert (result.ret, rows) == (pytest.ExitCode.INTERRUPTED, [])
    told = result.stdout.str() + result.stderr.str()
    assert "test_digits" in told
    assert needs_every("max_drop") in told
