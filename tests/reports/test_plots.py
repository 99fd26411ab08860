"""The figures of a page: from plain values to markup, and nothing from values that make no sense."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from pages_of_runs import PICTURE, accuracy, parameters

from pytest_modelcheck.reports.page.plots.confusion import confusion
from pytest_modelcheck.reports.page.plots.margins import Margin, margins
from pytest_modelcheck.reports.page.plots.number import number
from pytest_modelcheck.reports.page.plots.pictures import pictures
from pytest_modelcheck.reports.page.plots.recalls import recalls
from pytest_modelcheck.reports.page.plots.treemap import squarified, treemap
from pytest_modelcheck.reports.run import Run
from pytest_modelcheck.reports.sizes import Size, sizes

EVIDENCE = accuracy("a.py::test")["evidence"]


def parsed(markup):
    """The figure as elements; XML's parser is strict about how they nest."""
    return ElementTree.fromstring(re.sub(r"(<img [^>]*)>", r"\1/>", markup))  # noqa: S314  (the package wrote it)


def texts(markup, tag):
    return ["".join(item.itertext()) for item in parsed(markup).iter(tag)]


def percents(markup, tag, name):
    return [float(item.get(name).removesuffix("%")) for item in parsed(markup).iter(tag)]


# ---- margins


def test_margins_are_the_smallest_first_on_both_sides_of_the_promise():
    figure = margins([Margin("b", 0.05, "g2"), Margin("a", -0.01, "g1"), Margin("c", 0.0, "g3")])
    assert texts(figure, "a") == ["a", "c", "b"]
    assert [item.get("href") for item in parsed(figure).iter("a")] == ["#g1", "#g3", "#g2"]
    assert [row[-1] for row in _rows(figure)] == ["-1.00 %", "+0.00 %", "+5.00 %"]
    broken, even, kept = percents(figure, "circle", "cx")
    assert broken < even < kept
    assert [item.get("class") for item in parsed(figure).iter("circle")] == ["bad", "good", "good"]
    assert texts(figure, "figcaption") == ["Left of the promise a margin is broken; the scale is logarithmic."]


def test_many_margins_are_not_all_drawn_and_counted():
    figure = margins([Margin(f"m{index}", index / 100, "g1") for index in range(40)])
    assert len(_rows(figure)) == 12
    assert texts(figure, "figcaption")[0].endswith(" 28 larger margins are in the table.")


@pytest.mark.parametrize("values", [[0.0], [-1e9, 1e9], [1e-12, -1e-12], [5.0, 5.0], [-0.5]])
def test_every_mark_stands_within_its_picture(values):
    figure = margins([Margin("m", value, "g1") for value in values])
    assert all(0 <= place <= 100 for place in percents(figure, "circle", "cx"))
    assert all(place >= 0 for place in percents(figure, "rect", "width"))


def test_labels_of_a_scale_do_not_overlap():
    figure = margins([Margin("m", value, "g1") for value in (-1000.0, -0.5, -0.001, 0.001, 0.5, 1000.0)])
    places = sorted(float(item.get("x").removesuffix("%")) for item in parsed(figure).iter("text"))
    assert len(places) > 2
    assert all(later - earlier > 15 for earlier, later in pairwise(places))


# ---- recalls


def test_recalls_are_the_worst_first_with_their_bounds():
    evidence = {
        "recalls": {"0": [90, 100], "1": [99, 100]},
        "bounds": {"0": [0.85, 0.94], "1": [0.96, 0.999]},
        "class_names": {"0": "cat"},
    }
    figure = recalls(evidence)
    assert _rows(figure) == [["cat", "", "0.9000 (90 of 100)"], ["1", "", "0.9900 (99 of 100)"]]
    labels = [item.get("aria-label") for item in parsed(figure).iter("svg")]
    assert labels == ["recall 0.9000, from 0.8500 to 0.9400", "recall 0.9900, from 0.9600 to 0.9990", "scale"]
    assert sorted(texts(figure, "text")) == ["0.8", "0.9", "1"]
    low, high = percents(figure, "circle", "cx")
    assert low < high


def test_of_many_classes_the_worst_are_drawn():
    figure = recalls({"recalls": {str(index): [900 + index, 1000] for index in range(100)}})
    assert len(_rows(figure)) == 25
    assert texts(figure, "th")[0] == "0"
    assert texts(figure, "figcaption") == ["75 better classes are left out."]


BROKEN_RECALLS = {
    "none": {},
    "text": {"recalls": "other"},
    "list": {"recalls": [[1, 2]]},
    "no samples": {"recalls": {"0": [0, 0]}},
    "more right than there are": {"recalls": {"0": [5, 4]}},
    "negative": {"recalls": {"0": [-1, 4]}},
    "texts": {"recalls": {"0": ["1", "2"]}},
    "not finite": {"recalls": {"0": ["nan", 5]}},
    "three": {"recalls": {"0": [1, 2, 3]}},
    "flags": {"recalls": {"0": [True, True]}},
    "huge": {"recalls": {"0": [1, 10**400]}},
    "bounds beyond 1": {"recalls": {"0": [1, 2]}, "bounds": {"0": [-3, 7]}},
}


@pytest.mark.parametrize("evidence", BROKEN_RECALLS.values(), ids=BROKEN_RECALLS)
def test_what_are_no_recalls_have_no_figure(evidence):
    assert recalls(evidence) == ""


@pytest.mark.parametrize("share", [[0, 5], [5, 5], [1, 3]])
def test_recalls_at_the_ends_are_drawn(share):
    assert len(_rows(recalls({"recalls": {"0": share}}))) == 1


# ---- confusion


def test_a_matrix_has_the_told_confusions_and_the_diagonal():
    figure = confusion(EVIDENCE)
    cells = [texts(ElementTree.tostring(item, encoding="unicode"), "text")[0] for item in parsed(figure).iter("g")]
    assert sorted(cells) == sorted(
        ["990", "989", "988", "987", "986", "985", "984", "983", "982", "981", "5", "4", "1"]
    )
    [picture] = parsed(figure).iter("svg")
    told = "confusion matrix of 10 classes; most often, class 3 was taken for 5: 5"
    assert picture.get("aria-label") == told
    assert "only the largest confusions are told" in texts(figure, "figcaption")[0]


def test_a_whole_matrix_is_taken_before_the_largest_confusions():
    figure = confusion({**EVIDENCE, "confusion": [["a", "b", 2], ["a", "a", 7]], "recalls": {}})
    assert len(list(parsed(figure).iter("g"))) == 2
    assert texts(figure, "figcaption") == ["Rows are the classes, columns what they were taken for."]


def test_of_many_classes_those_that_are_mixed_up_are_shown():
    cells = [[index, index, 5] for index in range(300)] + [[7, 299, 3], [8, 9, 1]]
    figure = confusion({"confusion": cells})
    labels = texts(figure, "text")
    assert {"7", "299", "8", "9"} <= set(labels)
    assert "The 20 classes that are mixed up most are shown." in texts(figure, "figcaption")[0]


BROKEN_CONFUSIONS = [
    {},
    {"confused": []},
    {"confused": "other"},
    {"confused": [[1, 2]]},
    {"confused": [[1, 2, -3]]},
    {"confused": [[1, 2, "3"]]},
    {"confused": [[1, 2, 0.5]]},
    {"confusion": [[1, 1, 5]]},
    {"confusion": {"1": 2}, "confused": None, "recalls": []},
]


@pytest.mark.parametrize("evidence", BROKEN_CONFUSIONS, ids=str)
def test_what_is_no_confusion_has_no_matrix(evidence):
    assert confusion(evidence) == ""


# ---- treemap


LAYERS = [("a", 600), ("b", 200), ("c", 100), ("d", 50), ("e", 50), ("f", 0)]


def test_areas_are_shares_of_the_whole_and_do_not_overlap():
    areas = squarified(LAYERS, 640, 170)
    assert [area.name for area in areas] == ["a", "b", "c", "d", "e"]
    for area in areas:
        assert area.width * area.height == pytest.approx(640 * 170 * area.number / 1000)
        assert -1e-6 <= area.x <= area.x + area.width <= 640 + 1e-6
        assert -1e-6 <= area.y <= area.y + area.height <= 170 + 1e-6
    for index, one in enumerate(areas):
        for other in areas[index + 1 :]:
            across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert across < 1e-6 or down < 1e-6


@pytest.mark.parametrize("numbers", [[1], [1, 1, 1, 1, 1, 1, 1], [10**17, 1, 1], [3] * 60, [2**n for n in range(50)]])
def test_areas_are_finite_whatever_the_numbers(numbers):
    areas = squarified([(str(index), number) for index, number in enumerate(numbers)], 640, 170)
    assert len(areas) == len(numbers)
    assert sum(area.width * area.height for area in areas) == pytest.approx(640 * 170)


def test_what_no_layer_is_told_of_is_the_others():
    [size] = sizes(Run([parameters("a.py::test")], 0, ""))
    figure = treemap(size)
    assert [row[0] for row in _rows(figure)] == ["net.0", "net.1", "net.2", "others"]
    assert [row[1:] for row in _rows(figure)] == [
        ["600", "60.0 %"],
        ["200", "20.0 %"],
        ["100", "10.0 %"],
        ["100", "10.0 %"],
    ]
    assert texts(figure, "title") == ["net.0: 600", "net.1: 200", "net.2: 100", "others: 100"]


def test_a_model_without_parameters_has_no_areas():
    assert treemap(Size("Net", 0, 0, (), 0, (("a", 0),))) == ""


# ---- numbers


def test_a_number_has_its_bounds_and_its_history():
    figure = number(
        {"name": "accuracy", "value": 0.9888, "low": 0.98, "high": 0.99, "confidence": 0.95, "better": "higher"},
        [0.98, 0.985],
    )
    assert texts(figure, "p") == [
        "accuracy 0.9888; from 0.98 to 0.99, each bound at 95 %; higher is better; before: 0.98, 0.985"
    ]
    labels = [item.get("aria-label") for item in parsed(figure).iter("svg")]
    assert labels == ["0.9888, between 0.98 and 0.99", "2 earlier values, from 0.98 to 0.9888 now"]


def test_an_exact_number_without_a_history_is_a_line():
    figure = number({"name": "flops", "value": 278_032_384, "low": None, "high": None, "better": "lower"}, [])
    assert texts(figure, "p") == ["flops 278,032,384; lower is better"]
    assert "<svg" not in figure


@pytest.mark.parametrize("told", [None, 5, {}, {"value": None}, {"value": "nan"}, {"value": 10**400}, {"value": True}])
def test_what_is_no_number_has_no_figure(told):
    assert number(told, [1.0]) == ""


@pytest.mark.parametrize("history", [[5.0], [5.0] * 500, ["x", None, 4.0], [-1e18, 1e18]])
def test_any_history_is_drawn_within_its_picture(history):
    figure = number({"name": "x", "value": 5.0}, history)
    [line] = parsed(figure).iter("polyline")
    points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
    assert 2 <= len(points) <= 61
    assert all(0 <= x <= 260 and 0 <= y <= 44 for x, y in points)


# ---- pictures


def test_pictures_say_what_was_taken_for_what():
    wrong = [{"id": 5, "target": 1, "predicted": 2, "picture": PICTURE}, {"id": 6, "picture": ""}, "other"]
    figure = pictures({"wrong": wrong, "class_names": {"1": "cat"}})
    assert texts(figure, "figcaption") == ["sample 5: cat taken for 2"]
    [image] = parsed(figure).iter("img")
    assert (image.get("src"), image.get("alt")) == (PICTURE, "sample 5: cat taken for 2")


@pytest.mark.parametrize("evidence", [{}, {"wrong": 5}, {"wrong": [5]}, {"wrong": [{"id": 1}]}, {"wrong": {"a": 1}}])
def test_without_pictures_there_is_no_figure(evidence):
    assert pictures(evidence) == ""


def _rows(markup):
    """The texts of each row of a figure's table."""
    body = next(parsed(markup).iter("tbody"))
    return [["".join(cell.itertext()) for cell in row] for row in body]
