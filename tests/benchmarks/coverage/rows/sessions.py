"""What is asked of a run and is not there, is misspelt, or is never done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.benchmarks.coverage.row import BENCHMARK, MODELCHECK, SYRUPY, TORCH, TORCHTEST, Group, Row, Use
from tests.benchmarks.coverage.rows.stores import LETTERS, OF_BENCHMARK, OF_SYRUPY, UPDATE_GOLDEN
from tests.benchmarks.coverage.rows.texts import GATES, MODEL
from tests.faults.rows.packages import ABSENT

HEAD = MODEL.format(forward="...", then="")
KEPT = LETTERS + '\n@pytest.mark.modelcheck_token_ids(text="abc", ids=[97, 98, 99])\ndef test_it(): ...\n'
MARKED = LETTERS + "\n@pytest.mark.SUBJECT\ndef test_it(): ...\n"
CHECKED = HEAD + GATES[MODELCHECK].format(mark="")
ON_DEVICE = """
import torch
from pytest_torch import check_inference_contract

def test_it(make_tensor, torch_device):
    check_inference_contract(torch.nn.Linear(4, 3).to(torch_device).eval(), make_tensor(8, 4))
"""
LATENCY = "import pytest\nimport torch\n\n@pytest.mark.SUBJECT\ndef test_it(latency):\n    latency(torch.ones, 9)\n"
MARKED_BENCHMARK = "import pytest\n\n@pytest.mark.SUBJECT\ndef test_it(benchmark):\n    benchmark(sorted, [2, 1])\n"
PLAIN_BENCHMARK = "def test_it(benchmark):\n    benchmark(sorted, [2, 1])\n"
SHORT = ("--benchmark-max-time=0.05",)

SUITE = """
import torch
from pytest_torch import BenchmarkSuite

class TestSpeed(BenchmarkSuite):
    batch_sizes = (2,)

    def make_model(self):
        return torch.nn.Linear(4, 3)

    def make_inputs(self, batch_size, make_tensor):
        return make_tensor(batch_size, 4)
"""

TRAINED = """
import torch
import torchtest2

def test_it():
    torchtest2.assert_model_ok(torch.nn.Linear(4, 3), torch.randn(8, 4), SUBJECT)
"""


def device(name: str) -> dict[str, Use]:
    """A device that is asked for by option, where the control asks for the CPU."""
    return {
        MODELCHECK: Use(
            CHECKED, control_options=("--modelcheck-device=cpu",), fault_options=(f"--modelcheck-device={name}",)
        ),
        TORCH: Use(ON_DEVICE, control_options=("--torch-device=cpu",), fault_options=(f"--torch-device={name}",)),
    }


def misspelt(test: str, option: str) -> Use:
    """An option, and the same without its last letter."""
    return Use(test, control_options=(option,), fault_options=(option[:-1],))


def taken(root: Path) -> None:
    (root / "taken.json").unlink()
    (root / "taken.json").mkdir()


def without_torch(test: str) -> Use:
    """Two processes, in which torch cannot be imported; the number of threads is nobody's setting."""
    return Use(
        test,
        options=("-p", "xdist", "-n2"),
        fault_options=("-p", "absent"),
        files={"absent.py": ABSENT.format(names=("torch",))},
        environment={"OMP_NUM_THREADS": None, "MKL_NUM_THREADS": None},
        fresh=True,
    )


DYING = "import os\n    os.kill(os.getpid(), 9)"
IN_TWO = ("-p", "xdist", "-n2")

ASKED = Group(
    "What is asked of a run",
    (
        Row(
            "a GPU that is not there",
            "cuda|gpu",
            {
                **device("cuda"),
                TORCHTEST: Use(TRAINED, "require_gpu=False", "require_gpu=True"),
            },
        ),
        Row("a misspelt device", "cdua", device("cdua")),
        Row(
            "a misspelt option",
            "unrecognized arguments",
            {
                MODELCHECK: misspelt(KEPT, "--modelcheck-full"),
                TORCH: misspelt(ON_DEVICE, "--torch-autoseed"),
                SYRUPY: misspelt("def test_it(): ...", "--snapshot-details"),
                BENCHMARK: misspelt(PLAIN_BENCHMARK, "--benchmark-disable-gc"),
            },
        ),
        Row(
            "a misspelt mark",
            r"token_idz|latncy|benchmrk",
            {
                MODELCHECK: Use(MARKED, 'modelcheck_token_ids(text="a", ids=[97])', 'modelcheck_token_idz(text="a")'),
                TORCH: Use(LATENCY, "torch_max_latency(ms=60_000)", "torch_max_latncy(ms=60_000)"),
                BENCHMARK: Use(MARKED_BENCHMARK, "benchmark(min_rounds=3)", "benchmrk(min_rounds=3)", options=SHORT),
            },
        ),
        Row(
            "a misspelt keyword",
            r"\btxt\b|\btorhc\b|\bstirct\b|\bexclud\b|\bmin_ronds\b",
            {
                MODELCHECK: Use(
                    MARKED, 'modelcheck_token_ids(text="a", ids=[97])', 'modelcheck_token_ids(txt="a", ids=[97])'
                ),
                TORCH: Use(LATENCY, 'torch_requires(torch=">=2")', 'torch_requires(torhc=">=2")'),
                TORCHTEST: Use(TRAINED, "strict=False", "stirct=False"),
                SYRUPY: Use(
                    "def test_it(snapshot):\n    assert 1 == snapshot(SUBJECT=None)\n",
                    "exclude",
                    "exclud",
                    record=("--snapshot-update",),
                ),
                BENCHMARK: Use(MARKED_BENCHMARK, "benchmark(min_rounds=3)", "benchmark(min_ronds=3)", options=SHORT),
            },
        ),
        Row(
            "a promise in a mark, without its keyword",
            "keyword|positional",
            {
                MODELCHECK: Use(
                    MARKED, 'modelcheck_token_ids(text="a", ids=[97])', 'modelcheck_token_ids("a", ids=[97])'
                ),
                TORCH: Use(LATENCY, "torch_max_latency(ms=60_000)", "torch_max_latency(1e-9)"),
                BENCHMARK: Use(MARKED_BENCHMARK, "benchmark(min_rounds=3)", "benchmark(3)", options=SHORT),
            },
        ),
        Row(
            "torch is not installed, and there are two processes",
            r"No module named 'torch'|torch.{0,40}(not installed|cannot be imported)",
            {
                MODELCHECK: without_torch(
                    "import pytest\n\n@pytest.fixture\ndef model():\n"
                    "    from torch import nn\n    return nn.Linear(4, 3)\n"
                    "\n@pytest.mark.modelcheck_parameters(total=15)\ndef test_it(): ...\n"
                ),
                TORCH: without_torch("def test_it(torch_seed):\n    assert torch_seed == 0\n"),
                TORCHTEST: without_torch(TRAINED.replace("SUBJECT", "strict=False")),
            },
        ),
        Row(
            "all that was to be compared is skipped",
            "no gate ran|nothing was measured",
            {
                MODELCHECK: Use(KEPT + "\nSUBJECT", "", "pytestmark = pytest.mark.skip(reason='later')"),
                BENCHMARK: replace(
                    OF_BENCHMARK,
                    test="import pytest\n" + OF_BENCHMARK.test.replace("SUBJECT", "100") + "\nSUBJECT\n",
                    healthy="",
                    faulty="pytestmark = pytest.mark.skip(reason='later')",
                    options=(*OF_BENCHMARK.options, "--benchmark-only"),
                ),
            },
        ),
        Row(
            "a process of pytest-xdist is killed",
            "crashed",
            {
                MODELCHECK: Use(
                    LETTERS + "\n@pytest.mark.modelcheck\ndef test_it():\n    SUBJECT\n", "...", DYING, options=IN_TWO
                ),
                TORCH: Use(
                    "def test_it(golden):\n    golden.check('one')\n    SUBJECT\n",
                    "...",
                    DYING,
                    options=IN_TWO,
                    record=UPDATE_GOLDEN,
                ),
                SYRUPY: replace(
                    OF_SYRUPY,
                    test="def test_it(snapshot):\n    assert 1 == snapshot\n    SUBJECT\n",
                    healthy="...",
                    faulty=DYING,
                    options=IN_TWO,
                ),
            },
        ),
        Row(
            "a folder stands where a report is to be written",
            r"taken\.json",
            {
                MODELCHECK: Use(KEPT, options=("--modelcheck-report=taken.json",), damage=taken),
                TORCH: Use(SUITE, options=("--torch-benchmark", "--torch-benchmark-json=taken.json"), damage=taken),
                BENCHMARK: Use(PLAIN_BENCHMARK, options=(*SHORT, "--benchmark-json=taken.json"), damage=taken),
            },
        ),
    ),
)
