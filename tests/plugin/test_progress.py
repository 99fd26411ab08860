"""Long work shows how far it has come, at a terminal and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SLOW = """
import time
import pytest

class Slow:
    def encode(self, text):
        time.sleep(0.001)
        return [ord(letter) for letter in text]

    def decode(self, ids):
        return "".join(map(chr, ids))

@pytest.fixture
def tokenizer():
    return Slow()

@pytest.mark.modelcheck_roundtrip(texts=[f"text {number}" for number in range(2500)])
def test_slow(capsys):
    print("captured")
"""

BAR = "test_slow: round trip of Slow:"


def run(pytester, *options):
    """A session whose terminal is one: what a person at it has seen, and the exit code."""
    pty = pytest.importorskip("pty")
    pytester.makepyfile(test_slow=SLOW)
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "pytest", "--modelcheck", "-p", "no:cacheprovider", *options]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=pytester.path)
    os.close(slave)
    seen = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        seen += chunk
    os.close(master)
    return seen.decode("utf-8", "replace"), process.wait()


@pytest.mark.slow  # the work has to be long for the bar to show
def test_a_bar_is_seen_at_a_terminal_and_gone_at_the_end(pytester):
    pytest.importorskip("tqdm")
    seen, code = run(pytester)
    assert code == pytest.ExitCode.OK
    assert BAR in seen
    assert "2000/2500" in seen
    table = seen[seen.index("verdict") :]
    assert BAR not in table
    assert "captured" not in seen


@pytest.mark.slow  # the same work
def test_workers_show_none(pytester):
    seen, code = run(pytester, "-n2")
    assert code == pytest.ExitCode.OK
    assert BAR not in seen


@pytest.mark.slow  # the same work
def test_nothing_is_shown_where_nobody_watches(pytester):
    pytester.makepyfile(test_slow=SLOW)
    result = pytester.runpytest_subprocess("--modelcheck", "-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.OK
    assert BAR not in result.stdout.str() + result.stderr.str()
