// Opens pages in a headless Chromium and prints as JSON what happened. Pages: light, hostile, in this order.
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const [whole, hostile] = process.argv.slice(2);
const browser = await puppeteer.launch({
  args: chromium.args,
  executablePath: await chromium.executablePath(),
  headless: "shell",
});

// A page with everything that it says, asks for and violates written down.
const open = async (url, { width = 1200, scheme = "light", script = true, heard = [] } = {}) => {
  const page = await browser.newPage();
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.setJavaScriptEnabled(script);
  page.on("console", (message) => heard.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => heard.push(`error: ${error}`));
  page.on("dialog", async (dialog) => { heard.push("dialog"); await dialog.dismiss(); });
  page.on("request", (request) => {
    if (request.url() !== url && !request.url().startsWith("data:image/png;base64,")) heard.push(`request: ${request.url()}`);
  });
  if (script) {
    await page.evaluateOnNewDocument(() => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (event) =>
        window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
    });
  }
  await page.goto(url);
  return page;
};

const gates = (page) =>
  page.$$eval("#table > tbody", (bodies) =>
    bodies.filter((body) => body.checkVisibility()).map((body) => body.querySelector("th").textContent));
const status = (page) => page.$eval("#shown", (element) => element.textContent);
const paper = (page) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

// What holds the focus after a number of presses of the tabulator that reaches this heading.
const focusHeading = async (page, name) => {
  for (let presses = 0; presses < 200; presses += 1) {
    await page.keyboard.press("Tab");
    const text = await page.evaluate(() => document.activeElement.closest("#table > thead th")?.textContent ?? "");
    if (text === name) return true;
  }
  return false;
};
const order = (page, name) =>
  page.$$eval("#table > thead th", (heads, name) =>
    heads.find((head) => head.textContent === name).getAttribute("aria-sort"), name);

const told = { heard: [] };
const heard = told.heard;

{
  const page = await open(whole, { heard });
  told.start = { gates: await gates(page), status: await status(page), live: await page.$eval("#shown", (e) => e.getAttribute("role")) };
  told.paper = await paper(page);
  told.pictures = await page.$$eval("img", (images) => images.map((image) => image.naturalWidth));

  await page.type("#filter", "SIZE net");
  told.filtered = { gates: await gates(page), status: await status(page) };
  await page.$eval("#filter", (element) => { element.value = ""; element.dispatchEvent(new Event("input")); });
  await page.click("fieldset input[value=passed]");
  told.unchecked = { gates: await gates(page), status: await status(page) };
  await page.click("fieldset input[value=passed]");

  told.sorted = {};
  for (const name of ["margin", "seconds"]) {
    await page.evaluate(() => document.activeElement.blur());
    const reached = await focusHeading(page, name);
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    const steps = [];
    for (let press = 0; press < 3; press += 1) {
      await page.keyboard.press("Enter");
      steps.push({ order: await order(page, name), gates: await gates(page) });
    }
    told.sorted[name] = { reached, outline, steps };
  }

  const summary = "#table > .passed details:not([open]) > summary";
  await page.focus(summary);
  const handle = await page.$(summary);
  await page.keyboard.press("Enter");
  told.opened = await handle.evaluate((element) => element.parentElement.open && element.nextElementSibling.checkVisibility());
  await page.click("#open");
  told.closed = { all: (await page.$$("#table details:not([open])")).length };
  await page.click("#close");
  told.closed.none = (await page.$$("#table details[open]")).length;

  await page.type("#filter", "nothing has this name");
  told.nothing = await status(page);
  await page.click(".margins a");
  await page.waitForFunction(() => document.querySelector("#filter").value === "");
  told.revealed = { gates: (await gates(page)).length, open: await page.$eval(":target details", (element) => element.open) };
  told.unnamed = await page.evaluate(() =>
    [...document.querySelectorAll("button, input, svg[role=img]")].filter((element) =>
      !(element.textContent || element.getAttribute("aria-label") || element.labels?.length)).length);
  told.violations = await page.evaluate(() => window.violations);
  await page.close();
}
{
  const page = await open(whole, { scheme: "dark", heard });
  told.darkPaper = await paper(page);
  await page.close();
}
told.overflow = {};
for (const [name, url] of Object.entries({ whole, hostile })) {
  const page = await open(url, { width: 360, heard });
  await page.click("#open");
  told.overflow[name] = await overflow(page);
  await page.close();
}
{
  const page = await open(whole, { script: false, heard });
  told.withoutScript = await page.$$eval("#controls, #table > thead button", (found) => found.map((e) => e.checkVisibility()));
  await page.close();
}
{
  const page = await open(hostile, { heard });
  await page.click("#open");
  await page.type("#filter", "<script>");
  told.hostile = await page.evaluate(() => ({
    hit: window.hit ?? null,
    scripts: document.scripts.length,
    frames: window.frames.length,
    handlers: [...document.querySelectorAll("*")].filter((element) =>
      [...element.attributes].some((attribute) => attribute.name.startsWith("on"))).length,
    violations: window.violations,
    title: document.title,
  }));
  await page.close();
}
{
  // That the policy holds at all: what gets into a page nevertheless does not run.
  const page = await open(whole);
  told.policy = await page.evaluate(async () => {
    const image = document.createElement("div");
    image.innerHTML = "<img src=x onerror='window.hit=1'>";
    document.body.append(image);
    const script = document.createElement("script");
    script.textContent = "window.hit = 2";
    document.body.append(script);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return { hit: window.hit ?? null, violations: window.violations.map((item) => item.split(":")[0]).sort() };
  });
  await page.close();
}
await browser.close();
console.log(JSON.stringify(told));
