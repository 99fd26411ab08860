"""Each of the sample project's gates on the Trainer's features fails where the feature is broken in one known way."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[1] / "sample_project"

# Each row: the file, what is broken in it, the gate that must see it, and what it says. Numbers that come from training
# are the machine's own.
BROKEN = {
    "the worst checkpoint kept for the best": (
        "test_trainer.py",
        """
        @pytest.fixture
        def checkpoints(tmp_path):
            return ModelCheckpoint(tmp_path / "checkpoints", monitor="val_acc", mode="min", save_last=True)
        """,
        "test_the_best_checkpoint_is_kept_and_is_the_one_that_is_judged",
        r"pytest_modelcheck\.ModelCheckFailure: accuracy of DigitClassifier: \d+ of (the first |)\d+ samples are .*",
    ),
    "a stopper that waits for a lower accuracy": (
        "test_trainer.py",
        """
        @pytest.fixture
        def stopper():
            return EarlyStopping("val_acc", mode="min", patience=PATIENCE)
        """,
        "test_training_stops_once_nothing_gets_better",
        r"AssertionError: the training stopped after epoch \d, and by its scores it should after \d: \[0\..*",
    ),
    "accumulated gradients that are not scaled": (
        "test_trainer.py",
        """
        @pytest.fixture
        def accumulating():
            class Unscaled(PlainClassifier):
                def training_step(self, batch, batch_idx):
                    return self.trainer.accumulate_grad_batches * super().training_step(batch, batch_idx)
            return Unscaled()
        """,
        "test_gradients_of_small_batches_add_up_to_those_of_a_large_one",
        r"AssertionError: net\.\d\.\w+ is 0\.\d+ from what batches of 64 give",
    ),
    "a precision that is not the one": (
        "test_trainer.py",
        """
        @pytest.fixture
        def precision():
            return "32-true"
        """,
        "test_bf16_stays_close_to_float32",
        r"AssertionError: the convolution gave \{torch\.float32\}: no pass was in bf16",
    ),
    "weights in half precision": (
        "test_trainer.py",
        """
        @pytest.fixture
        def precision():
            return "bf16-true"
        """,
        "test_bf16_stays_close_to_float32",
        r"AssertionError: the weights are \{torch\.bfloat16\}: small steps are lost in bf16",
    ),
    "a network that does not bear bf16": (
        "test_trainer.py",
        """
        @pytest.fixture
        def network():
            from modelrepo.vision.network import trained_digit_network
            network = trained_digit_network()
            with torch.no_grad():
                network[9].bias += 2000.0
            return network
        """,
        "test_the_classifier_reads_digits_in_bf16",
        r"accuracy of DigitClassifier: \d+ of the first \d+ samples are wrong, and 30 of all 1,000 may be for 0\.97.*",
    ),
    "a loader that does not heed the batch size": (
        "test_trainer.py",
        """
        @pytest.fixture
        def sized():
            class Fixed(MNISTPart):
                def train_dataloader(self):
                    return torch.utils.data.DataLoader(self.train, batch_size=64)
            return Fixed(600)
        """,
        "test_the_batch_size_finder_finds_the_largest_that_fits",
        r"AssertionError: the finder gave \d+, and 256 is the largest power of two that fits 300",
    ),
    "a search among rates that are too low": (
        "test_trainer.py",
        """
        @pytest.fixture
        def rates():
            return {"min_lr": 1e-9, "max_lr": 1e-7}
        """,
        "test_the_learning_rate_finder_gives_a_rate_that_learns",
        r"AssertionError: at the suggested rate of \d.*e-\d+ the loss went from 2\.\d+ to 2\.\d+",
    ),
    "averaging that never starts": (
        "test_schedules.py",
        """
        @pytest.fixture
        def averaging():
            return StochasticWeightAveraging(swa_lrs=0.05, swa_epoch_start=EPOCHS + 1)
        """,
        "test_averaged_weights_are_the_mean_of_those_that_were_collected",
        r"AssertionError: the weights are up to 0\.\d+ from the mean of the 4 that were collected",
    ),
    "a rate that waits for the end of the epoch": (
        "test_schedules.py",
        """
        @pytest.fixture
        def cyclic():
            class Waiting(CyclicClassifier):
                def configure_optimizers(self):
                    made = super().configure_optimizers()
                    return {**made, "lr_scheduler": made["lr_scheduler"]["scheduler"]}
            return Waiting()
        """,
        "test_the_cyclic_rate_is_a_triangle",
        r"AssertionError: the rate of step 8 is 0\.01, promised 0\.05",
    ),
}

# Programs that evaluate on several processes as one would first write it, and what the gate says of each.
PROGRAMS = {
    "the sampler that Lightning puts in": (
        3,
        """
        class Padded(evaluation.ShardedDigits):
            def test_dataloader(self):
                return DataLoader(self.images, batch_size=250)

        evaluation.ShardedDigits = Padded
        usual = evaluation.evaluate
        evaluation.evaluate = lambda network, processes: usual(network, processes, use_distributed_sampler=True)
        """,
        "3 processes saw 10,002 images of 10,000: 2 not exactly once, the first of them [0, 1]",
    ),
    "shards of equal length": (
        3,
        """
        class Dropped(evaluation.ShardedDigits):
            def test_dataloader(self):
                world = self.trainer.world_size
                places = range(self.trainer.global_rank, len(self.images) // world * world, world)
                return DataLoader(self.images, batch_size=250, sampler=places)

        evaluation.ShardedDigits = Dropped
        """,
        "3 processes saw 9,999 images of 10,000: 1 not exactly once, the first of them [9999]",
    ),
    "counts that are not added up": (
        2,
        """
        evaluation.ExactEvaluation.on_test_epoch_end = lambda self: None
        """,
        "2 processes saw 5,000 images of 10,000: 5,000 not exactly once, the first of them [1, 3, 5]",
    ),
}


@pytest.fixture
def gates(pytester: pytest.Pytester, modelrepo: None) -> pytest.Pytester:
    """The sample project's tests in a folder of their own, where a test may break them."""
    shutil.copytree(SAMPLE / "tests", pytester.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    pytester.makeini(f"[pytest]\nmodelcheck_mnist_root = {SAMPLE / 'data'}\nmarkers = recipe: trains\n")
    return pytester


def dedented(code: str) -> str:
    return re.sub(r"^ {8}", "", code, flags=re.MULTILINE)


def failed_lines(gates: pytest.Pytester, file: str, code: str, gate: str) -> list[str]:
    """What a gate says once its file has this code at its end."""
    tests = gates.path / file
    tests.write_text(f"{tests.read_text(encoding='utf-8')}\n\n{dedented(code)}", encoding="utf-8")
    result = gates.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", file, "-k", gate)
    result.assert_outcomes(failed=1, deselected=result.parseoutcomes().get("deselected", 0))
    return [line[4:].strip() for line in result.outlines if line.startswith("E   ")]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_feature_fails_its_gate(gates: pytest.Pytester, name: str):
    file, code, gate, message = BROKEN[name]
    lines = failed_lines(gates, file, code, gate)
    assert any(re.fullmatch(message, line) for line in lines), lines


@pytest.mark.slow  # several processes, each of which loads torch and Lightning
@pytest.mark.parametrize("name", PROGRAMS)
def test_processes_that_do_not_see_each_image_once_fail_the_gate(gates: pytest.Pytester, name: str):
    processes, code, message = PROGRAMS[name]
    program = (
        "from torch.utils.data import DataLoader\n\nimport modelrepo.vision.evaluate as evaluation\n"
        f'{dedented(code)}\n\nif __name__ == "__main__":\n    evaluation.main()\n'
    )
    (gates.path / "program.py").write_text(program, encoding="utf-8")
    override = f"""
        @pytest.fixture
        def program():
            return [sys.executable, {str(gates.path / "program.py")!r}]
        """
    lines = failed_lines(gates, "test_processes.py", override, f"each_image_once and {processes}")
    assert f"AssertionError: error: {message}" in lines


def test_the_report_names_the_best_checkpoint(gates: pytest.Pytester, run_gates):
    result, rows = run_gates("-p", "no:cacheprovider", "test_trainer.py", "-k", "test_the_best_checkpoint")
    result.assert_outcomes(passed=1, deselected=6)
    (row,) = rows
    assert re.fullmatch(
        r"0\.\d+ \(\d+ of 500\), epoch=\d-step=\d+\.ckpt \(best\): 53,994 of 53,994 weights loaded", row["measured"]
    )
