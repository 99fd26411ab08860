"""The table at the end of a run, to the letter."""

# ruff: noqa: E501  (a wide table has wide lines)

from __future__ import annotations

import sys

import pytest

from pytest_modelcheck.reports.run import Run
from pytest_modelcheck.reports.terminal import Line, render


def _row(gate, outcome, promised, measured, *, check="accuracy", margin=None, device="cpu", seconds=1.0):
    return {
        "gate": gate,
        "check": check,
        "part": "",
        "subject": "Model",
        "outcome": outcome,
        "promised": promised,
        "measured": measured,
        "margin": margin,
        "message": "",
        "evidence": {},
        "device": device,
        "seconds": seconds,
        "changes": [],
    }


ROWS = (
    _row("t.py::test_fine", "passed", "at least 0.98 (9,800 of 10,000)", "0.9888 (9,888 of 10,000)", margin=0.0088),
    _row("t.py::test_size", "passed", "total 53,994", "total 53,994", check="parameters", seconds=0.012),
    _row("t.py::test_own", "passed", "the test passes", "it passes", check="test", device=""),
    _row("t.py::TestIt::test_close", "passed", "at least 0.98", "0.9801", margin=0.0001, seconds=12.345),
    _row("t.py::test_skipped", "skipped", "the test passes", "skipped: no GPU", check="test", device=""),
    _row("t.py::test_expected", "xfailed", "at least 0.99", "0.5", margin=-0.49),
    _row("t.py::test_surprise", "xpassed", "at least 0.1", "0.5", margin=0.4),
    _row("t.py::test_low", "failed", "at least 0.98 (9,800 of 10,000)", "0.9700 (9,700 of 10,000)", margin=-0.01),
    _row("t.py::test_lower", "failed", "at least 0.98 (9,800 of 10,000)", "0.1000 (1,000 of 10,000)", margin=-0.88),
    _row("t.py::test_broken[a-very-long-parameter-name]", "error", "min=0.98", "not measured"),
)

SUMMARY = """\
10 promises: 1 error, 2 failed, 1 xpassed, 1 xfailed, 1 skipped, 4 passed; device cpu,auto, seed 7
run the failed gates again: pytest --modelcheck --modelcheck-seed=7 --modelcheck-device=cpu,auto --lf
"""


def _text(lines):
    return "".join(f"{line.text}\n" for line in lines)


def _run(rows=ROWS, **options):
    return Run(rows, 7, "cpu,auto", **options)


WIDTHS = {
    60: """\
verdict  gate          promised      measured       margin
ERROR    test_..name]  min=0.98      not measured
FAILED   test_lower    at least 0..  0.1000 (1,0..  -88.00 %
FAILED   test_low      at least 0..  0.9700 (9,7..  -1.00 %
xpassed  test_..prise  at least 0.1  0.5            +40.00 %
xfailed  test_..ected  at least 0..  0.5            -49.00 %
skipped  test_skipped  the test p..  skipped: no..
ok       TestI..close  at least 0..  0.9801         +0.01 %
ok       test_fine     at least 0..  0.9888 (9,8..  +0.88 %
ok       test_own      the test p..  it passes
ok       test_size     total 53,994  total 53,994   exact
""",
    80: """\
verdict  gate             check       promised         measured         margin
ERROR    test_b..r-name]  accuracy    min=0.98         not measured
FAILED   test_lower       accuracy    at least 0.98..  0.1000 (1,000..  -88.00 %
FAILED   test_low         accuracy    at least 0.98..  0.9700 (9,700..  -1.00 %
xpassed  test_surprise    accuracy    at least 0.1     0.5              +40.00 %
xfailed  test_expected    accuracy    at least 0.99    0.5              -49.00 %
skipped  test_skipped                 the test passes  skipped: no GPU
ok       TestIt..t_close  accuracy    at least 0.98    0.9801           +0.01 %
ok       test_fine        accuracy    at least 0.98..  0.9888 (9,888..  +0.88 %
ok       test_own                     the test passes  it passes
ok       test_size        parameters  total 53,994     total 53,994     exact
""",
    200: """\
verdict  gate                                     check       promised                         measured                  margin    device  s
ERROR    test_broken[a-very-long-parameter-name]  accuracy    min=0.98                         not measured                        cpu     1.00
FAILED   test_lower                               accuracy    at least 0.98 (9,800 of 10,000)  0.1000 (1,000 of 10,000)  -88.00 %  cpu     1.00
FAILED   test_low                                 accuracy    at least 0.98 (9,800 of 10,000)  0.9700 (9,700 of 10,000)  -1.00 %   cpu     1.00
xpassed  test_surprise                            accuracy    at least 0.1                     0.5                       +40.00 %  cpu     1.00
xfailed  test_expected                            accuracy    at least 0.99                    0.5                       -49.00 %  cpu     1.00
skipped  test_skipped                                         the test passes                  skipped: no GPU                             1.00
ok       TestIt::test_close                       accuracy    at least 0.98                    0.9801                    +0.01 %   cpu     12.3
ok       test_fine                                accuracy    at least 0.98 (9,800 of 10,000)  0.9888 (9,888 of 10,000)  +0.88 %   cpu     1.00
ok       test_own                                             the test passes                  it passes                                   1.00
ok       test_size                                parameters  total 53,994                     total 53,994              exact     cpu     0.01
""",
}


@pytest.mark.parametrize(("width", "expected"), WIDTHS.items())
def test_it_is_this_at_each_width(width, expected):
    assert _text(render(_run(), width=width)) == expected + SUMMARY


@pytest.mark.parametrize("width", [60, 72, 80, 100, 120, 200])
@pytest.mark.parametrize("margin", [None, 0.0, -1.0, 0.99999, -9.0])
def test_no_line_of_it_is_wider_than_the_terminal(width, margin):
    long = "x" * 300
    row = _row(f"t.py::{long}", "xpassed", long, long, check="parameters", margin=margin, device="cuda:15")
    assert max(len(line.text) for line in render(_run([row]), width=width)[:2]) <= width


def test_the_worst_come_first():
    shown = [line.text.split()[0] for line in render(_run(tuple(reversed(ROWS))), width=200)[1:11]]
    assert shown == ["ERROR", "FAILED", "FAILED", "xpassed", "xfailed", "skipped", "ok", "ok", "ok", "ok"]


def test_the_order_of_the_rows_is_no_matter():
    assert render(_run(tuple(reversed(ROWS))), width=80) == render(_run(), width=80)


def test_quiet_leaves_out_what_passed():
    quiet = _text(render(_run(), width=200, quiet=True))
    assert "test_low " in quiet
    assert "test_skipped" in quiet
    assert "test_fine" not in quiet
    assert quiet.endswith(SUMMARY)


def test_quiet_is_one_line_where_all_is_well():
    rows = [row for row in ROWS if row["outcome"] == "passed"]
    assert _text(render(_run(rows), quiet=True)) == "4 promises: 4 passed; device cpu,auto, seed 7\n"


def test_no_row_is_one_line():
    assert render(_run(())) == [Line("0 promises: none judged; device cpu,auto, seed 7", ("bold",))]


def test_an_incomplete_run_says_so():
    lines = render(_run((), complete=False))
    assert lines[1] == Line("incomplete: the run was cut short, and some gates may be missing", ("red",))


def test_each_verdict_has_its_colour():
    styles = {line.text.split()[0]: line.styles for line in render(_run(), width=200)}
    assert styles["ERROR"] == styles["FAILED"] == ("red", "bold")
    assert styles["ok"] == ("green",)
    assert styles["skipped"] == styles["xfailed"] == styles["xpassed"] == ("yellow",)


GATES = """
import pytest

@pytest.mark.modelcheck_small(at_most=9)
def test_kept(): ...

@pytest.mark.modelcheck_small(at_most=1)
def test_broken(): ...
"""

TABLE = [
    "verdict  gate         check  promised   measured  margin",
    "FAILED   test_broken  small  at most 1  5         -400.00 %",
    "ok       test_kept    small  at most 9  5         +400.00 %",
    "2 promises: 1 failed, 1 passed; device auto, seed 0",
    "run the failed gates again: pytest --modelcheck --lf",
]


@pytest.fixture
def session(small_check):
    small_check.makepyfile(test_it=GATES)
    return small_check


def test_it_ends_a_run(session, processes):
    result = session.runpytest_inprocess("--modelcheck", processes)
    result.stdout.fnmatch_lines(["*= modelcheck =*", *TABLE], consecutive=True)


def test_a_quiet_run_shows_what_is_not_well(session):
    result = session.runpytest_inprocess("--modelcheck", "-q")
    result.stdout.fnmatch_lines([*TABLE[:2], *TABLE[3:]], consecutive=True)


def test_it_fits_the_terminal(session, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    result = session.runpytest_inprocess("--modelcheck")
    result.stdout.fnmatch_lines(["verdict  gate         promised   measured  margin"])


def test_it_has_colours(session, monkeypatch):
    monkeypatch.delenv("PY_COLORS")
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = session.runpytest_inprocess("--modelcheck").stdout.str()
    assert f"\x1b[31m\x1b[1m{TABLE[1]}\x1b[0m" in text
    assert f"\x1b[32m{TABLE[2]}\x1b[0m" in text


def test_no_color_is_honoured(session, monkeypatch):
    monkeypatch.delenv("PY_COLORS")
    monkeypatch.setenv("NO_COLOR", "1")
    result = session.runpytest_inprocess("--modelcheck")
    result.stdout.fnmatch_lines(TABLE, consecutive=True)
    assert "\x1b" not in result.stdout.str()


def test_a_terminal_without_unicode_shows_it_escaped(session, monkeypatch):
    session.makepyfile(
        test_it="""
        import pytest
        from pytest_modelcheck import ModelCheckFailure

        @pytest.mark.modelcheck
        def test_it():
            raise ModelCheckFailure("caf\u00e9 \U0001f44d \u05e9")
        """
    )
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("COLUMNS", "200")
    result = session.run(sys.executable, "-m", "pytest", "--modelcheck")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED   test_it*caf\\xe9*", "1 promise: 1 failed; device auto, seed 0"])


PAST = {**ROWS[0], "number": {"name": "accuracy", "value": 0.9888}, "history": [0.97, 0.98, 0.9888]}


@pytest.mark.parametrize(("blocks", "drawn"), [(True, "▁▅██"), (False, "1588")])
def test_a_number_with_a_past_is_drawn(blocks, drawn):
    heading, row = render(_run([PAST]), width=140, blocks=blocks)[:2]
    place = heading.text.index("history")
    assert row.text[place : place + 4] == drawn


def test_without_a_past_there_is_no_column_for_it():
    for past in ([], [0.98]):
        assert "history" not in render(_run([{**PAST, "history": past}]), width=140)[0].text
    assert "history" not in render(_run([PAST]), width=80)[0].text


def test_what_a_waiver_lets_through_and_what_fails_the_run_stand_under_the_table():
    waiver = {"reason": "labels", "owner": "vision", "expires": "2030-01-31"}
    rows = [{**ROWS[7], "outcome": "waived", "waiver": waiver}]
    lines = render(_run(rows, problems=["the waiver of x is not needed"]), width=80)
    assert lines[1].text.startswith("waived   test_low ")
    assert Line("waived: test_low accuracy until 2030-01-31 (vision): labels", ("yellow",)) in lines
    assert Line("the waiver of x is not needed", ("red",)) in lines


def test_changed_baselines_are_told_as_a_short_difference():
    changes = [
        {"file": "f", "key": "test_a ids", "change": "added", "lines": []},
        {"file": "f", "key": "test_b ids", "change": "changed", "lines": ["ids[0]: 1 -> 2"]},
        {"file": "f", "key": "test_c ids", "change": "removed", "lines": []},
    ]
    told = [line.text for line in render(_run([], baselines=changes))][1:]
    assert told == [
        "baselines recorded: 2, removed: 1; review them: git diff '*__modelcheck__/*'",
        "  + test_a ids",
        "  ~ test_b ids",
        "      ids[0]: 1 -> 2",
        "  - test_c ids",
    ]
    many = [{**changes[0], "key": f"test_{number} ids"} for number in range(13)]
    assert render(_run([], baselines=many))[-1].text == "  ... and 3 more"


def test_wide_characters_keep_the_columns_straight():
    rows = [
        _row("t.py::test_数字", "passed", "精度 0.98", "0.99"),
        _row("t.py::test_digits", "passed", "at least 0.98", "0.99"),
    ]
    lines = [line.text for line in render(_run(rows), width=80)[1:3]]
    starts = [line.index("0.99") + sum(ord(letter) > 0x2E80 for letter in line) for line in lines]
    assert starts[0] == starts[1]
