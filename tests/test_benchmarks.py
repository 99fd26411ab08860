"""The side-by-side benchmarks: what they count, what stops them, and that their page tells what was measured."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from tests.benchmarks import counting, results
from tests.benchmarks.growth import Growth
from tests.benchmarks.results import Goal
from tests.benchmarks.rounds import Contender, Cost, interleaved, markdown, ratio, table, worker


def costs(*seconds, work=None):
    return [Cost(cpu, 2 * cpu, 100 * cpu, work and work * cpu, "right") for cpu in seconds]


def two_thirds(number):
    """What a worker is asked for below: work that is prepared, and then done."""
    return lambda: number * 2 / 3


def test_a_process_is_measured_with_its_children():
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(3_000_000))']); print('done')"
    cost = Contender([sys.executable, "-c", busy], lambda told: told == "done\n").run("busy")
    alone = Contender([sys.executable, "-c", "print('done')"], lambda told: told == "done\n").run("idle")
    assert cost.cpu > alone.cpu > 0
    assert cost.wall > 0
    assert alone.memory > 5  # MiB; at most, it is that of this process, which it was forked from
    assert (cost.work, cost.answer) == (None, "done\n")


def test_a_worker_tells_its_work_and_its_answer():
    cost = worker(Path(sys.executable), "tests.test_benchmarks:two_thirds", 6, is_right=lambda told: told == 4).run(
        "it"
    )
    assert cost.answer == 4
    assert 0 <= cost.work < cost.cpu


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("print('7 passed')", "one ended with 0 and is not right: '7 passed\\n'"),
        ("print('8 passed'); raise SystemExit(3)", "one ended with 3 and is not right: '8 passed\\n'"),
    ],
)
def test_a_wrong_answer_stops_the_benchmark(program, message):
    contender = Contender([sys.executable, "-c", program], lambda told: told == "8 passed\n")
    with pytest.raises(SystemExit) as stopped:
        interleaved("title", {"one": contender}, 1)
    assert str(stopped.value) == message


def test_the_first_round_does_not_count():
    contender = Contender([sys.executable, "-c", ""], lambda told: told == "")
    assert [len(found) for found in interleaved("title", {"one": contender, "other": contender}, 2).values()] == [2, 2]


def test_a_ratio_is_the_median_of_those_of_the_rounds():
    found = {"one": costs(1.0, 4.0, 3.0), "base": costs(1.0, 2.0, 1.0)}
    assert ratio(found, "one", "base") == 2.0


def test_the_table_of_costs():
    assert table({"base": costs(1.0, 2.0, 3.0, work=0.5), "a|b": costs(2.0, 4.0, 9.0, work=0.25)}, "base", str) == (
        "|  | work, CPU s | ratio | process, CPU s | ratio | wall s | peak MiB | answer |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| base | 1.000 (0.500 to 1.500) | 1.000 | 2.000 (1.000 to 3.000) | 1.000 "
        "| 4.000 (2.000 to 6.000) | 200 | right |\n"
        "| a\\|b | 1.000 (0.500 to 2.250) | 1.000 | 4.000 (2.000 to 9.000) | 2.000 "
        "| 8.000 (4.000 to 18.000) | 400 | right |"
    )


@pytest.mark.parametrize(
    ("measured", "met"), [(1.0, True), (1.1, True), (1.11, False), (math.nan, False), (-math.inf, False)]
)
def test_a_goal_is_met_by_a_number_that_is_at_most_so_much(measured, met):
    assert Goal("it", measured, 1.1).is_met is met


def test_linear_growth_has_a_slope_of_one():
    linear = Growth("texts", (10, 100, 1000), (1.0, 10.0, 100.0), (50.0, 60.0, 150.0))
    assert linear.slope == pytest.approx(1.0)
    assert linear.memory_slope == pytest.approx(1.0)
    assert Growth("texts", (10, 100), (1.0, 100.0), (50.0, 50.0)).slope == pytest.approx(2.0)


def test_the_operations_that_answers_are_held_to():
    # By torch's FlopCounterMode, and torchvision's tables of weights in thousand millions of multiply-adds.
    assert counting.KNOWN["Llama 3 70B"].flops == 973_152_452_608
    assert round(counting.KNOWN["ResNet-50"].flops / 2e9, 2) == 4.09
    assert round(counting.KNOWN["ViT-L/16"].flops / 2e9, 2) == 61.55


def test_the_page_tells_what_was_measured():
    assert results.PAGE.read_text(encoding="utf-8") == results.page(results.recorded())


def test_the_goals_that_were_missed_are_told():
    goals = [
        ["goal", "measured", "at most", ""],
        ["opening", "1.5", "1.02", "**missed**: it is large"],
        ["peak", "782 MiB", "1,024 MiB", "met"],
    ]
    section = {
        "title": "Start-up",
        "body": "text",
        "goals": [
            {"told": "opening", "measured": 1.5, "limit": 1.02, "unit": "", "why": "it is large"},
            {"told": "peak", "measured": 782.4, "limit": 1024, "unit": " MiB"},
        ],
        "date": "2026-01-02",
        "machine": "a machine",
        "versions": "Python 3.11",
    }
    page = results.page({"startup": section})
    assert markdown(goals).replace("782 MiB", "782.4 MiB") in page
    assert page.endswith("`python -m tests.benchmarks startup`, 2026-01-02, on a machine, with Python 3.11.\n")
