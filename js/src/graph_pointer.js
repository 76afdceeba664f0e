// The pointer over the graph: drag moves it, Ctrl or Shift with the wheel zooms, a click opens a box.

import { take } from "./dom.js";
import { linesOf } from "./graph_words.js";
import { NONE } from "./store.js";

const CLICK = 4; // pixels that a click may move
const WAIT = 160; // milliseconds over a box before its arguments are asked for

export class GraphPointer {
  constructor(tab) {
    this.tab = tab;
    this.held = this.place = null;
    const heard = {
      wheel: (event) => this.wheel(event),
      pointerdown: (event) => this.press(event),
      pointermove: (event) => (this.held ? this.drag(event) : this.point(event)),
      pointerup: (event) => this.release(event),
      pointercancel: () => this.letGo(),
      pointerleave: () => this.leave(),
    };
    for (const name in heard) tab.stage.addEventListener(name, heard[name], { passive: false });
  }

  at(event) {
    const { left, top } = this.tab.stage.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  box(event) {
    const { plan, camera } = this.tab;
    return plan ? plan.hit(...camera.world(...this.at(event)), Math.min(12, 3 / camera.k)) : -1;
  }

  wheel(event) {
    if (!event.ctrlKey && !event.shiftKey && !event.metaKey) return; // the page scrolls
    take(event);
    this.tab.zoom(Math.exp(-(event.deltaY || event.deltaX) * (event.deltaMode ? 0.05 : 0.0022)), ...this.at(event));
  }

  press(event) {
    if (event.button || event.pointerType === "touch") return;
    this.held = { x: event.clientX, y: event.clientY, moved: false };
  }

  drag(event) {
    const { held, tab } = this, dx = event.clientX - held.x, dy = event.clientY - held.y;
    if (!held.moved && Math.hypot(dx, dy) < CLICK) return;
    if (!held.moved) tab.stage.setPointerCapture?.(event.pointerId);
    Object.assign(held, { x: event.clientX, y: event.clientY, moved: true });
    tab.stage.dataset.dragged = "";
    tab.view.tip.hide();
    tab.pan(dx, dy);
  }

  release(event) {
    const { held, tab } = this, click = event.pointerType === "touch" || (held && !held.moved);
    this.letGo();
    if (!click) return;
    const i = this.box(event);
    if (i >= 0) tab.open(i);
    else if (tab.view.selected != null) tab.view.select(null);
  }

  letGo() {
    this.held = null;
    delete this.tab.stage.dataset.dragged;
  }

  point(event) {
    const { tab } = this, i = this.box(event);
    this.place = { clientX: event.clientX, clientY: event.clientY };
    tab.stage.style.cursor = i >= 0 ? "pointer" : "";
    if (i !== tab.hovered) this.enter(i);
    this.tell();
  }

  enter(i) {
    const { tab } = this, call = i >= 0 ? tab.plan.call[i] : NONE;
    clearTimeout(this.asking);
    tab.view.hover(call === NONE ? null : call);
    tab.hovered = i;
    if (call !== NONE && !tab.store.details.has(call)) this.asking = setTimeout(() => tab.store.askDetail(call), WAIT);
    tab.soon();
  }

  /** Say what is known of the box under the pointer. */
  tell() {
    const { tab, place } = this, { hovered, plan, view } = tab;
    if (!place) return;
    if (hovered < 0 || hovered >= plan.count) view.tip.hide();
    else view.tip.show(place, linesOf(plan, hovered, tab.store));
  }

  leave() {
    clearTimeout(this.asking);
    this.place = null;
    this.tab.hovered = -1;
    this.tab.view.tip.hide();
    this.tab.view.hover(null);
    this.tab.soon();
  }

  close() { clearTimeout(this.asking); }
}
