"""Whether an archive of torch holds all of what was read from it, which torch 2.6 does not look at."""

from __future__ import annotations

import pytest
import torch

from pytest_modelcheck.evaluation.archive import entries_of, whole

WEIGHTS = torch.zeros(5, 3)
SPARSE = torch.eye(3).to_sparse()

CONTENTS = {
    "one": {"weight": WEIGHTS},
    "tied": {"weight": WEIGHTS, "same": WEIGHTS, "part": WEIGHTS[1:], "turned": WEIGHTS.T},
    "nested": {"state_dict": {"weight": WEIGHTS}, "optimizers": [(WEIGHTS + 1, None)]},
    "none": {"epoch": 3},
    "empty": {"weight": torch.zeros(0, 3)},
    "sparse": {"weight": WEIGHTS, "mask": SPARSE},
    "without numbers": {"weight": WEIGHTS, "other": torch.zeros(100, device="meta")},
}


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_what_was_saved_is_whole(tmp_path, content):
    torch.save(content, tmp_path / "m.pt")
    loaded = torch.load(tmp_path / "m.pt", weights_only=True)
    assert whole(loaded, entries_of(tmp_path / "m.pt")) is loaded


def test_more_than_was_saved_is_not(tmp_path):
    torch.save({"weight": WEIGHTS}, tmp_path / "m.pt")
    entries = entries_of(tmp_path / "m.pt")
    assert whole({"weight": WEIGHTS + 1}, entries)
    for more in ({"weight": torch.zeros(4, 4)}, {"weight": WEIGHTS, "more": torch.zeros(1)}):
        with pytest.raises(ValueError, match="^its weights end too early$"):
            whole(more, entries)
