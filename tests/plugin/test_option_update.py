"""`--modelcheck-update`: what was measured is recorded where it is missing, or anew, and refused in CI."""

from __future__ import annotations

import json

import pytest

from tests.baselines_by_hand import rewrite
from tests.letters import CONFTEST

GATES = """
    import pytest
    from pytest_modelcheck import assert_token_ids

    @pytest.mark.modelcheck_token_ids(text="{text}")
    def test_marker(): ...

    class TestLetters:
        def test_assert(self, tokenizer, modelcheck):
            assert_token_ids(tokenizer, text="b")
            assert_token_ids(tokenizer, text="c")
"""


@pytest.fixture
def letters(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    write(pytester)
    return pytester


def write(pytester: pytest.Pytester, *, shift: int = 0, text: str = "a") -> None:
    pytester.makeconftest(CONFTEST.format(shift=shift))
    pytester.makepyfile(test_letters=GATES.format(text=text))


def recorded(pytester: pytest.Pytester) -> dict[str, list[int]]:
    text = (pytester.path / "__modelcheck__" / "test_letters.json").read_text(encoding="utf-8")
    return {key: content["ids"] for key, content in json.loads(text)["baselines"].items()}


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", *options)


def test_a_missing_baseline_fails_and_names_the_command(letters: pytest.Pytester):
    result = run(letters)
    result.assert_outcomes(failed=2)
    path = letters.path / "__modelcheck__" / "test_letters.json"
    assert (
        "E   token_ids of Letters: not measured: no baseline is recorded for 'test_marker token_ids' in "
        f"{path}. pytest --modelcheck --modelcheck-update records it"
    ) in result.outlines
    assert not path.exists()


@pytest.mark.parametrize(
    "options", [["--modelcheck-update"], ["--modelcheck-update=missing"], ["--modelcheck-update=all"]]
)
def test_what_is_missing_is_recorded_and_compared_from_then_on(letters: pytest.Pytester, options: list[str]):
    result = run(letters, *options)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["baselines recorded: 3; review them: git diff '[*]__modelcheck__/[*]'"])
    assert recorded(letters) == {
        "TestLetters::test_assert token_ids": [98],
        "TestLetters::test_assert token_ids 2": [99],
        "test_marker token_ids": [97],
    }
    run(letters).assert_outcomes(passed=2)


@pytest.mark.slow  # starts two workers
def test_workers_record_what_one_process_records(letters: pytest.Pytester):
    run(letters, "--modelcheck-update", "-n2").assert_outcomes(passed=2)
    assert len(recorded(letters)) == 3
    run(letters, "-n2").assert_outcomes(passed=2)


def test_changed_ids_fail_and_name_the_command(letters: pytest.Pytester):
    run(letters, "--modelcheck-update")
    write(letters, shift=1)
    for options in ([], ["--modelcheck-update=missing"]):
        result = run(letters, *options)
        result.assert_outcomes(failed=2)
        start = result.outlines.index(
            "E   token_ids of Letters: 'a' becomes 1 id, and id 0 is 98 ('a') where 97 ('`') was promised."
        )
        assert result.outlines[start + 1 : start + 4] == [
            "E     promised: [97]",
            "E     measured: [98]",
            "E   If the new ids are meant, pytest --modelcheck --modelcheck-update=all records them.",
        ]
    run(letters, "--modelcheck-update=all").assert_outcomes(passed=2)
    assert recorded(letters)["test_marker token_ids"] == [98]


def test_a_baseline_of_another_text_is_refused(letters: pytest.Pytester):
    run(letters, "--modelcheck-update")
    write(letters, text="z")
    result = run(letters)
    result.assert_outcomes(failed=1, passed=1)
    assert (
        "E   token_ids of Letters: not measured: the baseline was recorded for another text, 'a'. "
        "pytest --modelcheck --modelcheck-update=all records it anew"
    ) in result.outlines


def test_ids_that_are_no_integers_are_refused(letters: pytest.Pytester):
    run(letters, "--modelcheck-update")
    path = letters.path / "__modelcheck__" / "test_letters.json"
    rewrite(path, lambda baselines: baselines["test_marker token_ids"].update(ids=[True]))
    result = run(letters)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["E   token_ids of Letters: not measured: the baseline was recorded for another text*"])


def test_the_ini_key_says_the_same(letters: pytest.Pytester):
    letters.makeini("[pytest]\nmodelcheck_update = missing\n")
    run(letters).assert_outcomes(passed=2)
    assert len(recorded(letters)) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--modelcheck", "--modelcheck-update=some"],
            "--modelcheck-update=some: missing or all is expected, after an equals sign",
        ),
        (["--modelcheck-update"], "--modelcheck-update records what gates measure: give --modelcheck as well"),
    ],
)
def test_a_wrong_update_is_a_usage_error(letters: pytest.Pytester, options: list[str], message: str):
    result = letters.runpytest_inprocess(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: modelcheck: {message}" in result.errlines


def test_updates_are_refused_in_ci(letters: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "true")
    result = run(letters, "--modelcheck-update")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert (
        "ERROR: modelcheck: --modelcheck-update=missing is refused where CI=true: record where it is reviewed"
        in result.errlines
    )
    assert not (letters.path / "__modelcheck__").exists()


def test_a_baseline_holds_on_every_device(letters: pytest.Pytester):
    run(letters, "--modelcheck-update")
    result = run(letters, "--modelcheck-device=cpu,auto")
    result.assert_outcomes(passed=4)
    assert len(recorded(letters)) == 3


GOLDEN = """
    import pytest

    @pytest.mark.modelcheck_token_ids(texts={texts})
    def test_golden(): ...
"""


def golden(pytester: pytest.Pytester, *texts: str, shift: int = 0) -> None:
    pytester.makeconftest(CONFTEST.format(shift=shift))
    pytester.makepyfile(test_letters=GOLDEN.format(texts=ascii(list(texts))))


def key(text: str) -> str:
    return f"test_golden token_ids '{text}'"


def test_golden_cases_are_recorded_and_one_more_beside_them(letters: pytest.Pytester, processes: str):
    golden(letters, "a", "bc")
    result = run(letters, processes, "--modelcheck-update")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["baselines recorded: 2; review them: git diff '[*]__modelcheck__/[*]'"])
    assert recorded(letters) == {key("a"): [97], key("bc"): [98, 99]}

    golden(letters, "d", "a", "bc")
    run(letters).assert_outcomes(failed=1)
    result = run(letters, processes, "--modelcheck-update=missing")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["baselines recorded: 1; review them: git diff '[*]__modelcheck__/[*]'"])
    assert recorded(letters) == {key("a"): [97], key("bc"): [98, 99], key("d"): [100]}
    assert "baselines recorded" not in run(letters).stdout.str()


def test_golden_cases_that_changed_are_named(letters: pytest.Pytester):
    golden(letters, *"abcdefg")
    run(letters, "--modelcheck-update").assert_outcomes(passed=1)
    golden(letters, *"abcdefg", shift=1)
    result = run(letters, "--modelcheck-update=missing")
    result.assert_outcomes(failed=1)
    start = result.outlines.index("E   token_ids of Letters: 7 of 7 texts become other ids than were recorded.")
    assert result.outlines[start + 1 : start + 4] == [
        "E   'a' becomes 1 id, and id 0 is 98 ('a') where 97 ('`') was promised.",
        "E     promised: [97]",
        "E     measured: [98]",
    ]
    assert result.outlines[start + 13].startswith("E   'e' becomes 1 id")
    assert result.outlines[start + 16 : start + 18] == [
        "E   ... and 2 more",
        "E   If the new ids are meant, pytest --modelcheck --modelcheck-update=all records them.",
    ]
    assert recorded(letters)[key("a")] == [97]
    run(letters, "--modelcheck-update=all").assert_outcomes(passed=1)
    assert recorded(letters) == {key(letter): [ord(letter) + 1] for letter in "abcdefg"}


def test_a_golden_case_that_cannot_be_shown_is_escaped(letters: pytest.Pytester):
    texts = ["bell\x07", "\u202eback\u2066", "caf\u00e9"]
    golden(letters, *texts)
    run(letters, "--modelcheck-update").assert_outcomes(passed=1)
    assert recorded(letters) == {
        key(r"bell\x07"): [*map(ord, texts[0])],
        key(r"\u202eback\u2066"): [*map(ord, texts[1])],
        key("caf\u00e9"): [*map(ord, texts[2])],
    }
    written = (letters.path / "__modelcheck__" / "test_letters.json").read_text(encoding="utf-8")
    assert all(line.isprintable() for line in written.split("\n"))
    assert {content["text"] for content in json.loads(written)["baselines"].values()} == set(texts)
    run(letters).assert_outcomes(passed=1)


def test_long_golden_cases_that_begin_alike_do_not_collide(letters: pytest.Pytester):
    texts = ["a" * 60 + "b", "a" * 60 + "c", "a" * 60]
    golden(letters, *texts)
    run(letters, "--modelcheck-update").assert_outcomes(passed=1)
    assert sorted(recorded(letters).values()) == sorted([*map(ord, text)] for text in texts)
    run(letters).assert_outcomes(passed=1)


def test_outside_of_a_run_there_is_no_baseline():
    from pytest_modelcheck import ConfigError, assert_token_ids

    class Letters:
        def encode(self, text: str) -> list[int]:
            return [ord(letter) for letter in text]

        def decode(self, ids: list[int]) -> str:
            return "".join(map(chr, ids))

    with pytest.raises(ConfigError, match=r"^token_ids has a baseline under pytest --modelcheck only: "):
        assert_token_ids(Letters(), text="a")


SIGNS = """
import pytest

class Signs:
    def __init__(self, sign):
        self.sign = sign

    def encode(self, text):
        return [ord(letter) * self.sign for letter in text]

    def decode(self, ids):
        return "".join(chr(abs(item)) for item in ids)

@pytest.fixture
def tokenizer(sign):
    return Signs(sign)

@pytest.mark.modelcheck_token_ids(text="a")
@pytest.mark.parametrize("sign", [1, -1])
def test_it(): ...
"""


def test_parameters_that_look_like_a_device_are_kept_apart(pytester: pytest.Pytester):
    pytester.makepyfile(test_it=SIGNS)
    run(pytester, "--modelcheck-update", "--modelcheck-device=cpu,auto").assert_outcomes(passed=4)
    content = json.loads((pytester.path / "__modelcheck__" / "test_it.json").read_text(encoding="utf-8"))
    ids = {key: item["ids"] for key, item in content["baselines"].items()}
    assert ids == {"test_it[1] token_ids": [97], "test_it[-1] token_ids": [-97]}
    result = run(pytester)
    result.assert_outcomes(passed=2)
    assert "that no test uses" not in result.stdout.str()


def test_a_device_is_left_out_wherever_it_stands(pytester: pytest.Pytester):
    pytester.makeconftest(
        """
        def pytest_generate_tests(metafunc):
            if "size" in metafunc.fixturenames:
                metafunc.parametrize("size", ["tiny", "cpux"])
        """
    )
    pytester.makepyfile(test_it=SIGNS.replace("def test_it():", "def test_it(size):"))
    run(pytester, "--modelcheck-update").assert_outcomes(passed=4)
    result = run(pytester, "--modelcheck-device=cpu,auto")
    result.assert_outcomes(passed=8)
    assert "that no test uses" not in result.stdout.str()


def test_what_the_ini_file_says_of_it_is_not_for_ci(letters: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    letters.makeini("[pytest]\nmodelcheck_update = missing\n")
    monkeypatch.setenv("CI", "true")
    run(letters).assert_outcomes(failed=2)
    monkeypatch.delenv("CI")
    run(letters).assert_outcomes(passed=2)
    monkeypatch.setenv("CI", "true")
    run(letters).assert_outcomes(passed=2)
