// The live panel of a run: draws what nbflow/viz/board.py says. Elements are made one by one and
// words set as text, so nothing that a user named can become markup.

const SVG = "http://www.w3.org/2000/svg";
const WHOLE = ["head", "graph", "gantt"];
const TABLES = ["nodes", "edges", "bars"];
const GREY = "#7d7d7d";
const ORDER = ["done", "failed", "cancelled", "skipped", "retrying", "running", "queued", "waiting"];
const PATIENCE = 13; // seconds; a running run sends something every four

// --- state

/** A whole state as maps: a plain object would trip over a call named __proto__. */
export function read(state) {
  const found = { seq: state.seq ?? 0, now: state.now ?? 0 };
  for (const key of WHOLE) found[key] = state[key] ?? {};
  for (const key of TABLES) found[key] = new Map(Object.entries(state[key] ?? {}));
  return found;
}

/** Put a difference on top of a state. */
export function patch(state, delta) {
  state.seq = delta.seq;
  state.now = delta.now;
  for (const key of WHOLE) if (key in delta) state[key] = delta[key];
  for (const key of TABLES) {
    if (!delta[key]) continue;
    state[key] = new Map(state[key]);
    for (const [name, row] of Object.entries(delta[key])) {
      if (row === null) state[key].delete(name);
      else state[key].set(name, row);
    }
  }
}

const clock = () => performance.now() / 1000;
const stores = new Map();

/** What is known of the run, by all views of it. */
class Store {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.lost = false;
    this.note = "";
    this.asked = this.pressed = -Infinity;
    this.heard = clock();
    this.state = read(model.get("state") ?? {});
    model.on("change:state", () => {
      const state = model.get("state");
      if (state && state.seq >= this.state.seq) this.learn(() => { this.state = read(state); });
    });
    model.on("msg:custom", (message) => this.receive(message));
    model.on("comm_live_update", () => {
      if ([...this.views].some((view) => view.el.closest(".jupyter-widgets-disconnected"))) this.lose();
    });
    this.watchKernel(model.widget_manager);
    if (this.running) this.ask();
  }

  /** JupyterLab's manager says what becomes of the kernel. */
  watchKernel(manager) {
    const hear = (_, status) => { if (/restarting|dead|terminating|^disconnected/.test(status)) this.lose(); };
    try {
      manager.kernel.statusChanged.connect(hear);
      manager.kernel.connectionStatusChanged.connect(hear);
    } catch { /* a manager of another make */ }
  }

  receive(message) {
    if (message?.kind === "note") this.learn(() => { this.note = message.text; this.pressed = -Infinity; });
    if (message?.kind !== "delta") return;
    if (message.base === this.state.seq) this.learn(() => patch(this.state, message));
    else if (message.base > this.state.seq) this.ask();
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

  ask() {
    if (clock() - this.asked < 1) return;
    this.asked = clock();
    this.model.send({ kind: "ask" });
  }

  cancel() {
    if (this.cancelling) return;
    this.pressed = clock();
    this.note = "";
    this.model.send({ kind: "cancel" });
    this.draw();
  }

  draw() { for (const view of this.views) view.soon(); }

  get running() { return (this.state.head.status ?? "running") === "running"; }
  get silent() { return this.running && !this.lost && clock() - this.heard > PATIENCE; }
  get live() { return this.running && !this.lost && !this.silent; }

  /** The time in the run, which goes on between messages. */
  get now() {
    const { ended } = this.state.head;
    if (!this.running && ended != null) return ended;
    return this.state.now + (this.live ? clock() - this.heard : 0);
  }

  get status() {
    if (this.lost || this.silent) return "disconnected";
    return this.running && this.cancelling ? "cancelling" : this.state.head.status ?? "running";
  }

  get cancelling() { return this.state.head.cancelling || clock() - this.pressed < 6; }
}

function storeOf(model) {
  const token = model.get("token");
  if (!stores.has(token)) stores.set(token, new Store(model));
  return stores.get(token);
}

// --- words

/** As in nbflow/viz/wording.py. */
export function duration(seconds) {
  if (!seconds) return "0 s";
  if (seconds < 0.0095) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${(seconds * 1000).toFixed(0)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
  const whole = Math.round(seconds), two = (n) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
}

/** Seconds that change while one looks: fewer digits. */
export function ticking(seconds) {
  return seconds < 59.95 ? `${Math.max(0, seconds).toFixed(1)} s` : duration(seconds);
}

/** Round times up to `length`, and how they are written. */
export function ticks(length, most) {
  const rough = length / Math.max(1, most - 1);
  let step = [30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400].find((s) => s >= rough) ?? rough;
  if (rough <= 20) {
    const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-6)));
    step = [1, 2, 5, 10, 20].map((digit) => power * digit).find((s) => s >= rough * 0.999999);
  }
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const word = (t) => {
    if (!t) return "0";
    if (step < 0.1 && t < 1) return `${(t * 1000).toFixed(step < 1e-3 ? 1 : 0)} ms`;
    return step < 30 ? `${t.toFixed(digits)} s` : duration(t);
  };
  const found = [];
  for (let i = 0; i <= length / step + 1e-9; i++) found.push([i * step, word(i * step)]);
  return found;
}

const number = (count) => count.toLocaleString("en-US");
const inOrder = (counts) => ORDER.filter((s) => counts?.[s]).map((s) => [s, counts[s]]);
const wordsOf = (counts) => inOrder(counts).map(([s, c]) => `${number(c)} ${s}`).join(", ");

// --- elements

const h = (tag, name, attributes, ...inside) =>
  fill(document.createElement(tag), { class: name, ...attributes }, inside);
const svg = (tag, attributes, ...inside) => fill(document.createElementNS(SVG, tag), attributes, inside);

function fill(element, attributes, inside) {
  element.append(...inside.filter((part) => part != null)); // a string becomes a text node
  return set(element, attributes);
}

function set(element, attributes) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    const text = typeof value === "number" ? round(value) : String(value);
    if (element.getAttribute(key) !== text) element.setAttribute(key, text);
  }
  return element;
}

const round = (value) => String(Math.round(value * 10) / 10);
const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A status's mark in a disk of its colour. */
function icon(look, status, x, y, radius) {
  const known = { completed: "done", cancelling: "cancelled", stopped: "cancelled" }[status] ?? status;
  const strokes = look.icons[known] ?? look.icons.waiting;
  const point = ([a, b]) => `${round(x + a * radius)} ${round(y + b * radius)}`;
  const closed = strokes.some((s) => s.length > 2 && String(s[0]) === String(s.at(-1)));
  return svg("g", { class: `nbf-is-${known}` },
    svg("circle", { cx: x, cy: y, r: radius, fill: look.colors[known] ?? GREY }),
    svg("path", {
      d: strokes.map((s) => "M" + s.map(point).join("L")).join(""), class: "nbf-mark",
      fill: closed ? "#fff" : "none", "stroke-width": radius * 0.26,
    }));
}

const disk = (look, status, size) => svg("svg",
  { width: size, height: size, viewBox: "-8 -8 16 16", "aria-hidden": true }, icon(look, status, 0, 0, 7.5));

const words = (x, y, name, text) => svg("text", { x, y, class: `nbf-small ${name}` }, text);

let ruler;
/** Cut a text to so many pixels; the number at the end of a call's id stays. */
function fit(text, pixels, size, family, weight = 400) {
  ruler ??= document.createElement("canvas").getContext("2d");
  ruler.font = `${weight} ${size}px ${family}`;
  const fits = (t) => ruler.measureText(t).width <= pixels;
  if (fits(text)) return text;
  const tail = /^\S+-(\d+)$/.exec(text)?.[1] ?? "";
  let low = 0, high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (fits(text.slice(0, middle) + "…" + tail)) low = middle;
    else high = middle - 1;
  }
  return low ? text.slice(0, low).trimEnd() + "…" + tail : "";
}

/** Draw a table's rows, making anew only those that changed. */
function redraw(parent, drawn, table, make) {
  for (const [key, row] of table) {
    const old = drawn.get(key);
    if (old?.row === row) continue;
    const made = make(row);
    if (old) old.element.replaceWith(made.element);
    else parent.append(made.element);
    drawn.set(key, made);
  }
  for (const [key, old] of drawn) {
    if (!table.has(key)) { old.element.remove(); drawn.delete(key); }
  }
}

// --- the graph

class GraphTab {
  constructor(view) {
    this.view = view;
    this.edges = svg("g");
    this.nodes = svg("g");
    this.svg = svg("svg", { role: "img", class: "nbf-graph" }, this.edges, this.nodes);
    this.box = h("div", "nbf-scroll", {}, this.svg);
    this.drawn = new Map();
  }

  draw(store, width) {
    const { graph, nodes, edges, head } = store.state;
    const wide = (graph.width ?? 0) + 8, high = (graph.height ?? 0) + 8;
    const scale = Math.min(1, Math.max(0.55, (width - 2) / wide));
    set(this.svg, {
      width: wide * scale, height: high * scale, viewBox: `-4 -4 ${wide} ${high}`,
      "aria-label": `Graph of ${head.calls ?? 0} calls: ${wordsOf(head.counts)}`,
    });
    if (this.lines !== edges) this.drawEdges(edges);
    redraw(this.nodes, this.drawn, nodes, (row) => this.node(row));
    this.tick(store);
  }

  /** Let the seconds of running calls go on. */
  tick(store) {
    for (const { row, time } of this.drawn.values()) {
      if (time && row.from != null) say(time, ticking(store.now - row.from));
    }
  }

  drawEdges(edges) {
    const lines = [], labels = [];
    for (const [kind, d, head, count, x, y] of edges.values()) {
      lines.push(svg("path", { d, class: `nbf-edge nbf-${kind}` }));
      if (head) lines.push(svg("path", { d: head, class: "nbf-head" }));
      if (count > 1) {
        const text = `×${number(count)}`, width = text.length * 6 + 8;
        labels.push(svg("rect", { x: x - width / 2, y: y - 7, width, height: 14, rx: 7, class: "nbf-paper" }),
          words(x, y + 3.5, "nbf-middle", text));
      }
    }
    this.edges.replaceChildren(...lines, ...labels);
    this.lines = edges;
  }

  node(row) {
    const { look } = this.view, [x, y, width, height] = row.box;
    const element = svg("g", { class: "nbf-node", transform: `translate(${x} ${y})` });
    if (row.join) {
      element.append(svg("circle", { cx: width / 2, cy: height / 2, r: 3.5, class: "nbf-head" }));
      return { row, element };
    }
    const { status } = row;
    const stripe = look.activities[row.activity], tiny = width < 78;
    set(element, { "data-status": status, "data-name": row.name, style: `--nbf-c:${look.colors[status]};--nbf-a:${stripe}` });
    element.append(svg("title", {}, row.hint), svg("rect", {
      width, height, rx: tiny ? 5 : 7,
      class: `nbf-box${tiny ? " nbf-tinted" : ""}${look.dashed.includes(status) ? " nbf-dashed" : ""}`,
    }));
    if (tiny) element.append(icon(look, status, width / 2, height / 2, 7.5));
    else element.append(svg("path", { d: `M5 0v${height}a5 7 0 0 1 -5 -7v${14 - height}a5 7 0 0 1 5 -7z`, fill: stripe }));
    return { row, element, time: tiny ? null : this.write(element, row) };
  }

  write(element, row) {
    const { family, look } = this.view, { status, box: [, , width, height] } = row;
    if (height < 40) {
      element.append(icon(look, status, 14, height / 2, 6),
        words(24, height / 2 + 3.5, "nbf-ink", fit(row.name, width - 27, 10, family)));
      return null;
    }
    const time = words(width - 7, 18, "nbf-end", row.side), room = width - 38 - (row.side ? row.side.length * 5.6 + 8 : 0);
    const bad = status === "failed" && !row.counts;
    element.append(icon(look, status, 18, 14, 7), time,
      words(30, 18, "nbf-name", fit(row.name, room, 12.5, family, 600)),
      words(11, 34, bad ? "nbf-bad" : "", fit(row.detail, width - 18, 10, family)));
    if (row.counts) element.append(...this.shares(row, width));
    return time;
  }

  shares(row, width) {
    const all = sum(row.counts), room = width - 22, found = [];
    let left = 12;
    for (const [status, count] of inOrder(row.counts)) {
      const wide = Math.max(2, (room * count) / all);
      left = Math.min(left, 12 + room - wide);
      found.push(svg("rect", { x: left, y: 40, width: wide, height: 5, fill: this.view.look.colors[status] }));
      left += wide;
    }
    return found;
  }
}

// --- the Gantt chart

let views = 0;

class GanttTab {
  constructor(view) {
    this.view = view;
    this.hatch = `nbf-hatch-${++views}`;
    const defs = svg("defs", {}, svg("pattern",
      { id: this.hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 6, height: 6, class: "nbf-hatch-pale" }), svg("rect", { width: 2.4, height: 6, class: "nbf-hatch" })));
    this.grid = svg("g");
    this.waits = svg("path", { class: "nbf-wait" });
    this.bars = svg("g");
    this.line = svg("path", { class: "nbf-now" });
    this.svg = svg("svg", { role: "img", class: "nbf-gantt" }, defs, this.grid, this.waits, this.bars, this.line);
    this.legend = h("div", "nbf-legend");
    this.box = h("div", "nbf-scroll", {}, this.svg, this.legend);
    this.drawn = new Map();
  }

  draw(store, width) {
    const { gantt, bars, head } = store.state;
    const lanes = gantt.lanes ?? [], family = this.view.family;
    this.names = lanes.map((name) => fit(name, 132, 10.5, family));
    this.left = lanes.length ? Math.min(140, Math.max(...this.names.map((n) => n.length)) * 6.2 + 14) : 0;
    this.lane = Math.max(7, Math.min(24, 520 / Math.max(1, lanes.length)));
    this.width = Math.max(240, width - 2);
    this.height = Math.max(1, lanes.length) * this.lane;
    set(this.svg, {
      width: this.width, height: this.height + 26, viewBox: `0 -4 ${this.width} ${this.height + 26}`,
      "aria-label": `Gantt chart of ${head.calls ?? 0} calls: ${wordsOf(head.counts)}`,
    });
    redraw(this.bars, this.drawn, bars, (row) => this.bar(row));
    this.drawLegend(gantt);
    this.tick(store);
  }

  /** Place everything in time, on a scale that goes with the run. */
  tick(store) {
    const { gantt } = store.state, now = store.now;
    const end = Math.max(store.running ? now : 0, gantt.end ?? 0, 1e-3);
    const room = this.width - this.left - 10, x = (t) => this.left + (room * Math.min(Math.max(0, t), end)) / end;
    this.drawGrid(gantt, end, x, room);
    const waits = [];
    for (const made of this.drawn.values()) {
      const [lane, from, to, status, , , , ready] = made.row;
      const left = x(from), wide = Math.max(1, x(to ?? now) - left), y = (lane + 0.14) * this.lane;
      set(made.shape, { x: left, y, width: wide, height: this.lane * 0.72, rx: status === "bin" ? 0 : Math.min(3, wide / 3) });
      if (left - x(ready ?? from) > 1.5) waits.push(`M${round(x(ready))} ${round((lane + 0.5) * this.lane)}H${round(left)}`);
      if (made.label) this.label(made, left, wide);
      if (status === "running") say(made.title, this.hint(made.row, now));
    }
    set(this.waits, { d: waits.join("") });
    set(this.line, { d: store.live && this.height > 1 ? `M${round(x(now))} -4V${this.height + 4}` : "" });
  }

  drawGrid(gantt, end, x, room) {
    const lines = [], found = [];
    let odd = false;
    (gantt.lanes ?? []).forEach((name, i) => {
      if (name) odd = !odd;
      if (odd) found.push(svg("rect", { x: this.left, y: i * this.lane, width: room + 10, height: this.lane, class: "nbf-odd" }));
      if (name && this.lane > 9) found.push(words(this.left - 7, (i + 0.5) * this.lane + 3.5, "nbf-end", this.names[i]));
    });
    for (const [at, word] of ticks(end, Math.max(2, Math.floor(room / 90)))) {
      lines.push(`M${round(x(at))} -4V${this.height + 4}`);
      const last = x(at) > this.left + room - 12;
      found.push(words(x(at), this.height + 17, last ? "nbf-end" : at ? "nbf-middle" : "", word));
    }
    found.push(svg("path", { d: `${lines.join("")}M${this.left} ${this.height + 4}H${this.left + room + 10}`, class: "nbf-rule" }));
    this.grid.replaceChildren(...found);
  }

  bar(row) {
    const { look } = this.view, [, , to, status, activity, call, level] = row;
    const shape = svg("rect", { class: "nbf-shape" });
    const element = svg("g", {
      class: `nbf-bar nbf-is-${status}`, "data-call": call,
      style: `--nbf-a:${activity < 0 ? look.colors.failed : look.activities[activity]}`,
    }, shape);
    if (status === "bin") {
      set(shape, { opacity: [0.4, 0.7, 1][level - 1] });
      return { row, element, shape };
    }
    if (status === "failed") set(shape, { style: `fill:url(#${this.hatch})` });
    const title = svg("title", {}, this.hint(row, to ?? 0)), done = status === "done";
    const label = words(0, 0, done ? "nbf-on" : "nbf-ink", ""), mark = done ? null : icon(look, status, 0, 0, 6);
    fill(element, {}, [title, label, mark]);
    return { row, element, shape, title, mark, label };
  }

  label(made, left, wide) {
    const [lane, , , status, , call] = made.row, middle = (lane + 0.5) * this.lane;
    const mark = made.mark && wide > 18 && this.lane > 15, inset = mark ? 17 : 6;
    if (made.mark) set(made.mark, { transform: `translate(${round(left + 9)} ${round(middle)})`, visibility: mark ? "visible" : "hidden" });
    const room = status !== "failed" && this.lane > 13 && wide - inset > 26 ? wide - inset - 4 : 0;
    const step = Math.floor(room / 4);
    if (made.room !== step) say(made.label, room ? fit(call, room, 10, this.view.family) : "");
    made.room = step;
    if (room) set(made.label, { x: left + inset, y: middle + 3.5 });
  }

  hint([, from, to, status, , call, attempt, ready], now) {
    const parts = [call, status, duration(Math.max(0, (to ?? now) - from))];
    if (attempt > 1) parts.splice(1, 0, `attempt ${attempt}`);
    if (from - ready > 5e-4) parts.push(`queued ${duration(from - ready)}`);
    return parts.join(" · ");
  }

  drawLegend(gantt) {
    const names = [...(gantt.activities ?? []), ...(gantt.others ? ["others"] : [])];
    if (this.legendOf === String(names)) return;
    this.legendOf = String(names);
    this.legend.replaceChildren(...names.map((name, i) => h("span", "nbf-key", {},
      h("i", "", { style: `background:${this.view.look.activities[i]}` }), name)));
  }
}

// --- the panel

const LOST = "No word from the kernel. This is the last that was heard of the run.";
const BUSY = "The kernel has not answered yet: a cell may be holding it up (■ interrupts it).";

class View {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.look = model.get("look");
    this.store = storeOf(model);
    this.build();
    this.store.views.add(this);
    this.timer = setInterval(() => this.tick(), matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 250);
    this.resizes = new ResizeObserver(() => this.soon());
    this.resizes.observe(this.root);
    this.draw();
    this.soon();
  }

  build() {
    this.button = h("button", "nbf-cancel", { type: "button" }, "Cancel");
    this.button.addEventListener("click", () => this.store.cancel());
    const head = h("header", "nbf-header", {},
      this.mark = h("span", "nbf-disk"), this.name = h("strong", "nbf-title"), this.id = h("code", "nbf-id"),
      this.pill = h("span", "nbf-pill"),
      h("span", "nbf-right", {}, this.elapsed = h("span", "nbf-elapsed"), this.button));
    this.root = h("section", "nbf", { "aria-label": "Run of a workflow" }, head,
      this.progress = h("div", "nbf-progress", { "aria-hidden": true }),
      h("div", "nbf-toolbar", {}, this.chips = h("div", "nbf-chips"), this.buildTabs()),
      this.note = h("div", "nbf-note"), this.page = h("div", "nbf-page", { role: "tabpanel" }),
      this.result = h("div", "nbf-result"), this.status = h("span", "nbf-hidden", { role: "status", "aria-live": "polite" }));
    this.el.append(this.root);
  }

  buildTabs() {
    this.tabs = { Graph: new GraphTab(this), Gantt: new GanttTab(this) };
    this.tab = "Graph";
    this.handles = Object.keys(this.tabs).map((name) => {
      const handle = h("button", "nbf-tab", { type: "button", role: "tab" }, name);
      handle.addEventListener("click", () => { this.tab = name; this.draw(); });
      return handle;
    });
    const list = h("div", "nbf-tabs", { role: "tablist", "aria-label": "What to show" }, ...this.handles);
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation(); // the notebook uses arrows too
      const names = Object.keys(this.tabs);
      const next = (names.indexOf(this.tab) + step + names.length) % names.length;
      this.handles[next].click();
      this.handles[next].focus();
    });
    return list;
  }

  /** Draw at the next frame, once for all that comes before it. */
  soon() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => { this.queued = false; this.draw(); });
  }

  tick() {
    if (!this.el.isConnected) return;
    if (this.store.running) this.drawHead();
    if (this.store.live && this.root.clientWidth) this.tabs[this.tab].tick(this.store);
  }

  draw() {
    this.drawHead();
    this.handles.forEach((handle) => {
      const chosen = handle.textContent === this.tab;
      set(handle, { "aria-selected": chosen, tabindex: chosen ? 0 : -1 });
    });
    if (!this.el.isConnected) return;
    const tab = this.tabs[this.tab];
    if (this.page.firstChild !== tab.box) this.page.replaceChildren(tab.box);
    this.family = getComputedStyle(this.root).fontFamily;
    tab.draw(this.store, this.page.clientWidth || 600);
    this.drawResult();
  }

  drawHead() {
    const { store, look } = this, { head } = store.state, status = store.status;
    say(this.name, head.workflow || "workflow");
    say(this.id, head.run ?? "");
    say(this.elapsed, store.running ? ticking(store.now) : duration(store.now));
    set(this.root, { "data-status": status, "data-run": head.run ?? "" });
    this.button.hidden = !(store.running && !store.lost && this.model.get("cancellable"));
    this.button.disabled = Boolean(store.cancelling);
    say(this.button, store.cancelling ? "Cancelling…" : "Cancel");
    const waited = clock() - store.pressed, late = store.running && !head.cancelling && waited > 2 && waited < 30;
    const note = status === "disconnected" ? LOST : store.note || (late ? BUSY : "");
    say(this.note, note);
    this.note.hidden = !note;
    const counts = inOrder(head.counts), key = JSON.stringify([status, counts]);
    if (key === this.headOf) return;
    this.headOf = key;
    this.root.style.setProperty("--nbf-status", look.colors[status] ?? GREY);
    this.mark.replaceChildren(disk(look, status, 16));
    say(this.pill, status);
    if (this.told !== status) say(this.status, `Run ${head.run ?? ""} ${this.told = status}. ${wordsOf(head.counts)}`);
    this.progress.replaceChildren(...counts.map(([name, count]) =>
      h("span", `nbf-part nbf-is-${name}`, { style: `flex-grow:${count};background:${look.colors[name]}` })));
    this.chips.replaceChildren(...counts.map(([name, count]) =>
      h("span", "nbf-chip", {}, disk(look, name, 13), `${number(count)} ${name}`)));
    if (!counts.length) this.chips.append(store.running ? "no call yet" : "no calls");
  }

  drawResult() {
    const { head } = this.store.state, key = JSON.stringify([head.status, head.result, head.error]);
    if (key === this.resultOf) return;
    this.resultOf = key;
    const label = head.error ? (head.call ? `Error in ${head.call}` : "Error") : "Result", text = head.error || head.result;
    this.result.replaceChildren(h("span", "nbf-label", {}, label), h("pre", head.error ? "nbf-error" : "nbf-value", {}, text ?? ""));
    this.result.hidden = !text;
  }

  close() {
    clearInterval(this.timer);
    this.resizes.disconnect();
    this.store.views.delete(this);
    this.root.remove();
  }
}

export default {
  initialize({ model }) {
    const store = storeOf(model);
    return () => stores.get(model.get("token")) === store && stores.delete(model.get("token"));
  },
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.close();
  },
};
