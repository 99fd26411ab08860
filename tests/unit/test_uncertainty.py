"""The interval of a metric's value: right where there is one, and refused in words where there is none."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torchmetrics import MaxMetric, MeanAbsoluteError, MeanMetric, MeanSquaredError, Metric, classification
from torchmetrics.classification import (
    Accuracy,
    BinaryAccuracy,
    BinaryAUROC,
    BinaryCohenKappa,
    BinaryF1Score,
    BinaryFBetaScore,
    BinaryJaccardIndex,
    BinaryMatthewsCorrCoef,
    BinaryPrecision,
    BinaryRecall,
    BinarySpecificity,
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassCohenKappa,
    MulticlassF1Score,
    MulticlassFBetaScore,
    MulticlassJaccardIndex,
    MulticlassMatthewsCorrCoef,
    MulticlassPrecision,
    MulticlassRecall,
    MulticlassSpecificity,
)
from torchmetrics.text import Perplexity

from pytest_modelcheck.evaluation.auroc import delong
from pytest_modelcheck.evaluation.bounds import t_quantile
from pytest_modelcheck.evaluation.intervals import lower_bound, upper_bound
from pytest_modelcheck.evaluation.uncertainty import Interval, uncertainty

BINARY = {
    "accuracy": BinaryAccuracy,
    "recall": BinaryRecall,
    "precision": BinaryPrecision,
    "specificity": BinarySpecificity,
    "f1": BinaryF1Score,
    "f2": lambda **options: BinaryFBetaScore(2.0, **options),
    "jaccard": BinaryJaccardIndex,
    "mcc": BinaryMatthewsCorrCoef,
    "kappa": BinaryCohenKappa,
}

AVERAGED = {
    "accuracy": MulticlassAccuracy,
    "recall": MulticlassRecall,
    "precision": MulticlassPrecision,
    "specificity": MulticlassSpecificity,
    "f1": MulticlassF1Score,
    "f2": lambda classes, **options: MulticlassFBetaScore(2.0, classes, **options),
    "jaccard": MulticlassJaccardIndex,
}

WHOLE = {
    "mcc": MulticlassMatthewsCorrCoef,
    "kappa": MulticlassCohenKappa,
    "linear kappa": lambda classes, **options: MulticlassCohenKappa(classes, weights="linear", **options),
    "quadratic kappa": lambda classes, **options: MulticlassCohenKappa(classes, weights="quadratic", **options),
}

CAME_WITH_1_5 = hasattr(classification, "BinaryNegativePredictiveValue")  # torchmetrics 1.5

if CAME_WITH_1_5:
    BINARY["negative predictive value"] = classification.BinaryNegativePredictiveValue
    AVERAGED["negative predictive value"] = classification.MulticlassNegativePredictiveValue

AVERAGES = ("micro", "macro", "weighted", "none")


def interval_of(metric, outputs, targets, confidence=0.95, batch=7):
    outputs, targets = outputs.split(batch), targets.split(batch)
    for output, target in zip(outputs, targets, strict=True):
        metric.update(output) if isinstance(metric, MeanMetric) else metric.update(output, target)
    return uncertainty(metric, outputs, targets, confidence)


def assert_around(found, metric):
    """There is an interval, and the metric's value lies in it, element by element."""
    assert found.why_none == ""
    value = metric.compute()
    assert isinstance(found.low, float) == isinstance(found.high, float) == (value.ndim == 0)
    low, high = torch.tensor(found.low).double(), torch.tensor(found.high).double()
    assert (low <= value + 1e-6).all()
    assert (value <= high + 1e-6).all()
    assert (low < high).all()


def predictions(seed, classes, size, right=0.7):
    """Labels and predictions, of which this share is right: integers `[size]` both."""
    torch.manual_seed(seed)
    targets = torch.randint(0, classes, (size,))
    return torch.where(torch.rand(size) < right, targets, torch.randint(0, classes, (size,))), targets


def scores_of(predicted, classes):
    return torch.nn.functional.one_hot(predicted, classes) * 3 + torch.rand(*predicted.shape, classes)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("ignored", [None, 0, -1], ids="ignored {}".format)
@pytest.mark.parametrize("name", BINARY)
def test_a_binary_score_of_labels_probabilities_or_logits_is_torchmetrics_own(name, ignored, seed):
    predicted, targets = predictions(seed, 2, 60)
    if ignored is not None:
        targets[torch.rand(60) < 0.2] = ignored
        targets[:4] = torch.tensor([0, 1, 0, 1])
    logits = torch.randn(60) + 2 * predicted - 1
    alone = ignored == 0 and name in ("specificity", "negative predictive value", "mcc", "kappa")
    for outputs in (predicted, logits.sigmoid(), logits):
        metric = BINARY[name](ignore_index=ignored)
        found = interval_of(metric, outputs, targets)
        if alone and name in ("mcc", "kappa"):
            assert found.why_none == "its targets or its predictions are all of one class"
        elif not alone:
            assert_around(found, metric)
            assert found.size == (60 if ignored is None else int((targets != ignored).sum()))


@pytest.mark.parametrize("ignored", [None, 1, -100], ids="ignored {}".format)
@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("name", AVERAGED)
def test_a_multiclass_score_of_labels_or_scores_is_torchmetrics_own(name, average, ignored):
    for seed, zero_division in itertools.product(range(2), (0, 1)):
        predicted, targets = predictions(seed, 4, 50)
        targets[targets == 2] = 3  # a class that was only predicted
        if ignored is not None:
            targets[::5] = ignored
        for outputs in (predicted, scores_of(predicted, 5)):
            options = {} if name == "specificity" else {"zero_division": zero_division}
            metric = AVERAGED[name](5, average=average, ignore_index=ignored, **options)
            assert_around(interval_of(metric, outputs, targets), metric)


@pytest.mark.parametrize("ignored", [None, 1, -100], ids="ignored {}".format)
@pytest.mark.parametrize("name", WHOLE)
def test_mcc_and_kappa_are_torchmetrics_own(name, ignored):
    for seed in range(5):
        predicted, targets = predictions(seed, 4, 50)
        if ignored is not None:
            targets[::5] = ignored
        metric = WHOLE[name](4, ignore_index=ignored)
        found = interval_of(metric, predicted, targets)
        assert_around(found, metric)
        assert found.low >= -1
        assert found.high <= 1


PAIRS = st.integers(2, 5).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=30),
    )
)


@given(PAIRS, st.sampled_from(sorted(AVERAGED)), st.sampled_from(AVERAGES))
def test_no_confusion_matrix_is_without_an_interval_of_its_value(drawn, name, average):
    classes, pairs = drawn
    predicted, targets = torch.tensor(pairs).T
    metric = AVERAGED[name](classes, average=average)
    assert_around(interval_of(metric, predicted, targets), metric)


COUNTS = {  # right and all, of true negatives 50, false positives 5, false negatives 10 and true positives 35
    "accuracy": (85, 100),
    "recall": (35, 45),
    "specificity": (50, 55),
    "precision": (35, 40),
    "negative predictive value": (50, 60),
    "jaccard": (35, 50),
}


@pytest.mark.parametrize("name", [name for name in COUNTS if name in BINARY])
def test_a_proportion_has_the_bounds_of_clopper_and_pearson(name):
    targets = torch.tensor([0] * 55 + [1] * 45)
    predicted = torch.tensor([0] * 50 + [1] * 5 + [0] * 10 + [1] * 35)
    bounds = lower_bound(*COUNTS[name], 0.9), upper_bound(*COUNTS[name], 0.9)
    assert interval_of(BINARY[name](), predicted, targets, 0.9) == Interval(*bounds, "Clopper-Pearson", 100)


def test_the_bounds_of_f1_are_those_of_the_jaccard_index_it_is_made_of():
    predicted, targets = predictions(0, 2, 80)
    jaccard = interval_of(BinaryJaccardIndex(), predicted, targets)
    found = interval_of(BinaryF1Score(), predicted, targets)
    assert found.low == pytest.approx(2 * jaccard.low / (1 + jaccard.low))
    assert found.high == pytest.approx(2 * jaccard.high / (1 + jaccard.high))


def test_the_recall_of_each_class_has_bounds_of_its_own():
    targets = torch.tensor([0] * 40 + [1] * 10 + [2] * 5)
    predicted = torch.tensor([0] * 36 + [1] * 14 + [2] * 5)
    found = interval_of(MulticlassRecall(4, average="none"), predicted, targets)
    assert found.low == (*(lower_bound(*pair, 0.95) for pair in ((36, 40), (10, 10), (5, 5))), 0.0)
    assert found.high == (upper_bound(36, 40, 0.95), 1.0, 1.0, 1.0)
    assert found.method == "Clopper-Pearson"


@pytest.mark.parametrize(
    "metric",
    [
        MulticlassAccuracy(10, average="micro"),
        MulticlassF1Score(10, average="micro"),
        MulticlassPrecision(10, average="micro"),
        MulticlassRecall(10, average="weighted"),
        # Before 1.5, it has to be told of how many classes.
        MulticlassAccuracy(average="micro") if CAME_WITH_1_5 else MulticlassAccuracy(10, average="micro"),
        Accuracy(task="multiclass", num_classes=10),
    ],
    ids=str,
)
def test_what_micro_averages_is_a_count_of_correct_samples(metric):
    predicted, targets = predictions(1, 10, 500)
    correct = int((predicted == targets).sum())
    found = interval_of(metric, predicted, targets)
    assert found == Interval(lower_bound(correct, 500, 0.95), upper_bound(correct, 500, 0.95), "Clopper-Pearson", 500)


def test_a_class_of_few_samples_without_an_error_is_not_taken_for_perfect():
    targets = torch.tensor([0] * 1000 + [1] * 5)
    predicted = torch.tensor([1] * 10 + [0] * 990 + [1] * 5)
    found = interval_of(MulticlassAccuracy(2), predicted, targets)
    # The recall of class 1 alone may be as low as 0.55, and it is half of the mean.
    assert 0.5 * lower_bound(5, 5, 0.95) + 0.5 * 0.99 == pytest.approx(0.7696, abs=1e-4)
    assert 0.7 < found.low < 0.85


@pytest.mark.parametrize("name", [*AVERAGED, *WHOLE])
def test_no_error_seen_is_no_proof_of_perfection(name):
    labels = torch.arange(3).repeat(20)
    metric = {**AVERAGED, **WHOLE}[name](3)
    found = interval_of(metric, labels, labels)
    assert metric.compute() == 1
    assert 0.7 < found.low < 0.99
    assert found.high == 1


def covered(draw, truth, times=400):
    """How often the low and the high bound lie on their side of the truth."""
    lows = highs = 0
    for seed in range(times):
        torch.manual_seed(seed)
        found = interval_of(*draw(), batch=10**6)
        lows += found.low <= truth
        highs += truth <= found.high
    return lows / times, highs / times


def drawn_from(table, size):
    cells = torch.multinomial(table.flatten(), size, replacement=True)
    return cells % len(table), cells // len(table)


TABLE = torch.tensor([[0.45, 0.03, 0.02], [0.02, 0.25, 0.03], [0.01, 0.02, 0.17]])


@pytest.mark.parametrize(
    ("metric", "truth"),
    [
        (lambda: MulticlassAccuracy(3), (0.9 + 0.25 / 0.3 + 0.85) / 3),
        (lambda: MulticlassJaccardIndex(3), (0.45 / 0.53 + 0.25 / 0.35 + 0.17 / 0.25) / 3),
        (lambda: MulticlassCohenKappa(3), 1 - 0.13 / (1 - 0.5 * 0.48 - 0.3 * 0.3 - 0.2 * 0.22)),
    ],
    ids=["macro accuracy", "macro jaccard", "kappa"],
)
def test_bounds_of_the_confusion_matrix_hold_as_often_as_they_say(metric, truth):
    low, high = covered(lambda: (metric(), *drawn_from(TABLE, 3000)), truth)
    assert 0.92 <= low <= 0.98
    assert 0.92 <= high <= 0.98


def test_bounds_of_auroc_hold_as_often_as_they_say():
    def draw():
        targets = torch.arange(300) % 2
        return BinaryAUROC(), torch.randn(300) + targets, targets

    low, high = covered(draw, stats.norm.cdf(1 / math.sqrt(2)))
    assert 0.92 <= low <= 0.98
    assert 0.92 <= high <= 0.98


def test_a_few_positives_of_a_good_classifier_do_not_make_auroc_look_surer_than_it_is():
    def draw():
        targets = (torch.arange(220) < 20).long()
        return BinaryAUROC(), torch.randn(220) + 2.5 * targets, targets

    low, _ = covered(draw, stats.norm.cdf(2.5 / math.sqrt(2)))
    assert low >= 0.95


def test_bounds_of_a_mean_hold_as_often_as_they_say_even_of_skewed_losses():
    low, high = covered(lambda: (MeanSquaredError(), torch.randn(400), torch.zeros(400)), 1.0)
    assert 0.92 <= low <= 0.98
    assert 0.92 <= high <= 0.98


@pytest.mark.parametrize(
    ("metric", "truth"),
    [(lambda: MulticlassAccuracy(2, average="micro"), 0.9), (lambda: MulticlassAccuracy(2), 0.9)],
    ids=["micro", "macro"],
)
def test_pixels_of_one_picture_are_not_taken_for_independent(metric, truth):
    def draw():
        targets = torch.randint(0, 2, (100, 16))
        wrong = torch.rand(100, 16) < 1 - torch.rand(100, 1) ** (1 / 9)  # of a share that is Beta(1, 9)
        return metric(), torch.where(wrong, 1 - targets, targets), targets

    found = interval_of(*draw())
    assert found.size == 100
    assert found.high - found.low > 1.3 * (upper_bound(1440, 1600, 0.95) - lower_bound(1440, 1600, 0.95))
    low, high = covered(draw, truth)
    assert 0.92 <= low <= 0.98
    assert 0.92 <= high <= 0.98


def test_each_class_of_pictures_has_bounds_of_its_own():
    targets = torch.randint(0, 3, (40, 5, 5), generator=torch.Generator().manual_seed(0))
    predicted = torch.where(torch.arange(1000).reshape(40, 5, 5) % 7 == 0, (targets + 1) % 3, targets)
    metric = MulticlassJaccardIndex(3, average="none")
    found = interval_of(metric, predicted, targets)
    assert_around(found, metric)
    assert (len(found.low), found.method, found.size) == (3, "delta method", 40)


def delong_by_pairs(scores, truth):
    positives, negatives = scores[truth], scores[~truth]
    wins = (positives[:, None] > negatives).double() + 0.5 * (positives[:, None] == negatives).double()
    return wins.mean(), wins.mean(1).var() / len(positives) + wins.mean(0).var() / len(negatives)


@pytest.mark.parametrize("seed", range(20))
def test_delong_by_ranks_is_delong_by_pairs_also_with_ties(seed):
    torch.manual_seed(seed)
    scores = torch.randn(60) if seed % 2 else torch.randint(0, 8, (60,)) / 8
    truth = torch.rand(60) < 0.4
    assert delong(scores, truth) == pytest.approx(tuple(map(float, delong_by_pairs(scores, truth))))


@pytest.mark.parametrize("outputs", [torch.linspace(0, 1, 40), torch.linspace(-9, 9, 40)], ids=["shares", "logits"])
def test_auroc_is_torchmetrics_own(outputs):
    targets = (torch.arange(40) % 3 == 0).long()
    targets[5] = -1
    metric = BinaryAUROC(ignore_index=-1)
    found = interval_of(metric, outputs, targets, batch=40)
    assert_around(found, metric)
    assert (found.method, found.size) == ("DeLong", 39)


@pytest.mark.parametrize("sign", [1, -1])
def test_parted_scores_are_bounded_by_their_pairs(sign):
    targets = (torch.arange(50) >= 30).long()
    found = interval_of(BinaryAUROC(), sign * torch.linspace(-1, 1, 50), targets, batch=50)
    low = lower_bound(20, 20, 0.95)
    low, high = (low, 1.0) if sign == 1 else (1 - low, 0.0)[::-1]
    assert found == Interval(pytest.approx(low), pytest.approx(high), "Clopper-Pearson", 50)


@pytest.mark.parametrize("confidence", [0.5, 0.6, 0.9, 0.95, 0.975, 0.99, 0.999, 1 - 1e-6])
def test_the_quantiles_of_student_are_right(confidence):
    for freedom in (1, 2, 3, 4, 5, 9, 30, 100, 500, 999, 1000, 1001, 5000, 10**6, 10**9):
        expected = stats.t.ppf(confidence, freedom)
        assert t_quantile(confidence, freedom) == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_the_low_bound_of_errors_that_are_not_skewed_is_students():
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    expected = stats.ttest_1samp(values.double(), 0, alternative="greater").confidence_interval(0.9).low
    found = interval_of(MeanMetric(), values, values, 0.9)
    assert found == Interval(pytest.approx(expected), pytest.approx(6 - expected), "t", 5)


def test_the_bound_on_the_side_of_the_longer_tail_is_wider_than_students():
    values = torch.tensor([1.0, 1.0, 1.0, 2.0, 9.0])
    student = stats.ttest_1samp(values.double(), 0, alternative="less").confidence_interval(0.95)
    found = interval_of(MeanMetric(), values, values)
    assert found.low == pytest.approx(values.mean() - (student.high - values.mean()))
    assert found.high > student.high + 0.5


MEANS = {
    "mse": MeanSquaredError,
    "root mse": lambda: MeanSquaredError(squared=False),
    "mse of columns": lambda: MeanSquaredError(num_outputs=3),
    "mae": MeanAbsoluteError,
    "loss": MeanMetric,
}

if CAME_WITH_1_5:
    MEANS["mae of columns"] = lambda: MeanAbsoluteError(num_outputs=3)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("name", MEANS)
def test_the_mean_of_errors_is_torchmetrics_own(name, scale):
    torch.manual_seed(3)
    outputs, targets = scale * torch.randn(50, 3), scale * torch.randn(50, 3)
    metric = MEANS[name]()
    found = interval_of(metric, outputs, targets)
    assert found.why_none == ""
    value = metric.compute()
    assert (torch.tensor(found.low) < value).all()
    assert (value < torch.tensor(found.high)).all()
    assert (found.method, found.size) == ("t", 50)


def test_the_bounds_of_the_root_are_the_roots_of_the_bounds():
    outputs, targets = torch.randn(30, generator=torch.Generator().manual_seed(0)), torch.zeros(30)
    squares, roots = (interval_of(MeanSquaredError(squared=squared), outputs, targets) for squared in (True, False))
    assert (roots.low**2, roots.high**2) == pytest.approx((squares.low, squares.high))


def test_perplexity_goes_by_documents():
    torch.manual_seed(4)
    outputs, targets = torch.randn(40, 12, 6), torch.randint(0, 6, (40, 12))
    targets[torch.arange(12) >= torch.randint(2, 13, (40, 1))] = -100
    targets[7] = -100
    metric = Perplexity(ignore_index=-100)
    found = interval_of(metric, outputs, targets)
    assert_around(found, metric)
    assert (found.method, found.size) == ("t", 39)

    kept = targets != -100
    lost = -outputs.log_softmax(-1).gather(-1, targets.where(kept, 0)[..., None])[..., 0] * kept
    mean = lost.sum() / kept.sum()
    apart = lost.sum(1) - mean * kept.sum(1)
    error = (apart.square().sum() * 39 / 38).sqrt() / kept.sum()
    # At least what Student's quantile gives, and little more.
    for bound, sign in ((found.low, -1), (found.high, 1)):
        steps = sign * (math.log(bound) - mean) / error
        assert stats.t.ppf(0.95, 38) - 1e-3 <= steps < 1.2 * stats.t.ppf(0.95, 38)


class FrechetInceptionDistance(Metric):
    full_state_update = False

    def __init__(self):
        super().__init__()
        self.add_state("number", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, outputs, targets):
        self.number += len(outputs)

    def compute(self):
        return self.number


class Homemade(FrechetInceptionDistance):
    pass


class Forgiving(BinaryAccuracy):
    def compute(self):
        return super().compute() + 0.02


class Flipped(MulticlassF1Score):
    def update(self, preds, target):
        super().update(preds.flip(0), target)


class Halved(MeanSquaredError):
    def compute(self):
        return super().compute() / 2


class Shy(BinaryAUROC):
    def compute(self):
        return 1 - super().compute()


HALF = torch.arange(10) % 2
MOST = torch.tensor([1, 1, 0, 1, 0, 1, 0, 1, 0, 1])
SCORES = torch.linspace(0, 1, 10)
PICTURES = torch.ones(10, 3, dtype=torch.long)

REFUSED = {
    "FID": (
        FrechetInceptionDistance(),
        SCORES,
        HALF,
        "FrechetInceptionDistance has no interval that holds in general",
    ),
    "a user's metric": (Homemade(), SCORES, HALF, "no interval is known for Homemade"),
    "a metric of no family": (MaxMetric(), SCORES, None, "no interval is known for MaxMetric"),
    "another value of the matrix": (
        Forgiving(),
        MOST,
        HALF,
        "its value is not that of the confusion matrix (0.92 against 0.9)",
    ),
    "other samples": (
        Flipped(2),
        MOST,
        HALF,
        "its value is not that of the confusion matrix (0.0909091 against 0.89899)",
    ),
    "another mean": (
        Halved(),
        SCORES,
        SCORES * 3,
        "its value is not the mean of its samples (0.703704 against 1.40741)",
    ),
    "another area": (
        Shy(),
        SCORES,
        MOST,
        "its value is not the area under the ROC curve of its outputs (0.583333 against 0.416667)",
    ),
    "top k": (
        MulticlassAccuracy(3, top_k=2),
        torch.rand(10, 3),
        HALF,
        "top_k=2 makes its value more than a function of the confusion matrix",
    ),
    "a value for each sample": (
        MulticlassAccuracy(3, multidim_average="samplewise"),
        PICTURES,
        PICTURES,
        "multidim_average='samplewise' gives a value for each sample",
    ),
    "the AUROC of many classes": (
        MulticlassAUROC(3),
        torch.rand(10, 3),
        HALF,
        "DeLong's variance is that of BinaryAUROC, of one class against another",
    ),
    "rounded scores": (
        BinaryAUROC(thresholds=5),
        SCORES,
        HALF,
        "thresholds= rounds the scores; DeLong's variance is that of thresholds=None",
    ),
    "a part of the area": (
        BinaryAUROC(max_fpr=0.5),
        SCORES,
        HALF,
        "max_fpr=0.5 takes a part of the area; DeLong's variance is that of the whole",
    ),
    "AUROC of NaN": (BinaryAUROC(), SCORES * math.nan, HALF, "its outputs are not all numbers"),
    "a perplexity beyond all numbers": (
        Perplexity(),
        1e4 * torch.eye(3)[torch.zeros(2, 4).long()],
        torch.ones(2, 4).long(),
        "its value is inf",
    ),
    "AUROC of positives": (BinaryAUROC(), SCORES, torch.ones(10).long(), "its samples are all positive"),
    "AUROC of negatives": (BinaryAUROC(), SCORES, torch.zeros(10).long(), "its samples are all negative"),
    "AUROC of one positive": (
        BinaryAUROC(),
        SCORES,
        (torch.arange(10) == 4).long(),
        "one sample of a class does not show how its samples differ",
    ),
    "AUROC of one score": (
        BinaryAUROC(),
        torch.full((10,), 0.5),
        HALF,
        "DeLong's variance is 0: all samples of a class are ranked alike",
    ),
    "AUROC of pixels": (
        BinaryAUROC(),
        torch.rand(10, 2),
        torch.stack([HALF, MOST], 1),
        "its samples have several values each, which are not independent of each other",
    ),
    "MCC of one class": (
        MulticlassMatthewsCorrCoef(3),
        HALF,
        torch.zeros(10).long(),
        "its targets or its predictions are all of one class",
    ),
    "one sample": (MeanSquaredError(), SCORES[:1], SCORES[1:2], "one sample does not show how samples differ"),
    "one document": (
        Perplexity(),
        torch.rand(1, 4, 3),
        torch.ones(1, 4).long(),
        "one sample does not show how samples differ",
    ),
    "samples that are all the same": (
        MeanAbsoluteError(),
        SCORES * 0,
        SCORES * 0,
        "all 10 samples have the same value, which does not show how samples differ",
    ),
    "losses that are the same but for rounding": (
        MeanMetric(),
        torch.full((10,), 0.1, dtype=torch.float64),
        None,
        "all 10 samples have the same value, which does not show how samples differ",
    ),
    "pictures without an error in any class": (
        MulticlassJaccardIndex(2),
        torch.stack([HALF, MOST, HALF], 1),
        torch.stack([HALF, MOST, HALF], 1),
        "all 10 samples have the same value, which does not show how samples differ",
    ),
    "pictures without an error": (
        MulticlassAccuracy(2, average="micro"),
        PICTURES,
        PICTURES,
        "all 10 samples have the same value, which does not show how samples differ",
    ),
    "NaN": (MeanSquaredError(), SCORES * math.nan, SCORES, "its value is nan"),
    "an infinite error": (MeanAbsoluteError(), SCORES * math.inf, SCORES + 1, "its value is nan"),
    "nothing but ignored samples": (
        MulticlassAccuracy(3, ignore_index=-1),
        HALF,
        torch.full((10,), -1),
        "there is no sample",
    ),
}


@pytest.mark.parametrize(("metric", "outputs", "targets", "why"), REFUSED.values(), ids=REFUSED)
def test_a_value_without_an_interval_says_why(metric, outputs, targets, why):
    metric.update(outputs) if targets is None else metric.update(outputs, targets)
    found = uncertainty(metric, [outputs], [outputs if targets is None else targets], 0.95)
    assert found == Interval(None, None, "", len(outputs), why)


@pytest.mark.parametrize(
    "metric", [BinaryAccuracy(), MulticlassF1Score(3), BinaryAUROC(), MeanSquaredError(), MeanMetric(), Perplexity()]
)
@pytest.mark.parametrize("batches", [[], [torch.zeros(0)]], ids=["no batch", "an empty batch"])
def test_no_sample_is_no_interval(metric, batches):
    outputs = [torch.zeros(0, 4, 3)] * len(batches) if isinstance(metric, Perplexity) else batches
    targets = [torch.zeros(0, 4)] * len(batches) if isinstance(metric, Perplexity) else batches
    assert uncertainty(metric, outputs, targets, 0.95) == Interval(None, None, "", 0, "there is no sample")


def test_labels_that_are_no_class_are_refused():
    metric = MulticlassAccuracy(3, average="micro", validate_args=False)
    found = interval_of(metric, torch.tensor([0, 1, 7]), torch.tensor([0, 1, 2]))
    assert found.why_none == "its labels are not all from 0 to 2"


def test_outputs_of_another_shape_are_refused():
    class Last(MulticlassAccuracy):
        def update(self, preds, target):
            super().update(preds[:, -1], target)

    found = interval_of(Last(3), torch.rand(10, 4, 3), HALF, batch=10)
    assert found.why_none == "its outputs [10, 4, 3] are no scores of its targets [10]"


def test_booleans_are_labels():
    metric = BinaryAccuracy()
    found = interval_of(metric, MOST.bool(), HALF.bool())
    assert found == Interval(lower_bound(9, 10, 0.95), upper_bound(9, 10, 0.95), "Clopper-Pearson", 10)


def test_one_sample_of_one_class_bounds_an_accuracy():
    found = interval_of(BinaryAccuracy(), torch.tensor([1]), torch.tensor([1]))
    assert found == Interval(pytest.approx(0.05), 1.0, "Clopper-Pearson", 1)


def test_weights_that_matter_are_noticed():
    metric = MeanMetric()
    metric.update(SCORES, SCORES)
    found = uncertainty(metric, [SCORES], [SCORES], 0.95)
    assert found.why_none == "its value is not the mean of its samples (0.703704 against 0.5)"


@pytest.mark.parametrize("confidence", [0.3, 1, math.nan])
def test_a_confidence_out_of_range_is_an_error(confidence):
    with pytest.raises(ValueError, match=r"^confidence=.*: a number from 1/2 to below 1 is expected$"):
        uncertainty(BinaryAccuracy(), [HALF], [HALF], confidence)


def test_of_a_class_without_samples_nothing_is_known():
    absent = MulticlassFBetaScore(2.0, 3, average="none"), MulticlassJaccardIndex(3, average="none")
    for metric, labels in zip(absent, (HALF, torch.stack([HALF, MOST], 1)), strict=True):
        found = interval_of(metric, MOST if labels.ndim == 1 else labels.flip(1), labels)
        assert (found.low[2], found.high[2], found.method) == (0.0, 1.0, "delta method")
        assert found.low[1] > 0
    nothing = torch.zeros(10).long()
    assert interval_of(BinaryFBetaScore(2.0), nothing, nothing) == Interval(0.0, 1.0, "delta method", 10)


def test_more_confidence_makes_wider_bounds():
    predicted, targets = predictions(5, 3, 100)
    for metric in (MulticlassF1Score, MulticlassCohenKappa):
        lows = [interval_of(metric(3), predicted, targets, confidence).low for confidence in (0.5, 0.8, 0.95, 0.999)]
        assert lows == sorted(lows, reverse=True)
        assert len(set(lows)) == 4


def test_an_interval_can_be_made_where_torch_records_nothing():
    predicted, targets = predictions(6, 3, 100)
    with torch.inference_mode():
        inside = interval_of(MulticlassF1Score(3), predicted.clone(), targets.clone())
    assert inside == interval_of(MulticlassF1Score(3), predicted, targets)
    assert torch.is_grad_enabled()


def test_importing_the_module_imports_nothing_heavy():
    code = "import sys, pytest_modelcheck.evaluation.uncertainty; print([m for m in ('torch', 'numpy', 'torchmetrics')"
    result = subprocess.run([sys.executable, "-c", f"{code} if m in sys.modules])"], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("[]\n", "")
