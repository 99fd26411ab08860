"""Markers: what they bind to, what they say when a promise is broken, and what is refused at collection."""

from __future__ import annotations

import pytest

MODELS = """
import pytest
import torch

@pytest.fixture
def model():
    return torch.nn.Linear(4, 3)

@pytest.fixture
def classifier():
    return torch.nn.Linear(2, 1)

@pytest.fixture(params=[3, 4])
def sized(request):
    return torch.nn.Linear(request.param, 1)
"""


@pytest.fixture
def models(pytester):
    pytester.makeconftest(MODELS)
    return pytester


def _verdicts(rows):
    return sorted((row["gate"].partition("::")[2], row["check"], row["outcome"], row["measured"]) for row in rows)


def test_a_subject_is_the_fixture_of_its_name(models, run_gates):
    models.makepyfile("import pytest\n@pytest.mark.modelcheck_parameters(total=15)\ndef test_size(): ...\n")
    result, rows = run_gates()
    result.assert_outcomes(passed=1)
    assert _verdicts(rows) == [("test_size", "parameters", "passed", "total 15")]


def test_a_subject_may_be_another_fixture(models, run_gates):
    models.makepyfile(
        """
        import pytest
        @pytest.mark.modelcheck_parameters(total=3, model="classifier")
        def test_size(): ...
        """
    )
    result, rows = run_gates()
    result.assert_outcomes(passed=1)
    assert _verdicts(rows) == [("test_size", "parameters", "passed", "total 3")]


def test_a_parametrized_fixture_makes_a_gate_of_each(models, run_gates):
    models.makepyfile(
        """
        import pytest
        @pytest.mark.modelcheck_parameters(total=5, model="sized")
        def test_size(): ...
        """
    )
    result, rows = run_gates()
    result.assert_outcomes(passed=1, failed=1)
    assert _verdicts(rows) == [
        ("test_size[3]", "parameters", "failed", "total 4"),
        ("test_size[4]", "parameters", "passed", "total 5"),
    ]


def test_a_subject_may_be_parametrized_directly(small_check, run_gates, processes):
    small_check.makepyfile(
        """
        import pytest
        @pytest.mark.parametrize("number", [1, 9], ids=["few", "many"])
        @pytest.mark.modelcheck_small(at_most=5)
        def test_number(): ...
        """
    )
    result, rows = run_gates(processes)
    result.assert_outcomes(passed=1, failed=1)
    assert _verdicts(rows) == [
        ("test_number[few]", "small", "passed", "1"),
        ("test_number[many]", "small", "failed", "9"),
    ]


def test_the_test_gets_the_same_subject(models):
    models.makepyfile(
        """
        import pytest
        @pytest.mark.modelcheck_parameters(total=15)
        def test_size(model):
            assert model.in_features == 4
        """
    )
    models.runpytest_inprocess("--modelcheck").assert_outcomes(passed=1)


def test_marks_of_classes_and_modules_count(small_check, run_gates, processes):
    small_check.makepyfile(
        test_it="""
        import pytest
        pytestmark = pytest.mark.modelcheck_small(at_most=100)

        @pytest.mark.modelcheck_small(at_most=50)
        class TestIt:
            @pytest.mark.modelcheck_small(at_most=10)
            def test_own(self): ...

        def test_other(): ...
        """
    )
    result, rows = run_gates(processes)
    result.assert_outcomes(passed=2)
    promised = [row["promised"] for row in rows if row["gate"] == "test_it.py::TestIt::test_own"]
    assert sorted(promised) == ["at most 10", "at most 100", "at most 50"]
    assert [row["promised"] for row in rows if row["gate"] == "test_it.py::test_other"] == ["at most 100"]


def test_an_inherited_test_keeps_the_marks_of_its_own_class(small_check, run_gates):
    small_check.makepyfile(
        test_it="""
        import pytest

        @pytest.fixture
        def large():
            return 50

        class Base:
            def test_number(self): ...

        @pytest.mark.modelcheck_small(at_most=9)
        class TestOne(Base): ...

        @pytest.mark.modelcheck_small(at_most=60, number="large")
        class TestTwo(Base): ...

        class TestPlain(Base): ...
        """
    )
    result, rows = run_gates()
    result.assert_outcomes(passed=3)
    assert _verdicts(rows) == [
        ("TestOne::test_number", "small", "passed", "5"),
        ("TestTwo::test_number", "small", "passed", "50"),
    ]


def test_marks_of_a_parameter_count(small_check, run_gates, processes):
    small_check.makepyfile(
        """
        import pytest
        few, many = (pytest.mark.modelcheck_small(at_most=limit) for limit in (1, 9))

        @pytest.mark.parametrize("x", [pytest.param(1, marks=few), pytest.param(2, marks=many), 3])
        def test_it(x): ...
        """
    )
    result, rows = run_gates(processes)
    result.assert_outcomes(passed=2, failed=1)
    assert _verdicts(rows) == [("test_it[1]", "small", "failed", "5"), ("test_it[2]", "small", "passed", "5")]


def test_a_wrong_mark_of_a_parameter_fails_its_test_and_names_it(small_check, run_gates, processes):
    small_check.makepyfile(
        test_it="""
        import pytest
        wrong = pytest.mark.modelcheck_small(atmost=3)

        @pytest.mark.parametrize("x", [pytest.param(1, marks=wrong)])
        def test_it(x): ...
        """
    )
    message = (
        "test_it.py::test_it[1]: small has no promise 'atmost' (did you mean 'at_most'?); its promises are at_most"
    )
    result, rows = run_gates(processes)
    result.assert_outcomes(failed=1)
    assert f"E   {message}" in result.stdout.lines
    result.stdout.no_fnmatch_line("*collection.py*")
    assert [(row["outcome"], row["message"]) for row in rows] == [("error", f"call: ConfigError: {message}")]


def test_a_gate_by_its_parameters_mark_alone_does_not_skip_a_device(small_check, run_gates):
    small_check.makepyfile(
        test_it="""
        import pytest
        @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.modelcheck_small(at_most=9))])
        def test_it(x): ...
        """
    )
    result, rows = run_gates("--modelcheck-device=cpu,auto")
    result.assert_outcomes(failed=1)
    assert rows[0]["message"] == (
        "call: ConfigError: test_it.py::test_it[1]: it became a gate too late to run once for each of cpu, auto: "
        "put its mark on the test itself, or give one device"
    )


def test_a_wrong_device_mark_of_a_parameter_fails_its_test(small_check, run_gates):
    small_check.makepyfile(
        test_it="""
        import pytest
        @pytest.mark.modelcheck
        @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.modelcheck_device("gpu")), 2])
        def test_it(x): ...
        """
    )
    result, rows = run_gates("--modelcheck-device=cpu")
    result.assert_outcomes(failed=1, passed=1)
    assert [row["message"] for row in rows if row["outcome"] == "error"] == [
        "call: ConfigError: test_it.py::test_it[1]: unknown device 'gpu': auto, cpu, cuda, cuda:N or mps is expected"
    ]


def test_all_markers_of_a_test_run_and_report(models, run_gates):
    models.makepyfile(
        """
        import pytest
        @pytest.mark.modelcheck_parameters(total=16)
        @pytest.mark.modelcheck_parameters(max_total=10)
        @pytest.mark.modelcheck_parameters(trainable=15)
        def test_size():
            raise AssertionError("the body does not run where a marker broke")
        """
    )
    result, rows = run_gates()
    result.assert_outcomes(failed=1)
    assert sorted((row["outcome"], row["promised"]) for row in rows) == [
        ("failed", "total 16"),
        ("failed", "total at most 10"),
        ("passed", "trainable 15"),
    ]
    result.stdout.fnmatch_lines_random(
        [
            "E   parameters of Linear: total is 15, promised 16 (1 fewer).",
            "E   parameters of Linear: total is 15, promised at most 10 (5 more).",
        ]
    )
    result.stdout.no_fnmatch_line("*the body does not run*")


def test_the_body_runs_after_the_promises_are_kept(models):
    models.makepyfile(
        """
        import pytest
        @pytest.mark.modelcheck_parameters(total=15)
        def test_size():
            raise AssertionError("reached")
        """
    )
    result = models.runpytest_inprocess("--modelcheck")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E       AssertionError: reached"])


@pytest.mark.parametrize("body", ["...", "pass", "'a docstring'"])
def test_a_body_may_be_empty(small_check, body):
    small_check.makepyfile(f"import pytest\n@pytest.mark.modelcheck_small(at_most=9)\ndef test_it(): {body}\n")
    small_check.runpytest_inprocess("--modelcheck").assert_outcomes(passed=1)


def test_a_broken_promise_is_a_failure_with_its_message_alone(small_check, processes):
    small_check.makepyfile("import pytest\n@pytest.mark.modelcheck_small(at_most=1)\ndef test_it(): ...\n")
    result = small_check.runpytest_inprocess("--modelcheck", processes)
    result.assert_outcomes(failed=1)
    lines = result.stdout.lines
    start = next(index for index, line in enumerate(lines) if line.strip("_") == " test_it ")
    end = next(index for index, line in enumerate(lines) if line.strip("=") == " modelcheck ")
    shown = [line for line in lines[start + 1 : end] if not line.startswith("[gw")]
    assert shown == ["E   small of int: 5 is more than 1"]


def test_what_could_not_be_measured_shows_where_it_was_raised(small_check):
    small_check.makepyfile(
        """
        import pytest

        @pytest.fixture
        def number():
            return ValueError("broken inside")

        @pytest.mark.modelcheck_small(at_most=1)
        def test_it(): ...
        """
    )
    result = small_check.runpytest_inprocess("--modelcheck")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E   small of ValueError: not measured: ValueError: broken inside",
            "*- where it was raised -*",
            "conftest.py:*: in small",
            "    raise number",
            "E   ValueError: broken inside",
        ]
    )


def test_a_marker_on_a_method_of_unittest_is_no_pass(small_check, run_gates):
    small_check.makepyfile(
        """
        import unittest
        import pytest

        class TestIt(unittest.TestCase):
            @pytest.mark.modelcheck_small(at_most=9)
            def test_it(self): ...
        """
    )
    result, rows = run_gates()
    result.assert_outcomes(errors=1)
    assert [(row["outcome"], row["message"]) for row in rows] == [
        (
            "error",
            "setup: ModelCheckError: not measured: markers promise for functions and for methods of plain classes, and "
            "this is a TestCaseFunction. Use the assert forms in it",
        )
    ]


# Pytest is interrupted by an error at collection; pytest-xdist counts it among the failed.
COLLECTION_FAILED = {"-n0": pytest.ExitCode.INTERRUPTED, "-n2": pytest.ExitCode.TESTS_FAILED}

SHAPE_SUBJECTS = "@pytest.fixture\ndef inputs(): ...\n@pytest.fixture\ndef model(): ...\n"

MORE = "max_total, max_trainable, max_size_mb, frozen_fraction, layers, dtype, tied"

REFUSED = {
    "wrong keyword": (
        "modelcheck_parameters(totl=5)",
        "parameters has no promise 'totl' (did you mean 'total'?); its promises are total, trainable, non_trainable, "
        f"{MORE}",
    ),
    "no promise": (
        "modelcheck_parameters()",
        f"parameters promises nothing: give at least one of total, trainable, non_trainable, {MORE}",
    ),
    "no promise, without parentheses": (
        "modelcheck_parameters",
        f"parameters promises nothing: give at least one of total, trainable, non_trainable, {MORE}",
    ),
    "missing promise": ("modelcheck_accuracy()", "accuracy needs the promise 'min' or 'max_drop'"),
    "positional": (
        "modelcheck_accuracy(0.9)",
        "modelcheck_accuracy takes keywords only, not 0.9; its promises are min, average, confidence, early_stop, "
        "max_drop, baseline, per_class, slices, step, precision, checkpoint, stage",
    ),
    "NaN": ('modelcheck_accuracy(min=float("nan"))', "min=nan: a number from 0 to 1 is expected"),
    "percent": ("modelcheck_accuracy(min=98)", "min=98: a number from 0 to 1 is expected"),
    "word": (
        'modelcheck_accuracy(min=0.9, average="mean")',
        "average='mean': one of micro, macro is expected",
    ),
    "bad shape": (
        'modelcheck_shape(expected="batch tok.ens 768")',
        "expected: 'tok.ens' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  batch tok.ens 768\n"
        "           ^",
    ),
    "subject": (
        "modelcheck_parameters(total=5, model=3)",
        "modelcheck_parameters(model=...) is the name of a fixture, not 3",
    ),
    "device": (
        'modelcheck_device("gpu")',
        "unknown device 'gpu': auto, cpu, cuda, cuda:N or mps is expected",
    ),
    "two devices": ('modelcheck_device("cpu,cuda")', "modelcheck_device takes one device, not 'cpu,cuda'"),
    "no device": ("modelcheck_device", 'modelcheck_device takes one device, as in modelcheck_device("cuda")'),
}


@pytest.mark.parametrize(("mark", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("arguments", [(), ("--modelcheck",), ("--modelcheck", "--strict-markers")], ids=len)
def test_a_mark_that_makes_no_sense_is_an_error_at_collection(pytester, mark, message, arguments):
    pytester.makepyfile(test_it=f"import pytest\n{SHAPE_SUBJECTS}@pytest.mark.{mark}\ndef test_gate(): ...\n")
    result = pytester.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert f"test_it.py::test_gate: {message}" in result.stdout.str()
    result.assert_outcomes(errors=1)


@pytest.fixture
def all_refused(small_check):
    for index, (mark, _) in enumerate(REFUSED.values()):
        text = f"import pytest\n{SHAPE_SUBJECTS}@pytest.mark.{mark}\ndef test_gate(): ...\n"
        small_check.makepyfile(**{f"test_{index}": text})
    return small_check


def test_it_is_the_same_under_xdist(all_refused):
    result = all_refused.runpytest_inprocess("--modelcheck", "-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["incomplete: the run was cut short, and some gates may be missing"])
    result.assert_outcomes(errors=len(REFUSED))
    for index, (_, message) in enumerate(REFUSED.values()):
        assert f"test_{index}.py::test_gate: {message}" in result.stdout.str()


MARKS = (
    "modelcheck_roundtrip, modelcheck_tokenizer_conforms, modelcheck_token_ids, modelcheck_vocabulary, "
    "modelcheck_vocabulary_fits, modelcheck_shape, modelcheck_embedding_table, modelcheck_nearer, "
    "modelcheck_order_sensitive, modelcheck_permutation_equivariant, modelcheck_padding_invariant, "
    "modelcheck_batch_invariant, modelcheck_causal, modelcheck_attention, modelcheck_parameters, modelcheck_summary, "
    "modelcheck_flops, modelcheck_accuracy, modelcheck_metric, modelcheck_recipe"
)

UNKNOWN = (
    "unknown mark 'modelcheck_parameter' (did you mean 'modelcheck_parameters'?); the marks are "
    f"{MARKS}, modelcheck_device, modelcheck_card"
)


def test_an_unknown_mark_is_an_error_at_collection(pytester, processes):
    pytester.makepyfile(test_it="import pytest\n@pytest.mark.modelcheck_parameter(total=5)\ndef test_gate(): ...\n")
    result = pytester.runpytest_inprocess("--modelcheck", "-W", "ignore", processes)
    assert result.ret == COLLECTION_FAILED[processes]
    assert f"test_it.py::test_gate: {UNKNOWN}" in result.stdout.str()


def test_with_strict_markers_pytest_refuses_it_and_the_valid_marks_are_named(pytester, processes):
    pytester.makepyfile(test_it="import pytest\n@pytest.mark.modelcheck_parameter(total=5)\ndef test_gate(): ...\n")
    result = pytester.runpytest_inprocess("--modelcheck", "--strict-markers", processes)
    assert result.ret == COLLECTION_FAILED[processes]
    result.stdout.fnmatch_lines(
        [
            "'modelcheck_parameter' not found in `markers` configuration option",
            f"pytest-modelcheck's marks are modelcheck, modelcheck_device, modelcheck_card, {MARKS}.",
        ]
    )


def test_one_bad_mark_names_its_class_and_leaves_other_files_alone(small_check):
    small_check.makepyfile(
        test_bad="""
        import pytest
        @pytest.mark.modelcheck_small(at_mst=9)
        class TestIt:
            def test_gate(self): ...
        """,
        test_good="import pytest\n@pytest.mark.modelcheck_small(at_most=9)\ndef test_it(): ...\n",
    )
    result = small_check.runpytest_inprocess("--modelcheck", "--continue-on-collection-errors")
    result.assert_outcomes(passed=1, errors=1)
    assert "test_bad.py::TestIt::test_gate: small has no promise 'at_mst' (did you mean 'at_most'?)" in (
        result.stdout.str()
    )


def test_a_subject_that_is_no_fixture_is_an_error_that_names_it(small_check):
    small_check.makepyfile(
        "import pytest\n@pytest.mark.modelcheck_small(at_most=9, number='nmber')\ndef test_it(): ...\n"
    )
    result = small_check.runpytest_inprocess("--modelcheck")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E       fixture 'nmber' not found"])


def test_every_marker_has_a_line_in_the_list(small_check):
    lines = small_check.runpytest_inprocess("--markers").stdout.str()
    for name in ("roundtrip", "token_ids", "shape", "parameters", "accuracy"):
        assert f"@pytest.mark.modelcheck_{name}(" in lines
    assert "@pytest.mark.modelcheck: this test is a gate; it runs under --modelcheck only." in lines
    assert "@pytest.mark.modelcheck_device(name): the gate runs on this device, or is skipped without it." in lines
    assert "@pytest.mark.modelcheck_small(at_most): The number is at most this. Subjects: the fixtures number." in lines
