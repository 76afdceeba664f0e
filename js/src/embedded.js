// A model for a page that has no kernel: what the page holds answers what the panel asks.

import { storeOf } from "./store.js";
import { BARS, decode } from "./rows.js";

/**
 * What `run.report()` put into the page, as a model for `mount`.
 *
 * data: {state, look, views: [{mode, open, view, graph, nodes, edges, scene}, ...], details: {row: detail},
 * sources: [text, ...], log}. A detail's `source` is a number in `sources`, or -1.
 */
export class Embedded {
  constructor(data) {
    this.data = data;
    this.traits = { state: data.state, look: data.look, actions: [], token: "" };
    this.alone = true; // there is nobody to follow a child run
    this.heard = new Map();
    this.seq = data.state.seq ?? 0;
    this.shown = data.state;
  }

  get(name) { return this.traits[name]; }

  on(name, heard) {
    if (!this.heard.has(name)) this.heard.set(name, new Set());
    this.heard.get(name).add(heard);
  }

  off(name, heard) { this.heard.get(name)?.delete(heard); }

  /** Answer a message as the kernel would; later, as it would. */
  send(message) {
    const answers = {
      detail: () => this.tell({ kind: "detail", ...this.detail(message.call) }),
      log: () => this.tell({ kind: "log", ...this.data.log }),
      view: () => this.arrange(message),
      rows: () => this.tell({ kind: "rows", blocks: [] }),
    };
    if (Object.hasOwn(answers, message?.kind)) queueMicrotask(answers[message.kind]);
  }

  tell(message, buffers = []) {
    for (const heard of this.heard.get("msg:custom") ?? []) heard(message, buffers);
  }

  /** The graph that is there to begin with may be one of numbers, for a canvas. */
  begin() {
    const { mode, open } = this.data.state.view;
    this.scene(this.find(mode, open));
  }

  // --- other views of the graph

  find(mode, open = []) {
    const key = String([...open].sort((a, b) => a - b));
    return this.data.views.find((view) => view.mode === mode && String(view.open) === key);
  }

  arrange({ mode, open }) {
    open ??= this.data.views.find((view) => view.mode === mode)?.open ?? [];
    const { view: now } = this.shown, added = open.filter((activity) => !now.open.includes(activity));
    const found = this.find(mode, open) ?? (mode === "groups" ? this.find(mode, added.slice(-1)) : null);
    if (!found) return this.tell({ kind: "note", text: `This report does not have ${mode === "calls" ? "all calls" : mode === "nested" ? "the calls of these compositions" : "these calls"} one by one in its graph.` });
    const gone = (old, rows) => Object.fromEntries(Object.keys(old).filter((key) => !(key in rows)).map((key) => [key, null]));
    const { view, graph, nodes, edges } = found, { state } = this.data;
    this.tell({
      kind: "delta", base: this.seq, seq: ++this.seq, now: state.now, view, graph,
      nodes: { ...gone(this.shown.nodes, nodes), ...nodes }, edges: { ...gone(this.shown.edges, edges), ...edges },
    });
    this.shown = found;
    this.scene(found);
  }

  scene(found) {
    if (found?.scene) this.tell({ kind: "scene", ...found.scene.head }, found.scene.columns.map(decode));
  }

  // --- details

  detail(call) {
    const known = this.data.details[call];
    return known ? { ...known, source: this.data.sources[known.source] ?? "" } : this.outline(call);
  }

  /** What the rows tell of a call, where the report has no more of it. */
  outline(call) {
    const store = storeOf(this), { calls, bars } = store, attempts = [];
    for (let row = 0; row < bars.count; row++) if (bars.column.call[row] === call) attempts.push(this.attempt(store, row));
    const count = Object.keys(this.data.details).length;
    return {
      call, id: store.label(call), label: store.label(call), activity: store.activity(call),
      status: store.statusOf(calls.column.status[call]), args: [], result: "", error: "", trace: [], attempts,
      needs: [], feeds: [], source: "", key: "",
      why: `The report has the arguments, results and errors of ${count} calls: those that failed, and the longest.`,
    };
  }

  attempt(store, row) {
    const { column } = store.bars, found = Object.fromEntries(BARS.map(([name]) => [name, column[name][row]]));
    const ended = Number.isNaN(found.ended) ? null : found.ended;
    return { ...found, ended, status: store.statusOf(found.status), worker: store.worker(found.worker),
      cpu: 0, size: 0, memory: 0, error: "", retry_at: null };
  }
}
