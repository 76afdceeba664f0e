// A page with one part of the panel on it, for tests: real store, real tip, jsdom's elements.

import { vi } from "vitest";
import { Store } from "../src/store.js";
import { Tip } from "../src/tip.js";
import { LOOK } from "./made.js";

/** Let the canvas note what is drawn; jsdom has none. Gives the list of [method, ...arguments]. */
export function noteCanvas() {
  const notes = [];
  const pen = () => new Proxy({}, {
    get: (kept, name) => {
      if (name in kept) return kept[name];
      return (...args) => {
        notes.push([name, ...args, kept.fillStyle]);
        if (name === "measureText") return { width: String(args[0]).length * 6 };
        if (name === "createImageData") return { data: new Uint8ClampedArray(args[0] * args[1] * 4) };
        return name === "createPattern" ? { setTransform() {} } : undefined;
      };
    },
    set: (kept, name, value) => { kept[name] = value; return true; },
  });
  const pens = new WeakMap();
  HTMLCanvasElement.prototype.getContext = function () {
    if (!pens.has(this)) pens.set(this, pen());
    return pens.get(this);
  };
  globalThis.Path2D ??= class {};
  globalThis.DOMMatrix ??= class { scale() { return this; } };
  return notes;
}

/** The frame of the panel as a tab sees it, drawing at the next frame as the real one does. */
export class Frame {
  constructor(model, parts) {
    this.store = new Store(model);
    this.store.views.add(this);
    this.look = LOOK;
    this.family = "sans-serif";
    this.selected = this.hovered = null;
    this.el = this.root = this.page = document.createElement("section");
    document.body.replaceChildren(this.root);
    this.tip = new Tip(this.root);
    this.parts = parts.map((Part) => new Part(this));
    this.tabs = { it: this.parts[0] };
    this.tab = "it";
    this.root.append(...this.parts.map((part) => part.box), this.tip.box);
    this.draw();
  }

  theme() { return { ink: "#111", faint: "#666", paper: "#fff", rule: "#ddd", focus: "#00f", edge: "#999", bad: "#b40" }; }

  select(call) {
    this.selected = call ?? null;
    for (const part of this.parts) part.select?.(this.selected);
    this.soon();
  }

  hover(call) {
    if (this.hovered === (call ?? null)) return;
    this.hovered = call ?? null;
    for (const part of this.parts) part.hover?.(this.hovered);
  }

  soon() { this.wanted = true; }

  draw() {
    this.wanted = false;
    for (const part of this.parts) part.draw(this.store, 800);
  }

  /** Draw if something wants it, as at the next frame, and run what waits for that frame. */
  frame() {
    vi.advanceTimersByTime(20);
    if (this.wanted) this.draw();
    vi.advanceTimersByTime(20);
  }
}

/** Press a key on an element; gives the event. */
export function press(element, key, more = {}) {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
  element.dispatchEvent(event);
  return event;
}

/** A pointer's event at a place of an element; jsdom does not lay things out, so the place is told. */
export function point(element, kind, offsetX, offsetY, more = {}) {
  const event = new MouseEvent(kind, { bubbles: true, cancelable: true, clientX: offsetX, clientY: offsetY, ...more });
  Object.defineProperties(event, { offsetX: { value: offsetX }, offsetY: { value: offsetY } });
  element.dispatchEvent(event);
  return event;
}

/** Type into a search field. */
export function type(field, text) {
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
