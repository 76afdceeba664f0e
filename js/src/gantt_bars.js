// Draws the bars of the Gantt chart, and the columns of those that are too narrow for one of their own.

import { mark } from "./dom.js";
import { Bins, runsOf, sortOut } from "./gantt_bins.js";
import { freeAt } from "./gantt_lanes.js";

/** Pixels above the lanes, for the axis. */
export const AXIS = 24;
/** Bars narrower than so many pixels are summed up. */
export const LEAST = 3;

/** Where things are on the canvas, and the bars. The scene is told in gantt_paint.js. */
export class BarPainter {
  constructor(canvas) {
    this.canvas = canvas;
    this.ctx = canvas.getContext("2d");
    this.strip = document.createElement("canvas");
    this.widths = new Map();
  }

  x(time) { return this.scene.left + (time - this.scene.window[0]) * this.scale; }

  y(lane) { return AXIS + lane * this.scene.lane - this.scene.scroll; }

  /** The first lane in sight, and the one past the last. */
  seen() {
    const { scroll, lane, height, packed } = this.scene;
    return [Math.floor(scroll / lane), Math.min(packed.lanes.length, Math.ceil((scroll + height - AXIS) / lane))];
  }

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
    if (plain && wide < 12) { // many: no round corners
      ctx.fillStyle = color;
      ctx.fillRect(x, top, wide, high);
      return;
    }
    this.box(x, top, wide, high);
    if (plain) {
      ctx.fillStyle = color;
      ctx.fill();
    } else this.special(status, color, x, top, wide, high);
    if (wide > 30 && high > 9) this.name(row, status, color, x, top + high / 2, wide, theme);
    else if (!plain && wide > 19 && high > 9) this.sign(status, x + wide / 2, top + high / 2, Math.min(6, high / 2 - 1));
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
      ctx.lineWidth = 2.5;
      ctx.lineJoin = "round";
      ctx.strokeText(words, from + inset, middle + 0.5);
    }
    ctx.fillStyle = plain ? inkOn(color) : theme.ink;
    ctx.fillText(words, from + inset, middle + 0.5);
  }

  /** Cut a call's id so that its number stays; widths are remembered, as measuring is slow. */
  cut(text, room) {
    if (room < 12) return "";
    const wide = this.wide(text);
    if (wide <= room) return text;
    const tail = /-\d+( ↻\d+)?$/.exec(text)?.[0].slice(1) ?? "";
    for (let letters = Math.floor((room / wide) * text.length) - tail.length; letters > 0; letters--) {
      const words = `${text.slice(0, letters)}…${tail}`;
      if (this.wide(words) <= room) return words;
    }
    return tail && this.wide(tail) <= room ? tail : "";
  }

  wide(text) {
    let wide = this.widths.get(text);
    if (wide === undefined) {
      if (this.widths.size > 20000) this.widths.clear();
      this.ctx.font = `10.5px ${this.scene.family}`;
      this.widths.set(text, wide = this.ctx.measureText(text).width);
    }
    return wide;
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
