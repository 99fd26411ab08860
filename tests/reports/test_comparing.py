"""What became of each row from one report to the next: what got better, what got worse, and what is neither."""

from __future__ import annotations

import pytest

from pytest_modelcheck import ModelCheckError
from pytest_modelcheck.reports.changes import lines, markdown
from pytest_modelcheck.reports.comparing import compare
from pytest_modelcheck.reports.run import OUTCOMES, Run

NAMES = ("old.json", "new.json")


def number(value, low=None, high=None, name="accuracy", better="higher", confidence=0.95):
    return {"name": name, "value": value, "low": low, "high": high, "confidence": confidence, "better": better}


OLD, LOWER, NEAR, HIGHER = (
    number(0.9888, 0.9869, 0.9905),
    number(0.9701, 0.9671, 0.9729),
    number(0.9880, 0.9861, 0.9898),
    number(0.9990, 0.9983, 0.9995),
)


def row(outcome="passed", told=None, **more):
    return {
        "gate": "tests/test_digits.py::test_digits",
        "check": "accuracy",
        "part": "",
        "subject": "Net",
        "outcome": outcome,
        "promised": "at least 0.96",
        "measured": "",
        "message": "",
        "margin": None,
        "number": told,
        "evidence": {},
        "device": "cpu",
        "seconds": 0.0,
        "changes": [],
        **more,
    }


def of_test(outcome, **more):
    return row(outcome, check="test", device="", promised="the test passes", **more)


OTHER = row(gate="tests/test_other.py::test_other")


def run(*rows, **more):
    return Run(rows, more.pop("seed", 0), more.pop("devices", "cpu"), **more)


def compared(old, new, **more):
    return compare(run(*old, OTHER), run(*new, OTHER), names=NAMES, **more)


def told(old, new):
    """The line of the one row that changed, or did not."""
    comparison = compared(old, new)
    listed = lines(comparison, comparison.regressions(), width=200, everything=True)[1:-1]
    [line] = [item.text for item in listed if "test_digits" in item.text]
    return " ".join(line.split()).replace("tests/test_digits.py::test_digits", "it")


NUMBERS = {
    "worse": (OLD, LOWER, "worse it accuracy 0.9888 -> 0.9701 -0.0187 (95 %: -0.0221 to -0.0153)"),
    "better": (OLD, HIGHER, "better it accuracy 0.9888 -> 0.9990 +0.0102 (95 %: +0.0084 to +0.0122)"),
    "within noise": (OLD, NEAR, "same it accuracy 0.98880 -> 0.98800 -0.00080 (95 %: -0.00335 to +0.00182)"),
    "the same": (OLD, OLD, "same it accuracy 0.9888"),
    "exact and higher": (number(0.5), number(0.50001), "better it accuracy 0.500000 -> 0.500010 +0.000010"),
    "exact and lower": (number(0.5), number(0.4), "worse it accuracy 0.5000 -> 0.4000 -0.1000"),
    "lower is better": (
        number(300_000_000, name="flops", better="lower"),
        number(300_001_000, name="flops", better="lower"),
        "worse it accuracy 300,000,000 -> 300,001,000 +1,000",
    ),
    "neither is better": (
        number(53_994, name="parameters", better=""),
        number(54_100, name="parameters", better=""),
        "changed it accuracy 53,994 -> 54,100 +106",
    ),
    "a direction from one of them": (
        number(53_994, name="parameters", better=""),
        number(54_100, name="parameters", better="lower"),
        "worse it accuracy 53,994 -> 54,100 +106",
    ),
    "tiny": (number(1e-9), number(2e-9), "better it accuracy 1e-09 -> 2e-09 +1e-09"),
    "the lower confidence": (
        {**OLD, "confidence": 0.99},
        LOWER,
        "worse it accuracy 0.9888 -> 0.9701 -0.0187 (95 %: -0.0221 to -0.0153)",
    ),
    "another name": (
        OLD,
        number(0.99, name="macro_accuracy"),
        "not comparable it accuracy 0.9888 -> 0.9900 another number: accuracy -> macro_accuracy",
    ),
    "another direction": (
        number(0.5, name="loss"),
        number(0.6, name="loss", better="lower"),
        "not comparable it accuracy 0.5000 -> 0.6000 another direction: higher was better, and now lower is",
    ),
    "no number now": (OLD, None, "not comparable it accuracy passed 0.9888 -> passed no number now"),
    "no number before": (None, OLD, "same it accuracy passed -> passed 0.9888"),
    "no number": (None, None, "same it accuracy passed"),
    "too far apart": (
        number(-1e308),
        number(1e308),
        "not comparable it accuracy -1e+308 -> 1e+308 numbers too far apart",
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_are_compared_beyond_noise(old, new, expected):
    assert told([row(told=old)], [row(told=new)]) == expected


WORSE = {
    "passed": ("xpassed", "waived", "xfailed", "skipped", "failed", "error"),
    "xpassed": ("waived", "xfailed", "skipped", "failed", "error"),
    "waived": ("failed", "error"),
    "xfailed": ("failed", "error"),
    "skipped": ("failed", "error"),
    "failed": ("error",),
    "error": (),
}


@pytest.mark.parametrize("new", OUTCOMES)
@pytest.mark.parametrize("old", OUTCOMES)
def test_outcomes_are_ranked_by_what_they_vouch_for(old, new):
    verdict = "same" if old == new else "worse" if new in WORSE[old] else "better" if old in WORSE[new] else "changed"
    values = old if old == new else f"{old} -> {new}"
    assert told([row(old)], [row(new)]) == f"{verdict} it accuracy {values}"


def test_every_outcome_has_its_rank():
    assert sorted(WORSE) == sorted(OUTCOMES)


BOTH = {
    "failed with a worse number": ("failed", OLD, "failed", LOWER, "worse it accuracy 0.9888 -> 0.9701"),
    "a number that explains the outcome": (
        "passed",
        OLD,
        "failed",
        LOWER,
        "worse it accuracy passed 0.9888 -> failed 0.9701",
    ),
    "a number that is gone with the outcome": (
        "passed",
        OLD,
        "error",
        None,
        "worse it accuracy passed 0.9888 -> error",
    ),
    "a number that came with the outcome": ("error", None, "passed", OLD, "better it accuracy error -> passed 0.9888"),
    "passed with a worse number": ("failed", OLD, "passed", LOWER, "worse it accuracy failed 0.9888 -> passed 0.9701"),
}


@pytest.mark.parametrize(("before", "old", "now", "new", "expected"), BOTH.values(), ids=BOTH)
def test_the_worst_of_outcome_and_number_counts(before, old, now, new, expected):
    assert told([row(before, old)], [row(now, new)]).startswith(expected)


def test_a_promise_that_changed_is_told():
    line = "changed it accuracy 0.9888 promised: at least 0.96 -> at least 0.9"
    assert told([row(told=OLD)], [row(told=OLD, promised="at least 0.9")]) == line


def test_what_passes_because_less_is_promised_is_not_better():
    line = "changed it accuracy failed 0.9701 -> passed 0.9701 promised: at least 0.98 -> at least 0.9"
    old, new = row("failed", LOWER, promised="at least 0.98"), row(told=LOWER, promised="at least 0.9")
    assert told([old], [new]) == line


def test_a_better_number_is_better_whatever_is_promised():
    assert told([row(told=OLD)], [row(told=HIGHER, promised="at least 0.98")]).startswith("better it accuracy 0.9888")


DATA = [
    ({"data": "a" * 64}, {"data": "b" * 64}, "not comparable"),
    ({"data": "a" * 64}, {"data": "a" * 64}, "worse"),
    ({"data": ""}, {"data": "b" * 64}, "worse"),
    ({}, {"data": "b" * 64}, "worse"),
    ({"data": ["a"]}, {"data": ["b"]}, "worse"),
    ([], None, "worse"),
]


@pytest.mark.parametrize(("old", "new", "verdict"), DATA)
def test_numbers_of_other_data_are_not_compared(old, new, verdict):
    found = told([row(told=OLD, evidence=old)], [row(told=LOWER, evidence=new)])
    assert found.startswith(f"{verdict} it accuracy 0.9888 -> 0.9701")
    assert found.endswith("other data: aaaaaaaa -> bbbbbbbb") is (verdict == "not comparable")


def test_an_outcome_that_is_worse_is_so_on_any_data():
    old, new = row(told=OLD, evidence={"data": "a"}), row("failed", LOWER, evidence={"data": "b"})
    assert told([old], [new]) == "worse it accuracy passed 0.9888 -> failed 0.9701 other data: a -> b"


GATES = {
    "new": ([], [row(told=OLD)], ["new it accuracy passed 0.9888"]),
    "new and failed": ([], [row("failed", LOWER)], ["worse it accuracy failed 0.9701"]),
    "new and not measured": ([], [of_test("error")], ["worse it error"]),
    "gone": ([row(told=OLD)], [], ["gone it accuracy passed 0.9888"]),
    "gone, and never passed": ([row("failed")], [], ["gone it accuracy failed"]),
    "another device": ([row()], [row(device="cuda:0")], ["gone it accuracy passed", "new it accuracy passed"]),
    "another part": (
        [row(part="a")],
        [row(part="b")],
        ["gone it accuracy: a passed", "new it accuracy: b passed"],
    ),
    "the test was skipped before its check": (
        [row(told=OLD)],
        [of_test("skipped")],
        ["worse it accuracy passed -> skipped"],
    ),
    "the test broke before its checks": (
        [row(part="a"), row(part="b")],
        [of_test("error")],
        ["worse it accuracy: a passed -> error", "worse it accuracy: b passed -> error"],
    ),
    "the test does not break any more": (
        [of_test("error")],
        [row(told=OLD), row("failed", check="size")],
        ["better it size error -> failed", "better it accuracy error -> passed"],
    ),
    "the test is skipped no more": ([of_test("skipped")], [row("failed")], ["worse it accuracy skipped -> failed"]),
    "the test breaks beside its check": (
        [row(told=OLD)],
        [row(told=OLD), of_test("failed")],
        ["worse it passed -> failed", "same it accuracy 0.9888"],
    ),
    "the test broke twice": (
        [of_test("failed"), of_test("error")],
        [of_test("passed")],
        ["better it error -> passed", "better it failed -> passed"],
    ),
    "its own asserts became a check": ([of_test("passed")], [row()], ["new it accuracy passed", "same it passed"]),
}


@pytest.mark.parametrize(("old", "new", "expected"), GATES.values(), ids=GATES)
def test_rows_that_have_no_partner(old, new, expected):
    comparison = compared(old, new)
    listed = [line.text for line in lines(comparison, [], width=200, everything=True) if "test_digits" in line.text]
    assert [" ".join(line.split()).replace("tests/test_digits.py::test_digits", "it") for line in listed] == expected


def test_calls_of_one_check_are_matched_by_promise_and_subject():
    old = [row(told=OLD), row(told=LOWER, promised="at least 0.9"), row(told=number(0.5), subject="Small")]
    new = [row(told=number(0.5), subject="Small"), row(told=LOWER, promised="at least 0.9"), row(told=OLD)]
    assert compared(old, new).summary() == "4 the same within noise"


def test_calls_that_are_alike_are_matched_worst_with_worst():
    old = [row(told=OLD, margin=0.02), row("failed", LOWER, margin=-0.01)]
    assert compared(old, old[::-1]).summary() == "3 the same within noise"


def test_two_calls_that_exchange_their_numbers_are_one_worse_and_one_better():
    old = [row(told=OLD, call=1), row(told=LOWER, call=2)]
    new = [row(told=LOWER, call=1), row(told=OLD, call=2)]
    assert compared(old, new).summary() == "1 worse, 1 better, 1 the same within noise"


def test_calls_on_other_data_are_not_taken_for_each_other():
    one, two = ({"data": name * 64} for name in "ab")
    old = [row(told=OLD, evidence=one, call=1), row(told=LOWER, evidence=two, call=2)]
    new = [row(told=LOWER, evidence=one, call=1), row(told=LOWER, evidence=two, call=2)]
    assert compared(old, new).summary() == "1 worse, 2 the same within noise"


def test_one_call_more_is_new_and_one_less_is_gone():
    assert compared([row()], [row(), row()]).summary() == "1 new, 2 the same within noise"
    assert compared([row(), row()], [row()]).summary() == "1 gone, 2 the same within noise"


MANY = (
    [row(told=OLD), row(told=OLD, gate="t.py::gone"), row(told=OLD, gate="t.py::data", evidence={"data": "a"})],
    [row(told=LOWER), row(told=OLD, gate="t.py::data", evidence={"data": "b"}), row(gate="t.py::new")],
)

ALLOWED = [
    ({}, ["1 worse", "1 gone", "1 not comparable"]),
    ({"allow_missing": True}, ["1 worse", "1 not comparable"]),
    ({"allow_other_data": True}, ["1 worse", "1 gone"]),
    ({"allow_missing": True, "allow_other_data": True}, ["1 worse"]),
]


@pytest.mark.parametrize(("allowed", "expected"), ALLOWED)
def test_what_must_not_pass(allowed, expected):
    assert compared(*MANY).regressions(**allowed) == expected


def test_better_new_changed_and_same_are_no_regression():
    old = [row("failed"), row(gate="a"), row(gate="b", told=number(1, better=""))]
    new = [row(), row(gate="a"), row(gate="b", told=number(2, better="")), row(gate="c")]
    assert compared(old, new).summary() == "1 changed, 1 better, 1 new, 2 the same within noise"
    assert compared(old, new).regressions() == []


def test_an_incomplete_new_run_is_a_regression():
    comparison = compare(run(row()), run(row(), complete=False), names=NAMES)
    problem = "new.json is incomplete: the run was cut short, and gates may be missing"
    assert comparison.regressions(allow_missing=True, allow_other_data=True) == ["1 problem of the run"]
    assert problem in [line.text for line in lines(comparison, [])]


def test_an_incomplete_old_run_is_a_note():
    comparison = compare(run(row(), complete=False), run(row()), names=NAMES)
    assert comparison.regressions() == []
    note = "note: old.json is incomplete: what its run did not reach is new here"
    assert note in [line.text for line in lines(comparison, [])]


def test_a_problem_that_the_new_run_has_is_a_regression():
    old, new = run(row(), problems=["no gate ran"]), run(row(), problems=["no gate ran", "the waiver of a is expired"])
    comparison = compare(old, new, names=NAMES)
    assert comparison.problems == ["new.json: the waiver of a is expired"]
    assert comparison.regressions() == ["1 problem of the run"]


def test_what_else_is_different_is_noted():
    old = run(row(), environment={"torch": "2.4.0", "python": "3.11.2", "numpy": "1.26"})
    new = run(row(), seed=7, devices="auto", environment={"torch": "2.5.1", "python": "3.11.2", "tqdm": "4"})
    assert compare(old, new).notes == [
        "seed 0 -> 7",
        "device cpu -> auto",
        "numpy 1.26 -> not told",
        "torch 2.4.0 -> 2.5.1",
        "tqdm not told -> 4",
    ]


def test_baselines_that_the_new_run_recorded_are_noted():
    recorded = {"file": "a", "key": "b", "change": "changed", "lines": []}
    [note] = compare(run(row()), run(row(), baselines=[recorded]), names=NAMES).notes
    assert note == "new.json recorded 1 baseline, which its gates are held to"


@pytest.mark.parametrize(
    ("old", "new", "numbers"),
    [([row()], [row(gate="b")], "1 and 1"), ([], [], "0 and 0"), ([row()], [], "1 and 0"), ([], [row()], "0 and 1")],
)
def test_runs_without_a_row_in_common_cannot_be_compared(old, new, numbers):
    with pytest.raises(ModelCheckError) as caught:
        compare(run(*old), run(*new), names=NAMES)
    assert str(caught.value) == (
        f"old.json and new.json have no gate in common ({numbers} rows), and nothing can be compared: they are of "
        "other tests or of other devices"
    )


def test_the_order_of_rows_is_no_matter():
    old, new = MANY
    assert compared(old[::-1], new[::-1]).changes == compared(old, new).changes


TABLES = {
    160: """\
1 worse, 1 gone, 1 not comparable, 1 new, 1 the same within noise
worse           tests/test_digits.py::test_digits  accuracy  0.9888 -> 0.9701  -0.0187 (95 %: -0.0221 to -0.0153)
gone            t.py::gone                         accuracy  passed 0.9888
not comparable  t.py::data                         accuracy  0.9888            other data: a -> b
new             t.py::new                          accuracy  passed
regression: 1 worse, 1 gone, 1 not comparable
""",
    64: """\
1 worse, 1 gone, 1 not comparable, 1 new, 1 the same within noise
worse           test_digits  accuracy  0.9888 -> 0.9701  -0.0187
gone            gone         accuracy  passed 0.9888
not comparable  data         accuracy  0.9888            other ..
new             new          accuracy  passed
regression: 1 worse, 1 gone, 1 not comparable
""",
}


@pytest.mark.parametrize(("width", "expected"), TABLES.items())
def test_it_is_this_at_each_width(width, expected):
    comparison = compared(*MANY)
    assert "".join(f"{line.text}\n" for line in lines(comparison, comparison.regressions(), width=width)) == expected


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_no_line_of_the_table_is_wider_than_the_terminal(width):
    long = "x" * 300
    old, new = row(told=OLD, gate=long, check=long), row(told=LOWER, gate=long, check=long, promised=long)
    assert max(len(line.text) for line in lines(compared([old], [new]), [], width=width)) <= width


MARKDOWN = """\
## modelcheck: 1 worse, 1 gone, 1 not comparable, 1 new, 1 the same within noise

| verdict | gate | check | device | before and now | difference |
|---|---|---|---|---|---|
| worse | `tests/test_digits.py::test_digits` | accuracy | cpu | `0.9888 -> 0.9701` | \
-0.0187 (95 %: -0.0221 to -0.0153) |
| gone | `t.py::gone` | accuracy | cpu | passed 0.9888 |  |
| not comparable | `t.py::data` | accuracy | cpu | 0.9888 | `other data: a -> b` |
| new | `t.py::new` | accuracy | cpu | passed |  |

- `new.json is incomplete: the run was cut short, and gates may be missing`
- `seed 0 -> 7`

**regression**: 1 worse, 1 gone, 1 not comparable, 1 problem of the run
"""


def test_markdown_is_this_to_the_letter():
    old, new = MANY
    comparison = compare(run(*old, OTHER), run(*new, OTHER, complete=False, seed=7), names=NAMES)
    assert markdown(comparison, comparison.regressions()) == MARKDOWN


def test_markdown_of_nothing_that_changed():
    comparison = compared([row()], [row()])
    assert markdown(comparison, []) == "## modelcheck: 2 the same within noise\n\n**no regression**\n"


def test_markdown_fits_a_job_summary():
    notes = {"x" * 300 + str(index): "y" for index in range(5_000)}
    new = run(OTHER, *(row(gate="t.py::" + "x" * 290 + str(index)) for index in range(5_000)), environment=notes)
    comparison = compare(run(OTHER), new)
    text = markdown(comparison, [])
    assert 900_000 < len(text.encode()) < 2**20
    shown = text.count("| new |") + text.count("\n- `xxx")
    assert f"\n- and {10_000 - shown:,} more, for which there is no room\n" in text


def test_everything_is_listed_where_it_is_asked_for():
    comparison = compared([row()], [row()])
    assert len(lines(comparison, [])) == 2
    assert len(lines(comparison, [], everything=True)) == 4
    assert markdown(comparison, [], everything=True).count("| same |") == 2


def test_each_verdict_has_its_colour():
    comparison = compared(*MANY)
    styles = {line.text.split()[0]: line.styles for line in lines(comparison, [], width=200)[1:]}
    assert styles["worse"] == styles["gone"] == ("red", "bold")
    assert styles["not"] == ("red",)
    assert lines(comparison, [])[-1].styles == ("green", "bold")
    assert lines(comparison, ["1 worse"])[-1].styles == ("red", "bold")
