// The whole graph, small, in a corner of a graph that is too big to be seen at once: it shows which
// part is in sight, and is dragged to another.

import { GREY, h, shapeOf, take } from "./dom.js";

const WIDE = 190, HIGH = 90, LOW = 26; // pixels, at most, and the least height
const LOUD = ["waiting", "queued", "skipped", "cancelled", "done", "cached", "retrying", "running", "failed"];

export class Overview {
  constructor(tab) {
    this.tab = tab;
    this.canvas = h("canvas", "nbf-canvas");
    this.frame = h("i", "nbf-frame");
    this.box = h("div", "nbf-overview", { "aria-hidden": true }, this.canvas, this.frame);
    for (const name of ["pointerdown", "pointermove", "pointerup", "wheel"]) this.box.addEventListener(name, (event) => this.hear(event));
  }

  draw() {
    const { plan, camera, width, height } = this.tab, { k } = camera;
    this.box.hidden = plan.width * k <= width + 1 && plan.height * k <= height + 1;
    if (this.box.hidden) return;
    this.scale = Math.min(WIDE / plan.width, HIGH / plan.height);
    this.stretch = Math.max(1, LOW / (plan.height * this.scale)); // a very wide graph would be a line
    const wide = Math.max(8, plan.width * this.scale), high = Math.min(HIGH, plan.height * this.scale * this.stretch), tall = this.scale * this.stretch;
    this.paint(wide, high, tall);
    const clip = (at, size, most) => [Math.max(0, Math.min(most - 4, at)), Math.max(4, Math.min(most, at + size) - Math.max(0, at))];
    const [left, w] = clip((-camera.x / k) * this.scale, (width / k) * this.scale, wide), [top, t] = clip((-camera.y / k) * tall, (height / k) * tall, high);
    Object.assign(this.frame.style, { left: `${left}px`, top: `${top}px`, width: `${w}px`, height: `${t}px` });
  }

  /** Dots in the colours of their status, anew only when something has changed. */
  paint(wide, high, tall) {
    const { plan, store, view } = this.tab, key = `${wide} ${high} ${store.calls.version} ${store.state.seq} ${view.colors?.count}`;
    if (key === this.painted && plan === this.plan) return;
    this.painted = key;
    this.plan = plan;
    const ctx = this.canvas.getContext("2d"), ratio = Math.min(2, globalThis.devicePixelRatio || 1), dots = new Map();
    Object.assign(this.canvas, { width: Math.round(wide * ratio), height: Math.round(high * ratio) });
    Object.assign(this.canvas.style, { width: `${wide}px`, height: `${high}px` });
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const i of plan.boxes()) {
      const status = plan.status(i, store);
      if (!dots.has(status)) dots.set(status, []);
      dots.get(status).push(i);
    }
    for (const status of [...dots.keys()].sort((a, b) => LOUD.indexOf(a) - LOUD.indexOf(b))) {
      ctx.fillStyle = view.look.colors[shapeOf(status)] ?? GREY;
      const least = status === "failed" ? 2.5 : 1.2;
      for (const i of dots.get(status)) ctx.fillRect(plan.x[i] * this.scale, plan.y[i] * tall, Math.max(least, plan.w[i] * this.scale), Math.max(least, plan.h[i] * tall));
    }
  }

  hear(event) {
    if (event.type === "wheel") return;
    event.stopPropagation(); // the stage would drag too
    if (event.type === "pointerup" || event.button > 0) return void (this.held = false);
    if (event.type === "pointerdown") {
      take(event);
      this.held = true;
      this.box.setPointerCapture?.(event.pointerId);
    }
    if (!this.held) return;
    const { left, top } = this.canvas.getBoundingClientRect(), { camera, width, height } = this.tab;
    const x = (event.clientX - left) / this.scale, y = (event.clientY - top) / (this.scale * this.stretch);
    this.tab.pan(width / 2 - x * camera.k - camera.x, height / 2 - y * camera.k - camera.y);
  }
}
