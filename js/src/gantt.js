// The Gantt tab: attempts in time, in lanes by worker or by activity. Here is what can be done with
// the chart, by pointer and by keyboard; what it looks like is in gantt_chart.js.

import { percent } from "./attempts.js";
import { say, set, take } from "./dom.js";
import { AXIS } from "./gantt_bars.js";
import { summary } from "./gantt_bins.js";
import { STEP, Chart } from "./gantt_chart.js";
import { firstAt, touching, workBy } from "./gantt_lanes.js";
import { panned } from "./gantt_scale.js";
import { clean, duration, number } from "./words.js";

export class GanttTab extends Chart {
  constructor(view) {
    super(view);
    this.listen();
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

  /** Bring a call that was selected elsewhere into sight. */
  select(call) {
    const rows = this.packed ? this.barsOf(call) : [];
    if (rows.length && !rows.some((row) => this.inSight(row))) this.reveal(rows.at(-1));
    this.soon();
  }

  inSight(row) {
    const [from, to] = this.shown, top = this.packed.of[row] * this.lane - this.scroller.scrollTop;
    return this.bars.started[row] <= to && this.endOf(row) >= from && top >= 0 && top + this.lane <= this.height - AXIS;
  }

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
