// What is said of a box in its tip and to those who listen.

import { columnsOf, queuedOf, ranOf } from "./attempts.js";
import { NONE } from "./store.js";
import { clean, duration, ticking, wordsOf } from "./words.js";

/** The row of a call's latest attempt, or -1. */
export function lastBar(store, call) {
  const { bars } = store;
  if (bars.lastOf?.version !== bars.version) {
    const rows = new Map();
    for (let row = 0; row < bars.count; row++) rows.set(bars.column.call[row], row);
    bars.lastOf = { version: bars.version, rows };
  }
  return bars.lastOf.rows.get(call) ?? -1;
}

/** A tip: the name, then [name, words]. */
export function linesOf(plan, i, store) {
  const call = plan.call[i], row = plan.rows?.[i], name = plan.name(i, store);
  if (row?.counts) {
    const fold = row.nest !== undefined ? `Click to ${row.frame ? "fold" : "open"} it` : row.group === undefined ? "" : "Click to see its calls one by one";
    return [`${name} ${row.side}`, ["", wordsOf(row.counts)], ["", row.detail], ["", fold]];
  }
  if (call === NONE) return [name];
  const bar = lastBar(store, call), bars = columnsOf(store.bars), status = plan.status(i, store), running = status === "running";
  const ran = ranOf(bars, bar, store.now), queued = queuedOf(bars, bar), tries = call < store.calls.count ? store.calls.column.attempts[call] : 1;
  const time = bar < 0 || status === "skipped" ? "" : ` · ${running ? ticking(ran) : duration(ran)}`;
  return [name, ["", status + time], ["arguments", argumentsOf(store.details.get(call), row)],
    ["attempts", tries > 1 ? String(tries) : ""], ["started", bar < 0 ? "" : `at ${duration(bars.started[bar])}`],
    ["queued", queued > 0.0005 ? duration(queued) : ""], ["worker", bar < 0 ? "" : store.worker(bars.worker[bar])],
    ["", row?.child ? "A run of its own: click, then open its panel" : ""], ["error", clip(store.details.get(call)?.error ?? (status === "failed" ? row?.detail : ""))]];
}

function argumentsOf(detail, row) {
  if (detail?.args?.length) return clip(detail.args.map(([name, preview]) => (/^\d+$/.test(name) ? preview : `${name}=${preview}`)).join(", "));
  return row?.status === "failed" ? "" : row?.detail ?? "";
}

const clip = (text = "") => (text.length > 160 ? `${text.slice(0, 159)}…` : text);

/** A box in a sentence. */
export function spoken(plan, i, store) {
  const [title, ...lines] = linesOf(plan, i, store);
  return clean([title, ...lines.filter(([, words]) => words).map(([name, words]) => (name ? `${name} ${words}` : words))].join(", "));
}
