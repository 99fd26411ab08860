"""Optional packages that are not installed: the tests are collected, and what needs one says what installs it."""

from __future__ import annotations

import pytest

from tests.faults.fault import Fault, Group
from tests.faults.rows.forward import model

# Loaded as a plugin before anything else: whoever looks for one of these packages finds none.
ABSENT = """
import sys

ABSENT = {names!r}


class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in ABSENT else self.finder.find_spec(name, path, target)


sys.meta_path[:] = map(Hiding, sys.meta_path)
for name in [name for name in sys.modules if name.partition(".")[0] in ABSENT]:
    del sys.modules[name]
"""


def without(*names: str, test: str, message: str, options: tuple[str, ...] = ()) -> Fault:
    """A gate in a process that has not these packages."""
    return Fault(test, message, options=("-p", "absent", *options), files={"absent.py": ABSENT.format(names=names)})


def refused(name: str, report: str, extra: str) -> Fault:
    """A report that nobody could write: a usage error before any test."""
    return Fault(
        GATE.format(body="..."),
        f"ERROR: modelcheck: --modelcheck-report={report} needs {name}, which is not installed: {install(extra)}",
        "",
        pytest.ExitCode.USAGE_ERROR,
        options=("-p", "absent", f"--modelcheck-report={report}"),
        files={"absent.py": ABSENT.format(names=(name,))},
        goes_on=False,
    )


def install(extra: str) -> str:
    return f'pip install "pytest-modelcheck[{extra}]"'


GATE = """
import pytest

@pytest.mark.modelcheck
def test_fault():
    {body}
"""

OWN = """
import pytest

@pytest.fixture
def tokenizer():
    from {package} import {name}
    return {name}

@pytest.mark.modelcheck_roundtrip
def test_fault(): ...
"""

COUNTED = GATE.format(body="from pytest_modelcheck import assert_parameters; assert_parameters(object(), total=5)")

DIGITS = """
def test_fault(modelcheck_mnist): ...
"""

METRIC = """
import pytest

@pytest.mark.modelcheck
def test_fault():
    from torchmetrics import MeanSquaredError
"""

EVALUATED = (
    model("pass").partition("@pytest")[0]
    + """
import sys
from pytest_modelcheck import assert_accuracy

@pytest.mark.modelcheck
def test_fault(monkeypatch):
    monkeypatch.setitem(sys.modules, "{package}", None)
    data = torch.utils.data.TensorDataset(torch.ones(400, 4), torch.ones(400, dtype=torch.long))
    assert_accuracy(MODEL, data, min=0.5, {promise})
"""
)

NEEDS = "{} needs {}, which cannot be imported (…). {}"

GROUP = Group(
    "Packages that are not there",
    {
        "no torch: a check of a model": without(
            "torch",
            test=COUNTED,
            message="parameters of object: not measured: "
            + NEEDS.format("looking at a model", "torch", install("torch")),
        ),
        "no transformers: a fixture of the user's": without(
            "transformers",
            test=OWN.format(package="transformers", name="AutoTokenizer"),
            message=f"setup: ModuleNotFoundError: No module named 'transformers'. {install('hf')}",
        ),
        "no tokenizers: a fixture of the user's": without(
            "tokenizers",
            test=OWN.format(package="tokenizers", name="Tokenizer"),
            message=f"setup: ModuleNotFoundError: No module named 'tokenizers'. {install('hf')}",
        ),
        "no torchmetrics: a metric of the user's": without(
            "torchmetrics",
            test=METRIC,
            message=f"call: ModuleNotFoundError: No module named 'torchmetrics'. {install('lightning')}",
        ),
        "no torchvision: the fixture of MNIST": without(
            "torchvision",
            test=DIGITS,
            message=f"setup: MissingDependency: {NEEDS.format('MNIST', 'torchvision', install('vision'))}",
        ),
        "no Lightning: an accuracy in its precision": Fault(
            EVALUATED.format(package="pytorch_lightning", promise="precision='bf16-true'"),
            "accuracy of Classifier: not measured: "
            + NEEDS.format("precision='bf16-true'", "pytorch_lightning", install("lightning")),
        ),
        "no numpy: an accuracy that may stop early": Fault(
            EVALUATED.format(package="numpy", promise="early_stop=0.001"),
            f"accuracy of Classifier: not measured: {NEEDS.format('early stopping', 'numpy', install('torch'))}",
        ),
        "no jinja2: the HTML report": refused("jinja2", "page.html", "html"),
        "no huggingface_hub: the results of a model card": refused("huggingface_hub", "results.yaml", "hf"),
    },
)
