"""Start-up: pytest on one empty test with one plugin, serially and under `-n2`, with and without torch installed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.peers import Peers
from tests.benchmarks.results import Goal, Section
from tests.benchmarks.rounds import Contender, interleaved, ratio, table

_OURS = "pytest-modelcheck"
_BARE = "bare pytest"
_TORCH = "pytest-torch"
_PLUGINS = {
    _BARE: "",
    "bare pytest, once more": "",  # how far two medians of the same lie apart
    _OURS: "pytest_modelcheck.plugin",
    "hypothesis": "_hypothesis_pytestplugin",
    "jaxtyping": "jaxtyping._pytest_plugin",
    _TORCH: "pytest_torch.plugin",
}
_SERIAL: tuple[str, ...] = ()
_PARALLEL = ("-p", "xdist", "-n2")


def measure(peers: Peers, rounds: int) -> Section:
    """Nothing else is loaded: the ratio is to the barest pytest there is."""
    parts, goals = [], []
    for python, where in ((peers.beside_torch, "torch installed"), (peers.without_torch, "torch not installed")):
        for options, how in ((_SERIAL, "serial"), (_PARALLEL, "-n2")):
            with tempfile.TemporaryDirectory() as name:
                contenders = _contenders(python, Path(name), options)
                if python is peers.without_torch and options == _PARALLEL:
                    _require_broken(contenders.pop(_TORCH))
                costs = interleaved(f"start-up, {how}, {where}", contenders, rounds)
            parts.append(f"### {how[0].upper()}{how[1:]}, {where}, {rounds} rounds\n\n{table(costs, _BARE)}")
            limits = {_BARE: 1.02, _TORCH: 1.0}
            goals += [
                Goal(f"start-up, {how}, {where}: {_OURS} to {other}", ratio(costs, _OURS, other), limit)
                for other, limit in limits.items()
                if other in costs
            ]
    body = [
        "One empty test; a plugin is loaded by name, alone. OMP_NUM_THREADS is not set here: where it is not, "
        "pytest-torch divides the cores among the workers, for which it imports torch in each; without torch, -n2 ends "
        "in its INTERNALERROR, and has no row.",
        *parts,
    ]
    return Section("Start-up", "\n\n".join(body), tuple(goals))


def _require_broken(contender: Contender) -> None:
    """What has no row must be broken indeed."""
    try:
        contender.run(_TORCH)
    except SystemExit as stopped:
        if "INTERNALERROR" in str(stopped):
            return
    raise SystemExit(
        f"{_TORCH} is to be measured under -n2 without torch as well: it no longer ends in an INTERNALERROR"
    )


def _contenders(python: Path, folder: Path, options: tuple[str, ...]) -> dict[str, Contender]:
    (folder / "test_empty.py").write_text("def test_empty(): ...\n", encoding="utf-8")
    # Not by -p, which looks through all that is installed, as pytest otherwise does once for all plugins.
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": None, "MKL_NUM_THREADS": None}
    return {
        name: Contender(
            [str(python), "-m", "pytest", "-p", "no:cacheprovider", *options],
            lambda told: "1 passed" in told,
            folder,
            {**environment, "PYTEST_PLUGINS": plugin or None},
        )
        for name, plugin in _PLUGINS.items()
    }
