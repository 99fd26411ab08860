"""Files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

# The ending of a temporary file: nobody else's has it, an editor's neither.
_ENDING = ".modelcheck"


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader, or a crash, sees the old content or the new one and never a mixture.

    The text goes to a temporary file beside it, reaches the disk, and takes the file's name. Raises `OSError` where
    the folder cannot be written; the old file is then as it was.
    """
    is_new = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_beginning(path), suffix=_ENDING)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _reach_disk(path.parent)
    if is_new:
        _reach_disk(path.parent.parent)


def remove_left_over(path: Path) -> None:
    """Remove the temporary files of writes of this file that were killed; nobody else may be writing it."""
    ours = re.compile(rf"{re.escape(_beginning(path))}[a-z0-9_]{{8}}{re.escape(_ENDING)}")
    with suppress(OSError):  # what lies about does no harm
        for beside in list(path.parent.iterdir()):
            if ours.fullmatch(beside.name):
                beside.unlink()


def _beginning(path: Path) -> str:
    """How the temporary names of a file begin: not with its own name, which may be as long as a name can be."""
    return f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}."


def _reach_disk(folder: Path) -> None:
    """Have the names in a folder reach the disk, where a system and its file system know of that."""
    if os.name == "nt":
        return
    with suppress(OSError):  # the file is written, and whole
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
