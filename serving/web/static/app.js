// Wires the two sides together: each change of the user asks anew, the newest question wins.

import { ask, get } from "./api.js";
import { showAnswer } from "./answer.js";
import { CodePanel } from "./code.js";
import { byId, fill, h } from "./dom.js";
import { UserSide } from "./user.js";

const state = { history: [], moment: 0, topics: [], titles: {} };
const panel = new CodePanel();
let page;
let side;
let running = null;

function complain(error, again) {
  const button = h("button", { type: "button" }, "Try again");
  button.addEventListener("click", again);
  fill(byId("error"), [error.message, button]);
  byId("error").hidden = false;
  byId("answer").classList.add("waiting");
  byId("answer").setAttribute("aria-busy", "false");
}

async function askAgain() {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  byId("answer").setAttribute("aria-busy", "true");
  const slow = setTimeout(() => byId("answer").classList.add("waiting"), 300);
  const start = performance.now();
  try {
    const question = { history: state.history, moment: state.moment, topics: state.topics };
    const answer = await ask(question, mine.signal);
    if (mine !== running) return;
    const seconds = performance.now() - start;
    showAnswer(answer, (itemId, title) => side.add(itemId, title));
    panel.show(answer.calls, answer.notes);
    byId("about").textContent = `${page.name}, ${page.items.toLocaleString("en")} titles · model ${page.model}, version ${answer.model_version} · ${page.server}`;
    byId("latency").textContent = `${answer.milliseconds.toFixed(0)} ms for ${answer.calls.length} questions, ${seconds.toFixed(0)} ms for the page`;
    byId("latency").hidden = false;
    byId("error").hidden = true;
    byId("answer").classList.remove("waiting");
    byId("answer").setAttribute("aria-busy", "false");
  } catch (error) {
    if (mine === running && error.name !== "AbortError") complain(error, askAgain);
  } finally {
    clearTimeout(slow);
  }
}

let searches = 0;
async function search() {
  const mine = ++searches;
  const text = byId("search").value;
  try {
    const found = await get(`api/items?query=${encodeURIComponent(text)}`);
    if (mine !== searches) return;
    const none = h("li", { className: "quiet" }, "No title has these words.");
    fill(byId("found"), found.length ? found.map(result) : [none], byId("search"));
  } catch (error) {
    complain(error, search);
  }
}

function result({ item_id, title, labels }) {
  const words = labels.length ? h("span", { className: "quiet" }, `  ${labels.join(", ")}`) : null;
  const button = h("button", { type: "button", title: "Add to the history", "data-key": item_id }, title, words);
  button.addEventListener("click", () => side.add(item_id, title));
  return h("li", {}, button);
}

async function chooseUser(user) {
  if (!user) return side.replace([], page.moment);
  try {
    const { history, titles } = await get(`api/users/${encodeURIComponent(user)}`);
    side.replace(history, (history.at(-1)?.timestamp ?? page.moment) + 60, titles);
  } catch (error) {
    complain(error, () => chooseUser(user));
  }
}

async function start() {
  for (const part of document.querySelectorAll("details")) part.open = matchMedia("(min-width: 62rem)").matches;
  byId("error").hidden = true;
  try {
    page = await get("api/page");
  } catch (error) {
    return complain(error, start);
  }
  byId("user").append(...page.users.map((user) => h("option", { value: user }, `user ${user}`)));
  byId("user").addEventListener("change", (event) => chooseUser(event.target.value));
  byId("search").addEventListener("input", search);
  side = new UserSide(state, page, askAgain);
  search();
  side.replace([], page.moment);
}

start();
