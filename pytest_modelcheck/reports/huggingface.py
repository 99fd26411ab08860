"""Measured numbers for the Hugging Face Hub: `.eval_results/*.yaml`, and the `model-index` of a model card.

A run is published as a whole or not at all: only one that passed is, since a card is what a release promises. Of its
rows those take part that passed, have a card (the mark `modelcheck_card`) and a number of which one way is the good one
(no count of parameters), measured on all of their data. What was waived or expected to fail is left out.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_modelcheck.errors import ConfigError, ModelCheckError, require
from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports.numbers import finite
from pytest_modelcheck.reports.run import Row, Run, shown_check

CARD_KEYS = (
    "dataset_id",
    "task_id",
    "task_type",
    "task_name",
    "dataset_name",
    "dataset_type",
    "dataset_config",
    "dataset_split",
    "dataset_revision",
    "metric_type",
    "metric_name",
    "model_name",
    "notes",
    "source_url",
)

_HINT = '@pytest.mark.modelcheck_card(dataset_id="ylecun/mnist", task_type="image-classification")'


class _Score(NamedTuple):
    """A number with the card that it is published on."""

    card: Mapping[str, str]
    value: int | float
    row: Row

    @property
    def origin(self) -> str:
        return f"{printable(self.row['gate'])} {printable(shown_check(self.row))} {self.value}"


def card_of(values: Mapping[str, object]) -> dict[str, str]:
    """The keywords of the mark `modelcheck_card`, where they make sense.

    >>> card_of({"dataset_id": "ylecun/mnist"})
    {'dataset_id': 'ylecun/mnist'}
    >>> card_of({"dataset": "ylecun/mnist"})
    Traceback (most recent call last):
    pytest_modelcheck.ConfigError: modelcheck_card: dataset is not known (did you mean dataset_id?)...

    Raises:
        ConfigError: a keyword is unknown or is no text, or `dataset_id` is missing.
    """
    for name, value in values.items():
        if name not in CARD_KEYS:
            close = difflib.get_close_matches(name, CARD_KEYS, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ConfigError(f"modelcheck_card: {printable(name)} is not known{hint}. It takes {', '.join(CARD_KEYS)}")
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(f"modelcheck_card: {name} is a text that is not empty, not {value!r}")
    if "dataset_id" not in values:
        raise ConfigError(f"modelcheck_card names the data by dataset_id, as the Hub does: {_HINT}")
    return {name: str(value) for name, value in values.items()}


def eval_results(run: Run) -> str:
    """The numbers as YAML for a file in the folder `.eval_results` of a model repository.

    Raises:
        ModelCheckError: the run did not pass, no row has a card, or two numbers would stand in one place.
        MissingDependency: huggingface_hub is not installed.
    """
    places = ("dataset_id", "task_id", "dataset_revision", "notes")
    return _yaml([_entry(score, run.started) for score in _one_each(_scores(run), places)])


def model_index(run: Run) -> str:
    """The numbers as the front matter of a model card, with its fences.

    The model is called as the cards say, or by its class where all rows have one. The metric is called by the number's
    name where a card has no `metric_type`.

    Raises:
        ModelCheckError: the run did not pass, no row has a card, a card has no `task_type`, the model has no name, or
            two numbers would stand in one place.
        MissingDependency: huggingface_hub is not installed.
    """
    hub = require("huggingface_hub", "writing a model card")
    scores = [_with_metric(score) for score in _scores(run)]
    names = ("task_type", "dataset_type", "dataset_config", "dataset_split", "dataset_revision", "metric_type")
    results = [_result(hub, score) for score in _one_each(scores, (*names, "metric_name"))]
    card = hub.ModelCardData(model_name=_model_name(scores), eval_results=results)
    return f"---\n{_yaml(card.to_dict())}---\n"


def _scores(run: Run) -> list[_Score]:
    """The numbers that are published, each with its card."""
    carded = [row for row in run.rows if row.get("card")]
    if not carded:
        raise ModelCheckError(f"no gate says what its number is published as: mark those that do with {_HINT}")
    if nameless := [printable(row["gate"]) for row in carded if "dataset_id" not in row["card"]]:
        raise ModelCheckError(f"a card without a dataset_id names no data: {', '.join(nameless)}")
    if not run.passed:
        cut_short = [] if run.complete else ["it was cut short"]
        reason = "; ".join([*cut_short, *map(printable, run.problems)]) or run.totals()
        raise ModelCheckError(f"nothing is published of a run that did not pass: {reason}")
    scores = [
        _Score(row["card"], value, row)
        for row in carded
        if row["outcome"] == "passed"
        and row["number"]
        and row["number"]["better"]
        and (value := finite(row["number"]["value"])) is not None
        and row["evidence"].get("complete", True) is True
    ]
    if not scores:
        gates = ", ".join(dict.fromkeys(printable(row["gate"]) for row in carded))
        raise ModelCheckError(f"no gate with a card passed with a number that was measured on all of its data: {gates}")
    return scores


def _one_each(scores: Sequence[_Score], names: Sequence[str]) -> list[_Score]:
    """One score for each place, by what names it. Where there are more, the card's metric picks, or they are equal."""
    places: dict[tuple[str | None, ...], list[_Score]] = {}
    for score in scores:
        places.setdefault(tuple(score.card.get(name) for name in names), []).append(score)
    return [_one(found) for found in places.values()]


def _one(scores: Sequence[_Score]) -> _Score:
    meant = [score for score in scores if _is_meant(score)] or scores
    if len({score.value for score in meant}) > 1:
        several = "; ".join(score.origin for score in meant)
        raise ModelCheckError(
            f"several numbers would be published as one: {several}. Give the gates cards that differ, or name the "
            "number that is meant by metric_type or metric_name"
        )
    return meant[0]


def _is_meant(score: _Score) -> bool:
    wanted = {score.card.get("metric_type"), score.card.get("metric_name")}
    return not wanted.isdisjoint((score.row["number"]["name"], score.row["check"]))


def _entry(score: _Score, started: str) -> dict[str, Any]:
    """As `huggingface_hub.eval_result_entries_to_yaml` has it, which versions below 1.4 do not know."""
    card = score.card
    source = {"url": card["source_url"]} if "source_url" in card else None
    dataset = {
        "id": card["dataset_id"],
        "task_id": card.get("task_id", "default"),
        "revision": card.get("dataset_revision"),
    }
    entry = {"dataset": _present(dataset), "value": score.value, "date": started or None, "source": source}
    return _present({**entry, "notes": card.get("notes")})


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _with_metric(score: _Score) -> _Score:
    return score._replace(card={"metric_type": score.row["number"]["name"], **score.card})


def _result(hub: Any, score: _Score) -> Any:
    card = score.card
    if "task_type" not in card:
        gate = printable(score.row["gate"])
        raise ModelCheckError(f"a model card tells the task of each number, and the card of {gate} has no task_type")
    names = ("task_name", "dataset_config", "dataset_split", "dataset_revision", "metric_name", "source_url")
    return hub.EvalResult(
        task_type=card["task_type"],
        dataset_type=card.get("dataset_type", card["dataset_id"]),
        dataset_name=card.get("dataset_name", card["dataset_id"]),
        metric_type=card["metric_type"],
        metric_value=score.value,
        **{name: card.get(name) for name in names},
    )


def _model_name(scores: Sequence[_Score]) -> str:
    given = dict.fromkeys(score.card["model_name"] for score in scores if "model_name" in score.card)
    names = [name for name in given or dict.fromkeys(str(score.row["subject"]) for score in scores) if name]
    if len(names) != 1:
        told = f"these are {', '.join(map(printable, names))}" if names else "this one has no name"
        raise ModelCheckError(f"a model card is about one model, and {told}: give the cards one model_name")
    return names[0]


def _yaml(values: Any) -> str:
    """The values as YAML, with characters beyond ASCII as they are where all of them can be printed."""
    dump = require("huggingface_hub.utils", "writing YAML").yaml_dump
    readable = str(dump(values, sort_keys=False, allow_unicode=True))
    inert = all(map(str.isprintable, readable.split("\n")))
    return readable if inert else str(dump(values, sort_keys=False, allow_unicode=False))
