"""The baselines of one test file: `__modelcheck__/<test file>.json` beside it, to be read in a pull request."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pytest_modelcheck.baselines.files import write_whole
from pytest_modelcheck.errors import ModelCheckError, require

SCHEMA_VERSION = 1
FOLDER = "__modelcheck__"

Update = Literal["", "missing", "all"]
Content = Mapping[str, Any]

_RECORD = "pytest --modelcheck --modelcheck-update records it"

# No baseline of this schema comes near; a larger file is refused before it is read.
_LARGEST = 64 * 1024 * 1024


class Store:
    """The baselines of one test file, each under a key of its own, read and written under a lock."""

    def __init__(self, test_file: Path) -> None:
        self.path = test_file.parent / FOLDER / f"{test_file.stem}.json"

    def compare_or_record(self, key: str, content: Content, update: Update) -> tuple[Content, bool]:
        """What was recorded under the key, and whether this call recorded it.

        `update` says what is recorded: nothing, what is missing, or all. Raises `ModelCheckError` where nothing was
        recorded and nothing is to be, and where the file cannot be believed.
        """
        self._stay_inside()
        if not update:
            recorded = self._read().get(key)
            if recorded is None:
                raise ModelCheckError(f"no baseline is recorded for {key!r} in {self.path}. {_RECORD}")
            return recorded, False
        with self._locked():
            known = self._read()
            if key in known and (update == "missing" or known[key] == content):
                return known[key], False
            self._write({**known, key: content})
        return content, True

    def _stay_inside(self) -> None:
        if self.path.is_symlink() or self.path.parent.is_symlink():
            raise self._refused("it is a link, and baselines stay in their folder")

    def _read(self) -> dict[str, Content]:
        try:
            size = self.path.stat().st_size
            if size > _LARGEST:
                raise self._refused(f"it has {size:,} bytes, and baselines have at most {_LARGEST:,}")
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise self._refused(f"it cannot be read: {error}") from error
        return self._parsed(text)

    def _parsed(self, text: str) -> dict[str, Content]:
        conflict = re.search(r"^(<{7}|={7}|>{7})", text, flags=re.MULTILINE)
        if conflict:
            line = text.count("\n", 0, conflict.start()) + 1
            raise self._refused(f"line {line} is a mark of a merge conflict: resolve it")
        try:
            content = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise self._refused(f"it is not strict JSON: {error}") from error
        version = content.get("schema_version") if isinstance(content, dict) else None
        if version != SCHEMA_VERSION:
            raise self._refused(f"its schema_version is {version!r}, and this version reads {SCHEMA_VERSION}")
        baselines = content.get("baselines")
        if not isinstance(baselines, dict) or not all(isinstance(item, dict) for item in baselines.values()):
            raise self._refused("its baselines are no mapping from tests to what was recorded")
        return baselines

    def _write(self, baselines: Mapping[str, Content]) -> None:
        content = {"schema_version": SCHEMA_VERSION, "baselines": baselines}
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
        with filelock.FileLock(Path(tempfile.gettempdir()) / f"pytest-modelcheck-{name}.lock", mode=0o666):
            yield

    def _refused(self, why: str) -> ModelCheckError:
        return ModelCheckError(f"the baseline {self.path} is refused: {why}. Mend it, or delete it: {_RECORD} anew")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


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
