"""A model with the weights of a checkpoint file: all of them or none, and nothing else in the file is believed."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from pytest_modelcheck import guard
from pytest_modelcheck.errors import ModelCheckError, require
from pytest_modelcheck.escape import printable
from pytest_modelcheck.evaluation.archive import entries_of, whole
from pytest_modelcheck.evaluation.copies import model_copy
from pytest_modelcheck.tensors import is_finite, require_module

if TYPE_CHECKING:
    from torch.nn import Module

_Weights = Mapping[str, Any]
_SAVE = "save the weights again, with torch.save(model.state_dict(), path) or as safetensors"
_LONGEST_HEADER = 100_000_000
_MOST_SHOWN = 5


@dataclass(frozen=True)
class LoadedModel:
    """A copy of a model with the weights of the file at `path`; `digest` is the file's sha256.

    `name` is the file's, with "(best)" or "(last)" where that is known. `loaded` and `total` are elements of parameters
    and persistent buffers, tied ones once: those that came from the file, and those that the model has.
    """

    model: Module
    path: Path
    name: str
    loaded: int
    total: int
    digest: str
    remarks: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What was loaded, in words."""
        return ", ".join([f"{self.name}: {self.loaded:,} of {self.total:,} weights loaded", *self.remarks])


def loaded(model: Module, path: str | Path, *, folder: Path | None = None) -> LoadedModel:
    """A deep copy of a model with the weights of a checkpoint; the model itself stays as it is.

    The file is a state dict, a Lightning checkpoint (both are read with `weights_only=True`) or safetensors. Its keys
    are the model's, as they are or with one prefix (`"model."`, `"_orig_mod."`) less or more. A relative path starts at
    the current directory, or else at `folder`. Where there is no such file, `checkpoints/last` is Lightning's last.ckpt
    or the highest last-v1.ckpt, and `checkpoints/best` what that folder's longest trained checkpoint records as such.

    Raises `ModelCheckError` where the file has more than weights, or others than the model's by key, shape or kind, and
    where one is NaN or infinite.

    >>> import tempfile, torch
    >>> model = torch.nn.Linear(4, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.save({f"net.{key}": item for key, item in model.state_dict().items()}, f"{folder}/model.pt")
    ...     print(loaded(model, f"{folder}/model.pt").note)
    model.pt: 15 of 15 weights loaded, without the prefix "net."
    """
    require_module(model)
    guard.refuse_lazy(model)
    digest = hashlib.sha256()
    try:
        file = _located(path, folder)
        content, name = _content(file), _named(file)
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    except OSError as error:
        raise ModelCheckError(f"{path} cannot be read: {error}") from error
    state = model.state_dict()
    ways = list(_renamings(_state_dict(file, content), state))
    found, remarks = next((way for way in ways if not any(_strangers(way[0], state).values())), ways[0])
    weights = _fitting(file, model, found, state)
    casts = [(_kind(found[key]), _kind(item)) for key, item in weights.items()]
    remarks += [f"{old} cast to {new}" for old, new in dict.fromkeys(casts) if old != new]
    sizes = {_identity(key, item): item.numel() for key, item in state.items() if _is_tensor(item)}
    came = sum(sizes[tensor] for tensor in {_identity(key, state[key]) for key in weights})
    twin = _filled(file, model, {**found, **weights}, weights)
    return LoadedModel(twin, file, name, came, sum(sizes.values()), digest.hexdigest(), tuple(remarks))


def _refusal(file: Path, problem: str, remedy: str = _SAVE) -> ModelCheckError:
    return ModelCheckError(f"{file} {problem}: {remedy}")


def _located(path: str | Path, folder: Path | None) -> Path:
    url = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", str(path))
    if url:  # shown without what could be a password
        last = printable(re.split("[?#]", str(path))[0].rpartition("/")[2].rpartition("@")[2])
        raise ModelCheckError(f"{url[1]}://…/{last} is a URL, and a checkpoint is a file: download it first")
    tried = list(dict.fromkeys([Path(path), *([Path(folder) / path] if folder is not None else [])]))
    if file := next(filter(Path.is_file, tried), None):
        return file
    if other := next(filter(Path.is_dir, tried), None):
        raise _refusal(other, "is a folder, and a checkpoint is a file", f"name a file of {_listed(other)}")
    if other := next(filter(Path.exists, tried), None):  # it may have no end, and nobody may ever write into it
        raise _refusal(other, "is a pipe or a device, and a checkpoint is a file", "copy the weights into one")
    homes = [place.parent for place in tried if place.parent.is_dir()]
    if tried[0].name in ("best", "last") and homes:
        home = next((home for home in homes if any(home.glob("*.ckpt"))), homes[-1])
        return _best(home) if tried[0].name == "best" else _last(home)
    raise ModelCheckError(f"there is no file {printable(' or '.join(map(str, tried)))}: give the path of a checkpoint")


def _listed(folder: Path) -> str:
    return _shown(sorted(item.name for item in folder.iterdir())) or "nothing"


def _shown(items: list[str]) -> str:
    more = f" and {len(items) - _MOST_SHOWN} more" if len(items) > _MOST_SHOWN else ""
    return ", ".join(printable(item)[:200] for item in items[:_MOST_SHOWN]) + more


def _last(home: Path) -> Path:
    # Lightning counts on where a file of the same name is there, so that the highest number was written last.
    matches = [(re.fullmatch(r"last(?:-v(\d+))?\.ckpt", file.name), file) for file in home.iterdir()]
    versions = {int(match[1] or 0): file for match, file in matches if match and file.is_file()}
    if not versions:
        raise _refusal(home, "has no last.ckpt", f"name a file of {_listed(home)}")
    return versions[max(versions)]


def _best(home: Path) -> Path:
    # The longest trained checkpoint knows best, since the times of files do not survive a clone. Of the path that it
    # recorded only the name counts, which leads to no other folder.
    steps: dict[int, set[str]] = {}
    for content in [_content(file, mapped=True) for file in sorted(home.glob("*.ckpt")) if file.is_file()]:
        callbacks = content.get("callbacks") if isinstance(content, dict) else None
        if isinstance(callbacks, dict) and isinstance(content.get("global_step"), int):
            paths = [state.get("best_model_path") for state in callbacks.values() if isinstance(state, dict)]
            names = {PureWindowsPath(path).name for path in paths if isinstance(path, str)}
            steps.setdefault(content["global_step"], set()).update(names - {""})
    best = sorted(steps[max(steps)]) if steps else []
    there = [home / name for name in best if (home / name).is_file()]
    if len(there) != 1:
        problem = f"of those recorded {len(there)} are there: {_shown(best)}" if best else "none is recorded"
        raise _refusal(home, f"has no best checkpoint that is known ({problem})", f"name a file of {_listed(home)}")
    return there[0]


def _named(file: Path) -> str:
    for role, find in (("last", _last), ("best", _best)):
        with suppress(ModelCheckError, OSError):  # where a neighbour cannot be read, nothing is known
            if file.suffix == ".ckpt" and find(file.parent) == file:
                return f"{file.name} ({role})"
    return file.name


def _content(file: Path, *, mapped: bool = False) -> Any:
    """What a file holds; `mapped` leaves the weights on the disk, for what else is there."""
    with file.open("rb") as stream:
        start, size = stream.read(32), file.stat().st_size
    kind = "safetensors" if file.suffix.lower() == ".safetensors" else "torch.save"
    if not start:
        raise _refusal(file, "is empty")
    if start.startswith(b"version https://git-lfs"):
        raise _refusal(file, "is a pointer of Git LFS, and not the weights", "run git lfs pull")
    if not (start[8:9] == b"{" if kind == "safetensors" else start.startswith((b"PK\x03\x04", b"\x80"))):
        raise _refusal(file, f"is no file of {kind}, by its first bytes {start[:12]!r}", f"name another, or {_SAVE}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _safetensors(file, start, size) if kind == "safetensors" else _torch(file, start, size, mapped)
    except (ModelCheckError, OSError):
        raise
    except Exception as error:
        refused = re.search(r"GLOBAL (?:builtins\.)?(\S+)", str(error))  # torch 2.6 names these too
        lines = str(error).rpartition("WeightsUnpickler error:")[2].strip().splitlines() or ["it ends too early"]
    # Torch itself advises to run the file in spite of it, which is not shown.
    if refused:
        raise _refusal(file, f"is read for weights only, and GLOBAL {printable(refused[1])[:80]} was refused")
    raise _refusal(file, f"cannot be read as weights ({printable(lines[0])[:200]})")


def _safetensors(file: Path, start: bytes, size: int) -> Any:
    load_file = require("safetensors.torch", f"reading {file.name}").load_file
    length = int.from_bytes(start[:8], "little")
    if length > min(size - 8, _LONGEST_HEADER):
        raise _refusal(file, f"is cut off, or lies: of its {size:,} bytes {length:,} are to be the header")
    return load_file(file, device="cpu")


def _torch(file: Path, start: bytes, size: int, mapped: bool) -> Any:
    torch = require("torch", f"reading {file.name}")
    if torch.__version__ < (2, 6):
        raise _refusal(file, "can run code in torch before 2.6 (CVE-2025-32434)", "upgrade torch, or save safetensors")
    if is_zip := start.startswith(b"PK"):
        entries = entries_of(file)
        if (unpacked := sum(entry.file_size for entry in entries)) > max(10 * size, 1 << 30):
            raise _refusal(file, f"has {size:,} bytes and would unpack to {unpacked:,}")
        if any(entry.filename.partition("/")[2] == "constants.pkl" for entry in entries):
            raise _refusal(file, "is a scripted model, which holds code")
    content = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped and is_zip)
    return whole(content, entries) if is_zip and not mapped else content


def _state_dict(file: Path, content: Any) -> _Weights:
    inner = content.get("state_dict", content) if isinstance(content, dict) else content
    inner = inner if isinstance(inner, dict) else {f"a {type(inner).__name__}": inner}
    weights = {key for key, item in inner.items() if isinstance(key, str) and _is_tensor(item)}
    others = [str(key) for key in inner if key not in weights and not str(key).endswith("_extra_state")]
    if others or not weights:
        raise _refusal(file, f"holds no state dict, but {_shown(others) or 'no weights'}")
    return inner


def _renamings(found: _Weights, state: _Weights) -> Iterator[tuple[_Weights, list[str]]]:
    """The file's weights as they are; without a prefix that all keys share; with one that all of the model's share."""
    yield found, []
    for first in (*list(found)[:1], *list(state)[:1]):
        for prefix in [first[: dot.end()] for dot in re.finditer(r"\.", first)]:
            if all(key.startswith(prefix) for key in found):
                yield {key[len(prefix) :]: found[key] for key in found}, [f'without the prefix "{printable(prefix)}"']
            if all(key.startswith(prefix) for key in state):
                yield {prefix + key: found[key] for key in found}, [f'with the prefix "{prefix}"']


def _strangers(found: _Weights, state: _Weights) -> dict[str, list[str]]:
    """The keys that only one side has; of tied weights one is enough, since safetensors stores no other."""
    there = {_identity(key, state[key]) for key in found if key in state}
    missing = [key for key, item in state.items() if key not in found and _identity(key, item) not in there]
    unknown = [key for key in found if key not in state]
    return {
        "missing from the file": [f"{key} {_shape(state[key])}" for key in missing],
        "not in the model": [f"{key} {_shape(found[key])}" for key in unknown],
    }


def _fitting(file: Path, model: Module, found: _Weights, state: _Weights) -> _Weights:
    """The file's tensors in the model's dtypes, once all of them fit and are finite."""
    both = [(key, found[key], state[key]) for key in found if _is_tensor(state.get(key))]
    shapes = [f"{key} {_shape(item)}, not {_shape(mine)}" for key, item, mine in both if _shape(item) != _shape(mine)]
    kinds = [f"{key} {_kind(item)}, not {_kind(mine)}" for key, item, mine in both if not _casts(item, mine)]
    problems = {**_strangers(found, state), "of another shape": shapes, "of another kind": kinds}
    if any(problems.values()):
        lines = "".join(f"\n  {problem}: {_shown(items)}" for problem, items in problems.items() if items)
        raise _refusal(file, f"does not fit {type(model).__name__}", f"give the model that was saved{lines}")
    weights = {key: item.to(mine.dtype) for key, item, mine in both}
    learned = dict(model.named_parameters(remove_duplicate=False))
    for key, item, mine in both:
        # A mask of -inf is a buffer that the model has made itself.
        is_mask = key not in learned and not item.isnan().any() and guard.same_tensor(weights[key], mine.cpu())
        if not (is_finite(item) and is_finite(weights[key])) and not is_mask:
            odd = f"{int((~weights[key].isfinite()).sum()):,} of {item.numel():,} values as {_kind(mine)}"
            raise _refusal(file, f"is not finite in {key} ({odd} are NaN or infinite)", "take another checkpoint")
    return weights


def _filled(file: Path, model: Module, found: _Weights, weights: _Weights) -> Module:
    try:
        twin = model_copy(model)
        twin.load_state_dict(found, strict=False)
    except Exception as error:
        raise _refusal(file, f"cannot be loaded into a copy of {type(model).__name__}", str(error)) from error
    filled = twin.state_dict()
    changed = [key for key, item in weights.items() if not guard.same_tensor(filled[key].cpu(), item)]
    if changed:
        raise _refusal(file, f"is not what {changed[0]} then has", "it is tied to other values, or changed by loading")
    return twin


def _is_tensor(item: Any) -> bool:
    return hasattr(item, "is_meta")


def _shape(item: Any) -> str:
    return str(list(getattr(item, "shape", ())))


def _kind(item: Any) -> str:
    """The dtype of a tensor, and in a second word what keeps it from being a plain one in memory."""
    if not _is_tensor(item):
        return type(item).__name__
    odd = "meta" if item.is_meta else str(item.layout)[6:].replace("strided", "")
    return f"{str(item.dtype)[6:]} {odd}".strip()


def _casts(item: Any, mine: Any) -> bool:
    one, other = (re.sub(r"^b?(float|complex)\w+$", r"\1", _kind(tensor)) for tensor in (item, mine))
    return " " not in one and one == other


def _identity(key: str, item: Any) -> Hashable:
    """Two keys are one weight where they are the same memory, transposed or not."""
    if " " in _kind(item) or type(item).__name__ not in ("Tensor", "Parameter") or not item.numel():
        return key
    layout = tuple(sorted(zip(item.shape, item.stride(), strict=True)))
    return (str(item.device), item.untyped_storage().data_ptr(), item.storage_offset(), str(item.dtype), layout)
