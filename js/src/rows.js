// Tables of numbers in columns of typed arrays: what is known of the calls, and of their attempts.

const KINDS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array };

export const CALLS = [["activity", "u2"], ["number", "u4"], ["status", "u1"], ["attempts", "u2"], ["asked", "f8"]];
export const BARS = [["call", "u4"], ["attempt", "u2"], ["worker", "u2"], ["status", "u1"],
  ["ready", "f8"], ["started", "f8"], ["ended", "f8"], ["packing", "f4"], ["progress", "f4"]];

/** Read one column. Its bytes may lie anywhere in a bigger buffer, so they are copied. */
export function column(kind, buffer) {
  const Kind = KINDS[kind];
  if (!Kind) throw new TypeError(`no column is of type ${kind}`);
  const view = buffer instanceof ArrayBuffer ? new Uint8Array(buffer)
    : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  return new Kind(view.slice().buffer);
}

/** Read a column that was written as base64. */
export const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/**
 * Rows that come in blocks, in any order and more than once.
 *
 * `count` rows are known without a hole; `column.call[row]` and so on are typed arrays that may be
 * longer than that, and are others after they have grown. `version` goes up with every block.
 */
export class Table {
  constructor(columns) {
    this.names = columns.map(([name]) => name);
    this.column = Object.fromEntries(columns.map(([name, kind]) => [name, new KINDS[kind](64)]));
    this.size = 64;
    this.forget();
    this.version = 0;
  }

  forget() {
    this.count = 0;
    this.ahead = [];
    this.version++;
  }

  /** Take a block's columns from the buffers, which start with those of this block. Gives the rows' numbers. */
  take(block, buffers) {
    const at = block.at ? column("u4", buffers.shift()) : null;
    let end = block.from + block.count;
    if (at) end = at.reduce((most, row) => Math.max(most, row + 1), 0);
    this.grow(end);
    for (const [name, kind] of block.columns) {
      const found = column(kind, buffers.shift()), into = this.column[name];
      if (!into) continue; // a kernel newer than this page
      if (at) for (let i = 0; i < at.length; i++) into[at[i]] = found[i];
      else into.set(found.subarray(0, block.count), block.from);
    }
    if (!at) this.reach(block.from, end);
    this.version++;
    return at;
  }

  grow(size) {
    if (size <= this.size) return;
    this.size = Math.max(size, this.size * 2);
    for (const name of this.names) {
      const old = this.column[name];
      this.column[name] = new old.constructor(this.size);
      this.column[name].set(old);
    }
  }

  /** Rows from ... to-1 are here: count those that follow without a hole. */
  reach(from, to) {
    this.ahead.push([from, to]);
    this.ahead.sort(([a], [b]) => a - b);
    while (this.ahead.length && this.ahead[0][0] <= this.count) {
      this.count = Math.max(this.count, this.ahead.shift()[1]);
    }
  }
}
