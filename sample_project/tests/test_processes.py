"""Several processes evaluate together: each image once, and to the sample what one process says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import modelrepo
from modelrepo.vision.evaluate import evaluate
from modelrepo.vision.network import trained_digit_network

ROOT = Path(modelrepo.__file__).parents[1]
LONGEST = 900  # seconds; the processes of a busy machine are slow to begin


@pytest.fixture
def program():
    return [sys.executable, "-m", "modelrepo.vision.evaluate"]


@pytest.fixture
def found_by(program, tmp_path):
    """What so many processes find together."""

    def found(processes):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        output = tmp_path / "found.json"
        started = subprocess.Popen(  # noqa: S603
            [*program, "--processes", str(processes), "--output", str(output)],
            env={
                **os.environ,
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            },
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        try:
            _, told = started.communicate(timeout=LONGEST)
        finally:
            end(started.pid)
        errors = [line for line in told.splitlines() if line.startswith("error: ")]
        assert started.returncode == 0, errors[0] if errors else told
        return json.loads(output.read_text(encoding="utf-8"))

    return found


def end(group):
    """Leave no process behind: Lightning catches the signal that asks for an end, and not this one."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@pytest.fixture(scope="session")
def alone():
    """What one process finds."""
    return evaluate(trained_digit_network(), 1)


@pytest.mark.modelcheck
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups, to end what hangs")
@pytest.mark.parametrize("processes", [2, 3])
def test_processes_see_each_image_once_and_agree_with_one_alone(found_by, alone, processes):
    found = found_by(processes)
    assert found["processes"] == processes
    assert found["seen"] == [1] * 10_000
    others = [place for place, digit in enumerate(found["predicted"]) if digit != alone.predicted[place]]
    assert others == [], f"{len(others)} images are read as other digits than one process reads: {others[:5]}"
    assert found["correct"] == alone.correct


@pytest.mark.modelcheck
def test_what_one_process_counts_is_what_the_gate_counts(alone, network, modelcheck, modelcheck_mnist):
    alone.require_exact()
    assert alone.correct == modelcheck.evaluate(network, modelcheck_mnist).correct
