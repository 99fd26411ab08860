"""The mutants that mutmut makes of a source, and the lines in which each differs from it."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# mutmut leaves decorated functions alone. Applied below the function, as a call, these decorators do the same.
_MOVED = ("property", "cached_property", "contextmanager")


@dataclass(frozen=True)
class Change:
    """One small fault: the lines of one function that go, and those that come, without their indentation."""

    function: str
    removed: str
    added: str

    def __str__(self) -> str:
        sides = (("-", self.removed), ("+", self.added))
        return "\n".join([self.function, *(f"  {sign} {line}" for sign, text in sides for line in text.splitlines())])


@dataclass(frozen=True)
class Mutant:
    """One small fault, and what the tests made of it: `killed`, `timeout`, `survived`, or why it was not judged."""

    change: Change
    status: str


def undecorated(source: str) -> str:
    """The same program, in which a function with one of those decorators is decorated below.

    >>> print(undecorated("class A:\\n    @property\\n    def a(self):\\n        return 1\\n"), end="")
    class A:
        def a(self):
            return 1
        a = property(a)
    """
    lines = source.splitlines()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    for node in sorted(functions, key=lambda node: node.lineno, reverse=True):
        names = [ast.unparse(decorator) for decorator in node.decorator_list]
        if len(names) == 1 and names[0] in _MOVED:
            assert node.end_lineno is not None
            lines.insert(node.end_lineno, f"{' ' * node.col_offset}{node.name} = {names[0]}({node.name})")
            del lines[node.decorator_list[0].lineno - 1]
    return "\n".join(lines) + "\n"


def change_of(name: str, lines: Sequence[str], spans: Mapping[str, Sequence[int]]) -> Change:
    """What the mutant of this name changes, by the lines that mutmut made and those of its functions in there."""
    mangled = name.rpartition(".")[2]
    original = f"{mangled.partition('__mutmut_')[0]}__mutmut_orig"
    # A function is called x_name, and a method xǁClassǁname.
    path = original.removesuffix("__mutmut_orig").removeprefix("x_").removeprefix("xǁ").split("ǁ")
    before, after = (_body(lines, spans[key], key, path[-1]) for key in (original, mangled))
    marks = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
    removed, added = ("\n".join(line[1:] for line in marks if line[0] == sign) for sign in "-+")
    return Change(".".join(path), removed, added)


def _body(lines: Sequence[str], span: Sequence[int], key: str, function: str) -> list[str]:
    return [line.strip().replace(key, function) for line in lines[span[0] - 1 : span[1]]]
