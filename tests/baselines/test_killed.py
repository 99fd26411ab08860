"""Killed at any step of an update: the old file or the new one, a lock that is free, and nothing left for good."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.baselines.killing import AFTER, BEFORE, KEY, NEXT

ROOT = Path(__file__).parents[2]

# What an update is known to do, each of which must have been among the steps.
STEPS = ("mkdir", "open", "flock", "TextIOWrapper.write", "TextIOWrapper.flush", "chmod", "fsync", "replace", "close")


@pytest.fixture(scope="module")
def kills(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("kills")
    command = [sys.executable, "-m", "tests.baselines.killing", str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.slow  # kills some two hundred processes
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process that is killed is a fork")
def test_whenever_it_is_killed_the_file_is_the_old_one_or_the_new_one(kills: list[dict[str, Any]]):
    assert len(kills) >= 100
    assert {f"{when} {step}" for step in STEPS for when in ("before", "after")} <= {kill["step"] for kill in kills}
    for kill in kills:
        assert kill["signal"] == signal.SIGKILL, kill["step"]
        assert kill["killed"] in (kill["before"], kill["after"]), kill["step"]
        assert kill["before"] != kill["after"]
        assert kill["next"] == expected(kill), kill["step"]
        assert kill["left after"] == [], kill["step"]
    # The kills were those that are feared: some left a temporary file, and some came before the rename, some after it.
    assert any(kill["left"] for kill in kills)
    replaced = [kill["killed"] == kill["after"] for kill in kills if kill["before"] is not None]
    assert replaced == sorted(replaced)
    assert set(replaced) == {False, True}


def expected(kill: dict[str, Any]) -> dict[str, Any]:
    """What is recorded after the update that came next."""
    found = AFTER if kill["killed"] == kill["after"] else BEFORE if kill["before"] is not None else None
    return {NEXT: BEFORE} if found is None else {KEY: found, NEXT: BEFORE}
