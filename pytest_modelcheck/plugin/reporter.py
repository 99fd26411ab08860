"""The end of a run: the gate table, the reports, and a verdict that no missing gate can pass."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from pytest_modelcheck.plugin.rows import Row
from pytest_modelcheck.plugin.stash import session_of
from pytest_modelcheck.reports import RENDERERS, terminal
from pytest_modelcheck.reports.run import Run


class Reporter:
    """Collects the rows of all gates on the controller, prints the table, writes the reports, judges the session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._settings = session_of(config).settings
        self._rows: list[Row] = []
        self._notes: list[str] = []
        self._written: list[Path] = []
        self._complete = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._rows.extend(getattr(report, "modelcheck", ()))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._config.option.collectonly:
            return
        self._complete = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        self._judge(session, exitstatus)
        self._write_reports(session)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._config.option.collectonly:
            return
        terminalreporter.section("modelcheck")
        width = self._config.get_terminal_writer().fullwidth
        for line in terminal.render(self._run(), width=width, quiet=self._config.option.verbose < 0):
            terminalreporter.write_line(line.text, **dict.fromkeys(line.styles, True))
        for path in self._written:
            terminalreporter.write_line(f"report: {path}")
        for note in self._notes:
            terminalreporter.write_line(note, red=True)

    def _run(self) -> Run:
        settings = self._settings
        return Run(tuple(self._rows), settings.seed, ",".join(settings.devices), self._complete)

    def _judge(self, session: pytest.Session, exitstatus: int) -> None:
        measured = any(row["outcome"] != "skipped" for row in self._rows)
        if measured or exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return
        skipped = f"all {len(self._rows)} were skipped" if self._rows else "none was collected and selected"
        self._notes.append(f"no gate ran ({skipped}), and --modelcheck passes nothing that was not measured.")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write_reports(self, session: pytest.Session) -> None:
        for path in self._settings.reports:
            try:
                _write(path, RENDERERS[path.suffix](self._run()))
                self._written.append(path)
            except OSError as error:
                self._notes.append(f"the report {path} could not be written: {error}")
                if session.exitstatus == pytest.ExitCode.OK:
                    session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
