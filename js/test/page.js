// A whole panel on a page of jsdom, told by hand; and a graph to show on it.

import { vi } from "vitest";
import widget from "../src/index.js";
import { noteCanvas } from "./frame.js";
import { LOOK, STATUSES } from "./made.js";

let tokens = 0;

export class Wire {
  constructor(state, traits = {}) {
    this.traits = { state, look: LOOK, actions: [], token: `page-${++tokens}`, ...traits };
    this.heard = new Map();
    this.sent = [];
    const signal = () => ({ heard: [], connect(act) { this.heard.push(act); }, emit(status) { for (const act of this.heard) act(null, status); } });
    this.widget_manager = { kernel: { statusChanged: signal(), connectionStatusChanged: signal() } };
  }

  get(name) { return this.traits[name]; }

  on(name, act) { this.heard.set(name, [...(this.heard.get(name) ?? []), act]); }

  off(name, act) { this.heard.set(name, (this.heard.get(name) ?? []).filter((one) => one !== act)); }

  send(message) { this.sent.push(message); }

  fire(name, ...args) { for (const act of this.heard.get(name) ?? []) act(...args); }

  tell(message, buffers) { this.fire("msg:custom", message, buffers); }

  put(name, value) {
    this.traits[name] = value;
    this.fire(`change:${name}`);
  }

  sentOf(kind) { return this.sent.filter((message) => message.kind === kind); }
}

/** A panel on the page. `frame()` lets the next frame come. */
export function open(state, traits) {
  noteCanvas();
  globalThis.ResizeObserver ??= class { observe() {} disconnect() {} };
  const model = new Wire(state, traits), el = document.createElement("div");
  document.body.replaceChildren(el);
  const forget = widget.initialize({ model }), close = widget.render({ model, el }), root = el.firstElementChild;
  frame();
  return { model, el, root, close, forget, find: (query) => root.querySelector(query), all: (query) => [...root.querySelectorAll(query)] };
}

export const frame = () => vi.advanceTimersByTime(40);

/** Boxes a, b, ... in layers, from a list of [name, needs]: keys are names. */
export function graphOf(calls, more = {}) {
  const depth = new Map(), nodes = {}, edges = {}, wide = [], at = new Map(calls.map(([name], i) => [name, i]));
  calls.forEach(([name, needs = []], call) => {
    const layer = needs.reduce((most, other) => Math.max(most, depth.get(other) + 1), 0);
    depth.set(name, layer);
    wide[layer] = (wide[layer] ?? -1) + 1;
    nodes[name] = { box: [wide[layer] * 180, layer * 80, 156, 42], status: "done", name, side: "1.0 s", detail: "'eu'", hint: name, activity: 0, call, ...more[name] };
    for (const other of needs) edges[`${other}>${name}`] = ["data", `M${call} ${depth.get(other)}C0 1 2 3 4 ${at.get(other)}`, "M0 0z", 1, 0, 0, other, name, false];
  });
  return { nodes, edges, graph: { width: 900, height: 400 } };
}

/** A state of a run of those boxes. */
export function stateOf(graph, more = {}) {
  const calls = Object.keys(graph.nodes).length;
  const head = { run: "r1", workflow: "train", status: "running", calls, counts: { done: calls }, figures: {}, ...more.head };
  return { seq: 1, now: 2,
    names: { activities: ["f"], workers: ["w"], labels: Object.fromEntries(Object.keys(graph.nodes).map((name, i) => [i, name])) },
    critical: [], view: { mode: "calls", open: [], modes: ["calls", "groups"], canvas: false }, tables: { calls: 0, bars: 0 }, ...graph, ...more, head };
}

export const S = Object.fromEntries(STATUSES.map((status, i) => [status, i]));
