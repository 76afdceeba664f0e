// The tools above the graph: calls or activities, search, critical path, zoom.

import { pressed, searchField } from "./bits.js";
import { button, h, say, set, take } from "./dom.js";
import { Switch } from "./switch.js";
import { clean, number } from "./words.js";

export class GraphTools {
  constructor(tab) {
    this.tab = tab;
    this.modes = new Switch("Show", { calls: "calls", nested: "nested", groups: "groups" }, (mode) => tab.store.arrange({ mode, open: mode === "nested" ? null : [] }));
    this.open = h("span", "nbf-filters", { "aria-label": "Activities shown call by call" });
    this.field = searchField("Find calls", "Find calls by name or status; Enter goes to the next", (text) => tab.look(text));
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.counted = h("span", "nbf-label nbf-found", { "aria-live": "polite" });
    this.path = button("nbf-tool", "Critical path", () => tab.togglePath(), { "aria-pressed": false, title: "The calls that the run's length hangs on" });
    this.scale = button("nbf-tool nbf-scale", "100 %", () => tab.zoom(1 / tab.camera.k), { title: "Show at full size" });
    const sign = (words, name, act) => button("nbf-tool nbf-sign", words, act, { "aria-label": name, title: name });
    this.zooms = h("span", "nbf-together nbf-zooms", {}, sign("−", "Zoom out", () => tab.zoom(1 / 1.3)), this.scale,
      sign("+", "Zoom in", () => tab.zoom(1.3)), button("nbf-tool", "Fit", () => tab.fit(), { title: "Show the whole graph" }));
    this.box = h("div", "nbf-tools", {}, this.modes.box, this.open, this.field, this.counted, this.path, this.zooms);
  }

  draw(store) {
    const { view, critical, names } = store.state, { modes = [], mode, open = [] } = view;
    this.box.hidden = !this.tab.plan?.count && modes.length < 2;
    this.modes.box.hidden = modes.length < 2;
    this.modes.offer(modes);
    this.modes.choose(mode);
    this.path.hidden = !critical.length;
    pressed(this.path, this.tab.critical);
    if (mode === "nested") return void (this.open.hidden = true, this.opened = null);
    const key = JSON.stringify([open, open.map((activity) => names.activities?.[activity])]);
    if (key === this.opened) return;
    this.opened = key;
    this.open.hidden = !open.length;
    this.open.replaceChildren(...open.map((activity) => {
      const name = clean(names.activities?.[activity] ?? `activity ${activity}`);
      return button("nbf-tool nbf-unfolded", `${name} ×`, () => this.tab.unfold(activity, false), { title: `Show ${name} as one box again`, "aria-label": `Show ${name} as one box again` });
    }));
  }

  zoomed(k) { say(this.scale, `${Math.round(k * 100)} %`); }

  count(at, found, query) {
    say(this.counted, !query ? "" : !found ? "nothing found" : at < 0 ? `${number(found)} found` : `${number(at + 1)} of ${number(found)}`);
    set(this.field, { "aria-invalid": Boolean(query) && !found });
  }

  clear() {
    this.field.value = "";
    this.tab.look("");
  }

  key(event) {
    if (event.key === "Enter") {
      take(event);
      this.tab.next(event.shiftKey ? -1 : 1);
    } else if (event.key === "ArrowDown") {
      take(event);
      this.tab.stage.focus();
    }
  }
}
