// Draws the Gantt chart on a canvas. It is given everything as a scene and keeps nothing about the run.

import { AXIS, BarPainter, LEAST } from "./gantt_bars.js";
import { freeAt, workBy } from "./gantt_lanes.js";
import { ticksIn } from "./gantt_scale.js";

/** Paths over more bars than this are not joined by lines. */
const JOINED = 3000;
/** Narrower bars of the critical path are underlined, not rimmed. */
const RIMMED = 8;

/** A canvas and what is worth keeping between two pictures. */
export class Painter extends BarPainter {
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
      ctx.globalAlpha = 0.07;
      ctx.fillStyle = scene.theme.faint;
      ctx.fillRect(0, top, scene.width, end - top);
      ctx.globalAlpha = 1;
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
    let last = -Infinity, lane = -1;
    for (const row of critical) {
      const box = this.boxOf(row, 0);
      if (!box) continue;
      const [x, y, wide, high] = box, { [row]: mine } = scene.packed.of;
      if (wide >= RIMMED) ctx.strokeRect(x + 0.25, y - 0.25, wide - 1.25, high + 0.5);
      else if (mine !== lane || x + wide - last >= 0.5) {
        ctx.fillRect(x, y + high, Math.max(1, wide), 2);
        last = x + wide;
        lane = mine;
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
