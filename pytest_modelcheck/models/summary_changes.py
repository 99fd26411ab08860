"""What became of a model's table since it was reviewed, in the words of a code review."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Rows = Mapping[str, Row]


def changes(before: Rows, after: Rows) -> list[str]:
    r"""The differences of two tables, one to a line: removed, added, renamed, moved and changed layers, in that order.

    Layers of the same type, parameters and sizes that left and came are renamed; of several renamed alike, one line
    tells.

    >>> before = {"a": {"type": "Linear", "parameters": 15}, "b": {"type": "ReLU", "parameters": 0}}
    >>> after = {"a": {"type": "Linear", "parameters": 20}, "c": {"type": "ReLU", "parameters": 0}}
    >>> print("\n".join(changes(before, after)))
    > b is now c (ReLU)
    ~ a: parameters 15 -> 20 (5 more)
    """
    gone = [name for name in before if name not in after]
    new = [name for name in after if name not in before]
    renamed = _renamed({name: before[name] for name in gone}, {name: after[name] for name in new})
    lines = [f"- {_described(name, before[name])}" for name in gone if name not in renamed]
    lines += [f"+ {_described(name, after[name])}" for name in new if name not in renamed.values()]
    lines += _rename_lines(renamed, before, after)
    known = [renamed.get(name, name) for name in before if name in after or name in renamed]
    lines += _moves(known, [name for name in after if name in before or name in renamed.values()])
    for name in before:
        now = renamed.get(name, name)
        lines += change(now, before[name], after[now]) if now in after else []
    return lines


def _described(name: str, row: Row) -> str:
    told = [f"{row['type']}"] if "type" in row else []
    told += [f"{row['parameters']:,} parameters"] if "parameters" in row else []
    sizes = f"{row.get('in_sizes')} to {row.get('out_sizes')}" if row.get("out_sizes") is not None else ""
    return ", ".join(filter(None, [f"{name}: {told[0]}" if told else name, *told[1:], sizes]))


def _renamed(gone: Rows, new: Rows) -> dict[str, str]:
    """Pairs of layers that are the same but for their names: of several, those whose names are closest."""
    left: dict[str, list[str]] = {}
    for name, row in new.items():
        left.setdefault(_signature(row), []).append(name)
    pairs: dict[str, str] = {}
    for name, row in gone.items():
        candidates = [item for item in left.get(_signature(row), ()) if row.get("parameters") or _related(name, item)]
        if candidates:
            parent = name.rpartition(".")[0]
            expected = f"{pairs[parent]}.{name.rpartition('.')[2]}" if parent in pairs else name
            pairs[name] = max(candidates, key=lambda item: _closeness(expected, item))
            left[_signature(row)].remove(pairs[name])
    return pairs


def _related(name: str, other: str) -> bool:
    """Whether two names share their parent or their last part: layers without parameters are too alike to tell."""
    parent, _, last = name.rpartition(".")
    other_parent, _, other_last = other.rpartition(".")
    return parent == other_parent or last == other_last


def _closeness(name: str, other: str) -> float:
    return 2.0 if name == other else difflib.SequenceMatcher(None, name, other, autojunk=False).ratio()


def _signature(row: Row) -> str:
    return repr(sorted((column, value) for column, value in row.items() if column != "mode"))


def _rename_lines(renamed: Mapping[str, str], before: Rows, after: Rows) -> list[str]:
    """A line for each renamed layer, and one for all of those inside of one that was renamed itself."""
    lines = []
    told: set[str] = set()
    for old, now in renamed.items():
        if old in told:
            continue
        inside = [name for name in renamed if name.startswith(f"{old}.") and renamed[name] == now + name[len(old) :]]
        everything = sum(name.startswith(f"{old}.") for name in before)
        if inside and len(inside) == everything == sum(name.startswith(f"{now}.") for name in after):
            told.update(inside)
            lines.append(f"> {old} and the layers inside are now {now} ({len(inside) + 1} layers)")
        else:
            kind = before[old].get("type", "")
            lines.append(f"> {old} is now {now}" + (f" ({kind})" if kind else ""))
    return lines


def _moves(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """The layers that stand elsewhere among the others."""
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    still = {name for block in blocks for name in before[block.a : block.a + block.size]}
    lines = []
    for index, name in enumerate(after):
        if name not in still:
            place = f"after {after[index - 1]}" if index else "first"
            lines.append(f"^ {name} is now {place}")
    return lines


def change(name: str, before: Row, after: Row) -> list[str]:
    """What is different about one layer, in a line; no line where nothing is."""
    told = [
        f"{column} {_shown(before.get(column))} -> {_shown(after.get(column))}{_difference(before.get(column), value)}"
        for column, value in after.items()
        if before.get(column) != value
    ]
    return [f"~ {name}: {'; '.join(told)}"] if told else []


def _shown(value: Any) -> str:
    if value is None:
        return "not measured"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _difference(before: Any, after: Any) -> str:
    if not (isinstance(before, int) and isinstance(after, int)):
        return ""
    return f" ({abs(after - before):,} {'more' if after > before else 'fewer'})"
