"""A JSON report, read again: strictly, since what is made of it is held against what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pytest_modelcheck import strict_json
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports.json import SCHEMA_VERSION
from pytest_modelcheck.reports.run import Run
from pytest_modelcheck.reports.schema import first_problem, schema

# No report comes near: a row has some kilobytes, and its pictures are few.
LARGEST = 256_000_000

_HALVES = re.compile(r"\\u[dD][89a-fA-F]")


def read_report(source: Path | str) -> Run:
    """The run that a JSON report tells of: of a file where a `Path` is given, and of the text itself else.

    Nothing is guessed: a report that is not JSON, has a key twice, a number that is none, a key or a type that its
    schema does not know, or another schema version, is an error that says where. Whether the run passed is judged anew
    by its rows.

    Raises:
        ModelCheckError: the report cannot be read.
    """
    try:
        return _run(_parsed(_text(source)))
    except (OSError, ValueError, RecursionError) as error:
        name = "given as text" if isinstance(source, str) else printable(str(source))
        raise ModelCheckError(f"the report {name} cannot be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeError):
        return f"it is not UTF-8 ({printable(str(error))})"
    if isinstance(error, OSError):
        return str(error.strerror or error)
    return printable(str(error))


def _text(source: Path | str) -> str:
    if isinstance(source, str):
        content = source.encode("utf-8")
    else:
        with source.open("rb") as file:
            content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST:,} bytes")
    return content.decode("utf-8")


def _parsed(text: str) -> Any:
    found = strict_json.loads(text)
    if _HALVES.search(text):
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # of two halves that belong together is one character
    return found


def _run(content: Any) -> Run:
    version = content.get("schema_version", SCHEMA_VERSION) if isinstance(content, dict) else SCHEMA_VERSION
    if type(version) is int and version != SCHEMA_VERSION:
        raise ValueError(f"it has schema_version {version}, and this version reads {SCHEMA_VERSION}")
    problem = first_problem(content, schema())
    if problem:
        raise ValueError(problem)
    named = ("seed", "devices", "complete", "started", "seconds", "environment", "baselines", "problems")
    return Run(tuple(content["rows"]), **{name: content[name] for name in named})
