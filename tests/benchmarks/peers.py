"""What people use instead, from the registry, in environments of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]

_ABOVE_TORCH = ("pytest-torch~=1.1", "torchtest2~=0.1.0", "torchinfo~=1.8")
_WITHOUT_TORCH = (
    *("jaxtyping~=0.3.0", "hypothesis~=6.100", "syrupy~=7.0", "pytest-benchmark~=5.3", "pytest-xdist~=3.6"),
    "matplotlib~=3.9",  # draws what grows
)


def beside_torch(folder: Path) -> Path:
    """The Python of an environment with the peers, which sees what is installed beside the Python that runs this.

    Torch and the packages above it are those of the running environment: they need not be there twice, and every
    contender has the same.
    """
    python, is_new = _made(folder)
    if is_new:
        paths = subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        )
        link = Path(paths.strip()) / "of_the_running_environment.pth"
        # Without addsitedir, the .pth files there, which editable installations consist of, were not read.
        link.write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", encoding="utf-8")
    _install(python, _WITHOUT_TORCH)
    # What they require is there, and is not to be replaced by another torch.
    _install(python, ["--no-deps", *_ABOVE_TORCH])
    return python


def without_torch(folder: Path) -> Path:
    """The Python of an environment with this package's core and the peers that start without torch."""
    python, _ = _made(folder)
    _install(python, ["-e", str(ROOT), *(peer for peer in _WITHOUT_TORCH if not peer.startswith("matplotlib"))])
    _install(python, ["--no-deps", _ABOVE_TORCH[0]])
    return python


def _made(folder: Path) -> tuple[Path, bool]:
    # Not resolved: the link is what tells Python of its environment.
    python = folder.absolute() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if is_new := not python.exists():
        print(f"making {folder}", file=sys.stderr, flush=True)
        venv.create(folder, with_pip=True)
    return python, is_new


def _install(python: Path, words: Sequence[str]) -> None:
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words], check=True)
