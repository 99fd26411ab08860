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
    """Print, as the last line, the CPU seconds of the work and its answer."""
    place, *arguments = sys.argv[1:]
    module, _, name = place.partition(":")
    made = getattr(import_module(module), name)(*map(json.loads, arguments))
    work, told = made if isinstance(made, tuple) else (made, None)
    started = _used()
    given = work()
    used = _used() - started
    print("\n" + json.dumps({"work": used, "answer": told(given) if told else given}))


def _used() -> float:
    """CPU seconds of this process and of its children that have ended, as the workers of a loader have."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
