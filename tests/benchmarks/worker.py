"""One contender in a process of its own: `python -m tests.benchmarks.worker MODULE:FUNCTION [JSON ...]`.

The function prepares, which is not counted, and returns the work, whose CPU seconds are. With it, it may return what
makes an answer of what the work gave, which is not counted either.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib import import_module


def main() -> None:
    """Print, as the last line, the CPU seconds of the work, the peak of memory until its end, and its answer."""
    place, *arguments = sys.argv[1:]
    module, _, name = place.partition(":")
    made = getattr(import_module(module), name)(*map(json.loads, arguments))
    work, told = made if isinstance(made, tuple) else (made, None)
    started = _used()
    given = work()
    used, peak = _used() - started, _peak()
    print("\n" + json.dumps({"work": used, "peak": peak, "answer": told(given) if told else given}))


def _used() -> float:
    """CPU seconds of this process and of its children that have ended, as the workers of a loader have."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _peak() -> float:
    """MiB at the peak of this process, or of a larger child. At the end of a process torch takes more for a moment."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


if __name__ == "__main__":
    main()
