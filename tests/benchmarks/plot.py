"""The plot of growth: `python -m tests.benchmarks.plot PATH`, given names, sizes, seconds and memory as JSON."""

from __future__ import annotations

import json
import sys

# What took less is noise, and not shown.
_SHORTEST = 1e-3

_TIME, _MEMORY, _LINE = "#1f5fa8", "#a8471f", "#8a8a8a"


def main() -> None:
    """Four panels of time, with linear growth as a dashed line, and under each its memory."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.size": 9})
    grown = json.load(sys.stdin)
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots(2, len(grown), sharex="col", squeeze=False)
    for column, (name, sizes, seconds, memory) in enumerate(grown):
        above, below = axes[0][column], axes[1][column]
        told = [(size, cost) for size, cost in zip(sizes, seconds, strict=True) if cost >= _SHORTEST]
        above.loglog(*zip(*told, strict=True), "o-", color=_TIME)
        above.loglog(sizes, [seconds[-1] * size / sizes[-1] for size in sizes], "--", color=_LINE, label="linear")
        above.set_ylim(min(cost for _, cost in told) / 3, max(seconds) * 3)
        above.set_title(name)
        below.loglog(sizes, memory, "s-", color=_MEMORY)
        below.set_ylim(min(memory) / 2, max(memory) * 2)
        below.set_xlabel(name)
        above.grid(alpha=0.3)
        below.grid(alpha=0.3)
    axes[0][0].set_ylabel("work, CPU s")
    axes[1][0].set_ylabel("peak MiB")
    axes[0][0].legend(frameon=False)
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
