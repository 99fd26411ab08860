"""The sample project's training command: what it leaves, how it stops and goes on, and what it says of mistakes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.installed import before

pytest.importorskip("pytorch_lightning")

SAMPLE = Path(__file__).parents[1] / "sample_project"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(SAMPLE), os.environ.get("PYTHONPATH", "")]),
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture
def train(modelrepo, monkeypatch, tmp_path, capfd):
    """The command, in this process and in an empty folder; a fast run is two epochs of six batches, on few images."""
    import dataclasses

    import torch

    from modelrepo import train as command
    from modelrepo.vision import digits

    short = dataclasses.replace(digits.DIGITS, data=few_digits, fast_epochs=2, fast_batches=6)
    monkeypatch.setattr(digits, "DIGITS", short)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    monkeypatch.setenv("PL_SEED_WORKERS", "0")  # set by seeding, and taken back with this
    monkeypatch.chdir(tmp_path)
    deterministic = torch.are_deterministic_algorithms_enabled()

    def run(*arguments):
        capfd.readouterr()
        try:
            code = command.main([*map(str, arguments)])
        finally:
            torch.use_deterministic_algorithms(deterministic)
        told = capfd.readouterr()
        return code, told.out.splitlines(), told.err.splitlines()

    return run


def few_digits():
    from modelrepo.vision.part import MNISTPart

    return MNISTPart(6 * 64, batch_size=64)


def weights_in(folder):
    from safetensors.torch import load_file

    return load_file(folder / "digits.safetensors")


def equal(one, other):
    return one.keys() == other.keys() and all(bool((one[name] == other[name]).all()) for name in one)


def test_a_run_leaves_its_folder_and_says_how_to_go_on(train, tmp_path):
    from safetensors import safe_open

    code, out, err = train("digits", "--fast")
    folder = tmp_path / "runs" / "digits"
    assert code == 0
    assert (
        out[0]
        == "digits learns to read handwritten digits (MNIST): 2 epochs of 6 batches from seed 7, into runs/digits"
    )
    assert out[1].startswith("test accuracy: 0.")
    released, tests = (
        os.path.relpath(SAMPLE / name) for name in ("checkpoints/digits.safetensors", "tests/test_vision.py")
    )
    assert out[2:] == [
        "weights: runs/digits/digits.safetensors",
        "curve: runs/digits/curve.svg, numbers: runs/digits/metrics.csv, checkpoints: best.ckpt, last.ckpt",
        f"release and gate it: cp runs/digits/digits.safetensors {released} && pytest --modelcheck {tests}",
    ]
    assert [line.partition(": loss 2.")[0] for line in err if line.startswith("epoch")] == ["epoch 1/2", "epoch 2/2"]
    names = ["best.ckpt", "curve.svg", "digits.safetensors", "last.ckpt", "metrics.csv"]
    assert sorted(path.name for path in folder.iterdir()) == names
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == [str(step) for step in range(1, 13)]
    assert [row["epoch"] for row in rows if row["val_acc"]] == ["1.0", "2.0"]
    assert all(0 < float(row["train_loss"]) < 5 for row in rows)
    drawn = ET.parse(folder / "curve.svg").getroot()  # noqa: S314
    lines = [item for item in drawn.iter() if item.tag.endswith("polyline")]
    assert [len(line.get("points").split()) for line in lines] == [12, 2]
    with safe_open(folder / "digits.safetensors", "pt") as file:
        told = file.metadata()
    assert {name: told[name] for name in ("recipe", "seed", "epochs", "batches")} == {
        "recipe": "digits",
        "seed": "7",
        "epochs": "2",
        "batches": "6",
    }
    import torch

    assert told["torch"] == torch.__version__


def test_a_run_gives_the_weights_that_lightning_alone_gives_and_the_same_file_again(train, tmp_path):
    import torch
    from pytorch_lightning import Trainer, seed_everything

    from modelrepo.running import quiet
    from modelrepo.vision.classifier import DigitClassifier

    train("digits", "--fast", "--epochs", 1, "--output", "one")
    train("digits", "--fast", "--epochs", 1, "--output", "two")
    assert Path("one/digits.safetensors").read_bytes() == Path("two/digits.safetensors").read_bytes()
    seed_everything(7, verbose=False)
    classifier = DigitClassifier().to(memory_format=torch.channels_last)
    off = dict.fromkeys(["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"], False)
    with quiet():
        Trainer(max_epochs=1, limit_train_batches=6, accelerator="auto", devices=1, **off).fit(classifier, few_digits())
    assert equal(weights_in(Path("one")), classifier.net.state_dict())


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        (3, "in epoch 1 of 2: broken/last.ckpt keeps its beginning"),
        pytest.param(
            9,
            "in epoch 2 of 2: broken/last.ckpt keeps the first epoch",
            marks=pytest.mark.skipif(before("pytorch-lightning", "2.5.3"), reason="Lightning before 2.5.3 goes astray"),
        ),
    ],
)
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(train, monkeypatch, steps, kept):
    from modelrepo.history import History

    train("digits", "--fast", "--output", "whole")
    usual = History.on_train_batch_end

    def stopping(self, trainer, *rest):
        usual(self, trainer, *rest)
        if trainer.global_step == steps:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(History, "on_train_batch_end", stopping)
        code, _, err = train("digits", "--fast", "--output", "broken")
    assert (code, signal.getsignal(signal.SIGINT)) == (130, before)
    assert err[-2:] == [f"stopped {kept}", "go on with: python -m modelrepo.train digits --resume --output broken"]
    assert not Path("broken/digits.safetensors").exists()
    assert train("digits", "--resume", "--output", "broken")[0] == 0
    for name in ("digits.safetensors", "metrics.csv", "curve.svg"):
        assert Path("broken", name).read_bytes() == Path("whole", name).read_bytes(), name


def test_a_run_that_resumes_without_its_random_states_ends_elsewhere(train, monkeypatch):
    from modelrepo import history

    train("digits", "--fast", "--output", "whole")
    import torch

    path = Path("whole/last.ckpt")
    content = torch.load(path, weights_only=True)
    assert content["callbacks"]["History"]["plan"] == {"recipe": "digits", "seed": 7, "epochs": 2, "batches": 6}
    usual = history.History.on_train_batch_end

    def stopping(self, trainer, *rest):
        usual(self, trainer, *rest)
        if trainer.global_step == 9:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(history.History, "on_train_batch_end", stopping)
        train("digits", "--fast", "--output", "broken")
    monkeypatch.setattr(history, "_set_random_state", lambda state: None)
    train("digits", "--resume", "--output", "broken")
    assert not equal(weights_in(Path("whole")), weights_in(Path("broken")))


def _unfinished(folder, epochs=5, done=2, recipe="digits"):
    """A folder with as much of a checkpoint as tells of the run."""
    import torch

    plan = {"recipe": recipe, "seed": 7, "epochs": epochs, "batches": None}
    content = {
        "callbacks": {"History": {"plan": plan}},
        "loops": {"fit_loop": {"epoch_progress": {"total": {"processed": done}}}},
    }
    folder.mkdir()
    torch.save(content, folder / "last.ckpt")


MISTAKES = {
    "an unknown name": (["digit"], "there is no recipe 'digit': known are {names}. Did you mean digits?"),
    "nothing to go on with": (
        ["digits", "--resume"],
        "there is no runs/digits/last.ckpt to go on with: leave out --resume to begin, or name the run with --output",
    ),
    "a folder that is a file": (
        ["digits", "--output", "file"],
        "file cannot be written: File exists. Name another folder with --output",
    ),
    "a folder below a file": (
        ["digits", "--output", "file/run"],
        "file/run cannot be written: Not a directory. Name another folder with --output",
    ),
    "an unfinished run": (
        ["digits", "--output", "unfinished"],
        "unfinished has a run that stopped after 2 of 5 epochs: --resume goes on with it, --overwrite begins anew, and "
        "--output names another folder",
    ),
    "other epochs": (
        ["digits", "--output", "unfinished", "--resume", "--epochs", "9"],
        "--epochs says otherwise than the run in unfinished, which has 5 epochs from seed 7: its schedule counts on "
        "that. Leave --epochs out",
    ),
    "a fast run of a whole one": (
        ["digits", "--output", "unfinished", "--resume", "--fast"],
        "--fast says otherwise than the run in unfinished, which has 5 epochs from seed 7: its schedule counts on "
        "that. Leave --fast out",
    ),
    "another recipe's run": (
        ["digits", "--output", "another", "--resume"],
        "another/last.ckpt is of a run of reversal, and not of digits",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained(train, tmp_path, name):
    from modelrepo.train import RECIPES

    (tmp_path / "file").touch()
    _unfinished(tmp_path / "unfinished")
    _unfinished(tmp_path / "another", recipe="reversal")
    arguments, message = MISTAKES[name]
    code, out, err = train(*arguments)
    assert (code, out, err) == (2, [], ["error: " + message.replace("{names}", ", ".join(RECIPES))])


def test_a_checkpoint_that_would_run_code_is_refused(train, tmp_path):
    import torch

    class Hostile:
        def __reduce__(self):
            return (os.mkdir, ("owned",))

    (tmp_path / "runs" / "digits").mkdir(parents=True)
    torch.save({"callbacks": Hostile()}, tmp_path / "runs" / "digits" / "last.ckpt")
    code, _, err = train("digits", "--resume")
    assert code == 2
    assert err[0].startswith("error: runs/digits/last.ckpt is no checkpoint of a run (Weights only load failed")
    assert not Path("owned").exists()


@pytest.fixture
def root(modelrepo, tmp_path):
    """A copy of MNIST's unpacked files, to break."""
    from modelrepo.vision.data import DATA, FILES, MNISTDataModule

    MNISTDataModule().prepare_data()
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES:
        (raw / name).write_bytes((DATA / "MNIST" / "raw" / name).read_bytes())
    return tmp_path / "data"


def test_data_that_was_changed_is_named(train, root):
    file = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    file.write_bytes(file.read_bytes()[:-1] + b"\x05")
    code, out, (line,) = train("digits", "--data", root)
    assert (code, out) == (2, [])
    assert line.startswith(f"error: {file} is not the canonical file: its md5 is ")
    assert line.endswith(
        ", expected 27ae3e4e09519cfbb04c329615203637. Delete it, and the next run unpacks it again from "
        "t10k-labels-idx1-ubyte.gz, or downloads it"
    )
    assert not Path("runs").exists()


def test_data_that_cannot_be_had_is_named(train, root, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", ["http://mirror.invalid/"])
    (root / "MNIST" / "raw" / "train-labels-idx1-ubyte").unlink()
    code, _, err = train("digits", "--data", root)
    assert code == 2
    assert err[-1].startswith(
        f"error: MNIST is not complete in {root}/MNIST/raw, and could not be unpacked or downloaded ("
    )
    assert err[-1].endswith(
        "). Put its four canonical .gz files there, or name the folder that holds MNIST/raw with --data"
    )


def test_help_is_quick_and_names_the_recipes():
    code = "import sys\nfrom modelrepo.train import main\ntry: main(['--help'])\nfinally: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert "NAME is one of: digits" in done.stdout
    assert done.stdout.endswith("False\n")


@pytest.mark.slow  # a process of its own, which loads torch and Lightning
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_ctrl_c_stops_the_command(tmp_path):
    # A process that was started in the background ignores the signal, and so would the command.
    heed = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; from modelrepo.train import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "digits", "--fast", "--output", str(tmp_path)]
    running = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stdout.readline().startswith("digits learns to read handwritten digits (MNIST): 1 epoch of 313")
        while not (tmp_path / "last.ckpt").exists():
            assert running.poll() is None, running.stderr.read()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=300)
    finally:
        running.kill()
    assert running.returncode == 130
    assert err.splitlines()[-2:] == [
        f"stopped in epoch 1 of 1: {tmp_path}/last.ckpt keeps its beginning",
        f"go on with: python -m modelrepo.train digits --resume --output {tmp_path}",
    ]


def test_a_curve_leaves_out_what_is_no_number(modelrepo):
    from modelrepo.curve import curve_svg

    rows = [
        {"epoch": 0.5, "train_loss": 2.0, "val_acc": None},
        {"epoch": 1.0, "train_loss": float("nan"), "val_acc": 1.0},
        {"epoch": 2.0, "train_loss": float("inf"), "val_acc": 0.25},
    ]
    drawn = ET.fromstring(curve_svg(rows, "a < b"))  # noqa: S314
    lines = [item.get("points").split() for item in drawn.iter() if item.tag.endswith("polyline")]
    assert [len(points) for points in lines] == [1, 2]
    texts = [item.text for item in drawn.iter() if item.tag.endswith("text")]
    assert texts[0] == "a < b"
    assert {"2.0000", "0.2500"} <= set(texts)
    assert curve_svg([], "nothing yet").startswith("<svg ")


def test_tied_weights_are_written_under_each_name(modelrepo, tmp_path):
    import torch
    from safetensors.torch import load_file

    from modelrepo.weights import save_weights

    network = torch.nn.ModuleDict({"in": torch.nn.Embedding(4, 3), "out": torch.nn.Linear(3, 4, bias=False)})
    network["out"].weight = network["in"].weight
    save_weights(network, tmp_path / "tied.safetensors", {"seed": 1})
    found = load_file(tmp_path / "tied.safetensors")
    assert sorted(found) == ["in.weight", "out.weight"]
    assert bool((found["out.weight"] == network["in"].weight).all())
    length = int.from_bytes((tmp_path / "tied.safetensors").read_bytes()[:8], "little")
    header = json.loads((tmp_path / "tied.safetensors").read_bytes()[8 : 8 + length])
    assert list(header["__metadata__"]) == ["seed", "torch"]
