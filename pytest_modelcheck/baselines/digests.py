"""What tells a baseline that somebody changed, or a disk, from the one that was recorded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# So much of a SHA-256 stands in the file: a line of it is to stay short, and damage does not aim at it.
_LETTERS = 16


def digest(key: str, content: Mapping[str, Any]) -> str:
    """The digest of a baseline with its key; white space and the order of keys are no part of it.

    >>> digest("test_a token_ids", {"ids": [1], "text": "a"})
    '931710cc55b53f57'
    >>> digest("test_b token_ids", {"text": "a", "ids": [1]})
    '0dabef0ffb1d3251'
    """
    text = json.dumps([key, content], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_LETTERS]


def damage(key: str, content: Mapping[str, Any] | None, written: Any) -> str:
    """What is wrong with a baseline and the digest that is written for it, each `None` where it is missing."""
    if content is None:
        return "there is nothing of it but its digest"
    if written is None:
        return "it has no digest"
    try:
        return "" if written == digest(key, content) else "it does not fit its digest"
    except RecursionError:
        return "it is nested too deeply"
