"""A process that has loaded torch, and forks itself for each session of pytest: loading takes longer than they do."""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

# How long a session may take, in seconds.
_LONGEST = 300.0

# What is told of one that took longer.
_TOO_LONG = "too long"


class Launcher(NamedTuple):
    """The process, as its user sees it."""

    process: subprocess.Popen[str]

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        output: Path,
        limit: float = _LONGEST,
    ) -> int:
        """Run pytest in a fork of the process, in a folder; its output goes to a file. Returns the exit code.

        Raises `TimeoutError` where it had to be ended because it took longer than so many seconds.
        """
        told, heard = _pipes(self.process)
        told.write(json.dumps([limit, list(arguments), str(folder), dict(environment), str(output)]) + "\n")
        told.flush()
        code = heard.readline().strip()
        if code == _TOO_LONG:
            raise TimeoutError(f"the session took longer than {limit} s")
        return int(code)


@contextmanager
def launcher() -> Iterator[Launcher]:
    """The process, until the end of the block."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Launcher(process)
        finally:
            process.kill()


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _serve() -> None:
    import pytest  # noqa: F401
    import torch  # noqa: F401

    with contextlib.suppress(ImportError):
        import torchmetrics  # noqa: F401

    gc.collect()
    gc.freeze()  # pytest collects three times at its end, and what was loaded here is not its garbage
    for line in sys.stdin:
        limit, *given = json.loads(line)
        child = os.fork()
        if child == 0:
            _leave(_session(*given))
        print(_ended(child, limit), flush=True)


def _session(arguments: Sequence[str], folder: str, environment: Mapping[str, str], output: str) -> int:
    """What `python -m pytest` does, in this process."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    files = [os.open(os.devnull, os.O_RDONLY), os.open(output, os.O_WRONLY | os.O_CREAT, 0o644)]
    for source, target in ((files[0], 0), (files[1], 1), (files[1], 2)):
        os.dup2(source, target)
    sys.path[0] = folder
    sys.argv = ["pytest", *arguments]
    import pytest

    return int(pytest.console_main())


def _leave(code: int) -> None:
    """End the process as Python does, without taking apart all that was loaded, which takes as long as a session."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _ended(child: int, limit: float) -> object:
    """Wait for a session and return its exit code; one that takes too long is killed with all that it started."""
    end, is_killed = time.monotonic() + limit, False
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end and not is_killed:
            is_killed = True
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):  # what it left running
        os.killpg(child, signal.SIGKILL)
    return _TOO_LONG if is_killed else os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    _serve()
