"""What a table's baseline says of a model that changed, and that none that was tampered with is believed."""

from __future__ import annotations

import json

import pytest
from torch import nn

from pytest_modelcheck import assert_summary
from pytest_modelcheck.checks.summary import summary
from pytest_modelcheck.context import Context

MEANT = "If the changes are meant, pytest --modelcheck --modelcheck-update=all records them."


def remembered(kept):
    """A context whose baseline is this."""
    return Context(recorded=lambda check, case, content: (kept, False))


class Block(nn.Module):
    def __init__(self, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x


def net(first=None, middle=None, last=None):
    return nn.Sequential(first or nn.Linear(4, 3), middle or nn.ReLU(), last or nn.Linear(3, 2))


CHANGES = {
    "removed": (
        lambda: net()[:2],
        [
            "total 23 -> 15 (8 fewer), trainable 23 -> 15 (8 fewer).",
            "~ the model: out_sizes [2, 2] -> [2, 3]; flops 72 -> 48 (24 fewer)",
            "- 2: Linear, 8 parameters, [2, 3] to [2, 2]",
        ],
    ),
    "added": (
        lambda: nn.Sequential(*net(), nn.Tanh()),
        ["total 23, trainable 23.", "+ 3: Tanh, 0 parameters, [2, 2] to [2, 2]"],
    ),
    "renamed": (
        lambda: Block(**{"0": nn.Linear(4, 3), "act": nn.ReLU(), "2": nn.Linear(3, 2)}),
        ["total 23, trainable 23.", "> 1 is now act (ReLU)"],
    ),
    "parameters": (
        lambda: net(nn.Linear(4, 3, bias=False)),
        ["total 23 -> 20 (3 fewer), trainable 23 -> 20 (3 fewer).", "~ 0: parameters 15 -> 12 (3 fewer)"],
    ),
    "type": (lambda: net(middle=nn.GELU()), ["total 23, trainable 23.", "~ 1: type ReLU -> GELU"]),
    "mode": (
        lambda: net().eval(),
        ["total 23, trainable 23.", *(f"~ {layer}: mode train -> eval" for layer in (0, 1, 2))],
    ),
    "sizes": (
        lambda: net(last=nn.Linear(3, 1)),
        [
            "total 23 -> 19 (4 fewer), trainable 23 -> 19 (4 fewer).",
            "~ the model: out_sizes [2, 2] -> [2, 1]; flops 72 -> 60 (12 fewer)",
            "~ 2: parameters 8 -> 4 (4 fewer); out_sizes [2, 2] -> [2, 1]; flops 24 -> 12 (12 fewer)",
        ],
    ),
    "moved": (
        lambda: Block(**{"1": nn.ReLU(), "0": nn.Linear(4, 3), "2": nn.Linear(3, 2)}),
        ["total 23, trainable 23.", "^ 1 is now first", "~ 1: in_sizes [2, 3] -> [2, 4]; out_sizes [2, 3] -> [2, 4]"],
    ),
    "frozen": (
        lambda: net(nn.Linear(4, 3).requires_grad_(False)),
        ["total 23, trainable 23 -> 8 (15 fewer).", "~ frozen: [] -> ['0']"],
    ),
    "many": (
        lambda: nn.Sequential(*net(), *(nn.ReLU() for _ in range(40))),
        [
            "total 23, trainable 23.",
            *(f"+ {layer}: ReLU, 0 parameters, [2, 2] to [2, 2]" for layer in range(3, 33)),
            "... and 10 more",
        ],
    ),
}


def recorded_of(model, **promises):
    """What a gate would record of a model."""
    kept = []
    with Context(recorded=lambda check, case, content: (kept.append(content) or content, True)).active():
        assert_summary(model, **promises)
    return json.loads(json.dumps(kept[0]))


@pytest.mark.parametrize(("make", "lines"), CHANGES.values(), ids=CHANGES)
def test_each_change_fails_in_words(make, lines):
    with remembered(recorded_of(net(), inputs=[2, 4])).active():
        result = summary(make(), inputs=[2, 4])
    totals, *changes = lines
    number = 40 if changes[-1].startswith("...") else len(changes)
    head = f"summary of {result.subject}: {number} change{'s' * (number != 1)} since the table was reviewed; {totals}"
    assert result.message.split("\n") == [head, *(f"  {line}" for line in changes), MEANT]
    assert result.outcome == "failed"


CORRUPT = {
    "a column is missing": lambda table: table["rows"][1].pop(),
    "a column too many": lambda table: table["rows"][1].append(0),
    "no list": lambda table: table["rows"].__setitem__(1, "1"),
    "no row": lambda table: table["rows"].__setitem__(0, None),
    "an empty row": lambda table: table["rows"].__setitem__(0, []),
    "rows are null": lambda table: table.update(rows=None),
    "rows are gone": lambda table: table.pop("rows"),
    "rows are text": lambda table: table.update(rows="Linear"),
    "a text": lambda table: table["rows"][0].__setitem__(2, "15"),
    "a null": lambda table: table["rows"][0].__setitem__(2, None),
    "a truth": lambda table: table["rows"][1].__setitem__(2, False),
    "a layer more, with a text": lambda table: table["rows"].append(["9", "Linear", "many", *table["rows"][0][3:]]),
    "a name that is none": lambda table: table["rows"][0].__setitem__(0, None),
    "a name that is a list": lambda table: table["rows"][0].__setitem__(0, ["0"]),
    "a row twice": lambda table: table["rows"].append(table["rows"][0]),
    "columns are null": lambda table: table.update(columns=None),
    "columns are gone": lambda table: table.pop("columns"),
    "total is a text": lambda table: table.update(total="23"),
    "total is gone": lambda table: table.pop("total"),
    "total is null": lambda table: table.update(total=None),
    "something more": lambda table: table.update(more=1),
    "nothing": lambda table: table.clear(),
}


@pytest.mark.parametrize("corrupt", CORRUPT.values(), ids=CORRUPT)
def test_a_corrupted_baseline_never_passes(corrupt):
    table = recorded_of(net(), inputs=[2, 4])
    corrupt(table)
    with remembered(table).active():
        result = summary(net(), inputs=[2, 4])
    assert result.outcome in ("failed", "error")
    assert "--modelcheck-update=all" in result.message
