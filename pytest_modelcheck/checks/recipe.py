"""The promise that training reaches its goal, from any seed."""

from collections.abc import Callable
from statistics import mean, stdev
from typing import TYPE_CHECKING, Annotated, Any

from pytest_modelcheck import process
from pytest_modelcheck.checks.evaluated import Stage, Step, asked_of, explained, read_shown
from pytest_modelcheck.checks.promises import Rate
from pytest_modelcheck.comparison import promised_number
from pytest_modelcheck.context import Context, current
from pytest_modelcheck.errors import RAISED, ConfigError, ModelCheckError, told
from pytest_modelcheck.evaluation.gate import CountGate
from pytest_modelcheck.evaluation.identity import weights_digest
from pytest_modelcheck.evaluation.intervals import RecipeTest, flake_rate
from pytest_modelcheck.evaluation.predictions import Pass
from pytest_modelcheck.evaluation.sharing import shared_pass
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.result import Number, Result

if TYPE_CHECKING:
    from torch.nn import Module


def _seeds(name: str, value: object) -> None:
    fewest = RecipeTest().fewest
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or 1 < value < fewest:
        raise ConfigError(
            f"{name}={value!r}: 1 for the one seed of the run, or at least {fewest}: fewer decide nothing"
        )


@check
def recipe(
    train: "Callable[[int], Module]",
    data: Any,
    /,
    *,
    min: Rate,
    seeds: Annotated[int, _seeds] = 1,
    step: Step | None = None,
    stage: Stage = "test",
) -> Result:
    """Training from a seed gives a model that predicts at least this share of the samples right.

    `train(seed)` trains and returns a model, in a process that was seeded with it; `data`, `step` and `stage` are those
    of modelcheck_accuracy, and integers decide for each model. With `seeds=1` the promise is about the run of the
    session's seed alone. With more, it is about the recipe: models of the seeds that follow are trained until Wald's
    sequential test (1945) tells a recipe that succeeds in 95 % of runs from one that succeeds in half of them; in at
    most 5 % of gates it takes one for the other. Five successes in a row decide, and so do two failures at the start.
    What is not decided after `seeds` models is not kept.

    The report tells how often a gate on a single run would fail by chance: the share of a normal distribution with the
    models' mean and deviation that lies under `min`.

    >>> import torch
    >>> def train(seed):
    ...     return torch.nn.Identity() if seed != 3 else torch.nn.Softmin(dim=1)
    >>> data = torch.eye(4), torch.arange(4)
    >>> recipe(train, data, min=0.9, seeds=5).measured
    '4 of 5 seeds: 1.0000, 1.0000, 1.0000, 0.0000, 1.0000'
    """
    context = current()
    threshold = promised_number("min", min)
    counts: list[tuple[int, int]] = []
    weights: dict[str, int] = {}
    verdict, passes, device = "", 0, ""
    changes: list[str] = []
    with context.progress("recipe", seeds, "seeds") as advance:
        for seed in range(context.seed, context.seed + seeds):
            run, changed, digest = _trained_and_judged(context, train, seed, data, step, stage)
            if digest and digest in weights:
                raise ModelCheckError(
                    f"train gave the same weights for seeds {weights[digest]} and {seed}: they are one run, and not two"
                )
            weights[digest] = seed
            counts.append((run.correct, run.seen))
            device, changes = run.device, [*changes, *changed, *run.changes]
            passes += CountGate(threshold, run.seen).compare(run.correct).ok
            advance(1, f"{passes} of {len(counts)} reached {min}")
            verdict = RecipeTest().decision(passes, len(counts) - passes) if seeds > 1 else ""
            if verdict:
                break
    if seeds == 1:
        verdict = "passed" if passes else "failed"
    values = [correct / size for correct, size in counts]
    rate = flake_rate(values, threshold)
    return Result(
        outcome="passed" if verdict == "passed" else "failed",
        promised=_promised(min, seeds),
        measured=f"{passes} of {len(counts)} seeds: " + ", ".join(f"{value:.4f}" for value in values),
        message="" if verdict == "passed" else _message(counts, passes, context.seed, min, verdict, seeds, rate),
        device=device,
        changes=tuple(dict.fromkeys(changes)),
        number=Number("mean_accuracy", mean(values), better="higher"),
        evidence={
            "values": values,
            "correct": [correct for correct, _ in counts],
            "sizes": [size for _, size in counts],
            "first_seed": context.seed,
            "verdict": verdict or "undecided",
            "flake_rate": rate,
        },
    )


def _trained_and_judged(
    context: Context, train: Any, seed: int, data: Any, step: Any, stage: str
) -> tuple[Pass, list[str], str]:
    """The finished pass of the model of one seed, and what training it changed in the process."""
    try:
        # Each model starts from the same world, whatever the training before it left behind.
        with process.preserved_world() as world:
            process.seed_world(seed)
            model = train(seed)
    except RAISED as error:
        raise ModelCheckError(f"training from seed {seed} raised {told(error)}") from error
    run: Pass | None = None
    try:
        with explained(model, lambda: run):
            run = shared_pass(asked_of(context, model, data, step, None, stage), {})
            read_shown(context, "recipe", run, lambda _: False, lambda _: "", classes=True)
    except ModelCheckError as error:
        raise ModelCheckError(f"the model of seed {seed}: {error}") from error.__cause__
    return run, world, weights_digest(model) if any(True for _ in model.parameters()) else ""


def _promised(promised: float, seeds: int) -> str:
    return f"at least {promised} from " + ("the run's seed" if seeds == 1 else f"nearly any seed, by up to {seeds}")


def _message(
    counts: list[tuple[int, int]],
    reached: int,
    first: int,
    promised: float,
    verdict: str,
    seeds: int,
    rate: float | None,
) -> str:
    number, values = len(counts), [correct / size for correct, size in counts]
    if seeds == 1:
        lines = [f"seed {first} gave {counts[0][0]:,} of {counts[0][1]:,}, promised at least {promised}."]
    elif verdict:
        lines = [
            f"{reached} of {number} seeds reached {promised}: a recipe that nearly always does would have done better."
        ]
    else:
        lines = [f"undecided after {number} seeds, of which {reached} reached {promised}: more seeds= would decide it."]
    lines += [
        f"  seed {first + index}: {value:.4f} ({correct:,} of {size:,})"
        for index, (value, (correct, size)) in enumerate(zip(values, counts, strict=True))
    ]
    if number > 1:
        lines.append(f"  mean {mean(values):.4f}, standard deviation {stdev(values):.4f}")
    if rate is not None:
        lines.append(f"  a gate on one run would fail by chance in {_share(rate)} % of runs")
    return "\n".join(lines)


def _share(rate: float) -> str:
    return f"{100 * rate:.0f}" if rate >= 0.1 else f"{100 * rate:.2g}"
