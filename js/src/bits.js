// Small parts that several tabs have: links to calls, buttons that copy.

import { button, disk, h, say, set, take } from "./dom.js";
import { clean } from "./words.js";

/** A call's id that selects it when pressed. */
export function callLink(view, call) {
  const made = button("nbf-link", "", () => view.select(call), { "data-call": call });
  refresh(view, made);
  made.addEventListener("pointerenter", () => view.hover(call));
  made.addEventListener("pointerleave", () => view.hover(null));
  return made;
}

function refresh({ store, look }, link) {
  const call = Number(link.dataset.call), status = call < store.calls.count ? store.statusOf(store.calls.column.status[call]) : "";
  if (link.dataset.status === status) return;
  link.dataset.status = status;
  link.replaceChildren(...(status ? [disk(look, status, 12)] : []), clean(store.label(call)));
}

/** Let the links in an element show how their calls stand now. */
export function refreshLinks(view, box) {
  for (const link of box.querySelectorAll(".nbf-link")) refresh(view, link);
}

/** A button that copies what `text()` gives, and says that it has. */
export function copyButton(text, name = "Copy") {
  const made = button("nbf-tool nbf-copy", name, async () => {
    const done = await copy(text(), made);
    say(made, done ? "Copied" : "Select and copy by hand");
    clearTimeout(timer);
    timer = setTimeout(() => say(made, name), 1500);
  });
  let timer;
  return made;
}

/** Put a text on the clipboard, whichever way the page allows; says whether it did. */
async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { /* not a secure page, or not allowed: the old way */ }
  const field = h("textarea", "nbf-hidden", { "aria-hidden": true, tabindex: -1 });
  field.value = text;
  near.after(field);
  field.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
    near.focus();
  }
}

/** A text as it was written, which can be selected and scrolls inside. */
export function written(text, name = "") {
  const box = h("pre", `nbf-written ${name}`, { tabindex: 0 }, clean(text));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" && event.key !== "Escape" && !event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  return box;
}

/** A search field: letters are its own, Escape empties it. */
export function searchField(placeholder, name, changed, attributes) {
  const field = h("input", "nbf-search", { type: "search", placeholder, "aria-label": name, spellcheck: false, autocomplete: "off", ...attributes });
  field.addEventListener("input", () => changed(field.value));
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Escape" || !field.value) return;
    take(event);
    field.value = "";
    changed("");
  });
  return field;
}

/** A bar that shows which part is done, in an element that keeps it; NaN hides it. */
export function showPart(bar, part) {
  const known = !Number.isNaN(part);
  bar.hidden = !known;
  if (!known) return;
  bar.firstChild.style.width = `${Math.round(part * 1000) / 10}%`;
  set(bar, { "aria-valuenow": Math.round(part * 100) });
}

export const partBar = () => h("span", "nbf-part-bar", { role: "progressbar", "aria-label": "How far it is", "aria-valuemin": 0, "aria-valuemax": 100, hidden: true }, h("i"));

/** Press or release a button that stays as it is. */
export const pressed = (made, on) => set(made, { "aria-pressed": on });
