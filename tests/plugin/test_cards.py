"""What a model card says of a gate: the mark `modelcheck_card`, read at collection, published of runs that passed."""

from __future__ import annotations

import pytest
import yaml

GATE = """
import pytest
import torch

@pytest.fixture
def model():
    return torch.nn.Identity()

@pytest.fixture
def data():
    return torch.eye(4).repeat(50, 1), torch.arange(4).repeat(50)

@pytest.mark.modelcheck_accuracy(min={minimum})
@pytest.mark.modelcheck_card({card})
def test_digits(): ...
"""
CARD = 'dataset_id="ylecun/mnist", dataset_name="MNIST", task_type="image-classification"'
NAMES = ("eval_results.yaml", "model-index.yaml")


def run(pytester: pytest.Pytester, card: str = CARD, minimum: float = 0.9, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=GATE.format(card=card, minimum=minimum))
    reports = [f"--modelcheck-report={name}" for name in NAMES]
    return pytester.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", *reports, *options)


def test_a_run_that_passed_is_published(pytester: pytest.Pytester, processes: str):
    assert run(pytester, CARD, 0.9, processes).ret == pytest.ExitCode.OK
    (entry,) = yaml.safe_load((pytester.path / NAMES[0]).read_text(encoding="utf-8"))
    assert entry["dataset"] == {"id": "ylecun/mnist", "task_id": "default"}
    assert entry["value"] == 1.0
    index = next(yaml.safe_load_all((pytester.path / NAMES[1]).read_text(encoding="utf-8")))["model-index"]
    assert index[0]["results"][0]["metrics"][0]["value"] == 1.0


def test_one_that_failed_is_not(pytester: pytest.Pytester):
    model = "torch.nn.Identity()"
    pytester.makepyfile(test_it=GATE.format(card=CARD, minimum=0.9).replace(model, "torch.nn.Softmin(1)"))
    reports = [f"--modelcheck-report={name}" for name in NAMES]
    result = pytester.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", *reports)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"the report {pytester.path / name} could not be written: *" for name in NAMES])
    assert not [name for name in NAMES if (pytester.path / name).exists()]


def test_without_a_card_there_is_nothing_to_publish(pytester: pytest.Pytester):
    pytester.makepyfile(test_it=GATE.format(card="", minimum=0.9).replace("@pytest.mark.modelcheck_card()\n", ""))
    result = pytester.runpytest_inprocess("--modelcheck", f"--modelcheck-report={NAMES[0]}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*no gate says what its number is published as: *modelcheck_card(dataset_id=*"])


WRONG = {
    'dataset="ylecun/mnist"': "modelcheck_card: dataset is not known (did you mean dataset_id?). It takes dataset_id, ",
    'task_type="image-classification"': "modelcheck_card names the data by dataset_id, as the Hub does: ",
    "": "modelcheck_card names the data by dataset_id, as the Hub does: ",
    "dataset_id=3": "modelcheck_card: dataset_id is a text that is not empty, not 3",
    '"ylecun/mnist"': "modelcheck_card takes keywords only, not 'ylecun/mnist'",
}


@pytest.mark.parametrize(("card", "message"), WRONG.items())
def test_a_card_that_makes_no_sense_is_an_error_at_collection(pytester: pytest.Pytester, card: str, message: str):
    result = run(pytester, card)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert f"test_it.py::test_digits: {message}" in result.stdout.str()


def test_one_of_a_parameter_is_an_error_in_its_test(pytester: pytest.Pytester):
    pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.modelcheck
        @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.modelcheck_card(dataset="a"))])
        def test_it(x): ...
        """
    )
    result = pytester.runpytest_inprocess("--modelcheck")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*modelcheck_card: dataset is not known (did you mean dataset_id?)*"])
