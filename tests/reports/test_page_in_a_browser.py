"""The HTML page in a real Chromium: `MODELCHECK_BROWSER` names a folder with puppeteer-core and @sparticuz/chromium."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pages_of_runs import HOSTILE, whole_run

from pytest_modelcheck.reports import html

FOLDER = os.environ.get("MODELCHECK_BROWSER", "")

pytestmark = pytest.mark.skipif(
    not (FOLDER and shutil.which("node")),
    reason="needs node, and MODELCHECK_BROWSER: a folder with node_modules of puppeteer-core and @sparticuz/chromium",
)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What one start of the browser says of both pages."""
    folder = tmp_path_factory.mktemp("pages")
    pages = {"whole": whole_run(), "hostile": whole_run(" ".join(HOSTILE))}
    for name, run in pages.items():
        (folder / f"{name}.html").write_text(html.render(run), encoding="utf-8")
    # Read from its input, the program finds its packages in the folder where it runs.
    result = subprocess.run(
        ["node", "--input-type=module", "-", *((folder / f"{name}.html").as_uri() for name in pages)],
        input=(Path(__file__).parent / "browser.mjs").read_text(encoding="utf-8"),
        cwd=FOLDER,
        env={"AWS_LAMBDA_JS_RUNTIME": "nodejs22.x", **os.environ},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


WORST_FIRST = [
    "test_crash",
    "test_high",
    "test_waived",
    "test_xfailed",
    "test_skipped",
    "test_enough",
    "test_id[]",
    "test_plain",
    "test_part",
    "test_size",
]


def test_nothing_is_said_asked_for_or_violated(told):
    assert told["heard"] == []
    assert told["violations"] == []


def test_all_gates_are_there_worst_first_and_counted(told):
    assert told["start"] == {"gates": WORST_FIRST, "status": "10 of 10 promises shown", "live": "status"}


def test_pictures_are_shown(told):
    assert told["pictures"] == [28] * 6


def test_the_filter_takes_words_in_any_order_and_says_how_many_are_left(told):
    assert told["filtered"] == {"gates": ["test_size"], "status": "1 of 10 promises shown"}
    assert told["nothing"] == "0 of 10 promises shown"


def test_an_outcome_can_be_left_out(told):
    assert told["unchecked"] == {"gates": WORST_FIRST[:5], "status": "5 of 10 promises shown"}


def test_the_keyboard_sorts_by_margin(told):
    up, down, back = told["sorted"]["margin"]["steps"]
    assert (told["sorted"]["margin"]["reached"], told["sorted"]["margin"]["outline"]) == (True, "solid")
    assert (up["order"], down["order"], back["order"]) == ("ascending", "descending", "none")
    assert up["gates"][:4] == ["test_high", "test_enough", "test_id[]", "test_plain"]
    assert down["gates"][:4] == ["test_plain", "test_id[]", "test_enough", "test_high"]
    # What has no margin stands at the end both ways.
    assert sorted(up["gates"][4:]) == sorted(down["gates"][4:])
    assert back["gates"] == WORST_FIRST


def test_the_keyboard_sorts_by_seconds_as_numbers(told):
    up, down, _ = told["sorted"]["seconds"]["steps"]
    assert up["gates"][-2:] == ["test_id[]", "test_plain"]
    assert down["gates"][:2] == ["test_plain", "test_id[]"]


def test_evidence_opens_by_keyboard_and_all_at_once(told):
    assert told["opened"] is True
    assert told["closed"] == {"all": 0, "none": 0}


def test_a_link_to_a_gate_that_is_filtered_away_shows_it(told):
    assert told["revealed"] == {"gates": 10, "open": True}


def test_every_control_and_every_picture_has_a_name(told):
    assert told["unnamed"] == 0


def test_a_dark_scheme_is_dark(told):
    assert (told["paper"], told["darkPaper"]) == ("rgb(255, 255, 255)", "rgb(15, 20, 25)")


def test_a_narrow_screen_scrolls_one_way_only(told):
    assert told["overflow"] == {"whole": 0, "hostile": 0}


def test_without_its_script_the_page_has_no_controls(told):
    assert told["withoutScript"] == [False]


def test_hostile_texts_run_nothing(told):
    title = told["hostile"].pop("title")
    assert told["hostile"] == {"hit": None, "scripts": 1, "frames": 0, "handlers": 0, "violations": []}
    assert title.startswith("modelcheck failed: ")


def test_the_policy_stops_what_gets_into_a_page(told):
    assert told["policy"]["hit"] is None
    assert [name for name in told["policy"]["violations"] if name.startswith("script")]
