// As much of a browser's document as the panel uses: elements, attributes, text, events.

class Text {
  constructor(text) { this.data = String(text); }
  get textContent() { return this.data; }
}

class Element {
  constructor(tag) {
    this.tag = tag;
    this.attributes = new Map();
    this.childNodes = [];
    this.listeners = {};
    this.isConnected = true;
    this.clientWidth = 800;
    this.hidden = false;
    this.disabled = false;
    this.style = { setProperty: (key, value) => this.attributes.set(`style ${key}`, String(value)) };
  }
  set innerHTML(_) { throw new Error("markup made from text"); }
  set outerHTML(_) { throw new Error("markup made from text"); }
  insertAdjacentHTML() { throw new Error("markup made from text"); }
  get className() { return this.getAttribute("class") ?? ""; }
  getAttribute(key) { return this.attributes.get(key) ?? null; }
  setAttribute(key, value) { this.attributes.set(key, String(value)); }
  get textContent() { return this.childNodes.map((node) => node.textContent).join(""); }
  set textContent(text) { this.childNodes = [new Text(text)]; }
  get firstChild() { return this.childNodes[0] ?? null; }
  append(...nodes) {
    for (const node of nodes) {
      const made = node instanceof Element ? node : new Text(node);
      made.parent?.childNodes.splice(made.parent.childNodes.indexOf(made), 1);
      made.parent = this;
      this.childNodes.push(made);
    }
  }
  replaceChildren(...nodes) {
    for (const node of this.childNodes) node.parent = null;
    this.childNodes = [];
    this.append(...nodes);
  }
  replaceWith(node) {
    this.parent.childNodes[this.parent.childNodes.indexOf(this)] = node;
    node.parent = this.parent;
    this.parent = null;
  }
  remove() {
    this.parent?.childNodes.splice(this.parent.childNodes.indexOf(this), 1);
    this.parent = null;
  }
  closest() { return null; }
  focus() {}
  addEventListener(name, listener) { (this.listeners[name] ??= []).push(listener); }
  fire(name, event = {}) { for (const listener of this.listeners[name] ?? []) listener(event); }
  click() { if (!this.disabled) this.fire("click"); }
  getContext() { return { measureText: (text) => ({ width: text.length * 6 }) }; }
  *all() {
    yield this;
    for (const node of this.childNodes) if (node instanceof Element) yield* node.all();
  }
  find(test) { return [...this.all()].filter(test); }
  of(name) { return this.find((element) => element.className.split(" ").includes(name)); }
}

export const time = { now: 0 };
let frames = [];

/** Let the frames that were asked for be drawn. */
export function frame() {
  const due = frames;
  frames = [];
  for (const draw of due) draw();
}

Object.assign(globalThis, {
  document: { createElement: (tag) => new Element(tag), createElementNS: (_, tag) => new Element(tag) },
  requestAnimationFrame: (draw) => frames.push(draw),
  getComputedStyle: () => ({ fontFamily: "sans-serif" }),
  matchMedia: () => ({ matches: false }),
  ResizeObserver: class { observe() {} disconnect() {} },
  setInterval: () => 0,
  clearInterval: () => {},
});
Object.defineProperty(globalThis, "performance", { value: { now: () => time.now * 1000 } });

/** What anywidget gives to a widget: its traits, and the line to the kernel. */
export class Model {
  constructor(traits) {
    this.traits = traits;
    this.listeners = {};
    this.sent = [];
    this.kernel = { statusChanged: new Signal(), connectionStatusChanged: new Signal() };
    this.widget_manager = { kernel: this.kernel };
  }
  get(key) { return this.traits[key]; }
  set() { throw new Error("the panel changes nothing of the model"); }
  on(name, listener) { (this.listeners[name] ??= []).push(listener); }
  off() {}
  send(message) { this.sent.push(message); }
  fire(name, value) { for (const listener of this.listeners[name] ?? []) listener(value); }
  full(state) { this.traits.state = state; this.fire("change:state"); }
  delta(delta) { this.fire("msg:custom", { kind: "delta", ...delta }); }
}

class Signal {
  constructor() { this.slots = []; }
  connect(slot) { this.slots.push(slot); }
  emit(value) { for (const slot of this.slots) slot(this, value); }
}

export const element = () => new Element("div");
