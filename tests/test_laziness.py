"""Unused costs nothing: what a process loads, seen from inside of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = frozenset(
    {
        "torch",
        "transformers",
        "tokenizers",
        "lightning",
        "pytorch_lightning",
        "torchmetrics",
        "numpy",
        "torchvision",
        "safetensors",
    }
)

# Other plugins of this environment may load what they like; the plugin and xdist are what is looked at.
ALONE = ("-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:jaxtyping")

WITNESS = """
import os
import sys
import pytest

@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    name = os.environ.get("PYTEST_XDIST_WORKER", "controller")
    tops = sorted({module.partition(".")[0] for module in sys.modules})
    with open(f"loaded-{name}.txt", "w") as file:
        file.write(" ".join(tops))
"""

GATES = """
import pytest

def test_ordinary(): ...

@pytest.mark.modelcheck_parameters(total=15)
def test_size(): ...

@pytest.mark.modelcheck_accuracy(min=0.9)
def test_accuracy(): ...

def test_texts(modelcheck_texts): ...
"""

TOKENIZER = """
import pytest

@pytest.fixture
def tokenizer():
    from tokenizers import Tokenizer, decoders, models

    made = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate("ab ")}, merges=[]))
    made.decoder = decoders.Fuse()
    return made

@pytest.mark.modelcheck_roundtrip(texts=["a b"])
@pytest.mark.modelcheck_token_ids(text="ab", ids=[0, 1])
def test_tokenizer(): ...
"""

SIZE = """
import pytest

@pytest.fixture
def model():
    import torch

    return torch.nn.Linear(4, 3)

@pytest.mark.modelcheck_parameters(total=15)
def test_size(): ...
"""


@pytest.fixture
def session(pytester):
    pytester.makeconftest(WITNESS)

    def run(text, *arguments):
        pytester.makepyfile(test_it=text)
        result = pytester.run(sys.executable, "-m", "pytest", *ALONE, *arguments)
        files = sorted(pytester.path.glob("loaded-*.txt"))
        return result, {path.stem.removeprefix("loaded-"): HEAVY & set(path.read_text().split()) for path in files}

    return run


def _loaded_by(*lines):
    program = "\n".join(["import sys", *lines, "print(*{name.partition('.')[0] for name in sys.modules})"])
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_without_modelcheck_nothing_heavy_is_loaded(session):
    result, loaded = session(GATES)
    result.assert_outcomes(passed=1, skipped=3)
    assert loaded == {"controller": set()}


def test_nor_by_the_processes_of_xdist(session):
    result, loaded = session(GATES, "-n2")
    result.assert_outcomes(passed=1, skipped=3)
    assert loaded == {"controller": set(), "gw0": set(), "gw1": set()}


def test_nor_by_listing_markers_fixtures_or_tests(session):
    for question in ("--markers", "--fixtures", "--help"):
        result, loaded = session(GATES, "--modelcheck", question)
        assert result.ret == pytest.ExitCode.OK
        assert set().union(*loaded.values()) == set()
    result, loaded = session(GATES, "--modelcheck", "--collect-only")
    assert loaded == {"controller": set()}


def test_gates_of_tokenizers_load_no_torch(session):
    result, loaded = session(TOKENIZER, "--modelcheck", "--modelcheck-report=r.json", "--modelcheck-report=r.html")
    result.assert_outcomes(passed=1)
    assert loaded == {"controller": {"tokenizers"}}


@pytest.mark.slow  # a process of its own loads torch
def test_counting_parameters_loads_torch_and_nothing_beside_it(session):
    result, loaded = session(SIZE, "--modelcheck")
    result.assert_outcomes(passed=1)
    assert "torch" in loaded["controller"]
    assert loaded["controller"] <= {"torch", "numpy"}


def test_what_a_test_loads_is_seen(session):
    result, loaded = session("def test_it():\n    import tokenizers\n")
    result.assert_outcomes(passed=1)
    assert loaded == {"controller": {"tokenizers"}}


def test_importing_the_package_loads_neither_pytest_nor_torch():
    loaded = _loaded_by("import pytest_modelcheck", "pytest_modelcheck.__version__")
    assert loaded & (HEAVY | {"pytest", "_pytest", "pytest_modelcheck"}) == {"pytest_modelcheck"}


def test_nor_does_using_its_names():
    loaded = _loaded_by("from pytest_modelcheck import *", "assert_shape, assert_accuracy, assert_roundtrip, Result")
    assert loaded & (HEAVY | {"pytest", "_pytest"}) == set()


def test_what_a_program_loads_is_seen():
    assert "pytest" in _loaded_by("import pytest_modelcheck", "import pytest")


def test_without_modelcheck_what_runs_gates_is_not_loaded(pytester):
    program = (
        "import sys, pytest; pytest.main(['-q', '-p', 'no:cacheprovider']);"
        "print('loaded:', *sorted(name for name in sys.modules if name.startswith('pytest_modelcheck.')))"
    )
    pytester.makepyfile(test_it="def test_it(): ...\n")
    result = pytester.run(sys.executable, "-c", program)
    [line] = [line for line in result.outlines if line.startswith("loaded:")]
    names = ("plugin", "plugin.marks", "plugin.options", "checks")
    assert line.split()[1:] == sorted(f"pytest_modelcheck.{name}" for name in names)
