// Elements are made one by one and words set as text, so nothing that a user named becomes markup.

import { clean } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
export const GREY = "#7d7d7d";

/** An HTML element: tag, class, attributes, and what is inside (null is left out, strings are text). */
export const h = (tag, name, attributes, ...inside) =>
  fill(document.createElement(tag), name ? { class: name, ...attributes } : attributes, inside);

/** An SVG element. */
export const svg = (tag, attributes, ...inside) => fill(document.createElementNS(SVG, tag), attributes, inside);

/** A button with its words, or its sign and what it does. */
export function button(name, words, press, attributes) {
  const made = h("button", name, { type: "button", ...attributes }, words);
  made.addEventListener("click", press);
  return made;
}

export function fill(element, attributes, inside) {
  element.append(...inside.filter((part) => part != null)); // a string becomes a text node
  return set(element, attributes);
}

/** Set those attributes that differ. Numbers are rounded to tenths. */
export function set(element, attributes) {
  for (const key in attributes) {
    const value = attributes[key], text = typeof value === "number" ? round(value) : String(value);
    if (element.getAttribute(key) !== text) element.setAttribute(key, text);
  }
  return element;
}

export const round = (value) => String(Math.round(value * 10) / 10);

/** Set an element's text if it differs. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A user's words as a text to show. */
export const words = (x, y, name, text) => svg("text", { x, y, class: `nbf-small ${name}` }, clean(text));

/** The name under which a status is drawn. */
export const shapeOf = (status) =>
  ({ completed: "done", cancelling: "cancelled", stopped: "cancelled", disconnected: "waiting" })[status] ?? status;

const paths = new Map();

/** A status's mark as a path: its strokes in a disk of that radius about 0, and whether it is filled. */
export function mark(look, status, radius) {
  const key = `${status} ${radius}`;
  if (!paths.has(key)) {
    const strokes = look.icons[shapeOf(status)] ?? look.icons.waiting;
    const point = ([a, b]) => `${round(a * radius)} ${round(b * radius)}`;
    const closed = strokes.some((s) => s.length > 2 && String(s[0]) === String(s.at(-1)));
    paths.set(key, [strokes.map((s) => "M" + s.map(point).join("L")).join(""), closed]);
  }
  return paths.get(key);
}

/** A status's mark in a disk of its colour. */
export function icon(look, status, x, y, radius) {
  const [d, closed] = mark(look, status, radius);
  return svg("g", { class: `nbf-icon nbf-is-${shapeOf(status)}`, transform: `translate(${round(x)} ${round(y)})` },
    svg("circle", { r: radius, fill: look.colors[shapeOf(status)] ?? GREY }),
    svg("path", { d, class: "nbf-mark", fill: closed ? "#fff" : "none", "stroke-width": radius * 0.26 }));
}

/** The same as a picture in a line of text. */
export const disk = (look, status, size) => svg("svg",
  { width: size, height: size, viewBox: "-8 -8 16 16", "aria-hidden": true }, icon(look, status, 0, 0, 7.5));

let ruler;
/** Cut a text to so many pixels; the number at the end of a call's id stays. */
export function fit(text, pixels, size, family, weight = 400) {
  ruler ??= document.createElement("canvas").getContext("2d");
  ruler.font = `${weight} ${size}px ${family}`;
  const fits = (t) => ruler.measureText(t).width <= pixels;
  if (fits(text)) return text;
  const tail = /^\S+-(\d+)$/.exec(text)?.[1] ?? "";
  let low = 0, high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (fits(text.slice(0, middle) + "…" + tail)) low = middle;
    else high = middle - 1;
  }
  return low ? text.slice(0, low).trimEnd() + "…" + tail : "";
}

/** Take a key for oneself: the notebook has shortcuts on almost all of them. */
export function take(event) {
  event.preventDefault();
  event.stopPropagation();
}
