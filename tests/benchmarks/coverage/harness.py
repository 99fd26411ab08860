"""A cell of the table: a control that must pass, and the same with the fault, each in a pytest of its own.

The pytests of a cell share a folder and nothing else. They are forked from a process of the given Python that has
loaded torch, which takes longer than they do, unless they need a new one; with `MODELCHECK_FRESH_FAULTS=1` all are new.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tests.benchmarks.coverage.row import BENCHMARK, MODELCHECK, SYRUPY, TORCH, TORCHTEST, Row, Seen, Told, Use
from tests.benchmarks.rounds import ROOT
from tests.faults import launcher
from tests.outer import OUTER

OBSERVER = Path(__file__).parent / "observer.py"

SECRET = "hunter2"  # noqa: S105  (nobody's)

# What pytest says of a failure is noted by the observer, without lines of the test that have the same words.
_ALWAYS = ("--strict-markers", "--color=no", "--tb=no")

OF_TOOL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        MODELCHECK: ("-p", "pytest_modelcheck.plugin", "--modelcheck", "--modelcheck-strict-leaks"),
        TORCH: ("-p", "pytest_torch.plugin"),
        TORCHTEST: (),
        SYRUPY: ("-p", "syrupy"),
        BENCHMARK: ("-p", "pytest_benchmark.plugin"),
    }
)

_ENVIRONMENT = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTHONPATH": str(ROOT),
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",  # a machine without a GPU
    "HF_HUB_OFFLINE": "1",
    "COLUMNS": "200",
}

# The call that the process makes of pytest.
_DEPRECATED = "ignore:pytest.console_main"

# What would add to the options of a run.
_OPTIONS = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")

# What a run leaves behind that is nobody's baseline.
_OWN = (".pytest_cache", "__pycache__")


class ControlFailed(Exception):
    """A healthy subject did not pass: the benchmark is wrong, and says nothing of any tool."""


class Runner(NamedTuple):
    """A Python, and a process of it that has loaded torch."""

    python: Path
    loaded: launcher.Launcher

    def run(
        self, words: tuple[str, ...], folder: Path, environment: Mapping[str, str], output: Path, use: Use
    ) -> int | None:
        """The exit code of pytest, or nothing where it had to be ended."""
        if not use.fresh and "MODELCHECK_FRESH_FAULTS" not in os.environ:
            try:
                return self.loaded.run(words, folder, environment, output, use.limit)
            except TimeoutError:
                return None
        with output.open("wb") as file:
            try:
                return subprocess.run(
                    [self.python, "-m", "pytest", *words],
                    cwd=folder,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    timeout=use.limit,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                return None


@contextmanager
def runner(python: Path) -> Iterator[Runner]:
    """The process, until the end of the block."""
    environment = {**os.environ, **_ENVIRONMENT}
    with subprocess.Popen(
        [python, "-W", _DEPRECATED, launcher.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield Runner(python, launcher.Launcher(process))
        finally:
            process.kill()


def cell(row: Row, tool: str, folder: Path, given: Runner) -> str:
    """What a tool makes of a fault, in one word."""
    return row.judge(_seen(row, tool, folder, given), row.telling)


def _seen(row: Row, tool: str, folder: Path, given: Runner) -> Seen:
    use = row.uses[tool]
    run = _Run(f"{row.name} ({tool})", OF_TOOL[tool], use, folder, given)
    if use.record is not None:
        run.must_pass(use.record, use.recorded or use.healthy)
    compared = (*use.compare, *use.control_options)
    run.must_pass(compared, use.healthy)
    if use.damage is not None:
        use.damage(run.project)
    run.given_the_fault = True
    recording = None if use.anew is None else run.observed(use.anew, use.faulty)
    seen = run.observed((*(use.compare if use.updates is None else use.updates), *use.fault_options), use.faulty)
    run.given_the_fault = False
    again = run.observed(compared, use.healthy).exit if use.again else None
    # A recording changes files because it is told to.
    return replace(seen, recording=recording and replace(recording, changed=()), again=again)


class _Run:
    """The runs of a cell."""

    def __init__(self, name: str, words: tuple[str, ...], use: Use, folder: Path, given: Runner):
        self.name, self.words, self.use, self.folder, self.given = name, words, use, folder, given
        self.given_the_fault = False
        self.project = folder / "outside" / "project"
        self.project.mkdir(parents=True)
        for name, content in {"pytest.ini": "[pytest]\n", "conftest.py": OBSERVER.read_text(), **use.files}.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def must_pass(self, options: tuple[str, ...], subject: str) -> None:
        """A run of the healthy subject."""
        seen = self.observed(options, subject)
        if seen.exit != 0 or seen.outcomes() != {"passed"}:
            raise ControlFailed(f"{self.name}: exit {seen.exit}\n{seen.output}\n{seen.said}")

    def observed(self, options: tuple[str, ...], subject: str) -> Seen:
        """One run, and what is seen of it."""
        (self.project / "test_it.py").write_text(self.use.test.replace("SUBJECT", subject), encoding="utf-8")
        log, output = self.folder / "seen", self.folder / "output"
        log.unlink(missing_ok=True)
        output.unlink(missing_ok=True)
        before = _files(self.project)
        words = (*_ALWAYS, *self.words, *self.use.options, *options)
        code = self.given.run(words, self.project, self._environment(log), output, self.use)
        after = _files(self.project)
        written = tuple(name for name in after if after[name] != before.get(name))
        return Seen(
            code,
            output.read_bytes().decode("utf-8", "backslashreplace"),
            _told(log),
            changed=tuple(
                name for name in before if after.get(name) != before[name] and name not in self.use.overwrites
            ),
            outside=tuple(
                str(path)
                for path in self.project.parent.rglob("*")
                if path.is_file() and self.project not in path.parents
            ),
            canary=any(self.project.rglob("canary")),
            written=written,
            leaked=tuple(name for name in written if SECRET.encode() in (self.project / name).read_bytes()),
        )

    def _environment(self, log: Path) -> dict[str, str]:
        told = {name: value for name, value in os.environ.items() if name not in (*OUTER, *_OPTIONS)}
        told.update(_ENVIRONMENT, SEEN=str(log))
        more = {**self.use.environment, **(self.use.fault_environment if self.given_the_fault else {})}
        return {name: value for name, value in {**told, **more}.items() if value is not None}


def _told(log: Path) -> tuple[Told, ...]:
    lines = log.read_text().splitlines() if log.exists() else []
    return tuple(Told(*json.loads(line)) for line in lines)


def _files(project: Path) -> dict[str, str]:
    return {
        path.relative_to(project).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(project.rglob("*"))
        if path.is_file() and not any(part in _OWN for part in path.relative_to(project).parts)
    }
