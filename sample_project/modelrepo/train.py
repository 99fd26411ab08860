"""Train a model of this repository: `python -m modelrepo.train NAME`."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from modelrepo.errors import UserError
from modelrepo.plan import Plan

if TYPE_CHECKING:
    from pytorch_lightning import LightningDataModule

    from modelrepo.recipe import Recipe

# Where each recipe stands. Only the one that is asked for is imported, and torch with it.
RECIPES: Mapping[str, str] = MappingProxyType(
    {
        "digits": "modelrepo.vision.digits:DIGITS",
        "reversal": "modelrepo.transformer.reversal:REVERSAL",
        "copy": "modelrepo.transformer.copying:COPY",
        "anomaly": "modelrepo.transformer.anomaly:ANOMALY",
    }
)

RUNS = Path("runs")
INTERRUPTED = 130  # what shells say of a command that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        return _run(asked)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m modelrepo.train",
        description="Train a model and write its weights, its checkpoints and its curve into a folder of its own.",
        epilog=f"NAME is one of: {', '.join(RECIPES)}. Ctrl-C stops a run, and --resume goes on with it.",
    )
    parser.add_argument("name", metavar="NAME", help="what to train")
    parser.add_argument("--fast", action="store_true", help="a short run, of about a minute on one processor core")
    parser.add_argument(
        "--seed", type=int, help="seed of the weights and of the order of the data (default: the recipe's)"
    )
    parser.add_argument("--epochs", type=_positive, help="passes over the training data (default: the recipe's)")
    parser.add_argument("--output", type=Path, help=f"the folder of the run (default: {RUNS}/NAME)")
    parser.add_argument("--data", type=Path, help="the folder that holds the data, for recipes that read files")
    parser.add_argument(
        "--threads", type=_positive, default=1, help="torch's threads (default: 1, the best for small networks)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder, from its last epoch")
    parser.add_argument("--overwrite", action="store_true", help="begin anew where the folder has an unfinished run")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _run(asked: argparse.Namespace) -> int:
    recipe = _recipe(asked.name)
    folder: Path = asked.output or RUNS / recipe.name

    import torch

    from modelrepo.running import BEST, LAST, Interrupted, fit, quiet, tested
    from modelrepo.weights import save_weights

    torch.set_num_threads(asked.threads)
    plan = _resumed(recipe, asked, folder) if asked.resume else _new(recipe, asked, folder)
    data = _data(recipe, asked.data)
    with quiet():
        data.prepare_data()
    if not asked.resume:
        _clear(folder, (LAST, BEST, "metrics.csv", "curve.svg", f"{recipe.name}.safetensors"))
    print(f"{recipe.name} learns {recipe.learns}: {plan}, into {folder}", flush=True)
    weights = folder / f"{recipe.name}.safetensors"
    try:
        module = fit(recipe, plan, data, folder=folder, resume=asked.resume)
        parts = {"recipe": plan.recipe, "seed": plan.seed, "epochs": plan.epochs, "batches": plan.batches or "all"}
        save_weights(module.get_submodule(recipe.weights), weights, parts)
        accuracy = tested(recipe, module, data)
    except Interrupted as stop:
        print(f"\nstopped {_stopped(stop.finished, plan, folder / LAST)}", file=sys.stderr)
        print(f"go on with: {_again(asked)}", file=sys.stderr)
        return INTERRUPTED
    print(f"test accuracy: {accuracy:.4f}")
    print(f"weights: {weights}")
    print(f"curve: {folder / 'curve.svg'}, numbers: {folder / 'metrics.csv'}, checkpoints: {BEST}, {LAST}")
    print(f"release and gate it: {_gate(recipe, weights)}")
    return 0


def _recipe(name: str) -> Recipe:
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, 1)
        hint = f". Did you mean {near[0]}?" if near else ""
        raise UserError(f"there is no recipe {name!r}: known are {', '.join(RECIPES)}{hint}")
    module, _, attribute = RECIPES[name].partition(":")
    recipe: Recipe = getattr(importlib.import_module(module), attribute)
    return recipe


def _new(recipe: Recipe, asked: argparse.Namespace, folder: Path) -> Plan:
    from modelrepo.running import LAST, recorded

    last = folder / LAST
    if last.exists() and not asked.overwrite:
        before, done = recorded(last)
        if 0 < done < before.epochs:
            raise UserError(
                f"{folder} has a run that stopped after {done} of {before.epochs} epochs: --resume goes on with it, "
                "--overwrite begins anew, and --output names another folder"
            )
    epochs = recipe.fast_epochs if asked.fast else recipe.epochs
    seed = recipe.seed if asked.seed is None else asked.seed
    return Plan(recipe.name, seed, asked.epochs or epochs, recipe.fast_batches if asked.fast else None)


def _resumed(recipe: Recipe, asked: argparse.Namespace, folder: Path) -> Plan:
    from modelrepo.running import LAST, recorded

    last = folder / LAST
    if not last.exists():
        raise UserError(f"there is no {last} to go on with: leave out --resume to begin, or name the run with --output")
    plan, _ = recorded(last)
    if plan.recipe != recipe.name:
        raise UserError(f"{last} is of a run of {plan.recipe}, and not of {recipe.name}")
    for option, value, its in (
        ("--seed", asked.seed, plan.seed),
        ("--epochs", asked.epochs, plan.epochs),
        ("--fast", asked.fast or None, plan.batches is not None),
    ):
        if value not in (None, its):
            raise UserError(
                f"{option} says otherwise than the run in {folder}, which has {plan}: its schedule counts "
                f"on that. Leave {option} out"
            )
    return plan


def _data(recipe: Recipe, root: Path | None) -> LightningDataModule:
    data = recipe.data()
    if root is not None:
        if not hasattr(data, "root"):
            raise UserError(f"--data is not for {recipe.name}, which makes its data itself")
        data.root = root
    return data


def _clear(folder: Path, names: Sequence[str]) -> None:
    """Make the folder, see that it can be written, and take away what an earlier run left in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for name in names:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}. Name another folder with --output") from error


def _stopped(finished: int | None, plan: Plan, last: Path) -> str:
    if finished is None:
        return "after the training: the weights are written, and their test accuracy is not measured"
    kept = {0: "its beginning", 1: "the first epoch"}.get(finished, f"the first {finished} epochs")
    return f"in epoch {finished + 1} of {plan.epochs}: {last} keeps {kept}"


def _again(asked: argparse.Namespace) -> str:
    options = [
        item
        for option, value in (("--output", asked.output), ("--data", asked.data))
        if value is not None
        for item in (option, str(value))
    ]
    threads = [] if asked.threads == 1 else ["--threads", str(asked.threads)]
    return shlex.join(["python", "-m", "modelrepo.train", asked.name, "--resume", *options, *threads])


def _gate(recipe: Recipe, weights: Path) -> str:
    released = os.path.relpath(recipe.checkpoint)
    tests = os.path.relpath(recipe.checkpoint.parents[1] / (recipe.gates or "tests"))
    return f"{shlex.join(['cp', str(weights), released])} && {shlex.join(['pytest', '--modelcheck', tests])}"


if __name__ == "__main__":
    sys.exit(main())
