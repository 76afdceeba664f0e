// The tip beside the pointer: a title and lines of [name, words].

import { h } from "./dom.js";
import { clean } from "./words.js";

export class Tip {
  constructor(root) {
    this.root = root;
    this.box = h("div", "nbf-tip", { role: "tooltip" });
    this.box.hidden = true;
  }

  /** Show lines beside the pointer, or beside a place {clientX, clientY}. */
  show(place, [title, ...lines]) {
    const key = JSON.stringify([title, lines]);
    if (key !== this.key) {
      this.key = key;
      this.box.replaceChildren(h("strong", "", {}, clean(title)),
        ...lines.filter(([, words]) => words).map(([name, words]) =>
          h("div", "", {}, name ? h("span", "nbf-label", {}, name) : null, clean(words))));
    }
    this.box.hidden = false;
    this.move(place);
  }

  move({ clientX, clientY }) {
    const frame = this.root.getBoundingClientRect(), { offsetWidth: wide, offsetHeight: high } = this.box;
    const left = clientX - frame.left + 14, top = clientY - frame.top + 16;
    this.box.style.left = `${Math.max(4, Math.min(left, frame.width - wide - 6))}px`;
    this.box.style.top = `${top + high > frame.height - 4 ? Math.max(4, top - high - 26) : top}px`;
  }

  hide() { this.box.hidden = true; }

  /** What it says, for tests and for those who only listen. */
  get text() { return this.box.hidden ? "" : this.box.textContent; }
}

