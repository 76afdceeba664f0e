// Draws the Gantt chart on a canvas. It is given everything as a scene and keeps nothing about the run.

import { mark } from "./dom.js";
import { Bins, runsOf, sortOut } from "./gantt_bins.js";
import { freeAt, workBy } from "./gantt_lanes.js";
import { ticksIn } from "./gantt_scale.js";

export const AXIS = 24;
/** Bars narrower than so many pixels are summed up. */
const LEAST = 3;
/** Paths over more bars than this are not joined by lines. */
const JOINED = 3000;

/** A canvas and what is worth keeping between two pictures. */
export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.ctx = canvas.getContext("2d");
    this.strip = document.createElement("canvas");
    this.widths = new Map();
  }

  /**
   * Draw a scene: {width, height, ratio, left, right, lane (height), scroll, window, now, running,
   * live, bars, packed, colors, kindOf, failed, statusOf, label, words for lanes, critical, joins,
   * selected, hovered, focused (rows), theme, look}.
   */
  paint(scene) {
    const { ctx } = this, { width, height, ratio } = scene;
    this.scene = scene;
    this.size(width, height, ratio);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    this.room = Math.max(1, width - scene.left - scene.right);
    this.scale = this.room / (scene.window[1] - scene.window[0]);
    ctx.textBaseline = "middle";
    this.stripes();
    this.axis();
    this.clipped(() => {
      this.bars();
      if (scene.critical) this.path();
      this.outlines();
      this.now();
    });
    this.gutter();
  }

  size(width, height, ratio) {
    const wide = Math.round(width * ratio), high = Math.round(height * ratio), { canvas } = this;
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
      canvas.style.height = `${height}px`;
    }
  }

  x(time) { return this.scene.left + (time - this.scene.window[0]) * this.scale; }

  y(lane) { return AXIS + lane * this.scene.lane - this.scene.scroll; }

  /** The first lane in sight, and the one past the last. */
  seen() {
    const { scroll, lane, height, packed } = this.scene;
    return [Math.floor(scroll / lane), Math.min(packed.lanes.length, Math.ceil((scroll + height - AXIS) / lane))];
  }

  clipped(draw) {
    const { ctx, scene } = this;
    ctx.save();
    ctx.beginPath();
    ctx.rect(scene.left, AXIS, this.room, scene.height - AXIS);
    ctx.clip();
    draw();
    ctx.restore();
  }

  stripes() {
    const { ctx, scene } = this, [low, high] = this.seen();
    scene.packed.groups.forEach((group, i) => {
      if (group.first + group.lanes <= low || group.first >= high) return;
      const top = Math.max(AXIS, this.y(group.first)), end = this.y(group.first + group.lanes);
      if (i % 2 || top >= end) return;
      ctx.fillStyle = scene.theme.odd;
      ctx.fillRect(0, top, scene.width, end - top);
    });
  }

  axis() {
    const { ctx, scene } = this, { theme, left, width, height } = scene;
    ctx.font = `10.5px ${scene.family}`;
    ctx.strokeStyle = theme.rule;
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (const [at, word] of ticksIn(scene.window, Math.max(2, Math.floor(this.room / 92)))) {
      const x = Math.round(this.x(at)) + 0.5, wide = ctx.measureText(word).width;
      ctx.moveTo(x, AXIS - 4);
      ctx.lineTo(x, height);
      ctx.fillStyle = theme.faint;
      ctx.textAlign = "left";
      ctx.fillText(word, Math.max(left, Math.min(x - wide / 2, left + this.room - wide)), 10);
    }
    ctx.moveTo(left, AXIS - 0.5);
    ctx.lineTo(width - scene.right, AXIS - 0.5);
    ctx.stroke();
    this.overview();
  }

  /** Which part of the run is in sight, where it is not the whole. */
  overview() {
    const { ctx, scene } = this, [begin, end] = scene.whole, [from, to] = scene.window;
    if (to - from > (end - begin) * 0.999) return;
    const part = (time) => ((time - begin) / (end - begin)) * this.room;
    ctx.fillStyle = scene.theme.focus;
    const wide = Math.max(6, part(to) - part(from));
    ctx.fillRect(scene.left + Math.min(part(from), this.room - wide), AXIS - 3, wide, 3);
  }

  // --- bars

  bars() {
    const { scene } = this, { ratio, bars, packed } = scene, [low, high] = this.seen();
    const columns = Math.max(1, Math.round(this.room * ratio)), scale = this.scale * ratio;
    const view = { from: scene.window[0], scale, columns, now: scene.now, kindOf: scene.kindOf, failed: scene.failed };
    if (this.bins?.columns !== columns || this.bins.kinds !== scene.colors.length) {
      this.bins = new Bins(columns, scene.colors.length);
    }
    this.pattern = this.hatch();
    this.rgb = scene.colors.map(rgb);
    for (let lane = low; lane < high; lane++) {
      const wide = [], { rows } = packed.lanes[lane];
      this.bins.clear();
      sortOut(bars, rows, view, LEAST * ratio, this.bins, wide);
      const top = this.y(lane) + scene.lane * 0.13, high = scene.lane * 0.74;
      if (this.bins.high >= this.bins.low) this.bin(lane, top, high);
      this.waits(rows, wide, top + high / 2);
      for (const place of wide) this.bar(rows[place], top, high);
    }
  }

  /** Lay the columns of a lane down as one picture, a pixel high, and put the failures on top. */
  bin(lane, top, high) {
    const { ctx, bins, strip, scene } = this, { ratio } = scene, wide = bins.high - bins.low + 1;
    if (strip.width < bins.columns) { strip.width = bins.columns; strip.height = 1; }
    const pen = strip.getContext("2d", { willReadFrequently: true }), image = pen.createImageData(wide, 1);
    for (let c = bins.low, at = 0; c <= bins.high; c++, at += 4) {
      const kind = bins.main(c);
      if (kind < 0) continue;
      const [r, g, b] = this.rgb[kind];
      image.data[at] = r;
      image.data[at + 1] = g;
      image.data[at + 2] = b;
      image.data[at + 3] = 70 + 185 * bins.busy(c);
    }
    pen.putImageData(image, 0, 0);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(strip, 0, 0, wide, 1, scene.left + bins.low / ratio, top, wide / ratio, high);
    ctx.fillStyle = scene.theme.failed;
    for (const [from, to] of runsOf(bins.low, bins.high, (c) => bins.failed[c], Math.ceil(LEAST * ratio))) {
      ctx.fillRect(scene.left + from / ratio, this.y(lane) + 1, (to - from) / ratio, scene.lane - 2);
    }
  }

  /** The thin lines of waiting for a worker, each from where the lane was free. */
  waits(rows, wide, middle) {
    const { ctx, scene } = this, { bars } = scene;
    ctx.fillStyle = scene.theme.wait;
    for (const place of wide) {
      const row = rows[place], before = place ? freeAt(bars, rows[place - 1]) : -Infinity;
      const from = this.x(Math.max(bars.ready[row], before)), to = this.x(bars.started[row]);
      if (to - from < 1.5) continue;
      ctx.fillRect(from, middle - 1, to - from, 2);
      ctx.fillRect(from, middle - 3, 1.5, 6);
    }
  }

  bar(row, top, high) {
    const { ctx, scene } = this, { bars, theme, now } = scene, status = scene.statusOf(row);
    const color = scene.colors[scene.kindOf(row)], ended = bars.ended[row], open = Number.isNaN(ended);
    const x = Math.max(this.x(bars.started[row]), scene.left - 8);
    const end = Math.min(this.x(open ? now : ended), scene.left + this.room + 8);
    const wide = Math.max(1.5, end - x - (end - x > 5 ? 0.75 : 0));
    const rest = Math.min(this.x(freeAt(bars, row)), scene.left + this.room + 8);
    if (!open && rest - end > 0.6) {
      ctx.globalAlpha = 0.42;
      ctx.fillStyle = color;
      ctx.fillRect(end - 0.75, top + high * 0.22, rest - end, high * 0.56);
      ctx.globalAlpha = 1;
    }
    const plain = status !== "failed" && status !== "cancelled" && status !== "running";
    this.box(x, top, wide, high);
    if (plain) {
      ctx.fillStyle = color;
      ctx.fill();
    } else this.special(status, color, x, top, wide, high);
    if (wide > 30 && high > 9) this.name(row, status, color, x, top + high / 2, wide, theme);
    else if (!plain && wide > 14 && high > 9) this.sign(status, x + wide / 2, top + high / 2, Math.min(6, high / 2 - 1));
  }

  box(x, y, wide, high) {
    this.ctx.beginPath();
    if (wide > 6) this.ctx.roundRect(x, y, wide, high, Math.min(3, high / 3));
    else this.ctx.rect(x, y, wide, high);
  }

  /** Bars that are not just done: hatched if failed, pale and rimmed while running, dashed if cancelled. */
  special(status, color, x, y, wide, high) {
    const { ctx, scene } = this, { theme } = scene;
    if (status === "failed") {
      ctx.fillStyle = this.pattern;
      ctx.fill();
      ctx.strokeStyle = theme.failed;
      ctx.setLineDash([]);
    } else {
      const tone = status === "cancelled" ? theme.cancelled : color;
      ctx.globalAlpha = status === "cancelled" ? 0.16 : 0.36;
      ctx.fillStyle = tone;
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.strokeStyle = tone;
      ctx.setLineDash(status === "cancelled" ? [3, 2] : []);
    }
    if (wide > 4) {
      ctx.lineWidth = 1;
      this.box(x + 0.5, y + 0.5, wide - 1, high - 1);
      ctx.stroke();
    }
    ctx.setLineDash([]);
    if (status === "running" && wide > 4) {
      ctx.fillStyle = color;
      ctx.fillRect(x + wide - 2.5, y, 2.5, high);
    }
  }

  name(row, status, color, x, middle, wide, theme) {
    const { ctx, scene } = this, plain = status === "done", from = Math.max(x, scene.left);
    const marked = !plain && wide > 22, inset = marked ? 18 : 6;
    if (marked) this.sign(status, from + 10, middle, 6);
    const words = this.cut(scene.label(row), x + wide - from - inset - 4);
    if (!words) return;
    ctx.textAlign = "left";
    ctx.font = `10.5px ${scene.family}`;
    if (status === "failed") {
      ctx.strokeStyle = theme.paper;
      ctx.lineWidth = 3;
      ctx.lineJoin = "round";
      ctx.strokeText(words, from + inset, middle + 0.5);
    }
    ctx.fillStyle = plain ? inkOn(color) : theme.ink;
    ctx.fillText(words, from + inset, middle + 0.5);
  }

  /** Cut a call's id so that its number stays; widths are remembered, as measuring is slow. */
  cut(text, room) {
    if (room < 12) return "";
    let wide = this.widths.get(text);
    if (wide === undefined) {
      if (this.widths.size > 20000) this.widths.clear();
      this.ctx.font = `10.5px ${this.scene.family}`;
      this.widths.set(text, wide = this.ctx.measureText(text).width);
    }
    if (wide <= room) return text;
    const letters = Math.floor((room / wide) * text.length) - 1, tail = /-\d+( ↻\d+)?$/.exec(text)?.[0].slice(1) ?? "";
    if (letters - tail.length > 0) return `${text.slice(0, letters - tail.length)}…${tail}`;
    return letters >= tail.length && tail ? tail : "";
  }

  sign(status, x, y, radius) {
    const { ctx, scene } = this, [d, closed] = mark(scene.look, status, radius);
    ctx.fillStyle = scene.look.colors[status] ?? scene.theme.faint;
    ctx.beginPath();
    ctx.arc(x, y, radius, 0, 7);
    ctx.fill();
    ctx.save();
    ctx.translate(x, y);
    const path = new Path2D(d);
    ctx.fillStyle = ctx.strokeStyle = "#fff";
    ctx.lineWidth = radius * 0.26;
    ctx.lineCap = ctx.lineJoin = "round";
    if (closed) ctx.fill(path);
    ctx.stroke(path);
    ctx.restore();
  }

  hatch() {
    const { ratio, theme } = this.scene, key = `${ratio} ${theme.failed} ${theme.paper}`;
    if (this.hatchOf === key) return this.pattern;
    this.hatchOf = key;
    const tile = document.createElement("canvas"), size = Math.max(4, Math.round(6 * ratio));
    tile.width = tile.height = size;
    const pen = tile.getContext("2d");
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, size, size);
    pen.fillStyle = theme.failed;
    pen.globalAlpha = 0.2;
    pen.fillRect(0, 0, size, size);
    pen.globalAlpha = 0.85;
    pen.strokeStyle = theme.failed;
    pen.lineWidth = size * 0.28;
    pen.beginPath();
    for (const at of [-size, 0, size]) {
      pen.moveTo(at - 1, size + 1);
      pen.lineTo(at + size + 1, -1);
    }
    pen.stroke();
    const made = this.ctx.createPattern(tile, "repeat");
    made?.setTransform?.(new DOMMatrix().scale(1 / ratio));
    return made;
  }

  // --- what is laid over the bars

  /** The box of a bar, at least so many pixels wide, or null where it is out of sight. */
  boxOf(row, least = 2) {
    const { bars, packed, now, lane } = this.scene;
    if (row >= packed.of.length) return null;
    const free = freeAt(bars, row), x = this.x(bars.started[row]), y = this.y(packed.of[row]) + lane * 0.13;
    const wide = Math.max(least, this.x(free === Infinity ? now : free) - x);
    const out = x > this.scene.left + this.room || x + wide < this.scene.left || y + lane < AXIS || y > this.scene.height;
    return out ? null : [x, y, wide, lane * 0.74];
  }

  /** The critical path: its bars rimmed, and joined where one led to the next. */
  path() {
    const { ctx, scene } = this, { critical, bars } = scene;
    ctx.strokeStyle = scene.theme.ink;
    ctx.lineJoin = "miter";
    if (critical.length <= JOINED) {
      ctx.lineWidth = 1;
      ctx.beginPath();
      for (let i = 1; i < critical.length; i++) this.join(critical[i - 1], critical[i], bars);
      ctx.stroke();
    }
    ctx.lineWidth = 1.5;
    ctx.fillStyle = scene.theme.ink;
    let last = -1, lastLane = -1;
    for (const row of critical) {
      const box = this.boxOf(row, 0);
      if (!box) continue;
      const [x, y, wide, high] = box;
      if (wide > LEAST) ctx.strokeRect(x + 0.25, y - 0.25, Math.max(1, wide - 1), high + 0.5);
      else if (scene.packed.of[row] !== lastLane || x - last >= 0.5) {
        ctx.fillRect(x, y - 1, 1, high + 2);
        last = x;
        lastLane = scene.packed.of[row];
      }
    }
  }

  join(before, after, bars) {
    const { of } = this.scene.packed;
    if (before >= of.length || after >= of.length || of[before] === of[after]) return;
    const half = this.scene.lane / 2, end = Math.min(this.x(freeAt(bars, before)), this.x(bars.started[after]));
    const x = this.x(bars.started[after]), from = this.y(of[before]) + half, to = this.y(of[after]) + half;
    if (end < this.scene.left - 50 && x < this.scene.left - 50) return;
    this.ctx.moveTo(end, from);
    this.ctx.lineTo(x, from);
    this.ctx.lineTo(x, to);
  }

  outlines() {
    const { ctx, scene } = this, { theme } = scene;
    const rim = (rows, color, wide) => {
      ctx.strokeStyle = color;
      ctx.lineWidth = wide;
      for (const row of rows) {
        const box = this.boxOf(row, 5);
        if (!box) continue;
        this.box(box[0] - 1.5, box[1] - 1.5, box[2] + 3, box[3] + 3);
        ctx.stroke();
      }
    };
    rim(scene.hovered, theme.ink, 1.5);
    rim(scene.selected, theme.focus, 2.5);
    ctx.setLineDash([2, 2]);
    rim(scene.focused, theme.focus, 1.5);
    ctx.setLineDash([]);
  }

  now() {
    const { ctx, scene } = this;
    if (!scene.live) return;
    const x = this.x(scene.now);
    ctx.fillStyle = scene.theme.focus;
    ctx.fillRect(x - 0.75, AXIS, 1.5, scene.height);
    ctx.beginPath();
    ctx.arc(x, AXIS + 2, 3, 0, 7);
    ctx.fill();
  }

  // --- beside the bars

  gutter() {
    const { ctx, scene } = this, { left, right, width, lane, theme } = scene, [low, high] = this.seen();
    const wall = Math.max(1e-9, scene.now - Math.max(0, scene.whole[0]));
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, AXIS, width, scene.height - AXIS);
    ctx.clip();
    ctx.font = `11px ${scene.family}`;
    let below = -Infinity;
    for (const group of scene.packed.groups) {
      if (group.first + group.lanes <= low || group.first >= high) continue;
      const top = Math.max(AXIS, this.y(group.first)), end = Math.min(scene.height, this.y(group.first + group.lanes));
      const middle = lane > 9 || group.lanes === 1 ? Math.min((top + end) / 2, top + Math.max(lane / 2, 12)) : (top + end) / 2;
      if (middle < below + 11) continue;
      below = middle;
      ctx.textAlign = "right";
      ctx.fillStyle = theme.ink;
      ctx.fillText(scene.names.get(group.group) ?? "", left - 8, middle + 0.5);
      if (right) this.idle(group, middle, wall, width - right);
    }
    ctx.restore();
    if (right) {
      ctx.font = `10.5px ${scene.family}`;
      ctx.textAlign = "right";
      ctx.fillStyle = theme.faint;
      ctx.fillText(scene.byWorker ? "idle" : "work", width - 4, 10);
    }
  }

  idle(group, middle, wall, x) {
    const { ctx, scene } = this, { theme } = scene, work = workBy(group, scene.now);
    ctx.textAlign = "right";
    ctx.fillStyle = theme.faint;
    if (!scene.byWorker) {
      ctx.fillText(scene.duration(work), scene.width - 4, middle + 0.5);
      return;
    }
    const idle = Math.min(1, Math.max(0, 1 - work / (wall * group.lanes)));
    ctx.fillText(`${Math.round(idle * 100)} %`, scene.width - 4, middle + 0.5);
    ctx.fillStyle = theme.rule;
    ctx.fillRect(x + 8, middle - 2, scene.right - 50, 4);
    ctx.fillStyle = theme.wait;
    ctx.fillRect(x + 8, middle - 2, (scene.right - 50) * (1 - idle), 4);
  }
}

const known = new Map();

/** The parts of a colour that is written as #rrggbb. */
export function rgb(color) {
  if (!known.has(color)) {
    const digits = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
    known.set(color, digits ? digits.slice(1).map((part) => parseInt(part, 16)) : [125, 125, 125]);
  }
  return known.get(color);
}

/** Black or white, whichever is easier to read on a colour. */
export function inkOn(color) {
  const [r, g, b] = rgb(color).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return 1.05 / (light + 0.05) >= 3.2 ? "#fff" : "#000";
}
