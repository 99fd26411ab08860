"""The tutorial of the sample project is true: each step is taken, in order, and prints what is shown."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[1] / "sample_project"
TITLE = "From an empty repository to a gated one"

# A line with one of these tells what a network has learnt, whose numbers differ from processor to processor.
LEARNT = re.compile(r"accuracy|images|samples|recall|class|loss|correct|broken")


def steps() -> list[tuple[str, str]]:
    """The blocks of the tutorial with their languages."""
    text = (SAMPLE / "README.md").read_text(encoding="utf-8").split(f"\n## {TITLE}\n")[1].split("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def comparable(line: str) -> str:
    """A line without what differs from run to run."""
    line = re.sub(r"\s+(?:s|\d+(?:\.\d+)?)$", "", line.removeprefix("E   "))
    line = re.sub(r"(?<=\S)\s{2,}", "  ", line)
    return re.sub(r"[+-]?\d[\d.,]*(?:e-\d+)?|\.\.+", "#", line) if LEARNT.search(line) else line


class Reader:
    """Somebody who types the tutorial into a folder."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.printed: list[str] = []

    def python(self, block: str) -> None:
        path = self._path(block)
        path.parent.mkdir(exist_ok=True)
        path.write_text(block, encoding="utf-8")

    toml = python

    def diff(self, block: str) -> None:
        path = self._path(block)
        lines = block.splitlines()[1:]
        before, after = ("".join(f"{line[1:]}\n" for line in lines if line[0] != sign) for sign in "+-")
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, before
        path.write_text(text.replace(before, after), encoding="utf-8")

    def sh(self, block: str) -> None:
        self.printed = [line for command in block.splitlines() for line in self._ran(shlex.split(command))]

    def text(self, block: str) -> None:
        printed = [comparable(line) for line in self.printed]
        for line in block.splitlines():
            assert comparable(line) in printed, "\n".join(self.printed)

    def _ran(self, command: list[str]) -> list[str]:
        program, *arguments = command
        if program == "pytest":
            return self._pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments).outlines
        assert program == "python"
        folder = self._pytester.path
        ended = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=True)
        return ended.stdout.splitlines()

    def _path(self, block: str) -> Path:
        return self._pytester.path / block.partition("\n")[0].removeprefix("# ")


@pytest.fixture
def reader(pytester: pytest.Pytester, modelrepo: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setenv("COLUMNS", "120")
    raw = pytester.path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in (SAMPLE / "data" / "MNIST" / "raw").glob("*.gz"):
        (raw / packed.name).symlink_to(packed)
    return Reader(pytester)


@pytest.mark.slow  # trains a network three times, of several epochs
def test_each_step_prints_what_is_shown(reader: Reader):
    taken = steps()
    assert {"python", "toml", "sh", "text", "diff"} == {language for language, _ in taken}
    for language, block in taken:
        getattr(reader, language)(block)
    assert (reader._pytester.path / "gates.html").stat().st_size > 10_000


def test_what_is_not_printed_is_seen(reader: Reader):
    reader.printed = ["ok       test_size  parameters  total 25,450  total 25,450  exact            0.02"]
    reader.text("ok       test_size  parameters  total 25,450  total 25,450  exact            0.00\n")
    with pytest.raises(AssertionError):
        reader.text("ok       test_size  parameters  total 25,451  total 25,450  exact            0.00\n")
