// The Calls tab: a table of all calls, or of all attempts, that can be ordered and searched.

import "./tabs.css";
import { AWAITED, awaited, percent } from "./attempts.js";
import { partBar, searchField, showPart } from "./bits.js";
import { SYNTAX } from "./calls_query.js";
import { Rows } from "./calls_rows.js";
import { button, disk, h, say, set, take } from "./dom.js";
import { Rolling } from "./rolling.js";
import { clean, duration, number, plural, ticking } from "./words.js";

const HIGH = 26;
/** The table is put in order anew this often while rows change, and for this part of the time. */
const PAUSE = 400, SHARE = 0.1;

const seconds = (value) => (Number.isNaN(value) ? "" : duration(value < 5e-5 ? 0 : value));

// column: its header, the class of its cells, and how a row's value is written
const COLUMNS = {
  id: ["call", "nbf-mono"],
  activity: ["activity", ""],
  status: ["status", ""],
  attempts: ["attempts", "nbf-number"],
  queued: ["queued", "nbf-number"],
  ran: ["ran", "nbf-number"],
  packing: ["storing", "nbf-number nbf-minor"],
  worker: ["worker", "nbf-minor"],
  started: ["started", "nbf-number nbf-minor"],
};

let tables = 0;

export class CallsTab {
  constructor(view) {
    this.view = view;
    this.each = "call";
    this.text = "";
    this.statuses = new Set();
    this.column = "";
    this.down = false;
    this.rows = [];
    this.next = 0;
    this.name = `nbf-calls-${++tables}`;
    this.build();
  }

  build() {
    this.search = searchField("Filter: text, status:failed, ran:>1s …", "Filter the calls", (text) => this.change({ text }), { title: SYNTAX });
    this.search.addEventListener("keydown", (event) => this.searchKey(event));
    this.attempts = button("nbf-tool", "Attempts", () => this.change({ each: this.each === "call" ? "attempt" : "call" }),
      { title: "One row for each attempt" });
    this.chips = h("span", "nbf-filters", { role: "group", "aria-label": "Statuses to show" });
    this.told = h("span", "nbf-count", { role: "status" });
    this.headers = new Map(Object.entries(COLUMNS).map(([name, [words, kind]]) => [name, this.header(name, words, kind)]));
    this.list = new Rolling(HIGH, () => this.make(), (row, i) => this.fill(row, i),
      { tabindex: 0, role: "grid", "aria-label": "Calls", "aria-multiselectable": false });
    this.head = h("div", "nbf-row nbf-heads", { role: "row" }, ...[...this.headers.values()].map(({ cell }) => cell));
    this.list.box.prepend(this.head);
    this.list.inset = HIGH;
    this.list.body.setAttribute("role", "rowgroup");
    this.list.box.addEventListener("keydown", (event) => this.key(event));
    this.list.body.addEventListener("click", (event) => this.click(event));
    this.list.body.addEventListener("pointermove", (event) => this.view.hover(this.callAt(event.target)));
    this.list.body.addEventListener("pointerleave", () => this.view.hover(null));
    this.empty = h("p", "nbf-empty");
    this.box = h("div", "nbf-calls", {},
      h("div", "nbf-tools", {}, this.search, this.chips, this.attempts, this.told), this.list.box, this.empty);
  }

  header(name, words, kind) {
    const press = button("nbf-head-button", words, () => this.sort(name), { tabindex: -1 });
    const cell = h("span", `nbf-cell ${kind}`, { role: "columnheader", "data-column": name }, press);
    return { cell, press, words };
  }

  // --- what is shown

  change(choice) {
    Object.assign(this, choice);
    this.shownAs = null;
    this.view.soon();
  }

  /** Up, down, and back to the order of asking. */
  sort(name) {
    if (this.column !== name) this.change({ column: name, down: false });
    else if (!this.down) this.change({ down: true });
    else this.change({ column: "", down: false });
  }

  draw(store) {
    this.store = store;
    const asked = JSON.stringify([this.each, this.text, [...this.statuses], this.column, this.down]);
    const version = `${store.calls.version} ${store.bars.version} ${Object.keys(store.state.names.activities ?? {}).length}`;
    if (asked !== this.shownAs || version !== this.version) this.renew(asked, version);
    else this.list.draw();
    this.drawHeads();
    this.mark();
  }

  tick(store) {
    this.store = store;
    this.list.draw();
  }

  /** Filter and order anew; for many rows that change all the time not at every message. */
  renew(asked, version) {
    const now = performance.now(), chosen = asked !== this.shownAs;
    this.source = new Rows(this.store, this.each);
    if (!chosen && now < this.next) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.view.soon(), this.next - now + 1);
      this.list.draw();
      return;
    }
    this.shownAs = asked;
    this.version = version;
    const anchor = this.anchor();
    this.rows = this.source.list(this.text, this.statuses, this.column, this.down);
    this.list.show(this.rows.length);
    this.keep(anchor, chosen);
    this.drawChips();
    const cost = performance.now() - now;
    this.next = performance.now() + (this.rows.length > 500 ? Math.max(PAUSE, cost / SHARE) : cost / SHARE);
  }

  /** Where the selected row is on the screen, if it is there. */
  anchor() {
    const at = this.indexOf(this.view.selected);
    return at >= this.list.first && at < this.list.first + this.list.page ? at * HIGH - this.list.top : null;
  }

  /** Let the selected row stay where it was; a new order starts at the selection, or the top. */
  keep(anchor, chosen) {
    const at = this.indexOf(this.view.selected);
    if (at >= 0 && anchor !== null) this.list.top = Math.max(0, at * HIGH - anchor);
    else if (chosen) this.list.top = 0;
    this.list.draw();
  }

  indexOf(call) {
    if (call == null || !this.source) return -1;
    const { rows, source } = this;
    if (this.place?.rows === rows && this.place.call === call) return this.place.at;
    const at = rows.findIndex((row) => source.callOf(row) === call);
    this.place = { rows, call, at };
    return at;
  }

  drawHeads() {
    for (const [name, { cell, press, words }] of this.headers) {
      const mine = this.column === name;
      set(cell, { "aria-sort": mine ? (this.down ? "descending" : "ascending") : "none" });
      say(press, name === "attempts" && this.each === "attempt" ? "attempt" : words);
      set(press, { tabindex: 0, title: mine && this.down ? "Back to the order of asking" : `Order by ${words}` });
    }
    set(this.attempts, { "aria-pressed": this.each === "attempt" });
  }

  drawChips() {
    const { store, view: { look } } = this, known = [...this.source.statuses()].sort(([a], [b]) => a - b);
    const key = JSON.stringify([known, [...this.statuses]]), noun = this.each;
    const total = this.source.count, some = this.rows.length < total ? `${number(this.rows.length)} of ` : "";
    say(this.told, `${some}${plural(total, noun)}`);
    this.empty.hidden = this.rows.length > 0;
    say(this.empty, this.emptyWords(total));
    set(this.list.box, { "aria-rowcount": this.rows.length + 1, "aria-colcount": this.headers.size });
    if (key === this.chipsOf) return;
    this.chipsOf = key;
    const focused = this.chips.contains(document.activeElement) ? document.activeElement.dataset.status : null;
    const names = new Map([...this.statuses].map((status) => [status, 0]));
    for (const [status, count] of known) names.set(store.statusOf(status), count);
    this.chips.replaceChildren(...[...names].map(([status, count]) => {
      const made = button("nbf-tool nbf-chip", "", () => this.toggle(status), { "aria-pressed": this.statuses.has(status), "data-status": status });
      made.append(disk(look, status, 12), `${number(count)} ${status}`);
      return made;
    }));
    if (focused) [...this.chips.children].find((chip) => chip.dataset.status === focused)?.focus();
  }

  emptyWords(total) {
    if (awaited(this.store, this.each === "attempt" ? "bars" : "calls")) return AWAITED;
    if (total) return "No row fits this filter.";
    if (this.each === "attempt") return this.store.running ? "No attempt has begun yet." : "There was no attempt.";
    return this.store.running ? "No call yet. Calls stand here as soon as the workflow asks for them." : "The workflow made no calls.";
  }

  toggle(status) {
    const next = new Set(this.statuses);
    if (!next.delete(status)) next.add(status);
    this.change({ statuses: next });
  }

  // --- rows

  make() {
    const cells = Object.entries(COLUMNS).map(([name, [, kind]]) => h("span", `nbf-cell ${kind}`, { role: "gridcell", "data-column": name }));
    const row = h("div", "nbf-row", { role: "row" }, ...cells);
    const [, activity, status] = cells;
    activity.append(h("i", "nbf-dot"), h("span"));
    status.append(h("span", "nbf-disk"), h("span"), partBar());
    return row;
  }

  fill(element, index) {
    const row = this.rows[index], { source, store, view } = this;
    if (row === undefined) return;
    const { read } = source, status = read.status(row), call = source.callOf(row), [id, activity, state, ...rest] = element.children;
    set(element, { id: `${this.name}-${index}`, "data-call": call, "aria-rowindex": index + 2, "data-status": status,
      "aria-selected": call === view.selected, "data-hovered": call === view.hovered });
    const label = clean(read.id(row));
    say(id, label);
    set(id, { title: label });
    say(activity.lastChild, clean(read.activity(row)));
    activity.firstChild.style.background = store.color(source.calls.activity[call]);
    if (state.dataset.status !== status) {
      state.dataset.status = status;
      state.firstChild.replaceChildren(disk(view.look, status, 13));
    }
    const part = read.progress(row);
    say(state.children[1], status);
    set(state, { title: Number.isNaN(part) ? status : `${status}, ${percent(part)} done` });
    showPart(state.lastChild, part);
    const attempts = read.attempts(row), open = source.barOf(row) >= 0 && Number.isNaN(source.bars.ended[source.barOf(row)]);
    const worker = clean(read.worker(row));
    const words = [attempts > 1 ? `↻ ${number(attempts)}` : attempts ? "1" : "", seconds(read.queued(row)),
      open && !Number.isNaN(read.ran(row)) ? ticking(read.ran(row)) : seconds(read.ran(row)),
      read.packing(row) > 5e-5 ? seconds(read.packing(row)) : "", worker, seconds(read.started(row))];
    rest.forEach((cell, i) => say(cell, words[i]));
    set(rest[4], { title: worker });
  }

  callAt(target) {
    const row = target.closest?.("[data-call]");
    return row ? Number(row.dataset.call) : null;
  }

  click(event) {
    const call = this.callAt(event.target);
    if (call === null) return;
    this.list.box.focus({ preventScroll: true });
    this.cursor = Number(event.target.closest("[aria-rowindex]").getAttribute("aria-rowindex")) - 2;
    this.view.select(call);
  }

  /** Mark the selected row, and tell the one that the keyboard is at. */
  mark() {
    const at = this.at();
    for (const row of this.list.body.children) {
      set(row, { "aria-selected": Number(row.dataset.call) === this.view.selected });
      row.classList.toggle("nbf-cursor", row.id === `${this.name}-${at}` && this.view.selected != null);
    }
    if (at >= 0) set(this.list.box, { "aria-activedescendant": `${this.name}-${at}` });
    else this.list.box.removeAttribute("aria-activedescendant");
  }

  /** The place of the keyboard: one of the selected call's rows. */
  at() {
    const { selected } = this.view;
    if (selected == null) return -1;
    if (this.cursor >= 0 && this.source && this.rows[this.cursor] !== undefined && this.source.callOf(this.rows[this.cursor]) === selected) return this.cursor;
    return this.indexOf(selected);
  }

  select(call) {
    if (!this.source || call == null) return;
    const at = this.at();
    if (at >= 0) this.list.reveal(at);
  }

  hover(call) {
    for (const row of this.list.body.children) set(row, { "data-hovered": Number(row.dataset.call) === call });
  }

  // --- the keyboard

  searchKey(event) {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    take(event);
    this.list.box.focus();
    if (this.at() < 0) this.go(0);
  }

  key(event) {
    if (event.key === "Tab" || event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation(); // letters too are shortcuts of the notebook
    if (event.target !== this.list.box) return;
    const at = this.at(), last = this.rows.length - 1, { page } = this.list;
    const keys = {
      ArrowDown: () => this.go(Math.min(last, at + 1)),
      ArrowUp: () => this.go(Math.max(0, at - 1)),
      PageDown: () => this.go(Math.min(last, Math.max(0, at) + page - 1)),
      PageUp: () => this.go(Math.max(0, at - page + 1)),
      Home: () => this.go(0),
      End: () => this.go(last),
      Enter: () => this.go(Math.max(0, at)),
      "/": () => this.search.focus(),
      Escape: () => this.view.select(null),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    take(event);
    keys[event.key]();
  }

  go(index) {
    if (this.rows[index] === undefined) return;
    this.cursor = index;
    this.list.reveal(index);
    this.list.draw();
    this.view.select(this.source.callOf(this.rows[index]));
  }

  close() { clearTimeout(this.timer); }
}
