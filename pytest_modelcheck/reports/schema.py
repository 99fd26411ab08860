"""The JSON Schema of the JSON report, and whether a value keeps to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

_Schema = Mapping[str, Any]

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "object": "an object",
        "array": "a list",
        "string": "a text",
        "number": "a number",
        "integer": "an integer",
        "boolean": "true or false",
        "null": "null",
    }
)

# So much of a value is shown in a message.
_SHOWN = 60


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the JSON report, which describes every key.

    >>> schema()["properties"]["seed"]["description"]
    'The seed that every gate started from.'
    """
    text = resources.files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def first_problem(value: Any, described: _Schema) -> str:
    """Where a value first parts from a schema, in words; empty where it keeps to it.

    Of JSON Schema this knows the keywords that the report's schema uses.

    >>> first_problem({"rows": [{"margin": "x"}]}, {"properties": {"rows": {"items": {"properties": {
    ...     "margin": {"type": ["number", "null"]}}}}}})
    'rows[0].margin is "x", a number or null is expected'
    """
    return next(_problems(value, described, described, ""), "")


def _problems(value: Any, part: _Schema, whole: _Schema, path: str) -> Iterator[str]:
    if "$ref" in part:
        yield from _problems(value, whole["$defs"][part["$ref"].rpartition("/")[2]], whole, path)
        return
    expected = _expected(value, part)
    if expected:
        yield f"{path or 'the whole'} is {_shown(value)}, {expected} is expected"
    elif isinstance(value, dict):
        yield from _of_object(value, part, whole, path)
    elif isinstance(value, list):
        yield from _of_list(value, part, whole, path)


def _expected(value: Any, part: _Schema) -> str:
    """What is expected in the place of a value, by the keywords that look at it as a whole; empty where it is that."""
    kinds = part.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return " or ".join(_NAMES[kind] for kind in kinds)
    allowed = [part["const"]] if "const" in part else part.get("enum")
    if allowed is not None and not any(_same(value, item) for item in allowed):
        return ("one of " if len(allowed) > 1 else "") + ", ".join(map(json.dumps, allowed))
    if "minimum" in part and _is(value, "number") and value < part["minimum"]:
        return f"at least {part['minimum']}"
    least, most = part.get("minItems", 0), part.get("maxItems")
    if isinstance(value, list) and (len(value) < least or (most is not None and len(value) > most)):
        return f"a list of {least}" if least == most else f"a list of {least} or more"
    return ""


def _of_object(value: dict[str, Any], part: _Schema, whole: _Schema, path: str) -> Iterator[str]:
    for name in part.get("required", ()):
        if name not in value:
            yield f"{_under(path, name)} is missing"
    known, others = part.get("properties", {}), part.get("additionalProperties", {})
    for name, item in value.items():
        if name in known:
            yield from _problems(item, known[name], whole, _under(path, name))
        elif others is False:
            yield f"{_under(path, name)} is not known"
        else:
            yield from _problems(item, others, whole, _under(path, name))


def _of_list(value: list[Any], part: _Schema, whole: _Schema, path: str) -> Iterator[str]:
    first = part.get("prefixItems", ())
    for index, item in enumerate(value):
        described = first[index] if index < len(first) else part.get("items", {})
        yield from _problems(item, described, whole, f"{path}[{index}]")


def _is(value: Any, kind: str) -> bool:
    """Whether a value is of a kind of JSON's; 2.0 is an integer, and no truth is a number."""
    if kind in ("number", "integer"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (kind == "number" or isinstance(value, int) or value.is_integer())
    kinds: dict[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    return isinstance(value, kinds[kind])


def _same(value: Any, item: Any) -> bool:
    return bool(value == item) and isinstance(value, bool) == isinstance(item, bool)


def _under(path: str, name: str) -> str:
    if not name.isidentifier():
        return f"{path}[{_shown(name)}]"
    return f"{path}.{name}" if path else name


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}.."
