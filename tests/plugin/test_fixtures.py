"""The fixtures of the plugin."""

from __future__ import annotations

import pytest


def _gate(pytester, text):
    pytester.makepyfile(test_it=text)
    return pytester


def test_the_handle_knows_its_device_and_seed(pytester):
    _gate(
        pytester,
        """
        import torch

        def test_it(modelcheck, modelcheck_device):
            assert modelcheck.device == torch.device("cpu")
            assert modelcheck.seed == 3
            assert modelcheck_device == modelcheck.device
        """,
    ).runpytest_inprocess("--modelcheck", "--modelcheck-device=cpu", "--modelcheck-seed=3").assert_outcomes(passed=1)


def test_the_handle_counts_targets_by_predicted_class(pytester):
    _gate(
        pytester,
        """
        import torch

        def test_it(modelcheck):
            counts = modelcheck.evaluate(torch.nn.Identity(), (torch.eye(3), torch.tensor([0, 1, 1])))
            assert counts.recalls() == {0: (1, 1), 1: (1, 2)}
            assert counts.confused() == [(1, 2, 1)]
        """,
    ).runpytest_inprocess("--modelcheck").assert_outcomes(passed=1)


def test_the_handles_pass_is_shared_with_the_gates(pytester):
    _gate(
        pytester,
        """
        import pytest
        import torch

        class Counting(torch.nn.Module):
            seen = 0

            def forward(self, inputs):
                Counting.seen += len(inputs)
                return inputs

        MODEL, DATA = Counting(), (torch.eye(3), torch.tensor([0, 1, 2]))

        @pytest.fixture
        def model():
            return MODEL

        @pytest.fixture
        def data():
            return DATA

        @pytest.mark.modelcheck_accuracy(min=1.0)
        def test_one(): ...

        def test_two(modelcheck):
            before = Counting.seen
            assert before > 0
            assert modelcheck.evaluate(MODEL, DATA).confused() == []
            assert Counting.seen == before + 3  # the first samples are looked at again
        """,
    ).runpytest_inprocess("--modelcheck").assert_outcomes(passed=2)


def test_the_handle_refuses_what_it_cannot_evaluate(pytester, run_gates):
    _gate(pytester, "def test_it(modelcheck):\n    modelcheck.evaluate(print, None)\n")
    result, rows = run_gates()
    result.assert_outcomes(failed=1)
    assert [(row["outcome"], row["message"]) for row in rows] == [
        (
            "error",
            "call: ModelCheckError: builtin_function_or_method is no torch.nn.Module: give the model itself",
        )
    ]


def test_the_hard_corpus_is_a_tuple_of_texts(pytester):
    _gate(
        pytester,
        """
        def test_it(modelcheck_texts):
            assert len(set(modelcheck_texts)) == len(modelcheck_texts) >= 40
            assert all(type(text) is str for text in modelcheck_texts)
        """,
    ).runpytest_inprocess("--modelcheck").assert_outcomes(passed=1)


def test_mnist_that_is_not_there_is_an_error_and_no_pass(pytester, run_gates):
    _gate(pytester, "def test_it(modelcheck_mnist): ...\n")
    pytester.makeconftest(
        """
        import pytest
        from pytest_modelcheck.evaluation import mnist

        @pytest.fixture(autouse=True)
        def no_torchvision(monkeypatch):
            monkeypatch.setattr(mnist, "require", lambda *_: None)
        """
    )
    result, rows = run_gates()
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [row["outcome"] for row in rows] == ["error"]
    assert rows[0]["message"].startswith("setup: ModelCheckError: MNIST is not complete: neither train-images")
    assert rows[0]["message"].endswith("or name the folder that holds MNIST/raw with --modelcheck-mnist-root")


def test_a_missing_torchvision_is_an_error_that_names_the_extra(pytester, run_gates):
    _gate(pytester, "def test_it(modelcheck_mnist): ...\n")
    pytester.makeconftest(
        """
        import sys
        import pytest

        @pytest.fixture(autouse=True)
        def no_torchvision(monkeypatch):
            for name in ("torchvision", "torchvision.datasets", "torchvision.transforms"):
                monkeypatch.setitem(sys.modules, name, None)
        """
    )
    result, rows = run_gates()
    result.assert_outcomes(errors=1)
    assert rows[0]["measured"].startswith("setup: MissingDependency: MNIST needs torchvision, which cannot be imported")
    assert rows[0]["measured"].endswith('pip install "pytest-modelcheck[vision]"')


def test_none_has_a_name_that_is_the_users(pytester):
    text = pytester.runpytest_inprocess("--fixtures").stdout.str()
    for name in ("model", "tokenizer", "data", "inputs"):
        assert f"\n{name} -- " not in text
    for name in ("modelcheck", "modelcheck_device", "modelcheck_texts", "modelcheck_mnist"):
        assert f"\n{name} -- " in text


def test_what_a_model_changes_while_it_is_evaluated_is_named(pytester, run_gates):
    _gate(
        pytester,
        """
        import torch

        class Counting(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("calls", torch.zeros(1))

            def forward(self, x):
                self.calls += 1
                return x

        def test_it(modelcheck):
            model = Counting()
            counts = modelcheck.evaluate(model, (torch.eye(3), torch.arange(3)))
            assert (counts.correct, counts.total, model.calls.item()) == (3, 3, 0)
        """,
    )
    result, rows = run_gates()
    result.assert_outcomes(passed=1)
    assert [(row["check"], row["measured"], row["changes"]) for row in rows] == [
        ("evaluate", "3 of 3 right", ["calls was changed"])
    ]
