// Which part of the graph is in sight, and how big. No DOM.

const LEAST = 0.02, MOST = 6;

export class Camera {
  constructor() {
    this.x = this.y = 0;
    this.k = 1;
    this.touched = false; // whether the reader has moved it; until then it keeps the whole in sight
  }

  /** Show all of the plan, never bigger than it is; `least` keeps it big enough to read. */
  fit(plan, width, height, least = LEAST) {
    const pad = 10, k = Math.min(1, (width - 2 * pad) / Math.max(1, plan.width), (height - 2 * pad) / Math.max(1, plan.height));
    this.k = Math.max(least, k);
    const wide = plan.width * this.k, high = plan.height * this.k;
    this.x = wide > width ? pad : (width - wide) / 2;
    this.y = high > height ? pad : (height - high) / 2;
  }

  /** Zoom by a factor; the place under (px, py) stays. */
  zoom(factor, px, py) {
    const k = Math.min(MOST, Math.max(LEAST, this.k * factor)), part = k / this.k;
    this.x = px - (px - this.x) * part;
    this.y = py - (py - this.y) * part;
    this.k = k;
    this.touched = true;
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.touched = true;
  }

  /** Keep some of the plan in sight: an empty picture looks like a broken one. */
  hold(plan, width, height) {
    const rim = 40, within = (at, size, room) => Math.min(room - rim, Math.max(rim - size * this.k, at));
    this.x = within(this.x, plan.width, width);
    this.y = within(this.y, plan.height, height);
  }

  /** Bring a box into sight; says whether it had to move. */
  reveal(plan, i, width, height) {
    const left = plan.x[i] * this.k + this.x, top = plan.y[i] * this.k + this.y;
    const wide = plan.w[i] * this.k, high = plan.h[i] * this.k, rim = 16;
    const inside = left >= rim && top >= rim && left + wide <= width - rim && top + high <= height - rim;
    if (inside) return false;
    const [x, y] = plan.centre(i);
    this.x = width / 2 - x * this.k;
    this.y = height / 2 - y * this.k;
    this.touched = true;
    return true;
  }

  /** A place on the screen as a place in the plan. */
  world(px, py) { return [(px - this.x) / this.k, (py - this.y) / this.k]; }

  screen(x, y) { return [x * this.k + this.x, y * this.k + this.y]; }
}
