// The Graph tab: what can be done with the graph, by pointer, keyboard and search. What it looks
// like is in boxes.js (elements) and canvas.js (thousands of boxes); where all is, in plan.js.

import "./graph.css";
import { Boxes } from "./boxes.js";
import { Camera } from "./camera.js";
import { Canvas } from "./canvas.js";
import { h, say, set, take } from "./dom.js";
import { Overview } from "./overview.js";
import { Plan } from "./plan.js";
import { GraphPointer } from "./graph_pointer.js";
import { GraphTools } from "./graph_tools.js";
import { spoken } from "./graph_words.js";
import { plural, wordsOf } from "./words.js";

const LOW = 92, HIGH = 540, MAP = 44; // pixels, of the stage, and for the overview
const READABLE = 0.42; // the graph is not made smaller than this unasked...
const COUNTED = 0.7; // ...and groups not so small that their counts cannot be read
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class GraphTab {
  constructor(view) {
    this.view = view;
    this.camera = new Camera();
    this.focused = this.hovered = -1;
    this.query = "";
    this.matches = null;
    this.critical = false;
    this.boxes = new Boxes(view);
    this.canvas = new Canvas(view);
    this.empty = h("div", "nbf-empty");
    this.overview = new Overview(this);
    this.stage = h("div", "nbf-stage", { tabindex: 0, role: "application", "aria-roledescription": "graph" });
    this.spoken = h("span", "nbf-hidden", { role: "status", "aria-live": "polite" });
    this.tools = new GraphTools(this);
    this.box = h("div", "nbf-graph-tab", {}, this.tools.box, this.stage, this.empty, this.spoken);
    this.listen();
    this.pointer = new GraphPointer(this);
  }

  // --- drawing

  draw(store, width) {
    const { state } = store;
    this.store = store;
    this.renew(store);
    this.width = width - 2;
    this.resize();
    const any = this.plan.count > 0;
    this.stage.hidden = !any;
    this.empty.hidden = any;
    say(this.empty, this.emptyWords(store));
    set(this.stage, { "aria-label": `Graph of ${plural(state.head.calls ?? 0, "call")}: ${wordsOf(state.head.counts)}. Arrows go from box to box, Enter opens, plus and minus zoom.` });
    this.tools.draw(store);
    this.search();
    this.paint();
    this.tick(store);
  }

  emptyWords({ state, running }) {
    if (state.view.canvas) return "The graph is on its way …";
    return running ? "No call yet. Calls stand here as soon as the workflow makes them." : "This run made no calls.";
  }

  /** Take over what has changed in the state. */
  renew(store) {
    const { state } = store, canvas = Boolean(state.view.canvas);
    const from = canvas ? store.scene : state.nodes;
    if (this.painter !== (canvas ? this.canvas : this.boxes)) {
      this.painter = canvas ? this.canvas : this.boxes;
      this.stage.replaceChildren(this.painter.element, this.overview.box);
      this.plan = null;
    }
    if (this.plan && this.from === from && this.lines === state.edges) return;
    const old = this.plan, focus = this.keyOf(this.focused);
    this.plan = canvas ? (from ? Plan.ofScene(from) : new Plan(NOTHING, {})) : this.planOf(state);
    this.from = from;
    this.lines = state.edges;
    if (this.plan === old) return;
    this.focused = this.find(focus);
    this.hovered = -1;
    this.relatedTo = null;
  }

  /** The plan of the state's boxes: another one only if boxes came, went or moved. */
  planOf({ nodes, edges, graph }) {
    const { plan } = this;
    if (plan?.rows && this.lines === edges && plan.count === nodes.size && plan.width === (graph.width ?? 0)) {
      let i = 0, same = true;
      const rows = [];
      for (const [key, row] of nodes) {
        const old = plan.rows[i];
        same &&= plan.keys[i] === key && (old === row || (String(old.box) === String(row.box) && old.call === row.call && old.join === row.join));
        rows.push(row);
        i++;
      }
      if (same) {
        plan.rows = rows;
        return plan;
      }
    }
    return Plan.ofRows(nodes, edges, graph);
  }

  /** A box by something that outlives another layout. */
  keyOf(i) { return i >= 0 && this.plan ? this.plan.keys?.[i] ?? `c${this.plan.call[i]}` : ""; }

  find(key) {
    if (!key) return -1;
    return this.plan.keys ? this.plan.keys.indexOf(key) : this.plan.at.get(Number(key.slice(1))) ?? -1;
  }

  resize() {
    const { plan, camera } = this, key = `${plan.width} ${plan.height} ${this.width}`;
    const k = Math.max(READABLE, Math.min(1, (this.width - 20) / Math.max(1, plan.width)));
    const map = plan.width * k > this.width ? MAP : 0; // what is beside the stage is shown in a corner of it
    const wanted = Math.round(Math.max(LOW, Math.min(HIGH, plan.height * k + 20 + map)));
    // Once the reader has moved it the stage only grows: a picture that jumps is lost.
    this.height = camera.touched ? Math.max(this.height ?? LOW, wanted) : wanted;
    this.stage.style.height = `${this.height}px`;
    if (camera.touched || key === this.fitted) return;
    this.fitted = key;
    const { mode, open } = this.store.state.view, whole = mode === "groups" && !open.length && plan.width * COUNTED < this.width;
    camera.fit(plan, this.width, this.height - map, whole ? COUNTED : READABLE);
  }

  paint() {
    const { plan, painter, camera, width, height } = this;
    if (!plan?.count) return;
    painter.show(plan, this.store.state);
    painter.camera(camera, width, height);
    painter.mark(this.marks());
    this.tools.zoomed(camera.k);
    this.overview.draw();
  }

  marks() {
    const { plan } = this, selected = this.view.selected == null ? -1 : plan.at.get(this.view.selected) ?? -1;
    if (this.relatedTo !== selected) {
      this.related = selected >= 0 ? plan.related(selected) : null;
      this.relatedTo = selected;
    }
    return { selected, hovered: this.hovered, focused: byKeys(this.stage) ? this.focused : -1,
      related: this.related, matches: this.matches, critical: this.critical, ...(this.critical ? this.onPath() : null) };
  }

  /** The boxes and the lines on the critical path, for the canvas. */
  onPath() {
    const { store, plan } = this, { call } = store.bars.column, { critical } = store.state;
    if (plan.rows) return null;
    const known = this.path;
    if (known?.plan === plan && known.critical === critical && known.count === store.bars.count) return known;
    const onPath = critical.filter((bar) => bar < store.bars.count).map((bar) => plan.at.get(call[bar]) ?? -1);
    return (this.path = { plan, critical, count: store.bars.count, onPath, heavy: plan.along(onPath) });
  }

  tick(store) {
    this.painter?.tick(store);
    this.pointer.tell();
  }

  /** Move to another place in small steps, if the reader likes motion. */
  glide(change) {
    const { camera } = this, from = { x: camera.x, y: camera.y, k: camera.k };
    change();
    if (this.view.still || !this.stage.isConnected) return this.view.soon();
    const to = { x: camera.x, y: camera.y, k: camera.k }, began = performance.now(), gliding = (this.gliding = {});
    const move = (now) => {
      if (this.gliding !== gliding) return;
      const part = Math.min(1, Math.max(0, (now - began) / 160)), eased = 1 - (1 - part) ** 3;
      for (const key in to) camera[key] = from[key] + (to[key] - from[key]) * eased;
      this.paint();
      if (part < 1) requestAnimationFrame(move);
    };
    requestAnimationFrame(move);
  }

  // --- what the tools do

  fit() {
    this.glide(() => {
      this.camera.fit(this.plan, this.width, this.height);
      this.camera.touched = false;
    });
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    this.gliding = null;
    this.camera.zoom(factor, x, y);
    this.camera.hold(this.plan, this.width, this.height);
    this.soon();
  }

  pan(dx, dy) {
    this.gliding = null;
    this.camera.pan(dx, dy);
    this.camera.hold(this.plan, this.width, this.height);
    this.soon();
  }

  /** Paint at the next frame: what was moved needs no other part of the panel. */
  soon() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      if (this.stage.isConnected) this.paint();
    });
  }

  look(query) {
    this.query = query.trim();
    this.at = -1;
    this.search();
    if (this.found.length) this.next(1);
    this.soon();
  }

  /** Find the boxes that the query means: by a part of the name, or by status. */
  search() {
    const { query, plan, store } = this, wanted = query.toLowerCase();
    this.found = [];
    this.matches = null;
    if (wanted) {
      const flags = new Uint8Array(plan.count);
      for (const i of plan.boxes()) if (this.means(i, wanted, store)) this.found.push(i), flags[i] = 1;
      const key = `${wanted} ${this.found}`;
      if (key !== this.searched) this.flags = flags;
      this.searched = key;
      this.matches = this.flags.length === plan.count ? this.flags : flags;
    }
    this.tools.count(this.at ?? -1, this.found.length, query);
  }

  means(i, wanted, store) {
    const { plan } = this, name = plan.name(i, store).toLowerCase(), row = plan.rows?.[i];
    if (name.includes(wanted) || plan.status(i, store) === wanted) return true;
    return Boolean(row?.counts) && row.nest === undefined && (wanted.startsWith(`${name}-`) || wanted in row.counts && row.counts[wanted] > 0);
  }

  /** Go to the next box that was found, or the one before. */
  next(step) {
    const { found } = this, count = found?.length;
    if (!count) return;
    this.at = this.at < 0 ? (step > 0 ? 0 : count - 1) : (this.at + step + count) % count;
    this.tools.count(this.at, count, this.query);
    this.go(found[this.at]);
  }

  togglePath() {
    this.critical = !this.critical;
    this.tools.draw(this.store);
    this.soon();
  }

  // --- going about

  go(i) {
    if (i < 0) return;
    this.focused = i;
    this.glide(() => this.camera.reveal(this.plan, i, this.width, this.height));
    say(this.spoken, spoken(this.plan, i, this.store));
  }

  /** Open a box: the details of a call, or the calls of an activity. */
  open(i) {
    const { plan, view, store } = this, row = plan.rows?.[i];
    this.focused = i;
    if (row?.nest !== undefined) this.fold(row.nest, !row.frame);
    else if (row?.group !== undefined) this.unfold(row.group, !(store.state.view.open ?? []).includes(row.group));
    else if (plan.call[i] !== 0xffffffff) view.select(view.selected === plan.call[i] ? null : plan.call[i]);
  }

  /** Show the calls of an activity one by one, or as one box again. */
  unfold(activity, on) {
    const { open = [] } = this.store.state.view;
    this.store.arrange({ mode: "groups", open: on ? [...open, activity] : open.filter((other) => other !== activity) });
  }

  /** Open a composition, or fold it to one box again. */
  fold(nest, on) {
    const { open = [] } = this.store.state.view;
    this.store.arrange({ mode: "nested", open: on ? [...open, nest] : open.filter((other) => other !== nest) });
  }

  /** Another call was selected, here or in another tab. */
  select(call) {
    const i = call == null ? -1 : this.plan?.at.get(call) ?? -1;
    if (i >= 0 && this.box.isConnected && i !== this.focused) this.go(i);
    if (i >= 0) this.focused = i;
  }

  hover(call) {
    const i = call == null ? -1 : this.plan?.at.get(call) ?? -1;
    if (i === this.hovered || !this.plan) return;
    this.hovered = i;
    if (this.stage.isConnected) this.soon();
  }

  listen() {
    const { stage } = this;
    const heard = {
      keydown: (event) => this.key(event),
      focus: () => this.arrive(),
      blur: () => this.soon(),
    };
    for (const name in heard) stage.addEventListener(name, heard[name]);
  }

  arrive() {
    if (this.plan?.count && this.focused < 0 && byKeys(this.stage)) this.go(this.plan.first());
    this.soon();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.plan?.count) return;
    const { view } = this, arrow = ARROWS[event.key];
    const known = {
      "Enter": () => this.open(this.focused < 0 ? this.plan.first() : this.focused),
      " ": () => this.open(this.focused < 0 ? this.plan.first() : this.focused),
      "Escape": () => (this.query ? this.tools.clear() : view.select(null)),
      "+": () => this.zoom(1.3), "=": () => this.zoom(1.3), "-": () => this.zoom(1 / 1.3),
      "0": () => this.fit(), "Home": () => this.fit(), "/": () => this.tools.field.focus(),
      "n": () => this.next(1), "N": () => this.next(-1),
    };
    const act = arrow ? () => this.walk(...arrow, event.shiftKey) : Object.hasOwn(known, event.key) ? known[event.key] : null;
    if (!act || (event.key === "Escape" && !this.query && view.selected == null)) return;
    take(event);
    act();
  }

  /** Arrows go from box to box, with Shift they move the picture. */
  walk(dx, dy, shifted) {
    if (shifted) return this.pan(-60 * dx, -60 * dy);
    const { focused, plan } = this;
    this.go(focused < 0 ? plan.first() : plan.step(focused, dx, dy));
  }

  close() {
    this.pointer.close();
    this.gliding = null;
    this.canvas.close();
  }
}

/** Whether the stage has the focus, and not by a click. */
const byKeys = (stage) => stage.matches(":focus-visible");
const NOTHING = { call: new Uint32Array(0), x: [], y: [], w: [], h: [], source: [], target: [], kind: [] };
