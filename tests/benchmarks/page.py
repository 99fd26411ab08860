"""The HTML report of 5,000 gates: how long it takes to write, how large it is, and how long a browser takes to open it.

The last needs node, and `MODELCHECK_BROWSER`: a folder with node_modules of puppeteer-core and @sparticuz/chromium.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from tests.benchmarks.peers import Peers
from tests.benchmarks.results import Section
from tests.benchmarks.rounds import markdown, spread

_GATES = 5000

# Until the page is loaded, its script has run, and a frame of it is painted; then a word is typed into its filter.
_DRIVER = """
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";
const [url, rounds] = process.argv.slice(2);
const browser = await puppeteer.launch({
  args: chromium.args, executablePath: await chromium.executablePath(), headless: "shell",
});
const painted = (page) => page.evaluate(
  () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
const told = { open: [], filter: [], sort: [] };
for (let round = 0; round <= Number(rounds); round += 1) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1300, height: 900 });
  const times = [performance.now()];
  await page.goto(url, { waitUntil: "load" });
  await painted(page);
  times.push(performance.now());
  await page.type("#filter", "7");
  await painted(page);
  times.push(performance.now());
  await page.click("#table > thead th:nth-child(8) button");
  await painted(page);
  times.push(performance.now());
  if (round) ["open", "filter", "sort"].forEach((name, at) => told[name].push((times[at + 1] - times[at]) / 1000));
  await page.close();
}
await browser.close();
console.log(JSON.stringify(told));
"""


def measure(peers: Peers, rounds: int) -> Section:
    """Wall-clock seconds, since a reader waits for them; the first time does not count."""
    from pytest_modelcheck.reports import html
    from pytest_modelcheck.reports.run import Run
    from tests.pages_of_runs import many

    run = Run(many(_GATES), 0, "cpu")
    seconds = []
    for number in range(rounds + 1):
        start = time.perf_counter()
        text = html.render(run)
        seconds += [time.perf_counter() - start] if number else []
    rows = [["", "wall s"], ["write it", spread(seconds)]]
    size = f"Its size is {len(text.encode('utf-8')) / 1e6:.2f} MB."
    if folder := os.environ.get("MODELCHECK_BROWSER", ""):
        told = _in_a_browser(text, folder, rounds)
        names = {"open": "open it, until it is painted", "filter": "type a letter into its filter", "sort": "sort it"}
        rows += [[names[name], spread(told[name])] for name in names]
    else:
        size += " It was not opened: MODELCHECK_BROWSER names no folder."
    return Section(f"The HTML report of {_GATES:,} gates", f"{markdown(rows)}\n\n{size}")


def _in_a_browser(text: str, folder: str, rounds: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "report.html"
        path.write_text(text, encoding="utf-8")
        result = subprocess.run(
            ["node", "--input-type=module", "-", path.as_uri(), str(rounds)],
            input=_DRIVER,
            cwd=folder,
            env={"AWS_LAMBDA_JS_RUNTIME": "nodejs22.x", **os.environ},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    told: dict[str, list[float]] = json.loads(result.stdout)
    return told
