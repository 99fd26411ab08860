"""What would make a gate pass without having been measured: each trap, and that it does not."""

from __future__ import annotations

import pytest
import torch
from pytorch_lightning import LightningModule
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from torchmetrics import MeanMetric, Metric, MetricCollection, SpearmanCorrCoef
from torchmetrics.classification import MulticlassAccuracy

from pytest_modelcheck.checks.accuracy import accuracy
from pytest_modelcheck.checks.metric import metric
from pytest_modelcheck.checks.recipe import recipe
from pytest_modelcheck.context import Context

X, Y = torch.eye(4).repeat(100, 1), torch.arange(400) % 4


class Rows(Dataset):
    """Samples of a class that is not known."""

    def __init__(self, scores, labels):
        self.scores, self.labels = scores, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        return self.scores[row], self.labels[row]


class Turning(nn.Module):
    """Its scores hang on something that is no part of it."""

    sign = 1.0

    def scores(self, x):
        return x

    def forward(self, x):
        return self.scores(x) * type(self).sign


CHANGES = {
    "a class attribute": lambda patch: patch.setattr(Turning, "sign", -1.0),
    "a method": lambda patch: patch.setattr(Turning, "scores", lambda self, x: -x),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("data", [(X, Y), Rows(X, Y)], ids=["tensors", "own"])
def test_a_model_that_gives_something_else_is_judged_again(monkeypatch, change, data):
    model = Turning()
    with Context().active():
        assert accuracy(model, data, min=0.9).ok
        change(monkeypatch)
        assert not accuracy(model, data, min=0.9).ok


def test_a_step_that_gives_something_else_is_judged_again():
    sign = [1]

    def step(model, batch):
        return model(batch[0]) * sign[0], batch[1]

    model = nn.Identity()
    with Context().active():
        assert accuracy(model, (X, Y), min=0.9, step=step).ok
        sign[0] = -1
        assert not accuracy(model, (X, Y), min=0.9, step=step).ok


def test_one_label_that_changed_is_seen():
    model, data = nn.Identity(), Rows(X, Y.clone())
    with Context().active():
        assert accuracy(model, data, min=1).ok
        data.labels[203] = 0
        assert not accuracy(model, data, min=1).ok


def test_another_collation_is_seen():
    model, loader = nn.Identity(), DataLoader(Rows(X, Y), batch_size=40)
    with Context().active():
        assert accuracy(model, loader, min=0.9).ok
        loader.collate_fn = lambda rows: (torch.stack([row[0] for row in rows]), torch.tensor([0] * len(rows)))
        assert not accuracy(model, loader, min=0.9).ok


class Centred(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


SORTED = torch.arange(4).repeat_interleave(100)


PROMISES = {"plain": {}, "step": {"step": lambda model, batch: (model(batch[0]), batch[1])}}


@pytest.mark.parametrize("promises", PROMISES.values(), ids=PROMISES)
@pytest.mark.parametrize("kind", [Rows, TensorDataset])
def test_a_model_that_looks_at_its_neighbours_is_not_judged_early(kind, promises):
    data = DataLoader(kind(torch.eye(4)[SORTED] + torch.linspace(0, 0.1, 400)[:, None], SORTED), batch_size=50)
    model = Centred()
    with Context().active():
        early = accuracy(model, data, min=0.9, early_stop=1e-6, **promises)
        exact = accuracy(model, data, min=0.9, **promises)
    assert early.outcome == "error"
    assert early.message.endswith("early_stop needs each judged alone")
    assert exact.outcome == accuracy(model, data, min=0.9, **promises).outcome == "failed"


def test_a_model_that_draws_numbers_draws_the_same_in_every_gate():
    class Noisy(nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x)

    torch.manual_seed(1)
    first = accuracy(Noisy(), (X, Y), min=0).measured
    torch.manual_seed(2)
    assert accuracy(Noisy(), (X, Y), min=0).measured == first
    assert accuracy(Noisy(), (X, Y), min=0, average="macro").ok


class Logging(LightningModule):
    def __init__(self):
        super().__init__()
        self.accuracy = MulticlassAccuracy(4, average="micro")
        self.net = nn.Identity()

    def test_step(self, batch, batch_idx):
        self.accuracy(self.net(batch[0]), batch[1])
        self.log("acc", self.accuracy)


WRONG_AT_THE_END = torch.where(torch.arange(400) < 200, Y, (Y + 1) % 4)


@pytest.mark.parametrize("name", ["PL_TRAINER_LIMIT_TEST_BATCHES", "PL_TRAINER_FAST_DEV_RUN"])
def test_the_environment_does_not_cut_a_logged_run_short(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    loader = DataLoader(TensorDataset(X, WRONG_AT_THE_END), batch_size=100)
    assert metric(Logging(), loader, logged="acc", min=0.9).measured == "acc 0.5"


def test_what_a_modules_metric_saw_before_is_no_part_of_a_logged_run():
    model = Logging()
    for _ in range(50):
        model.accuracy.update(X, Y)
    loader = DataLoader(TensorDataset(X, (Y + 1) % 4), batch_size=100)
    assert metric(model, loader, logged="acc", min=0.9).measured == "acc 0"


def test_one_run_is_not_taken_for_several():
    def train(seed):
        torch.manual_seed(42)
        return nn.Linear(4, 4)

    result = recipe(train, (X, Y), min=0, seeds=5)
    assert result.message.endswith("train gave the same weights for seeds 0 and 1: they are one run, and not two")


def test_slices_do_not_stand_for_the_whole():
    labels = torch.where(torch.arange(400) < 10, Y, (Y + 1) % 4)
    result = accuracy(nn.Identity(), (X, labels), min=0.9, slices={"first": range(10)})
    assert result.message.startswith("accuracy of Identity: 10 of 400 samples are correct, and 360 are needed for 0.9")


def test_one_name_is_one_baseline(pytester):
    pytester.makepyfile(
        test_it="""
        import pytest, torch
        from pytest_modelcheck import assert_accuracy

        X, Y = torch.eye(4).repeat(100, 1), torch.arange(400) % 4

        @pytest.mark.modelcheck
        def test_new_against_old():
            assert_accuracy(torch.nn.Identity(), (X, Y), max_drop=0.0, baseline="release")
            assert_accuracy(torch.nn.Softmin(1), (X, Y), max_drop=0.0, baseline="release")
        """
    )
    for options in ("--modelcheck-update=all",), ():
        result = pytester.runpytest_inprocess("--modelcheck", *options)
        result.assert_outcomes(failed=1)
        assert "400 broken and 0 fixed since 'release' (1.0000)" in result.stdout.str()


def test_targets_are_no_weights_of_losses():
    losses = torch.where(Y == 0, 100.0, 0.01)
    result = metric(
        nn.Identity(), (losses, Y), metric=MeanMetric(), max=0.1, step=lambda model, batch: (batch[0], batch[1])
    )
    assert (result.outcome, result.evidence["values"]["MeanMetric"]["value"]) == ("failed", pytest.approx(25.0075))


def test_tokens_of_one_document_are_no_draws_of_their_own():
    def step(model, batch):
        return batch[0].repeat_interleave(50, 0), batch[1].repeat_interleave(50)

    result = metric(
        nn.Identity(), (X, Y), metric=MulticlassAccuracy(4, average="micro"), min=0.9, confidence=0.95, step=step
    )
    assert result.message.endswith(
        "has no bound at 95 %: its rows are parts of samples, which are no draws of their own"
    )


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(X[:99], Y[:99], strict=True))


def test_a_stream_whose_end_is_dropped_is_refused():
    result = accuracy(nn.Identity(), DataLoader(Stream(), batch_size=50, drop_last=True), min=0.9)
    assert result.message.endswith(
        "the loader has drop_last=True and leaves the last samples of an iterable data set unread. Evaluate with "
        "drop_last=False"
    )


@pytest.mark.filterwarnings("ignore:Metric `SpearmanCorrcoef`")
def test_a_target_that_is_no_number_is_an_error():
    values = torch.arange(100.0)
    targets = torch.where(values < 10, float("nan"), values)
    result = metric(nn.Flatten(0), (values[:, None], targets), metric=SpearmanCorrCoef(), min=0.9)
    assert result.message.endswith("batch 0: the targets of 10 of 100 samples are NaN")


class Remembering(Metric):
    """Its state is no state of torchmetrics."""

    def __init__(self):
        super().__init__()
        self.right = self.all = 0

    def update(self, outputs, targets):
        self.right += int((outputs.argmax(1) == targets).sum())
        self.all += len(targets)

    def compute(self):
        return torch.tensor(self.right / self.all)


def test_a_metric_that_cannot_be_reset_is_refused():
    result = metric(nn.Identity(), (X, Y), metric=Remembering(), min=0.9)
    assert result.message.endswith(
        "Remembering declares no state (add_state): reset() takes back nothing that it saw before"
    )


def test_targets_that_are_all_ignored_measure_nothing():
    asked = MulticlassAccuracy(4, average="micro", ignore_index=0)
    result = metric(nn.Identity(), (X, torch.zeros_like(Y)), metric=asked, max=0.5)
    assert result.message.endswith("every target is MulticlassAccuracy's ignore_index: nothing is measured")


def test_nor_do_they_for_one_metric_of_several():
    asked = MetricCollection({"all": MulticlassAccuracy(4), "some": MulticlassAccuracy(4, ignore_index=0)})
    result = metric(nn.Identity(), (X, torch.zeros_like(Y)), metric=asked, max=1)
    assert result.message.endswith("every target is MetricCollection's ignore_index: nothing is measured")


def test_a_logged_run_has_the_threads_of_its_gate():
    class Asking(Logging):
        def test_step(self, batch, batch_idx):
            self.log("threads", float(torch.get_num_threads()))

    before = torch.get_num_threads()
    with Context(threads=1).active():
        assert metric(Asking(), DataLoader(TensorDataset(X, Y), batch_size=100), logged="threads", max=1).ok
    assert torch.get_num_threads() == before


def test_an_early_verdict_takes_a_sample():
    assert accuracy(nn.Identity(), (X, Y), min=0, early_stop=1e-6).evidence["seen"] > 0
