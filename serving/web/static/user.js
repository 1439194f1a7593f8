// The left side: who asks, what they did, when they ask.

import { byId, fill, h } from "./dom.js";
import { before, fromField, toField } from "./time.js";

const SHOWN = 100;

/** Draws and changes `state` = {history, moment, topics, titles}; calls `changed` after each change. */
export class UserSide {
  constructor(state, page, changed) {
    this.state = state;
    this.page = page;
    this.changed = changed;
    byId("clear").addEventListener("click", () => this.replace([], this.page.moment));
    byId("moment").addEventListener("change", (event) => {
      const moment = fromField(event.target.value);
      if (Number.isFinite(moment)) this.state.moment = moment;
      this.update();
    });
    for (const button of document.querySelectorAll("[data-seconds]")) {
      button.addEventListener("click", () => {
        this.state.moment += Number(button.dataset.seconds);
        this.update();
      });
    }
    fill(byId("columns"), page.columns.flatMap((column) => this.field(column)));
    byId("topics-section").hidden = page.topics.length === 0;
    fill(byId("topics"), page.topics.map((topic) => this.topic(topic)));
  }

  /** Add an event at the moment of the question, which then goes on by a minute. */
  add(itemId, title) {
    this.state.titles[itemId] = title;
    this.state.history.push({ item_id: itemId, timestamp: this.state.moment, ...this.filledIn() });
    this.state.moment += 60;
    this.update();
  }

  replace(history, moment, titles = {}) {
    Object.assign(this.state.titles, titles);
    this.state.history = history;
    this.state.moment = moment;
    this.update();
  }

  update() {
    const { history, moment, titles } = this.state;
    byId("moment").value = toField(moment);
    byId("history-empty").hidden = history.length > 0;
    byId("clear").hidden = history.length === 0;
    byId("history-heading").textContent = history.length ? `History (${history.length})` : "History";
    const newest = [...history.entries()].sort(([i, a], [j, b]) => b.timestamp - a.timestamp || j - i).slice(0, SHOWN);
    fill(byId("history"), newest.map(([place, event]) => this.event(place, event, titles, moment)), byId("search"));
    this.changed();
  }

  event(place, event, titles, moment) {
    const { item_id, timestamp, ...others } = event;
    const title = titles[item_id] ?? item_id;
    const told = Object.entries(others).filter(([, value]) => value !== "" && value !== null);
    const said = told.map(([name, value]) => (typeof value === "number" ? `${name.replaceAll("_", " ")} ${value}` : [value].flat().join(" and ")));
    const remove = h("button", { type: "button", "aria-label": `Remove ${title}`, "data-key": `event ${place}` }, "×");
    remove.addEventListener("click", () => {
      this.state.history.splice(place, 1);
      this.update();
    });
    const when = h("span", { className: "quiet", title: `${toField(timestamp)} UTC` }, [before(moment - timestamp), ...said].join(", "));
    return h("li", {}, h("span", { className: "name" }, title), when, remove);
  }

  field(column) {
    const id = `column-${column.name}`;
    const usual = column.usual ?? "";
    let control;
    if (column.values.length) {
      const options = ["", ...column.values].map((value) => h("option", { value }, value || "(none)"));
      control = h("select", { id }, options);
    } else {
      control = h("input", { id, type: column.type === "string" ? "text" : "number", step: "any" });
    }
    control.value = String(usual);
    control.dataset.name = column.name;
    control.dataset.type = column.type;
    return h("div", {}, h("label", { htmlFor: id }, column.name.replaceAll("_", " ")), control);
  }

  /** The columns of a new event; what is left empty is left out. */
  filledIn() {
    const controls = [...byId("columns").querySelectorAll("[data-name]")].filter((control) => control.value !== "");
    return Object.fromEntries(controls.map((c) => [c.dataset.name, c.dataset.type === "string" ? c.value : Number(c.value)]));
  }

  topic(name) {
    const box = h("input", { type: "checkbox", value: name });
    box.addEventListener("change", () => {
      this.state.topics = this.page.topics.filter((topic) => (topic === name ? box.checked : this.state.topics.includes(topic)));
      this.changed();
    });
    return h("label", {}, box, name);
  }
}
