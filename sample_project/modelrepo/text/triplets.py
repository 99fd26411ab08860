"""Triplets of texts by which embeddings are judged: an anchor, what belongs to it, and what does not."""

from __future__ import annotations

import csv
from pathlib import Path

TRIPLETS = Path(__file__).with_name("triplets.csv")

Triplet = tuple[str, str, str]


def triplets(path: Path = TRIPLETS) -> dict[str, list[Triplet]]:
    """The triplets `(anchor, positive, negative)` of each category, in the order of the file."""
    found: dict[str, list[Triplet]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["category"], []).append((row["anchor"], row["positive"], row["negative"]))
    return found
