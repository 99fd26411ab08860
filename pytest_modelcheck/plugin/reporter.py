"""The end of a run: the gate table, the reports, and a verdict that no missing gate can pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelcheck.baselines.files import write_whole
from pytest_modelcheck.plugin.rows import Row, lost_rows
from pytest_modelcheck.plugin.stash import session_of
from pytest_modelcheck.reports import RENDERERS, terminal
from pytest_modelcheck.reports.run import Run

# The checks that compare with what was recorded, and tell how much they recorded now.
_RECORDING = ("token_ids", "summary", "accuracy")


class Reporter:
    """Collects the rows of all gates on the controller, prints the table, writes the reports, judges the session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._settings = session_of(config).settings
        self._rows: list[Row] = []
        self._notes: list[str] = []
        self._written: list[Path] = []
        self._complete = True
        self._runs_tests = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        self._runs_tests = not self._config.option.collectonly

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._complete = self._complete and not report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._rows.extend(getattr(report, "modelcheck", None) or lost_rows(report))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if not self._runs_tests:
            return
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
        self._complete = self._complete and ended and not (session.shouldfail or session.shouldstop)
        self._judge(session, exitstatus)
        self._write_reports(session)

    def pytest_keyboard_interrupt(self) -> None:
        self._complete = False

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._runs_tests:
            return
        terminalreporter.write_sep("=", "modelcheck")
        width = self._config.get_terminal_writer().fullwidth
        for line in terminal.render(self._run(), width=width, quiet=self._config.option.verbose < 0):
            terminalreporter.write_line(line.text, **dict.fromkeys(line.styles, True))
        recorded = sum(row["evidence"].get("recorded", 0) for row in self._rows if row["check"] in _RECORDING)
        if recorded:
            terminalreporter.write_line(f"baselines recorded: {recorded}; review them: git diff '*__modelcheck__/*'")
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
                write_whole(path, RENDERERS[path.suffix](self._run()))
                self._written.append(path)
            except (OSError, ValueError) as error:
                self._notes.append(f"the report {path} could not be written: {error}")
                if session.exitstatus == pytest.ExitCode.OK:
                    session.exitstatus = pytest.ExitCode.TESTS_FAILED
