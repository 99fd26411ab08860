"""What an accuracy gate says class by class, slice by slice, and sample by sample."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
    TensorDataset,
)

from pytest_modelcheck.checks.accuracy import accuracy
from pytest_modelcheck.context import Context


class Own(Dataset):
    """A data set of the user's own, with labels that are plain numbers."""

    def __init__(self, inputs, labels):
        self.inputs, self.labels = inputs, labels.tolist()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.inputs[index], self.labels[index]


class Stream(IterableDataset):
    def __init__(self, inputs, labels):
        self.rows = list(zip(inputs, labels, strict=True))

    def __iter__(self):
        return iter(self.rows)


MAP_STYLE = {
    "tensors": lambda inputs, labels: (inputs, labels),
    "loader": lambda inputs, labels: DataLoader(TensorDataset(inputs, labels), batch_size=32),
    "own": Own,
    "loader of own": lambda inputs, labels: DataLoader(Own(inputs, labels), batch_size=7),
}

# The identity is right for all of class 0, half of class 1 and 8 of 10 of class 2.
LABELS = torch.arange(30) % 3
PREDICTED = LABELS.clone()
PREDICTED[[1, 4, 7, 10, 13, 2, 5]] = torch.tensor([0, 0, 0, 0, 2, 0, 0])
UNEVEN = (torch.eye(3)[PREDICTED], LABELS)


def test_every_class_is_held_to_the_promise_the_worst_first(expect):
    result = expect(
        accuracy,
        nn.Identity(),
        UNEVEN,
        min=0.9,
        per_class=True,
        outcome="failed",
        message="""
        accuracy of Identity: 2 of 3 classes are right too rarely for 0.9.
          class 1: 5 of 10 (0.5000), and 9 are needed
          class 2: 8 of 10 (0.8000), and 9 are needed
          class 1 taken for 0: 4
          class 2 taken for 0: 2
          class 1 taken for 2: 1
          first wrong samples: 1, 2, 4, 5, 7 and 2 more
        """,
    )
    assert (result.promised, result.measured) == (
        "every class at least 0.9",
        "worst class 1: 0.5000 (5 of 10)",
    )
    assert result.margin == -0.4
    assert accuracy(nn.Identity(), UNEVEN, min=0.5, per_class=True).measured == "worst class 1: 0.5000 (5 of 10)"


def test_classes_have_the_names_that_their_data_set_gives_them():
    data = Own(*UNEVEN)
    data.classes = ["ant", "bee", "cat"]
    for given in (data, Subset(data, range(30)), DataLoader(data, batch_size=7)):
        result = accuracy(nn.Identity(), given, min=0.9, per_class=True)
        assert result.measured == "worst class 'bee': 0.5000 (5 of 10)"
        assert result.message.split("\n")[3] == "  class 'bee' taken for 'ant': 4"
        early = accuracy(nn.Identity(), given, min=0.99, early_stop=0.01)
        assert early.message.split("\n")[1].startswith(tuple(f"  recall of class {name!r}: " for name in data.classes))
    for names in (["ant", "bee"], ["ant", "bee", "bee"], [0, 1, 2]):
        data.classes = names
        assert accuracy(nn.Identity(), data, min=0.9, per_class=True).measured == "worst class 1: 0.5000 (5 of 10)"


SLICES = {"front": range(15), "back": list(range(15, 30)), "third": torch.arange(30) % 3 == 2, "one": np.array([3])}


def test_every_slice_is_held_to_the_promise_the_worst_first(expect):
    result = expect(
        accuracy,
        nn.Identity(),
        UNEVEN,
        min=0.9,
        slices=SLICES,
        outcome="failed",
        message="""
        accuracy of Identity: 23 of 30 samples are correct, and 27 are needed for 0.9 (4 too few).
        2 of 4 slices are right too rarely for 0.9.
          slice front: 8 of 15 (0.5333), and 14 are needed
          slice third: 8 of 10 (0.8000), and 9 are needed
          class 1 taken for 0: 4
          class 2 taken for 0: 2
          class 1 taken for 2: 1
          first wrong samples: 1, 2, 4, 5, 7 and 2 more
        """,
    )
    assert (result.promised, result.measured) == (
        "at least 0.9 (27 of 30); every slice at least 0.9",
        "0.7667 (23 of 30); worst slice front: 0.5333 (8 of 15)",
    )
    kept = accuracy(nn.Identity(), UNEVEN, min=0.5, slices={"front": [True] * 15 + [False] * 15}, per_class=True)
    assert (kept.ok, kept.promised) == (True, "every class at least 0.5; every slice at least 0.5")


class Bucketed(BatchSampler):
    """Long samples first."""

    def __iter__(self):
        return iter([list(range(15, 30)), list(range(15))])


UNORDERED = "slices are positions in the data, and the loader gives it in random order"
NO_SLICE = [
    ("empty class", (nn.functional.pad(UNEVEN[0], (0, 1)), LABELS), {"per_class": True}, "class 3 has no sample"),
    ("empty slice", None, {"slices": {"a": [1], "b": []}}, "slice b has no sample"),
    ("mask of nothing", None, {"slices": {"b": np.zeros(30, bool)}}, "slice b has no sample"),
    (
        "short mask",
        None,
        {"slices": {"b": [True, False]}},
        "slice 'b' says of 2 samples whether they are in it, of 30",
    ),
    ("behind the end", None, {"slices": {"b": [30]}}, "slice 'b' is no list of positions: 30 is none of 0 to 29"),
    ("negative", None, {"slices": {"b": [0, -1]}}, "slice 'b' is no list of positions: -1 is none of 0 to 29"),
    ("float", None, {"slices": {"b": [0.0]}}, "slice 'b' is no list of positions: 0.0 is none of 0 to 29"),
    ("mixed", None, {"slices": {"b": [0, True]}}, "slice 'b' is no list of positions: True is none of 0 to 29"),
    ("twice", None, {"slices": {"b": [2, 2]}}, "slice 'b' is no list of positions: a sample stands in it twice"),
    ("shuffled", DataLoader(TensorDataset(*UNEVEN), shuffle=True), {"slices": {"b": [2]}}, UNORDERED),
    (
        "bucketed",
        DataLoader(Own(*UNEVEN), batch_sampler=Bucketed(SequentialSampler(range(30)), 15, False)),
        {"slices": SLICES},
        UNORDERED,
    ),
    ("stream", Stream(*UNEVEN), {"slices": {"b": [2]}}, UNORDERED),
]


@pytest.mark.parametrize(("data", "promises", "why"), [row[1:] for row in NO_SLICE], ids=[row[0] for row in NO_SLICE])
def test_slices_that_cannot_be_judged_are_an_error(expect, data, promises, why):
    message = f"accuracy of Identity: not measured: {why}"
    expect(accuracy, nn.Identity(), data or UNEVEN, min=0.5, **promises, outcome="error", message=message)


def pictured(channels, size=(28, 20)):
    """Images whose class is told by their first pixel; sample 3 is wrong."""
    labels = torch.arange(40) % 2
    images = torch.rand(40, channels, *size, generator=torch.Generator().manual_seed(0)) * 0.5
    images[:, 0, 0, 0] = labels.float()
    labels[3] = 0
    return images, labels


class FirstPixel(nn.Module):
    def forward(self, images):
        return torch.stack([1 - images[:, 0, 0, 0], images[:, 0, 0, 0]], 1)


@pytest.mark.parametrize("kind", MAP_STYLE)
@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_wrong_images_are_shown_where_a_gate_fails(kind, channels, mode):
    data = MAP_STYLE[kind](*pictured(channels))
    with Context(full=True).active():
        evidence = accuracy(FirstPixel(), data, min=1).evidence
    assert {name: evidence[name] for name in ("recalls", "bounds", "confused")} == {
        "recalls": {"0": [20, 21], "1": [19, 19]},
        "bounds": {"0": [0.793275, 0.99756], "1": [0.854131, 1.0]},
        "confused": [[0, 1, 1]],
    }
    (wrong,) = evidence["wrong"]
    assert {name: wrong[name] for name in ("id", "target", "predicted")} == {"id": 3, "target": 0, "predicted": 1}
    head, _, encoded = wrong["picture"].partition(",")
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    assert (head, picture.format, picture.mode, picture.size) == ("data:image/png;base64", "PNG", mode, (20, 28))
    assert accuracy(FirstPixel(), data, min=0.9).evidence["wrong"] == []


def test_what_is_no_image_has_no_picture_and_eight_are_shown():
    evidence = accuracy(nn.Identity(), (torch.eye(2).repeat(10, 1), (torch.arange(20) + 1) % 2), min=1).evidence
    assert [(item["id"], item["picture"]) for item in evidence["wrong"]] == [(row, "") for row in range(8)]
