"""The conftest file of each run: it notes what tests reported, and makes the disk small where it is told to."""

import json
import os
import signal
from pathlib import Path

if "FILES_END_AT" in os.environ:
    import resource  # not on Windows

    end = int(os.environ["FILES_END_AT"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (end, end))
    if "KILLED_THERE" in os.environ:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def note(test, outcome, longrepr):
    crash = getattr(longrepr, "reprcrash", None)
    message = "" if longrepr is None or outcome == "skipped" else crash.message if crash else str(longrepr)
    with Path(os.environ["SEEN"]).open("a") as file:
        file.write(json.dumps([test, outcome, message]) + "\n")


def pytest_runtest_logreport(report):
    if "PYTEST_XDIST_WORKER" not in os.environ and (report.when == "call" or report.outcome != "passed"):
        note(report.nodeid, report.outcome, report.longrepr)


def pytest_collectreport(report):
    if "PYTEST_XDIST_WORKER" not in os.environ and report.outcome == "failed":
        note(report.nodeid, report.outcome, report.longrepr)
