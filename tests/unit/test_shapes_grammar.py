"""The grammar of shapes: what is written, and where a tensor parts from it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.models.shapes import mismatch, parse_shape

SIZES = st.lists(st.integers(0, 2000), max_size=6)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ([1, 7, 768], "[1, 7, 768]"),
        ((1, 7, 768), "[1, 7, 768]"),
        (torch.Size([2, 3]), "[2, 3]"),
        ("batch tokens 768", "[batch, tokens, 768]"),
        ("  batch\ttokens  768 ", "[batch, tokens, 768]"),
        (["batch", 7, "_", "768"], "[batch, 7, _, 768]"),
        ([1, ..., 768], "[1, ..., 768]"),
        ("... dim", "[..., dim]"),
        ("_ _ _", "[_, _, _]"),
        ("head_dim x2 0", "[head_dim, x2, 0]"),
        ("", "[]"),
        ([], "[]"),
    ],
)
def test_a_shape_is_read(written, shown):
    assert str(parse_shape(written)) == shown


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "batch tok-ens 768",
            "'tok-ens' is no axis: a size, a name, _ or ... is expected\n  batch tok-ens 768\n        ^",
        ),
        ("768.0", "'768.0' is no axis: a size, a name, _ or ... is expected"),
        ("-1 2", "'-1' is no axis: a size, a name, _ or ... is expected\n  -1 2\n  ^"),
        ("1, 7", "'1,' is no axis: a size, a name, _ or ... is expected\n  1, 7\n  ^"),
        ("_x", "'_x' is no axis: a size, a name, _ or ... is expected"),
        ("²", "'²' is no axis: a size, a name, _ or ... is expected"),
        ([1, -1], "-1 is no axis: a size, a name, _ or ... is expected"),
        ([1, None], "None is no axis: a size, a name, _ or ... is expected"),
        ([1, 7.0], "7.0 is no axis: a size, a name, _ or ... is expected"),
        ([float("nan")], "nan is no axis: a size, a name, _ or ... is expected"),
        ([True], "True is no axis: a size, a name, _ or ... is expected"),
        ([[1]], "[1] is no axis: a size, a name, _ or ... is expected"),
        (["batch tokens"], "'batch tokens' is no axis: a size, a name, _ or ... is expected"),
        ("... 3 ...", "'... 3 ...' is no shape: '...' may stand in it once"),
        ([..., "..."], "[Ellipsis, '...'] is no shape: '...' may stand in it once"),
        (7, "7 is no shape: a list such as [1, 7, 768] or a string such as 'batch 7 768'"),
        (None, "None is no shape: a list such as [1, 7, 768] or a string such as 'batch 7 768'"),
        (b"1 2", "b'1 2' is no shape: a list such as [1, 7, 768] or a string such as 'batch 7 768'"),
        ({1, 2}, "{1, 2} is no shape: a list such as [1, 7, 768] or a string such as 'batch 7 768'"),
    ],
)
def test_what_is_no_shape_is_refused(written, message):
    with pytest.raises(ConfigError) as raised:
        parse_shape(written)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("shape", "written", "problem"),
    [
        ([1, 7, 768], [1, 7, 768], ""),
        ([1, 7, 768], "_ _ _", ""),
        ([1, 7, 768], "...", ""),
        ([], "...", ""),
        ([], [], ""),
        ([7], "... 7", ""),
        ([5, 5], "n n", ""),
        ([5, 1, 2, 5], "n ... n", ""),
        ([], [1], "it has 0 axes, promised 1"),
        ([1], [], "it has 1 axis, promised 0"),
        ([1, 7], "1 7 768", "it has 2 axes, promised 3"),
        ([7], "a ... b", "it has 1 axis, promised at least 2"),
        ([1, 8, 768], "1 7 768", "axis 1 is 8, promised 7"),
        ([2, 8, 9], "1 7 768", "axis 0 is 2, promised 1; axis 1 is 8, promised 7; axis 2 is 9, promised 768"),
        ([5, 4], "n n", "axis 1 (n) is 4, promised 5"),
        ([3, 1, 2, 4], "3 ... 5", "axis 3 is 4, promised 5"),
        ([0, 3], "1 3", "axis 0 is 0, promised 1"),
    ],
)
def test_where_a_shape_parts_from_the_promise(shape, written, problem):
    assert mismatch(shape, parse_shape(written), {}) == problem


def test_a_name_stands_for_one_size_across_tensors():
    sizes = {}
    assert mismatch([2, 7], parse_shape("batch tokens"), sizes) == ""
    assert sizes == {"batch": 2, "tokens": 7}
    assert mismatch([2, 8], parse_shape("batch tokens"), sizes) == "axis 1 (tokens) is 8, promised 7"


def test_a_shape_that_does_not_fit_binds_nothing():
    sizes = {}
    assert mismatch([2, 7], parse_shape("batch 8"), sizes) != ""
    assert sizes == {}


@given(SIZES)
def test_a_shape_fits_itself_however_it_is_written(sizes):
    for written in (sizes, tuple(sizes), " ".join(map(str, sizes)), list(map(str, sizes))):
        assert mismatch(sizes, parse_shape(written), {}) == ""


@given(SIZES, st.integers(0, 5), st.integers(1, 9))
def test_one_wrong_axis_never_fits(sizes, axis, change):
    if axis < len(sizes):
        wrong = [size + change * (index == axis) for index, size in enumerate(sizes)]
        problem = f"axis {axis} is {wrong[axis]}, promised {sizes[axis]}"
        assert mismatch(wrong, parse_shape(sizes), {}) == problem


@given(SIZES, SIZES)
def test_only_equal_sizes_fit(found, promised):
    assert (mismatch(found, parse_shape(promised), {}) == "") == (found == promised)


@given(SIZES, SIZES, SIZES)
def test_an_ellipsis_is_any_number_of_axes(head, middle, tail):
    assert mismatch([*head, *middle, *tail], parse_shape([*head, "...", *tail]), {}) == ""


@given(st.text())
def test_any_string_is_a_shape_or_a_config_error(text):
    try:
        parsed = parse_shape(text)
    except ConfigError:
        return
    assert len(parsed.axes) == len(text.split())
