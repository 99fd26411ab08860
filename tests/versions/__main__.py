"""Run the tests beside other versions of packages, or without some of them: `python -m tests.versions NAME ...`."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.versions.bounds import ROOT, module_of, project, requirements
from tests.versions.surroundings import EVERY, Surroundings


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.versions",
        description=__doc__,
        epilog="\n".join(["names:", *(f"  {name:16} {surroundings.told}" for name, surroundings in EVERY.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="+", metavar="NAME", choices=[*EVERY], help="one of the names below")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the environments there, each in a folder of its name, for reuse"
    )
    parser.add_argument("--python", default=sys.executable, help="the Python of the environments (default: this one)")
    parser.add_argument("--tests", nargs="+", default=[], metavar="PATH", help="these tests only")
    return parser.parse_args(arguments)


def main() -> int:
    """Run the tests for each name; the exit code of the first pytest that did not pass."""
    arguments = parsed()
    codes = []
    for name in arguments.names:
        if arguments.keep is None:
            with tempfile.TemporaryDirectory(prefix=f"versions-{name}-") as folder:
                codes.append(_run(name, Path(folder) / name, arguments))
        else:
            codes.append(_run(name, arguments.keep / name, arguments))
    for name, code in zip(arguments.names, codes, strict=True):
        print(f"{name}: exit code {code}", flush=True)
    return next(filter(None, codes), 0)


def _run(name: str, folder: Path, arguments: argparse.Namespace) -> int:
    print(f"== {name}: {EVERY[name].told}", flush=True)
    python = _installed(EVERY[name], folder, arguments.python)
    tests = [*EVERY[name].tests, *arguments.tests]
    # The cache of the environment that the tests are written in stays its own.
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.versions.absence", *tests]
    return _told(command, check=False)


def _installed(surroundings: Surroundings, folder: Path, base: str) -> Path:
    """The Python of an environment, made where it is not there yet, in which that is installed which is to be."""
    every = requirements(project())
    # Not resolved: the link is what tells Python of its environment.
    python = folder.absolute() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        _told([base, "-m", "venv", folder])
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(surroundings.pinned(every)), encoding="utf-8")
    install = [python, "-m", "pip", "install", "--quiet", "--upgrade"]
    _told([*install, "pip"])
    _told([*install, "--upgrade-strategy=eager", "-c", constraints, "-e", ROOT, *surroundings.installed(every)])
    _require_absent(python, [module_of(name) for name in surroundings.left_out(every)])
    _told([python, "-m", "pip", "freeze", "--exclude-editable"])
    return python


def _require_absent(python: Path, modules: list[str]) -> None:
    """Stop where a package is there after all: its tests would run, and those without it be told of."""
    program = "import sys; from importlib.util import find_spec; print(*filter(find_spec, sys.argv[1:]))"
    found = subprocess.run([python, "-c", program, *modules], capture_output=True, text=True, check=True).stdout.split()
    if found:
        sys.exit(f"{', '.join(found)} is to be absent, and another package has brought it: give a folder of its own")


def _told(command: list[object], *, check: bool = True) -> int:
    words = [str(word) for word in command]
    print(f"$ {shlex.join(words)}", flush=True)
    return subprocess.run(words, cwd=ROOT, check=check).returncode


if __name__ == "__main__":
    sys.exit(main())
