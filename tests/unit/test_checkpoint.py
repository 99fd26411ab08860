"""A checkpoint's weights are the model's, all of them, or the file is refused by name; nothing in it ever runs."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import pickle
import shutil
import struct
import sys
import warnings
import zipfile

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from safetensors.torch import save_file
from torch import nn

from pytest_modelcheck.errors import MissingDependency, ModelCheckError
from pytest_modelcheck.evaluation.checkpoint import loaded

SAVE = "save the weights again, with torch.save(model.state_dict(), path) or as safetensors"
BEST, LAST = "epoch=0-step=2.ckpt", "last.ckpt"


def network(seed=0):
    """22 weights: 15 in the first layer, and 7 in the buffers of the second."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, affine=False))


class Tied(nn.Module):
    """30 weights, which embed the tokens and score them."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 3)
        self.head = nn.Linear(3, 10, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(self.embed(tokens))


class Masked(nn.Module):
    """A mask that is a buffer of infinities, another that is not stored, and what is no tensor at all."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3))
        self.register_buffer("mask", torch.full((3, 3), -torch.inf).triu(1))
        self.register_buffer("cache", torch.zeros(5), persistent=False)
        self.seen = {"batches": 0}

    def get_extra_state(self):
        return self.seen

    def set_extra_state(self, state):
        self.seen = state


class Lit(LightningModule):
    """It has 15 weights, and its first epoch is its best."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def training_step(self, batch):
        self.log("score", float(self.current_epoch))
        return self.layer(batch).pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trained(folder):
    """A model that Lightning trained for two epochs of two steps, and stored after each."""
    torch.manual_seed(0)
    model = Lit()
    keeping = ModelCheckpoint(folder, monitor="score", save_top_k=-1, save_last=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=2,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[keeping],
        )
        trainer.fit(model, torch.utils.data.DataLoader(torch.randn(8, 4), batch_size=4))
    return model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a training run, and the model at its end."""
    folder = tmp_path_factory.mktemp("run")
    return folder, trained(folder)


@pytest.fixture
def run_folder(run, tmp_path):
    """A copy of that folder, to be changed."""
    return shutil.copytree(run[0], tmp_path / "run")


def saved(content, path, **options):
    torch.save(content, path, **options)
    return path


def stored(content, path):
    save_file(content, path)
    return path


def renamed(model, prefix):
    return {prefix + key: item for key, item in model.state_dict().items()}


def refusal(model, path, **options):
    with pytest.raises(ModelCheckError) as raised:
        loaded(model, path, **options)
    return str(raised.value)


def same_state(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    assert list(ours) == list(theirs)
    return all(
        torch.equal(item, theirs[key]) if isinstance(item, torch.Tensor) else item == theirs[key]
        for key, item in ours.items()
    )


def bits(model):
    """The bytes of all values, and None for those on the meta device."""
    state = {key: item for key, item in model.state_dict().items() if isinstance(item, torch.Tensor)}
    return {key: None if item.is_meta else item.numpy().tobytes() for key, item in state.items()}


def in_halves(model):
    return {key: item.half() if item.is_floating_point() else item for key, item in model.state_dict().items()}


# A model, the content of a file of another seed, its name, and what is said of it.
LOADS = {
    "a state dict": (network, lambda m: m.state_dict(), "m.pt", "m.pt: 22 of 22 weights loaded"),
    "of another ending": (network, lambda m: m.state_dict(), "m.bin", "m.bin: 22 of 22 weights loaded"),
    "of no ending": (network, lambda m: m.state_dict(), "m", "m: 22 of 22 weights loaded"),
    "of a Lightning checkpoint": (
        network,
        lambda m: {"state_dict": m.state_dict(), "epoch": 3},
        "m.ckpt",
        "m.ckpt: 22 of 22 weights loaded",
    ),
    "safetensors": (network, lambda m: m.state_dict(), "m.safetensors", "m.safetensors: 22 of 22 weights loaded"),
    "tied": (Tied, lambda m: m.state_dict(), "m.pt", "m.pt: 30 of 30 weights loaded"),
    "tied, stored once": (
        Tied,
        lambda m: {"embed.weight": m.embed.weight.detach()},
        "m.safetensors",
        "m.safetensors: 30 of 30 weights loaded",
    ),
    "tied, stored once, prefixed": (
        Tied,
        lambda m: {"model.head.weight": m.head.weight.detach()},
        "m.safetensors",
        'm.safetensors: 30 of 30 weights loaded, without the prefix "model."',
    ),
    "of a compiled model": (
        network,
        lambda m: torch.compile(m).state_dict(),
        "m.pt",
        'm.pt: 22 of 22 weights loaded, without the prefix "_orig_mod."',
    ),
    "into a compiled model": (
        lambda seed=0: torch.compile(network(seed)),
        lambda m: m._orig_mod.state_dict(),
        "m.pt",
        'm.pt: 22 of 22 weights loaded, with the prefix "_orig_mod."',
    ),
    "of a compiled model into one": (
        lambda seed=0: torch.compile(network(seed)),
        lambda m: m.state_dict(),
        "m.pt",
        "m.pt: 22 of 22 weights loaded",
    ),
    "of a data parallel model": (
        network,
        lambda m: nn.DataParallel(m).state_dict(),
        "m.pt",
        'm.pt: 22 of 22 weights loaded, without the prefix "module."',
    ),
    "of a module inside of a LightningModule": (
        network,
        lambda m: {"state_dict": renamed(m, "net.")},
        "m.ckpt",
        'm.ckpt: 22 of 22 weights loaded, without the prefix "net."',
    ),
    "prefixed twice": (
        network,
        lambda m: renamed(m, "model._orig_mod."),
        "m.pt",
        'm.pt: 22 of 22 weights loaded, without the prefix "model._orig_mod."',
    ),
    "prefixed with what is no text": (
        network,
        lambda m: renamed(m, "\x1b[31m."),
        "m.pt",
        'm.pt: 22 of 22 weights loaded, without the prefix "\\x1b[31m."',
    ),
    "in half precision": (network, in_halves, "m.pt", "m.pt: 22 of 22 weights loaded, float16 cast to float32"),
    "a mask of infinities": (Masked, lambda m: m.state_dict(), "m.pt", "m.pt: 18 of 18 weights loaded"),
}


@pytest.mark.parametrize(("build", "content", "name", "note"), LOADS.values(), ids=LOADS)
def test_a_checkpoint_loads_into_a_copy(tmp_path, build, content, name, note):
    torch.manual_seed(1)
    source = build(1) if build not in (Tied, Masked) else build()
    store = stored if name.endswith(".safetensors") else saved
    file = store(content(source), tmp_path / name)
    torch.manual_seed(0)
    model = build()
    before = copy.deepcopy(model)
    found = loaded(model, file)
    assert (found.note, found.path, found.name) == (note, file, name)
    assert found.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert same_state(model, before)
    if "float16" in note:
        source.half().float()
    assert same_state(found.model, source)
    assert not same_state(found.model, model)


def test_a_model_of_halves_takes_what_is_stored_in_floats(tmp_path):
    file = saved({"weight": torch.tensor([[0.1]])}, tmp_path / "m.pt")
    found = loaded(nn.Linear(1, 1, bias=False).half(), file)
    assert found.note == "m.pt: 1 of 1 weights loaded, float32 cast to float16"
    assert found.model.weight.item() == torch.tensor(0.1).half().item()


def test_tied_weights_are_still_tied_in_the_copy(tmp_path):
    model = Tied()
    found = loaded(model, saved(Tied().state_dict(), tmp_path / "m.pt"))
    assert found.model.head.weight is found.model.embed.weight
    assert found.model.head.weight is not model.head.weight


def test_what_is_no_tensor_is_loaded_with_the_rest(tmp_path):
    source = Masked()
    source.seen = {"batches": 7}
    model = Masked()
    found = loaded(model, saved(source.state_dict(), tmp_path / "m.pt"))
    assert (found.model.seen, model.seen) == ({"batches": 7}, {"batches": 0})


def test_the_model_itself_stays_as_it_is_to_the_bit(tmp_path):
    model = network().train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    before = bits(model)
    file = saved(network(1).state_dict(), tmp_path / "m.pt")
    random = torch.get_rng_state()
    found = loaded(model, file)
    assert bits(model) == before
    for one in (model, found.model):
        assert [module.training for module in one.modules()] == [True, True, False]
        assert [item.requires_grad for item in one.parameters()] == [False, True]
    found.model[0].weight.zero_()
    assert bits(model) == before
    assert torch.equal(torch.get_rng_state(), random)


def test_a_trained_module_shares_its_trainer_with_the_copy(run):
    folder, model = run
    found = loaded(model, folder / LAST)
    assert found.model is not model
    assert found.model._trainer is model._trainer is not None


RUN = {
    "the last by its role": ("last", "last.ckpt (last): 15 of 15 weights loaded"),
    "the best by its role": ("best", f"{BEST} (best): 15 of 15 weights loaded"),
    "the last by its name": (LAST, "last.ckpt (last): 15 of 15 weights loaded"),
    "the best by its name": (BEST, f"{BEST} (best): 15 of 15 weights loaded"),
    "neither": ("epoch=1-step=4.ckpt", "epoch=1-step=4.ckpt: 15 of 15 weights loaded"),
}


@pytest.mark.parametrize(("name", "note"), RUN.values(), ids=RUN)
def test_a_checkpoint_of_lightning_is_loaded(run, name, note):
    folder, model = run
    found = loaded(Lit(), folder / name)
    assert found.note == note
    assert same_state(found.model, model) == (found.name != f"{BEST} (best)")


def test_a_checkpoint_of_lightning_has_the_weights_of_the_model_inside(run):
    folder, model = run
    found = loaded(nn.Linear(4, 3), folder / "last")
    assert found.note == 'last.ckpt (last): 15 of 15 weights loaded, without the prefix "layer."'
    assert torch.equal(found.model.weight, model.layer.weight)


def test_a_folder_that_was_moved_has_the_same_best(run_folder):
    assert loaded(Lit(), run_folder / "best").path == run_folder / BEST


def test_the_times_of_files_decide_nothing(run_folder):
    for name in (LAST, BEST):
        os.utime(run_folder / name, (0, 0))
        assert loaded(Lit(), run_folder / "best").path == run_folder / BEST
        assert loaded(Lit(), run_folder / "last").path == run_folder / LAST


def test_a_later_run_in_the_same_folder_has_the_last(run_folder):
    for name in ("last-v1.ckpt", "last-v10.ckpt", "last-v9.ckpt", "last-v11.pt", "lasting.ckpt"):
        shutil.copy(run_folder / LAST, run_folder / name)
    assert loaded(Lit(), run_folder / "last").name == "last-v10.ckpt (last)"
    assert loaded(Lit(), run_folder / LAST).name == LAST
    (run_folder / LAST).unlink()
    assert loaded(Lit(), run_folder / "last").name == "last-v10.ckpt (last)"


def test_a_file_of_that_name_comes_before_the_role(run_folder):
    shutil.copy(run_folder / "epoch=1-step=4.ckpt", run_folder / "best")
    assert loaded(Lit(), run_folder / "best").name == "best"


def test_where_a_neighbour_cannot_be_read_the_best_is_not_known(run_folder):
    (run_folder / "broken.ckpt").write_bytes(b"PK\x03\x04")
    assert loaded(Lit(), run_folder / BEST).name == BEST
    assert loaded(Lit(), run_folder / LAST).name == "last.ckpt (last)"
    assert refusal(Lit(), run_folder / "best") == (
        f"{run_folder / 'broken.ckpt'} cannot be read as weights (File is not a zip file): {SAVE}"
    )


def test_a_folder_without_a_last_checkpoint_says_what_it_holds(tmp_path):
    assert refusal(network(), tmp_path / "last") == f"{tmp_path} has no last.ckpt: name a file of nothing"
    for name in ("a.ckpt", "b\x1b[31m.ckpt", "c.ckpt", "d.ckpt", "e.ckpt", "f.ckpt", "g.txt"):
        (tmp_path / name).touch()
    assert refusal(network(), tmp_path / "last") == (
        f"{tmp_path} has no last.ckpt: name a file of a.ckpt, b\\x1b[31m.ckpt, c.ckpt, d.ckpt, e.ckpt and 2 more"
    )


def recorded(*paths, step=4):
    callbacks = {f"ModelCheckpoint{index}": {"best_model_path": path} for index, path in enumerate(paths)}
    return {"state_dict": network().state_dict(), "global_step": step, "callbacks": callbacks}


UNKNOWN_BEST = {
    "nothing recorded": ([], "none is recorded"),
    "an empty path": ([""], "none is recorded"),
    "no path": ([7], "none is recorded"),
    "gone": (["/run/epoch=9.ckpt"], "of those recorded 0 are there: epoch=9.ckpt"),
    "in another folder": (["../../secret.ckpt"], "of those recorded 0 are there: secret.ckpt"),
    "in another folder of Windows": ([r"C:\run\secret.ckpt"], "of those recorded 0 are there: secret.ckpt"),
    "the folder above": (["run/.."], "of those recorded 0 are there: .."),
    "several": (["/run/a.ckpt", "/run/b.ckpt"], "of those recorded 2 are there: a.ckpt, b.ckpt"),
}


@pytest.mark.parametrize(("paths", "problem"), UNKNOWN_BEST.values(), ids=UNKNOWN_BEST)
def test_a_best_checkpoint_that_is_not_known_is_not_guessed(tmp_path, paths, problem):
    folder = tmp_path / "outer" / "run"
    folder.mkdir(parents=True)
    saved(network().state_dict(), tmp_path / "secret.ckpt")
    saved(recorded(*paths), folder / "a.ckpt")
    saved(recorded("/run/b.ckpt", step=3), folder / "b.ckpt")
    assert refusal(network(), folder / "best") == (
        f"{folder} has no best checkpoint that is known ({problem}): name a file of a.ckpt, b.ckpt"
    )


def test_two_records_of_one_best_agree(tmp_path):
    saved(recorded("/run/a.ckpt", r"D:\runs\a.ckpt"), tmp_path / "a.ckpt")
    assert loaded(network(), tmp_path / "best").note == "a.ckpt (best): 22 of 22 weights loaded"


def test_a_relative_path_starts_here_and_then_at_the_folder(tmp_path, monkeypatch, run):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    monkeypatch.chdir(here)
    saved(network().state_dict(), there / "m.pt")
    assert loaded(network(), "m.pt", folder=there).path == there / "m.pt"
    saved(network(1).state_dict(), here / "m.pt")
    assert str(loaded(network(), "m.pt", folder=there).path) == "m.pt"
    shutil.copytree(run[0], there / "checkpoints")
    assert loaded(Lit(), "checkpoints/best", folder=there).path == there / "checkpoints" / BEST
    assert loaded(Lit(), "last", folder=there / "checkpoints").path == there / "checkpoints" / LAST
    assert refusal(network(), "n.pt", folder=there) == (
        f"there is no file n.pt or {there / 'n.pt'}: give the path of a checkpoint"
    )
    assert refusal(network(), there / "n.pt", folder=here) == (
        f"there is no file {there / 'n.pt'}: give the path of a checkpoint"
    )


URLS = {
    "https://host/models/m.ckpt?token=secret#secret": "https://…/m.ckpt",
    "s3://bucket/m.ckpt": "s3://…/m.ckpt",
    "https://user:secret@host": "https://…/host",
    "file:///m.ckpt": "file://…/m.ckpt",
}


@pytest.mark.parametrize(("url", "shown"), URLS.items(), ids=URLS)
def test_a_url_is_refused_without_its_secrets(url, shown):
    assert refusal(network(), url) == f"{shown} is a URL, and a checkpoint is a file: download it first"


def test_a_name_that_is_no_text_is_shown_escaped():
    assert refusal(network(), "a\x1b[31m\0") == "there is no file a\\x1b[31m\\x00: give the path of a checkpoint"


def test_a_folder_is_no_checkpoint(tmp_path):
    saved(network().state_dict(), tmp_path / "m.pt")
    assert refusal(network(), tmp_path) == (f"{tmp_path} is a folder, and a checkpoint is a file: name a file of m.pt")


def test_a_pipe_is_no_checkpoint_and_is_not_waited_for(tmp_path):
    pipe = tmp_path / "last.ckpt"
    os.mkfifo(pipe)
    assert refusal(network(), pipe) == (
        f"{pipe} is a pipe or a device, and a checkpoint is a file: copy the weights into one"
    )
    for name in ("last", "best"):
        assert refusal(network(), tmp_path / name).endswith("name a file of last.ckpt")


def archive(entries):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return target.getvalue()


def declared(size):
    """A zip archive whose directory says that its one entry unpacks to so many bytes."""
    content = bytearray(archive({"m/data.pkl": b"x"}))
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<I", size)
    return bytes(content)


def safetensors(header, length=None, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def whole(content, **options):
    target = io.BytesIO()
    torch.save(content, target, **options)
    return target.getvalue()


def linear(weight=None, bias=None):
    return {"weight": torch.ones(3, 4) if weight is None else weight, "bias": torch.ones(3) if bias is None else bias}


def shortened(name):
    """A checkpoint of which one entry has lost its second half."""
    with zipfile.ZipFile(io.BytesIO(whole(linear()))) as file:
        entries = {item: file.read(item) for item in file.namelist()}
    return archive({item: text[: len(text) // 2] if item.endswith(name) else text for item, text in entries.items()})


def scripted():
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Linear(4, 3)), target)
    return target.getvalue()


HEADER = {"weight": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}

# The bytes of a file, its name, and what is wrong with it.
BROKEN = {
    "empty": (b"", "m.pt", f"is empty: {SAVE}"),
    "empty safetensors": (b"", "m.safetensors", f"is empty: {SAVE}"),
    "a pointer": (
        b"version https://git-lfs.github.com/spec/v1\n",
        "m.ckpt",
        "is a pointer of Git LFS, and not the weights: run git lfs pull",
    ),
    "wrong magic": (
        b"\x89PNG\r\n\x1a\n and more",
        "m.pt",
        f"is no file of torch.save, by its first bytes b'\\x89PNG\\r\\n\\x1a\\n and': name another, or {SAVE}",
    ),
    "short": (b"PK", "m.pt", f"is no file of torch.save, by its first bytes b'PK': name another, or {SAVE}"),
    "safetensors by another name": (
        safetensors({}),
        "m.pt",
        "is no file of torch.save, by its first bytes b'\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00{}': "
        f"name another, or {SAVE}",
    ),
    "torch by the name of safetensors": (
        b"PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00\x00",
        "m.safetensors",
        "is no file of safetensors, by its first bytes b'PK\\x03\\x04\\x00\\x00\\x08\\x08\\x00\\x00\\x00\\x00': "
        f"name another, or {SAVE}",
    ),
    "cut off": (
        whole({"weight": torch.zeros(99)})[:-30],
        "m.pt",
        f"cannot be read as weights (File is not a zip file): {SAVE}",
    ),
    "old format, cut off": (
        whole({"weight": torch.zeros(99)}, _use_new_zipfile_serialization=False)[:-30],
        "m.pt",
        "cannot be read as weights (unexpected EOF, expected 30 more bytes. The file might be corrupted.): " + SAVE,
    ),
    "a beginning and nothing more": (b"\x80\x02", "m.pt", f"cannot be read as weights (it ends too early): {SAVE}"),
    "a pickle of another protocol": (
        pickle.dumps({"weight": 1}, protocol=4),
        "m.pt",
        f"cannot be read as weights (Unsupported operand 149): {SAVE}",
    ),
    "a bomb": (declared(4_000_000_000), "m.pt", f"has 121 bytes and would unpack to 4,000,000,000: {SAVE}"),
    "a scripted model": (scripted(), "m.pt", f"is a scripted model, which holds code: {SAVE}"),
    "a header that lies": (
        safetensors({}, 90_000_000),
        "m.safetensors",
        f"is cut off, or lies: of its 10 bytes 90,000,000 are to be the header: {SAVE}",
    ),
    "a header that lies as much as it can": (
        safetensors({}, 2**64 - 1),
        "m.safetensors",
        f"is cut off, or lies: of its 10 bytes 18,446,744,073,709,551,615 are to be the header: {SAVE}",
    ),
    "a whole model": (
        whole(nn.Linear(4, 3)),
        "m.pt",
        f"is read for weights only, and GLOBAL torch.nn.modules.linear.Linear was refused: {SAVE}",
    ),
    "another checkpoint": (
        whole({"epoch": 3, "model": {}, "optimizer": {}, 7: torch.zeros(1), "a": 1, "b": 2}),
        "m.pt",
        f"holds no state dict, but epoch, model, optimizer, 7, a and 1 more: {SAVE}",
    ),
    "a list": (whole([torch.zeros(3)]), "m.pt", f"holds no state dict, but a list: {SAVE}"),
    "no state dict": (whole({"state_dict": None}), "m.pt", f"holds no state dict, but a NoneType: {SAVE}"),
    "no weights": (whole({}), "m.pt", f"holds no state dict, but no weights: {SAVE}"),
    "no weights in safetensors": (safetensors({}), "m.safetensors", f"holds no state dict, but no weights: {SAVE}"),
}


@pytest.mark.parametrize(("content", "name", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused(tmp_path, content, name, problem):
    file = tmp_path / name
    file.write_bytes(content)
    assert refusal(network(), file) == f"{file} {problem}"


# What torch and safetensors say of these differs between versions.
UNREADABLE = {
    "a zip of something else": (archive({"a/b.txt": b"text"}), "m.pt"),
    "a zip directory that points nowhere": (b"PK\x03\x04" + whole(linear())[300:], "m.pt"),
    "weights that end too early": (shortened("data/0"), "m.pt"),
    "safetensors, cut off": (safetensors(HEADER, data=bytes(11)), "m.safetensors"),
    "safetensors without an end": (safetensors(HEADER)[:-5] + b"     ", "m.safetensors"),
    "safetensors of an unknown dtype": (
        safetensors({"weight": {"dtype": "F7", "shape": [3], "data_offsets": [0, 12]}}, data=bytes(12)),
        "m.safetensors",
    ),
    "safetensors with two weights in one place": (
        safetensors({**HEADER, "bias": HEADER["weight"]}, data=bytes(12)),
        "m.safetensors",
    ),
    "safetensors larger than memory": (
        safetensors({"weight": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}, data=bytes(12)),
        "m.safetensors",
    ),
    "safetensors in deep nesting": (struct.pack("<Q", 99_999) + b'{"a":' * 19_999 + b"    ", "m.safetensors"),
}


@pytest.mark.parametrize(("content", "name"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, content, name):
    file = tmp_path / name
    file.write_bytes(content)
    message = refusal(nn.Linear(4, 3), file)
    assert message.startswith(f"{file} cannot be read as weights (")
    assert message.endswith(f"): {SAVE}")
    assert "\n" not in message


def changed(items):
    """The state dict of the network with other items; `None` takes one away."""
    return {key: item for key, item in {**network().state_dict(), **items}.items() if item is not None}


def misfit(model, *lines):
    return "\n  ".join([f"does not fit {model}: give the model that was saved", *lines])


def infinite(value):
    weight = torch.zeros(3, 4)
    weight[1, 2:] = value
    return weight


def filled(model, key, value):
    model.state_dict()[key].fill_(value)
    return model


class Moved(nn.Linear):
    """It takes something else than it is given."""

    def _load_from_state_dict(self, state_dict, prefix, *args):
        state_dict[f"{prefix}weight"] = state_dict[f"{prefix}weight"] + 1
        super()._load_from_state_dict(state_dict, prefix, *args)


class Raising(nn.Linear):
    """It cannot be loaded."""

    def load_state_dict(self, *args, **kwargs):
        raise ValueError("not today")


# A model, what the file holds, and what is wrong with it.
MISFITS = {
    "a missing key": (
        network,
        changed({"0.bias": None}),
        misfit("Sequential", "missing from the file: 0.bias [3]"),
    ),
    "a missing buffer": (
        network,
        changed({"1.running_var": None}),
        misfit("Sequential", "missing from the file: 1.running_var [3]"),
    ),
    "an unexpected key": (
        network,
        changed({"2.weight\x1b[31m": torch.zeros(2, 2)}),
        misfit("Sequential", "not in the model: 2.weight\\x1b[31m [2, 2]"),
    ),
    "a buffer that is not stored": (
        Masked,
        {**Masked().state_dict(), "cache": torch.zeros(5)},
        misfit("Masked", "not in the model: cache [5]"),
    ),
    "another model": (
        network,
        nn.Sequential(*[nn.Linear(2, 1) for _ in range(4)]).state_dict(),
        misfit(
            "Sequential",
            "missing from the file: 1.running_mean [3], 1.running_var [3], 1.num_batches_tracked []",
            "not in the model: 1.weight [1, 2], 1.bias [1], 2.weight [1, 2], 2.bias [1], 3.weight [1, 2] and 1 more",
            "of another shape: 0.weight [1, 2], not [3, 4], 0.bias [1], not [3]",
        ),
    ),
    "another shape": (
        network,
        changed({"0.weight": torch.zeros(4, 3)}),
        misfit("Sequential", "of another shape: 0.weight [4, 3], not [3, 4]"),
    ),
    "a shape that would take a terabyte": (
        lambda: nn.Linear(4, 3),
        linear(torch.zeros(1).expand(10**6, 10**6)),
        misfit("Linear", "of another shape: weight [1000000, 1000000], not [3, 4]"),
    ),
    "integers": (
        network,
        changed({"0.weight": torch.zeros(3, 4, dtype=torch.long)}),
        misfit("Sequential", "of another kind: 0.weight int64, not float32"),
    ),
    "a count in floats": (
        network,
        changed({"1.num_batches_tracked": torch.tensor(1.0)}),
        misfit("Sequential", "of another kind: 1.num_batches_tracked float32, not int64"),
    ),
    "complex numbers": (
        network,
        changed({"0.weight": torch.zeros(3, 4, dtype=torch.complex64)}),
        misfit("Sequential", "of another kind: 0.weight complex64, not float32"),
    ),
    "sparse": (
        network,
        changed({"0.weight": torch.zeros(3, 4).to_sparse()}),
        misfit("Sequential", "of another kind: 0.weight float32 sparse_coo, not float32"),
    ),
    "without values": (
        network,
        changed({"0.weight": torch.zeros(3, 4, device="meta")}),
        misfit("Sequential", "of another kind: 0.weight float32 meta, not float32"),
    ),
    "a model without values": (
        lambda: nn.Linear(4, 3, device="meta"),
        linear(),
        misfit("Linear", "of another kind: weight float32, not float32 meta, bias float32, not float32 meta"),
    ),
    "neither has values": (
        lambda: nn.Linear(4, 3, device="meta"),
        nn.Linear(4, 3, device="meta").state_dict(),
        misfit("Linear", "of another kind: weight float32 meta, not float32 meta, bias float32 meta, not float32 meta"),
    ),
    "a prefix of most keys": (
        lambda: nn.Linear(4, 3),
        {"model.weight": torch.zeros(3, 4), "model.bias": torch.zeros(3), "loss.weight": torch.zeros(2)},
        misfit(
            "Linear",
            "missing from the file: weight [3, 4], bias [3]",
            "not in the model: model.weight [3, 4], model.bias [3], loss.weight [2]",
        ),
    ),
    "a prefix of some keys": (
        lambda: nn.Linear(4, 3),
        {"model.weight": torch.zeros(3, 4), "bias": torch.zeros(3)},
        misfit("Linear", "missing from the file: weight [3, 4]", "not in the model: model.weight [3, 4]"),
    ),
    "two prefixes of one length": (
        lambda: nn.Linear(4, 3),
        {"first.weight": torch.zeros(3, 4), "other.bias": torch.zeros(3)},
        misfit(
            "Linear",
            "missing from the file: weight [3, 4], bias [3]",
            "not in the model: first.weight [3, 4], other.bias [3]",
        ),
    ),
    "a model without weights": (
        nn.ReLU,
        linear(),
        misfit("ReLU", "not in the model: weight [3, 4], bias [3]"),
    ),
    "NaN": (
        network,
        changed({"0.bias": torch.tensor([0.0, torch.nan, 1.0])}),
        "is not finite in 0.bias (1 of 3 values as float32 are NaN or infinite): take another checkpoint",
    ),
    "infinity": (
        network,
        changed({"0.weight": infinite(-torch.inf)}),
        "is not finite in 0.weight (2 of 12 values as float32 are NaN or infinite): take another checkpoint",
    ),
    "NaN in a buffer": (
        network,
        changed({"1.running_mean": torch.full((3,), torch.nan)}),
        "is not finite in 1.running_mean (3 of 3 values as float32 are NaN or infinite): take another checkpoint",
    ),
    "too large for the model": (
        lambda: network().half(),
        changed({"0.weight": infinite(70_000.0)}),
        "is not finite in 0.weight (2 of 12 values as float16 are NaN or infinite): take another checkpoint",
    ),
    "another mask of infinities": (
        Masked,
        {**Masked().state_dict(), "mask": torch.full((3, 3), -torch.inf)},
        "is not finite in mask (9 of 9 values as float32 are NaN or infinite): take another checkpoint",
    ),
    "NaN in a buffer that the model has so itself": (
        lambda: filled(network(), "1.running_mean", torch.nan),
        changed({"1.running_mean": torch.full((3,), torch.nan)}),
        "is not finite in 1.running_mean (3 of 3 values as float32 are NaN or infinite): take another checkpoint",
    ),
    "infinity that the model has itself": (
        lambda: filled(network(), "0.bias", torch.inf),
        changed({"0.bias": torch.full((3,), torch.inf)}),
        "is not finite in 0.bias (3 of 3 values as float32 are NaN or infinite): take another checkpoint",
    ),
    "tied to other values": (
        Tied,
        {"embed.weight": torch.ones(10, 3), "head.weight": torch.zeros(10, 3)},
        "is not what embed.weight then has: it is tied to other values, or changed by loading",
    ),
    "changed by loading": (
        lambda: Moved(4, 3),
        linear(),
        "is not what weight then has: it is tied to other values, or changed by loading",
    ),
    "a model that cannot be loaded": (
        lambda: Raising(4, 3),
        linear(),
        "cannot be loaded into a copy of Raising: not today",
    ),
}


@pytest.mark.parametrize(("build", "content", "problem"), MISFITS.values(), ids=MISFITS)
def test_weights_of_another_model_are_refused(tmp_path, build, content, problem):
    file = saved(content, tmp_path / "m.pt")
    torch.manual_seed(0)
    model = build()
    before = bits(model)
    assert refusal(model, file) == f"{file} {problem}"
    assert bits(model) == before


def test_tied_weights_that_are_not_tied_in_the_model_are_both_needed(tmp_path):
    model = Tied()
    model.head.weight = nn.Parameter(torch.zeros(10, 3))
    file = stored({"embed.weight": torch.ones(10, 3)}, tmp_path / "m.safetensors")
    assert refusal(model, file) == f"{file} " + misfit("Tied", "missing from the file: head.weight [10, 3]")


def test_a_header_of_more_than_a_hundred_megabytes_is_not_read(tmp_path):
    file = tmp_path / "m.safetensors"
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", 100_000_001) + b"{")
        stream.truncate(200_000_000)
    assert refusal(network(), file) == (
        f"{file} is cut off, or lies: of its 200,000,000 bytes 100,000,001 are to be the header: {SAVE}"
    )


def test_a_model_that_has_not_run_yet_is_refused(tmp_path):
    assert refusal(nn.LazyLinear(3), saved(linear(), tmp_path / "m.pt")) == (
        "weight, bias have no size before the first forward pass: run the model once, then check it"
    )


def test_what_is_no_model_is_refused(tmp_path):
    assert refusal({}, tmp_path / "m.pt") == "dict is no torch.nn.Module: give the model itself"


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    file = saved(linear(), tmp_path / "m.pt")

    def denied(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(file), "open", denied)
    assert refusal(nn.Linear(4, 3), file) == f"{file} cannot be read: [Errno 13] Permission denied: '{file}'"


def test_safetensors_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    file = stored(linear(), tmp_path / "m.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(MissingDependency) as raised:
        loaded(nn.Linear(4, 3), file)
    assert str(raised.value) == (
        "reading m.safetensors needs safetensors, which cannot be imported (import of safetensors.torch halted; None "
        "in sys.modules). pip install safetensors"
    )


def test_a_torch_that_runs_code_in_files_is_refused(tmp_path, monkeypatch):
    file = saved(linear(), tmp_path / "m.pt")
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion("2.5.1+cu121"))
    assert refusal(nn.Linear(4, 3), file) == (
        f"{file} can run code in torch before 2.6 (CVE-2025-32434): upgrade torch, or save safetensors"
    )
    assert loaded(nn.Linear(4, 3), stored(linear(), tmp_path / "m.safetensors")).loaded == 15


class Command:
    """Unpickled, it runs a command that leaves a file behind."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


class Code(Command):
    """Unpickled, it runs code that leaves a file behind."""

    def __reduce__(self):
        return exec, (f"open({str(self.canary)!r}, 'w').close()",)


def found_in(content):
    """The items of nested dictionaries that are no weights: a plain pickle stores a tensor by a function of its own."""
    if not isinstance(content, dict):
        return [] if isinstance(content, torch.Tensor) else [content]
    return [evil for item in [*content, *content.values()] for evil in found_in(item)]


WAYS = {
    "in a zip": whole,
    "in the old format": lambda content: whole(content, _use_new_zipfile_serialization=False),
    "in a plain pickle": lambda content: pickle.dumps(found_in(content), protocol=2),
}
PLACES = {
    "as the file": lambda evil: evil,
    "among the weights": lambda evil: {**linear(), "weight": evil},
    "beside the weights": lambda evil: {"state_dict": linear(), "hyper_parameters": {"lr": evil}},
    "in the names": lambda evil: {evil: 1, **linear()},
}


@pytest.mark.parametrize("forced", [False, True], ids=["", "forced"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("evil", "name"), [(Command, f"{os.system.__module__}.system"), (Code, "exec")])
def test_a_malicious_file_is_refused_and_nothing_runs(tmp_path, monkeypatch, evil, name, way, place, forced):
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    canary, file = tmp_path / "canary", tmp_path / "last.ckpt"
    file.write_bytes(way(place(evil(canary))))
    problem = f"{file} is read for weights only, and GLOBAL {name} was refused: {SAVE}"
    assert refusal(nn.Linear(4, 3), file) == problem
    assert refusal(nn.Linear(4, 3), tmp_path / "last") == problem
    assert refusal(nn.Linear(4, 3), tmp_path / "best") == problem
    assert not canary.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_malicious_pickle_of_any_protocol_runs_nothing(tmp_path, protocol, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    canary, file = tmp_path / "canary", tmp_path / "m.pt"
    for content in (Command(canary), {"state_dict": Code(canary)}):
        file.write_bytes(pickle.dumps(content, protocol=protocol))
        assert refusal(nn.Linear(4, 3), file).endswith(SAVE)
        assert not canary.exists()


def test_the_canary_would_appear_where_a_file_ran(tmp_path):
    file = saved({"weight": Code(tmp_path / "canary")}, tmp_path / "m.pt")
    torch.load(file, weights_only=False)
    assert (tmp_path / "canary").exists()


def test_a_malicious_neighbour_of_a_checkpoint_runs_nothing(run_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    (run_folder / "epoch=9-step=99.ckpt").write_bytes(whole(recorded(Command(tmp_path / "canary"))))
    assert loaded(Lit(), run_folder / LAST).name == "last.ckpt (last)"
    assert loaded(Lit(), run_folder / BEST).name == BEST
    assert "was refused" in refusal(Lit(), run_folder / "best")
    assert not (tmp_path / "canary").exists()


def test_what_torch_advises_is_not_passed_on(tmp_path):
    message = refusal(nn.Linear(4, 3), saved(Code(tmp_path / "canary"), tmp_path / "m.pt"))
    assert "weights_only" not in message
    assert "safe_globals" not in message
