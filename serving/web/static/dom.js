// Elements from plain values. Text is only ever set as text, so no title can become markup.

export function byId(id) {
  return document.getElementById(id);
}

/** An element; `props` are properties (or attributes, where the name has a dash), `null` children are left out. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat().filter((child) => child !== null).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

/** A bar that screen readers pass over: the number stands beside it. */
export function bar(share) {
  const fill = h("div", { className: "fill" });
  fill.style.setProperty("--share", `${100 * Math.min(Math.max(share, 0), 1)}%`);
  return h("div", { className: "track", "aria-hidden": "true" }, fill);
}

export function percent(share) {
  return `${Math.round(100 * share)}%`;
}

/** Replace what `parent` holds, keeping the focus on the element with the same `data-key`. */
export function fill(parent, children, otherwise = null) {
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const had = parent.contains(document.activeElement);
  const scrolled = new Map([...parent.querySelectorAll("[data-scroll]")].map((e) => [e.dataset.scroll, e.scrollLeft]));
  parent.replaceChildren(...children);
  for (const element of parent.querySelectorAll("[data-scroll]")) element.scrollLeft = scrolled.get(element.dataset.scroll) ?? 0;
  if (!had) return;
  const same = [...parent.querySelectorAll("[data-key]")].find((element) => element.dataset.key === key);
  (same ?? otherwise)?.focus({ preventScroll: true });
}
