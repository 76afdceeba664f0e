// The graph as places and neighbours, by number: the same for boxes that are elements and for those
// painted on a canvas. No DOM.

import { column } from "./rows.js";
import { NONE } from "./store.js";

const SCENE = ["u4", "f4", "f4", "f4", "f4", "u4", "u4", "u1"];

export class Plan {
  /** @param parts {call, x, y, w, h, source, target, kind} typed arrays; boxes by their left upper corner */
  constructor(parts, size, rows = null, keys = null) {
    Object.assign(this, parts);
    this.rows = rows;
    this.keys = keys;
    this.width = size.width ?? 0;
    this.height = size.height ?? 0;
    this.count = this.call.length;
    this.outs = adjacency(this.count, this.source, this.target);
    this.ins = adjacency(this.count, this.target, this.source);
    this.at = new Map(); // call row -> box
    for (let i = 0; i < this.count; i++) if (this.call[i] !== NONE) this.at.set(this.call[i], i);
    this.grid = new Grid(this);
  }

  /** From the state: rows of boxes and lines. */
  static ofRows(nodes, edges, size) {
    const keys = [...nodes.keys()], rows = [...nodes.values()], at = new Map(keys.map((key, i) => [key, i]));
    const lines = [...edges.values()].filter((line) => at.has(line[6]) && at.has(line[7]));
    const side = (n) => Float32Array.from(rows, (row) => row.box[n]);
    return new Plan({
      call: Uint32Array.from(rows, (row) => row.call ?? NONE), x: side(0), y: side(1), w: side(2), h: side(3),
      source: Uint32Array.from(lines, (line) => at.get(line[6])), target: Uint32Array.from(lines, (line) => at.get(line[7])),
      kind: Uint8Array.from(lines, ([kind]) => (kind === "control" ? 1 : 0)),
    }, size, rows, keys);
  }

  /** From a `scene` message and its buffers. */
  static ofScene({ buffers, ...size }) {
    const [call, x, y, w, h, source, target, kind] = SCENE.map((type, i) => column(type, buffers[i]));
    return new Plan({ call, x, y, w, h, source, target, kind }, size);
  }

  isDot(i) { return this.rows ? Boolean(this.rows[i].join) : this.call[i] === NONE; }

  name(i, store) {
    const row = this.rows?.[i];
    if (row?.group !== undefined || (row && row.call === undefined)) return row.name ?? "";
    return this.call[i] < store.calls.count ? store.label(this.call[i]) : row?.name ?? "";
  }

  status(i, store) {
    if (this.rows) return this.rows[i].status;
    return this.call[i] < store.calls.count ? store.statusOf(store.calls.column.status[this.call[i]]) : "waiting";
  }

  /** The box at a place, or -1. */
  hit(x, y, slack = 0) { return this.grid.hit(x, y, slack); }

  centre(i) { return [this.x[i] + this.w[i] / 2, this.y[i] + this.h[i] / 2]; }

  /** All boxes that a box needs and all that need it, itself too, as flags. */
  related(i) {
    const found = new Uint8Array(this.count);
    for (const next of [this.ins, this.outs]) {
      const stack = [i];
      const seen = new Uint8Array(this.count);
      while (stack.length) {
        const box = stack.pop();
        if (seen[box]) continue;
        seen[box] = found[box] = 1;
        for (let k = next.start[box]; k < next.start[box + 1]; k++) stack.push(next.list[k]);
      }
    }
    return found;
  }

  /** The lines that lead from each of these boxes to the next, through a dot as well, as flags. */
  along(boxes) {
    const found = new Uint8Array(this.source.length), steps = new Set(), via = new Set();
    const pair = (a, b) => a * this.count + b;
    for (let k = 1; k < boxes.length; k++) {
      const a = boxes[k - 1], b = boxes[k];
      if (!(a >= 0 && b >= 0)) continue;
      steps.add(pair(a, b));
      for (let i = this.outs.start[a]; i < this.outs.start[a + 1]; i++) {
        const dot = this.outs.list[i];
        if (this.isDot(dot) && this.outs.list.subarray(this.outs.start[dot], this.outs.start[dot + 1]).includes(b)) via.add(pair(a, dot)).add(pair(dot, b));
      }
    }
    for (let e = 0; e < found.length; e++) {
      const key = pair(this.source[e], this.target[e]);
      found[e] = steps.has(key) || via.has(key) ? 1 : 0;
    }
    return found;
  }

  /** Direct neighbours along edges, through dots. */
  neighbours(i, next) {
    const found = new Set(), stack = [i], seen = new Set();
    while (stack.length) {
      const box = stack.pop();
      if (seen.has(box)) continue;
      seen.add(box);
      for (let k = next.start[box]; k < next.start[box + 1]; k++) {
        const other = next.list[k];
        if (this.isDot(other)) stack.push(other);
        else found.add(other);
      }
    }
    found.delete(i);
    return [...found];
  }

  /** Where an arrow key leads from a box: along an edge up or down, else to the nearest box that way. */
  step(i, dx, dy) {
    const [x, y] = this.centre(i);
    if (dy) {
      const linked = this.neighbours(i, dy > 0 ? this.outs : this.ins);
      if (linked.length) return this.least(linked, (box) => Math.abs(this.centre(box)[0] - x));
    }
    return this.least(this.boxes(), (box) => {
      const [a, b] = this.centre(box), along = (a - x) * dx + (b - y) * dy, aside = Math.abs((a - x) * dy) + Math.abs((b - y) * dx);
      return box === i || along <= 0.5 ? Infinity : along + 4 * aside;
    });
  }

  *boxes() { for (let i = 0; i < this.count; i++) if (!this.isDot(i)) yield i; }

  least(boxes, cost) {
    let best = -1, least = Infinity;
    for (const box of boxes) {
      const mine = cost(box);
      if (mine < least) [best, least] = [box, mine];
    }
    return best;
  }

  /** The box to begin with: the upper left one. */
  first() { return this.least(this.boxes(), (box) => this.y[box] * 1e3 + this.x[box]); }
}

/** Neighbours as one list: those of box i are list[start[i]] ... list[start[i + 1] - 1]. */
function adjacency(count, from, to) {
  const start = new Uint32Array(count + 1), list = new Uint32Array(from.length);
  for (let k = 0; k < from.length; k++) start[from[k] + 1]++;
  for (let i = 0; i < count; i++) start[i + 1] += start[i];
  const place = start.slice();
  for (let k = 0; k < from.length; k++) list[place[from[k]]++] = to[k];
  return { start, list };
}

/** Boxes by squares of the plane, to find the one at a place. */
class Grid {
  constructor(plan) {
    this.plan = plan;
    this.size = Math.max(40, Math.sqrt((plan.width * plan.height) / Math.max(1, plan.count)) * 2);
    this.cells = new Map();
    for (let i = 0; i < plan.count; i++) this.put(i);
  }

  put(i) {
    const { x, y, w, h } = this.plan, { size } = this;
    for (let a = Math.floor(x[i] / size); a <= (x[i] + w[i]) / size; a++) {
      for (let b = Math.floor(y[i] / size); b <= (y[i] + h[i]) / size; b++) {
        const key = a * 65536 + b, cell = this.cells.get(key);
        if (cell) cell.push(i);
        else this.cells.set(key, [i]);
      }
    }
  }

  hit(px, py, slack) {
    const { plan, size } = this;
    const reach = slack > 0 ? [-slack, slack] : [0];
    let best = -1, least = Infinity;
    for (const a of reach) for (const b of reach) {
      for (const i of this.cells.get(Math.floor((px + a) / size) * 65536 + Math.floor((py + b) / size)) ?? []) {
        if (plan.isDot(i)) continue;
        const far = Math.max(plan.x[i] - px, px - plan.x[i] - plan.w[i], plan.y[i] - py, py - plan.y[i] - plan.h[i]);
        if (far <= slack && far < least) [best, least] = [i, far];
      }
    }
    return best;
  }
}
