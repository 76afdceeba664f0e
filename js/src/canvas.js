// The graph painted on a canvas, for more boxes than a page can have elements. Every frame is
// painted anew: only what is in sight, words only where there is room to read them.

import { GREY, fit, h, mark, shapeOf } from "./dom.js";
import { clean } from "./words.js";

const ICONS = 8, LABELS = 52; // pixels from which on a box has an icon, a name
const CALM = 3000; // lines that are painted while the picture moves; all of them once it rests
const REST = 120; // milliseconds
const RUN = 400; // lines in one path: longer ones are slow to stroke
const LOUD = ["waiting", "queued", "skipped", "cancelled", "done", "cached", "retrying", "running", "failed"]; // painted last is on top

export class Canvas {
  constructor(view) {
    this.view = view;
    this.element = h("canvas", "nbf-canvas", { "aria-hidden": true });
    this.ctx = null;
    this.cuts = new Map();
    this.marks = {};
  }

  show(plan) { this.plan = plan; }

  camera(camera, width, height) {
    const moved = this.last && (this.last.k !== camera.k || this.last.x !== camera.x || this.last.y !== camera.y);
    this.last = { k: camera.k, x: camera.x, y: camera.y };
    Object.assign(this, { width, height });
    if (!moved) return;
    this.moving = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.moving = false;
      this.view.soon();
    }, REST);
  }

  tick() {}

  mark(marks) {
    this.marks = marks;
    this.paint(this.view.store);
  }

  paint(store) {
    const { element, plan, last } = this;
    if (!plan || !last || !element.isConnected) return;
    this.ctx ??= element.getContext("2d");
    this.size();
    const { ctx } = this;
    this.theme = this.view.theme();
    ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    ctx.clearRect(0, 0, this.width, this.height);
    this.paintLines();
    this.paintBoxes(store);
    this.paintRims();
  }

  size() {
    const { element } = this, ratio = Math.min(2, globalThis.devicePixelRatio || 1);
    const wide = Math.round(this.width * ratio), high = Math.round(this.height * ratio);
    this.ratio = ratio;
    if (element.width === wide && element.height === high) return;
    Object.assign(element, { width: wide, height: high });
    Object.assign(element.style, { width: `${this.width}px`, height: `${this.height}px` });
  }

  // --- lines

  /** The lines in sight, most of them left out while the picture moves. */
  linesInSight() {
    const { plan, width, height } = this, { x, y, k } = this.last, found = [];
    const left = -x / k, right = (width - x) / k, top = -y / k, bottom = (height - y) / k;
    for (let e = 0; e < plan.source.length; e++) {
      const a = plan.source[e], b = plan.target[e];
      const ax = plan.x[a], bx = plan.x[b], ay = plan.y[a], by = plan.y[b];
      if ((ax > right && bx > right) || (ay > bottom && by > bottom)) continue;
      if ((ax + plan.w[a] < left && bx + plan.w[b] < left) || (ay + plan.h[a] < top && by + plan.h[b] < top)) continue;
      found.push(e);
    }
    if (!this.moving || found.length <= CALM) return found;
    const every = Math.ceil(found.length / CALM);
    const { heavy } = this.marks;
    return found.filter((e, i) => i % every === 0 || heavy?.[e]);
  }

  paintLines() {
    const { ctx, plan, theme } = this, { related, heavy } = this.marks, sets = [[], [], [], []], path = [[], []];
    const lines = this.linesInSight();
    for (const e of lines) {
      if (heavy?.[e]) {
        path[plan.kind[e]].push(e);
        continue;
      }
      const near = related && related[plan.source[e]] && related[plan.target[e]];
      sets[(near ? 2 : 0) + plan.kind[e]].push(e);
    }
    const { k } = this.last, pale = related ? 0.12 : Math.min(0.75, 0.22 + k * 0.5) * Math.max(0.3, Math.min(1, Math.sqrt(400 / (lines.length + 1))));
    ctx.strokeStyle = theme.edge;
    ctx.lineWidth = Math.max(0.6, Math.min(1.4, k * 1.5));
    this.stroke(sets[0], pale, []);
    this.stroke(sets[1], pale, [4, 3]);
    ctx.strokeStyle = theme.ink;
    ctx.lineWidth = 1.4;
    this.stroke(sets[2], 0.8, []);
    this.stroke(sets[3], 0.8, [4, 3]);
    ctx.lineWidth = 2.4;
    this.stroke(path[0], 1, []);
    this.stroke(path[1], 1, [4, 3]);
    ctx.globalAlpha = 1;
    ctx.setLineDash([]);
  }

  stroke(lines, alpha, dash) {
    const { ctx, plan } = this, { x, y, k } = this.last, straight = k < 0.3;
    ctx.globalAlpha = alpha;
    ctx.setLineDash(this.moving || straight ? [] : dash);
    for (let from = 0; from < lines.length; from += RUN) {
      ctx.beginPath();
      for (const e of lines.slice(from, from + RUN)) {
        const a = plan.source[e], b = plan.target[e];
        const ax = (plan.x[a] + plan.w[a] / 2) * k + x, ay = (plan.y[a] + plan.h[a]) * k + y;
        const bx = (plan.x[b] + plan.w[b] / 2) * k + x, by = plan.y[b] * k + y, bend = (by - ay) / 2;
        ctx.moveTo(ax, ay);
        if (straight) ctx.lineTo(bx, by);
        else ctx.bezierCurveTo(ax, ay + bend, bx, by - bend, bx, by);
      }
      ctx.stroke();
    }
  }

  // --- boxes

  /** The boxes in sight by status, dots by themselves. */
  boxesInSight(store) {
    const { plan, width, height } = this, { x, y, k } = this.last, found = new Map(), dots = [];
    const status = store.calls.column.status, known = store.calls.count;
    for (let i = 0; i < plan.count; i++) {
      const left = plan.x[i] * k + x, top = plan.y[i] * k + y;
      if (left > width || top > height || left + plan.w[i] * k < 0 || top + plan.h[i] * k < 0) continue;
      if (plan.isDot(i)) {
        dots.push(i);
        continue;
      }
      const name = plan.call[i] < known ? store.statusOf(status[plan.call[i]]) : "waiting", mine = found.get(name);
      if (mine) mine.push(i);
      else found.set(name, [i]);
    }
    return [found, dots];
  }

  paintBoxes(store) {
    const { ctx, theme, plan, view } = this, { k } = this.last, [found, dots] = this.boxesInSight(store);
    ctx.fillStyle = theme.edge;
    for (const i of dots) this.rect(i, 0);
    const names = [...found.keys()].sort((a, b) => LOUD.indexOf(a) - LOUD.indexOf(b));
    for (const status of names) {
      const color = view.look.colors[shapeOf(status)] ?? GREY, boxes = found.get(status);
      const { related } = this.marks, clear = related ? boxes.filter((i) => related[i]) : boxes;
      if (related) {
        ctx.globalAlpha = 0.16;
        ctx.fillStyle = color;
        for (const i of boxes) if (!related[i]) this.rect(i, 0);
        ctx.globalAlpha = 1;
      }
      if (!clear.length) continue;
      if (plan.w[clear[0]] * k < ICONS) this.plain(clear, color, status === "failed" ? 1 : 0);
      else this.detailed(clear, status, color, store);
    }
  }

  plain(boxes, color, more) {
    this.ctx.fillStyle = color;
    for (const i of boxes) this.rect(i, more);
  }

  /** Fill a box, never smaller than can be seen. */
  rect(i, more) {
    const { plan } = this, { x, y, k } = this.last, wide = Math.max(1.5, plan.w[i] * k), high = Math.max(1.5, plan.h[i] * k);
    this.ctx.fillRect(plan.x[i] * k + x - more, plan.y[i] * k + y - more, wide + 2 * more, high + 2 * more);
  }

  detailed(boxes, status, color, store) {
    const { ctx, plan, theme, view } = this, { x, y, k } = this.last;
    const dashed = view.look.dashed.includes(status), [d, closed] = mark(view.look, status, 7.5), path = new Path2D(d);
    for (const i of boxes) {
      const left = plan.x[i] * k + x, top = plan.y[i] * k + y, wide = plan.w[i] * k, high = plan.h[i] * k, named = wide >= LABELS;
      ctx.beginPath();
      ctx.roundRect(left, top, wide, high, Math.min(7, wide * 0.2));
      ctx.fillStyle = theme.paper;
      ctx.fill();
      ctx.globalAlpha = 0.14;
      ctx.fillStyle = color;
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.setLineDash(dashed && wide > 14 ? [4, 2.5] : []);
      ctx.lineWidth = 1.2;
      ctx.strokeStyle = color;
      ctx.stroke();
      ctx.setLineDash([]);
      this.icon(left + wide / 2, top + high * (named ? 0.36 : 0.5), Math.min(high * (named ? 0.2 : 0.34), 12), color, path, closed);
      if (named) this.label(i, left, top, wide, high, store);
    }
  }

  icon(x, y, radius, color, path, closed) {
    const { ctx } = this, scale = radius / 7.5;
    ctx.save();
    ctx.translate(x, y);
    ctx.scale(scale, scale);
    ctx.beginPath();
    ctx.arc(0, 0, 7.5, 0, 2 * Math.PI);
    ctx.fillStyle = color;
    ctx.fill();
    ctx.strokeStyle = ctx.fillStyle = "#fff";
    ctx.lineWidth = 1.95;
    ctx.lineCap = ctx.lineJoin = "round";
    if (closed) ctx.fill(path);
    ctx.stroke(path);
    ctx.restore();
  }

  label(i, left, top, wide, high, store) {
    const { ctx, plan, view } = this, size = wide > 100 ? 12 : 10, text = plan.name(i, store), key = `${size} ${Math.round(wide)} ${text}`;
    if (!this.cuts.has(key)) {
      if (this.cuts.size > 4000) this.cuts.clear();
      this.cuts.set(key, fit(clean(text), wide - 6, size, view.family));
    }
    ctx.font = `${size}px ${view.family}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillStyle = this.theme.ink;
    ctx.fillText(this.cuts.get(key), left + wide / 2, top + high * 0.76);
  }

  // --- rims around what is marked

  paintRims() {
    const { marks, theme, plan } = this;
    if (marks.critical) this.rims(marks.onPath ?? [], theme.ink, 1.8, 1);
    if (marks.matches) for (let i = 0; i < plan.count; i++) if (marks.matches[i]) this.rims([i], theme.match, 2.4, 2.5);
    this.rims([marks.hovered], theme.faint, 1.5, 2);
    this.rims([marks.focused], theme.focus, 1.5, 4);
    this.rims([marks.selected], theme.focus, 2.6, 2.5);
  }

  rims(boxes, color, width, out) {
    const { ctx, plan } = this, { x, y, k } = this.last;
    ctx.strokeStyle = color;
    ctx.lineWidth = width;
    for (const i of boxes) {
      if (!(i >= 0)) continue;
      const wide = Math.max(3, plan.w[i] * k), high = Math.max(3, plan.h[i] * k);
      ctx.beginPath();
      ctx.roundRect(plan.x[i] * k + x - out, plan.y[i] * k + y - out, wide + 2 * out, high + 2 * out, Math.min(9, wide * 0.2 + out));
      ctx.stroke();
    }
  }

  close() { clearTimeout(this.timer); }
}
