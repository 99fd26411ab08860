"""What became of a table: every kind of change in its own words, and none of them overlooked."""

from __future__ import annotations

import copy
import json
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.checks.summary import _problem
from pytest_modelcheck.models.summary import MEASURED
from pytest_modelcheck.models.summary_changes import changes


def row(kind="Linear", parameters=15, mode="train", in_sizes=(2, 4), out_sizes=(2, 3), flops=48):
    return {
        "type": kind,
        "parameters": parameters,
        "mode": mode,
        "in_sizes": list(in_sizes) if in_sizes is not None else None,
        "out_sizes": list(out_sizes) if out_sizes is not None else None,
        "flops": flops,
    }


def relu(**others):
    return row(**{"kind": "ReLU", "parameters": 0, "in_sizes": (2, 3), "flops": 0, **others})


BEFORE = {"a": row(), "b": relu(), "c": row(parameters=1_000_000), "d": row("Conv2d", 320)}

CHANGED = {
    "nothing": (BEFORE, ""),
    "removed": ({name: BEFORE[name] for name in "abd"}, "- c: Linear, 1,000,000 parameters, [2, 4] to [2, 3]"),
    "removed all": (
        {},
        """
        - a: Linear, 15 parameters, [2, 4] to [2, 3]
        - b: ReLU, 0 parameters, [2, 3] to [2, 3]
        - c: Linear, 1,000,000 parameters, [2, 4] to [2, 3]
        - d: Conv2d, 320 parameters, [2, 4] to [2, 3]
        """,
    ),
    "added": ({**BEFORE, "e": row("GELU", 0)}, "+ e: GELU, 0 parameters, [2, 4] to [2, 3]"),
    "added in between": (
        {"a": row(), "new": row("GELU", 0), **BEFORE},
        "+ new: GELU, 0 parameters, [2, 4] to [2, 3]",
    ),
    "added without sizes": ({**BEFORE, "e": row("GELU", 0, out_sizes=None)}, "+ e: GELU, 0 parameters"),
    "added with sizes of names": (
        {**BEFORE, "e": {**row("Head", 7), "out_sizes": {"logits": ["N", 5]}}},
        "+ e: Head, 7 parameters, [2, 4] to {'logits': ['N', 5]}",
    ),
    "replaced": (
        {**{name: BEFORE[name] for name in "abd"}, "e": row("GELU", 0)},
        """
        - c: Linear, 1,000,000 parameters, [2, 4] to [2, 3]
        + e: GELU, 0 parameters, [2, 4] to [2, 3]
        """,
    ),
    "renamed": ({"a": row(), "act": relu(), "c": BEFORE["c"], "d": BEFORE["d"]}, "> b is now act (ReLU)"),
    "renamed and moved": (
        {"a": row(), "c": BEFORE["c"], "d": BEFORE["d"], "act": relu()},
        """
        > b is now act (ReLU)
        ^ act is now after d
        """,
    ),
    "moved first": ({name: BEFORE[name] for name in "dabc"}, "^ d is now first"),
    "moved after": ({name: BEFORE[name] for name in "bcad"}, "^ a is now after c"),
    "two moved": (
        {name: BEFORE[name] for name in "cdab"},
        """
        ^ c is now first
        ^ d is now after c
        """,
    ),
    "more parameters": ({**BEFORE, "a": row(parameters=1020)}, "~ a: parameters 15 -> 1,020 (1,005 more)"),
    "fewer parameters": (
        {**BEFORE, "c": row(parameters=1)},
        "~ c: parameters 1,000,000 -> 1 (999,999 fewer)",
    ),
    "another type": ({**BEFORE, "b": relu(kind="GELU")}, "~ b: type ReLU -> GELU"),
    "another mode": ({**BEFORE, "b": relu(mode="eval")}, "~ b: mode train -> eval"),
    "other sizes": ({**BEFORE, "b": relu(out_sizes=(2, 1, 3))}, "~ b: out_sizes [2, 3] -> [2, 1, 3]"),
    "other operations": ({**BEFORE, "a": row(flops=40)}, "~ a: flops 48 -> 40 (8 fewer)"),
    "no longer measured": (
        {**BEFORE, "a": row(in_sizes=None, out_sizes=None, flops=None)},
        "~ a: in_sizes [2, 4] -> not measured; out_sizes [2, 3] -> not measured; flops 48 -> not measured",
    ),
    "several at once": (
        {"e": row("GELU", 0), "d": BEFORE["d"], "a": row(parameters=20, flops=64), "act": relu()},
        """
        - c: Linear, 1,000,000 parameters, [2, 4] to [2, 3]
        + e: GELU, 0 parameters, [2, 4] to [2, 3]
        > b is now act (ReLU)
        ^ d is now first
        ~ a: parameters 15 -> 20 (5 more); flops 48 -> 64 (16 more)
        """,
    ),
}


@pytest.mark.parametrize(("after", "lines"), CHANGED.values(), ids=CHANGED)
def test_each_change_in_its_own_words(after, lines):
    assert changes(BEFORE, after) == dedent(lines).strip("\n").split("\n") * bool(lines)


def tree(prefix, *parts):
    return {prefix: row("Block", 35), **{f"{prefix}.{part}": row(parameters=number) for part, number in parts}}


BLOCK = [("q", 10), ("k", 11), ("v", 14)]


def test_a_subtree_that_is_renamed_is_one_line():
    before = {"net": row("Net", 70), **tree("net.block", *BLOCK), "head": row()}
    after = {"net": row("Net", 70), **tree("net.layers.0", *BLOCK), "head": row()}
    assert changes(before, after) == ["> net.block and the layers inside are now net.layers.0 (4 layers)"]


def test_a_subtree_whose_prefix_is_gone_is_one_line():
    before = {"encoder": row("Encoder", 35), **tree("encoder.a", *BLOCK)}
    after = {"model": row("Encoder", 35), **tree("model.a", *BLOCK)}
    assert changes(before, after) == ["> encoder and the layers inside are now model (5 layers)"]


def test_two_subtrees_are_two_lines():
    before = {**tree("a", *BLOCK), **tree("b", ("q", 35))}
    after = {**tree("c", *BLOCK), **tree("d", ("q", 35))}
    assert changes(before, after) == [
        "> a and the layers inside are now c (4 layers)",
        "> b and the layers inside are now d (2 layers)",
    ]


def test_a_layer_that_is_still_there_is_not_called_renamed():
    before = {"a": row("Block", 35), "a.q": row(parameters=10), "a.k": row(parameters=11)}
    after = {"a": row("Block", 35), "b.q": row(parameters=10), "b.k": row(parameters=11)}
    lines = changes(before, after)
    assert lines
    assert not any(line.startswith("> a and the layers inside are now b") for line in lines)


def test_layers_alike_keep_the_last_part_of_their_names():
    before = {"a.q": row(), "a.k": row(), "a.v": row()}
    after = {"b.v": row(), "b.q": row(), "b.k": row()}
    assert changes(before, after) == [*(f"> a.{name} is now b.{name} (Linear)" for name in "qkv"), "^ b.v is now first"]


def test_a_layer_that_is_renamed_and_set_to_another_mode_tells_both():
    after = {**{name: BEFORE[name] for name in "acd"}, "act": relu(mode="eval")}
    lines = "\n".join(changes(BEFORE, after))
    assert "> b is now act (ReLU)" in lines or "- b" in lines
    assert "eval" in lines


def test_tables_of_names_alone_are_compared_too():
    assert changes({"a": {}, "b": {}}, {"b": {}, "c": {}, "d": {}}) == ["+ d", "> a is now c", "^ b is now first"]
    assert changes({"a": {}}, {}) == ["- a"]


NAMES = st.sampled_from(["a", "b", "c", "a.a", "a.b", "b.a", "a.a.b", "net.0", "net.1", "", "é", "a b"])
SIZES = st.recursive(
    st.none() | st.lists(st.integers(0, 3), max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=3,
)
COLUMNS = {
    "type": st.sampled_from(["Linear", "ReLU"]),
    "parameters": st.integers(0, 2),
    "mode": st.sampled_from(["train", "eval", ""]),
    "in_sizes": SIZES,
    "out_sizes": SIZES,
    "flops": st.none() | st.integers(0, 2),
}


@st.composite
def tables(draw, number=2):
    """Tables of the same columns, that differ in little or in everything."""
    chosen = draw(st.sets(st.sampled_from(sorted(COLUMNS))))
    rows = st.fixed_dictionaries({column: COLUMNS[column] for column in COLUMNS if column in chosen})
    first = draw(st.dictionaries(NAMES, rows, max_size=5))
    made = [first]
    for _ in range(number - 1):
        if draw(st.booleans()):
            made.append(draw(st.dictionaries(NAMES, rows, max_size=5)))
            continue
        items = draw(st.permutations(list(first.items())))
        kept = items[draw(st.integers(0, 1)) :]
        made.append({draw(NAMES) if draw(st.integers(0, 4)) == 0 else name: item for name, item in kept})
    return made


def same(before, after):
    return list(before.items()) == list(after.items())


@settings(max_examples=300, deadline=None)
@given(tables())
def test_tables_that_differ_never_have_no_changes(made):
    before, after = made
    assert bool(changes(before, after)) is not same(before, after)


@settings(max_examples=150, deadline=None)
@given(tables(1))
def test_a_table_has_no_changes_from_itself(made):
    assert changes(made[0], copy.deepcopy(made[0])) == []


def content(rows, **others):
    columns = [column for column in COLUMNS if all(column in item for item in rows.values())]
    return {
        "batch": 2 if {*MEASURED} & {*columns} else None,
        "columns": ["name", *columns],
        "dtypes": ["float32"],
        "frozen": [],
        "max_depth": -1,
        "model": {column: None for column in columns if column in MEASURED},
        "rows": [[name, *(item[column] for column in columns)] for name, item in rows.items()],
        "total": 10,
        "trainable": 5,
        **others,
    }


def judged(recorded, today):
    """What a gate would say: nothing, a message, or that it could not be measured."""
    try:
        return _problem(recorded, today)
    except ModelCheckError as error:
        return f"error: {error}"


@settings(max_examples=300, deadline=None)
@given(tables(), st.integers(0, 4))
def test_a_baseline_that_differs_never_passes(made, total):
    recorded, today = content(made[0], total=10 * (total > 0)), content(made[1])
    assert bool(judged(recorded, today)) is (recorded != today)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 60) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
TODAY = content(BEFORE)


def places(value, path=()):
    """Every place in a baseline at which something else could stand."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


PLACES = [path for path in places(TODAY) if path]


def broken_at(path, value, *, without=False):
    recorded = copy.deepcopy(TODAY)
    holder = recorded
    for key in path[:-1]:
        holder = holder[key]
    if without:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return recorded


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_a_baseline_that_anything_was_written_into_never_passes(path, value):
    recorded = broken_at(path, value)
    try:
        told = _problem(recorded, TODAY)
    except Exception as error:  # a gate makes an error of whatever is raised
        told = str(error)
    # As text, in which False is not 0.
    assert bool(told) is (json.dumps(recorded, sort_keys=True) != json.dumps(TODAY, sort_keys=True))


@pytest.mark.parametrize("value", [False, 0.0], ids=str)
def test_what_only_python_takes_for_the_same_number_never_passes(value):
    recorded = content(BEFORE)
    assert recorded["rows"][1][2] == 0
    recorded["rows"][1][2] = value
    assert judged(recorded, TODAY)


@pytest.mark.parametrize("path", PLACES, ids=str)
def test_a_baseline_that_lacks_anything_never_passes(path):
    assert judged(broken_at(path, None, without=True), TODAY)


REMEDY = "pytest --modelcheck --modelcheck-update=all records it anew"
GONE = {"x": row("Gone", 3), **BEFORE}


@pytest.mark.parametrize("value", ["many", None, True, [1], {"a": 1}, 1.5], ids=str)
@pytest.mark.parametrize("cell", [0, 1, 2, 5], ids=["name", "type", "parameters", "out_sizes"])
@pytest.mark.parametrize("rows", [BEFORE, GONE], ids=["kept", "gone"])
def test_a_cell_of_another_kind_breaks_the_promise_and_not_the_check(rows, cell, value):
    recorded = content(rows)
    recorded["rows"][0][cell] = value
    assert judged(recorded, TODAY)


@pytest.mark.parametrize(
    "rows",
    [None, 5, "text", [None], [5], [[]], [["a"]], [[*"abcdefgh"]], [[["a"], 1, 2, 3, 4, 5, 6]], [{}], {"a": 1}],
    ids=str,
)
def test_a_baseline_that_is_no_table_is_an_error_with_a_remedy(rows):
    told = judged({**content(BEFORE), "rows": rows}, TODAY)
    assert told.startswith("error: the baseline is no table of layers (")
    assert told.endswith(REMEDY)


def test_rows_that_stand_twice_never_pass():
    recorded = content(BEFORE)
    recorded["rows"].append(recorded["rows"][0])
    assert judged(recorded, TODAY)
    recorded = content(BEFORE)
    recorded["rows"].insert(0, ["a", *row(parameters=7).values()])
    assert judged(recorded, TODAY)


@pytest.mark.parametrize("name", ["total", "trainable"])
def test_totals_that_differ_alone_never_pass(name):
    told = judged(content(BEFORE, **{name: 11}), TODAY)
    other = "trainable 5" if name == "total" else "total 10"
    change = f"{name} 11 -> {TODAY[name]} ({11 - TODAY[name]} fewer)"
    assert told.startswith("0 changes since the table was reviewed; ")
    assert change in told
    assert other in told
