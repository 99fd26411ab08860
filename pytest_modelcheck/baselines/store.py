"""The baselines of one test file: `__modelcheck__/<test file>.json` beside it, to be read in a pull request."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pytest_modelcheck import strict_json
from pytest_modelcheck.baselines.digests import damage, digest
from pytest_modelcheck.baselines.files import remove_left_over, write_whole
from pytest_modelcheck.errors import ModelCheckError, require

SCHEMA_VERSION = 1
FOLDER = "__modelcheck__"

Update = Literal["", "missing", "all"]
Content = Mapping[str, Any]

_RECORD = "pytest --modelcheck --modelcheck-update records it"
_RECORD_ANEW = "pytest --modelcheck --modelcheck-update=all records it anew"

# The values that a baseline had before, of which so many are kept.
_HISTORY = 20

# No baseline of this schema comes near; a larger file is refused before it is read.
_LARGEST = 64 * 1024 * 1024


def _unheard(key: str, before: Content | None, after: Content | None) -> None:
    """Nobody listens to what changes."""


class _File(NamedTuple):
    """What a file of baselines has, by their keys; the digests are those that are written in it."""

    baselines: dict[str, Content]
    digests: dict[str, Any]

    def names(self) -> list[str]:
        return list(dict.fromkeys([*self.baselines, *self.digests]))

    def damage(self, key: str) -> str:
        """What is wrong with one baseline; nothing where it is as it was recorded, or was not."""
        known = key in self.baselines or key in self.digests
        return damage(key, self.baselines.get(key), self.digests.get(key)) if known else ""

    def holding(self, key: str, content: Content) -> _File:
        """The same with another baseline, and its digest."""
        return _File({**self.baselines, key: content}, {**self.digests, key: digest(key, content)})

    def only(self, keys: Collection[str]) -> _File:
        """The same with some of its baselines, each with the digest that is written for it."""
        return _File(*({key: item for key, item in part.items() if key in keys} for part in self))


class Store:
    """The baselines of one test file, each under a key of its own, read and written under a lock.

    `told` hears of every change: the key, what was there before, and what is there now; `None` is nothing. A baseline
    with a number as its `value` keeps those that it had before, oldest first, as its `history`.
    """

    def __init__(self, test_file: Path, told: Callable[[str, Content | None, Content | None], None] = _unheard) -> None:
        self.path = test_file.parent / FOLDER / f"{test_file.stem}.json"
        self._told = told

    @classmethod
    def at(cls, path: Path, told: Callable[[str, Content | None, Content | None], None] = _unheard) -> Store:
        """The store of which this is the file."""
        return cls(path.parent.parent / path.with_suffix(".py").name, told)

    def compare_or_record(self, key: str, content: Content, update: Update) -> tuple[Content, bool]:
        """What was recorded under the key, and whether this call recorded it.

        `update` says what is recorded: nothing, what is missing, or all. Raises `ModelCheckError` where nothing was
        recorded and nothing is to be, where the file cannot be believed, and where this baseline cannot and is not to
        be recorded anew.
        """
        self._stay_inside()
        if not update:
            recorded = self._believed(self._read(), key)
            if recorded is None:
                raise ModelCheckError(f"no baseline is recorded for {key!r} in {self.path}. {_RECORD}")
            return recorded, False
        with self._locked():
            known = self._read()
            before = known.baselines.get(key)
            believed = None if update == "all" and known.damage(key) else self._believed(known, key)
            if believed is not None and (update == "missing" or _without_history(believed) == content):
                return believed, False
            content = _with_history(content, believed)
            self._write(known.holding(key, content))
        self._told(key, before, content)
        return content, True

    def recorded(self) -> list[str]:
        """The keys of what is recorded; a `ModelCheckError` where the file cannot be believed."""
        self._stay_inside()
        return self._read().names()

    def prune(self, unused: Callable[[str], bool]) -> None:
        """Remove the baselines whose keys are unused, and a file that has none left."""
        self._stay_inside()
        with self._locked():
            known = self._read()
            kept = [key for key in known.names() if not unused(key)]
            if kept:
                if len(kept) < len(known.names()):
                    self._write(known.only(kept))
            elif self.path.exists():
                self._remove()
        for key in known.names():
            if key not in kept:
                self._told(key, known.baselines.get(key, {}), None)

    def _believed(self, known: _File, key: str) -> Content | None:
        """The baseline of a key, if there is one; refused where it is not what was recorded."""
        wrong = known.damage(key)
        if wrong:
            raise ModelCheckError(
                f"the baseline of {key!r} in {self.path} is refused: {wrong}, so it was damaged or edited. "
                f"Baselines are not edited by hand: restore it, or {_RECORD_ANEW}"
            )
        return known.baselines.get(key)

    def _remove(self) -> None:
        try:
            self.path.unlink()
            if not any(self.path.parent.iterdir()):
                self.path.parent.rmdir()
        except OSError as error:
            raise ModelCheckError(f"the baseline {self.path} could not be removed: {error}") from error

    def _stay_inside(self) -> None:
        try:
            is_link = self.path.is_symlink() or self.path.parent.is_symlink()
        except OSError as error:
            raise self._unreadable(error) from error
        if is_link:
            raise self._refused("it is a link, and baselines stay in their folder")

    def _read(self) -> _File:
        try:
            known = self.path.stat()
            size = known.st_size
            if not stat.S_ISREG(known.st_mode):
                raise self._refused("it is no file")
            if size > _LARGEST:
                raise self._refused(f"it has {size:,} bytes, and baselines have at most {_LARGEST:,}")
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return _File({}, {})
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error
        return self._parsed(text)

    def _parsed(self, text: str) -> _File:
        conflict = re.search(r"^(<{7}|={7}|>{7})", text, flags=re.MULTILINE)
        if conflict:
            line = text.count("\n", 0, conflict.start()) + 1
            raise self._refused(f"line {line} is a mark of a merge conflict: resolve it")
        try:
            content = strict_json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._refused(f"it is not strict JSON: {error}") from error
        version = content.get("schema_version") if isinstance(content, dict) else None
        if type(version) is not int or version != SCHEMA_VERSION:
            raise self._refused(f"its schema_version is {version!r}, and this version reads {SCHEMA_VERSION}")
        baselines = content.get("baselines")
        if not isinstance(baselines, dict) or not all(isinstance(item, dict) for item in baselines.values()):
            raise self._refused("its baselines are no mapping from tests to what was recorded")
        digests = content.get("digests", {})
        if not isinstance(digests, dict):
            raise self._refused("its digests are no mapping from tests to the digests of what was recorded")
        return _File(baselines, digests)

    def _write(self, file: _File) -> None:
        content = {"schema_version": SCHEMA_VERSION, **file._asdict()}
        text = _written(content) + "\n"
        try:
            write_whole(self.path, text)
        except OSError as error:
            raise ModelCheckError(f"the baseline {self.path} could not be written: {error}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # The lock lies outside of the repository, so that no file of it is left behind there.
        filelock = require("filelock", "recording a baseline")
        name = hashlib.sha256(str(self.path.resolve()).encode()).hexdigest()[:24]
        folder = Path(tempfile.gettempdir()) / "pytest-modelcheck"
        lock = filelock.FileLock(folder / f"{name}.lock", mode=0o666)
        try:
            if not folder.is_dir():
                folder.mkdir(exist_ok=True)
                folder.chmod(0o1777)  # other users lock there too
            lock.acquire()
        except OSError as error:
            raise ModelCheckError(f"the baseline {self.path} cannot be locked: {error}") from error
        try:
            remove_left_over(self.path)
            yield
        finally:
            lock.release()

    def _unreadable(self, error: Exception) -> ModelCheckError:
        return self._refused(f"it cannot be read: {error}")

    def _refused(self, why: str) -> ModelCheckError:
        return ModelCheckError(f"the baseline {self.path} is refused: {why}. Mend it, or delete it: {_RECORD} anew")


def _without_history(content: Content) -> Content:
    return {name: item for name, item in content.items() if name != "history"}


def _with_history(content: Content, before: Content | None) -> Content:
    if before is None or "value" not in content or "value" not in before:
        return content
    past = before.get("history")
    return {**content, "history": [*(past if isinstance(past, list) else []), before["value"]][-_HISTORY:]}


def _written(value: Any, indent: str = "") -> str:
    """Strict JSON with sorted keys, so that a change reads well.

    A mapping has a line for each key, a list one line, and a list of lists, which is a table, a line for each row.
    """
    inner = indent + "  "
    if isinstance(value, list) and any(isinstance(item, list | Mapping) for item in value):
        items = [f"{inner}{_readable(json.dumps(item, ensure_ascii=False, allow_nan=False))}" for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    if not isinstance(value, Mapping):
        return _readable(json.dumps(value, ensure_ascii=False, allow_nan=False))
    items = [
        f"{inner}{_readable(json.dumps(key, ensure_ascii=False))}: {_written(value[key], inner)}"
        for key in sorted(value)
    ]
    return "{\n" + ",\n".join(items) + f"\n{indent}}}" if items else "{}"


def _readable(text: str) -> str:
    """JSON whose characters that nobody would see, or that would reorder the line, are escaped."""
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)
