"""The ways in which a classifier is judged: by a step of one's own, in a stage, a precision, with a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

import datasets
import pytest
import torch
from pytorch_lightning import LightningDataModule
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from pytest_modelcheck import ConfigError, assert_accuracy
from pytest_modelcheck.checks.accuracy import accuracy
from pytest_modelcheck.context import Context

# The identity is right for 3 of these 4.
SCORES, LABELS = torch.eye(4), torch.tensor([0, 1, 2, 0])
DATA = (SCORES, LABELS)


class Rows(Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


# Batches that hold their labels where nobody would look for them.
NESTED = Rows([{"x": {"left": x / 2, "right": x / 2}, "truth": int(y)} for x, y in zip(SCORES, LABELS, strict=True)])
TRIPLES = TensorDataset(SCORES, torch.zeros(4), LABELS)


def nested(model, batch):
    return model(batch["x"]["left"] + batch["x"]["right"]), batch["truth"]


STEPS = {
    "mapping": (NESTED, nested),
    "triple": (TRIPLES, lambda model, batch: (model(batch[0]), batch[2])),
    "list": (TRIPLES, lambda model, batch: [model(batch[0]), batch[2]]),
    "masked scores": (
        TRIPLES,
        lambda model, batch: (model(batch[0]).masked_fill(batch[0] == 0, float("-inf")), batch[2]),
    ),
    "several loaders' batches": (DataLoader(NESTED, batch_size=3), nested),
}


@pytest.mark.parametrize(("data", "step"), STEPS.values(), ids=STEPS)
def test_a_step_tells_outputs_and_targets_of_any_batch(data, step):
    result = accuracy(nn.Identity(), data, min=0.75, step=step)
    assert (result.outcome, result.measured) == ("passed", "0.7500 (3 of 4)")
    assert not accuracy(nn.Identity(), data, min=0.76, step=step).ok


def test_a_step_runs_the_model_as_it_is_evaluated():
    seen = []

    def step(model, batch):
        seen.append((model.training, torch.is_grad_enabled(), type(batch)))
        return model(batch[0]), batch[2]

    model = nn.Dropout(0.9).train()
    assert accuracy(model, TRIPLES, min=0.75, step=step).ok
    assert (seen, model.training) == ([(False, False, list)], True)


WRONG_STEPS = [
    (
        "raises",
        lambda model, batch: batch["scores"],
        "step raised TypeError: list indices must be integers or slices, not str",
    ),
    ("nothing", lambda model, batch: None, "step gave NoneType: a pair (outputs, targets) is needed"),
    ("scores alone", lambda model, batch: model(batch[0]), "step gave Tensor: a pair (outputs, targets) is needed"),
    (
        "three",
        lambda model, batch: (batch[0], batch[0], batch[2]),
        "step gave tuple: a pair (outputs, targets) is needed",
    ),
    (
        "no size",
        lambda model, batch: (batch[0], batch[2].sum()),
        "the targets are a Tensor: one for each sample of the batch is needed",
    ),
    (
        "no targets",
        lambda model, batch: (batch[0], None),
        "the targets are a NoneType: one for each sample of the batch is needed",
    ),
    (
        "listed targets",
        lambda model, batch: (batch[0], batch[2].tolist()),
        "the targets are a list: a tensor of class indices is needed",
    ),
    (
        "no scores",
        lambda model, batch: ({"loss": 1.0}, batch[2]),
        "the output is a dict: class scores [batch, classes] are needed",
    ),
    (
        "classes",
        lambda model, batch: (batch[0].argmax(1), batch[2]),
        "the output is [4] of torch.int64: class scores [batch, classes], floating point, of at least two classes are "
        "needed",
    ),
    (
        "fewer scores",
        lambda model, batch: (batch[0][:3], batch[2]),
        "the targets are [4] of torch.int64: integer class indices [3] are needed",
    ),
    ("nan", lambda model, batch: (batch[0] * float("nan"), batch[2]), "the scores of 4 of 4 samples are NaN"),
    (
        "another class",
        lambda model, batch: (batch[0], batch[2] + 2),
        "target 4 is no class: the model scores classes 0 to 3",
    ),
]


@pytest.mark.parametrize(("step", "why"), [row[1:] for row in WRONG_STEPS], ids=[row[0] for row in WRONG_STEPS])
def test_a_step_that_gives_something_else_is_an_error(expect, step, why):
    message = f"accuracy of Identity: not measured: batch 0: {why}"
    expect(accuracy, nn.Identity(), TRIPLES, min=0, step=step, outcome="error", message=message)


@pytest.mark.parametrize("early_stop", [None, 0.1])
def test_a_step_is_read_in_random_order_as_well(early_stop):
    labels = torch.arange(1_000) % 4
    data = TensorDataset(torch.eye(4)[labels], torch.zeros(1_000), labels)
    result = accuracy(nn.Identity(), data, min=0.5, step=STEPS["triple"][1], early_stop=early_stop)
    assert (result.ok, result.evidence["complete"]) == (True, early_stop is None)


@dataclass
class Example:
    pixels: torch.Tensor
    labels: torch.Tensor


class Pixels(nn.Module):
    def forward(self, pixels):
        return pixels


def examples(rows):
    pixels, labels = zip(*rows, strict=True)
    return Example(torch.stack(pixels), torch.stack(labels))


def test_a_batch_may_be_a_dataclass():
    loader = DataLoader(TensorDataset(*DATA), batch_size=3, collate_fn=examples)
    assert accuracy(Pixels(), loader, min=0.75).measured == "0.7500 (3 of 4)"
    result = accuracy(nn.Identity(), loader, min=0.75, step=lambda model, batch: (model(batch.pixels), batch.labels))
    assert result.measured == "0.7500 (3 of 4)"


class Splits(LightningDataModule):
    """Its test split has one sample wrong, its validation split two."""

    def setup(self, stage):
        self.stages = [*getattr(self, "stages", []), stage]

    def test_dataloader(self):
        return DataLoader(TensorDataset(SCORES, LABELS), batch_size=3)

    def val_dataloader(self):
        return DataLoader(Rows(list(zip(SCORES, [0, 1, 0, 0], strict=True))), batch_size=3)


def test_the_stage_chooses_the_loader_of_a_data_module():
    data, model = Splits(), nn.Identity()
    with Context().active():
        measured = [assert_accuracy(model, data, min=0.5, stage=stage).measured for stage in ("test", "validate") * 2]
        assert assert_accuracy(model, data, min=0.5).measured == "0.7500 (3 of 4)"
    assert measured == ["0.7500 (3 of 4)", "0.5000 (2 of 4)"] * 2
    assert data.stages == ["test", "validate", "test", "validate", "test"]


def test_a_data_module_without_the_stage_is_an_error(expect):
    class Broken(Splits):
        def val_dataloader(self):
            raise FileNotFoundError("val.bin")

    expect(
        accuracy,
        nn.Identity(),
        Broken(),
        min=0.5,
        stage="validate",
        outcome="error",
        message="accuracy of Identity: not measured: Broken gave no validate data: FileNotFoundError: val.bin",
    )


def test_data_sets_of_hugging_face_are_data():
    rows = datasets.Dataset.from_dict({"pixels": SCORES.tolist(), "label": LABELS.tolist()})
    model = Pixels()
    torch_rows = rows.with_format("torch")
    for data in (torch_rows, DataLoader(torch_rows, batch_size=3), torch_rows.select(range(4))):
        result = accuracy(model, data, min=0.75)
        assert (result.message, result.measured) == ("", "0.7500 (3 of 4)")
    assert accuracy(model, torch_rows, min=0.7, early_stop=0.1).ok
    with Context().active():
        assert_accuracy(model, torch_rows, min=0.75)
        assert assert_accuracy(model, torch_rows, min=0.5, slices={"wrong": [2, 3]}).evidence["seen"] == 4


def test_streams_of_hugging_face_are_data():
    rows = datasets.Dataset.from_dict({"pixels": SCORES.tolist(), "label": LABELS.tolist()})
    stream = rows.to_iterable_dataset().with_format("torch")
    assert accuracy(Pixels(), DataLoader(stream, batch_size=3), min=0.75).measured == "0.7500 (3 of 4)"


def test_a_dictionary_of_splits_is_no_data(expect):
    splits = datasets.DatasetDict({"test": datasets.Dataset.from_dict({"pixels": [[1.0, 0.0]], "label": [0]})})
    expect(
        accuracy,
        Pixels(),
        splits,
        min=0.5,
        outcome="error",
        message="accuracy of Pixels: not measured: DatasetDict is no data: give a DataLoader, a Dataset, a "
        "LightningDataModule or a pair of tensors",
    )


class Watching(nn.Module):
    """It notes the dtypes that it computes in."""

    def __init__(self, seen):
        super().__init__()
        self.layer = nn.Linear(4, 4, bias=False)
        nn.init.eye_(self.layer.weight)
        self.note = seen.append  # a method is no state of the model's own

    def forward(self, inputs):
        scores = self.layer(inputs)
        self.note((str(self.layer.weight.dtype)[6:], str(inputs.dtype)[6:], str(scores.dtype)[6:]))
        return scores


PRECISIONS = {
    "": ("float32", "float32", "float32"),
    "32": ("float32", "float32", "float32"),
    "32-true": ("float32", "float32", "float32"),
    "bf16": ("float32", "float32", "bfloat16"),
    "bf16-mixed": ("float32", "float32", "bfloat16"),
    "bf16-true": ("bfloat16", "bfloat16", "bfloat16"),
    "16-true": ("float16", "float16", "float16"),
    "64": ("float64", "float64", "float64"),
    "64-true": ("float64", "float64", "float64"),
}


@pytest.mark.parametrize("step", [None, lambda model, batch: (model(batch[0]), batch[1])], ids=["plain", "step"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_model_is_evaluated_in_a_precision(precision, step):
    seen = []
    model = Watching(seen)
    result = accuracy(model, DATA, min=0.75, precision=precision, step=step)
    assert (result.message, result.changes) == ("", ())
    assert set(seen) == {PRECISIONS[precision]}
    assert model.layer.weight.dtype == torch.float32
    assert torch.get_default_dtype() == torch.float32


def test_the_precision_of_an_accuracy_decides_it():
    # 1 and 1.001 are the same in 8 bits of precision, and then the first class is taken.
    data = (torch.tensor([[1.0, 1.001]]), torch.tensor([1]))
    outcomes = {name: accuracy(nn.Identity(), data, min=1, precision=name).ok for name in PRECISIONS}
    assert [name for name, is_right in outcomes.items() if not is_right] == ["bf16-true"]


def test_half_precision_in_part_needs_a_gpu(expect):
    for precision in ("16", "16-mixed"):
        expect(
            accuracy,
            nn.Identity(),
            DATA,
            min=0.5,
            precision=precision,
            outcome="error",
            message="accuracy of Identity: not measured: precision 16-mixed needs a GPU: take bf16-mixed on the CPU",
        )


NAMES = "32-true, 64-true, 16-true, bf16-true, 16-mixed, bf16-mixed"


@pytest.mark.parametrize(
    ("promises", "message"),
    [
        ({"precision": "fp16"}, f"precision='fp16': one of {NAMES} is expected"),
        ({"precision": "bf16-half"}, f"precision='bf16-half': one of {NAMES} is expected"),
        ({"precision": 16}, "precision=16: one of Lightning's names of precisions is expected"),
        ({"stage": "fit"}, "stage='fit': one of test, validate is expected"),
        ({"step": "forward"}, "step='forward': a function of the model and a batch is expected"),
        ({"checkpoint": ""}, "checkpoint='': the path of a checkpoint is expected"),
        ({"checkpoint": 3}, "checkpoint=3: the path of a checkpoint is expected"),
    ],
)
def test_a_way_that_there_is_not_is_a_config_error(promises, message):
    with pytest.raises(ConfigError) as raised:
        assert_accuracy(nn.Identity(), DATA, min=0.5, **promises)
    assert str(raised.value) == message


@pytest.fixture
def saved(tmp_path):
    """A state dict that makes a linear layer the identity."""
    torch.save({"weight": torch.eye(4), "bias": torch.zeros(4)}, tmp_path / "best.pt")
    return tmp_path / "best.pt"


def blank():
    model = nn.Linear(4, 4)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    return model


def test_the_weights_of_a_checkpoint_are_evaluated_and_the_model_is_untouched(saved):
    model = blank()
    for path in (saved, str(saved)):
        result = accuracy(model, DATA, min=0.75, checkpoint=path)
        assert (result.outcome, result.changes) == ("passed", ())
        assert result.measured == "0.7500 (3 of 4), best.pt: 20 of 20 weights loaded"
    assert not model.weight.any()
    assert accuracy(model, DATA, min=0).measured == "0.5000 (2 of 4)"


def test_a_checkpoint_that_is_too_bad_is_named(saved):
    torch.save({"weight": -torch.eye(4), "bias": torch.zeros(4)}, saved)
    result = accuracy(blank(), DATA, min=0.75, checkpoint=saved)
    assert (result.outcome, result.measured) == ("failed", "0.2500 (1 of 4), best.pt: 20 of 20 weights loaded")


def test_a_checkpoint_is_found_from_the_folder_of_the_run(saved, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with Context(folder=saved.parent).active():
        assert assert_accuracy(blank(), DATA, min=0.75, checkpoint="best.pt").ok
    result = accuracy(blank(), DATA, min=0.75, checkpoint="best.pt")
    assert (result.outcome, result.message) == (
        "error",
        "accuracy of Linear: not measured: there is no file best.pt: give the path of a checkpoint",
    )


def test_weights_that_are_missing_from_a_checkpoint_are_an_error(saved):
    torch.save({"weight": torch.eye(4)}, saved)
    result = accuracy(blank(), DATA, min=0.75, checkpoint=saved)
    assert (result.outcome, result.message) == (
        "error",
        f"accuracy of Linear: not measured: {saved} does not fit Linear: give the model that was saved\n"
        "  missing from the file: bias [4]",
    )


def test_gates_on_one_checkpoint_share_a_pass_until_the_file_changes(saved):
    calls = []
    model = blank()
    model.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))
    with Context().active():
        assert_accuracy(model, DATA, min=0.75, checkpoint=saved)
        number = len(calls)
        assert_accuracy(model, DATA, min=0.6, average="macro", checkpoint=saved)
        assert len(calls) == number + 1  # the first samples are looked at again
        torch.save({"weight": -torch.eye(4), "bias": torch.zeros(4)}, saved)
        assert accuracy(model, DATA, min=0, checkpoint=saved).measured.startswith("0.2500 (1 of 4)")
        assert accuracy(model, DATA, min=0).measured == "0.5000 (2 of 4)"
