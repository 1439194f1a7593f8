// The right side: intents, rows in the order the intents decide, sources of candidates.

import { bar, byId, fill, h, percent } from "./dom.js";

const LABELS = 5;

export function showAnswer(answer, add) {
  byId("headline").textContent = answer.headline;
  fill(byId("intents"), answer.intents.length ? answer.intents.map(intent) : [h("p", { className: "quiet" }, "This model predicts none.")]);
  moveRows(() => fill(byId("rows"), answer.rows.map((row, place) => rowOf(row, place, add)), byId("headline")));
  byId("sources-section").hidden = answer.sources.length === 0;
  fill(byId("sources"), answer.sources.map(source));
  byId("status").textContent = `${answer.headline}. Rows: ${answer.rows.map((row) => row.title).join(", ")}.`;
}

function intent({ name, labels, attention }) {
  const counts = attention === null ? null : h("span", {}, `counts ${percent(attention)}`);
  const heading = h("h4", {}, name.replaceAll("_", " "), counts ?? "");
  const lines = labels.slice(0, LABELS).map(({ label, score }) =>
    h("li", {}, h("span", { className: "label", title: label }, label || "(none)"), bar(score), h("span", { className: "number" }, percent(score))));
  const weight = attention === null ? null : h("div", { className: "attention", title: "attention: how much this intent counts" }, bar(attention));
  return h("div", { className: "intent", "data-intent": name }, heading, weight, h("ul", { className: "bars" }, lines));
}

function rowOf(row, place, add) {
  const id = `row-${place}`;
  const cards = row.items.map((item) => card(row, item, add));
  const list = h("ul", { className: "cards", "aria-labelledby": id, "data-scroll": row.key }, cards);
  const className = place === 0 ? "row first" : "row";
  return h("section", { className, "aria-labelledby": id, "data-row": row.key },
    h("h3", { id }, row.title), h("p", { className: "why" }, row.why), list);
}

function card(row, item, add) {
  const button = h("button", { type: "button", className: "card", "data-key": `${row.key} ${item.item_id}` },
    h("strong", {}, item.title),
    item.labels.length ? h("span", { className: "labels" }, item.labels.join(", ")) : null,
    h("span", { className: "because" }, `Because: ${item.because.join("; ")}`));
  button.title = "Add to the history";
  button.addEventListener("click", () => add(item.item_id, item.title));
  return h("li", {}, button);
}

function source({ name, declared, mass, about, items, count }) {
  const title = declared ? `Declared topic: ${name}` : `Interest ${name} in the history`;
  const detail = [`${count} candidates`, mass === null ? null : `stands for ${mass.toFixed(1)} events`].filter(Boolean).join(", ");
  return h("li", {}, h("strong", {}, title), h("div", { className: "quiet" }, detail),
    about.length ? h("div", {}, `Mostly ${about.join(", ")}`) : null, h("div", { className: "quiet" }, items.join(" · ")));
}

/** Let rows glide to their new places, for people who do not mind motion. */
function moveRows(draw) {
  const places = new Map([...document.querySelectorAll("[data-row]")].map((row) => [row.dataset.row, row.getBoundingClientRect().top]));
  draw();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const row of document.querySelectorAll("[data-row]")) {
    const moved = places.get(row.dataset.row) - row.getBoundingClientRect().top;
    if (moved) row.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], { duration: 250, easing: "ease-out" });
  }
}
