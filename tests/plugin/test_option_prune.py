"""`--modelcheck-prune`: what no test uses any more is removed, after a run of all tests, and nothing else ever is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.baselines_by_hand import whole
from tests.letters import CONFTEST

GATE = """
@pytest.mark.modelcheck_token_ids(text="{letter}")
def test_{letter}(): {body}
"""


def write(pytester: pytest.Pytester, names: str = "ab", module: str = "test_it", body: str = "..."):
    text = "import pytest\n" + "".join(GATE.format(letter=letter, body=body) for letter in names)
    pytester.makepyfile(**{module: text})


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("COLUMNS", "200")
    pytester.makeconftest(CONFTEST.format(shift=0))
    write(pytester)
    write(pytester, "c", "test_other")
    run(pytester, "--modelcheck-update").assert_outcomes(passed=3)
    return pytester


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", *options)


def recorded(pytester: pytest.Pytester) -> dict[str, list[str]]:
    folder = pytester.path / "__modelcheck__"
    return {path.stem: list(json.loads(path.read_text())["baselines"]) for path in sorted(folder.glob("*.json"))}


ALL = {"test_it": ["test_a token_ids", "test_b token_ids"], "test_other": ["test_c token_ids"]}
NOTHING = "no baseline was removed: --modelcheck-prune needs a whole run of all tests"


def test_a_baseline_without_a_test_is_told_of_and_removed_when_asked(session: pytest.Pytester, processes: str):
    write(session, "a")
    result = run(session, processes)
    assert result.ret == pytest.ExitCode.OK
    assert "baselines that no test uses: 1; --modelcheck-prune removes them" in result.outlines
    assert recorded(session) == ALL
    result = run(session, processes, "--modelcheck-prune", "--modelcheck-report=r.json")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["baselines removed: 1; review them: git diff '[*]__modelcheck__/[*]'", "  - test_b token_ids"],
        consecutive=True,
    )
    assert recorded(session) == {**ALL, "test_it": ["test_a token_ids"]}
    assert json.loads((session.path / "r.json").read_text())["baselines"] == [
        {"change": "removed", "file": "__modelcheck__/test_it.json", "key": "test_b token_ids", "lines": []}
    ]
    assert run(session, processes, "--modelcheck-prune").ret == pytest.ExitCode.OK


def test_the_file_of_a_test_file_that_is_gone_is_removed(session: pytest.Pytester):
    (session.path / "test_other.py").unlink()
    run(session, "--modelcheck-prune")
    assert recorded(session) == {"test_it": ALL["test_it"]}
    (session.path / "test_it.py").write_text("def test_plain(modelcheck): ...")
    run(session, "--modelcheck-prune")
    assert not (session.path / "__modelcheck__").exists()


PARTIAL = {
    "a name": ("-k", "test_a"),
    "a mark": ("-m", "modelcheck"),
    "a test": ("test_it.py::test_a",),
    "a file": ("test_it.py",),
    "all but one": ("--deselect", "test_it.py::test_b"),
    "all but a file": ("--ignore", "test_other.py"),
    "files of another name": ("-o", "python_files=test_it.py"),
    "files of another name, strictly": ("--strict-markers", "-o", "python_files=test_it.py"),
}


@pytest.mark.parametrize("options", PARTIAL.values(), ids=PARTIAL)
def test_a_partial_run_removes_nothing_and_says_so(session: pytest.Pytester, options: tuple[str, ...]):
    result = run(session, "--modelcheck-prune", *options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert NOTHING in result.outlines
    assert recorded(session) == ALL


@pytest.mark.parametrize(
    "options", [("--strict-markers",), ("--strict-config", "-o", "xfail_strict=true"), ("-o", "log_level=INFO")]
)
def test_an_option_that_leaves_no_test_out_does_not_make_a_run_partial(session: pytest.Pytester, options):
    write(session, "a")
    result = run(session, "--modelcheck-prune", *options)
    assert result.ret == pytest.ExitCode.OK
    assert recorded(session) == {**ALL, "test_it": ["test_a token_ids"]}


def test_nor_does_one_that_a_plugin_cuts_short(session: pytest.Pytester, processes: str):
    session.makeconftest(
        CONFTEST.format(shift=0)
        + """
    def pytest_collection_modifyitems(config, items):
        config.hook.pytest_deselected(items=items[1:])
        del items[1:]
    """
    )
    result = run(session, processes, "--modelcheck-prune")
    assert NOTHING in result.outlines
    assert recorded(session) == ALL


@pytest.mark.parametrize("module", ["raise ValueError", "def test_it(: ..."])
def test_nor_one_in_which_a_file_cannot_be_collected(session: pytest.Pytester, module: str):
    (session.path / "test_other.py").write_text(module)
    run(session, "--modelcheck-prune")
    run(session, "--modelcheck-prune", "--continue-on-collection-errors")
    assert recorded(session) == ALL


def test_nor_one_that_stops(session: pytest.Pytester):
    session.makeconftest(CONFTEST.format(shift=1))
    (session.path / "test_it.py").write_text("def test_stop(): assert 0")
    run(session, "--modelcheck-prune", "-x")
    assert recorded(session) == ALL


SKIPPED = {
    "skipped": "import pytest; pytest.skip('not here')",
    "failing": "assert 0",
    "broken in a fixture": None,
}


@pytest.mark.parametrize("body", SKIPPED.values(), ids=SKIPPED)
def test_the_baselines_of_a_test_that_did_not_pass_are_kept(session: pytest.Pytester, body: str | None):
    text = "def test_a(modelcheck): " + body if body else "def test_a(modelcheck, missing): ..."
    (session.path / "test_it.py").write_text(f"{text}\ndef test_b(modelcheck): ...\n")
    run(session, "--modelcheck-prune")
    assert recorded(session) == {**ALL, "test_it": ["test_a token_ids"]}


def test_those_of_another_kind_of_device_are_kept(session: pytest.Pytester):
    path = session.path / "__modelcheck__" / "test_it.json"
    more = ("test_cpu accuracy release on cuda", "test_cpu accuracy old on cpu", "test_gone accuracy release on cuda")
    path.with_name("test_cpu.json").write_text(whole({key: {"correct": 1} for key in more}))
    (session.path / "test_cpu.py").write_text(
        "import torch\nfrom pytest_modelcheck import assert_accuracy\n"
        "def test_cpu(modelcheck): assert_accuracy(torch.nn.Identity(), (torch.eye(2), torch.arange(2)), min=1)"
    )
    run(session, "--modelcheck-prune")
    assert recorded(session) == {**ALL, "test_cpu": [more[0]]}


def test_a_file_that_cannot_be_believed_is_left_alone(session: pytest.Pytester):
    path = session.path / "__modelcheck__" / "test_other.json"
    path.write_text("{")
    result = run(session, "--modelcheck-prune")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["the baseline * is refused: it is not strict JSON: *"])
    assert path.read_text() == "{"


def test_in_ci_it_is_refused(session: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "true")
    result = run(session, "--modelcheck-prune")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[0] == (
        "ERROR: modelcheck: --modelcheck-prune is refused where CI=true: remove baselines where it is reviewed"
    )


def test_without_gates_it_makes_no_sense(session: pytest.Pytester):
    result = session.runpytest_inprocess("--modelcheck-prune")
    assert result.stderr.lines[0] == (
        "ERROR: modelcheck: --modelcheck-prune removes what no gate uses: give --modelcheck as well"
    )


def test_what_lies_outside_of_the_folders_is_left_alone(session: pytest.Pytester):
    folder = session.mkdir("inside")
    (folder / "test_in.py").write_text("def test_in(modelcheck): ...")
    (session.path / "test_other.py").unlink()
    run(session, "--modelcheck-prune", "inside")
    assert recorded(session) == ALL
    assert Path("inside/__modelcheck__").exists() is False


USERS = """
import pytest
from pytest_modelcheck import assert_token_ids

@pytest.fixture
def late(tokenizer):
    yield
    assert_token_ids(tokenizer, text="late")

{body}
"""

STILL_USED = {
    "in a teardown": "def test_x(modelcheck, late): ...",
    "behind an assertion with a waiver": (
        "STOP = False\n"
        "def test_x(modelcheck, tokenizer):\n"
        "    assert not STOP\n"
        "    assert_token_ids(tokenizer, text='late')"
    ),
    "by a test that somebody drops": "def test_slow(modelcheck, tokenizer): assert_token_ids(tokenizer, text='late')",
}
DROPPED = "\ndef pytest_collection_modifyitems(items): items[:] = [item for item in items if 'slow' not in item.name]\n"


@pytest.mark.parametrize("name", STILL_USED)
def test_what_is_still_used_is_kept(pytester: pytest.Pytester, name: str):
    pytester.makeconftest(CONFTEST.format(shift=0))
    module = pytester.path / "test_used.py"
    module.write_text(USERS.format(body=STILL_USED[name]), encoding="utf-8")
    result = run(pytester, "--modelcheck-update")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["baselines recorded: 1; *"])
    module.write_text(module.read_text(encoding="utf-8").replace("STOP = False", "STOP = True"), encoding="utf-8")
    if "drops" in name:
        (pytester.path / "test_more.py").write_text("def test_more(modelcheck): ...", encoding="utf-8")
        conftest = pytester.path / "conftest.py"
        conftest.write_text(conftest.read_text(encoding="utf-8") + DROPPED, encoding="utf-8")
    waiver = ["--modelcheck-accept=test_used.py::test_x:why"] if "waiver" in name else []
    result = run(pytester, "--modelcheck-prune", *waiver)
    assert "baselines removed" not in result.stdout.str()
    assert len(recorded(pytester)["test_used"]) == 1


@pytest.mark.parametrize("folder", [".venv", "node_modules", "env"])
def test_folders_that_pytest_does_not_look_into_are_left_alone(session: pytest.Pytester, folder: str):
    inner = session.path / folder / "pkg" / "__modelcheck__"
    inner.mkdir(parents=True)
    (session.path / "env").mkdir(exist_ok=True)
    (session.path / "env" / "pyvenv.cfg").write_text("home = /usr\n", encoding="utf-8")
    (inner / "test_gone.json").write_text(whole({"a b": {}}), encoding="utf-8")
    run(session, "--modelcheck-prune")
    assert (inner / "test_gone.json").exists()


def test_a_file_whose_tests_are_all_skipped_keeps_what_it_has(session: pytest.Pytester):
    skipped = "import pytest\npytest.skip('not here', allow_module_level=True)\n"
    for name in ("test_[a]", "test_other"):
        (session.path / f"{name}.py").write_text(skipped, encoding="utf-8")
    kept = session.path / "__modelcheck__" / "test_[a].json"
    kept.write_text(whole({"test_a token_ids": {}}), encoding="utf-8")
    run(session, "--modelcheck-prune")
    assert recorded(session) == {**ALL, "test_[a]": ["test_a token_ids"]}


def test_files_that_share_one_are_left_alone_where_not_all_were_looked_at(session: pytest.Pytester):
    (session.path / "test_it.md").write_text("no tests for today", encoding="utf-8")
    write(session, "a")
    run(session, "--modelcheck-prune")
    assert recorded(session) == ALL


def test_what_was_removed_is_told_beside_what_could_not_be(session: pytest.Pytester):
    write(session, "a")
    (session.path / "__modelcheck__" / "test_other.json").write_text("{", encoding="utf-8")
    result = run(session, "--modelcheck-prune")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["the baseline * is refused: *", "baselines removed: 1; *", "  - test_b token_ids"])


def test_a_fixture_that_outlives_its_test_has_no_baseline(pytester: pytest.Pytester, processes: str):
    pytester.makeconftest(CONFTEST.format(shift=0))
    pytester.makepyfile(
        test_it="""
        import pytest
        from pytest_modelcheck import assert_token_ids

        @pytest.fixture(scope="module")
        def wide():
            class Letters:
                encode, decode = staticmethod(lambda text: [1]), staticmethod(lambda ids: "a")
            assert_token_ids(Letters(), text="a")

        def test_it(modelcheck, wide): ...
        """
    )
    result = run(pytester, processes, "--modelcheck-update")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    message = (
        "token_ids is compared with a baseline in a fixture of scope 'module', which no single test has called: "
        "compare in a test, or in a fixture of scope 'function'"
    )
    assert message in result.stdout.str()
    assert recorded(pytester) == {}
