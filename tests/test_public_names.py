"""The public names: they resolve, they agree with each other, and each explains itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_modelcheck
from pytest_modelcheck import asserts
from pytest_modelcheck.checks import FAMILIES, load_check
from pytest_modelcheck.mechanism import Check

NAMES = [name for names in FAMILIES.values() for name in names]
FORMS = [f"assert_{name}" for name in NAMES]


def _python(*lines):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", pytest_modelcheck.__all__)
def test_each_public_name_resolves(name):
    assert getattr(pytest_modelcheck, name).__doc__


def test_public_names_are_sorted_and_listed():
    assert pytest_modelcheck.__all__ == sorted(pytest_modelcheck.__all__)
    assert dir(pytest_modelcheck) == sorted([*pytest_modelcheck.__all__, "__version__"])


def test_public_names_families_and_assert_forms_agree():
    assert sorted(FORMS) == [name for name in pytest_modelcheck.__all__ if name.startswith("assert_")]
    assert sorted(FORMS) == sorted(name for name in vars(asserts) if name.startswith("assert_"))


def test_what_a_type_checker_sees_is_what_there_is():
    tree = ast.parse(Path(pytest_modelcheck.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: item.module for item in block.body for alias in item.names}
    assert sorted(seen) == pytest_modelcheck.__all__
    for name, module in seen.items():
        assert getattr(importlib.import_module(module), name) is getattr(pytest_modelcheck, name)


def test_a_family_is_a_file_whose_checks_are_all_in_it():
    for family, names in FAMILIES.items():
        module = importlib.import_module(f"pytest_modelcheck.checks.{family}")
        own = [name for name, value in vars(module).items() if isinstance(value, Check)]
        assert sorted(own) == sorted(names)


def test_no_two_checks_have_one_name():
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_check_explains_itself(name):
    check = load_check(name)
    assert check.name == name
    assert check.marker == f"modelcheck_{name}"
    assert check.summary.endswith(".")
    assert ">>> " in check.__doc__
    assert check.marker_line.startswith(f"modelcheck_{name}(")
    assert check.marker_line.endswith(f"{check.summary} Subjects: the fixtures {', '.join(check.subjects)}.")


@pytest.mark.parametrize("name", NAMES)
def test_each_assert_form_is_its_checks(name):
    check, form = load_check(name), getattr(pytest_modelcheck, f"assert_{name}")
    assert form is check.assert_form
    assert form.__name__ == f"assert_{name}"
    assert form.__doc__ == check.__doc__
    assert inspect.signature(form) == inspect.signature(check.function)


def test_there_is_no_check_of_another_name():
    with pytest.raises(KeyError, match="nothing"):
        load_check("nothing")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="^module 'pytest_modelcheck' has no attribute 'assert_nothing'$"):
        _ = pytest_modelcheck.assert_nothing


@pytest.mark.parametrize("name", ["ConfigError", "MissingDependency", "ModelCheckError", "ModelCheckFailure"])
def test_an_error_is_named_as_it_is_imported(name):
    assert getattr(pytest_modelcheck, name).__module__ == "pytest_modelcheck"


def test_check_is_the_decorator_whatever_was_imported_before():
    result = _python(
        "import pkgutil, importlib, pytest_modelcheck",
        "for item in pkgutil.walk_packages(pytest_modelcheck.__path__, 'pytest_modelcheck.'):",
        "    if '.plugin' not in item.name: importlib.import_module(item.name)",
        "from pytest_modelcheck import check",
        "print(check.__module__, callable(check))",
    )
    assert (result.stdout, result.stderr) == ("pytest_modelcheck.mechanism True\n", "")


def test_every_name_is_imported_without_a_warning():
    result = _python("from pytest_modelcheck import *", "print(assert_shape.__name__, check.__name__)")
    assert (result.stdout, result.stderr) == ("assert_shape check\n", "")


def test_a_check_works_without_pytest_and_without_a_plugin():
    result = _python(
        "import sys",
        "from pytest_modelcheck import Result, check",
        "@check",
        "def small(number, /, *, at_most: int) -> Result:",
        "    '''The number is small.'''",
        "    return Result('passed' if number <= at_most else 'failed', 'p', 'm', 'too large')",
        "print(small(3, at_most=4).ok, small(5, at_most=4).message, 'pytest' in sys.modules)",
    )
    assert (result.stdout, result.stderr) == ("True small of int: too large False\n", "")
