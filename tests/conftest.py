"""What the tests share: pytest sessions inside of tests, and a check that needs no torch."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import runpy
import sys
from pathlib import Path

import pytest

from tests.installed import before
from tests.outer import OUTER

# Two processes share the processors: with a thread for each of them and more, both are slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Processes that keep no bytecode would compile the whole package anew, each of hundreds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# No process of the tests opens a connection: this one, and those that it starts.
QUIET = Path(__file__).parent / "quiet"
runpy.run_path(str(QUIET / "sitecustomize.py"))
os.environ["PYTHONPATH"] = os.pathsep.join([str(QUIET), *filter(None, [os.environ.get("PYTHONPATH")])])

SAMPLE = Path(__file__).parents[1] / "sample_project"

MODULES_OF_THE_SAMPLE = (
    "text.encoder",
    "text.minilm",
    "text.tokenizer",
    "text.triplets",
    "transformer.anomaly",
    "transformer.copying",
    "transformer.released",
    "transformer.reversal",
    "train",
    "vision.classifier",
    "vision.data",
    "vision.evaluate",
    "vision.part",
    "vision.train",
    "vision.variants",
)

SMALL_CHECK = '''
import pytest
from pytest_modelcheck import Result, check

@check
def small(number, /, *, at_most: int) -> Result:
    """The number is at most this."""
    if isinstance(number, Exception):
        raise number
    ok = number <= at_most
    message = "" if ok else f"{number} is more than {at_most}"
    return Result("passed" if ok else "failed", f"at most {at_most}", str(number), message, margin=at_most - number)

def pytest_modelcheck_checks(config):
    return [small]

@pytest.fixture
def number():
    return 5
'''

PROCESSES = ("-n0", "-n2")


@pytest.fixture(scope="session")
def modelrepo() -> None:
    """The sample project's packages, loaded here once: a pytest run inside a test drops what it loads itself."""
    for package in ("transformers", "pytorch_lightning", "torchvision"):
        pytest.importorskip(package)
    sys.path.insert(0, str(SAMPLE))
    for module in MODULES_OF_THE_SAMPLE:
        importlib.import_module(f"modelrepo.{module}")
    importlib.import_module("safetensors.torch")


@pytest.fixture(scope="session")
def _loaded():
    """Torch and the package, loaded once: a session inside of a test forgets the modules that it loads itself."""
    for package, module in (("numpy", "random"), ("torch", "_dynamo")):  # what seeding them loads
        if importlib.util.find_spec(package):
            importlib.import_module(f"{package}.{module}")

    import pytest_modelcheck.asserts
    import pytest_modelcheck.plugin.handle
    import pytest_modelcheck.plugin.reporter
    import pytest_modelcheck.plugin.running  # noqa: F401


@pytest.fixture
def pytester(_loaded, pytester, monkeypatch):
    """A folder for a pytest session of its own, away from what the environment says."""
    for name in OUTER:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if before("pytest", "9.2"):  # it takes a file that was written again within a second for the same
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return pytester


@pytest.fixture
def small_check(pytester):
    """A session with the marker `modelcheck_small`, and the fixture `number`, which is 5."""
    pytester.makeconftest(SMALL_CHECK)
    return pytester


@pytest.fixture
def run_gates(pytester):
    """Run the session's gates: what pytest said, and the rows of the JSON report by test and check."""

    def run(*args, **options):
        path = pytester.path / "rows.json"
        path.unlink(missing_ok=True)
        result = pytester.runpytest_inprocess("--modelcheck", f"--modelcheck-report={path}", *args, **options)
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
        return result, rows

    return run


@pytest.fixture(params=PROCESSES, ids=["serial", "n2"])
def processes(request):
    """The option that runs a session in this process, or in two of its own."""
    return request.param
