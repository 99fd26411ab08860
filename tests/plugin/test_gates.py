"""What a gate is, when it is skipped, and that a run without one fails."""

from __future__ import annotations

import pytest

KINDS = """
import pytest

@pytest.mark.modelcheck
def test_plain(): ...

@pytest.mark.modelcheck_small(at_most=9)
def test_check(): ...

@pytest.mark.modelcheck_device("cpu")
def test_device(): ...

def test_texts(modelcheck_texts): ...

def test_handle(modelcheck): ...

@pytest.fixture
def indirect(modelcheck_texts): ...

def test_indirect(indirect): ...

@pytest.mark.modelcheck
class TestIt:
    def test_method(self): ...

def test_ordinary(): ...
"""

GATES = ["test_plain", "test_check", "test_device", "test_texts", "test_handle", "test_indirect", "test_method"]

ONE = """
import pytest

@pytest.mark.modelcheck_small(at_most=9)
def test_gate(): ...

def test_ordinary(): ...
"""

NOTHING = "no gate ran ({}), and --modelcheck passes nothing that was not measured."


@pytest.fixture
def kinds(small_check):
    small_check.makepyfile(test_it=KINDS)
    return small_check


def test_marks_and_fixtures_of_the_plugin_make_gates(kinds, processes):
    kinds.runpytest_inprocess(processes).assert_outcomes(passed=1, skipped=len(GATES))
    result = kinds.runpytest_inprocess("--modelcheck", processes)
    result.assert_outcomes(passed=len(GATES) + 1)
    result.stdout.fnmatch_lines([f"{len(GATES)} promises: {len(GATES)} passed; device auto, seed 0"])


def test_the_plain_mark_selects_gates_and_the_rest(kinds):
    gates = kinds.runpytest_inprocess("--modelcheck", "-m", "modelcheck", "-v")
    gates.assert_outcomes(passed=len(GATES), deselected=1)
    rest = kinds.runpytest_inprocess("-m", "not modelcheck")
    rest.assert_outcomes(passed=1, deselected=len(GATES))


def test_a_test_that_a_conftest_file_marks_late_is_a_gate(small_check, run_gates):
    with (small_check.path / "conftest.py").open("a") as file:
        file.write(
            "\ndef pytest_collection_modifyitems(items):\n"
            "    items[0].add_marker('modelcheck')\n"
            "    items[1].add_marker(pytest.mark.modelcheck_small(at_most=9))\n"
        )
    small_check.makepyfile("def test_one(): ...\ndef test_two(): ...\ndef test_three(): ...\n")
    small_check.runpytest_inprocess().assert_outcomes(passed=1, skipped=2)
    small_check.runpytest_inprocess("-m", "not modelcheck").assert_outcomes(passed=1, deselected=2)
    result, rows = run_gates()
    result.assert_outcomes(passed=3)
    assert sorted(row["check"] for row in rows) == ["small", "test"]


EMPTY = {
    "none collected": ("def test_ordinary(): ...\n", (), "none was collected and selected"),
    "no test at all": ("", (), "none was collected and selected"),
    "all deselected": (ONE, ("-m", "not modelcheck"), "none was collected and selected"),
    "none selected": (ONE, ("-k", "nothing"), "none was collected and selected"),
    "all skipped": (ONE.replace("def test_gate", "@pytest.mark.skip\ndef test_gate"), (), "all 1 were skipped"),
    "skipped in the body": (ONE.replace("): ...", "): pytest.skip('no')"), (), "all 1 were skipped"),
    "not run, as expected to fail": (
        ONE.replace("def test_gate", "@pytest.mark.xfail(run=False)\ndef test_gate"),
        (),
        "all 1 were skipped",
    ),
    "no test is run": (ONE, ("--setup-only",), "none was collected and selected"),
}


@pytest.mark.parametrize(("text", "arguments", "reason"), EMPTY.values(), ids=EMPTY)
def test_a_run_in_which_no_gate_ran_fails(small_check, text, arguments, reason):
    if "skip('no')" in text:
        text = text.replace("@pytest.mark.modelcheck_small(at_most=9)\n", "@pytest.mark.modelcheck\n")
    small_check.makepyfile(test_it=text)
    result = small_check.runpytest_inprocess("--modelcheck", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert NOTHING.format(reason) in result.stdout.lines


@pytest.mark.parametrize("name", ["none collected", "all deselected", "all skipped"])
def test_it_fails_under_xdist_too(small_check, name):
    text, arguments, reason = EMPTY[name]
    small_check.makepyfile(test_it=text)
    result = small_check.runpytest_inprocess("--modelcheck", "-n2", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert NOTHING.format(reason) in result.stdout.lines


def test_one_gate_that_ran_is_enough(small_check):
    small_check.makepyfile(test_it=ONE + "\n@pytest.mark.skip\n@pytest.mark.modelcheck\ndef test_other(): ...\n")
    result = small_check.runpytest_inprocess("--modelcheck")
    assert result.ret == pytest.ExitCode.OK


def test_collecting_alone_passes(small_check, processes):
    small_check.makepyfile(test_it=ONE)
    result = small_check.runpytest_inprocess("--modelcheck", "--collect-only", "-q", processes)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*no gate ran*")


def test_a_run_cut_short_is_not_complete(small_check, run_gates):
    small_check.makepyfile(
        test_it="import pytest\npytestmark = pytest.mark.modelcheck\ndef test_1(): assert 0\ndef test_2(): ...\n"
    )
    result, rows = run_gates("-x")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["incomplete: the run was cut short, and some gates may be missing"])
    assert [row["gate"] for row in rows] == ["test_it.py::test_1"]
    result, _ = run_gates()
    result.stdout.no_fnmatch_line("incomplete:*")


def test_a_file_that_cannot_be_collected_leaves_the_run_incomplete(small_check):
    small_check.makepyfile(test_it=ONE, test_other="import nothing_like_it\n")
    result = small_check.runpytest_inprocess("--modelcheck", "--continue-on-collection-errors")
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["incomplete: the run was cut short, and some gates may be missing"])


ENDINGS = {
    "broken, as expected": (
        "@pytest.mark.xfail(reason='known')\n@pytest.mark.modelcheck_small(at_most=1)\ndef test_it(): ...",
        {"xfailed": 1},
        [("small", "xfailed", "5", "small of int: 5 is more than 1")],
    ),
    "kept, against expectation": (
        "@pytest.mark.xfail(reason='known')\n@pytest.mark.modelcheck_small(at_most=9)\ndef test_it(): ...",
        {"xpassed": 1},
        [("small", "xpassed", "5", "")],
    ),
    "kept, against strict expectation": (
        "@pytest.mark.xfail(reason='known', strict=True)\n@pytest.mark.modelcheck_small(at_most=9)\ndef test_it(): ...",
        {"failed": 1},
        [("small", "passed", "5", ""), ("test", "failed", "[XPASS(strict)] known", "[XPASS(strict)] known")],
    ),
    "its own assertion fails": (
        "@pytest.mark.modelcheck\ndef test_it(): assert 1 == 2, 'one is not two'",
        {"failed": 1},
        [
            (
                "test",
                "failed",
                "call: AssertionError: one is not two",
                "call: AssertionError: one is not two\nassert 1 == 2",
            )
        ],
    ),
    "its own assertion fails after its promise was kept": (
        "@pytest.mark.modelcheck_small(at_most=9)\ndef test_it(): raise ValueError('no')",
        {"failed": 1},
        [("small", "passed", "5", ""), ("test", "error", "call: ValueError: no", "call: ValueError: no")],
    ),
    "skipped in its body": (
        "@pytest.mark.modelcheck\ndef test_it(): pytest.skip('no time')",
        {"skipped": 1},
        [("test", "skipped", "skipped: no time", "no time")],
    ),
    "skipped by its mark": (
        "@pytest.mark.skip(reason='no time')\n@pytest.mark.modelcheck_small(at_most=9)\ndef test_it(): ...",
        {"skipped": 1},
        [("test", "skipped", "skipped: no time", "no time")],
    ),
    "expected to fail in its body": (
        "@pytest.mark.modelcheck\ndef test_it(): pytest.xfail('known')",
        {"xfailed": 1},
        [("test", "xfailed", "known", "known")],
    ),
    "its fixture raises": (
        "@pytest.fixture\ndef broken(): raise ValueError('no model')\n"
        "@pytest.mark.modelcheck_small(at_most=9, number='broken')\ndef test_it(): ...",
        {"errors": 1},
        [("test", "error", "setup: ValueError: no model", "setup: ValueError: no model")],
    ),
    "its teardown raises": (
        "@pytest.fixture\ndef broken():\n    yield 5\n    raise ValueError('late')\n"
        "@pytest.mark.modelcheck_small(at_most=9, number='broken')\ndef test_it(): ...",
        {"passed": 1, "errors": 1},
        [("small", "passed", "5", ""), ("test", "error", "teardown: ValueError: late", "teardown: ValueError: late")],
    ),
    "it passes without a check": (
        "@pytest.mark.modelcheck\ndef test_it(): ...",
        {"passed": 1},
        [("test", "passed", "it passes", "")],
    ),
    "an ordinary test asserts a promise that is kept": (
        "from conftest import small\ndef test_it(): small.assert_form(3, at_most=9)\n"
        "@pytest.mark.modelcheck\ndef test_gate(): ...",
        {"passed": 2},
        [("small", "passed", "3", ""), ("test", "passed", "it passes", "")],
    ),
    "an ordinary test asserts a promise that is broken": (
        "from conftest import small\ndef test_it(): small.assert_form(3, at_most=2)",
        {"failed": 1},
        [("small", "failed", "3", "small of int: 3 is more than 2")],
    ),
    "it asserts two promises": (
        "from conftest import small\n@pytest.mark.modelcheck\ndef test_it():\n"
        "    small.assert_form(3, at_most=4)\n    small.assert_form(5, at_most=4)\n    small.assert_form(6, at_most=4)",
        {"failed": 1},
        [("small", "failed", "5", "small of int: 5 is more than 4"), ("small", "passed", "3", "")],
    ),
}


@pytest.mark.parametrize(("text", "outcomes", "expected"), ENDINGS.values(), ids=ENDINGS)
def test_each_ending_of_a_gate_leaves_its_row(small_check, run_gates, text, outcomes, expected):
    small_check.makepyfile(test_it=f"import pytest\n{text}\n")
    result, rows = run_gates()
    result.assert_outcomes(**outcomes)
    found = sorted((row["check"], row["outcome"], row["measured"], row["message"]) for row in rows)
    assert found == expected


def test_an_ordinary_test_without_a_promise_leaves_no_row(small_check, run_gates):
    small_check.makepyfile(test_it="def test_ordinary(): ...\n")
    _, rows = run_gates()
    assert rows == []


def test_a_broken_promise_that_the_test_expects_is_shown_as_expected(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest
        import torch
        from pytest_modelcheck import ModelCheckFailure, assert_parameters

        def test_caught(modelcheck):
            with pytest.raises(ModelCheckFailure):
                assert_parameters(torch.nn.Linear(2, 2), total=7)
        """
    )
    result = pytester.runpytest_inprocess("--modelcheck")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["xfailed  test_caught  parameters  total 7   total 6", "1 promise: 1 xfailed; *"])


def test_what_a_model_changed_is_named_under_the_table(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import torch
        from pytest_modelcheck import assert_shape

        class Counting(torch.nn.Linear):
            def forward(self, x):
                self.bias.data += 1
                return super().forward(x)

        def test_counting(modelcheck):
            model = Counting(2, 2)
            before = model.bias.detach().clone()
            assert_shape(model, torch.zeros(1, 2), expected=[1, 2])
            assert torch.equal(model.bias, before)
        """
    )
    result = pytester.runpytest_inprocess("--modelcheck")
    result.assert_outcomes(passed=1)
    assert "note: test_counting: bias was changed (restored)" in result.outlines


def test_an_expected_failure_that_was_not_measured_is_no_gate_that_ran(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def tokenizer():
            return None

        @pytest.mark.xfail
        @pytest.mark.modelcheck_token_ids(text="abc", ids=[1])
        def test_ids(): ...
        """
    )
    result = pytester.runpytest_inprocess("--modelcheck")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["no gate ran (all 1 were skipped), *"])
