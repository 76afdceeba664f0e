// Sums up bars that are too narrow to be seen by the pixel. No DOM.

import { firstAt, freeAt } from "./gantt_lanes.js";

/** What a lane looks like in columns of equal length: who took most of each, how much, what failed. */
export class Bins {
  constructor(columns, kinds) {
    this.columns = columns;
    this.kinds = kinds;
    this.shares = new Float32Array(columns * kinds);
    this.counts = new Uint32Array(columns);
    this.failed = new Uint32Array(columns);
    this.low = columns;
    this.high = -1;
  }

  /** Forget the last lane. */
  clear() {
    if (this.high < this.low) return;
    this.shares.fill(0, this.low * this.kinds, (this.high + 1) * this.kinds);
    this.counts.fill(0, this.low, this.high + 1);
    this.failed.fill(0, this.low, this.high + 1);
    this.low = this.columns;
    this.high = -1;
  }

  /** Add a bar from `left` to `right`, in columns; what is outside is cut off. */
  add(left, right, kind, failed) {
    const { columns, kinds, shares } = this;
    if (right < 0 || left >= columns) return;
    const first = left > 0 ? Math.floor(left) : 0;
    const last = Math.min(columns - 1, Math.max(first, Math.ceil(right) - 1));
    if (first < this.low) this.low = first;
    if (last > this.high) this.high = last;
    this.counts[first]++;
    if (failed) this.failed[first]++;
    for (let c = first; c <= last; c++) {
      const part = Math.min(right, c + 1) - Math.max(left, c);
      shares[c * kinds + kind] += part > 1e-6 ? part : 1e-6;
      if (c > first) this.counts[c]++;
    }
  }

  /** How much of a column was work, 0 to 1. */
  busy(column) {
    let sum = 0;
    for (let k = column * this.kinds, end = k + this.kinds; k < end; k++) sum += this.shares[k];
    return Math.min(1, sum);
  }

  /** The kind with the most time in a column, or -1 where there is nothing. */
  main(column) {
    let best = -1, most = 0;
    for (let k = 0, at = column * this.kinds; k < this.kinds; k++, at++) {
      if (this.shares[at] > most) { most = this.shares[at]; best = k; }
    }
    return best;
  }
}

/**
 * Walk the bars of a lane that are in sight: those under `least` columns wide go into the bins,
 * the places of the others (in `rows`) into `wide`.
 *
 * `view` is {from: seconds, scale: columns a second, columns, now, kindOf: number of each bar's
 * kind, failed: number of the status}.
 */
export function sortOut(bars, rows, view, least, bins, wide) {
  const { from, scale, columns, now, kindOf, failed } = view, { started, status } = bars;
  for (let i = Math.max(0, firstAt(bars, rows, from) - 1); i < rows.length; i++) {
    const row = rows[i], left = (started[row] - from) * scale;
    if (left >= columns) break;
    const free = freeAt(bars, row), right = ((free === Infinity ? now : free) - from) * scale;
    if (right < 0) continue;
    if (right - left >= least) wide.push(i);
    else bins.add(left, right, kindOf(row), status[row] === failed);
  }
}

/** Stretches of columns where `holds` is true, at least `least` long, as [first, past the last]. */
export function runsOf(low, high, holds, least = 1) {
  const found = [];
  for (let c = low; c <= high; c++) {
    if (!holds(c)) continue;
    const last = found.at(-1);
    if (last && c <= last[1]) last[1] = Math.max(last[1], c + least);
    else found.push([c, c + least]);
  }
  return found;
}

/** What is in a stretch of a lane: how many attempts, how many of each status and kind, and the one to name. */
export function summary(bars, rows, failed, kindOf, from, to, now) {
  const found = { count: rows.length, busy: 0, statuses: new Map(), kinds: new Map(), row: -1 };
  let longest = -1;
  for (const row of rows) {
    const free = freeAt(bars, row), end = free === Infinity ? now : free, start = bars.started[row];
    const part = Math.max(0, Math.min(end, to) - Math.max(start, from));
    found.busy += part;
    found.statuses.set(bars.status[row], (found.statuses.get(bars.status[row]) ?? 0) + 1);
    found.kinds.set(kindOf(row), (found.kinds.get(kindOf(row)) ?? 0) + 1);
    const weight = (bars.status[row] === failed ? 1e12 : 0) + end - start;
    if (weight > longest) { longest = weight; found.row = row; }
  }
  found.busy = to > from ? Math.min(1, found.busy / (to - from)) : 0;
  return found;
}
