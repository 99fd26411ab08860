"""The floors of the package: imports run downwards only, and the rules that keep it light, safe and readable."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pytest_modelcheck

PACKAGE = "pytest_modelcheck"
ROOT = Path(pytest_modelcheck.__file__).parent

# From top to bottom. A part imports its own floor and those under it.
FLOORS = (
    ("plugin", "__main__"),
    ("checks", "asserts", "strategies"),
    ("models", "evaluation"),
    (
        "tokenization",
        "reports",
        "baselines",
        "mechanism",
        "guard",
        "leaks",
        "process",
        "devices",
        "memory",
        "context",
        "tensors",
        "progress",
        "waivers",
        "strict_json",
    ),
    ("result", "errors", "comparison", "escape", "settled", "__version__"),
)

# Parts of one floor that do not know each other.
STRANGERS = (("models", "evaluation"), ("evaluation", "models"), ("plugin", "__main__"), ("__main__", "plugin"))

HEAVY = frozenset(
    {
        "torch",
        "transformers",
        "tokenizers",
        "numpy",
        "torchvision",
        "torchmetrics",
        "lightning",
        "pytorch_lightning",
        "safetensors",
        "sentencepiece",
        "tiktoken",
        "tqdm",
        "hypothesis",
    }
)

# What a module may call for a name of its own: values that nothing changes.
IMMUTABLE_CALLS = frozenset(
    {
        "ContextVar",
        "pytest.StashKey",
        "StashKey",
        "MappingProxyType",
        "ParamSpec",
        "TypeVar",
        "frozenset",
        "tuple",
        "re.compile",
    }
)

LONGEST_FILE = 300
LONGEST_HOOK = 5
HOOK_FILES = ("plugin/__init__.py", "plugin/running.py")


def _files():
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")}


FILES = _files()


def part_of(name):
    """The folder or file right under the package, of a path or of a dotted module name."""
    words = name.removesuffix(".py").replace("/", ".").removeprefix(f"{PACKAGE}.").split(".")
    return words[0]


def floor_of(part):
    return next((index for index, parts in enumerate(FLOORS) if part in parts), None)


def imports_of(source, path="module.py"):
    """Each imported module, its line, whether it is under TYPE_CHECKING, and whether it stands in a function."""
    found = []

    def visit(node, typing, inside):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, child.lineno, typing, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                found.extend((name, child.lineno, typing, inside) for name in _from(child, path))
            elif isinstance(child, ast.If) and _is_type_checking(child.test):
                visit(ast.Module(child.body, []), True, inside)
                visit(ast.Module(child.orelse, []), typing, inside)
            else:
                function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                visit(child, typing, inside or function)

    visit(ast.parse(source), False, False)
    return found


def _from(node, path):
    base = node.module or ""
    if node.level:
        folder = f"{PACKAGE}/{path}".split("/")[: -node.level]
        base = ".".join([*folder, *([base] if base else [])])
    # Of the package itself, what is imported may be a part of it.
    return [f"{base}.{alias.name}" for alias in node.names] if base == PACKAGE else [base]


def _is_type_checking(test):
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def arrows_up(path, source):
    """The imports of one file that its floor forbids, also those inside functions and for types alone."""
    here = part_of(path)
    problems = []
    if here == "__init__":
        return problems
    if floor_of(here) is None:
        return [f"{path}: {here} stands on no floor"]
    for name, line, typing, _ in imports_of(source, path):
        top = name.partition(".")[0]
        kind = " (for types)" if typing else ""
        if top == "pytest" or top == "_pytest":
            if here != "plugin":
                problems.append(f"{path}:{line} imports {name}{kind}")
        elif top == PACKAGE:
            there = part_of(name)
            floor = floor_of(there)
            if floor is None or floor < floor_of(here) or (here, there) in STRANGERS:
                problems.append(f"{path}:{line} imports {name}{kind}")
    return problems


def heavy_imports(path, source):
    """Imports of optional packages that run when the file is imported; and any at all where there must be none."""
    bare = path in ("evaluation/gate.py", "evaluation/intervals.py")
    return [
        f"{path}:{line} imports {name}"
        for name, line, typing, inside in imports_of(source, path)
        if name.partition(".")[0] in HEAVY and (bare or not (typing or inside))
    ]


def mutable_globals(path, source):
    """Names of a module whose values could change."""
    problems = []
    for node in _statements(ast.parse(source).body):
        if isinstance(node, ast.Assign):
            names, value = [ast.unparse(target) for target in node.targets], node.value
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            names, value = [ast.unparse(node.target)], node.value
        else:
            continue
        if value is not None and names != ["__all__"] and not _is_constant(value):
            problems.append(f"{path}:{node.lineno} {', '.join(names)} = {ast.unparse(value)[:40]}")
    return problems


def _statements(body):
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
            yield from _statements([*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])])


def _is_constant(value):
    if isinstance(value, ast.Tuple):
        return all(map(_is_constant, value.elts))
    if isinstance(value, ast.Call):
        name = ast.unparse(value.func).partition("[")[0]
        return name in IMMUTABLE_CALLS
    if isinstance(value, ast.BinOp):
        return _is_constant(value.left) and _is_constant(value.right)
    if isinstance(value, ast.UnaryOp):
        return _is_constant(value.operand)
    if isinstance(value, ast.Lambda):  # a function, whose defaults are all that it could keep
        return not value.args.defaults and not any(value.args.kw_defaults)
    # A subscript is the name of a type, and so is an attribute: nothing is made by either.
    return isinstance(value, ast.Constant | ast.Name | ast.Attribute | ast.Subscript | ast.JoinedStr)


def long_hooks(path, source):
    """Hooks that are more than a few statements over plain functions."""
    return [
        f"{path}:{node.lineno} {node.name} has {count} statements"
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("pytest_")
        if (count := sum(isinstance(item, ast.stmt) for item in ast.walk(node)) - 1) > LONGEST_HOOK
    ]


@pytest.mark.parametrize("path", FILES)
def test_imports_run_downwards(path):
    assert arrows_up(path, FILES[path]) == []


@pytest.mark.parametrize("path", FILES)
def test_optional_packages_are_imported_inside_functions(path):
    assert heavy_imports(path, FILES[path]) == []


@pytest.mark.parametrize("path", FILES)
def test_no_module_holds_what_could_change(path):
    assert mutable_globals(path, FILES[path]) == []


@pytest.mark.parametrize("path", FILES)
def test_no_file_is_long(path):
    assert FILES[path].count("\n") <= LONGEST_FILE


@pytest.mark.parametrize("path", HOOK_FILES)
def test_hooks_are_short(path):
    assert long_hooks(path, FILES[path]) == []


def test_every_part_stands_on_a_floor():
    parts = {part_of(path) for path in FILES} - {"__init__"}
    assert {part for part in parts if floor_of(part) is None} == set()


def test_hook_files_have_hooks():
    assert all("\ndef pytest_" in FILES[path] for path in HOOK_FILES)


BROKEN = {
    "a check imports the plugin": (
        arrows_up,
        "checks/new.py",
        "from pytest_modelcheck.plugin import gates",
        ["checks/new.py:1 imports pytest_modelcheck.plugin"],
    ),
    "inside a function": (
        arrows_up,
        "models/new.py",
        "def f():\n    from pytest_modelcheck.checks.shape import shape",
        ["models/new.py:2 imports pytest_modelcheck.checks.shape"],
    ),
    "for types": (
        arrows_up,
        "result.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pytest_modelcheck.mechanism import Check",
        ["result.py:3 imports pytest_modelcheck.mechanism (for types)"],
    ),
    "models and evaluation": (
        arrows_up,
        "evaluation/new.py",
        "import pytest_modelcheck.models.forward",
        ["evaluation/new.py:1 imports pytest_modelcheck.models.forward"],
    ),
    "from the package": (
        arrows_up,
        "errors.py",
        "from pytest_modelcheck import result, guard",
        ["errors.py:1 imports pytest_modelcheck.guard"],
    ),
    "a relative import": (
        arrows_up,
        "models/new.py",
        "from ..plugin import gates\nfrom . import forward\nfrom .. import checks",
        ["models/new.py:1 imports pytest_modelcheck.plugin", "models/new.py:3 imports pytest_modelcheck.checks"],
    ),
    "pytest below the plugin": (
        arrows_up,
        "mechanism.py",
        "import pytest",
        ["mechanism.py:1 imports pytest"],
    ),
    "a new part": (arrows_up, "cache.py", "", ["cache.py: cache stands on no floor"]),
    "torch at the top": (
        heavy_imports,
        "models/new.py",
        "import torch.nn\nfrom transformers import X\ntry:\n    import numpy\nexcept ImportError: ...",
        [
            "models/new.py:1 imports torch.nn",
            "models/new.py:2 imports transformers",
            "models/new.py:4 imports numpy",
        ],
    ),
    "torch in a class": (heavy_imports, "a.py", "class A:\n    import torch", ["a.py:2 imports torch"]),
    "torch in the arithmetic": (
        heavy_imports,
        "evaluation/gate.py",
        "def f():\n    import torch",
        ["evaluation/gate.py:2 imports torch"],
    ),
    "a list": (mutable_globals, "a.py", "CACHE = []", ["a.py:1 CACHE = []"]),
    "a dictionary": (mutable_globals, "a.py", "CACHE: dict = {}", ["a.py:1 CACHE = {}"]),
    "a comprehension": (mutable_globals, "a.py", "X = [n for n in y]", ["a.py:1 X = [n for n in y]"]),
    "a call": (mutable_globals, "a.py", "LOCK = Lock()", ["a.py:1 LOCK = Lock()"]),
    "a list in a tuple": (mutable_globals, "a.py", "X = (1, [])", ["a.py:1 X = (1, [])"]),
    "under a condition": (mutable_globals, "a.py", "if y:\n    X = set()", ["a.py:2 X = set()"]),
    "a long hook": (
        long_hooks,
        "plugin/running.py",
        "def pytest_x():\n    a()\n    b()\n    with c():\n        d()\n        e()\n        f()",
        ["plugin/running.py:1 pytest_x has 6 statements"],
    ),
}

SOUND = {
    "downwards": (arrows_up, "checks/new.py", "import math\nfrom pytest_modelcheck.models.forward import observe"),
    "its own floor": (arrows_up, "mechanism.py", "from pytest_modelcheck import guard, errors"),
    "pytest in the plugin": (arrows_up, "plugin/new.py", "import pytest"),
    "torch in a function": (heavy_imports, "models/new.py", "def f():\n    import torch"),
    "torch for types": (heavy_imports, "models/new.py", "if TYPE_CHECKING:\n    import torch"),
    "what nothing changes": (
        mutable_globals,
        "a.py",
        "A = 1\nB = (1, 'x')\nC = MappingProxyType({})\nD = ContextVar('d')\nE = pytest.StashKey[int]()\n"
        "F = re.compile('x')\n__all__ = []\nG = dict[str, int]\nH: int\nI = 2**32 - 1\nJ = -1",
    ),
}


@pytest.mark.parametrize(("rule", "path", "source", "problems"), BROKEN.values(), ids=BROKEN)
def test_a_rule_sees_what_breaks_it(rule, path, source, problems):
    assert rule(path, source) == problems


@pytest.mark.parametrize(("rule", "path", "source"), SOUND.values(), ids=SOUND)
def test_a_rule_lets_pass_what_keeps_it(rule, path, source):
    assert rule(path, source) == []
