"""Baselines that nobody recorded, each with the digest that it would have: what a test writes instead of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytest_modelcheck.baselines.digests import digest


def whole(baselines: Mapping[str, Any]) -> str:
    """The text of a file of these baselines."""
    digests = {key: digest(key, content) for key, content in baselines.items()}
    return json.dumps({"schema_version": 1, "baselines": baselines, "digests": digests})


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the baselines of a file, as if what they are then had been recorded."""
    baselines = json.loads(path.read_text(encoding="utf-8"))["baselines"]
    change(baselines)
    path.write_text(whole(baselines), encoding="utf-8")
