"""Runs that look well and are not: each fails, and its report says so."""

from __future__ import annotations

import json

import pytest

from pytest_modelcheck import read_report

KEPT = "import pytest\n\n@pytest.mark.modelcheck_small(at_most=9)\ndef test_kept(): ...\n"
WAIVED = "--modelcheck-accept=test_it.py::{}:why"


def run(pytester: pytest.Pytester, *options: str) -> tuple[pytest.RunResult, dict]:
    path = pytester.path / "r.json"
    path.unlink(missing_ok=True)
    result = pytester.runpytest_inprocess(
        "--modelcheck", "-p", "no:cacheprovider", f"--modelcheck-report={path}", *options
    )
    return result, json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


THIRD_PARTY = """
import numpy
import pytest
from pytest_modelcheck import Number, Part, Result, check

{before}

@check
def small(number, /, *, at_most: int) -> Result:
    '''It says what it likes.'''
    return {result}

def pytest_modelcheck_checks(config):
    return [small]

@pytest.fixture
def number():
    return 5
"""


def third_party(pytester: pytest.Pytester, result: str, before: str = "") -> None:
    """A session whose check, of another package, gives this result."""
    pytester.makeconftest(THIRD_PARTY.format(result=result, before=before))
    pytester.makepyfile(test_it=KEPT)


def outcomes(report: dict) -> list[tuple[str, str]]:
    return sorted((row["gate"].partition("::")[2], row["outcome"]) for row in report["rows"])


CUT_SHORT = {
    "an exit that claims success": ("def test_stop(): pytest.exit('enough', returncode=0)\n", ""),
    "a hook that makes a success of no test": (
        "",
        "def pytest_sessionfinish(session): session.exitstatus = 0\n"
        "def pytest_collection_modifyitems(items): items.clear()\n",
    ),
}


@pytest.mark.parametrize("name", CUT_SHORT)
def test_a_run_that_was_cut_short_is_no_success(small_check: pytest.Pytester, name: str):
    tests, hooks = CUT_SHORT[name]
    small_check.makepyfile(test_it=KEPT + tests)
    conftest = small_check.path / "conftest.py"
    conftest.write_text(conftest.read_text(encoding="utf-8") + "\n" + hooks, encoding="utf-8")
    result, report = run(small_check)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert report["passed"] is False
    assert report["problems"]


TEARDOWN = (
    KEPT
    + """
from conftest import small

@pytest.fixture
def after():
    yield
    small.assert_form(500, at_most=1)

@pytest.mark.modelcheck_small(at_most=1)
def test_broken(after): ...
"""
)


def test_what_breaks_in_a_teardown_has_a_row_and_a_waiver_of_its_own(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=TEARDOWN)
    _, report = run(small_check)
    assert outcomes(report) == [("test_broken", "failed"), ("test_broken", "failed"), ("test_kept", "passed")]
    result, report = run(small_check, WAIVED.format("test_broken"))
    assert result.ret == pytest.ExitCode.OK
    assert outcomes(report) == [("test_broken", "waived"), ("test_broken", "waived"), ("test_kept", "passed")]
    assert any("500 is more than 1" in row["message"] for row in report["rows"])


UNITTEST = {
    "a marker": ("@pytest.mark.modelcheck_small(at_most=9)\n    def test_it(self): assert 1 == 2", "error"),
    "a marker that is expected to fail": (
        "@pytest.mark.modelcheck_small(at_most=1)\n    @unittest.expectedFailure\n    def test_it(self): ...",
        "error",
    ),
    "its setUp": (
        "def setUp(self): assert False, 'no data'\n    @pytest.mark.modelcheck\n    def test_it(self): ...",
        "failed",
    ),
}


@pytest.mark.parametrize(("body", "outcome"), UNITTEST.values(), ids=UNITTEST)
def test_of_unittest_nothing_is_let_through_that_was_not_measured(
    small_check: pytest.Pytester, body: str, outcome: str
):
    small_check.makepyfile(test_it=f"{KEPT}\nimport unittest\n\nclass TestIt(unittest.TestCase):\n    {body}\n")
    result, report = run(small_check, WAIVED.format("TestIt::test_it"))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert outcomes(report) == [("TestIt::test_it", outcome), ("test_kept", "passed")]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("at_most", [1, 9])
def test_an_expected_failure_needs_no_waiver(small_check: pytest.Pytester, at_most: int, strict: bool):
    mark = f"@pytest.mark.xfail(strict={strict})\n@pytest.mark.modelcheck_small(at_most={at_most})"
    small_check.makepyfile(test_it=f"{KEPT}\n{mark}\ndef test_both(): ...\n")
    result, report = run(small_check, WAIVED.format("test_both"))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "waived" not in dict(outcomes(report)).values()
    told = "the waiver of test_it.py::test_both is not needed any more, "
    if at_most == 1 or not strict:
        assert any(problem.startswith(told) for problem in report["problems"])


def test_a_result_whose_parts_were_all_skipped_is_not_let_through(small_check: pytest.Pytester):
    part = "Part('one', 'skipped', 'something', 'cannot be asked')"
    third_party(small_check, f"Result('failed', 'something', 'nothing', 'nothing was asked', parts=({part},))")
    result, _ = run(small_check, WAIVED.format("test_kept"))
    assert result.ret == pytest.ExitCode.TESTS_FAILED


NO_FIXTURE = """
import pytest

@pytest.mark.modelcheck_small(at_most=9, number="no_such")
def test_asked(): ...
"""


def test_a_fixture_that_is_not_there_is_named_in_the_report(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=NO_FIXTURE)
    result, report = run(small_check)
    assert (result.ret, len(report["rows"])) == (pytest.ExitCode.TESTS_FAILED, 1)
    assert report["rows"][0]["message"] == (
        "setup: FixtureLookupError: there is no fixture 'no_such': write it, or name another one"
    )


MUTE = """
import pytest

class Mute(Exception):
    def __str__(self):
        return str(1 / 0)

@pytest.mark.modelcheck
def test_mute(): raise Mute
"""


def test_an_exception_that_cannot_be_written_breaks_no_report(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=MUTE)
    result, report = run(small_check)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [row["message"] for row in report["rows"]] == ["call: Mute: <its text cannot be read: ZeroDivisionError>"]


RETURNED = """
import pytest
from conftest import small

@pytest.mark.modelcheck
def test_returned(): return small{form}(5, at_most={at_most})

class TestMethods:
    @pytest.mark.modelcheck
    def test_returned(self): return small{form}(5, at_most={at_most})
"""


@pytest.mark.parametrize("at_most", [1, 9])
def test_a_result_that_is_returned_is_no_pass(small_check: pytest.Pytester, at_most: int):
    small_check.makepyfile(test_it=RETURNED.format(form="", at_most=at_most))
    result, report = run(small_check, "-W", "ignore::pytest.PytestReturnNotNoneWarning")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert {row["message"] for row in report["rows"]} == {
        "call: ModelCheckError: not measured: the test returns the result of small, at which nobody looks. Call "
        "assert_small, which raises where the promise is broken"
    }
    assert outcomes(report) == [("TestMethods::test_returned", "error"), ("test_returned", "error")]


@pytest.mark.parametrize(
    ("returned", "kind"),
    [
        ("(small(5, at_most=1), small(5, at_most=9))", "tuple"),
        ("[small(5, at_most=1)]", "list"),
        ("small(5, at_most=1).ok", "bool"),
        ("(small(5, at_most=1) for _ in range(1))", "generator"),
    ],
)
def test_whatever_else_is_returned_is_no_pass(small_check: pytest.Pytester, returned: str, kind: str):
    imports = "import pytest\nfrom conftest import small\n"
    small_check.makepyfile(test_it=f"{imports}@pytest.mark.modelcheck\ndef test_it(): return {returned}\n")
    result, report = run(small_check)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [row["message"] for row in report["rows"]] == [
        f"call: ModelCheckError: not measured: the test returns a {kind}, at which nobody looks. Assert what it is to "
        "be"
    ]


def test_what_a_coroutine_returns_is_looked_at_as_well(small_check: pytest.Pytester):
    pytest.importorskip("anyio")
    small_check.makepyfile(
        test_it="""
        import pytest
        from conftest import small

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        @pytest.mark.modelcheck
        async def test_returned():
            return small(5, at_most=1)

        @pytest.mark.anyio
        @pytest.mark.modelcheck
        async def test_asserted():
            small.assert_form(5, at_most=9)
        """
    )
    _, report = run(small_check, "-p", "anyio")
    assert outcomes(report) == [("test_asserted", "passed"), ("test_returned", "error")]


def test_a_result_that_was_looked_at_may_be_returned(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=RETURNED.format(form=".assert_form", at_most=9))
    result, report = run(small_check, "-W", "ignore::pytest.PytestReturnNotNoneWarning")
    assert result.ret == pytest.ExitCode.OK
    assert outcomes(report) == [("TestMethods::test_returned", "passed"), ("test_returned", "passed")]


CAUGHT = """
import pytest
from pytest_modelcheck import ModelCheckError, assert_parameters

@pytest.mark.modelcheck
def test_caught():
    with pytest.raises(ModelCheckError):
        assert_parameters("no model", total=5)
"""


def test_what_could_not_be_measured_is_no_expected_failure(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=CAUGHT)
    result, report = run(small_check)
    assert outcomes(report) == [("test_caught", "skipped")]
    assert (result.ret, report["passed"]) == (pytest.ExitCode.TESTS_FAILED, False)


@pytest.mark.parametrize("option", ["--modelcheck-accept=test_it.py::test_kept:why"])
def test_what_holds_for_one_run_is_not_written_down_for_all(
    small_check: pytest.Pytester, option: str, monkeypatch: pytest.MonkeyPatch
):
    small_check.makepyfile(test_it=KEPT)
    small_check.makeini(f"[pytest]\naddopts = {option}\n")
    for _ in range(2):
        result, _ = run(small_check)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert result.stderr.lines[0] == (
            "ERROR: modelcheck: --modelcheck-accept holds for one run, and is given on its command line only: what is "
            "to hold for longer has an owner and a day, in [tool.modelcheck.waivers]"
        )
        small_check.makeini("[pytest]\n")
        monkeypatch.setenv("PYTEST_ADDOPTS", option)


def test_a_waived_gate_alone_is_a_run_that_passes(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=KEPT.replace("at_most=9", "at_most=1"))
    result, report = run(small_check, WAIVED.format("test_kept"))
    assert (result.ret, report["passed"]) == (pytest.ExitCode.OK, True)


def test_a_test_that_is_no_gate_fails_the_run_in_the_report_too(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=KEPT + "def test_plain(): assert 1 == 2\n")
    result, report = run(small_check)
    assert (result.ret, report["passed"]) == (pytest.ExitCode.TESTS_FAILED, False)
    assert report["problems"] == ["tests that are no gates failed: 1."]


def test_no_report_says_that_all_is_well_where_another_could_not_be_written(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=KEPT)
    small_check.mkdir("taken.md")
    result, report = run(small_check, "--modelcheck-report=taken.md")
    assert (result.ret, report["passed"]) == (pytest.ExitCode.TESTS_FAILED, False)
    assert len(report["problems"]) == 1


def test_no_report_of_an_earlier_run_is_left(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=KEPT)
    run(small_check)
    small_check.makepyfile(test_it="import os\ndef test_dies(modelcheck): os._exit(0)\n")
    small_check.runpytest_subprocess("--modelcheck", "--modelcheck-report=r.json")
    assert (small_check.path / "r.json").read_text(encoding="utf-8") == ""


ODD = {
    "deep evidence": "Result('passed', 'p', 'm', evidence={'a': deep})",
    "evidence in a circle": "Result('passed', 'p', 'm', evidence={'a': circle})",
    "a huge number": "Result('passed', 'p', 'm', evidence={'a': 10**5000})",
    "a part without a name": "Result('passed', 'p', 'm', parts=(Part(5, 'passed', 'p', 'm'),))",
    "a history of NaN": "Result('passed', 'p', 'm', number=Number('x', 0.5), history=(float('nan'), 0.5))",
    "a history of texts": "Result('passed', 'p', 'm', number=Number('x', 0.5), history=('a', 0.5))",
    "a wide history": "Result('passed', 'p', 'm', number=Number('x', 0.5), history=(1e308, -1e308))",
    "a number without a name": "Result('passed', 'p', 'm', number=Number(5, 0.5))",
    "numbers of numpy": "Result('passed', 'p', 'm', number=Number('x', n(0.5), n(0.2), n(0.7)), history=(n(1), n(2)))",
    "a subject that is no text": "Result('passed', 'p', 'm', subject=5)",
}


DEEP = """
n = numpy.float32
deep = circle = []
for _ in range(3000):
    deep = [deep]
circle.append(circle)
"""


@pytest.mark.parametrize("result", ODD.values(), ids=ODD)
def test_no_check_of_another_package_breaks_the_run_or_its_report(
    small_check: pytest.Pytester, result: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "140")
    third_party(small_check, result, DEEP)
    names = ("r.md", "r.html", "r.txt", "metrics.json")
    found, report = run(small_check, *(f"--modelcheck-report={name}" for name in names))
    assert found.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    assert report["passed"] is (found.ret == pytest.ExitCode.OK)
    assert all((small_check.path / name).exists() for name in names)
    found.stdout.fnmatch_lines(["1 promise: 1 *"])
    assert len(read_report(small_check.path / "r.json").rows) == 1


def test_the_names_of_parts_are_inert_in_the_table(small_check: pytest.Pytester):
    names = ("night\x1b[2J", "day\nok       test_forged  accuracy", "x" * 300)
    parts = f"tuple(Part(name, 'passed', 'p', 'm') for name in {names!r})"
    third_party(small_check, f"Result('passed', 'p', 'm', parts={parts})")
    result, _ = run(small_check)
    assert "\x1b" not in result.stdout.str()
    assert not [line for line in result.outlines if "test_forged" in line and "test_kept" not in line]
    assert max(len(line) for line in result.outlines if line.startswith("ok ")) <= 120


SHARED = """
import pytest
from conftest import small

@pytest.fixture(scope="module")
def prepared():
    small.assert_form(5, at_most=3)

@pytest.mark.modelcheck
def test_one(prepared): ...

@pytest.mark.modelcheck
def test_two(prepared): ...
"""


def test_a_waiver_of_one_test_is_none_of_a_fixture_that_others_share(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=SHARED)
    result, report = run(small_check, WAIVED.format("test_one"))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert {outcome for _, outcome in outcomes(report)} <= {"failed", "error"}


def test_what_breaks_in_a_setup_is_no_expected_failure(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=SHARED.replace('(scope="module")', ""))
    _, report = run(small_check)
    assert sorted(set(outcomes(report))) == [
        ("test_one", "error"),
        ("test_one", "failed"),
        ("test_two", "error"),
        ("test_two", "failed"),
    ]


NAN = """
import pytest
import torch

X = torch.eye(4).repeat(500, 1)
Y = torch.arange(4).repeat(500)
Y[::7] = (Y[::7] + 1) % 4
X[1901] = float("nan")

@pytest.fixture
def model():
    return torch.nn.Identity()

@pytest.fixture
def data():
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=50)

@pytest.mark.modelcheck_accuracy(min=0.99)
def test_lost(): ...

@pytest.mark.modelcheck_accuracy(min=0.5)
def test_whole(): ...
"""


def test_a_sample_that_nobody_can_judge_is_that_of_the_gates_that_need_it(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=NAN)
    conftest = small_check.path / "conftest.py"
    _, forwards = run(small_check)
    text = conftest.read_text(encoding="utf-8")
    conftest.write_text(f"{text}\ndef pytest_collection_modifyitems(items): items.reverse()\n", encoding="utf-8")
    _, backwards = run(small_check)
    assert outcomes(forwards) == outcomes(backwards) == [("test_lost", "failed"), ("test_whole", "error")]


def test_ids_that_another_plugin_rewrites_are_no_tests_that_did_not_run(small_check: pytest.Pytester):
    conftest = small_check.path / "conftest.py"
    hook = """
@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    report.nodeid = report.nodeid.encode("utf-8").decode("unicode_escape")
    return report
"""
    conftest.write_text(conftest.read_text(encoding="utf-8") + hook, encoding="utf-8")
    small_check.makepyfile(test_it=KEPT + "@pytest.mark.parametrize('x', ['a', '\u4f60'])\ndef test_plain(x): ...\n")
    result, report = run(small_check)
    assert (result.ret, report["complete"]) == (pytest.ExitCode.OK, True)


def test_a_hook_that_makes_a_success_of_a_broken_gate_does_not(small_check: pytest.Pytester):
    conftest = small_check.path / "conftest.py"
    hook = "\ndef pytest_sessionfinish(session): session.exitstatus = 0\n"
    conftest.write_text(conftest.read_text(encoding="utf-8") + hook, encoding="utf-8")
    small_check.makepyfile(test_it=KEPT.replace("at_most=9", "at_most=1"))
    result, report = run(small_check)
    assert (result.ret, report["passed"]) == (pytest.ExitCode.TESTS_FAILED, False)


@pytest.mark.parametrize("option", ["--modelcheck-device=nowhere", "--modelcheck-accept=nonsense"])
def test_a_usage_error_leaves_no_report_of_an_earlier_run(small_check: pytest.Pytester, option: str):
    small_check.makepyfile(test_it=KEPT)
    run(small_check)
    path = small_check.path / "r.json"
    path.chmod(0o640)
    result = small_check.runpytest_inprocess("--modelcheck", "--modelcheck-report=r.json", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert path.read_text(encoding="utf-8") == ""
    small_check.runpytest_inprocess("--modelcheck", "--modelcheck-report=r.json")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_path_that_is_too_long_is_told(small_check: pytest.Pytester):
    small_check.makepyfile(test_it=KEPT)
    result, report = run(small_check, f"--modelcheck-report={'a' * 300}.json")
    assert (result.ret, report["passed"]) == (pytest.ExitCode.TESTS_FAILED, False)


ELSEWHERE = {
    "a file that skips itself": ("test_gpu.py::test_gpu", "import pytest; pytest.importorskip('no_such_package')"),
    "a gate on another device": ("test_it.py::test_kept[cuda:0]", ""),
}


@pytest.mark.parametrize(("gate", "module"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_nothing_is_said_of_a_waiver_for_another_machine(small_check: pytest.Pytester, gate: str, module: str):
    small_check.makepyfile(test_it=KEPT, test_gpu=module)
    small_check.makepyprojecttoml(
        "[tool.pytest.ini_options]\n[tool.modelcheck.waivers]\n"
        f'"{gate}" = {{ reason = "r", owner = "o", expires = 2199-01-01 }}\n'
    )
    result, report = run(small_check)
    assert (result.ret, report["problems"]) == (pytest.ExitCode.OK, [])
