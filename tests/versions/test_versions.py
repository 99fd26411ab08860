"""The command that runs the tests beside other versions: what it reads, what it installs, and what it leaves out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.versions import __main__ as command
from tests.versions.bounds import ROOT, lowest, module_of, project, requirements
from tests.versions.needs import Needs
from tests.versions.surroundings import EVERY

SMALL = {
    "name": "some.project",
    "dependencies": ["one>=1.2", "Two_Parts>=3,!=3.5"],
    "optional-dependencies": {"more": ["one>=1.10", "three[x]~=2.1"], "all": ["Some-Project[more]", "four==4"]},
}

# What core has beside the package.
RUNNERS = {"pytest", "filelock", "pytest-xdist", "hypothesis"}


def names(texts):
    return {Requirement(text).name.lower() for text in texts}


def test_the_lowest_versions_are_those_of_the_bounds():
    found = requirements(SMALL)
    assert [requirement.name for requirement in found] == ["one", "Two_Parts", "one", "three", "four"]
    assert lowest(found) == ["one==1.10", "two-parts==3", "three==2.1", "four==4"]


BAD = {
    "no lower bound": (["one"], "one has no lower bound: name>=version is expected"),
    "an upper bound alone": (["one<2"], "one<2 has no lower bound: name>=version is expected"),
    "bounds that clash": (["one>=2", "one>=1,<2"], "one<2,>=1 does not admit 2, the lowest version of the others"),
    "a bound left out": (["one>=2,!=2"], "one!=2,>=2 does not admit 2, the lowest version of the others"),
}


@pytest.mark.parametrize(("texts", "message"), BAD.values(), ids=BAD)
def test_bounds_that_have_no_lowest_version_are_refused(texts, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the message is compared whole)
        lowest([Requirement(text) for text in texts])
    assert str(caught.value) == message


def test_every_requirement_of_this_project_has_a_lowest_version():
    every = requirements(project())
    pinned = EVERY["lowest"].pinned(every)
    assert {text.partition("==")[0] for text in pinned} == {item.name.lower() for item in every}
    assert "torch==2.6" in pinned
    assert EVERY["newest"].pinned(every) == []


def test_each_name_leaves_out_what_it_says():
    every = requirements(project())
    assert names(EVERY["core"].installed(every)) == RUNNERS
    for name, absent in {
        "no-torch": {"torch", "torchvision", "torchinfo", "torchmetrics", "pytorch-lightning"},
        "no-transformers": {"transformers", "tokenizers"},
        "no-lightning": {"pytorch-lightning", "torchmetrics"},
    }.items():
        left = names(EVERY[name].installed(every))
        assert names(map(str, every)) - left == absent


def test_modules_of_distributions():
    assert [module_of(name) for name in ("PyYAML", "pytorch-lightning", "Torch")] == [
        "yaml",
        "pytorch_lightning",
        "torch",
    ]


def test_help_names_each(capsys):
    with pytest.raises(SystemExit):
        command.parsed(["--help"])
    said = capsys.readouterr().out
    assert all(f"  {name:16} {surroundings.told}" in said for name, surroundings in EVERY.items())


def test_an_unknown_name_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        command.parsed(["lowest", "oldest"])
    assert caught.value.code == 2
    assert "invalid choice: 'oldest'" in capsys.readouterr().err


def test_a_package_that_is_there_after_all_is_not_told_to_be_absent():
    with pytest.raises(SystemExit) as caught:
        command._require_absent(Path(sys.executable), ["pytest", "no_such_package"])
    assert str(caught.value).startswith("pytest is to be absent, and another package has brought it")


FILE = """
import pytest
from tests.letters import Letters

SESSION = '''
import json
import torch
'''

TABLE = {"tensors": "import torch", "texts": "import json"}

def helper():
    from transformers import AutoTokenizer

@pytest.fixture
def plain(): ...

def test_nothing(plain): ...

def test_text(pytester): pytester.makepyfile(SESSION)

def test_function(): helper()

def test_word(): "the fixture modelcheck_mnist"

@pytest.mark.parametrize("text", TABLE.values())
def test_one_of_many(text): ...
"""

EXPECTED = {
    "test_nothing": set(),
    "test_text": {"torch"},
    "test_function": {"transformers"},
    "test_word": {"torchvision"},
    "test_one_of_many": {"torch"},
}


@pytest.fixture
def needs():
    found = Needs()
    found.absent = frozenset({"torch", "transformers", "torchvision"})
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_test_needs_is_read_from_it_and_from_what_it_uses(needs, tmp_path, name):
    path = tmp_path / "test_it.py"
    path.write_text(FILE, encoding="utf-8")
    assert needs.of_file(path) == set()
    assert needs.of_function(path, name) == EXPECTED[name]


def test_of_a_table_a_test_needs_only_the_entry_that_it_is_given(needs, tmp_path):
    path = tmp_path / "test_it.py"
    path.write_text(FILE, encoding="utf-8")
    assert needs.of_function(path, "test_one_of_many", {"text": "import json"}) == set()
    assert needs.of_function(path, "test_one_of_many", {"text": "import torch"}) == {"torch"}
    assert needs.of_function(path, "test_one_of_many", {"text": len}) == {"torch"}


def test_a_file_needs_what_it_imports_at_its_top(needs, tmp_path):
    (tmp_path / "helper.py").write_text("import torch\n", encoding="utf-8")
    path = tmp_path / "test_it.py"
    path.write_text("from helper import anything\n", encoding="utf-8")
    assert needs.of_file(path) == {"torch"}


def test_what_needs_an_absent_package_is_skipped_and_says_so(pytester, monkeypatch):
    pytester.makepyfile(
        hidden="import importlib.util as util\nfind = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'torch' else find(name, *rest)\n",
        test_top="import torch\ndef test_it(): ...\n",
        test_it="def test_needs():\n    import torch\n\ndef test_other(): ...\n",
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    options = ("-p", "hidden", "-p", "tests.versions.absence", "-rs")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    result = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True)
    assert "1 passed, 2 skipped" in result.stdout, result.stdout
    assert result.stdout.count("needs torch") == 2
