"""Break files of the package in small ways, and count the faults that their tests notice.

mutmut makes the mutants, of what stands in functions: another operator, number, text, argument, value. The tests of a
file judge each of its mutants, in a copy of the project in a temporary folder. A row is printed for each file, with the
mutants that survive. The exit code is 1 where less than 95 % of a file's mutants are noticed, or where one that is
listed as equivalent (tests/mutation/equivalents.py) is killed or is there no more.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence

from tests.mutation.equivalents import EQUIVALENTS
from tests.mutation.score import HEADER, score
from tests.mutation.session import SessionError, mutated
from tests.mutation.targets import TARGETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the files that were named, or all of them."""
    names = ", ".join(TARGETS)
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to break, of {names} (default: all)")
    asked = parser.parse_args(arguments).names
    if unknown := sorted(set(asked) - TARGETS.keys()):
        parser.error(f"there is no target {', '.join(unknown)}; there is {names}")
    if importlib.util.find_spec("mutmut") is None:
        parser.error('mutmut is not installed: pip install -e ".[mutation]"')
    scores = []
    for name, target in TARGETS.items():
        if asked and name not in asked:
            continue
        try:
            mutants = mutated(target, _progress(name))
        except SessionError as error:
            print(f"{name}: {error}")
            return 1
        listed = [equivalent.change for equivalent in EQUIVALENTS if equivalent.target == name]
        scores.append(score(name, mutants, listed))
        print("\n".join(filter(None, (HEADER, scores[-1].line(), scores[-1].details()))), flush=True)
    if len(scores) > 1:
        print("\n".join(("", HEADER, *(each.line() for each in scores))))
    return 0 if all(each.ok for each in scores) else 1


def _progress(name: str) -> Callable[[int, int], None]:
    """Tell how far it is: on a terminal in one line, elsewhere twice a minute."""
    last = time.monotonic()

    def told(done: int, number: int) -> None:
        nonlocal last
        if sys.stderr.isatty():
            print(f"\r{name}: {done} of {number}", end="\n" if done == number else "", file=sys.stderr, flush=True)
        elif time.monotonic() - last >= 30:
            last = time.monotonic()
            print(f"{name}: {done} of {number}", file=sys.stderr, flush=True)

    return told


if __name__ == "__main__":
    sys.exit(main())
