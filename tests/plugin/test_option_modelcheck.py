"""`--modelcheck`: gates run with it and are skipped without it."""

from __future__ import annotations

import pytest

REASON = "a model gate: it runs under --modelcheck"

TESTS = """
import pytest

@pytest.fixture
def dear():
    raise RuntimeError("built")

@pytest.mark.modelcheck
def test_gate(): ...

@pytest.mark.modelcheck_small(at_most=9)
def test_small(): ...

def test_ordinary(): ...
"""


@pytest.fixture
def session(small_check):
    small_check.makepyfile(test_it=TESTS)
    return small_check


def test_gates_are_skipped_without_it(session, processes):
    result = session.runpytest_inprocess("-rs", processes)
    result.assert_outcomes(passed=1, skipped=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"SKIPPED* {REASON}"])
    result.stdout.no_fnmatch_line("*= modelcheck =*")


def test_gates_run_with_it(session, processes):
    result = session.runpytest_inprocess("--modelcheck", processes)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*= modelcheck =*", "2 promises: 2 passed; device auto, seed 0"])


def test_the_ini_key_turns_it_on(session, processes):
    session.makeini("[pytest]\nmodelcheck = true\n")
    session.runpytest_inprocess(processes).assert_outcomes(passed=3)


def test_the_ini_key_may_say_no(session):
    session.makeini("[pytest]\nmodelcheck = false\n")
    session.runpytest_inprocess().assert_outcomes(passed=1, skipped=2)


LATE = """
import pytest

{hook}
    config.option.modelcheck = True
"""

HOOKS = [
    "@pytest.hookimpl(trylast=True)\ndef pytest_configure(config):",
    "def pytest_sessionstart(session):\n    config = session.config",
    "def pytest_collection(session):\n    config = session.config",
]


@pytest.mark.parametrize("hook", HOOKS)
def test_no_gate_passes_that_is_turned_on_too_late_to_run(pytester, hook):
    broken = """
        import pytest

        @pytest.fixture
        def tokenizer():
            return len

        @pytest.mark.modelcheck_roundtrip(texts=["a"])
        def test_gate(): ...
        """
    pytester.makeconftest(LATE.format(hook=hook))
    pytester.makepyfile(broken)
    pytester.runpytest_inprocess().assert_outcomes(skipped=1)


def test_the_option_outweighs_the_ini_key(session):
    session.makeini("[pytest]\nmodelcheck = false\n")
    session.runpytest_inprocess("--modelcheck").assert_outcomes(passed=3)


def test_an_ini_key_that_is_neither_is_a_usage_error(session, processes):
    session.makeini("[pytest]\nmodelcheck = maybe\n")
    result = session.runpytest_inprocess(processes)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines_random(["ERROR: modelcheck: the ini key modelcheck: invalid truth value 'maybe'"])


def test_no_fixture_is_built_for_a_skipped_gate(session):
    session.makepyfile(
        test_it="""
        import pytest

        @pytest.fixture
        def dear():
            raise RuntimeError("built")

        @pytest.mark.modelcheck
        def test_gate(dear): ...
        """
    )
    session.runpytest_inprocess().assert_outcomes(skipped=1)
    session.runpytest_inprocess("--modelcheck").assert_outcomes(errors=1)


@pytest.mark.parametrize("question", ["--fixtures", "--markers", "--cache-show", "--help", "--version"])
def test_a_question_is_answered_without_a_verdict(session, question):
    session.makeini("[pytest]\nmodelcheck = true\nmodelcheck_report = report.json\n")
    result = session.runpytest_inprocess(question)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*no gate ran*")
    assert not (session.path / "report.json").exists()


def test_the_help_names_every_option_and_ini_key(session):
    text = session.runpytest_inprocess("--help").stdout.str()
    for name in ("", "-device", "-seed", "-report", "-full", "-timeout", "-mnist-root"):
        assert f"--modelcheck{name}" in text
        assert f"modelcheck{name.replace('-', '_')} (" in text
