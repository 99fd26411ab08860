"""Start-up: pytest on one empty test, with and without the plugin, serially and under `-n2`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.rounds import interleaved, shown, whole_process

_PLUGIN = ["-p", "pytest_modelcheck.plugin"]


def measure(rounds: int) -> str:
    """Nothing else is loaded: the ratio is to the barest pytest there is."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    tables = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_empty.py").write_text("def test_empty(): ...\n", encoding="utf-8")
        for title, options in (("start-up, serial", []), ("start-up, -n2", ["-p", "xdist", "-n2"])):
            command = [sys.executable, "-m", "pytest", "-q", *options]
            contenders = {
                "bare pytest": whole_process(command, folder, environment),
                "with pytest-modelcheck": whole_process([*command, *_PLUGIN], folder, environment),
            }
            tables.append(shown(title, interleaved(contenders, rounds), "bare pytest"))
    return "\n\n".join(tables)
