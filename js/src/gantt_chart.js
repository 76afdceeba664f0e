// The Gantt chart as a part of the page: its tools, figures and legend, the lanes, and the window of
// time that is shown. The painting itself is in gantt_paint.js.

import "./tabs.css";
import { AWAITED, awaited, columnsOf, percent } from "./attempts.js";
import { button, fit, h, say, set } from "./dom.js";
import { AXIS } from "./gantt_bars.js";
import { freeAt, packLanes, spanOf, workBy } from "./gantt_lanes.js";
import { Painter } from "./gantt_paint.js";
import { kept, panned, zoomed } from "./gantt_scale.js";
import { Switch } from "./switch.js";
import { clean, duration, plural } from "./words.js";

/** Pixels: the chart's greatest height, and the heights that a lane can have. */
const HIGH = 460, THIN = 9, THICK = 26;
/** How much a press of a button or a key zooms. */
export const STEP = 1.35;
const HELP = "Left and right arrow go to the bar before and after, up and down to other lanes, plus and minus zoom, " +
  "Shift and an arrow move the window, Home shows the whole run, Enter selects, Escape clears.";
/** Packing anew may take this part of the time. */
const SHARE = 0.1;

/** The chart as an element, and what is known for drawing it; gantt.js lets one work with it. */
export class Chart {
  constructor(view) {
    this.view = view;
    this.by = "worker";
    this.color = "activity";
    this.critical = true;
    this.window = null; // null: the whole run, and it grows with it
    this.focus = -1;
    this.paced = { version: -1, next: 0 };
    this.build();
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
    if (this.packed && awaited(store, "bars")) return; // they come again: the last picture stays
    const bars = this.bars = columnsOf(store.bars);
    this.drawTools(bars);
    for (const part of [this.scroller, this.legend]) part.hidden = !bars.count;
    this.empty.hidden = bars.count > 0;
    say(this.empty, emptyWords(store));
    if (!bars.count) return;
    this.pack(bars, store);
    this.drawFigures();
    this.measure();
    this.drawLegend();
    this.paint();
  }

  tick(store) {
    if (!this.bars?.count || !this.packed || awaited(store, "bars")) return;
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

  /** When the chart begins and ends; a running run goes on. */
  get whole() {
    const { store, bars } = this, { version } = store.bars;
    if (this.span?.version !== version || this.span.bars !== bars.count) this.span = { version, bars: bars.count, ends: spanOf(bars, 0) };
    const [begin, last] = this.span.ends, end = Math.max(last, store.now);
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
    this.figures.hidden = !bars.count;
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
}

function emptyWords(store) {
  if (awaited(store, "bars")) return AWAITED;
  if (store.running) return "No call has started yet. The chart fills in as they do.";
  return store.state.head.calls ? "No call was started." : "The workflow made no calls.";
}
