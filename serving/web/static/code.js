// Under the hood: each question to the model server as Python, its request and its response.

import { byId, fill, h } from "./dom.js";

export class CodePanel {
  constructor() {
    this.calls = [];
    this.form = "python";
    this.tabs = [...document.querySelectorAll("[role=tab]")];
    byId("call").addEventListener("change", () => this.draw());
    byId("copy").addEventListener("click", () => this.copy());
    for (const tab of this.tabs) {
      tab.addEventListener("click", () => this.choose(tab));
      tab.addEventListener("keydown", (event) => this.step(event, tab));
    }
    this.choose(this.tabs[0]);
  }

  show(calls, notes) {
    const chosen = byId("call").value;
    this.calls = calls;
    fill(byId("call"), calls.map(({ signature, milliseconds }) => h("option", { value: signature }, `${signature}, ${milliseconds.toFixed(1)} ms`)));
    if (calls.some((call) => call.signature === chosen)) byId("call").value = chosen;
    byId("notes").textContent = ["The client pads histories and speaks TensorFlow Serving's gRPC protocol.", ...notes].join(" ");
    this.draw();
  }

  choose(tab) {
    this.form = tab.dataset.form;
    for (const other of this.tabs) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
    }
    byId("code").setAttribute("aria-labelledby", tab.id);
    this.draw();
  }

  /** Arrow keys go round the tabs, Home and End to the ends. */
  step(event, tab) {
    const here = this.tabs.indexOf(tab);
    const places = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: -1 };
    if (!(event.key in places)) return;
    event.preventDefault();
    const next = this.tabs.at(places[event.key] % this.tabs.length);
    this.choose(next);
    next.focus();
  }

  draw() {
    const call = this.calls.find(({ signature }) => signature === byId("call").value);
    if (!call) return;
    byId("code").textContent = this.form === "python" ? call.python : asText(call[this.form]);
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(byId("code").textContent);
      byId("copy").textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(byId("code"));
      byId("copy").textContent = "Selected";
    }
    setTimeout(() => { byId("copy").textContent = "Copy"; }, 1500);
  }
}

/** JSON with lists of numbers on one line. */
function asText(value) {
  return JSON.stringify(value, null, 2).replace(/\[[-\d.e+,\s]+\]/g, (list) => list.replace(/\s+/g, " "));
}
