"""Disks that are full, or may only be read: a mount in a namespace of its own, which ends with its process."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

FULL = "size=64k"
NO_NAMES = "nr_inodes=12"


def on_small_disk(folder: Path, options: str, command: Sequence[str]) -> list[str]:
    """The command that runs another one with a small disk mounted on a folder; a skip where nobody may mount."""
    return _mounted(f"mount -t tmpfs -o {options} tmpfs {shlex.quote(str(folder))}", command)


def read_only(folder: Path, command: Sequence[str]) -> list[str]:
    """The command that runs another one with a folder that nobody may write, not even root."""
    name = shlex.quote(str(folder))
    return _mounted(f"mount --bind {name} {name} && mount -o remount,bind,ro {name}", command)


def _mounted(mount: str, command: Sequence[str]) -> list[str]:
    if shutil.which("unshare") is None or os.geteuid() != 0 or _ended(["unshare", "-m", "true"]):
        pytest.skip("mounting a disk needs Linux, root and a namespace of mounts")
    if _ended(["unshare", "-m", "sh", "-c", mount]):
        pytest.skip("mounting a disk is not allowed here")
    return ["unshare", "-m", "sh", "-c", f"{mount} && exec {shlex.join(command)}"]


def _ended(command: list[str]) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode
