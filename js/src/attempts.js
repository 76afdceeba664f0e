// What the rows say of calls and their attempts. No DOM.

/** The columns of a table and how many of their rows are known. */
export const columnsOf = (table) => ({ count: table.count, ...table.column });

/** Whether a table ("calls" or "bars") has rows that are still on their way here. */
export const awaited = (store, table) => !store[table].count && (store.state.tables[table] ?? 0) > 0;

export const AWAITED = "Fetching the rows from the kernel …";

/** A part of one in words. */
export const percent = (part) => `${Math.round(part * 100)} %`;

const OPEN = new Set(["waiting", "queued", "running", "retrying"]);

/** Whether a call of this status has come to its end. */
export const isSettled = (status) => !OPEN.has(status);

/** The row of each call's latest attempt, or -1. */
export function latestBars(bars, calls) {
  const found = new Int32Array(calls).fill(-1);
  for (let row = 0; row < bars.count; row++) {
    const call = bars.call[row];
    if (call < calls && (found[call] < 0 || bars.attempt[row] >= bars.attempt[found[call]])) found[call] = row;
  }
  return found;
}

/** Seconds that an attempt waited for a worker, NaN for none. */
export const queuedOf = (bars, row) => (row < 0 ? NaN : Math.max(0, bars.started[row] - bars.ready[row]));

/** Seconds that an attempt has run by `now`, NaN for none. */
export function ranOf(bars, row, now) {
  if (row < 0) return NaN;
  const ended = bars.ended[row];
  return Math.max(0, (Number.isNaN(ended) ? now : ended) - bars.started[row]);
}

/** Seconds that storing an attempt's result took, NaN if there is none. */
export function packingOf(bars, row) {
  return row < 0 || Number.isNaN(bars.ended[row]) ? NaN : bars.packing[row];
}

/** Which part of its work a running attempt said is done, NaN if it did not say. */
export function progressOf(bars, row) {
  return row < 0 || !Number.isNaN(bars.ended[row]) ? NaN : bars.progress[row];
}

/** Bytes in words. */
export function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB", "TB"], power = Math.min(4, Math.floor(Math.log10(Math.max(1, count)) / 3));
  const value = count / 1000 ** power;
  return `${power && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${count === 1 ? "byte" : units[power]}`;
}

/** The row of the call with this id, or -1. */
export function rowOf(store, id) {
  const { labels = {}, activities = [] } = store.state.names;
  for (const row in labels) if (labels[row] === id) return Number(row);
  const [, name, digits] = /^(.*)-(\d+)$/s.exec(id) ?? [], activity = activities.indexOf(name), { column, count } = store.calls;
  if (activity < 0) return -1;
  for (let row = 0; row < count; row++) {
    if (column.activity[row] === activity && column.number[row] === Number(digits)) return row;
  }
  return -1;
}
