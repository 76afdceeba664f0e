// The frame of the panel: header, actions, tabs, the details of one call, the result.
//
// A TAB is a class:
//   constructor(view)     makes its elements; nothing is attached to the page yet
//   .box                  the element that is shown while the tab is chosen
//   .draw(store, width)   shows what the store knows, at most once a frame, attached, only while it is
//                         chosen; width in pixels. It is called for every reason (a message came, the
//                         panel was resized, another call was selected, the theme changed), so it
//                         compares and does only what is needed
//   .tick(store)          four times a second while the run is live: lets the running seconds go on
//   .select(call)         optional: another call (row of the calls table, or null) was selected, maybe in
//                         another tab; `draw` follows
//   .hover(call)          optional: the pointer is over this call (or null) in some tab; now, without `draw`
//   .close()              optional: the view goes
// The details pane (detail.js) is the same kind of class; it stands below whichever tab is chosen
// and is shown while a call is selected.
//
// What a tab may use of the VIEW:
//   view.store, view.look ({colors, icons, dashed, activities, statuses}), view.family (font)
//   view.selected, view.select(call)   one selected call for all tabs; select(null) closes the details
//   view.hovered, view.hover(call)     the same for the pointer
//   view.tip.show(event, [title, [name, text], ...]) and view.tip.hide()   the hover tip
//   view.show("Gantt")                 go to a tab
//   view.soon()                        draw at the next frame
//   view.theme()                       colours for a canvas: {ink, faint, paper, rule, focus, edge, bad, dark}
//   view.still                         whether the reader wants no motion
// and of the STORE (store.js): state (head, names, critical, view, graph, tables, nodes, edges),
//   calls and bars (tables of typed columns, rows.js), label(call), activity(call), worker(n),
//   statusOf(n), color(n), log, details, now, running, live, can(action), act(action, more),
//   isPressed(action), askDetail(call), askLog(), send(message).

import { disk, h, say, set, svg, take, GREY, button } from "./dom.js";
import { duration, inOrder, number, ticking, wordsOf, clean } from "./words.js";
import { clock, storeOf } from "./store.js";
import { Theme } from "./theme.js";
import { Tip } from "./tip.js";
import { GraphTab } from "./graph.js";
import { GanttTab } from "./gantt.js";
import { CallsTab } from "./calls.js";
import { LogTab } from "./log.js";
import { ResultTab } from "./result.js";
import { DetailPane } from "./detail.js";

const TABS = { Graph: GraphTab, Gantt: GanttTab, Calls: CallsTab, Log: LogTab, Result: ResultTab };

const LOST = "No word from the kernel. This is the last that was heard of the run.";
const READING = "The log is still being read: what is shown is how far the run was by then.";
const COUNTED = "All calls are counted. One by one, they are still being read from the log: what you open is shown then.";
const BUSY = "The kernel has not answered yet: a cell may be holding it up (■ interrupts it).";

// action: what its button says, what it says once pressed, and what it is for
const ACTIONS = {
  retry: ["Retry failed", "Retrying…", "Run the failed calls again, and what needs them"],
  resume: ["Resume", "Resuming…", "Go on from where the run was left; what is done stays done"],
  cancel: ["Cancel", "Cancelling…", "Stop the run"],
};

/** One panel on a page. */
export class View {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.look = model.get("look");
    this.store = storeOf(model);
    this.selected = this.hovered = null;
    this.still = Boolean(globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches);
    this.build();
    this.store.views.add(this);
    this.colors = new Theme(this.root, () => this.soon());
    this.timer = setInterval(() => this.tick(), this.still ? 1000 : 250);
    this.resizes = new ResizeObserver(() => this.soon());
    this.resizes.observe(this.root);
    this.draw();
    this.soon();
  }

  // --- what tabs use

  theme() { return this.colors.read(); }

  /** Select a call by its row, for all tabs; null selects none. */
  select(call) {
    this.selected = call ?? null;
    for (const part of [...Object.values(this.tabs), this.detail]) part.select?.(this.selected);
    this.soon();
  }

  hover(call) {
    if (this.hovered === (call ?? null)) return;
    this.hovered = call ?? null;
    for (const tab of Object.values(this.tabs)) tab.hover?.(this.hovered);
  }

  /** Go to a tab. */
  show(name) {
    if (!Object.hasOwn(this.tabs, name)) return;
    this.tab = name;
    this.tip.hide();
    this.draw();
  }

  /** Show another run in an element; gives what takes it off again. */
  mount(model, el) { return mount(model, el); }

  /** Draw at the next frame, once for all that comes before it. */
  soon() {
    if (this.queued || this.closed) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      if (!this.closed) this.draw();
    });
  }

  // --- the frame

  build() {
    this.buttons = Object.fromEntries(Object.entries(ACTIONS).map(([action, [words, , why]]) =>
      [action, button(`nbf-action nbf-${action}`, words, () => this.store.act(action), { title: why })]));
    const head = h("header", "nbf-header", {},
      this.mark = h("span", "nbf-disk"), this.name = h("strong", "nbf-title"), this.id = h("code", "nbf-id"),
      this.pill = h("span", "nbf-pill"), h("span", "nbf-right", {},
        this.eta = h("span", "nbf-eta"), this.elapsed = h("span", "nbf-elapsed"), ...Object.values(this.buttons)));
    this.root = h("section", "nbf", { "aria-label": "Run of a workflow" });
    this.tip = new Tip(this.root);
    this.detail = new DetailPane(this);
    this.aside = h("div", "nbf-aside", {}, this.detail.box);
    this.root.append(head, this.progress = h("div", "nbf-progress", { role: "progressbar", "aria-label": "Calls that have ended", "aria-valuemin": 0 }),
      h("div", "nbf-toolbar", {}, this.chips = h("div", "nbf-chips"), this.buildTabs()),
      this.note = h("div", "nbf-note"), this.page = h("div", "nbf-page", { role: "tabpanel" }), this.aside,
      this.result = h("div", "nbf-result"), this.status = h("span", "nbf-hidden", { role: "status", "aria-live": "polite" }), this.tip.box);
    this.root.addEventListener("keydown", keepKeys);
    this.el.append(this.root);
  }

  buildTabs() {
    this.tabs = Object.fromEntries(Object.entries(TABS).map(([name, Tab]) => [name, new Tab(this)]));
    this.tab = "Graph";
    this.handles = Object.keys(TABS).map((name) => button("nbf-tab", name, () => this.show(name), { role: "tab" }));
    const list = h("div", "nbf-tabs", { role: "tablist", "aria-label": "What to show" }, ...this.handles);
    list.addEventListener("keydown", (event) => this.turn(event));
    return list;
  }

  /** Arrows go from tab to tab. */
  turn(event) {
    const names = Object.keys(TABS), at = names.indexOf(this.tab), last = names.length - 1;
    const next = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at ? at - 1 : last, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    take(event); // the notebook uses arrows too
    this.show(names[next]);
    this.handles[next].focus();
  }

  tick() {
    if (!this.el.isConnected) return;
    if (this.store.running || this.store.pressed.size) this.drawHead();
    if (!this.store.live || !this.root.clientWidth) return;
    this.tabs[this.tab].tick(this.store);
    if (this.selected != null) this.detail.tick(this.store);
  }

  draw() {
    this.drawHead();
    this.handles.forEach((handle) => {
      const chosen = handle.textContent === this.tab;
      set(handle, { "aria-selected": chosen, tabindex: chosen ? 0 : -1 });
    });
    this.drawResult();
    if (!this.el.isConnected) return;
    const tab = this.tabs[this.tab];
    if (this.page.firstChild !== tab.box) this.page.replaceChildren(tab.box);
    set(this.page, { "aria-label": this.tab });
    const style = getComputedStyle(this.root);
    this.family = style.fontFamily;
    const width = this.page.clientWidth || 600;
    tab.draw(this.store, width);
    this.aside.hidden = this.selected == null;
    if (this.selected != null) this.detail.draw(this.store, width);
  }

  drawHead() {
    const { store, look } = this, { head } = store.state, status = store.status;
    say(this.name, clean(head.workflow) || "workflow");
    say(this.id, clean(head.run));
    say(this.elapsed, store.running ? ticking(store.now) : duration(store.now));
    this.drawEta(head.figures?.eta);
    set(this.root, { "data-status": status, "data-run": head.run ?? "" });
    this.drawActions();
    const note = status === "disconnected" ? LOST : store.note || (store.late ? BUSY : head.counted ? COUNTED : head.reading ? READING : "");
    say(this.note, clean(note));
    this.note.hidden = !note;
    const counts = inOrder(head.counts), key = JSON.stringify([status, counts]);
    if (key === this.headOf) return;
    this.headOf = key;
    this.root.style.setProperty("--nbf-status", look.colors[status] ?? GREY);
    this.mark.replaceChildren(disk(look, status, 18));
    say(this.pill, status);
    if (this.told !== status) say(this.status, clean(`Run ${head.run ?? ""} ${this.told = status}. ${wordsOf(head.counts)}`));
    this.drawCounts(counts, head);
  }

  drawEta(eta) {
    const left = this.store.live && eta != null ? Math.max(0, eta - (clock() - this.store.heard)) : null;
    say(this.eta, left == null ? "" : left < 1 ? "about to end" : `about ${duration(Math.ceil(left)).replace(/\.\d+ s/, " s")} left`);
  }

  drawActions() {
    const { store } = this;
    for (const [action, [words, during]] of Object.entries(ACTIONS)) {
      const made = this.buttons[action], pressed = store.isPressed(action);
      made.hidden = !store.can(action) || (action === "cancel") !== store.running || store.status === "completed";
      made.disabled = pressed;
      set(made, { "aria-busy": pressed });
      say(made, pressed ? during : words);
    }
  }

  drawCounts(counts, head) {
    const { look } = this, ended = new Set(["done", "cached", "failed", "cancelled", "skipped"]);
    set(this.progress, { "aria-valuemax": head.calls ?? 0, "aria-valuetext": wordsOf(head.counts) || "no call yet",
      "aria-valuenow": counts.reduce((sum, [name, count]) => sum + (ended.has(name) ? count : 0), 0) });
    this.progress.replaceChildren(...counts.map(([name, count]) =>
      h("span", `nbf-part nbf-is-${name}`, { style: `flex-grow:${count};background:${look.colors[name]}`, title: `${number(count)} ${name}` })));
    this.chips.replaceChildren(...counts.map(([name, count]) =>
      h("span", "nbf-chip", {}, disk(look, name, 13), `${number(count)} ${name}`)));
    if (!counts.length) this.chips.append(this.store.running ? "no call yet" : "no calls");
  }

  /** How it ended, in a line or a few below every tab but that which tells it at length. */
  drawResult() {
    const { head } = this.store.state, text = head.error || head.result;
    this.result.hidden = !text || this.tab === "Result";
    const key = JSON.stringify([head.status, head.result, head.error]);
    if (key === this.resultOf) return;
    this.resultOf = key;
    const label = head.error ? (head.call ? `Error in ${head.call}` : "Error") : "Result";
    this.result.replaceChildren(h("span", "nbf-label", {}, clean(label)),
      h("pre", head.error ? "nbf-error" : "nbf-value", {}, clean(text)));
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    this.resizes.disconnect();
    this.colors.close();
    for (const part of [...Object.values(this.tabs), this.detail]) part.close?.();
    this.store.views.delete(this);
    this.root.remove();
  }
}

/** Keys pressed here are not for the notebook, where letters delete cells and Enter edits them. */
function keepKeys(event) {
  const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
  if (ctrlKey || metaKey || altKey || key === "Tab" || key === "Escape" || (key === "Enter" && shiftKey)) return;
  event.stopPropagation();
}

/** Show a run on a page: gives what takes it off again. */
export function mount(model, el) {
  const view = new View(model, el);
  return () => view.close();
}
