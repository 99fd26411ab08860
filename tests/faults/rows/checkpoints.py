"""Checkpoints that would run code, and those that lie about what they hold."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.faults.fault import Fault, Group
from tests.faults.reports import ALL_REPORTS, tells_nowhere

GATE = """
import os
import pytest
import torch
from pytest_modelcheck import assert_accuracy

MODEL = torch.nn.Linear(4, 3)
DATA = (torch.ones(6, 4), torch.zeros(6, dtype=torch.long))

@pytest.mark.modelcheck
def test_fault():
    assert_accuracy(MODEL, DATA, min=0, checkpoint={path})
"""

SAVE = "save the weights again, with torch.save(model.state_dict(), path) or as safetensors"
PRETENDED = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
SYSTEM = f"{os.system.__module__}.system"


class Command:
    """Unpickled, it runs a command that leaves a file behind."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch canary",)


class Code:
    """Unpickled, it runs code that leaves a file behind."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("open('canary', 'w').close()",)


def refused(path: str, problem: str, **more: Any) -> Fault:
    """A gate on a checkpoint that is not loaded."""
    return Fault(GATE.format(path=repr(path)), f"accuracy of Linear: not measured: {problem}", **more)


def of_bytes(name: str, content: Callable[[], bytes], problem: str, **more: Any) -> Fault:
    """A file of these bytes, and what is said behind its name."""

    def prepare(root: Path) -> None:
        (root / name).write_bytes(content())

    return refused(name, f"{name} {problem}", prepare=prepare, **more)


def harmful(name: str, content: Callable[[], bytes], function: str = SYSTEM, **more: Any) -> Fault:
    """A file that would run a function."""
    return of_bytes(name, content, f"is read for weights only, and GLOBAL {function} was refused: {SAVE}", **more)


def linear() -> dict[str, Any]:
    import torch

    return {"weight": torch.ones(3, 4), "bias": torch.ones(3)}


def whole(content: Any, **options: Any) -> bytes:
    import torch

    target = io.BytesIO()
    torch.save(content, target, **options)
    return target.getvalue()


def a_whole_model() -> bytes:
    import torch

    return whole(torch.nn.Linear(4, 3))


def scripted() -> bytes:
    import torch

    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(4, 3)), target)
    return target.getvalue()


def archive(entries: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return target.getvalue()


def bomb() -> bytes:
    """An archive of two entries of a hundred zeros each, whose directory says that they are of 2 GiB and a half."""
    content = bytearray(archive({"m/data.pkl": bytes(100), "m/data/0": bytes(100)}))
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<I", 5 << 29)
    return bytes(content)


def endless() -> bytes:
    """A checkpoint of one number, which is seen as a million times a million of them."""
    import torch

    return whole({"weight": torch.ones(1).as_strided((10**6, 10**6), (0, 0)), "bias": torch.ones(3)})


def safetensors(header: Any, length: int | None = None, data: bytes = b"") -> Callable[[], bytes]:
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return lambda: struct.pack("<Q", len(text) if length is None else length) + text + data


def tensors(
    dtype: str = "F32", shape: tuple[int, ...] = (3,), offsets: tuple[int, int] = (48, 60)
) -> Mapping[str, Any]:
    """The header of the weights of a layer, of which the bias is told as given."""
    weight = {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}
    return {"weight": weight, "bias": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


def unreadable(header: Any) -> Fault:
    """Safetensors that their library refuses, in words that differ between its versions."""
    content = safetensors(header, data=bytes(60))
    return of_bytes("w.safetensors", content, f"cannot be read as weights (…): {SAVE}", needs="safetensors")


def lying(length: int, size: int) -> Fault:
    problem = f"is cut off, or lies: of its {size:,} bytes {length:,} are to be the header: {SAVE}"
    return of_bytes("w.safetensors", safetensors({}, length), problem, needs="safetensors")


def sparse(root: Path) -> None:
    with (root / "w.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", 100_000_001) + b"{")
        file.truncate(100_000_100)


def neighbours(root: Path) -> None:
    """A good checkpoint, and beside it one that was trained for longer and would run a command."""
    (root / "good.ckpt").write_bytes(whole({"state_dict": linear(), "global_step": 1}))
    (root / "evil.ckpt").write_bytes(whole({"state_dict": linear(), "global_step": 9, "callbacks": {"a": Command()}}))


def outside(root: Path) -> None:
    """A checkpoint that names another folder's file as the best one."""
    (root / "elsewhere").mkdir()
    (root / "elsewhere/evil.ckpt").write_bytes(whole(Command()))
    recorded = {"best_model_path": "../elsewhere/evil.ckpt"}
    (root / "run").mkdir()
    (root / "run/last.ckpt").write_bytes(
        whole({"state_dict": linear(), "global_step": 1, "callbacks": {"ModelCheckpoint": recorded}})
    )


def loop(root: Path) -> None:
    (root / "w.pt").symlink_to("v.pt")
    (root / "v.pt").symlink_to("w.pt")


CODE = Group(
    "Checkpoints that would run code",
    {
        "a pickle that runs a command": harmful("w.ckpt", lambda: whole({**linear(), "bias": Command()})),
        "the same, where the environment has torch run it": harmful(
            "w.ckpt", lambda: whole({**linear(), "bias": Command()}), environment=PRETENDED
        ),
        "the same, where the environment takes the limit to weights back": harmful(
            "w.ckpt",
            lambda: whole({**linear(), "bias": Command()}),
            environment={"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "0"},
        ),
        "a pickle that runs code, in the old format": harmful(
            "w.pt",
            lambda: whole({**linear(), "bias": Code()}, _use_new_zipfile_serialization=False),
            "exec",
            environment=PRETENDED,
        ),
        "a plain pickle that runs a command": harmful("w.pt", lambda: pickle.dumps([Command()], protocol=2)),
        "a plain pickle of a newer protocol": of_bytes(
            "w.pt",
            lambda: pickle.dumps([Command()], protocol=5),
            f"cannot be read as weights (Unsupported operand 149): {SAVE}",
            environment=PRETENDED,
        ),
        "a pickle under another name in its archive": of_bytes(
            "w.pt",
            lambda: archive({"m/model.pkl": pickle.dumps(Command(), protocol=2), "m/version": b"3\n"}),
            f"cannot be read as weights (…): {SAVE}",
            environment=PRETENDED,
        ),
        "a pickle by the name of safetensors": of_bytes(
            "w.safetensors",
            lambda: pickle.dumps([Command()], protocol=2),
            f"is no file of safetensors, by its first bytes b'\\x80\\x02]q\\x00cposix\\n': name another, or {SAVE}",
        ),
        "a command in the hyperparameters of a Lightning checkpoint": harmful(
            "w.ckpt",
            lambda: whole({"state_dict": linear(), "hyper_parameters": {"lr": Command()}}),
            environment=PRETENDED,
        ),
        "code among the names of weights": harmful("w.pt", lambda: whole({**linear(), Code(): 1}), "exec"),
        "a whole model in the place of its weights": harmful(
            "w.pt", a_whole_model, "torch.nn.modules.linear.Linear", environment=PRETENDED
        ),
        "a scripted model": of_bytes("w.pt", scripted, f"is a scripted model, which holds code: {SAVE}"),
        "a checkpoint that runs a command, beside the best one": refused(
            "best",
            f"evil.ckpt is read for weights only, and GLOBAL {SYSTEM} was refused: {SAVE}",
            prepare=neighbours,
            environment=PRETENDED,
        ),
        "a checkpoint that names a file of another folder as the best one": refused(
            "run/best",
            "run has no best checkpoint that is known (of those recorded 0 are there: evil.ckpt): name a file of "
            "last.ckpt",
            prepare=outside,
        ),
    },
    hostile=True,
)

LIES = Group(
    "Checkpoints that lie",
    {
        "an archive that unpacks to 2.5 GiB": of_bytes(
            "w.pt", bomb, f"has 222 bytes and would unpack to 2,684,354,660: {SAVE}"
        ),
        "one number that is seen as a million times a million": of_bytes(
            "w.pt",
            endless,
            "does not fit Linear: give the model that was saved\n"
            "  of another shape: weight [1000000, 1000000], not [3, 4]",
        ),
        "an archive that is cut off": of_bytes(
            "w.pt", lambda: whole(linear())[:-30], f"cannot be read as weights (File is not a zip file): {SAVE}"
        ),
        "a pointer of Git LFS": of_bytes(
            "w.ckpt",
            lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "is a pointer of Git LFS, and not the weights: run git lfs pull",
        ),
        "a URL with a password": Fault(
            GATE.format(path="os.environ['WEIGHTS']"),
            "accuracy of Linear: not measured: "
            "https://…/w.ckpt is a URL, and a checkpoint is a file: download it first",
            environment={"WEIGHTS": "https://user:hunter2@host.example/models/w.ckpt?token=hunter2"},
            options=ALL_REPORTS,
            check=lambda session: tells_nowhere(session, "hunter2"),
        ),
        "a name of a hub's": refused(
            "bert-base-uncased", "there is no file bert-base-uncased…: give the path of a checkpoint"
        ),
        "a name that moves the cursor": refused(
            "w\x1b[2J\x00.pt", "there is no file w\\x1b[2J\\x00.pt…: give the path of a checkpoint"
        ),
        "a named pipe": refused(
            "w.pt",
            "w.pt is a pipe or a device, and a checkpoint is a file: copy the weights into one",
            prepare=lambda root: os.mkfifo(root / "w.pt"),
        ),
        "a device without an end": refused(
            "/dev/zero", "/dev/zero is a pipe or a device, and a checkpoint is a file: copy the weights into one"
        ),
        "a folder": refused(
            "w.pt",
            "w.pt is a folder, and a checkpoint is a file: name a file of nothing",
            prepare=lambda root: (root / "w.pt").mkdir(),
        ),
        "a link that leads to itself": refused(
            "w.pt", "there is no file w.pt…: give the path of a checkpoint", prepare=loop
        ),
        "a header that is longer than its file": lying(90_000_000, 10),
        "a header of 2**63 bytes": lying(2**63, 10),
        "a header of more than 100 MB": refused(
            "w.safetensors",
            f"w.safetensors is cut off, or lies: of its 100,000,100 bytes 100,000,001 are to be the header: {SAVE}",
            prepare=sparse,
            needs="safetensors",
        ),
        "a header in deep nesting": unreadable(b'{"a":' * 99_999),
        "two tensors in one place": unreadable(tensors(offsets=(40, 52))),
        "a tensor behind the end of its file": unreadable(tensors(offsets=(1 << 40, (1 << 40) + 12))),
        "a tensor that ends before it begins": unreadable(tensors(offsets=(60, 48))),
        "a tensor of an unknown dtype": unreadable(tensors(dtype="F7")),
        "a shape that its bytes do not fill": unreadable(tensors(shape=(1000, 1000))),
        "a shape of more than 2**64 numbers": unreadable(tensors(shape=(1 << 40, 1 << 40, 1 << 40))),
        "safetensors of NaN": of_bytes(
            "w.safetensors",
            safetensors(tensors(), data=bytes(48) + struct.pack("<3f", 1.0, float("nan"), 1.0)),
            "is not finite in bias (1 of 3 values as float32 are NaN or infinite): take another checkpoint",
            needs="safetensors",
        ),
        "names of weights that a terminal would obey": of_bytes(
            "w.safetensors",
            safetensors({"\x1b[2J\u202e::error::": tensors()["weight"]}, data=bytes(48)),
            "does not fit Linear: give the model that was saved\n"
            "  missing from the file: weight [3, 4], bias [3]\n"
            "  not in the model: \\x1b[2J\\u202e::error:: [3, 4]",
            needs="safetensors",
        ),
    },
    hostile=True,
)
