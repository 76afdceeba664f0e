// A choice between a few words, side by side.

import { button, h, set, take } from "./dom.js";

export class Switch {
  /** @param choices value -> words; `chosen(value)` is called when another one is pressed */
  constructor(name, choices, chosen) {
    this.buttons = new Map(Object.entries(choices).map(([value, words]) =>
      [value, button("nbf-choice", words, () => chosen(value), { role: "radio" })]));
    this.box = h("div", "nbf-switch", { role: "radiogroup", "aria-label": name },
      h("span", "nbf-label", { "aria-hidden": true }, name), ...this.buttons.values());
    this.box.addEventListener("keydown", (event) => this.key(event, chosen));
  }

  key(event, chosen) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    take(event);
    const values = [...this.buttons.keys()].filter((value) => !this.buttons.get(value).hidden), at = values.indexOf(this.value);
    const next = values[(at + step + values.length) % values.length];
    chosen(next);
    this.buttons.get(next).focus();
  }

  /** Offer only some of the choices. */
  offer(values) { for (const [value, made] of this.buttons) made.hidden = !values.includes(value); }

  choose(value) {
    this.value = value;
    for (const [mine, made] of this.buttons) set(made, { "aria-checked": mine === value, tabindex: mine === value ? 0 : -1 });
  }
}
