"""The README is true: its code blocks run, its commands are those of the build, its table is what appears."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pytest_modelcheck import __main__ as program
from pytest_modelcheck import read_report
from tests.installed import before

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAIN, TESTS = 'pip install -e ".[all]" && pytest --modelcheck sample_project', 'pip install -e ".[dev]" && pytest'


def blocks(section: str, language: str) -> list[str]:
    """The code blocks of a language in the section with this heading."""
    text = re.split(rf"^#+ {re.escape(section)}$", README, flags=re.MULTILINE)[1]
    text = re.split(r"^## ", text, flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def write_files(pytester: pytest.Pytester, section: str) -> None:
    """Each Python block of the section as the file that its first line names."""
    for block in blocks(section, "python"):
        name = block.partition("\n")[0].removeprefix("# ")
        (pytester.path / name).write_text(block, encoding="utf-8")


@pytest.fixture
def sample(pytester: pytest.Pytester, modelrepo: None, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("COLUMNS", "120")
    write_files(pytester, "What it promises")
    pytester.makeini(f"[pytest]\nmodelcheck_mnist_root = {ROOT / 'sample_project' / 'data'}\n")
    return pytester


def examples_of(sample: pytest.Pytester, section: str) -> None:
    """The examples of another section, beside the subjects of the first."""
    for example in ("test_promises.py", "test_asserts.py"):
        (sample.path / example).unlink()
    write_files(sample, section)


def printed_table(result: pytest.RunResult, number: int) -> list[str]:
    """So many lines of what a run has printed, from the heading of its gate table on."""
    start = next(index for index, line in enumerate(result.outlines) if line.startswith("verdict"))
    return result.outlines[start : start + number]


def without_seconds(lines: list[str]) -> list[str]:
    return [re.sub(r"\s+(s|\d+(?:\.\d+)?)$", "", line) for line in lines]


def test_the_two_commands_stand_in_the_readme_and_in_the_build_word_for_word():
    build = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    for command in (MAIN, TESTS):
        assert f"```sh\n{command}\n```" in README
        assert command in build


def test_the_examples_give_the_table_and_the_message_that_the_readme_shows(sample: pytest.Pytester):
    result = sample.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=5, failed=1)
    table, message = (block.splitlines() for block in blocks("What it promises", "text"))
    assert without_seconds(printed_table(result, len(table))) == without_seconds(table)
    assert "\n".join(message) in "\n".join(result.outlines)


def test_the_tokenizer_gates_give_the_table_and_the_message_that_the_readme_shows(sample: pytest.Pytester):
    examples_of(sample, "Tokenizers")
    result = sample.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, failed=1)
    table, message = (block.splitlines() for block in blocks("Tokenizers", "text"))
    if before("transformers", "5"):
        message = [line.replace("DistilBertTokenizer:", "DistilBertTokenizerFast:") for line in message]
    assert without_seconds(printed_table(result, len(table))) == without_seconds(table)
    assert "\n".join(message) in "\n".join(result.outlines)


@pytest.fixture
def sized(sample: pytest.Pytester) -> pytest.Pytester:
    examples_of(sample, "Parameters")
    return sample


def test_the_parameter_gates_record_the_table_and_tell_the_sizes_that_the_readme_shows(sized: pytest.Pytester):
    result = sized.runpytest_inprocess("--modelcheck", "--modelcheck-update", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2)
    _, sizes = blocks("Parameters", "text")
    assert sizes in "\n".join(result.outlines)
    recorded = (sized.path / "__modelcheck__" / "test_size.json").read_text(encoding="utf-8")
    assert blocks("Parameters", "json")[0] in recorded
    sized.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_a_changed_layer_reads_as_the_readme_shows(sized: pytest.Pytester):
    sized.runpytest_inprocess("--modelcheck", "--modelcheck-update", "-p", "no:cacheprovider")
    conftest = sized.path / "conftest.py"
    changed = """    import torch
    network = trained_digit_network()
    network[7], network[9] = torch.nn.Linear(64, 33), torch.nn.Linear(33, 10)
    return network.append(torch.nn.Linear(10, 10)).eval()
"""
    text = conftest.read_text(encoding="utf-8").replace("    return trained_digit_network()\n", changed)
    conftest.write_text(text, encoding="utf-8")
    result = sized.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    assert blocks("Parameters", "text")[0] in "\n".join(result.outlines)


def test_the_shape_gates_give_the_verdicts_and_the_message_that_the_readme_shows(sample: pytest.Pytester):
    examples_of(sample, "Shapes and embeddings")
    result = sample.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, failed=1)
    message, table = (block.splitlines() for block in blocks("Shapes and embeddings", "text"))
    start = next(index for index, line in enumerate(result.outlines) if line.startswith("verdict"))
    # Differences are as small as they are on this machine.
    printed = [line.split()[:3] for line in result.outlines[start : start + len(table) - 1]]
    assert sorted(printed) == sorted(line.split()[:3] for line in table[:-1])
    assert result.outlines[start + len(table) - 1] == table[-1]
    words = re.sub(r"[\d.e-]+", "#", message[0])
    assert words in [re.sub(r"[\d.e-]+", "#", line) for line in result.outlines]


@pytest.fixture
def measured(sample: pytest.Pytester) -> pytest.Pytester:
    examples_of(sample, "Metrics")
    sample.makeini((sample.path / "tox.ini").read_text(encoding="utf-8") + "\nmarkers = slow\n")
    return sample


def test_the_metric_gates_give_the_message_and_the_table_that_the_readme_shows(measured: pytest.Pytester):
    options = ("--modelcheck", "--modelcheck-update", "-m", "not slow", "-p", "no:cacheprovider")
    result = measured.runpytest_inprocess(*options)
    result.assert_outcomes(passed=4, failed=1, deselected=1)
    message, table = (block.splitlines() for block in blocks("Metrics", "text"))
    assert without_seconds(printed_table(result, len(table))) == without_seconds(table)
    assert "\n".join(message) in "\n".join(result.outlines)


def test_the_check_of_your_own_runs(pytester: pytest.Pytester, modelrepo: None):
    write_files(pytester, "A check of your own")
    result = pytester.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["ok * frozen * backbone[*] is frozen *"])


def test_the_check_of_your_own_can_fail(pytester: pytest.Pytester, modelrepo: None):
    write_files(pytester, "A check of your own")
    tests = pytester.path / "test_frozen.py"
    tests.write_text(tests.read_text(encoding="utf-8").replace('"backbone"', '"head"'), encoding="utf-8")
    result = pytester.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    message = "E   frozen of ModuleDict: head.weight, head.bias would be trained. Call requires_grad_(False)."
    assert message in result.outlines


def test_the_tables_of_fixtures_and_options_are_complete(pytester: pytest.Pytester):
    helped = pytester.runpytest_inprocess("--help").stdout.str()
    options = set(re.findall(r"(--modelcheck[a-z-]*)", helped))
    assert options == set(re.findall(r"^\| `(--modelcheck[a-z-]*)`(?:, `| \|)", README, flags=re.MULTILINE))
    listed = pytester.runpytest_inprocess("--fixtures").stdout.str()
    fixtures = set(re.findall(r"^(modelcheck\w*)", listed, flags=re.MULTILINE))
    assert fixtures == set(re.findall(r"^\| `(modelcheck\w*)` \| ", README, flags=re.MULTILINE))


def test_the_ci_jobs_are_yaml_that_runs_the_gates():
    jobs = [yaml.safe_load(block) for block in blocks("In CI", "yaml")]
    github, gitlab = jobs
    steps = [step.get("run", "") for step in github["jobs"]["gates"]["steps"]]
    assert any(step.startswith("pytest --modelcheck ") for step in steps)
    assert any(line.startswith("pytest --modelcheck ") for line in gitlab["gates"]["script"])


def test_a_waiver_lets_the_gate_through_as_the_readme_shows(sample: pytest.Pytester):
    (sample.path / "pyproject.toml").write_text(blocks("Waivers", "toml")[0], encoding="utf-8")
    result = sample.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", "test_promises.py")
    assert result.ret == pytest.ExitCode.OK
    assert blocks("Waivers", "text")[0].strip() in result.outlines


def test_two_reports_are_compared_as_the_readme_shows(
    sample: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    options = ("--modelcheck", "-p", "no:cacheprovider", "test_asserts.py")
    sample.runpytest_inprocess(*options, "--modelcheck-report=old.json")
    conftest = sample.path / "conftest.py"
    worse = "network = trained_digit_network()\n    network[-1].bias.data[9] -= 3.0\n    return network\n"
    text = conftest.read_text(encoding="utf-8").replace("return trained_digit_network()\n", worse)
    conftest.write_text(text, encoding="utf-8")
    sample.runpytest_inprocess(*options, "--modelcheck-report=new.json")
    capsys.readouterr()
    assert program.main(["compare", "old.json", "new.json"]) == 1
    assert capsys.readouterr().out == blocks("Reports", "text")[0]


def test_a_report_is_read_back(sample: pytest.Pytester):
    sample.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", "--modelcheck-report=gates.json")
    run = read_report(sample.path / "gates.json")
    assert (len(run.rows), run.passed) == (10, False)
