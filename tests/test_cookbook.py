"""The cookbook is true: its files run as they stand, and print the tables and the messages that its pages show."""

from __future__ import annotations

import importlib
import re
import runpy
import shlex
import shutil
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_modelcheck import process

SAMPLE = Path(__file__).parents[1] / "sample_project"
COOKBOOK = SAMPLE / "cookbook"
PAGES = sorted(path.stem for path in COOKBOOK.glob("*.md"))

# Pages whose measured values are the same on every machine: what is trained in them reaches all that can be reached.
EXACT = ("lightning", "monorepo")

# What the pages' models and training load, loaded here once.
MODULES = (
    "datasets",
    "tokenizers.trainers",
    "torchvision.models",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.distilbert.modeling_distilbert",
)

# The outcomes of the tests of a page as it stands, and once it is broken as it shows.
OUTCOMES = {
    "hugging-face": ({"passed": 6}, {"passed": 4, "failed": 2}),
    "lightning": ({"passed": 3}, {"failed": 1, "deselected": 2}),
    "monorepo": ({"passed": 12}, {"passed": 10, "failed": 2, "deselected": 3}),
    "torchvision": ({"passed": 3}, {"failed": 1, "deselected": 2}),
}


@dataclass(frozen=True)
class Page:
    """A page: its files by their paths, what it runs to the end and once it is broken, and what both print."""

    files: dict[str, str]
    commands: list[list[str]]
    broken_file: str
    before: str
    after: str
    broken_command: list[str]
    table: list[str]
    message: list[str]


def read_page(name: str) -> Page:
    text = (COOKBOOK / f"{name}.md").read_text(encoding="utf-8")
    files = {
        block.partition("\n")[0].removeprefix("# "): block
        for language in ("python", "toml")
        for block in blocks(text, language)
    }
    install, commands, broken_command = blocks(text, "sh")
    assert install.startswith("pip install ")
    (change,) = blocks(text, "diff")
    broken_file, *lines = change.splitlines()
    table, message = (block.splitlines() for block in blocks(text, "text"))
    return Page(
        files,
        [shlex.split(line) for line in commands.splitlines()],
        broken_file.removeprefix("# "),
        "\n".join(line[1:] for line in lines if line[0] != "+"),
        "\n".join(line[1:] for line in lines if line[0] != "-"),
        shlex.split(broken_command),
        table,
        message,
    )


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def releases(modelrepo: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of the pages that were trained already."""
    for module in MODULES:
        importlib.import_module(module)
    return {}


@pytest.fixture
def folder(
    name: str,
    releases: dict[str, Path],
    pytester: pytest.Pytester,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> pytest.Pytester:
    """A page's files in a folder of their own, after its scripts have run and before any gate has."""
    monkeypatch.setenv("COLUMNS", "120")
    if name not in releases:
        releases[name] = tmp_path_factory.mktemp(name)
        prepare(releases[name], read_page(name))
    shutil.copytree(releases[name], pytester.path, dirs_exist_ok=True, symlinks=True)
    return pytester


def prepare(folder: Path, page: Page) -> None:
    for path, content in page.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")
    if "modelcheck_mnist" in page.files.get("pyproject.toml", ""):
        raw = folder / "data" / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for packed in (SAMPLE / "data" / "MNIST" / "raw").glob("*.gz"):
            (raw / packed.name).symlink_to(packed)
    for program, *arguments in page.commands:
        if program == "python":
            run_script(folder, arguments)


def run_script(folder: Path, arguments: list[str]) -> None:
    """What `python` does with a script in its folder, in this process, which has loaded torch already."""
    before = set(sys.modules)
    with process.preserved_world(), warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.chdir(folder)
        patch.setattr(sys, "argv", arguments)
        patch.syspath_prepend(str(folder))
        patch.setenv("PL_GLOBAL_SEED", "0")  # Lightning sets it, and it is taken back here
        runpy.run_path(arguments[0], run_name="__main__")
    for module in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


def run(folder: pytest.Pytester, command: list[str]) -> pytest.RunResult:
    program, *arguments = command
    assert program == "pytest"
    with warnings.catch_warnings():
        warnings.resetwarnings()  # a user's run does not have the filters of this project's tests
        return folder.runpytest_inprocess(*arguments, "-p", "no:cacheprovider")


def run_gates(folder: pytest.Pytester, page: Page) -> pytest.RunResult:
    """The page's pytest commands, one after the other; all must pass."""
    results = [run(folder, command) for command in page.commands if command[0] == "pytest"]
    assert [result.ret for result in results] == [pytest.ExitCode.OK] * len(results)
    return results[-1]


def record(folder: pytest.Pytester, page: Page) -> None:
    """The page's commands that record baselines."""
    for command in page.commands:
        if any("--modelcheck-update" in word for word in command):
            assert run(folder, command).ret == pytest.ExitCode.OK


def table_of(lines: list[str]) -> list[str]:
    """The gate table among the lines of a run, its totals included, without the seconds."""
    start = next(index for index, line in enumerate(lines) if line.startswith("verdict"))
    end = next(index for index, line in enumerate(lines) if re.match(r"\d+ promises?: ", line))
    return [re.sub(r"\s+(s|\d+(?:\.\d+)?)$", "", line) for line in lines[start : end + 1]]


def without_numbers(line: str) -> str:
    return re.sub(r"[-+]?\d[\d,.]*(e[-+]?\d+)?( more)?", "#", " ".join(line.split()))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_prints_the_table_that_it_shows(name: str, folder: pytest.Pytester):
    page = read_page(name)
    result = run_gates(folder, page)
    result.assert_outcomes(**OUTCOMES[name][0])
    printed, shown = table_of(result.outlines), table_of(page.table)
    if name in EXACT:
        assert printed == shown
    else:
        assert sorted(map(without_numbers, printed[:-1])) == sorted(map(without_numbers, shown[:-1]))
        assert printed[-1] == shown[-1]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fails_with_the_message_that_it_shows(name: str, folder: pytest.Pytester):
    page = read_page(name)
    record(folder, page)
    broken = folder.path / page.broken_file
    text = broken.read_text(encoding="utf-8")
    assert text.count(page.before) == 1
    broken.write_text(text.replace(page.before, page.after), encoding="utf-8")
    result = run(folder, page.broken_command)
    result.assert_outcomes(**OUTCOMES[name][1])
    assert set(map(without_numbers, page.message)) <= set(map(without_numbers, result.outlines))


@pytest.mark.parametrize("name", ["monorepo"])
def test_the_monorepo_selects_by_command_and_keeps_baselines_beside_each_package(name: str, folder: pytest.Pytester):
    record(folder, read_page(name))
    found = {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("__modelcheck__/*.json")}
    assert found == {f"packages/{package}/__modelcheck__/test_{package}.json" for package in ("bars", "rings", "tones")}
    text = (COOKBOOK / "monorepo.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\| `pytest --modelcheck(.*?)` \|", text, flags=re.MULTILINE)
    numbers = {command: collected(folder, shlex.split(command)) for command in commands if "device" not in command}
    assert numbers == {' -m "not slow"': 12, " -m slow": 3, " -k rings": 5, " packages/rings": 1}
    run(folder, ["pytest", "--modelcheck", "-m", "slow", "-k", "bars"]).assert_outcomes(passed=1, deselected=14)


def collected(folder: pytest.Pytester, arguments: list[str]) -> int:
    result = run(folder, ["pytest", "--modelcheck", "--collect-only", "-q", *arguments])
    return sum("::" in line for line in result.outlines)


def test_every_page_is_tested():
    assert set(PAGES) == set(OUTCOMES)
