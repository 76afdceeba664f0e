// Puts bars in lanes, so that those of a lane do not overlap. No DOM.

/** Seconds by which bars of one lane may overlap: clocks are not better than that. */
const TOUCH = 1e-4;
const natural = new Intl.Collator("en", { numeric: true }).compare;

/** When a bar leaves its lane free: its result is stored; Infinity while it runs. */
export function freeAt(bars, row) {
  const ended = bars.ended[row];
  return Number.isNaN(ended) ? Infinity : ended + (bars.packing[row] || 0);
}

/** A heap of numbers, the smallest by `key` first. */
class Heap {
  constructor(key) {
    this.key = key;
    this.items = [];
  }

  get first() { return this.items[0]; }

  push(item) {
    const { items, key } = this;
    let at = items.push(item) - 1;
    for (let up = (at - 1) >> 1; at && key(items[up]) > key(item); up = (at - 1) >> 1) {
      items[at] = items[up];
      at = up;
    }
    items[at] = item;
  }

  pop() {
    const { items, key } = this, first = items[0], last = items.pop();
    if (!items.length) return first;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= items.length) break;
      if (down + 1 < items.length && key(items[down + 1]) < key(items[down])) down++;
      if (key(items[down]) >= key(last)) break;
      items[at] = items[down];
      at = down;
    }
    items[at] = last;
    return first;
  }
}

/** The rows of each group, in the order in which they started. */
function grouped(bars, groupOf) {
  const groups = new Map();
  for (let row = 0; row < bars.count; row++) {
    const group = groupOf(row);
    const rows = groups.get(group);
    if (rows) rows.push(row);
    else groups.set(group, [row]);
  }
  const { started } = bars;
  for (const rows of groups.values()) {
    const ordered = rows.every((row, i) => !i || started[rows[i - 1]] <= started[row]);
    if (!ordered) rows.sort((a, b) => started[a] - started[b] || a - b);
  }
  return groups;
}

/** Give each row of a group the first lane that is free when it starts, or a new one. */
function slots(bars, rows) {
  const ends = [], lanes = [], busy = new Heap((slot) => ends[slot]), free = new Heap((slot) => slot);
  for (const row of rows) {
    const start = bars.started[row];
    while (busy.items.length && ends[busy.first] <= start + TOUCH) free.push(busy.pop());
    const slot = free.items.length ? free.pop() : lanes.push([]) - 1;
    lanes[slot].push(row);
    ends[slot] = freeAt(bars, row);
    busy.push(slot);
  }
  return lanes;
}

/**
 * Pack all bars.
 *
 * `groupOf(row)` says which worker (or activity) a bar belongs to and `nameOf(group)` what that
 * is called; groups come in the natural order of their names, `worker-10` after `worker-9`, or by
 * number where `byName` is false. Gives `lanes` ({group, slot, rows in order of starting}),
 * `groups` ({group, name, first lane, lanes, rows, work in seconds, running}) and `of`, each bar's lane.
 */
export function packLanes(bars, groupOf, nameOf, byName = true) {
  const found = { lanes: [], groups: [], of: new Uint32Array(bars.count) };
  const all = [...grouped(bars, groupOf)].map(([group, rows]) => ({ group, rows, name: nameOf(group) }));
  all.sort((a, b) => (byName ? natural(a.name, b.name) : 0) || a.group - b.group);
  for (const { group, rows, name } of all) {
    const packed = slots(bars, rows);
    found.groups.push({ group, name, first: found.lanes.length, lanes: packed.length, rows: rows.length, ...workOf(bars, rows) });
    packed.forEach((mine, slot) => {
      for (const row of mine) found.of[row] = found.lanes.length;
      found.lanes.push({ group, slot, rows: mine });
    });
  }
  return found;
}

function workOf(bars, rows) {
  let work = 0;
  const running = [];
  for (const row of rows) {
    const ended = bars.ended[row], started = bars.started[row];
    if (Number.isNaN(ended)) running.push(started);
    else work += Math.max(0, ended - started);
  }
  return { work, running };
}

/** Seconds of work of a group by `now`. */
export function workBy(group, now) {
  return group.running.reduce((sum, started) => sum + Math.max(0, now - started), group.work);
}

/** When the bars begin and end, and the run with them. */
export function spanOf(bars, now) {
  let begin = 0, end = now;
  for (let row = 0; row < bars.count; row++) {
    const ready = Math.min(bars.started[row], bars.ready[row] || 0);
    if (ready < begin) begin = ready;
    const free = freeAt(bars, row);
    if (free > end && free < Infinity) end = free;
  }
  return [begin, Math.max(end, begin + 1e-3)];
}

/** The place in a lane of the first bar that starts at `time` or later. */
export function firstAt(bars, rows, time) {
  let low = 0, high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bars.started[rows[middle]] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The rows of a lane that touch [from, to]; one is running until `now`. */
export function touching(bars, rows, from, to, now) {
  const found = [];
  for (let i = Math.max(0, firstAt(bars, rows, from) - 1); i < rows.length; i++) {
    const row = rows[i];
    if (bars.started[row] > to) break;
    const end = freeAt(bars, row);
    if ((end === Infinity ? now : end) >= from) found.push(row);
  }
  return found;
}
