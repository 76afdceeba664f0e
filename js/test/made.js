// Made-up runs for tests: the rows of a pool of workers, and a model that answers as a kernel would.

export const STATUSES = ["waiting", "queued", "running", "retrying", "done", "failed", "skipped", "cancelled", "cached"];
const S = Object.fromEntries(STATUSES.map((status, i) => [status, i]));
const NONE = 0xffffffff;

export const LOOK = {
  colors: { waiting: "#b0b0b0", queued: "#8d99a6", running: "#e69f00", retrying: "#c98500", done: "#009e73", failed: "#d55e00",
    skipped: "#a3a3a3", cancelled: "#7d7d7d", cached: "#56b4e9", completed: "#009e73" },
  icons: { waiting: [[[-0.45, 0], [-0.44, 0]], [[0, 0], [0.01, 0]], [[0.44, 0], [0.45, 0]]], queued: [[[0, -0.5], [0, 0.04], [0.36, 0.26]]],
    running: [[[-0.28, -0.46], [0.5, 0], [-0.28, 0.46], [-0.28, -0.46]]],
    retrying: [[[0.42, 0.2], [0.2, 0.42], [-0.2, 0.42], [-0.46, 0.1], [-0.4, -0.26], [-0.1, -0.46], [0.26, -0.4], [0.46, -0.1]], [[0.5, -0.5], [0.46, -0.1], [0.08, -0.12]]],
    done: [[[-0.48, 0.02], [-0.12, 0.4], [0.5, -0.36]]], failed: [[[-0.38, -0.38], [0.38, 0.38]], [[-0.38, 0.38], [0.38, -0.38]]],
    skipped: [[[-0.48, -0.4], [-0.08, 0], [-0.48, 0.4]], [[0.06, -0.4], [0.46, 0], [0.06, 0.4]]],
    cancelled: [[[-0.36, -0.36], [0.36, -0.36], [0.36, 0.36], [-0.36, 0.36], [-0.36, -0.36]]],
    cached: [[[-0.42, -0.2], [0.42, -0.2]], [[-0.42, 0.2], [0.42, 0.2]]] },
  dashed: ["waiting", "queued", "skipped", "cancelled"],
  activities: ["#0072b2", "#cc79a7", "#8a8a2e", "#6a51a3", "#3f9fa8", "#882255", "#88aadd", "#a0703c", "#6b7680"],
  statuses: STATUSES,
};

/** A generator of numbers from 0 to 1 that is the same for the same seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const TYPES = { activity: Uint16Array, number: Uint32Array, status: Uint8Array, attempts: Uint16Array, asked: Float64Array,
  call: Uint32Array, attempt: Uint16Array, worker: Uint16Array, ready: Float64Array, started: Float64Array, ended: Float64Array, packing: Float32Array, progress: Float32Array };

/** Rows given as objects, as the typed columns that the browser keeps. */
export function columns(rows, names) {
  const found = { count: rows.length };
  for (const name of names) found[name] = TYPES[name].from(rows, (row) => row[name] ?? (name === "progress" ? NaN : 0));
  return found;
}

export const CALL_COLUMNS = ["activity", "number", "status", "attempts", "asked"];
export const BAR_COLUMNS = ["call", "attempt", "worker", "status", "ready", "started", "ended", "packing", "progress"];

/**
 * A run on a pool: so many calls of some activities, some of which fail and are tried again.
 * `until` cuts it off while it goes on. Gives {calls, bars, names, now, critical}, the first two as lists of rows.
 */
export function made({ count = 20, workers = 4, seed = 1, activities = ["load", "clean", "fit", "score", "report"], failing = 0.06, until = Infinity, mean = 0.4 } = {}) {
  const next = random(seed), calls = [], bars = [], free = new Array(workers).fill(0), numbers = activities.map(() => 0), due = [];
  for (let call = 0; call < count; call++) {
    const activity = Math.min(activities.length - 1, Math.floor((call / count) * activities.length * 0.8 + next() * 2));
    calls.push({ activity, number: ++numbers[activity], status: S.queued, attempts: 0, asked: Math.max(0, (call / count) * mean * count / workers * 0.8) });
    due.push({ call, attempt: 1, ready: calls[call].asked });
  }
  const again = []; // the same, for attempts after the first
  for (let i = 0; i < due.length || again.length;) {
    const one = again.length && (i === due.length || again[0].ready <= due[i].ready) ? again.shift() : due[i++], worker = free.indexOf(Math.min(...free));
    const started = Math.max(free[worker], one.ready) + next() * 0.004 * mean;
    if (started > until) continue;
    const seconds = mean * (0.15 + 1.7 * next() ** 2) * (1 + calls[one.call].activity * 0.2), packing = next() < 0.3 ? next() * mean * 0.2 : 0;
    const ended = started + seconds, fails = next() < failing, open = ended > until;
    const status = open ? S.running : fails ? S.failed : next() < 0.01 ? S.cancelled : S.done;
    bars.push({ call: one.call, attempt: one.attempt, worker, status, ready: one.ready, started, ended: open ? NaN : ended, packing: open ? 0 : packing });
    free[worker] = ended + packing;
    Object.assign(calls[one.call], { attempts: one.attempt, status });
    if (fails && !open && one.attempt < 3) {
      calls[one.call].status = S.retrying;
      again.push({ call: one.call, attempt: one.attempt + 1, ready: ended + mean * 0.5 });
      again.sort((a, b) => a.ready - b.ready);
    }
  }
  bars.sort((a, b) => a.started - b.started);
  const end = bars.reduce((most, bar) => Math.max(most, bar.ended + bar.packing || 0), 0);
  return { calls, bars, names: { activities, workers: free.map((_, i) => `worker-${i + 1}`), labels: {} }, now: until < Infinity ? until : end, critical: chain(bars, seed) };
}

/** A chain of bars, each beginning where the one before it ended. */
function chain(bars, seed) {
  const next = random(seed + 7), found = [];
  let at = bars.reduce((best, bar, i) => (bar.ended > (bars[best]?.ended ?? -1) ? i : best), -1);
  while (at >= 0) {
    found.push(at);
    const { started, worker } = bars[at], other = next() < 0.5;
    let best = -1;
    for (let i = at - 1; i >= 0 && i > at - 200; i--) {
      const bar = bars[i];
      if (bar.ended <= started && (other || bar.worker === worker) && (best < 0 || bar.ended > bars[best].ended)) best = i;
    }
    at = best;
  }
  return found.reverse();
}

const KINDS = { activity: "u2", number: "u4", status: "u1", attempts: "u2", asked: "f8", call: "u4", attempt: "u2", worker: "u2", ready: "f8", started: "f8", ended: "f8", packing: "f4", progress: "f4" };

/** Rows as a block and its buffers, as the kernel sends them; `at` gives their numbers if they do not follow each other. */
export function block(table, rows, from = 0, at = null) {
  const names = table === "calls" ? CALL_COLUMNS : BAR_COLUMNS, found = columns(rows, names);
  const buffers = names.map((name) => new DataView(found[name].buffer.slice(0)));
  if (at) buffers.unshift(new DataView(Uint32Array.from(at).buffer));
  return [{ table, from, count: rows.length, at: Boolean(at), columns: names.map((name) => [name, KINDS[name]]) }, buffers];
}

/** What the head of the state says of a run. */
export function headOf(run, status) {
  const counts = {};
  for (const { status: number } of run.calls) counts[STATUSES[number]] = (counts[STATUSES[number]] ?? 0) + 1;
  const work = run.bars.reduce((sum, { started, ended }) => sum + ((Number.isNaN(ended) ? run.now : ended) - started), 0);
  const efficiency = work / (run.now * run.names.workers.length), running = status === "running";
  return { run: "20261122-161951-3f2a", workflow: "train", status, on: "threads(4)", begun: 1.79e9, ended: running ? null : run.now, calls: run.calls.length, counts,
    cancelling: false, result: status === "completed" ? "{'accuracy': 0.934, 'rows': 120000, 'model': RandomForest(n=200)}" : "", error: "", trace: [], call: "",
    figures: running ? { work, efficiency } : { work, efficiency, critical: run.critical.reduce((sum, i) => sum + run.bars[i].ended - run.bars[i].started, 0) } };
}

let tokens = 0;

/** A model as anywidget's, that holds a run and answers questions. `silent` ones keep their answers. */
export class Model {
  constructor(run, { status = "completed", silent = false, actions = [], details = () => ({}), log = [], cut = 0, head = {} } = {}) {
    Object.assign(this, { run, silent, details, log, cut, sent: [], heard: new Map(), seq: 1 });
    this.traits = { token: `made-${++tokens}`, look: LOOK, actions, state: this.stateOf(status, head) };
  }

  stateOf(status, head) {
    const { run } = this;
    return { seq: this.seq, now: run.now, head: { ...headOf(run, status), ...head }, names: run.names, critical: status === "running" ? [] : run.critical,
      view: { mode: "calls", open: [], modes: ["calls"], canvas: false }, graph: { width: 100, height: 40 }, nodes: {}, edges: {},
      tables: { calls: run.calls.length, bars: run.bars.length } };
  }

  get(name) { return this.traits[name]; }

  on(name, act) { this.heard.set(name, [...(this.heard.get(name) ?? []), act]); }

  off(name, act) { this.heard.set(name, (this.heard.get(name) ?? []).filter((one) => one !== act)); }

  tell(message, buffers = []) { for (const act of this.heard.get("msg:custom") ?? []) act(message, buffers); }

  /** Say what is new: {head, names, calls: {row: row}, bars: {row: row}, log, now}. */
  news({ calls = {}, bars = {}, ...more }) {
    const blocks = [], buffers = [];
    for (const [table, rows] of [["calls", calls], ["bars", bars]]) {
      const at = Object.keys(rows).map(Number);
      if (!at.length) continue;
      const fresh = at[0] >= this.run[table].length;
      at.forEach((row) => { this.run[table][row] = rows[row]; });
      const [head, mine] = block(table, at.map((row) => rows[row]), fresh ? at[0] : 0, fresh ? null : at);
      blocks.push(head);
      buffers.push(...mine);
    }
    const tables = { calls: this.run.calls.length, bars: this.run.bars.length }, base = this.seq++;
    if (more.head) more.head = this.traits.state.head = { ...this.traits.state.head, ...more.head };
    this.tell({ kind: "delta", seq: this.seq, base, now: this.run.now, blocks, tables, ...more }, buffers);
  }

  send(message) {
    this.sent.push(message);
    if (this.silent) return;
    if (message.kind === "rows") this.rows(message);
    if (message.kind === "detail") this.tell({ kind: "detail", call: message.call, ...this.detailOf(message.call) });
    if (message.kind === "log") this.tell({ kind: "log", from: this.cut, lines: this.log, cut: this.cut });
  }

  rows({ calls, bars }) {
    const [first, mine] = block("calls", this.run.calls.slice(calls), calls), [second, others] = block("bars", this.run.bars.slice(bars), bars);
    this.tell({ kind: "rows", blocks: [first, second] }, [...mine, ...others]);
  }

  detailOf(call) {
    const { calls, bars, names } = this.run, { activity, number, status } = calls[call], id = `${names.activities[activity]}-${number}`;
    const attempts = bars.filter((bar) => bar.call === call).map((bar) => ({ ...bar, status: STATUSES[bar.status], worker: names.workers[bar.worker],
      ended: Number.isNaN(bar.ended) ? null : bar.ended, cpu: 0.1, size: 1234, memory: 5e7, error: STATUSES[bar.status] === "failed" ? "ValueError: no such region" : "", retry_at: null }));
    return { id, label: `${names.activities[activity]}(${number})`, activity: names.activities[activity], status: STATUSES[status], args: [["rows", String(number)]],
      result: STATUSES[status] === "done" ? `${number}` : "", error: STATUSES[status] === "failed" ? "ValueError: no such region" : "", trace: [], attempts, needs: call ? [call - 1] : [],
      feeds: call + 1 < calls.length ? [call + 1] : [], source: "", key: `run/${id}`, why: "", ...this.details(call) };
  }
}

export { NONE, S };
