"""What a gate costs over a plain assert: 1,000 trivial gates beside 1,000 plain asserts, whole sessions."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from tests.benchmarks.peers import Peers
from tests.benchmarks.results import Goal, Section
from tests.benchmarks.rounds import Contender, interleaved, table

_GATES = 1000

# A check of next to nothing, and a fixture as its subject: what is left is what the plugin costs.
_CHECK = """\
import pytest

from pytest_modelcheck import Result, check


@check
def answer(value, /, *, equals: int) -> Result:
    "The value is this one."
    return Result("passed" if value == equals else "failed", promised=f"{equals}", measured=f"{value}")


def pytest_modelcheck_checks(config):
    return [answer]


@pytest.fixture
def value():
    return 42
"""

_MODEL = """\
import pytest
from torch import nn


@pytest.fixture(scope="session")
def model():
    return nn.Linear(2, 2)
"""

_COUNTED = "sum(parameter.numel() for parameter in model.parameters())"

# The surroundings, the first lines of the tests' file, and one test of each kind.
_PLAIN, _ASSERTS, MARKERS = "plain asserts", "gates, as asserts", "gates, as markers"
A_NUMBER = (
    _CHECK,
    "import pytest\n\nfrom conftest import answer\n\n\n",
    {
        _PLAIN: "def test_{0}(value):\n    assert value == 42\n",
        _ASSERTS: "@pytest.mark.modelcheck\ndef test_{0}(value):\n    answer.assert_form(value, equals=42)\n",
        MARKERS: "@pytest.mark.modelcheck_answer(equals=42)\ndef test_{0}(): ...\n",
    },
)
_A_MODEL = (
    _MODEL,
    "import pytest\n\nfrom pytest_modelcheck import assert_parameters\n\n\n",
    {
        _PLAIN: f"def test_{{0}}(model):\n    assert {_COUNTED} == 6\n",
        _ASSERTS: "@pytest.mark.modelcheck\ndef test_{0}(model):\n    assert_parameters(model, total=6)\n",
        MARKERS: "@pytest.mark.modelcheck_parameters(total=6)\ndef test_{0}(): ...\n",
    },
)


def measure(peers: Peers, rounds: int) -> Section:
    """Plain asserts run beside the plugin without `--modelcheck`, which passes no session without a gate."""
    parts, goals = [], []
    for kind, (surroundings, head, tests) in (("a number", A_NUMBER), ("a model", _A_MODEL)):
        with tempfile.TemporaryDirectory() as name:
            contenders = {}
            for number, (told, test) in enumerate(tests.items()):
                folder = Path(name) / str(number)
                folder.mkdir()
                (folder / "conftest.py").write_text(surroundings, encoding="utf-8")
                contenders[told] = session(peers.beside_torch, folder, head, test, _GATES, has_gates=told != _PLAIN)
            costs = interleaved(f"{_GATES} gates on {kind}", contenders, rounds)
        parts.append(f"### {_GATES:,} of each, on {kind}, {rounds} rounds\n\n{table(costs, _PLAIN)}")
        for told in (_ASSERTS, MARKERS):
            pairs = zip(costs[told], costs[_PLAIN], strict=True)
            each = statistics.median(gate.cpu - plain.cpu for gate, plain in pairs) / _GATES * 1000
            goals.append(Goal(f"{told}, on {kind}: one over a plain assert", each, 1.0, " ms"))
    return Section("What a gate costs", "\n\n".join(parts), tuple(goals))


def session(python: Path, folder: Path, head: str, test: str, number: int, *, has_gates: bool = True) -> Contender:
    """A session of so many of the same test, each with its own name. The folder has its conftest.py."""
    text = head + "\n\n".join(test.format(index) for index in range(number))
    (folder / "test_gates.py").write_text(text, encoding="utf-8")
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "pytest_modelcheck.plugin",
        *(["--modelcheck"] if has_gates else []),
    ]
    return Contender(
        [str(python), "-W", "ignore", "-m", "pytest", *options],
        lambda told: f"{number} passed" in told.replace(",", ""),
        folder,
        {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
