"""What is published on the Hugging Face Hub, as its own library reads it."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import huggingface_hub as hub
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_of_reports import HOSTILE, TEXTS, number, row, runs

from pytest_modelcheck import ConfigError, ModelCheckError
from pytest_modelcheck.reports.huggingface import CARD_KEYS, card_of, eval_results, model_index
from pytest_modelcheck.reports.run import Run

CARD = {"dataset_id": "ylecun/mnist", "task_type": "image-classification"}
FULL = {
    **CARD,
    "task_id": "digits",
    "task_name": "Reading digits",
    "dataset_name": "MNIST",
    "dataset_config": "mnist",
    "dataset_split": "test",
    "dataset_revision": "5503434",
    "metric_type": "accuracy",
    "metric_name": "Accuracy",
    "model_name": "digits-cnn",
    "notes": "greedy",
    "source_url": "https://example.org/run/1",
}


def carded(value=0.9888, card=CARD, outcome="passed", gate="t.py::test_it", **given):
    name = given.pop("name", "accuracy")
    return row(outcome, gate=gate, number=number(value, name=name), card=card, **given)


def run_of(*rows, **given):
    return Run(rows, 0, "cpu", **{"started": "2026-05-04T03:02:01+00:00", **given})


EVAL_RESULTS = """\
- dataset:
    id: ylecun/mnist
    task_id: digits
    revision: '5503434'
  value: 0.9888
  date: '2026-05-04T03:02:01+00:00'
  source:
    url: https://example.org/run/1
  notes: greedy
"""

MODEL_INDEX = """\
---
model-index:
- name: digits-cnn
  results:
  - task:
      type: image-classification
      name: Reading digits
    dataset:
      name: MNIST
      type: ylecun/mnist
      config: mnist
      split: test
      revision: '5503434'
    metrics:
    - type: accuracy
      value: 0.9888
      name: Accuracy
    source:
      url: https://example.org/run/1
---
"""


def test_evaluation_results_are_this_to_the_letter():
    assert eval_results(run_of(carded(card=FULL))) == EVAL_RESULTS


def test_a_model_index_is_this_to_the_letter():
    assert model_index(run_of(carded(card=FULL))) == MODEL_INDEX


def test_the_least_that_a_card_has():
    run = run_of(carded(card={"dataset_id": "a/b"}), started="")
    assert eval_results(run) == "- dataset:\n    id: a/b\n    task_id: default\n  value: 0.9888\n"
    (result,) = hub.ModelCard(model_index(run_of(carded()))).data.eval_results
    assert (result.dataset_type, result.dataset_name, result.metric_type) == (
        "ylecun/mnist",
        "ylecun/mnist",
        "accuracy",
    )


def entries(text):
    """The entries as the Hub's library reads them, or as they are where it is too old for that."""
    found = yaml.safe_load(text)
    if hasattr(hub, "parse_eval_result_entries"):
        read = hub.parse_eval_result_entries(found)
        assert hub.eval_result_entries_to_yaml(read) == found
    return [
        SimpleNamespace(
            dataset_id=entry["dataset"]["id"],
            task_id=entry["dataset"]["task_id"],
            value=entry["value"],
            date=entry.get("date"),
            notes=entry.get("notes"),
            source_url=entry.get("source", {}).get("url"),
        )
        for entry in found
    ]


def test_the_hub_reads_back_what_was_measured():
    rows = [
        carded(0.9888, FULL),
        carded(0.75, {**CARD, "task_id": "other", "dataset_split": "other"}, name="f1"),
        carded(0.75, {**CARD, "task_id": "other", "dataset_split": "other"}, name="f1"),
        row(gate="without a card", number=number(0.5)),
    ]
    found = entries(eval_results(run_of(*rows)))
    assert [(entry.dataset_id, entry.task_id, entry.value, entry.notes) for entry in found] == [
        ("ylecun/mnist", "digits", 0.9888, "greedy"),
        ("ylecun/mnist", "other", 0.75, None),
    ]
    assert found[0].date == "2026-05-04T03:02:01+00:00"
    data = hub.ModelCard(model_index(run_of(*rows))).data
    assert data.model_name == "digits-cnn"
    assert [(result.metric_type, result.metric_value, result.dataset_split) for result in data.eval_results] == [
        ("accuracy", 0.9888, "test"),
        ("f1", 0.75, "other"),
    ]


LEFT_OUT = {
    "waived": carded(0.5, outcome="waived"),
    "xfailed": carded(0.5, outcome="xfailed"),
    "xpassed": carded(0.5, outcome="xpassed"),
    "skipped": carded(0.5, outcome="skipped"),
    "no number": row(card=CARD),
    "a count": row(card=CARD, number=number(53994, name="parameters", better="")),
    "a part of the data": carded(0.5, evidence={"complete": False, "early_stop": 1e-6}),
    "not finite": {**row(card=CARD), "number": number(float("inf"))},
}


@pytest.mark.parametrize("other", LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_was_not_measured_in_full_or_not_kept_is_left_out(other):
    run = run_of(carded(evidence={"complete": True}), other)
    assert [entry.value for entry in entries(eval_results(run))] == [0.9888]
    assert model_index(run).count("value:") == 1
    for render in (eval_results, model_index):
        with pytest.raises(ModelCheckError) as caught:
            render(run_of(row(gate="kept"), other))
        assert str(caught.value) == (
            f"no gate with a card passed with a number that was measured on all of its data: {other['gate']}"
        )


REFUSED = {
    "no card": (
        run_of(row(number=number())),
        "no gate says what its number is published as: mark those that do with @pytest.mark.modelcheck_card("
        'dataset_id="ylecun/mnist", task_type="image-classification")',
    ),
    "nothing": (run_of(), "no gate says what its number is published as: mark those"),
    "a failed gate": (
        run_of(carded(), carded(outcome="failed")),
        "nothing is published of a run that did not pass: 1 failed, 1 passed",
    ),
    "another gate that failed": (
        run_of(carded(), row("error")),
        "nothing is published of a run that did not pass: 1 error, 1 passed",
    ),
    "cut short": (
        run_of(carded(), complete=False),
        "nothing is published of a run that did not pass: it was cut short",
    ),
    "problems": (run_of(carded(), problems=("x", "y")), "nothing is published of a run that did not pass: x; y"),
}


@pytest.mark.parametrize(("run", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("render", [eval_results, model_index])
def test_what_is_not_published(render, run, message):
    with pytest.raises(ModelCheckError) as caught:
        render(run)
    assert str(caught.value).startswith(message)


SEVERAL = (carded(0.9), carded(0.8, name="f1", check="metric", gate="t.py::test_f1"))
MESSAGE = (
    "several numbers would be published as one: t.py::test_it accuracy 0.9; t.py::test_f1 metric 0.8. Give the gates "
    "cards that differ, or name the number that is meant by metric_type or metric_name"
)


def test_two_numbers_for_one_place_are_refused():
    with pytest.raises(ModelCheckError) as caught:
        eval_results(run_of(*SEVERAL))
    assert str(caught.value) == MESSAGE
    card = {**CARD, "metric_type": "score"}
    with pytest.raises(ModelCheckError) as caught:
        model_index(run_of(*({**row, "card": card} for row in SEVERAL)))
    assert str(caught.value) == MESSAGE


@pytest.mark.parametrize(
    ("named", "value"),
    [
        ({"metric_type": "f1"}, 0.8),
        ({"metric_type": "accuracy"}, 0.9),
        ({"metric_type": "metric"}, 0.8),
        ({"metric_type": "F", "metric_name": "f1"}, 0.8),
    ],
)
def test_the_metric_of_the_card_picks_the_number(named, value):
    run = run_of(*({**row, "card": {**CARD, **named}} for row in SEVERAL))
    assert [entry.value for entry in entries(eval_results(run))] == [value]
    assert [result.metric_value for result in hub.ModelCard(model_index(run)).data.eval_results] == [value]


def test_a_model_index_has_several_metrics():
    data = hub.ModelCard(model_index(run_of(*SEVERAL))).data
    assert [(item.metric_type, item.metric_value) for item in data.eval_results] == [("accuracy", 0.9), ("f1", 0.8)]


NO_INDEX = {
    "no task": (
        [carded(card={"dataset_id": "a/b"})],
        "a model card tells the task of each number, and the card of t.py::test_it has no task_type",
    ),
    "two classes": (
        [carded(), carded(card={**CARD, "dataset_id": "a"}, subject="Other")],
        "a model card is about one model, and these are Net, Other: give the cards one model_name",
    ),
    "two names": (
        [carded(card={**CARD, "model_name": "A"}), carded(card={**CARD, "model_name": "B", "dataset_id": "a"})],
        "a model card is about one model, and these are A, B: give the cards one model_name",
    ),
    "no name": ([carded(subject="")], "a model card is about one model, and this one has no name: give the cards one"),
}


@pytest.mark.parametrize(("rows", "message"), NO_INDEX.values(), ids=NO_INDEX)
def test_what_no_model_index_can_tell(rows, message):
    with pytest.raises(ModelCheckError) as caught:
        model_index(run_of(*rows))
    assert str(caught.value).startswith(message)


def test_one_name_is_enough():
    rows = [carded(), carded(card={**CARD, "dataset_id": "a", "model_name": "B"}, subject="Other")]
    assert hub.ModelCard(model_index(run_of(*rows))).data.model_name == "B"


def _come_back(texts):
    run = run_of(carded(card=texts), started=texts["notes"])
    (entry,) = entries(eval_results(run))
    assert (entry.dataset_id, entry.task_id) == (texts["dataset_id"], texts["task_id"])
    assert (entry.notes, entry.source_url) == (texts["notes"], texts["source_url"])
    card = hub.ModelCard(model_index(run) + "# Title\n")
    assert card.text.strip() == "# Title"
    (result,) = card.data.eval_results
    assert (result.task_type, result.dataset_name) == (texts["task_type"], texts["dataset_name"])
    assert card.data.model_name == texts["model_name"]
    for text in (eval_results(run), model_index(run)):
        assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()], ids=lambda text: ascii(text[:20]))
def test_hostile_texts_come_back_as_they_were(text):
    _come_back(dict.fromkeys(CARD_KEYS, text))


@settings(max_examples=50, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(CARD_KEYS, TEXTS.filter(lambda text: text.strip() and len(text) < 200))))
def test_any_texts_come_back_as_they_were(texts):
    _come_back(texts)


@settings(max_examples=50, deadline=None)
@given(runs())
def test_any_run_is_published_or_refused(run):
    for render in (eval_results, model_index):
        with contextlib.suppress(ModelCheckError):
            yaml.safe_load(render(run).strip("-\n"))


def test_a_card_of_a_report_that_names_no_data_is_refused():
    for render in (eval_results, model_index):
        with pytest.raises(ModelCheckError, match=r"^a card without a dataset_id names no data: "):
            render(run_of(carded(card={"notes": "a"})))


def test_texts_beyond_ascii_stay_readable():
    assert "notes: Größe" in eval_results(run_of(carded(card={**CARD, "notes": "Größe"})))
    assert "\\u202E" in eval_results(run_of(carded(card={**CARD, "notes": "Größe\u202e"})))


def test_a_card_is_what_the_mark_says():
    assert card_of(FULL) == FULL
    assert set(FULL) | {"dataset_type"} == set(CARD_KEYS)


BAD_CARDS = {
    "close": (
        {"dataset": "a"},
        f"modelcheck_card: dataset is not known (did you mean dataset_id?). It takes {', '.join(CARD_KEYS)}",
    ),
    "far": ({"dataset_id": "a", "\x1bx": "y"}, "modelcheck_card: \\x1bx is not known. It takes dataset_id, task_id,"),
    "a number": (
        {"dataset_id": "a", "dataset_revision": 5},
        "modelcheck_card: dataset_revision is a text that is not empty, not 5",
    ),
    "nothing": ({"dataset_id": " "}, "modelcheck_card: dataset_id is a text that is not empty, not ' '"),
    "none": ({"dataset_id": None}, "modelcheck_card: dataset_id is a text that is not empty, not None"),
    "no data": (
        {"task_id": "a"},
        'modelcheck_card names the data by dataset_id, as the Hub does: @pytest.mark.modelcheck_card(dataset_id="yl',
    ),
    "empty": ({}, "modelcheck_card names the data by dataset_id"),
}


@pytest.mark.parametrize(("values", "message"), BAD_CARDS.values(), ids=BAD_CARDS)
def test_a_card_that_makes_no_sense(values, message):
    with pytest.raises(ConfigError) as caught:
        card_of(values)
    assert str(caught.value).startswith(message)
