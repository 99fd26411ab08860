"""Shapes without a promise of their own are those that were recorded and reviewed."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from pytest_modelcheck import ConfigError, assert_shape
from tests.baselines_by_hand import rewrite

CONFTEST = """
import pytest
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, {width})
        self.twice = nn.ReLU()
        self.head = nn.Linear({width}, {classes})

    def forward(self, x, mask=None):
        hidden = self.twice(self.twice(self.body(x)))
        return {outputs}

@pytest.fixture
def model():
    return Net().to(torch.{dtype})

@pytest.fixture
def inputs():
    return torch.zeros(2, 4, dtype=torch.{dtype})
"""
NET = {"width": 8, "classes": 3, "outputs": "{'logits': self.head(hidden), 'hidden': hidden}", "dtype": "float32"}

GATES = """
import pytest

@pytest.mark.modelcheck_shape
def test_net(): ...

@pytest.mark.modelcheck_shape(layer="*")
def test_layers(): ...
"""


@pytest.fixture
def net(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_it=GATES)
    pytester.makeconftest(CONFTEST.format(**NET))
    return pytester


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", *options)


def test_they_are_recorded_and_kept_from_then_on(net: pytest.Pytester, processes: str):
    run(net, processes).assert_outcomes(failed=2)
    run(net, processes, "--modelcheck-update").assert_outcomes(passed=2)
    recorded = json.loads((net.path / "__modelcheck__" / "test_it.json").read_text())["baselines"]
    assert recorded == {
        "test_net shape": {
            "tensors": [
                ["input x", [2, 4], "float32"],
                ["output logits", [2, 3], "float32"],
                ["output hidden", [2, 8], "float32"],
            ]
        },
        "test_layers shape": {
            "tensors": [
                ["layer body", [2, 8], "float32"],
                ["layer twice", [2, 8], "float32"],
                ["layer twice call 2", [2, 8], "float32"],
                ["layer head", [2, 3], "float32"],
            ]
        },
    }
    run(net, processes).assert_outcomes(passed=2)


CHANGED = {
    "a class more": (
        {"classes": 4},
        ["1 of 3 tensors are not as they were recorded.", "  ~ output logits: [2, 3] float32 -> [2, 4] float32"],
    ),
    "an output fewer": (
        {"outputs": "{'logits': self.head(hidden)}"},
        ["1 of 3 tensors are not as they were recorded.", "  - output hidden: [2, 8] float32"],
    ),
    "an output more": (
        {"outputs": "{'logits': self.head(hidden), 'hidden': hidden, 'x': x}"},
        ["1 of 4 tensors are not as they were recorded.", "  + output x: [2, 4] float32"],
    ),
    "another dtype": (
        {"dtype": "float64"},
        [
            "3 of 3 tensors are not as they were recorded.",
            "  ~ input x: [2, 4] float32 -> [2, 4] float64",
            "  ~ output logits: [2, 3] float32 -> [2, 3] float64",
            "  ~ output hidden: [2, 8] float32 -> [2, 8] float64",
        ],
    ),
}


@pytest.mark.parametrize(("changes", "lines"), CHANGED.values(), ids=CHANGED)
def test_any_tensor_that_changed_is_told(net: pytest.Pytester, changes: dict[str, object], lines: list[str]):
    run(net, "--modelcheck-update")
    net.makeconftest(CONFTEST.format(**{**NET, **changes}))
    result = run(net, "-k", "test_net")
    result.assert_outcomes(failed=1, deselected=1)
    start = result.outlines.index(f"E   shape of Net: {lines[0]}")
    told = [
        f"E   {line}"
        for line in [*lines[1:], "If the change is meant, pytest --modelcheck --modelcheck-update=all records it."]
    ]
    assert result.outlines[start + 1 : start + 1 + len(told)] == told
    run(net, "--modelcheck-update=all").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "content", [{}, {"tensors": []}, {"tensors": 3}, {"tensors": [["x"]]}, {"tensors": [["x", "ab", "float32"]]}]
)
def test_a_baseline_that_tells_nothing_is_refused(net: pytest.Pytester, content: dict[str, object]):
    run(net, "--modelcheck-update")
    path = net.path / "__modelcheck__" / "test_it.json"
    rewrite(path, lambda baselines: baselines.update({"test_net shape": content}))
    result = run(net, "-k", "test_net")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(["E   shape of Net: not measured: the baseline *records it anew"])


def test_outside_of_a_gate_there_is_nothing_to_compare_with():
    message = "^shape has a baseline under pytest --modelcheck only: give the promise itself$"
    with pytest.raises(ConfigError, match=message):
        assert_shape(nn.Linear(4, 3), torch.zeros(2, 4))


@pytest.mark.parametrize("promise", [{"dtype": "float32"}, {"finite": True}, {"range": (0, 1)}, {"device": "cpu"}])
def test_what_goes_beside_a_shape_needs_one(promise: dict[str, object]):
    with pytest.raises(ConfigError, match=f"^{next(iter(promise))} is promised beside expected: give both$"):
        assert_shape(nn.Linear(4, 3), torch.zeros(2, 4), **promise)


def test_tensors_of_one_name_are_told_apart(net: pytest.Pytester):
    outputs = "{{'a.b': self.head(hidden), 'a': {{'b': hidden}}}}"
    net.makeconftest(CONFTEST.replace("{outputs}", outputs).format(**NET))
    run(net, "--modelcheck-update", "-k", "test_net")
    net.makeconftest(CONFTEST.replace("{outputs}", outputs).format(**{**NET, "classes": 9}))
    result = run(net, "-k", "test_net")
    result.assert_outcomes(failed=1, deselected=1)
    assert "E     ~ output a.b: [2, 3] float32 -> [2, 9] float32" in result.outlines
