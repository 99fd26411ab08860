"""Reading whole tensors gives what the user's loader gives, to the sample, or is not done."""

from __future__ import annotations

import types

import pytest
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, Subset, TensorDataset
from torchvision.datasets import MNIST
from torchvision.transforms import Compose, Lambda, Normalize, RandomRotation, ToTensor

from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.batches import Reading, plain_batches
from pytest_modelcheck.evaluation.chunks import batches
from pytest_modelcheck.evaluation.data import open_data
from pytest_modelcheck.evaluation.predictions import Pass
from pytest_modelcheck.evaluation.sharing import Asked
from pytest_modelcheck.evaluation.sharing import shared_pass as _shared_pass


def everything(reader, model, data):
    """Scores and targets of all samples."""
    with torch.no_grad():
        found = list(reader(model, Reading(open_data(data, model), "cpu")))
    return torch.cat([batch.outputs for batch in found]), torch.cat([batch.targets for batch in found])


def shared_pass(model, data, shared):
    return _shared_pass(Asked(model, data), shared)


def assert_same(model, data):
    """The fast path is taken and predicts every sample as the plain path does."""
    assert open_data(data, model).tensors is not None
    fast, fast_targets = everything(batches, model, data)
    plain, plain_targets = everything(plain_batches, model, data)
    assert torch.equal(fast_targets, plain_targets)
    assert torch.equal(fast.argmax(1), plain.argmax(1))


@pytest.fixture
def digits(data_root, mnist):
    def make(transform):
        return MNIST(str(data_root), train=False, transform=transform)

    assert len(mnist) == 10_000
    return make


# Slow: it reads 10,000 images one by one, as the user's loader does.
@pytest.mark.slow
def test_all_digits_are_predicted_as_the_loader_gives_them(network, mnist):
    assert_same(network, DataLoader(mnist, batch_size=32))


@pytest.mark.parametrize("batch_size", [1, 7, 250, 400])
def test_any_batch_size_gives_the_same_predictions(network, mnist, batch_size):
    assert_same(network, DataLoader(Subset(mnist, range(500, 1_310)), batch_size=batch_size))


def test_a_subset_is_read_in_its_own_order(network, mnist):
    assert_same(network, DataLoader(Subset(Subset(mnist, range(100, 700)), [5, 5, 0, 599, -1]), batch_size=2))


def test_normalized_digits_are_the_same_tensors(network, digits):
    transform = Compose([ToTensor(), Normalize((0.1307,), (0.3081,))])
    assert_same(network, DataLoader(Subset(digits(transform), range(300)), batch_size=32))


def test_a_tensor_dataset_is_read_whole():
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(777, 5), torch.arange(777) % 3)
    assert_same(nn.Linear(5, 3).eval(), DataLoader(data, batch_size=10))


NOT_TAKEN = [
    ("rotation", lambda make: make(Compose([RandomRotation(30), ToTensor()]))),
    ("rotation after", lambda make: make(Compose([ToTensor(), RandomRotation(30)]))),
    ("lambda", lambda make: make(Compose([ToTensor(), Lambda(torch.sqrt)]))),
    ("function", lambda make: make(lambda image: ToTensor()(image))),
    ("compose in compose", lambda make: make(Compose([Compose([ToTensor()])]))),
]


@pytest.mark.parametrize("change", [row[1] for row in NOT_TAKEN], ids=[row[0] for row in NOT_TAKEN])
def test_another_transform_is_left_to_the_loader(digits, change):
    assert open_data(DataLoader(Subset(change(digits), range(4)))).tensors is None


def test_a_target_transform_is_left_to_the_loader(digits):
    data = digits(ToTensor())
    data.target_transform = lambda label: 9 - label
    assert open_data(DataLoader(data)).tensors is None


def test_a_data_set_that_gives_other_samples_is_left_to_the_loader(digits):
    class Inverted(MNIST):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return 1 - image, label

    data = digits(ToTensor())
    data.__class__ = Inverted
    assert open_data(DataLoader(data)).tensors is None
    Inverted.__module__, Inverted.__name__ = MNIST.__module__, "MNIST"
    assert open_data(DataLoader(data)).tensors is None


X, Y = torch.eye(4).repeat(100, 1), torch.arange(400) % 4

LOADERS = [
    ("shuffled", {"shuffle": True}),
    ("own collation", {"collate_fn": lambda rows: torch.utils.data.default_collate(rows)}),
    ("part", {"sampler": SequentialSampler(range(7))}),
    ("batch sampler at random", {"batch_sampler": BatchSampler(RandomSampler(X), 5, False)}),
    ("batch sampler of a part", {"batch_sampler": BatchSampler(SequentialSampler(range(7)), 5, False)}),
    ("no batching", {"batch_size": None}),
]


@pytest.mark.parametrize("options", [row[1] for row in LOADERS], ids=[row[0] for row in LOADERS])
def test_a_loader_of_another_order_is_not_read_whole(options):
    loader = DataLoader(TensorDataset(X, Y), **options)
    source = open_data(loader)
    assert source.tensors is None
    if source.size is not None:
        model = nn.Identity()
        run = Pass(model, source)
        run.read()
        assert run.seen == source.size == sum(len(targets) for _, targets in loader)


def test_a_subclass_of_the_loader_is_not_read_whole():
    class Own(DataLoader):
        def __iter__(self):
            return iter([(X, Y)])

    assert open_data(Own(TensorDataset(X, Y))).tensors is None


class Centred(nn.Module):
    """Its scores depend on the other samples of the batch."""

    def forward(self, inputs):
        return inputs - inputs.mean(0)


@pytest.mark.parametrize("batch_size", [1, 32, 100, 250, 300, 500, 1_000])
def test_a_model_that_mixes_its_batch_gets_the_loaders_batches(batch_size):
    torch.manual_seed(0)
    inputs = torch.randn(1_000, 5) + torch.arange(1_000)[:, None] * torch.randn(5) * 0.01
    loader = DataLoader(TensorDataset(inputs, torch.zeros(1_000, dtype=torch.long)), batch_size=batch_size)
    fast, _ = everything(batches, Centred(), loader)
    plain, _ = everything(plain_batches, Centred(), loader)
    assert torch.equal(fast, plain)


class Experts(nn.Module):
    """Two experts of 64 places: who comes too late is scored by none."""

    def forward(self, inputs):
        expert = inputs[:, 0].lt(0).long()
        place = nn.functional.one_hot(expert, 2).cumsum(0).gather(1, expert[:, None])
        return torch.where(place <= 64, inputs[:, 1:], -inputs[:, 1:])


@pytest.mark.parametrize("batch_size", [32, 64, 128, 129, 500, 1_000, 2_000])
def test_a_model_that_has_no_place_for_all_of_a_batch_gets_the_loaders_batches(batch_size):
    torch.manual_seed(0)
    labels = torch.randint(2, (2_000,))
    inputs = torch.cat([torch.randn(2_000, 1), nn.functional.one_hot(labels, 2).float()], 1)
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=batch_size)
    assert torch.equal(everything(batches, Experts(), loader)[0], everything(plain_batches, Experts(), loader)[0])


class Trimming(nn.Module):
    """It cuts padding off, as far as all samples of a batch have it, and what it gives depends on the length."""

    def forward(self, inputs):
        used = inputs[:, 1:]
        length = int((used != 0).any(0).nonzero().max()) + 1
        return nn.functional.one_hot((inputs[:, 0].long() + length) % 100, 100).float()


def test_one_class_of_sorted_data_that_changes_the_others_is_found():
    labels = torch.arange(100).repeat_interleave(100)
    inputs = torch.zeros(10_000, 8)
    inputs[:, 0] = labels
    inputs[:, 1:4] = 1
    inputs[labels == 77, 1:] = 1
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=100)
    assert torch.equal(everything(batches, Trimming(), loader)[0], everything(plain_batches, Trimming(), loader)[0])


class Rounding(nn.Module):
    """A model whose additions come out a little differently in a batch of another size, as on a real machine."""

    def forward(self, inputs):
        return inputs + (len(inputs) == 250) * torch.tensor([1e-6, 0.0])


def test_near_ties_are_judged_as_the_loader_batches_them():
    torch.manual_seed(0)
    inputs = torch.rand(1_003, 1).repeat(1, 2)
    inputs[::3, 1] += 5e-7
    inputs[1::3, 1] += 1e-2
    inputs[:10, 0] += 1
    loader = DataLoader(TensorDataset(inputs, torch.zeros(1_003, dtype=torch.long)), batch_size=10)
    unsafe = Rounding()(inputs[:250]).argmax(1)
    assert not torch.equal(unsafe, inputs[:250].argmax(1))
    assert_same(Rounding(), loader)


class Overwriting(nn.Module):
    """It leaves nothing of what it is given."""

    def forward(self, inputs):
        scores = inputs.clone()
        inputs.zero_()
        return scores


def test_a_model_that_writes_into_its_input_spoils_nothing():
    inputs = X.clone()
    data = TensorDataset(inputs, Y)
    for _ in range(2):
        model = Overwriting()
        run = Pass(model, open_data(DataLoader(data, batch_size=3)))
        run.read()
        assert (run.correct, run.seen) == (400, 400)
    assert torch.equal(inputs, X)


def test_a_model_that_is_random_in_itself_is_read_by_the_loader():
    class Noisy(nn.Module):
        def forward(self, inputs):
            return inputs + torch.randn_like(inputs)

    source = open_data(DataLoader(TensorDataset(X, Y), batch_size=10))
    with torch.no_grad():
        sizes = [len(batch.targets) for batch in batches(Noisy(), Reading(source, "cpu"))]
    assert sizes == [10] * 40


def test_a_pass_resumed_after_an_early_stop_is_one_pass(network, mnist):
    data = DataLoader(Subset(mnist, range(2_000)), batch_size=32)
    whole, parts = Pass(network, open_data(data)), Pass(network, open_data(data))
    whole.read()
    stops = []
    for limit in (100, 100, 700, 1_999):
        parts.read(lambda now, limit=limit: now.seen >= limit)
        stops.append(parts.seen)
    assert stops == [250, 250, 750, 2_000]
    assert parts.finished
    assert parts.counts() == whole.counts()
    assert (parts.seen, parts.correct) == (whole.seen, whole.correct)


def test_a_shared_pass_gives_each_gate_what_its_own_gives(network, mnist):
    data, shared = DataLoader(Subset(mnist, range(1_000)), batch_size=32), {}
    first = shared_pass(network, data, shared)
    first.read(lambda now: now.seen >= 250)
    second = shared_pass(network, DataLoader(Subset(mnist, range(1_000)), batch_size=32), shared)
    assert second is first
    second.read()
    alone = Pass(network, open_data(data))
    alone.read()
    assert second.counts() == alone.counts()


def test_a_sample_is_inferred_once():
    calls = []

    class Counting(nn.Module):
        def forward(self, inputs):
            calls.append(len(inputs))
            return inputs

    model, shared = Counting(), {}
    for _ in range(3):
        run = shared_pass(model, Subset(TensorDataset(X, Y), range(400)), shared)
        run.read()
    # Beside each sample once: the first batch of 250 as the loader gives it, 32 of its samples among 218 others, and
    # for each gate 8 samples by which the model is known again.
    assert sum(calls) == 400 + 250 + 250 + 3 * 8
    assert (run.seen, run.correct) == (400, 400)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model[0].weight.data.neg_(),
        lambda model: model[1].running_mean.add_(torch.tensor([9.0, 0, 0, 0])),
        lambda model: setattr(model[0], "weight", nn.Parameter(-model[0].weight.data)),
        lambda model: model.__setitem__(0, nn.Softmin(1)),
        lambda model: setattr(model, "forward", lambda x: -x),
        lambda model: setattr(model[1], "eps", float("inf")),
        lambda model: model.register_forward_hook(lambda module, inputs, output: -output),
    ],
    ids=["weight", "buffer", "new weight", "layer", "forward", "attribute", "hook"],
)
def test_a_model_that_changed_between_two_gates_is_read_again(change):
    model, shared = nn.Sequential(nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4)).eval(), {}
    model[0].weight.data.copy_(torch.eye(4))
    first = shared_pass(model, (X, Y), shared)
    first.read()
    change(model)
    second = shared_pass(model, (X, Y), shared)
    second.read()
    assert second is not first
    assert (first.correct, second.correct < 400) == (400, True)


def test_labels_that_changed_between_two_gates_are_noticed():
    labels, shared, model = Y.clone(), {}, nn.Identity()
    shared_pass(model, (X, labels), shared).read()
    labels[7] = (labels[7] + 1) % 4
    run = shared_pass(model, (X, labels), shared)
    run.read()
    assert run.correct == 399


def test_two_samplers_of_one_data_set_share_nothing():
    data, shared, model = TensorDataset(X, torch.where(torch.arange(400) < 200, Y, (Y + 1) % 4)), {}, nn.Identity()
    halves = []
    for half in (range(200), range(200, 400)):
        run = shared_pass(model, DataLoader(data, sampler=torch.utils.data.SubsetRandomSampler(half)), shared)
        run.read()
        halves.append((run.correct, run.seen))
    assert halves == [(200, 200), (0, 200)]


def test_another_model_of_the_same_weights_has_its_own_pass():
    shared = {}
    one, other = nn.Identity(), Centred()
    assert shared_pass(one, (X, Y), shared) is not shared_pass(other, (X, Y), shared)


def test_a_problem_is_told_again_to_the_next_gate():
    class Late(nn.Module):
        def forward(self, inputs):
            raise ValueError("no")

    model = Late()
    run = Pass(model, open_data((X, Y)))
    for _ in range(2):
        with pytest.raises(ModelCheckError) as raised:
            run.read()
        assert str(raised.value) == "batch 0: forward raised ValueError: no\n  inputs: input [250, 4]"
    assert not run.finished


@pytest.mark.parametrize("most", [10, 100])
def test_a_model_that_takes_no_more_than_its_own_batches_is_judged_in_them(most):
    sizes = []

    class Small(nn.Module):
        def forward(self, inputs):
            if len(inputs) > most:
                raise MemoryError
            sizes.append(len(inputs))
            return inputs

    assert_same(Small(), DataLoader(TensorDataset(X, Y), batch_size=7))
    assert 7 in sizes


def test_it_is_told_which_of_the_users_own_batches_went_wrong():
    model = nn.Identity()
    for late, where in ((20, "batch 2"), (390, "batch 55")):
        scores = X.clone()
        scores[late] = torch.nan
        with pytest.raises(ModelCheckError) as raised:
            Pass(model, open_data(DataLoader(TensorDataset(scores, Y), batch_size=7))).read()
        assert str(raised.value).startswith(f"{where}: the scores of 1 of ")


def test_a_data_set_that_ends_early_is_no_finished_pass():
    class Short(DataLoader):
        def __iter__(self):
            return iter([(X[:10], Y[:10])])

    model = nn.Identity()
    run = Pass(model, open_data(Short(TensorDataset(X, Y))))
    with pytest.raises(ModelCheckError) as raised:
        run.read()
    assert str(raised.value) == "the data gave 10 samples and has 400"


def test_a_data_set_that_goes_on_is_no_finished_pass():
    class Long(DataLoader):
        def __iter__(self):
            return iter([(X, Y), (X[:1], Y[:1])])

    model = nn.Identity()
    run = Pass(model, open_data(Long(TensorDataset(X, Y))))
    with pytest.raises(ModelCheckError) as raised:
        run.read(lambda now: now.seen >= 400)
    assert str(raised.value) == "the data gave 401 samples and has 400"


def test_the_model_is_left_as_it_was(network, mnist):
    network.train()
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    run = Pass(network, open_data(Subset(mnist, range(500))))
    run.read()
    assert network.training
    assert run.changes == []
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())
    assert network[0].weight.is_contiguous()


class Held(nn.Module):
    """A model whose predictions hang on what it holds beside its parameters."""

    def __init__(self):
        super().__init__()
        self.config = types.SimpleNamespace(sign=1, more={"scale": [1.0]})
        self.table = torch.ones(4)
        self.hidden = [nn.Linear(4, 4, bias=False)]
        self.hidden[0].weight.data.copy_(torch.eye(4))

    def forward(self, x):
        return self.hidden[0](x) * self.config.sign * self.table * self.config.more["scale"][0]


@pytest.mark.parametrize(
    "change",
    [
        lambda model, patch: setattr(model.config, "sign", -1),
        lambda model, patch: model.config.more["scale"].__setitem__(0, -1.0),
        lambda model, patch: model.table.neg_(),
        lambda model, patch: model.hidden[0].weight.data.neg_(),
        lambda model, patch: patch.setattr(Held, "forward", lambda self, x: -x),
    ],
    ids=["object", "nested list", "plain tensor", "listed layer", "class"],
)
def test_what_a_model_holds_beside_its_weights_is_noticed(change, monkeypatch):
    model, shared = Held(), {}
    first = shared_pass(model, (X, Y), shared)
    first.read()
    assert shared_pass(model, (X, Y), shared) is first
    change(model, monkeypatch)
    second = shared_pass(model, (X, Y), shared)
    second.read()
    assert (first.correct, second.correct < 400) == (400, True)


def test_another_numeric_setting_is_another_pass():
    model, shared = nn.Linear(4, 4), {}
    first = shared_pass(model, (X, Y), shared)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert shared_pass(model, (X, Y), shared) is not first
    assert shared_pass(model, (X, Y), shared) is first


class Rows(torch.utils.data.Dataset):
    """Samples that the test may change, behind a class that is not known."""

    def __init__(self, labels):
        self.labels = labels

    def __len__(self):
        return len(X)

    def __getitem__(self, index):
        return X[index], self.labels[index]


def test_a_data_set_of_the_users_own_is_read_by_each_gate():
    model, shared, data = nn.Identity(), {}, Rows(Y.clone())
    first = shared_pass(model, data, shared)
    first.read()
    data.labels[1:-1] = (data.labels[1:-1] + 1) % 4
    second = shared_pass(model, data, shared)
    second.read()
    assert (first.correct, second.correct) == (400, 2)


class Centered(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


@pytest.mark.parametrize("make", [Centered, lambda: nn.BatchNorm1d(4, track_running_stats=False)])
def test_a_model_that_looks_at_its_neighbours_is_read_as_the_loader_gives_it(make):
    inputs = torch.eye(4).repeat_interleave(150, 0) + torch.linspace(0, 0.1, 600).unsqueeze(1)
    labels = torch.arange(4).repeat_interleave(150)
    data = TensorDataset(inputs, labels)
    own = type("Own", (TensorDataset,), {})(inputs, labels)
    model = make()
    fast, plain = (shared_pass(model, DataLoader(kind, batch_size=32), {}) for kind in (data, own))
    fast.read()
    plain.read()
    assert fast.counts() == plain.counts()


def test_a_pass_that_was_broken_off_is_begun_anew():
    class Stopping(nn.Module):
        calls = 0

        def forward(self, x):
            Stopping.calls += 1
            if Stopping.calls == 4:
                raise KeyboardInterrupt
            return x

    model, shared = Stopping(), {}
    with pytest.raises(KeyboardInterrupt):
        shared_pass(model, (X, Y), shared).read()
    again = shared_pass(model, (X, Y), shared)
    again.read()
    assert (again.seen, again.correct, again.finished) == (400, 400, True)


def test_bfloat16_inputs_are_read():
    model = nn.Identity()
    run = shared_pass(model, (X.bfloat16(), Y), {})
    run.read()
    assert run.correct == 400
