// Which rows the table of calls has, what they say, and in which order. No DOM.

import { columnsOf, latestBars, packingOf, progressOf, queuedOf, ranOf } from "./attempts.js";
import { matcher, order, parse, ranks } from "./calls_query.js";

/** The rows of a store's tables as one reads them: a call each, or an attempt each. */
export class Rows {
  /** @param each "call" or "attempt" */
  constructor(store, each) {
    const calls = columnsOf(store.calls), bars = columnsOf(store.bars), byAttempt = each === "attempt";
    this.store = store;
    this.calls = calls;
    this.bars = bars;
    this.each = each;
    this.count = byAttempt ? bars.count : calls.count;
    const latest = byAttempt ? null : latestBars(bars, calls.count);
    this.callOf = byAttempt ? (row) => bars.call[row] : (row) => row;
    this.barOf = byAttempt ? (row) => row : (row) => latest[row];
    this.statusNumber = byAttempt ? (row) => bars.status[row] : (row) => calls.status[row];
    this.read = this.reader();
  }

  reader() {
    const { store, calls, bars, callOf, barOf } = this;
    return {
      id: (row) => store.label(callOf(row)),
      activity: (row) => store.activity(callOf(row)),
      status: (row) => store.statusOf(this.statusNumber(row)),
      attempts: this.each === "attempt" ? (row) => bars.attempt[row] : (row) => calls.attempts[row],
      queued: (row) => queuedOf(bars, barOf(row)),
      ran: (row) => ranOf(bars, barOf(row), store.now),
      progress: (row) => progressOf(bars, barOf(row)),
      packing: (row) => packingOf(bars, barOf(row)),
      worker: (row) => (barOf(row) < 0 ? "" : store.worker(bars.worker[barOf(row)])),
      started: (row) => (barOf(row) < 0 ? NaN : bars.started[barOf(row)]),
    };
  }

  /** How many rows have each status, by its number. */
  statuses() {
    const found = new Map();
    for (let row = 0; row < this.count; row++) {
      const status = this.statusNumber(row);
      found.set(status, (found.get(status) ?? 0) + 1);
    }
    return found;
  }

  /** The rows that a filter (text, and a set of statuses) lets through, in the order of a column. */
  list(text, statuses, column, down) {
    const holds = matcher(parse(text), statuses, this.read), all = !text.trim() && !statuses.size, found = [];
    for (let row = 0; row < this.count; row++) if (all || holds(row)) found.push(row);
    return column ? order(found, this.keyOf(column), down) : found;
  }

  /** What to order by, a number for each row. */
  keyOf(column) {
    const { calls, bars, callOf, barOf, read } = this, { activities = [], workers = [] } = this.store.state.names;
    if (column === "activity" || column === "id") {
      const rank = ranks(activities), number = column === "id" ? (call) => calls.number[call] : () => 0;
      return (row) => rank[calls.activity[callOf(row)]] * 2 ** 32 + number(callOf(row));
    }
    if (column === "worker") {
      const rank = ranks(workers);
      return (row) => (barOf(row) < 0 ? NaN : rank[bars.worker[barOf(row)]] ?? NaN);
    }
    return column === "status" ? this.statusNumber : read[column];
  }
}
