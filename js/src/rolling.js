// A list of which only the rows in sight are on the page.

import { h } from "./dom.js";

/** Elements may not be higher than browsers allow; longer lists are squeezed into this. */
const TALLEST = 8_000_000;
const BESIDE = 6;
/** The box is as high as its rows, up to so many pixels; that leaves room for a scroll bar below. */
const MOST = 380, BELOW = 16;

/**
 * Rows of one height, made as they come into sight.
 *
 * `make()` gives an element for a row, `fill(element, index)` writes a row into it. Elements are
 * used again, so `fill` must set everything.
 */
export class Rolling {
  constructor(high, make, fill, attributes) {
    this.high = high;
    this.inset = 0; // pixels at the top that something else covers
    this.make = make;
    this.fill = fill;
    this.count = 0;
    this.pool = [];
    this.body = h("div", "nbf-roll");
    this.box = h("div", "nbf-rolling", attributes, this.body);
    this.box.addEventListener("scroll", () => this.soon());
  }

  soon() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      this.draw();
    });
  }

  get room() { return Math.max(this.high, (this.box.clientHeight || 320) - this.inset); }

  /** How many rows fit. */
  get page() { return Math.max(1, Math.floor(this.room / this.high)); }

  get total() { return this.count * this.high; }

  get tall() { return Math.min(this.total, TALLEST); }

  /** Where the list is, in pixels of its whole length. */
  get top() {
    const most = this.tall - this.room;
    if (this.total <= TALLEST || most <= 0) return this.box.scrollTop;
    return (this.box.scrollTop / most) * (this.total - this.room);
  }

  set top(pixels) {
    const most = this.tall - this.room, long = this.total - this.room;
    this.box.scrollTop = this.total <= TALLEST || long <= 0 ? pixels : (pixels / long) * most;
  }

  get first() { return Math.floor(this.top / this.high); }

  /** Whether the end of the list is in sight. */
  get atEnd() { return this.top + this.room >= this.total - this.high; }

  /** Show so many rows. */
  show(count) {
    this.count = count;
    this.body.style.height = `${this.tall}px`;
    this.box.style.height = `${Math.min(MOST, this.tall + this.inset + BELOW)}px`;
    this.draw();
  }

  draw() {
    const first = Math.max(0, this.first - BESIDE), last = Math.min(this.count, this.first + this.page + BESIDE + 2);
    const wanted = Math.max(0, last - first), squeeze = this.top - this.box.scrollTop;
    while (this.pool.length < wanted) this.pool.push(this.make());
    this.pool.forEach((row, i) => {
      const used = i < wanted;
      if (used) {
        row.style.transform = `translateY(${(first + i) * this.high - squeeze}px)`;
        this.fill(row, first + i);
        if (!row.isConnected || row.parentNode !== this.body) this.body.append(row);
      } else row.remove();
    });
    this.from = first;
    this.to = last;
  }

  /** Bring a row into sight, moving as little as need be. */
  reveal(index) {
    const at = index * this.high;
    if (at < this.top) this.top = at;
    else if (at + this.high > this.top + this.room) this.top = at + this.high - this.room;
  }
}
