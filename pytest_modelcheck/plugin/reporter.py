"""The end of a run: the gate table, the reports, and a verdict that no missing gate can pass."""

from __future__ import annotations

import datetime
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

from pytest_modelcheck.baselines.files import write_whole
from pytest_modelcheck.escape import discreet, printable
from pytest_modelcheck.plugin import actions, pruning
from pytest_modelcheck.plugin.environment import environment
from pytest_modelcheck.plugin.options import writes_reports
from pytest_modelcheck.plugin.rows import Row, lost_rows, plain
from pytest_modelcheck.plugin.selection import Selection, folders
from pytest_modelcheck.plugin.stash import session_of
from pytest_modelcheck.plugin.tries import Tries
from pytest_modelcheck.plugin.waiving import unneeded, waivers_of
from pytest_modelcheck.reports import rendered, terminal
from pytest_modelcheck.reports.github import defuse
from pytest_modelcheck.reports.run import Run

_PASSING = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class Reporter:
    """Collects the rows of all gates on the controller, prints the table, writes the reports, judges the session."""

    def __init__(self, config: pytest.Config, selection: Selection) -> None:
        self._config = config
        self._settings = session_of(config).settings
        self._selection = selection
        self._rows: list[Row] = []
        self._used = pruning.Used()
        self._tries = Tries()
        self._reported: set[str] = set()
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._others: set[str] = set()
        self._changes: dict[tuple[str, str], Row] = {}
        self._problems: list[str] = []
        self._notes: list[str] = []
        self._written: list[Path] = []
        self._complete = True
        self._runs_tests = False
        self._started = datetime.datetime.now(datetime.timezone.utc)
        self._clock = time.perf_counter()
        self._seconds = 0.0
        self._environment: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        self._runs_tests = not self._config.option.collectonly

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._complete = self._complete and not report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._tries.is_earlier(report):
            return
        rows = getattr(report, "modelcheck", None) or lost_rows(report)
        for row in rows:
            call = (row["gate"], row["check"], row["part"])
            self._calls[call] += 1
            self._rows.append({**row, "call": self._calls[call]})
        if report.failed and not rows:
            self._others.add(report.nodeid)
        left = "; ".join(getattr(report, "modelcheck_left", ()))
        self._notes += [
            f"note: {printable(report.nodeid)}: a fixture left changed (restored): {printable(left)}"
        ] * bool(left)
        kinds = {row["device"].partition(":")[0] for row in rows}
        self._used.devices.setdefault(report.nodeid, set()).update(kinds)
        if not report.passed or any(row["outcome"] == "waived" for row in rows):
            self._used.broken.add(report.nodeid)
        if report.when == "call":
            self._used.passed.add(report.nodeid)
        if report.when not in ("setup", "call", "teardown"):  # its process ended while it ran
            self._reported.add(report.nodeid)
        told = getattr(report, "modelcheck_baselines", None)
        if told:
            self._used.keys.setdefault(told["file"], set()).update(told["used"])
            self._change(told["changes"])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._tries.begins(nodeid):
            gate = plain(nodeid)
            self._rows = [row for row in self._rows if row["gate"] != gate]
            self._calls = Counter({call: number for call, number in self._calls.items() if call[0] != gate})
            self._others.discard(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._reported.add(nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
        if self._runs_tests:
            self._finish(session, exitstatus)
        yield
        # Last of all: no other hook turns into a success what is broken or was not measured.
        if self._runs_tests and session.exitstatus in _PASSING and not self._run().passed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _finish(self, session: pytest.Session, exitstatus: int) -> None:
        self._seconds = time.perf_counter() - self._clock
        self._environment = environment()
        ended = exitstatus in (*_PASSING, pytest.ExitCode.TESTS_FAILED)
        self._complete = self._complete and ended and not (session.shouldfail or session.shouldstop)
        self._complete = self._complete and self._selection.is_known and self._selection.gates() <= self._reported
        problems, notes = self._tries.settle(self._rows)
        self._problems += problems
        self._notes += notes
        self._judge_waivers()
        self._judge_baselines()
        if exitstatus in _PASSING:
            self._judge_absence()
        if exitstatus in _PASSING and not self._complete:
            self._problems.append("the run was cut short, and what did not run is not measured.")
        if self._others:
            self._problems.append(f"tests that are no gates failed: {len(self._others)}.")
        self._problems += actions.summarized(self._run())
        self._write_reports()
        if self._problems and exitstatus in _PASSING:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_keyboard_interrupt(self) -> None:
        self._complete = False

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._runs_tests:
            return
        terminalreporter.write_sep("=", "modelcheck")
        width = self._config.get_terminal_writer().fullwidth
        quiet, blocks = self._config.option.verbose < 0, _shows_blocks(terminalreporter)
        for line in terminal.render(self._run(), width=width, quiet=quiet, blocks=blocks):
            terminalreporter.write_line(defuse(line.text), **dict.fromkeys(line.styles, True))
        for path in self._written:
            terminalreporter.write_line(f"report: {path}")
        for note in self._notes:
            terminalreporter.write_line(note)
        for command in actions.annotated(self._run(), self._config.rootpath):
            terminalreporter.write_line(command)

    def _run(self) -> Run:
        settings = self._settings
        return Run(
            rows=tuple(self._rows),
            seed=settings.seed,
            devices=",".join(settings.devices),
            complete=self._complete,
            started=self._started.isoformat(timespec="seconds"),
            seconds=round(self._seconds, 3),
            environment=self._environment,
            baselines=tuple(change for _, change in sorted(self._changes.items())),
            problems=tuple(self._problems),
        )

    def _change(self, changes: list[Row]) -> None:
        for change in changes:
            path = Path(change["file"])
            inside = path.is_relative_to(self._config.rootpath)
            file = path.relative_to(self._config.rootpath).as_posix() if inside else discreet(str(path))
            self._changes[file, change["key"]] = {**change, "file": file}

    def _judge_absence(self) -> None:
        if not any(row["outcome"] != "skipped" for row in self._rows):
            skipped = f"all {len(self._rows)} were skipped" if self._rows else "none was collected and selected"
            self._problems.append(f"no gate ran ({skipped}), and --modelcheck passes nothing that was not measured.")

    def _judge_waivers(self) -> None:
        waivers = waivers_of(self._config)
        self._problems += waivers.expired()
        if self._complete:
            valid = [item for item in waivers.every if not item.is_expired(waivers.today)]
            self._problems += unneeded(valid, self._rows, self._selection, self._config)

    def _judge_baselines(self) -> None:
        """On a full run, remove the baselines that no test uses, or say how many there are."""
        if folders(self._config) is None or self._selection.deselected or not self._complete:
            if self._settings.prune:
                self._problems.append("no baseline was removed: --modelcheck-prune needs a whole run of all tests")
            return
        if not self._settings.prune:
            number = len(pruning.unused(self._selection, self._used, self._config))
            self._notes += [f"baselines that no test uses: {number}; --modelcheck-prune removes them"] * (number > 0)
            return
        changes, problems = pruning.prune(self._selection, self._used, self._config)
        self._change(changes)
        self._problems += problems

    def _write_reports(self) -> None:
        paths = list(dict.fromkeys(self._settings.reports)) if writes_reports(self._config) else []
        while paths:
            known = len(self._problems)
            paths = [path for path in paths if self._write(path)]
            if len(self._problems) == known:
                break  # else those that were written do not tell yet what went wrong with the others
        self._written = paths

    def _write(self, path: Path) -> bool:
        try:
            write_whole(path, rendered(self._run(), path.name))
        except Exception as error:  # a check of another package may have told anything
            self._problems.append(f"the report {path} could not be written: {error}")
            return False
        return True


def _shows_blocks(terminalreporter: pytest.TerminalReporter) -> bool:
    """Whether the terminal's encoding has the characters of a sparkline."""
    encoding = getattr(terminalreporter._tw._file, "encoding", None) or "ascii"
    try:
        terminal.BLOCKS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
