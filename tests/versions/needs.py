"""What tests need that is not there, read from their syntax trees: the packages that they import, also in sessions.

A test needs what its file imports at the top, and what the functions, fixtures and texts import that it uses; texts are
read as well, because a session inside of a test is one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.versions.bounds import ROOT, module_of, project, requirements

# Modules that come with a requirement, whose own names are read from `pyproject.toml`.
_BROUGHT = ("huggingface_hub", "PIL", "pandas", "tomli", "lightning")

# Words for what the package itself imports.
_WORDS: Mapping[str, str] = MappingProxyType(
    {"modelcheck_mnist": "torchvision", "modelcheck_device": "torch", ".html": "jinja2"}
)

_IMPORT = re.compile(r"\b(?:import|from)\s+([a-zA-Z_][\w.]*)")


@dataclass
class _File:
    """A file of tests: what stands at its top, by name."""

    path: Path
    tree: ast.Module
    names: dict[str, list[ast.AST]] = field(default_factory=dict)
    helpers: dict[str, tuple[Path, str]] = field(default_factory=dict)


class Needs:
    """The optional packages that tests need and that this Python has not."""

    def __init__(self) -> None:
        names = {module_of(requirement.name) for requirement in requirements(project())} | {*_BROUGHT}
        self.absent = frozenset(name for name in names if find_spec(name) is None)
        self._files: dict[Path, _File] = {}
        self._tops: dict[Path, set[str]] = {}

    def of_file(self, path: Path) -> set[str]:
        """What a file needs so that it can be imported."""
        if not self.absent:
            return set()
        if path not in self._tops:
            self._tops[path] = set()  # for files that import each other
            tops = [node for node in self._file(path).tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            self._tops[path] = {name for node in tops for name in self._imported(node, path)}
        return self._tops[path]

    def of_function(self, path: Path, name: str, params: Mapping[str, object] | None = None) -> set[str]:
        """What a function of a file needs, and what it uses there; of plain parameters, only those it is given."""
        found: set[str] = set()
        texts = None if params is None else _text_of(params)
        todo = [(path, node, texts is not None) for node in self._file(path).names.get(name, ())]
        seen: set[ast.AST] = set()
        if texts is not None:
            found |= self.of_text(texts, path)
        while todo:
            path, node, without_decorators = todo.pop()
            if node in seen:
                continue
            seen.add(node)
            file = self._file(path)
            for child in _walk(node, without_decorators):
                if isinstance(child, ast.Import | ast.ImportFrom):
                    found |= self._imported(child, path)
                elif isinstance(child, ast.Constant) and isinstance(child.value, str):
                    found |= self.of_text(child.value, path)
                elif isinstance(child, ast.Name) and child.id in file.names:
                    todo += [(path, other, False) for other in file.names[child.id]]
                elif isinstance(child, ast.Name) and child.id in file.helpers:
                    helper, original = file.helpers[child.id]
                    todo += [(helper, other, False) for other in self._file(helper).names.get(original, ())]
        return found

    def of_text(self, text: str, path: Path) -> set[str]:
        """What a session imports that is written down as a text."""
        words = {module for word, module in _WORDS.items() if word in text} & self.absent
        return words.union(*(self._module(name, path) for name in _IMPORT.findall(text)))

    def _imported(self, node: ast.Import | ast.ImportFrom, path: Path) -> set[str]:
        if isinstance(node, ast.ImportFrom):
            return self._module(node.module or "", path)
        return set().union(*(self._module(alias.name, path) for alias in node.names))

    def _module(self, name: str, path: Path) -> set[str]:
        helper = _helper(name, path)
        if helper is not None:
            return self.of_file(helper)
        return {name.partition(".")[0]} & self.absent

    def _file(self, path: Path) -> _File:
        if path not in self._files:
            file = self._files[path] = _File(path, ast.parse(path.read_text(encoding="utf-8")))
            for node in file.tree.body:
                for name in _named(node):
                    file.names.setdefault(name, []).append(node)
                helper = _helper(node.module or "", path) if isinstance(node, ast.ImportFrom) else None
                if helper is not None:
                    file.helpers |= {alias.asname or alias.name: (helper, alias.name) for alias in node.names}
        return self._files[path]


def _helper(name: str, path: Path) -> Path | None:
    """The file of a module of the tests, or of the sample project."""
    parts = name.split(".")
    for folder in (ROOT, path.parent, ROOT / "tests", ROOT / "sample_project"):
        if parts[0] in ("tests", "modelrepo") or folder not in (ROOT, ROOT / "sample_project"):
            file = folder.joinpath(*parts).with_suffix(".py")
            if file.is_file():
                return file
    return None


def _named(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (child.id for target in targets for child in ast.walk(target) if isinstance(child, ast.Name))


def _walk(node: ast.AST, without_decorators: bool) -> Iterator[ast.AST]:
    if without_decorators and isinstance(node, ast.FunctionDef):
        for part in (node.args, *node.body):
            yield from ast.walk(part)
    else:
        yield from ast.walk(node)


def _text_of(value: Any) -> str | None:
    """All texts in a parameter; none where it holds what is no plain value, and may do anything."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int | float | bytes):
        return ""
    if isinstance(value, Mapping):
        return _joined((*value.keys(), *value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return _joined(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _joined(vars(value).values())
    return None


def _joined(values: Iterable[Any]) -> str | None:
    texts = [_text_of(value) for value in values]
    return None if None in texts else "\n".join(map(str, texts))
