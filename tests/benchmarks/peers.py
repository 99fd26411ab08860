"""What people use instead, from the registry, in environments of their own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from tests.benchmarks.rounds import ROOT

_ABOVE_TORCH = ("pytest-torch~=1.1", "torchtest2~=0.1.0", "torchinfo~=1.8")
_WITHOUT_TORCH = ("pytest-xdist~=3.6", "jaxtyping~=0.3.0", "hypothesis~=6.100", "syrupy~=7.0", "pytest-benchmark~=5.3")
_FOR_PLOTS = "matplotlib~=3.9"


class Peers:
    """The Pythons of the environments, which are made when they are first asked for, or kept from another time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def beside_torch(self) -> Path:
        """With the peers, and with what is installed beside the Python that runs this.

        Torch and the packages above it are those of the running environment: they need not be there twice, and every
        contender has the same.
        """
        python = self._made("beside-torch")
        where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        own = Path(subprocess.check_output(where, text=True).strip())
        # With addsitedir, the .pth files there, of which editable installations consist, are read as well.
        link = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        (own / "running_environment.pth").write_text(link, encoding="utf-8")
        _install(python, [*_WITHOUT_TORCH, _FOR_PLOTS])
        # What they require is there, and is not to be replaced by another torch.
        _install(python, ["--no-deps", *_ABOVE_TORCH])
        return python

    @cached_property
    def without_torch(self) -> Path:
        """With this package's core, and the peers that start without torch."""
        python = self._made("without-torch")
        _install(python, ["-e", str(ROOT), *_WITHOUT_TORCH])
        _install(python, ["--no-deps", _ABOVE_TORCH[0]])
        return python

    def _made(self, name: str) -> Path:
        folder = self.folder.absolute() / name
        python = folder / "bin/python"
        if not python.exists():
            print(f"making {folder}", file=sys.stderr, flush=True)
            venv.create(folder, with_pip=True)
        return python


def _install(python: Path, words: Sequence[str]) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words]
    subprocess.run(command, check=True, stderr=None if sys.stderr.isatty() else subprocess.DEVNULL)
