// What is known of a run, for all views of it: the state, the rows, the log, and what was asked.

import { BARS, CALLS, Table, decode } from "./rows.js";

const WHOLE = ["head", "names", "critical", "view", "graph", "tables"];
const KEYED = ["nodes", "edges"];
const PATIENCE = 13; // seconds; a running run sends something every four
const PRESSED = 6; // seconds for which a button stays pressed though nothing answers
const LATE = 2; // seconds after which it is said that nothing answers
const LINES = 20_000; // of the log are kept here, and a tenth more before the first of them go
export const NONE = 0xffffffff;

/** A whole state, its boxes and lines as maps: a plain object would trip over a call named __proto__. */
export function read(state) {
  const found = { seq: state.seq ?? 0, now: state.now ?? 0 };
  for (const key of WHOLE) found[key] = state[key] ?? (key === "critical" ? [] : {});
  for (const key of KEYED) found[key] = new Map(Object.entries(state[key] ?? {}));
  return found;
}

/** Put a difference on top of a state. */
export function patch(state, delta) {
  state.seq = delta.seq;
  state.now = delta.now;
  for (const key of WHOLE) if (key in delta) state[key] = delta[key];
  for (const key of KEYED) {
    if (!delta[key]) continue;
    state[key] = new Map(state[key]);
    for (const [name, row] of Object.entries(delta[key])) {
      if (row === null) state[key].delete(name);
      else state[key].set(name, row);
    }
  }
}

export const clock = () => performance.now() / 1000;

export class Store {
  /** @param model anything with get, on, off and send, as anywidget's model; a page may have its own */
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.calls = new Table(CALLS);
    this.bars = new Table(BARS);
    this.details = new Map(); // call row -> the last `detail` message
    this.log = { lines: [], first: 0, version: 0 };
    this.children = new Map(); // call row -> the model of the child run that is open
    this.scene = null;
    this.lost = false;
    this.note = "";
    this.pressed = new Map(); // action -> when it was pressed
    this.asked = new Map(); // what was asked for -> when
    this.heard = clock();
    this.state = read(model.get("state") ?? {});
    this.embedded(model.get("state"));
    this.listen();
    this.watchKernel(model.widget_manager);
    if (this.running) this.ask();
    this.complete();
  }

  listen() {
    const heard = {
      "change:state": () => this.renew(this.model.get("state")),
      "change:actions": () => this.draw(),
      "msg:custom": (message, buffers) => this.receive(message, buffers ?? []),
      "comm_live_update": () => {
        if ([...this.views].some((view) => view.el.closest(".jupyter-widgets-disconnected"))) this.lose();
      },
    };
    for (const name in heard) this.model.on(name, heard[name]);
    this.deaf = () => { for (const name in heard) this.model.off?.(name, heard[name]); };
  }

  /** JupyterLab's manager says what becomes of the kernel. */
  watchKernel(manager) {
    const hear = (_, status) => { if (/restarting|dead|terminating|^disconnected/.test(status)) this.lose(); };
    try {
      manager.kernel.statusChanged.connect(hear);
      manager.kernel.connectionStatusChanged.connect(hear);
    } catch { /* a manager of another make */ }
  }

  // --- what the kernel says

  renew(state) {
    const { seq } = this.state;
    if (!state || (state.seq ?? 0) < seq) return;
    this.learn(() => {
      this.state = read(state);
      if (this.state.seq > seq + 1) this.forgetRows(); // what was missed may have changed any of them
      this.embedded(state);
    });
    this.complete();
  }

  /** Rows that are in the state itself: a page that was saved has no others. */
  embedded(state) {
    for (const block of state?.rows ?? []) this.rowsOf(block, block.columns.map(([, , text]) => decode(text)));
  }

  receive(message, buffers) {
    const known = {
      delta: () => this.delta(message, buffers),
      rows: () => this.learn(() => this.blocks(message.blocks, buffers)),
      scene: () => this.learn(() => { this.scene = { ...message, buffers }; }),
      child: () => this.children.get(message.call)?.receive(message, buffers),
      detail: () => this.learn(() => this.details.set(message.call, message)),
      log: () => this.learn(() => this.lines(message)),
      note: () => this.learn(() => this.answered(message.text, message.action)),
      done: () => this.learn(() => this.answered(message.ok === false ? this.note : "", message.action)),
    };
    if (Object.hasOwn(known, message?.kind)) known[message.kind]();
  }

  delta(message, buffers) {
    const follows = message.base === this.state.seq;
    if (message.base < this.state.seq) return;
    this.learn(() => {
      this.blocks(message.blocks ?? [], buffers);
      if (message.log) this.more(message.log);
      if (follows) patch(this.state, message);
    });
    if (follows) this.complete();
    else this.ask();
  }

  forgetRows() {
    this.calls.forget();
    this.bars.forget();
    this.asked.delete("rows");
  }

  blocks(blocks, buffers) {
    const left = [...buffers];
    for (const block of blocks) this.rowsOf(block, left);
  }

  rowsOf(block, buffers) {
    const table = { calls: this.calls, bars: this.bars }[block.table];
    if (table) table.take(block, buffers);
    else buffers.splice(0, block.columns.length + (block.at ? 1 : 0));
  }

  /** Lines of the log at their places: they may come twice, when asked for and by themselves. */
  lines({ from = 0, lines, cut = 0 }) {
    const { log } = this, skip = from - log.first;
    if (!log.lines.length || skip < 0) Object.assign(log, { lines: [...lines], first: from, partial: from > cut });
    else if (skip <= log.lines.length) log.lines.splice(skip, lines.length, ...lines);
    else return this.askLog();
    if (log.lines.length > LINES * 1.1) log.first += log.lines.splice(0, log.lines.length - LINES).length;
    log.cut = cut;
    log.version++;
  }

  /** Lines that follow those that are here. */
  more(news) {
    if (!Array.isArray(news)) this.lines(news);
    else if (news.length) this.lines({ from: this.log.first + this.log.lines.length, lines: news, cut: this.log.cut });
  }

  answered(note, action) {
    this.note = note;
    if (action) this.pressed.delete(action);
    else this.pressed.clear();
  }

  learn(change) {
    change();
    this.heard = clock();
    this.lost = false;
    this.draw();
  }

  lose() {
    this.lost = this.running;
    this.draw();
  }

  // --- what is asked of the kernel

  send(message) { this.model.send(message); }

  /** Send a question, but not the same one many times a second. */
  question(name, message, pause = 1) {
    if (clock() - (this.asked.get(name) ?? -Infinity) < pause) return;
    this.asked.set(name, clock());
    this.send(message);
  }

  ask() { this.question("state", { kind: "ask" }); }

  /** Ask for the rows that are there and not here. */
  complete() {
    const { calls = 0, bars = 0 } = this.state.tables;
    if (calls <= this.calls.count && bars <= this.bars.count) return;
    this.question("rows", { kind: "rows", calls: this.calls.count, bars: this.bars.count });
  }

  /** Ask for the details of a call; they come into `details`. */
  askDetail(call) { this.question(`detail ${call}`, { kind: "detail", call }); }

  /** Ask for the lines of the log that are not here, those before the first as well; they come into `log`. */
  askLog() {
    const { lines, first, partial } = this.log;
    this.question("log", { kind: "log", from: partial ? 0 : first + lines.length });
  }

  /** See the graph otherwise: {mode: "calls" | "groups", open: [activity number, ...]}. */
  arrange(view) {
    const { mode, open = [] } = this.state.view;
    this.send({ kind: "view", mode, open, ...view });
  }

  /** Whether an action can be done from here: "cancel", "cancel_call", "retry" or "resume". */
  can(action) { return !this.lost && (this.model.get("actions") ?? []).includes(action); }

  /** Do an action; `more` is what it needs, such as {call: row}. */
  act(action, more) {
    if (this.isPressed(action) || !this.can(action)) return;
    this.pressed.set(action, clock());
    this.note = "";
    this.send({ kind: action, ...more });
    this.draw();
  }

  isPressed(action) {
    if (action === "cancel" && this.state.head.cancelling) return true;
    return clock() - (this.pressed.get(action) ?? -Infinity) < PRESSED;
  }

  /** Whether a button was pressed and nothing has come of it. */
  get late() {
    const now = clock();
    return [...this.pressed.values()].some((at) => now - at > LATE && now - at < 5 * PRESSED) && !this.state.head.cancelling;
  }

  draw() { for (const view of this.views) view.soon(); }

  // --- words for the numbers in the rows

  /** A call's id, by its row. */
  label(call) {
    const named = this.state.names.labels?.[call];
    if (named !== undefined) return named;
    return call < this.calls.count ? `${this.activity(call)}-${this.calls.column.number[call]}` : `call ${call}`;
  }

  /** The name of a call's activity, by the call's row. */
  activity(call) { return this.state.names.activities?.[this.calls.column.activity[call]] ?? "?"; }

  worker(number) { return this.state.names.workers?.[number] ?? ""; }

  /** A status by its number in the rows. */
  statusOf(number) { return this.model.get("look").statuses[number] ?? "waiting"; }

  /** The colour of an activity, by its number; those past the last colour share one. */
  color(activity) {
    const { activities } = this.model.get("look");
    return activities[Math.min(activity, activities.length - 1)];
  }

  get running() { return (this.state.head.status ?? "running") === "running"; }
  get silent() { return this.running && !this.lost && clock() - this.heard > PATIENCE; }
  get live() { return this.running && !this.lost && !this.silent; }

  /** The time in the run, in seconds, which goes on between messages. */
  get now() {
    const { ended } = this.state.head;
    if (!this.running && ended != null) return ended;
    return this.state.now + (this.live && !this.state.head.reading ? clock() - this.heard : 0);
  }

  get status() {
    if (this.lost || this.silent) return "disconnected";
    return this.running && this.isPressed("cancel") ? "cancelling" : this.state.head.status ?? "running";
  }
}

const byToken = new Map(), byModel = new WeakMap();

/** The store of a model: all views of it share one. anywidget wraps a model anew for each, hence the token. */
export function storeOf(model) {
  const token = model.get("token"), stores = token ? byToken : byModel, key = token || model;
  if (!stores.has(key)) stores.set(key, new Store(model));
  return stores.get(key);
}

export function forget(store) {
  store.deaf();
  const token = store.model.get("token");
  if (byToken.get(token) === store) byToken.delete(token);
}
