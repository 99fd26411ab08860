"""The promise of a pass's operations."""

from __future__ import annotations

import pytest
import torch
import torch.utils.flop_counter
from torch import nn
from torchvision.models import resnet50

import pytest_modelcheck.models.meta  # noqa: F401  (a session inside of a test forgets what it loads itself)
from pytest_modelcheck import ConfigError, ModelCheckFailure, assert_flops
from pytest_modelcheck.checks.summary import flops


class Product(nn.Module):
    """A product of two matrices, the first of which is not empty."""

    def forward(self, one, other):
        if not one.numel():
            raise ValueError("no rows")
        return one @ other


def net():
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


KEPT = {
    "linear": (lambda: nn.Linear(4, 3), [2, 4], {"total": 48, "max": 48}),
    "convolution": (lambda: nn.Conv2d(1, 32, 3), [2, 1, 28, 28], {"total": 2 * 2 * 26 * 26 * 32 * 9}),
    "bias and activations are free": (net, [5, 4], {"total": 2 * 5 * (12 + 6)}),
    "a tensor": (net, torch.zeros(1, 4), {"total": 36}),
    "a tuple": (Product, (torch.zeros(5, 2), torch.zeros(2, 3)), {"total": 2 * 5 * 2 * 3}),
    "keywords": (lambda: nn.Linear(4, 3), {"input": ([2, 4], "float32")}, {"total": 48}),
    "a factory": (lambda: lambda: nn.Linear(10**6, 10**6), [1, 10**6], {"total": 2 * 10**12}),
    "resnet 50 on meta": (lambda: resnet50, [1, 3, 224, 224], {"total": 8_178_368_512}),
    "data parallel": (lambda: nn.DataParallel(net()), [1, 4], {"total": 36}),
}


@pytest.mark.parametrize(("make", "inputs", "promises"), KEPT.values(), ids=KEPT)
def test_a_pass_of_the_promised_operations(make, inputs, promises):
    result = assert_flops(make(), inputs, **promises)
    assert result.message == ""
    assert result.evidence["flops"] <= promises.get("max", promises.get("total"))
    assert result.changes == ()


def encoder():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2)


# Of each layer: three projections in one, scores and their values of two heads, the projection out, two linear layers.
ENCODER = 2 * 2 * (10 * 16 * 48 + 2 * (2 * 2 * 5 * 5 * 8) + 10 * 16 * 16 + 2 * 10 * 16 * 32)
FUSED = {
    "lstm": (lambda: nn.LSTM(4, 8), [5, 2, 4], 2 * 5 * 2 * (4 * 32 + 8 * 32)),
    "gru": (lambda: nn.GRU(4, 8), [5, 2, 4], 2 * 5 * 2 * (4 * 24 + 8 * 24)),
    "rnn": (lambda: nn.RNN(4, 8), [5, 2, 4], 2 * 5 * 2 * (4 * 8 + 8 * 8)),
    "transformer encoder": (encoder, [2, 5, 16], ENCODER),
}


@pytest.mark.parametrize(("make", "inputs", "total"), FUSED.values(), ids=FUSED)
@pytest.mark.parametrize("is_built", [False, True], ids=["in memory", "factory"])
def test_operations_that_torch_fuses_are_counted_too(make, inputs, total, is_built):
    result = flops(make if is_built else make(), inputs, total=total)
    assert result.message == ""
    assert result.evidence["flops"] == total


def test_what_was_promised_and_measured():
    result = assert_flops(nn.Linear(4, 3), [2, 4], total=48, max=60)
    assert (result.promised, result.measured) == ("48 FLOPs, at most 60 FLOPs", "48 FLOPs at a batch of 2")
    assert (result.margin, result.evidence, result.device) == (0.2, {"flops": 48, "batch": 2}, "cpu")
    built = assert_flops(lambda: nn.Linear(4, 3), [2, 4], total=48)
    assert built.measured == "48 FLOPs at a batch of 2 (inside of a factory, built on the meta device)"
    assert (built.margin, built.device) == (None, "meta")


BROKEN = {
    "too many": (
        net,
        [1, 4],
        {"total": 30, "max": 35},
        """
        flops of Sequential: one pass takes 36 FLOPs at a batch of 1, promised 30 (6 more).
        one pass takes 36 FLOPs at a batch of 1, promised at most 35 (1 more).
          0: 24 (66.7%)
          2: 12 (33.3%)
        """,
    ),
    "too few": (
        lambda: nn.Linear(1000, 1000),
        [1, 1000],
        {"total": 2_000_001},
        "flops of Linear: one pass takes 2,000,000 FLOPs at a batch of 1, promised 2,000,001 (1 fewer).",
    ),
    "five of the heaviest": (
        lambda: nn.Sequential(*(nn.Linear(4, 4) for _ in range(6)), nn.Linear(4, 40)),
        [1, 4],
        {"max": 0},
        """
        flops of Sequential: one pass takes 512 FLOPs at a batch of 1, promised at most 0 (512 more).
          6: 320 (62.5%)
          0: 32 (6.2%)
          1: 32 (6.2%)
          2: 32 (6.2%)
          3: 32 (6.2%)
        """,
    ),
    "a batch that is larger": (
        lambda: lambda: nn.Linear(4, 3),
        [4, 4],
        {"total": 48},
        "flops of Linear: one pass takes 96 FLOPs at a batch of 4, promised 48 (48 more).",
    ),
}


@pytest.mark.parametrize(("make", "inputs", "promises", "message"), BROKEN.values(), ids=BROKEN)
def test_a_pass_of_other_operations_fails(expect, make, inputs, promises, message):
    expect(flops, make(), inputs, outcome="failed", message=message, **promises)


NONE = "the pass had no operation that is counted: matrix products, convolutions or attention"
UNMEASURED = {
    "no operations": (nn.ReLU(), [2, 4], {"total": 0}, f"flops of ReLU: not measured: {NONE}"),
    "no operations under a budget": (nn.ReLU(), [2, 4], {"max": 10}, f"flops of ReLU: not measured: {NONE}"),
    "no model": (
        5,
        [2, 4],
        {"max": 10},
        "flops of int: not measured: int is no torch.nn.Module: give the model itself, or a function without arguments "
        "that builds it",
    ),
    "lazy": (
        nn.LazyLinear(3),
        [2, 4],
        {"max": 10},
        "flops of LazyLinear: not measured: weight, bias have no size before the first forward pass: run the model "
        "once, then check it",
    ),
    "a forward that raises": (
        Product(),
        {"one": [0, 2], "other": [2, 3]},
        {"max": 10},
        """
        flops of Product: not measured: forward raised ValueError: no rows
          inputs: one [0, 2], other [2, 3]
        """,
    ),
}


@pytest.mark.parametrize(("model", "inputs", "promises", "message"), UNMEASURED.values(), ids=UNMEASURED)
def test_what_cannot_be_counted_is_an_error(expect, model, inputs, promises, message):
    expect(flops, model, inputs, outcome="error", message=message, **promises)


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({}, "flops promises nothing: give at least one of total, max"),
        ({"total": 1.5}, "total=1.5: an integer of at least 0 is expected"),
        ({"max": -1}, "max=-1: an integer of at least 0 is expected"),
        ({"min": 1}, "flops has no promise 'min'; its promises are total, max"),
    ],
)
def test_a_promise_that_makes_no_sense_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_flops(nn.Linear(4, 3), [2, 4], **promises)
    assert str(raised.value).partition(" (did you mean")[0] == message.partition(" (did you mean")[0]


def test_inputs_of_an_unknown_dtype_are_a_config_error():
    with pytest.raises(ConfigError, match=r"^'float33' is no dtype of torch: "):
        assert_flops(nn.Linear(4, 3), {"input": ([2, 4], "float33")}, max=100)


def test_the_assert_form_raises_what_the_result_says():
    with pytest.raises(
        ModelCheckFailure, match=r"^flops of Linear: one pass takes 48 FLOPs at a batch of 2, promised 50"
    ):
        assert_flops(nn.Linear(4, 3), [2, 4], total=50)


def test_the_examples_in_the_docstring_are_true(examples):
    assert examples(flops) == 3


GATES = """
    import pytest
    from torch import nn

    @pytest.fixture
    def model():
        return nn.Linear(4, 3)

    @pytest.fixture
    def inputs():
        return [2, 4]

    @pytest.fixture
    def one_image():
        return [1, 4]

    @pytest.mark.modelcheck_flops(total=48)
    def test_total(): ...

    @pytest.mark.modelcheck_flops(max=24, inputs="one_image")
    def test_max(): ...

    @pytest.mark.modelcheck_flops(max=24)
    def test_broken(): ...
"""


def test_markers_ask_the_fixtures_model_and_inputs(pytester, run_gates, processes):
    pytester.makepyfile(test_it=GATES)
    result, rows = run_gates(processes, "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, failed=1)
    found = {row["gate"].partition("::")[2]: (row["outcome"], row["measured"], row["margin"]) for row in rows}
    assert found == {
        "test_total": ("passed", "48 FLOPs at a batch of 2", None),
        "test_max": ("passed", "24 FLOPs at a batch of 1", 0.0),
        "test_broken": ("failed", "48 FLOPs at a batch of 2", -1.0),
    }
