"""Metrics, thresholds and data."""

from __future__ import annotations

from tests.benchmarks.coverage.row import BENCHMARK, MODELCHECK, TORCH, TORCHTEST, Group, Row, Use, sound
from tests.benchmarks.coverage.rows.stores import OF_BENCHMARK
from tests.benchmarks.coverage.rows.texts import DATA, LOADER, of_data

HERE = "SUBJECT"

SHARE = {
    MODELCHECK: """
import torchmetrics
from pytest_modelcheck import assert_metric

class Share(torchmetrics.Metric):
    def __init__(self):
        super().__init__()
        self.add_state("right", torch.tensor(0.0))
        self.add_state("count", torch.tensor(0.0))

    def update(self, outputs, targets):
        self.right += (outputs.argmax(-1) == targets).sum()
        self.count += len(targets)

    def compute(self):
        return self.right / (SUBJECT)

@pytest.mark.modelcheck
def test_it():
    assert_metric(MODEL, LOADER, metric=Share(), min=0.5)
""",
    TORCH: """
class Share:
    def __init__(self):
        self.right = self.count = torch.tensor(0.0)

    def update(self, output, batch):
        self.right = self.right + (output.argmax(-1) == batch[1]).sum()
        self.count = self.count + len(batch[1])

    def compute(self):
        return self.right / (SUBJECT)

def test_it(metric_baseline):
    metric_baseline(MODEL, LOADER, {"share": Share()}, minimum={"share": 0.5})
""",
}

# A good model first, on 990 samples, and then another one on 10.
SHARED = {
    MODELCHECK: """
from torchmetrics.classification import MulticlassAccuracy
from pytest_modelcheck import assert_metric

METRIC = MulticlassAccuracy(3, average="micro")

@pytest.mark.modelcheck
def test_good():
    assert_metric(MODEL, LOADER, metric=METRIC, min=0.9)

@pytest.mark.modelcheck
def test_it():
    assert_metric(OTHER, FEW, metric=METRIC, min=0.9)
""",
    TORCH: """
class Accuracy:
    def __init__(self):
        self.right = self.count = 0

    def update(self, output, batch):
        self.right += int((output.argmax(-1) == batch[1]).sum())
        self.count += len(batch[1])

    def compute(self):
        return self.right / self.count

METRIC = Accuracy()

def test_good(metric_baseline):
    metric_baseline(MODEL, LOADER, {"accuracy": METRIC}, minimum={"accuracy": 0.9})

def test_it(metric_baseline):
    metric_baseline(OTHER, FEW, {"accuracy": METRIC}, minimum={"accuracy": 0.9})
""",
}

OTHERS = f"""
class Other(nn.Module):
    def forward(self, inputs):
        return SUBJECT

OTHER = Other()
LOADER = {LOADER}
FEW = DataLoader(TensorDataset(SCORES[:10], LABELS[:10]), batch_size=500)
"""

METRICS = Group(
    "Metrics and thresholds",
    (
        Row(
            "a metric is NaN",
            r"\bnan\b|finite",
            {
                tool: Use(
                    DATA.format(samples=20, then=f"LOADER = {LOADER}") + text,
                    "self.count",
                    "float('nan')",
                )
                for tool, text in SHARE.items()
            },
        ),
        Row(
            "a threshold is of a metric that is not measured",
            "shaer",
            {
                tool: Use(
                    DATA.format(samples=20, then=f"LOADER = {LOADER}")
                    + text.replace("SUBJECT", "self.count")
                    .replace("min=0.5", 'min={"SUBJECT": 0.5}')
                    .replace('minimum={"share"', 'minimum={"SUBJECT"'),
                    "Share" if tool == MODELCHECK else "share",
                    "shaer",
                )
                for tool, text in SHARE.items()
            },
        ),
        Row(
            "all scores are NaN, of which class 0 is the largest",
            r"\bnan\b|finite",
            of_data("1", "float('nan')", then="LABELS = 0 * LABELS\nSCORES = 5 * torch.eye(3)[LABELS] * SUBJECT"),
        ),
        Row(
            "two tests share a metric that nobody resets, and the second model is useless",
            "below|too low",
            {
                tool: Use(DATA.format(samples=990, then=OTHERS) + text, "inputs", "-inputs")
                for tool, text in SHARED.items()
            },
        ),
        Row(
            "9,500 of 10,000 are right, where 0.95 is promised",
            "(?!)",  # there is nothing wrong
            of_data("499", "500", then="LABELS[:SUBJECT] = (LABELS[:SUBJECT] + 1) % 3", minimum="0.95", samples=10_000),
            sound,
        ),
        Row(
            "the threshold is NaN",
            r"\bnan\b",
            {
                **of_data("0.9", "float('nan')", minimum=HERE),
                BENCHMARK: Use(
                    OF_BENCHMARK.test,
                    OF_BENCHMARK.healthy,
                    OF_BENCHMARK.faulty,
                    options=("--benchmark-max-time=0.05",),
                    record=OF_BENCHMARK.record,
                    control_options=("--benchmark-compare", "--benchmark-compare-fail=min:900%"),
                    fault_options=("--benchmark-compare", "--benchmark-compare-fail=min:nan%"),
                ),
            },
        ),
    ),
)

SAMPLES = """
class Samples(torch.utils.data.Dataset):
    def __len__(self):
        return 21

    def __getitem__(self, index):
        SUBJECT
        return SCORES[index], LABELS[index]

class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield from zip(SCORES, LABELS)
"""

DATA_SETS = Group(
    "Data",
    (
        Row(
            "the data is empty",
            "empty|no batch|no sample|0 elements",
            of_data("21", "0", then="SCORES, LABELS = SCORES[:SUBJECT], LABELS[:SUBJECT]"),
        ),
        Row(
            "a label is none of the model's classes",
            r"\blabel|\btarget|\bclass",
            of_data("2", "7", then="LABELS[2] = SUBJECT"),
        ),
        Row(
            "there are fewer labels than samples",
            r"size of tensor|must match|fewer|one target for each",
            of_data(
                "21",
                "20",
                then="LABELS = LABELS[:SUBJECT]",
                data={MODELCHECK: "(SCORES, LABELS)", TORCH: "[(SCORES, LABELS)]"},
            ),
        ),
        Row(
            "a sample cannot be read",
            "image 3 is cut off",
            of_data(
                "...",
                "if index == 3: raise OSError('image 3 is cut off')",
                then=SAMPLES,
                data="DataLoader(Samples(), batch_size=2)",
                without=(TORCHTEST,),
            ),
        ),
        Row(
            "two workers read a stream, each all of it",
            "worker",
            of_data(
                "0",
                "2",
                then=SAMPLES.replace("SUBJECT", "..."),
                data="DataLoader(Stream(), batch_size=3, num_workers=SUBJECT)",
                without=(TORCHTEST,),
            ),
        ),
        Row(
            "the loader leaves out the last samples, which are wrong",
            "drop_last|left out|leaves",
            of_data(
                "False",
                "True",
                then="LABELS[20:] = 1",
                data="DataLoader(TensorDataset(SCORES, LABELS), batch_size=10, drop_last=SUBJECT)",
                without=(TORCHTEST,),
            ),
        ),
    ),
)
