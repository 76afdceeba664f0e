// The Gantt tab: attempts in time, in lanes by worker or by activity. What is drawn is in
// gantt_paint.js; here is what can be done with it.

import "./tabs.css";
import { button, fit, h, say, set, take } from "./dom.js";
import { summary } from "./gantt_bins.js";
import { firstAt, freeAt, packLanes, spanOf, touching, workBy } from "./gantt_lanes.js";
import { AXIS, Painter } from "./gantt_paint.js";
import { kept, panned, zoomed } from "./gantt_scale.js";
import { clean, duration, number, plural } from "./words.js";
import { columnsOf, percent } from "./attempts.js";
import { Switch } from "./switch.js";

/** Pixels: the chart's greatest height, and the heights that a lane can have. */
const HIGH = 460, THIN = 9, THICK = 26;
const STEP = 1.35;
const HELP = "Left and right arrow go to the bar before and after, up and down to other lanes, plus and minus zoom, " +
  "Shift and an arrow move the window, Home shows the whole run, Enter selects, Escape clears.";
/** Packing anew may take this part of the time. */
const SHARE = 0.1;

export class GanttTab {
  constructor(view) {
    this.view = view;
    this.by = "worker";
    this.color = "activity";
    this.critical = true;
    this.window = null; // null: the whole run, and it grows with it
    this.focus = -1;
    this.paced = { version: -1, next: 0 };
    this.build();
    this.listen();
  }

  build() {
    this.lanesBy = new Switch("Lanes", { worker: "Worker", activity: "Activity" }, (by) => this.change({ by }));
    this.colorBy = new Switch("Colour", { activity: "Activity", status: "Status" }, (color) => this.change({ color }));
    this.path = button("nbf-tool", "Critical path", () => this.change({ critical: !this.critical }),
      { title: "Rim the calls that the run's length is made of" });
    const zoom = (words, name, act) => button("nbf-tool nbf-sign", words, act, { "aria-label": name, title: name });
    this.out = zoom("−", "Zoom out", () => this.zoom(STEP));
    this.fitted = button("nbf-tool", "Fit", () => this.fit(), { title: "Show the whole run (Home)" });
    this.canvas = h("canvas", "nbf-chart", { tabindex: 0, role: "application", "aria-roledescription": "chart" });
    this.spacer = h("div", "nbf-spacer", {}, this.canvas);
    this.scroller = h("div", "nbf-scroller", {}, this.spacer);
    this.empty = h("p", "nbf-empty");
    this.figures = h("dl", "nbf-figures");
    this.legend = h("div", "nbf-legend");
    this.spoken = h("span", "nbf-hidden", { "aria-live": "polite" });
    this.tools = h("div", "nbf-tools", {}, this.lanesBy.box, this.colorBy.box, this.path,
      h("span", "nbf-together", {}, this.out, zoom("+", "Zoom in", () => this.zoom(1 / STEP)), this.fitted), this.figures);
    this.box = h("div", "nbf-gantt", {}, this.tools, this.scroller, this.empty, this.legend, this.spoken);
    this.painter = new Painter(this.canvas);
  }

  change(choice) {
    Object.assign(this, choice);
    this.packed = null;
    this.view.soon();
  }

  // --- drawing

  draw(store, width) {
    this.store = store;
    this.width = width;
    const bars = this.bars = columnsOf(store.bars);
    this.drawTools(bars);
    for (const part of [this.scroller, this.legend]) part.hidden = !bars.count;
    this.empty.hidden = bars.count > 0;
    say(this.empty, emptyWords(store));
    if (!bars.count) return;
    this.pack(bars, store);
    this.measure();
    this.drawLegend();
    this.paint();
  }

  tick(store) {
    if (!this.bars?.count || !this.packed) return;
    this.store = store;
    this.drawFigures();
    this.paint();
  }

  /** Put the bars in lanes if they are others than before; often, but not all the time, for many. */
  pack(bars, store) {
    const { activities = [], workers = [] } = store.state.names, { version } = store.bars;
    const key = `${this.by} ${activities.length} ${workers.length}`;
    const now = performance.now(), late = this.paced.version !== version && now < this.paced.next;
    if (this.packed && this.packedAs === key && (this.paced.version === version || late)) {
      if (late) this.later(this.paced.next - now);
      return;
    }
    const calls = columnsOf(store.calls), byWorker = this.by === "worker";
    const groupOf = byWorker ? (row) => bars.worker[row] : (row) => calls.activity[bars.call[row]];
    const nameOf = byWorker ? (n) => store.worker(n) || "worker" : (n) => activities[n] ?? "?";
    this.packed = packLanes(bars, groupOf, nameOf, byWorker);
    this.packedAs = key;
    this.names = null;
    this.paced = { version, next: performance.now() + Math.max(0, performance.now() - now - 2) / SHARE };
  }

  later(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.view.soon(), milliseconds + 1);
  }

  /** Find how high a lane is and how wide the names are. */
  measure() {
    const { view, packed } = this, count = Math.max(1, packed.lanes.length);
    const room = HIGH - AXIS;
    this.lane = Math.min(THICK, Math.max(THIN, Math.floor(room / count)));
    const total = AXIS + count * this.lane + 4;
    this.height = Math.min(HIGH, total);
    this.scroller.style.height = `${this.height}px`;
    this.spacer.style.height = `${total}px`;
    this.room = this.scroller.clientWidth || this.width;
    const key = `${view.family} ${this.room < 560}`;
    if (this.names && this.namesAs === key) return;
    this.namesAs = key;
    const most = this.room < 560 ? 84 : 142;
    this.names = new Map(packed.groups.map(({ group, name }) => [group, fit(clean(name), most, 11, view.family)]));
    this.left = 16 + Math.max(24, ...[...this.names.values()].slice(0, 400).map((name) => this.wide(name)));
    this.right = this.room < 560 ? 0 : 92;
  }

  wide(text) {
    const { ctx } = this.painter;
    ctx.font = `11px ${this.view.family}`;
    return Math.min(150, ctx.measureText(text).width);
  }

  get whole() {
    const { store } = this, [begin, end] = spanOf(this.bars, store.now);
    return [begin, end + (end - begin) * (store.live ? 0.025 : 0.008)];
  }

  get shown() { return this.window ? kept(this.window, this.whole) : this.whole; }

  /** Everything that the painter wants to know. */
  scene() {
    const { store, view, bars, packed } = this, { look } = view, theme = view.theme();
    const calls = columnsOf(store.calls), byStatus = this.color === "status";
    const kinds = look.activities.length;
    return {
      bars, packed, theme: { ...theme, failed: look.colors.failed, cancelled: look.colors.cancelled, wait: theme.edge },
      look, family: view.family, names: this.names, duration, byWorker: this.by === "worker",
      width: this.room, height: this.height, ratio: globalThis.devicePixelRatio || 1,
      left: this.left, right: this.right, lane: this.lane, scroll: this.scroller.scrollTop,
      whole: this.whole, window: this.shown, now: store.now, live: store.live,
      colors: byStatus ? look.statuses.map((status) => look.colors[status] ?? "#7d7d7d") : look.activities,
      kindOf: byStatus ? (row) => bars.status[row] : (row) => Math.min(calls.activity[bars.call[row]], kinds - 1),
      failed: look.statuses.indexOf("failed"),
      statusOf: (row) => this.statusOf(row),
      label: (row) => clean(store.label(bars.call[row])) + (bars.attempt[row] > 1 ? ` ↻${bars.attempt[row]}` : ""),
      critical: this.critical && store.state.critical.length ? store.state.critical : null,
      selected: this.barsOf(view.selected), hovered: this.barsOf(view.hovered),
      focused: this.focus >= 0 && document.activeElement === this.canvas ? [this.focus] : [],
    };
  }

  statusOf(row) { return this.store.statusOf(this.bars.status[row]); }

  /** The bars of a call. */
  barsOf(call) {
    if (call == null) return [];
    const { bars } = this, found = [];
    for (let row = bars.call.indexOf(call); row >= 0 && row < bars.count; row = bars.call.indexOf(call, row + 1)) found.push(row);
    return found;
  }

  paint() {
    if (!this.canvas.isConnected || !this.packed) return;
    this.painter.paint(this.scene());
    this.fitted.disabled = this.out.disabled = !this.window;
  }

  /** Paint at the next frame, without the rest of the panel. */
  soon() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      if (this.packed) this.paint();
    });
  }

  // --- tools, figures, legend

  drawTools(bars) {
    this.lanesBy.choose(this.by);
    this.colorBy.choose(this.color);
    const known = this.store.state.critical.length > 0;
    this.path.hidden = !known;
    set(this.path, { "aria-pressed": this.critical });
    const { head } = this.store.state;
    set(this.canvas, { "aria-label": `Gantt chart of ${plural(bars.count, "attempt")} of ${plural(head.calls ?? 0, "call")}. ${HELP}` });
    this.drawFigures();
  }

  drawFigures() {
    const found = this.store.state.head.figures ?? {}, mine = this.packed ? this.measured() : {};
    const idle = found.efficiency != null ? 1 - found.efficiency : mine.idle;
    const shown = [
      ["work", found.work ?? mine.work, duration, "Seconds that activities ran, all workers together"],
      ["critical path", found.critical, duration, "The chain of calls that the run's length is made of"],
      ["efficiency", found.efficiency ?? (idle == null ? null : 1 - idle), percent, "Which part of the workers' time was work"],
      ["idle", idle, percent, "Which part of the workers' time was not work"],
    ].filter(([, value]) => value != null && Number.isFinite(value));
    const key = shown.map(([name, value, words]) => `${name} ${words(value)}`).join();
    if (key === this.figuresOf) return;
    this.figuresOf = key;
    this.figures.replaceChildren(...shown.map(([name, value, words, title]) =>
      h("div", "", { title }, h("dt", "", {}, name), h("dd", "", {}, words(value)))));
  }

  /** What can be said from the bars alone, while the kernel has not said it. */
  measured() {
    const { now } = this.store, work = this.packed.groups.reduce((sum, group) => sum + workBy(group, now), 0);
    if (this.by !== "worker" || !(now > 0)) return { work };
    return { work, idle: Math.max(0, 1 - work / (now * this.packed.lanes.length)) };
  }

  drawLegend() {
    const { look } = this.view, { activities = [] } = this.store.state.names, known = look.activities.length - 1;
    const key = (name, color) => h("span", "nbf-key", {}, h("i", "", { style: `background:${color}` }), clean(name));
    const sort = (name, words) => h("span", "nbf-key", {}, h("i", `nbf-sort nbf-${name}`), words);
    const words = `${this.color} ${activities.join()}`;
    if (words === this.legendOf) return;
    this.legendOf = words;
    const names = this.color === "status"
      ? ["running", "done", "failed", "cancelled"].map((status) => key(status, look.colors[status]))
      : [...activities.slice(0, known).map((name, i) => key(name, look.activities[i])),
        activities.length > known ? key("others", look.activities[known]) : null];
    this.legend.style.setProperty("--nbf-failed", look.colors.failed);
    this.legend.replaceChildren(...names.filter(Boolean), h("span", "nbf-sorts", {},
      sort("queued", "queued"), sort("ran", "ran"), sort("packed", "storing"), sort("hatched", "failed")));
  }

  // --- time

  fit() {
    this.window = null;
    this.soon();
  }

  /** Zoom about a part of the window; by itself about the bar in focus, or the middle. */
  zoom(factor, part) {
    if (!this.packed) return;
    const { whole, shown } = this;
    if (part === undefined) {
      const time = this.focus >= 0 ? this.bars.started[this.focus] : NaN, at = (time - shown[0]) / (shown[1] - shown[0]);
      part = at >= 0 && at <= 1 ? at : 0.5;
    }
    const next = zoomed(shown, factor, part, whole);
    this.window = next[1] - next[0] >= (whole[1] - whole[0]) * 0.9999 ? null : next;
    this.soon();
  }

  pan(seconds) {
    if (!this.window) return;
    this.window = panned(this.shown, seconds, this.whole);
    this.soon();
  }

  /** Show a stretch of time with some room beside it. */
  zoomTo(from, to) {
    const room = Math.max((to - from) * 0.3, 1e-5);
    this.window = kept([from - room, to + room], this.whole);
    this.soon();
  }

  endOf(row) {
    const free = freeAt(this.bars, row);
    return free === Infinity ? this.store.now : free;
  }

  // --- the pointer

  get plot() { return Math.max(1, this.room - this.left - this.right); }

  timeAt(x) { return this.shown[0] + ((x - this.left) / this.plot) * (this.shown[1] - this.shown[0]); }

  laneAt(y) { return Math.floor((y - AXIS + this.scroller.scrollTop) / this.lane); }

  /** What is under the pointer: {group} at the side, {rows} of bars that touch the pixel, or null. */
  hit({ offsetX, offsetY }) {
    if (!this.packed || offsetY < AXIS) return null;
    const lane = this.packed.lanes[this.laneAt(offsetY)];
    if (!lane) return null;
    const groupOf = () => this.packed.groups.find(({ group }) => group === lane.group);
    if (offsetX < this.left || offsetX > this.left + this.plot) return { group: groupOf(), rows: [] };
    const pixel = (this.shown[1] - this.shown[0]) / this.plot, time = this.timeAt(offsetX), { now } = this.store;
    const near = (by) => touching(this.bars, lane.rows, time - by, time + by, now);
    const wide = (row) => this.endOf(row) - this.bars.started[row] >= 3 * pixel;
    const exact = near(0).filter(wide);
    const rows = exact.length ? exact.slice(-1) : near(2 * pixel);
    if (rows.length) return { rows, from: time - 2 * pixel, to: time + 2 * pixel };
    return this.waiting(lane, time);
  }

  /** The bar whose waiting for a worker is under the pointer. */
  waiting(lane, time) {
    const row = lane.rows[firstAt(this.bars, lane.rows, time)];
    return row !== undefined && this.bars.ready[row] <= time ? { rows: [row], from: time, to: time } : null;
  }

  /** Of several bars under the pointer the one to name: one that failed, or the longest. */
  mainOf({ rows, from, to }) {
    if (rows.length < 2) return rows[0] ?? -1;
    return this.sum(rows, from, to).row;
  }

  sum(rows, from, to) {
    const { failed, kindOf } = this.scene();
    return summary(this.bars, rows, failed, kindOf, from, to, this.store.now);
  }

  listen() {
    const on = (name, act, options) => this.canvas.addEventListener(name, (event) => this.packed && act(event), options);
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => (this.drag ? this.move(event) : this.point(event)));
    on("pointerup", (event) => this.release(event));
    on("pointercancel", () => { this.drag = null; });
    on("pointerleave", () => this.leave());
    on("dblclick", (event) => this.enlarge(event));
    on("keydown", (event) => this.key(event));
    for (const name of ["focus", "blur"]) on(name, () => this.soon());
    this.scroller.addEventListener("scroll", () => this.soon());
  }

  wheel(event) {
    const unit = event.deltaMode ? 16 : 1, along = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.ctrlKey || event.metaKey || event.shiftKey) {
      take(event);
      const turned = (event.deltaY || event.deltaX) * unit, part = (event.offsetX - this.left) / this.plot;
      this.zoom(Math.exp(Math.max(-300, Math.min(300, turned)) * 0.0025), Math.min(1, Math.max(0, part)));
    } else if (along && this.window) {
      take(event);
      this.pan(((event.deltaX * unit) / this.plot) * (this.shown[1] - this.shown[0]));
    }
    this.view.tip.hide();
  }

  press(event) {
    if (event.button) return;
    this.drag = { x: event.offsetX, y: event.clientY, window: this.shown, top: this.scroller.scrollTop, moved: false };
    this.canvas.setPointerCapture?.(event.pointerId);
  }

  move(event) {
    const { drag } = this, by = event.offsetX - drag.x, up = event.clientY - drag.y;
    if (!drag.moved && Math.hypot(by, up) < 4) return;
    drag.moved = true;
    this.view.tip.hide();
    set(this.canvas, { "data-dragged": true });
    if (this.window) this.window = panned(drag.window, (-by / this.plot) * (drag.window[1] - drag.window[0]), this.whole);
    this.scroller.scrollTop = drag.top - up;
    this.soon();
  }

  release(event) {
    const { drag } = this;
    this.drag = null;
    this.canvas.removeAttribute("data-dragged");
    if (!drag || drag.moved) return;
    const hit = this.hit(event), row = hit ? this.mainOf(hit) : -1;
    if (row < 0) return;
    this.focus = row;
    this.view.select(this.bars.call[row]);
  }

  point(event) {
    const hit = this.hit(event);
    if (!hit) return this.leave();
    this.canvas.style.cursor = hit.rows.length ? "pointer" : "";
    const row = this.mainOf(hit);
    this.view.hover(row < 0 ? null : this.bars.call[row]);
    this.view.tip.show(event, hit.group ? this.groupWords(hit.group) : hit.rows.length > 1 ? this.manyWords(hit) : this.words(row));
  }

  leave() {
    this.canvas.style.cursor = "";
    this.view.tip.hide();
    this.view.hover(null);
  }

  enlarge(event) {
    const hit = this.hit(event);
    if (!hit?.rows.length) return this.fit();
    this.view.tip.hide();
    this.zoomTo(Math.min(...hit.rows.map((row) => this.bars.started[row])), Math.max(...hit.rows.map((row) => this.endOf(row))));
  }

  select() { this.soon(); }

  hover() {
    if (this.view.tabs?.[this.view.tab] === this) this.soon();
  }

  // --- words

  /** All about a bar, as [title, [name, words], ...]. */
  words(row) {
    const { bars, store } = this, call = bars.call[row], status = this.statusOf(row);
    const ended = bars.ended[row], queued = bars.started[row] - bars.ready[row];
    return [store.label(call),
      ["activity", store.activity(call)],
      ["status", status + (bars.attempt[row] > 1 ? `, attempt ${bars.attempt[row]}` : "")],
      ["queued", queued > 5e-4 ? duration(queued) : ""],
      [Number.isNaN(ended) ? "running for" : "ran", duration(Math.max(0, (Number.isNaN(ended) ? store.now : ended) - bars.started[row]))],
      ["storing", bars.packing[row] > 5e-4 ? duration(bars.packing[row]) : ""],
      ["worker", store.worker(bars.worker[row])],
      ["started", `${duration(Math.max(0, bars.started[row]))} into the run`]];
  }

  manyWords({ rows, from, to }) {
    const { store } = this, found = this.sum(rows, from, to), { activities = [] } = store.state.names;
    const names = new Set(rows.slice(0, 5000).map((row) => store.calls.column.activity[this.bars.call[row]]));
    return [`${number(found.count)} attempts`,
      ["status", [...found.statuses].sort(([a], [b]) => a - b).map(([n, count]) => `${number(count)} ${store.statusOf(n)}`).join(", ")],
      ["activity", [...names].slice(0, 4).map((n) => activities[n] ?? "?").join(", ") + (names.size > 4 ? ", …" : "")],
      ["busy", percent(found.busy)],
      ["among them", store.label(this.bars.call[found.row])],
      ["", "Double-click to zoom in"]];
  }

  groupWords(group) {
    const { now } = this.store, work = workBy(group, now);
    return [group.name, ["attempts", number(group.rows)], ["work", duration(work)],
      ["idle", this.by === "worker" && now > 0 ? percent(Math.max(0, 1 - work / (now * group.lanes))) : ""],
      ["at once", group.lanes > 1 ? `up to ${number(group.lanes)}` : ""]];
  }

  // --- the keyboard

  key(event) {
    if (event.key === "Tab" || event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation(); // letters too are shortcuts of the notebook
    const wide = this.shown[1] - this.shown[0], aside = event.shiftKey;
    const keys = {
      ArrowRight: () => (aside ? this.pan(wide * 0.2) : this.walk(1)),
      ArrowLeft: () => (aside ? this.pan(-wide * 0.2) : this.walk(-1)),
      ArrowDown: () => this.cross(1),
      ArrowUp: () => this.cross(-1),
      Home: () => this.fit(),
      End: () => this.zoomTo(this.whole[1] - wide, this.whole[1]),
      "+": () => this.zoom(1 / STEP),
      "=": () => this.zoom(1 / STEP),
      "-": () => this.zoom(STEP),
      _: () => this.zoom(STEP),
      PageDown: () => { this.scroller.scrollTop += this.height - AXIS; },
      PageUp: () => { this.scroller.scrollTop -= this.height - AXIS; },
      Enter: () => this.focus >= 0 && this.view.select(this.bars.call[this.focus]),
      " ": () => this.focus >= 0 && this.view.select(this.bars.call[this.focus]),
      Escape: () => this.clear(),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    take(event);
    keys[event.key]();
  }

  clear() {
    this.focus = -1;
    say(this.spoken, "");
    this.view.select(null);
  }

  /** Go along a lane. */
  walk(step) {
    if (this.focus < 0) return this.goTo(this.start());
    const { rows } = this.packed.lanes[this.packed.of[this.focus]], next = rows[rows.indexOf(this.focus) + step];
    if (next !== undefined) this.goTo(next);
  }

  /** Go to the bar of another lane that is nearest in time. */
  cross(step) {
    if (this.focus < 0) return this.goTo(this.start());
    const lane = this.packed.lanes[this.packed.of[this.focus] + step];
    if (!lane) return;
    const time = this.bars.started[this.focus], at = firstAt(this.bars, lane.rows, time);
    const near = [lane.rows[at - 1], lane.rows[at]].filter((row) => row !== undefined);
    this.goTo(near.reduce((a, b) => (Math.abs(this.bars.started[b] - time) < Math.abs(this.bars.started[a] - time) ? b : a)));
  }

  /** Where walking begins: at the selected call, or the first bar in sight. */
  start() {
    const [selected] = this.barsOf(this.view.selected);
    if (selected !== undefined) return selected;
    const { rows } = this.packed.lanes[Math.max(0, this.laneAt(AXIS))] ?? this.packed.lanes[0];
    return rows[Math.min(rows.length - 1, firstAt(this.bars, rows, this.shown[0]))];
  }

  goTo(row) {
    this.focus = row;
    this.reveal(row);
    say(this.spoken, clean(this.words(row).map((part) => (typeof part === "string" ? part : part[1] && `${part[0]} ${part[1]}`)).filter(Boolean).join(", ")));
    this.view.hover(this.bars.call[row]);
    this.soon();
  }

  /** Bring a bar into sight. */
  reveal(row) {
    const { shown: [from, to], bars } = this, start = bars.started[row], wide = to - from;
    if (this.window && (start < from || start > to - wide * 0.05)) this.pan(start - from - wide * 0.3);
    const top = this.packed.of[row] * this.lane, { scrollTop } = this.scroller, room = this.height - AXIS - this.lane;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top > scrollTop + room) this.scroller.scrollTop = top - room;
  }

  close() { clearTimeout(this.timer); }
}

function emptyWords(store) {
  if (store.running) return "No call has started yet. The chart fills in as they do.";
  return store.state.head.calls ? "No call was started." : "The workflow made no calls.";
}
