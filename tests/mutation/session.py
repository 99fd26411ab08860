"""One file of the package under mutation: mutmut runs in a copy of the project, and nothing here is changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.mutation.mutants import Mutant, change_of, undecorated
from tests.mutation.targets import Target

ROOT = Path(__file__).parents[2]

# mutmut limits a mutant's time on the processor, and half of that by the clock, which cannot tell a test that hangs
# from one that waits for a busy processor. By the clock it gets ten times as long.
_COMMAND = """
from mutmut.__main__ import cli
from mutmut.workers import isolation
clock = isolation.register_timeout
isolation.register_timeout = lambda pid, timeout_s: clock(pid, 10 * timeout_s)
cli()
"""
_IGNORED = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis")

# The cache of pytest is left out because all mutants would write it at once.
_SETTINGS = """\
[mutmut]
source_paths = pytest_modelcheck
only_mutate = {source}
pytest_add_cli_args =
  -n0
  -p
  no:cacheprovider
  -p
  order{without}
pytest_add_cli_args_test_selection =
  {tests}
timeout_multiplier = 2.0
timeout_constant = 5.0
also_copy = order.py
use_git_change_detection = false
track_dependencies = false
"""


class SessionError(Exception):
    """mutmut could not do its work; the message says what it said."""


def mutated(target: Target, told: Callable[[int, int], None], root: Path = ROOT) -> list[Mutant]:
    """All mutants of a target, each judged by its tests in a process of its own, as many at once as there are cores.

    `told` hears how many of how many are done. Raises `SessionError` where there is no verdict, as where the tests fail
    without any fault.
    """
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        for part in ("pytest_modelcheck", "tests"):
            shutil.copytree(root / part, folder / part, ignore=_IGNORED)
        for path in (root / "pyproject.toml", Path(__file__).with_name("order.py")):
            shutil.copy2(path, folder)
        source = undecorated((folder / target.source).read_text(encoding="utf-8"))
        (folder / target.source).write_text(source, encoding="utf-8")
        without = f"\n  -k\n  not ({target.without})" if target.without else ""
        settings = _SETTINGS.format(source=target.source, tests="\n  ".join(target.tests), without=without)
        (folder / "setup.cfg").write_text(settings, encoding="utf-8")
        log = _run(folder, root, told)
        made = folder / "mutants" / target.source
        try:
            lines = made.read_text(encoding="utf-8").split("\n")
            codes = json.loads(Path(f"{made}.meta").read_text(encoding="utf-8"))["exit_code_by_key"]
            spans = json.loads(Path(f"{made}.spans").read_text(encoding="utf-8"))["spans"]
        except FileNotFoundError as error:
            raise SessionError(f"mutmut left no verdicts ({error}):\n{log[-4000:]}") from None
    return [Mutant(change_of(name, lines, spans), _status(codes[name])) for name in codes]


def _run(folder: Path, root: Path, told: Callable[[int, int], None]) -> str:
    # The copy alone is to be imported, also by what the tests start.
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and Path(path) != root]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    log = folder / "mutmut.log"
    with log.open("w", encoding="utf-8") as output:
        command = [sys.executable, "-c", _COMMAND, "run", "--max-children", str(os.cpu_count() or 1)]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        try:
            while process.poll() is None:
                time.sleep(0.5)
                if done := re.findall(r"(\d+)/(\d+)  ", log.read_text(encoding="utf-8", errors="replace")[-400:]):
                    told(*map(int, done[-1]))
        finally:
            process.kill()
            process.wait()
    text = log.read_text(encoding="utf-8", errors="replace").rpartition("\r")[2] or "mutmut said nothing"
    if process.returncode:
        raise SessionError(f"mutmut ended with {process.returncode}:\n{text[-4000:]}")
    return text


def _status(code: int | None) -> str:
    from mutmut.stats import status_by_exit_code

    # A mutant that no test reaches is one that no test notices.
    return {"no tests": "survived"}.get(status_by_exit_code[code], status_by_exit_code[code])
