"""What a classifier's predictions say class by class, and slice by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from pytest_modelcheck.checks.claims import Judged, interval_of, judged_slices, listed
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.evaluation.gate import ClassCounts
from pytest_modelcheck.evaluation.predictions import Pass
from pytest_modelcheck.evaluation.prefix import Prefix

_SHOWN = 3

# A report has the whole matrix of so many cells.
_CELLS = 400

# The confidence of the bounds that stand beside each class in the reports.
_USUAL = 0.95


def judged_by_slice(
    run: Pass,
    threshold: Fraction,
    promised: float,
    confidence: float | None,
    per_class: bool,
    slices: Mapping[str, Sequence[int]] | None,
) -> list[Judged]:
    """The verdicts on every class and on every slice, whichever are promised."""
    judged = []
    if per_class:
        recalls = run.counts().recalls()
        names = _quoted(run)
        counts = {names.get(target, str(target)): recalls.get(target, (0, 0)) for target in range(run.tally.classes)}
        judged.append(judged_slices(counts, threshold, promised, confidence, "class"))
    if slices:
        if not run.source.is_ordered and run.source.order is None:
            raise ModelCheckError("slices are positions in the data, and the loader gives it in random order")
        predicted, targets = run.tally.by_sample()
        right = (predicted == targets).tolist()
        counts = {}
        for name, selected in slices.items():
            chosen = [right[position] for position in _positions(name, selected, len(right))]
            counts[name] = (sum(chosen), len(chosen))
        judged.append(judged_slices(counts, threshold, promised, confidence, "slice"))
    return judged


def _positions(name: str, selected: Any, size: int) -> list[int]:
    """The positions of a slice, each once: given as such, or by a True for each sample that is in it."""
    given = selected.tolist() if hasattr(selected, "tolist") else list(selected)
    # The items of a list may be numpy's.
    items = [item.item() if callable(getattr(item, "item", None)) else item for item in given]
    if items and all(isinstance(item, bool) for item in items):
        if len(items) != size:
            raise ModelCheckError(f"slice {name!r} says of {len(items):,} samples whether they are in it, of {size:,}")
        return [position for position, is_in in enumerate(items) if is_in]
    wrong = [item for item in items if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item < size]
    if wrong or len(set(items)) != len(items):
        why = f"{wrong[0]!r} is none of 0 to {size - 1:,}" if wrong else "a sample stands in it twice"
        raise ModelCheckError(f"slice {name!r} is no list of positions: {why}")
    return items


def class_names(run: Pass | Prefix) -> dict[int, str]:
    """The classes' own names by their indices, where the data set has one for each."""
    names = run.source.class_names
    if len(names) != run.tally.classes or len(set(names)) != len(names):
        return {}
    return dict(enumerate(names))


def _quoted(run: Pass | Prefix) -> dict[int, str]:
    """The same, as they stand in a sentence."""
    return {index: repr(name) for index, name in class_names(run).items()}


def of_classes(run: Pass | Prefix) -> dict[str, Any]:
    """The recall of each class with its bounds, and the classes that are taken for each other."""
    counts, names = run.counts(), class_names(run)
    recalls = counts.recalls()
    bounds = {target: interval_of(right, size, _USUAL) for target, (right, size) in recalls.items()}
    return {
        "recalls": {str(target): list(pair) for target, pair in recalls.items()},
        "bounds": {str(target): list(pair) for target, pair in bounds.items()},
        "class_names": {str(target): name for target, name in names.items()},
        "confused": [list(item) for item in counts.confused()[:_SHOWN]],
        **_matrix(counts),
    }


def _matrix(counts: ClassCounts) -> dict[str, list[list[int]]]:
    """The confusion matrix by its cells `[target, predicted, number]`, where it has few enough to be looked at."""
    cells = [[*pair, number] for pair, number in sorted(counts.confusion.items()) if number]
    return {"confusion": cells} if len(cells) <= _CELLS else {}


def weakest(run: Pass | Prefix, *, has_slices: bool) -> list[str]:
    """The classes that are recalled least, but where slices tell more, the most confused pairs, and wrong samples."""
    counts, names = run.counts(), _quoted(run)
    recalls = sorted(counts.recalls().items(), key=lambda item: (Fraction(*item[1]), item[0]))
    lines = [
        f"  recall of class {names.get(target, target)}: {right:,} of {number:,}"
        for target, (right, number) in recalls[:_SHOWN]
        if right < number and not has_slices
    ]
    lines += [
        f"  class {names.get(target, target)} taken for {names.get(predicted, predicted)}: {number:,}"
        for target, predicted, number in counts.confused()[:_SHOWN]
    ]
    ids = run.tally.wrong_ids()
    if ids and (run.source.is_ordered or run.source.order is not None):
        lines.append(f"  first wrong samples: {listed(ids, run.seen - run.correct)}")
    return lines
