"use strict";
// Three things: switches for groups of runs, values under the pointer, and a page that follows a run.
const hidden = new Set();
const reading = document.getElementById("reading");

function applySwitches() {
  for (const part of document.querySelectorAll("[data-group]"))
    part.classList.toggle("off", hidden.has(part.dataset.group));
  for (const button of document.querySelectorAll("[data-switch]"))
    button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.switch)));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-switch]");
  if (!button) return;
  const group = button.dataset.switch;
  if (!hidden.delete(group)) hidden.add(group);
  applySwitches();
});

function nearest(places, x) {
  let best = 0;
  places.forEach((place, k) => { if (Math.abs(place - x) < Math.abs(places[best] - x)) best = k; });
  return best;
}

function make(name, parent, attributes, text) {
  const svg = parent instanceof SVGElement;
  const child = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) child.setAttribute(key, value);
  if (text !== undefined) child.textContent = text;
  parent.append(child);
  return child;
}

// Show what the lines are worth where x (in the chart's own units) is; near which corner of the screen, the caller says.
function show(chart, x, screenX, screenY) {
  const data = JSON.parse(chart.dataset.chart);
  const own = chart.closest("figure").querySelector(".keys > span:not([data-group])");
  const lines = data.series.filter((one) => one.px.length && (own || !hidden.has(String(one.group))));
  clear();
  if (!lines.length) return;
  const all = [...new Set(lines.flatMap((one) => one.px))];
  const at = all[nearest(all, x)];
  chart.dataset.at = at;
  const cursor = chart.querySelector(".cursor");
  make("line", cursor, { x1: at, x2: at, y1: data.top, y2: data.bottom });
  reading.hidden = false;
  let head = null;
  for (const one of lines) {
    const k = nearest(one.px, at);
    if (Math.abs(one.px[k] - at) > 6) continue;
    if (!head) head = make("b", reading, {}, `${data.x} ${one.x[k]}`);
    make("circle", cursor, { cx: one.px[k], cy: one.py[k], r: 4, style: `fill:var(--g${one.color})` });
    const row = make("span", reading, {});
    make("i", row, { style: `background:var(--g${one.color})` });
    row.append(one.label);
    make("em", row, {}, one.y[k]);
  }
  const width = reading.offsetWidth, height = reading.offsetHeight;
  const left = screenX + 16 + width > innerWidth ? screenX - 16 - width : screenX + 16;
  reading.style.left = `${Math.max(6, Math.min(left, innerWidth - width - 6))}px`;
  reading.style.top = `${Math.max(6, Math.min(screenY - height - 12, innerHeight - height - 6))}px`;
}

function clear() {
  reading.hidden = true;
  reading.replaceChildren();
  for (const cursor of document.querySelectorAll(".cursor")) cursor.replaceChildren();
}

function place(chart, x) {
  const box = chart.getBoundingClientRect();
  show(chart, x, box.left + (x / chart.viewBox.baseVal.width) * box.width, box.top + box.height / 3);
}

document.addEventListener("pointermove", (event) => {
  const chart = event.target.closest && event.target.closest(".chart");
  if (!chart) return clear();
  const box = chart.getBoundingClientRect();
  show(chart, ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width, event.clientX, event.clientY);
});
document.addEventListener("keydown", (event) => {
  const chart = event.target.closest && event.target.closest(".chart");
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.key === "Escape") clear();
  if (!chart || !step) return;
  const all = [...new Set(JSON.parse(chart.dataset.chart).series.flatMap((one) => one.px))].sort((a, b) => a - b);
  const k = chart.dataset.at === undefined ? -1 : nearest(all, Number(chart.dataset.at));
  place(chart, all[Math.max(0, Math.min(all.length - 1, k + step))]);
  event.preventDefault();
});
document.addEventListener("focusout", clear);
document.addEventListener("scroll", clear, { passive: true });

// What the reader has unfolded stays so.
function keepOpen(before, after) {
  const parts = (main) => new Map([...main.querySelectorAll("details")].map((one) => [one.firstElementChild.textContent, one]));
  const opened = parts(before);
  for (const [name, part] of parts(after)) part.open = Boolean(opened.get(name)?.open);
}

// A page that is served while a run trains asks for itself again, and keeps what was switched off.
async function follow() {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = page.querySelector("main");
    if (main && main.innerHTML !== document.querySelector("main").dataset.source) {
      main.dataset.source = main.innerHTML;
      keepOpen(document.querySelector("main"), main);
      document.querySelector("main").replaceWith(main);
      applySwitches();
    }
    if (!("live" in page.body.dataset)) return;
  } catch {
    return; // the run has ended and its server with it; the page stays as it is
  }
  setTimeout(follow, 1000);
}
if ("live" in document.body.dataset) setTimeout(follow, 1000);
