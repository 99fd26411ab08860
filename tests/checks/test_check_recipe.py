"""The promise that training reaches its goal: one seed, nearly any seed, and what decides early."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from pytest_modelcheck import ConfigError, ModelCheckError, ModelCheckFailure, assert_recipe
from pytest_modelcheck.checks.recipe import recipe
from pytest_modelcheck.context import Context

# The identity is right for all of these 100.
DATA = (torch.eye(10).repeat(10, 1), torch.arange(10).repeat(10))


class Wrong(nn.Module):
    """It is wrong for so many of the samples."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, scores):
        signs = torch.ones(len(scores), 1)
        signs[: self.number] = -1
        return scores * signs


class Recipe:
    """Training that takes no time: so many errors from each seed, and the seeds it was asked for."""

    def __init__(self, *errors):
        self.errors = errors
        self.seeds = []

    def __call__(self, seed):
        self.seeds.append(seed)
        return Wrong(self.errors[len(self.seeds) - 1])


KEPT = [
    ("one seed", (5,), {}, "at least 0.9 from the run's seed", "1 of 1 seeds: 0.9500"),
    ("to the sample", (10,), {"seeds": 1}, "at least 0.9 from the run's seed", "1 of 1 seeds: 0.9000"),
    (
        "five in a row",
        (5, 6, 10, 7, 8, 99),
        {"seeds": 20},
        "at least 0.9 from nearly any seed, by up to 20",
        "5 of 5 seeds: 0.9500, 0.9400, 0.9000, 0.9300, 0.9200",
    ),
    (
        "a failure made good",
        (0, 20, *[0] * 8),
        {"seeds": 10},
        "at least 0.9 from nearly any seed, by up to 10",
        "9 of 10 seeds: 1.0000, 0.8000, " + ", ".join(["1.0000"] * 8),
    ),
]


@pytest.mark.parametrize(
    ("errors", "promises", "promised", "measured"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT]
)
def test_a_recipe_that_reaches_its_goal_passes(errors, promises, promised, measured):
    train = Recipe(*errors)
    result = recipe(train, DATA, min=0.9, **promises)
    assert (result.outcome, result.message, result.promised, result.measured) == ("passed", "", promised, measured)
    assert train.seeds == list(range(int(measured.partition(" seeds")[0].split()[-1])))


BROKEN = [
    (
        "one seed",
        (11,),
        {},
        """
        recipe of Recipe: seed 0 gave 89 of 100, promised at least 0.9.
          seed 0: 0.8900 (89 of 100)
        """,
    ),
    (
        "two failures at the start",
        (20, 22, 0, 0, 0),
        {"seeds": 5},
        """
        recipe of Recipe: 0 of 2 seeds reached 0.9: a recipe that nearly always does would have done better.
          seed 0: 0.8000 (80 of 100)
          seed 1: 0.7800 (78 of 100)
          mean 0.7900, standard deviation 0.0141
          a gate on one run would fail by chance in 100 % of runs
        """,
    ),
    (
        "two failures in a row later",
        (0, 0, 20, 20, 20, 0),
        {"seeds": 9},
        """
        recipe of Recipe: 2 of 4 seeds reached 0.9: a recipe that nearly always does would have done better.
          seed 0: 1.0000 (100 of 100)
          seed 1: 1.0000 (100 of 100)
          seed 2: 0.8000 (80 of 100)
          seed 3: 0.8000 (80 of 100)
          mean 0.9000, standard deviation 0.1155
          a gate on one run would fail by chance in 50 % of runs
        """,
    ),
    (
        "undecided",
        (5, 12, 5, 5, 5),
        {"seeds": 5},
        """
        recipe of Recipe: undecided after 5 seeds, of which 4 reached 0.9: more seeds= would decide it.
          seed 0: 0.9500 (95 of 100)
          seed 1: 0.8800 (88 of 100)
          seed 2: 0.9500 (95 of 100)
          seed 3: 0.9500 (95 of 100)
          seed 4: 0.9500 (95 of 100)
          mean 0.9360, standard deviation 0.0313
          a gate on one run would fail by chance in 13 % of runs
        """,
    ),
    (
        "rarely by chance",
        (1, 11, 2, 3, 2),
        {"seeds": 5},
        """
        recipe of Recipe: undecided after 5 seeds, of which 4 reached 0.9: more seeds= would decide it.
          seed 0: 0.9900 (99 of 100)
          seed 1: 0.8900 (89 of 100)
          seed 2: 0.9800 (98 of 100)
          seed 3: 0.9700 (97 of 100)
          seed 4: 0.9800 (98 of 100)
          mean 0.9620, standard deviation 0.0409
          a gate on one run would fail by chance in 6.5 % of runs
        """,
    ),
    (
        "all the same",
        (20, 20),
        {"seeds": 5},
        """
        recipe of Recipe: 0 of 2 seeds reached 0.9: a recipe that nearly always does would have done better.
          seed 0: 0.8000 (80 of 100)
          seed 1: 0.8000 (80 of 100)
          mean 0.8000, standard deviation 0.0000
          a gate on one run would fail by chance in 100 % of runs
        """,
    ),
]


@pytest.mark.parametrize(("errors", "promises", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_recipe_that_does_not_reach_its_goal_fails(expect, errors, promises, message):
    train = Recipe(*errors)
    result = expect(recipe, train, DATA, min=0.9, outcome="failed", message=message, **promises)
    assert len(train.seeds) == len(result.evidence["values"]) == message.count("  seed ")


def test_two_failures_end_the_training():
    train = Recipe(20, 20)
    with pytest.raises(ModelCheckFailure, match="0 of 2 seeds"):
        assert_recipe(train, DATA, min=0.9, seeds=100)
    assert train.seeds == [0, 1]


def test_integers_decide_for_each_seed():
    class From(nn.Module):
        def __init__(self, first):
            super().__init__()
            self.first = first

        def forward(self, numbers):
            return torch.cat([numbers, numbers.new_full(numbers.shape, self.first - 0.5)], dim=1)

    data = torch.arange(10_000.0)[:, None], torch.zeros(10_000).long()
    assert recipe(lambda seed: From(500), data, min=0.95, seeds=5).ok
    assert not recipe(lambda seed: From(501), data, min=0.95, seeds=5).ok


@pytest.mark.parametrize("seeds", [1, 5])
def test_the_seeds_are_those_that_follow_the_sessions(seeds):
    train = Recipe(*[0] * 5)
    with Context(seed=41).active():
        result = recipe(train, DATA, min=0.9, seeds=seeds)
    assert train.seeds == list(range(41, 41 + seeds))
    assert result.evidence["first_seed"] == 41
    failing = Recipe(50)
    with Context(seed=41).active():
        assert recipe(failing, DATA, min=0.9).message == (
            "recipe of Recipe: seed 41 gave 50 of 100, promised at least 0.9.\n  seed 41: 0.5000 (50 of 100)"
        )


def test_the_evidence_tells_each_run():
    assert recipe(Recipe(5, 4, 3, 4, 5), DATA, min=0.9, seeds=5).evidence == {
        "values": [0.95, 0.96, 0.97, 0.96, 0.95],
        "correct": [95, 96, 97, 96, 95],
        "sizes": [100] * 5,
        "first_seed": 0,
        "verdict": "passed",
        "flake_rate": pytest.approx(2.07e-12, rel=0.01),
    }
    assert recipe(Recipe(5), DATA, min=0.9).evidence["flake_rate"] is None


def raising(seed):
    if seed == 2:
        raise FileNotFoundError("no training data")
    return Wrong(0)


def divergent(seed):
    return nn.Sequential(nn.Identity(), nn.Threshold(2, float("nan"))) if seed == 1 else Wrong(0)


UNMEASURED = [
    (
        "training raises",
        raising,
        "recipe of raising: not measured: training from seed 2 raised FileNotFoundError: no training data",
    ),
    (
        "no model",
        lambda seed: None,
        "recipe of <lambda>: not measured: the model of seed 0: NoneType is no torch.nn.Module: give the model itself",
    ),
    (
        "a class of models",
        lambda seed: Wrong,
        "recipe of <lambda>: not measured: the model of seed 0: type is no torch.nn.Module: give the model itself, "
        "one that is made of the class Wrong",
    ),
    (
        "one class",
        lambda seed: nn.Linear(10, 1),
        "recipe of <lambda>: not measured: the model of seed 0: batch 0: the output is [100, 1] of torch.float32: "
        "class scores [batch, classes], floating point, of at least two classes are needed",
    ),
    (
        "a run that diverged",
        divergent,
        "recipe of divergent: not measured: the model of seed 1: batch 0: the scores of 100 of 100 samples are NaN or "
        "infinite; the output of layer 1 is not finite",
    ),
]


@pytest.mark.parametrize(("train", "message"), [row[1:] for row in UNMEASURED], ids=[row[0] for row in UNMEASURED])
def test_what_cannot_be_trained_or_judged_is_an_error(expect, train, message):
    expect(recipe, train, DATA, min=0, seeds=5, outcome="error", message=message)


def test_the_error_of_a_training_is_its_cause():
    with pytest.raises(ModelCheckError) as raised:
        assert_recipe(raising, DATA, min=0.9, seeds=5)
    assert isinstance(raised.value.__cause__, FileNotFoundError)


def test_a_training_that_is_interrupted_is_no_verdict():
    def interrupted(seed):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recipe(interrupted, DATA, min=0.9)


FEWEST = "1 for the one seed of the run, or at least 5: fewer decide nothing"


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        *(({"min": 0.9, "seeds": seeds}, f"seeds={seeds!r}: {FEWEST}") for seeds in (2, 3, 4, 0, -1, True, 5.0, "5")),
        ({"seeds": 5}, "recipe needs the promise 'min'; its promises are min, seeds, step, stage"),
        ({"min": 98}, "min=98: a number from 0 to 1 is expected"),
        ({"min": float("nan")}, "min=nan: a number from 0 to 1 is expected"),
        (
            {"min": 0.9, "seed": 5},
            "recipe has no promise 'seed' (did you mean 'seeds'?); its promises are min, seeds, step, stage",
        ),
        ({"min": 0.9, "stage": "fit"}, "stage='fit': one of test, validate is expected"),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    train = Recipe(0)
    with pytest.raises(ConfigError) as raised:
        assert_recipe(train, DATA, **promises)
    assert (str(raised.value), train.seeds) == (message, [])


def test_a_step_of_the_users_own_judges_each_model():
    result = recipe(Recipe(0), DATA, min=0.9, step=lambda model, batch: (-model(batch[0]), batch[1]))
    assert result.measured == "0 of 1 seeds: 0.0000"


def test_training_leaves_the_world_as_it_was():
    def train(seed):
        torch.manual_seed(seed)
        random.seed(seed)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return Wrong(0)

    before = torch.get_rng_state(), random.getstate()
    result = recipe(train, DATA, min=0.9, seeds=5)
    assert result.ok
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert (torch.get_default_dtype(), torch.is_grad_enabled()) == (torch.float32, True)
    assert "the default dtype was changed from torch.float32 to torch.float64" in result.changes


def clouds(size, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (size,), generator=generator)
    return 3 * torch.eye(3)[labels] + torch.randn(size, 3, generator=generator), labels


def trained(seed, steps=60):
    torch.manual_seed(seed)
    model = nn.Linear(3, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    points, labels = clouds(600, seed=1)
    for _ in range(steps):
        rows = torch.randint(0, 600, (64,))
        optimizer.zero_grad()
        cross_entropy(model(points[rows]), labels[rows]).backward()
        optimizer.step()
    return model


def test_a_real_recipe_is_trained_and_judged():
    data = clouds(1_000, seed=2)
    first = recipe(trained, data, min=0.93, seeds=8)
    assert (first.outcome, len(first.evidence["values"])) == ("passed", 5)
    assert len(set(first.evidence["values"])) > 1
    by_hand = [int((trained(seed)(data[0]).argmax(1) == data[1]).sum()) for seed in range(5)]
    assert first.evidence["correct"] == by_hand
    assert recipe(trained, data, min=0.93, seeds=8).evidence == first.evidence


def test_a_recipe_that_hardly_trains_is_found_out():
    result = recipe(lambda seed: trained(seed, steps=1), clouds(1_000, seed=2), min=0.93, seeds=8)
    assert result.outcome == "failed"
    assert max(result.evidence["values"]) < 0.93


GATES = """
import pytest
import torch

@pytest.fixture
def train():
    def run(seed):
        torch.manual_seed(seed)
        SEEDS.append(seed)
        return torch.nn.Identity() if seed != 8 else torch.nn.Softmin(dim=1)
    return run

@pytest.fixture
def data():
    return torch.eye(4), torch.arange(4)

SEEDS = []

@pytest.mark.modelcheck_recipe(min=0.9)
def test_one():
    assert SEEDS.pop() == 7

@pytest.mark.modelcheck_recipe(min=0.9, seeds=5)
def test_some(): ...

@pytest.mark.modelcheck_recipe(min=0.9, seeds=10, train="train")
def test_more(): ...
"""


def test_markers_gate_recipes(pytester, run_gates, processes):
    pytester.makepyfile(test_it=GATES)
    result, rows = run_gates(processes, "--modelcheck-seed=7")
    result.assert_outcomes(passed=2, failed=1)
    found = sorted((row["gate"].partition("::")[2], row["outcome"], row["measured"]) for row in rows)
    ones = ", ".join(["1.0000"] * 8)
    assert found == [
        ("test_more", "passed", f"9 of 10 seeds: 1.0000, 0.0000, {ones}"),
        ("test_one", "passed", "1 of 1 seeds: 1.0000"),
        ("test_some", "failed", "4 of 5 seeds: 1.0000, 0.0000, 1.0000, 1.0000, 1.0000"),
    ]
    assert all(row["evidence"]["first_seed"] == 7 for row in rows)
    result.stdout.fnmatch_lines(["*undecided after 5 seeds, of which 4 reached 0.9: more seeds= would decide it."])


def test_too_few_seeds_are_an_error_at_collection(pytester, processes):
    pytester.makepyfile("import pytest\n@pytest.mark.modelcheck_recipe(min=0.9, seeds=3)\ndef test_it(): ...\n")
    result = pytester.runpytest_inprocess("--modelcheck", processes)
    assert result.ret != 0
    result.stdout.fnmatch_lines([f"*test_it*seeds=3: {FEWEST}*"])


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(recipe) == 4
