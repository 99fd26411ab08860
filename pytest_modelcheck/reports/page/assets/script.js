"use strict";
(() => {
  const table = document.getElementById("table");
  const gates = Array.from(table.tBodies);
  const controls = document.getElementById("controls");
  const filter = document.getElementById("filter");
  const status = document.getElementById("shown");
  const boxes = Array.from(controls.querySelectorAll("input[type=checkbox]"));
  const RANKS = ["error", "failed", "xpassed", "waived", "xfailed", "skipped", "passed"];
  const MARGIN = 5;
  const SECONDS = 7;
  let texts = null;

  const textOf = (gate) => {
    const parts = [gate.rows[0].textContent];
    for (const part of gate.rows[1].querySelectorAll("summary, p, .message")) parts.push(part.textContent);
    return parts.join(" ").toLowerCase();
  };

  const number = (count) => count.toLocaleString("en");

  const show = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    if (words.length && !texts) texts = new Map(gates.map((gate) => [gate, textOf(gate)]));
    let shown = 0;
    for (const gate of gates) {
      const kept = wanted.has(gate.className) && words.every((word) => texts.get(gate).includes(word));
      if (gate.hidden === kept) gate.hidden = !kept;
      shown += kept;
    }
    status.textContent = `${number(shown)} of ${number(gates.length)} promises shown`;
  };

  const keyOf = (gate, column) => {
    if (column === 0) return RANKS.indexOf(gate.className);
    if (column === MARGIN) return gate.dataset.m === undefined ? null : Number(gate.dataset.m);
    const text = gate.rows[0].cells[column].textContent;
    if (column === SECONDS) return Number(text);
    return text === "" ? null : text;
  };

  const compare = (one, other) =>
    typeof one === "number" ? one - other : one.localeCompare(other, "en", { numeric: true });

  // What has no value stands at the end, whichever way the others are sorted.
  const sort = (column, direction) => {
    let sorted = gates;
    if (direction) {
      const keys = new Map(gates.map((gate) => [gate, keyOf(gate, column)]));
      const known = gates.filter((gate) => keys.get(gate) !== null);
      known.sort((one, other) => direction * compare(keys.get(one), keys.get(other)));
      sorted = known.concat(gates.filter((gate) => keys.get(gate) === null));
    }
    table.append(...sorted);
  };

  const headings = Array.from(table.tHead.rows[0].cells);
  const next = { none: "ascending", ascending: "descending", descending: "none" };
  const directions = { none: 0, ascending: 1, descending: -1 };
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const order = next[heading.getAttribute("aria-sort")];
      for (const other of headings) other.setAttribute("aria-sort", "none");
      heading.setAttribute("aria-sort", order);
      sort(column, directions[order]);
    });
  });

  const openAll = (open) => {
    for (const gate of gates) {
      const details = gate.hidden ? null : gate.querySelector("details");
      if (details) details.open = open;
    }
  };

  // A link to a gate that is filtered away brings all of them back.
  const reveal = () => {
    const gate = document.getElementById(location.hash.slice(1));
    if (!gate || gate.tagName !== "TBODY") return;
    if (gate.hidden) {
      filter.value = "";
      for (const box of boxes) box.checked = true;
      show();
    }
    const details = gate.querySelector("details");
    if (details) details.open = true;
    gate.scrollIntoView();
  };

  filter.addEventListener("input", show);
  for (const box of boxes) box.addEventListener("change", show);
  controls.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("open").addEventListener("click", () => openAll(true));
  document.getElementById("close").addEventListener("click", () => openAll(false));
  window.addEventListener("hashchange", reveal);
  controls.hidden = false;
  show();
  reveal();
})();
