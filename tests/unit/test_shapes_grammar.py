"""The grammar of shapes: what is written, and where a tensor parts from it."""

from __future__ import annotations

import ast
import operator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelcheck.errors import ConfigError
from pytest_modelcheck.models.axes import Misread, parse_axis
from pytest_modelcheck.models.shapes import bind, mismatch, parse_shape, parse_shapes, require_bound

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
        ("batch 2*tokens tokens+1", "[batch, 2*tokens, tokens+1]"),
        (["batch", "tokens//2", 4], "[batch, tokens//2, 4]"),
        ("(7) (n)", "[7, n]"),
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
            "batch tok.ens 768",
            "'tok.ens' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  batch tok.ens 768\n           ^",
        ),
        ("768.0", "'768.0' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  768.0\n     ^"),
        ("a 2*(b+1", "'2*(b+1' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  a 2*(b+1\n          ^"),
        ("b+ 2", "'b+' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  b+ 2\n    ^"),
        ("b//_", "'b//_' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  b//_\n     ^"),
        ("b/2", "'b/2' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  b/2\n   ^"),
        ("2tokens", "'2tokens' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  2tokens\n   ^"),
        ("a)", "'a)' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  a)\n   ^"),
        ("()", "'()' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  ()\n   ^"),
        ("a**2", "'a**2' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  a**2\n    ^"),
        ("-1 2", "'-1' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  -1 2\n  ^"),
        ("1, 7", "'1,' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  1, 7\n   ^"),
        ("_x", "'_x' is no axis: a size, a name, _, ... or 2*tokens+1 is expected"),
        ("²", "'²' is no axis: a size, a name, _, ... or 2*tokens+1 is expected"),
        ([1, -1], "-1 is no axis: a size, a name, _, ... or 2*tokens+1 is expected"),
        ([1, None], "None is no axis: a size, a name, _, ... or 2*tokens+1 is expected"),
        ([1, 7.0], "7.0 is no axis: a size, a name, _, ... or 2*tokens+1 is expected"),
        ([float("nan")], "nan is no axis: a size, a name, _, ... or 2*tokens+1 is expected"),
        ([True], "True is no axis: a size, a name, _, ... or 2*tokens+1 is expected"),
        ([[1]], "[1] is no axis: a size, a name, _, ... or 2*tokens+1 is expected"),
        (
            ["batch tokens"],
            "'batch tokens' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  batch tokens\n       ^",
        ),
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
        ([7, 14], "n 2*n", ""),
        ([14, 7], "2*n n", ""),
        ([7, 15], "n 2*n", "axis 1 (2*n) is 15, promised 14"),
        ([7, 3], "n n//2", ""),
        ([7, 4], "n n-3", ""),
        ([7, 4], "n n-3-1", "axis 1 (n-3-1) is 4, promised 3"),
        ([7, 4], "n n-(3-1)", "axis 1 (n-(3-1)) is 4, promised 5"),
        ([7, 17], "n 3+2*n", ""),
        ([7, 35], "n (3+2)*n", ""),
        ([2, 3, 24], "a b 2*a*b//1*2", ""),
        ([2, 1], "a 1-a", "axis 1 (1-a) is 1, promised -1"),
        ([2, 1], "a 1//(a-2)", "axis 1 (1//(a-2)) is 1, and what is promised divides by zero"),
        ([2, 1], "_ 2*a", "axis 1 (2*a) is 1, and no tensor that keeps its promise tells a"),
    ],
)
def test_where_a_shape_parts_from_the_promise(shape, written, problem):
    assert mismatch(shape, parse_shape(written), {}) == problem


def test_names_are_bound_before_what_is_worked_out_of_them():
    sizes = {}
    later, earlier = parse_shape("batch tokens"), parse_shape("2*tokens 5")
    bind([14, 5], earlier, sizes)
    assert sizes == {}
    bind([2, 7], later, sizes)
    assert sizes == {"batch": 2, "tokens": 7}
    assert mismatch([14, 5], earlier, sizes) == ""
    assert mismatch([13, 5], earlier, sizes) == "axis 0 (2*tokens) is 13, promised 14"


def test_a_name_that_nothing_tells_is_refused():
    require_bound([parse_shape("a 2*b"), parse_shape("b")])
    with pytest.raises(ConfigError) as raised:
        require_bound([parse_shape("a"), parse_shape("a 2*b+c*a")])
    assert str(raised.value) == (
        "'2*b+c*a' uses b and c, whose size nothing tells: let them stand alone in another shape, such as that of an "
        "input\n  a 2*b+c*a\n    ^"
    )


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (["batch 8", "batch 16"], ["[batch, 8]", "[batch, 16]"]),
        ([[2, 3], "n"], ["[2, 3]", "[n]"]),
        ([["n"]], ["[n]"]),
        (["batch", "n"], "[batch, n]"),
        ([], "[]"),
    ],
)
def test_a_list_of_shapes_is_told_from_a_list_of_axes(written, shown):
    parsed = parse_shapes(written)
    assert ([str(item) for item in parsed] if isinstance(parsed, list) else str(parsed)) == shown


def test_an_annotation_of_jaxtyping_is_a_shape_with_dtypes():
    jaxtyping = pytest.importorskip("jaxtyping")
    one = parse_shape(jaxtyping.Float32[torch.Tensor, "batch 2*batch"])
    assert (str(one), one.dtypes) == ("float32[batch, 2*batch]", ("float32",))
    several = parse_shape(jaxtyping.Float[torch.Tensor, "..."])
    assert str(several) == "Float[...]"
    assert {"float16", "bfloat16", "float32", "float64"} < set(several.dtypes)
    assert parse_shape(jaxtyping.Shaped[torch.Tensor, "a b"]) == parse_shape("a b")
    with pytest.raises(ConfigError) as raised:
        parse_shape(jaxtyping.Float[torch.Tensor, "a *b"])
    assert str(raised.value) == ("'*b' is no axis: a size, a name, _, ... or 2*tokens+1 is expected\n  a *b\n    ^")


@given(st.lists(st.tuples(st.sampled_from(["+", "-", "*", "//"]), st.integers(1, 50)), max_size=6), st.integers(0, 50))
def test_arithmetic_is_that_of_python(rest, first):
    word = str(first) + "".join(f"{sign}{number}" for sign, number in rest)
    parsed = parse_axis(word)
    value = parsed if isinstance(parsed, int) else parsed.value({})
    tree = ast.parse(word, mode="eval").body
    assert value == worked_out(tree)


def worked_out(node):
    """Python's own reading of an expression, by its tree."""
    if isinstance(node, ast.Constant):
        return node.value
    operations = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv}
    return operations[type(node.op)](worked_out(node.left), worked_out(node.right))


@given(st.text("ab1+-*/()", max_size=120))
def test_any_word_is_an_axis_or_misread(word):
    try:
        parse_axis(word)
    except Misread as error:
        where = error.at
    else:
        where = 0
    assert 0 <= where <= len(word)


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
