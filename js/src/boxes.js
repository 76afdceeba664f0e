// The graph as SVG elements. A box is changed in place, so that a message about a thousand calls is
// a thousand attributes and not ten thousand new elements.

import { GREY, fit, icon, mark, round, set, shapeOf, svg, say, words } from "./dom.js";
import { clean, inOrder, number, ticking } from "./words.js";

const TINY = 40, COMPACT = 40;
const kindOf = ({ box: [, , width, height], join, counts, frame }) =>
  frame ? "frame" : join ? "dot" : width < TINY ? "tiny" : counts ? "group" : height < COMPACT ? "compact" : "full";

export class Boxes {
  constructor(view) {
    this.view = view;
    this.edges = svg("g");
    this.nodes = svg("g");
    this.frames = svg("g"); // compositions that are open lie behind what is in them
    this.world = svg("g", {}, this.frames, this.edges, this.nodes);
    this.element = svg("svg", { class: "nbf-graph", "aria-hidden": true }, this.world);
    this.drawn = new Map();
    this.lines = null;
    this.flags = {};
    this.cuts = new Map();
  }

  /** Show the state's boxes and lines. */
  show(plan, state) {
    if (this.family !== this.view.family) {
      this.family = this.view.family;
      this.cuts.clear();
    }
    this.plan = plan;
    if (this.lines !== state.edges) this.drawEdges(state.edges);
    let order = false;
    for (const [key, row] of state.nodes) {
      const old = this.drawn.get(key);
      if (old?.row === row) continue;
      if (old && old.kind === kindOf(row) && old.row.box[2] === row.box[2] && old.row.box[3] === row.box[3] && old.row.frame === row.frame && old.row.child === row.child) this.renew(old, row);
      else {
        old?.element.remove();
        this.drawn.set(key, this.make(row));
        (row.frame ? this.frames : this.nodes).append(this.drawn.get(key).element);
        order = true;
      }
    }
    for (const [key, old] of this.drawn) {
      if (state.nodes.has(key)) continue;
      old.element.remove();
      this.drawn.delete(key);
      order = true;
    }
    if (order) this.flags = {};
  }

  camera({ x, y, k }, width, height) {
    set(this.element, { width, height });
    this.world.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${k.toFixed(4)})`);
    this.element.classList.toggle("nbf-far", k < 0.52);
    this.element.classList.toggle("nbf-farther", k < 0.36);
    this.element.classList.toggle("nbf-dense", this.plan.count > 120);
  }

  /** Let the seconds of running calls go on. */
  tick(store) {
    for (const { row, side } of this.drawn.values()) {
      if (side && row.from != null) say(side, ticking(store.now - row.from));
    }
  }

  /** Mark boxes: {selected, hovered, focused (numbers or -1), related, matches (flags or null), critical}. */
  mark(marks) {
    const { plan } = this, old = this.flags;
    if (!plan) return;
    const same = ["related", "matches", "critical"].every((name) => old[name] === marks[name]) && old.plan === plan;
    const touched = same ? new Set([old.selected, old.hovered, old.focused, marks.selected, marks.hovered, marks.focused]) : null;
    for (const i of touched ?? plan.keys.keys()) if (i >= 0 && i < plan.count) this.markOne(i, marks);
    if (!same) this.markLines(marks);
    this.flags = { ...marks, plan };
  }

  markOne(i, { selected, hovered, focused, related, matches, critical }) {
    const made = this.drawn.get(this.plan.keys[i]);
    if (!made) return;
    const name = ["nbf-node", related && !related[i] && "nbf-dim", i === selected && "nbf-selected", i === hovered && "nbf-hovered",
      i === focused && "nbf-focused", matches?.[i] && "nbf-match", critical && made.row.critical && "nbf-critical"].filter(Boolean).join(" ");
    if (made.name !== name) made.element.setAttribute("class", made.name = name);
  }

  markLines({ related, critical }) {
    const at = new Map(this.plan.keys.map((key, i) => [key, i]));
    for (const { element, rows } of this.drawnLines ?? []) {
      const dim = related && !rows.some((row) => related[at.get(row[6])] && related[at.get(row[7])]), heavy = critical && rows.some((row) => row[8]);
      element.setAttribute("class", ["nbf-line-of", `nbf-${rows[0][0]}`, dim && "nbf-dim", related && !dim && "nbf-near", heavy && "nbf-critical"].filter(Boolean).join(" "));
    }
  }

  drawEdges(edges) {
    const drawn = new Map();
    for (const row of edges.values()) {
      const known = drawn.get(`${row[0]} ${row[1]}`);
      known?.rows.push(row); // from one frame to another all lie on each other
      if (known || !row[1]) continue; // without a path: another line tells of it
      const [kind, d, head, count, x, y] = row, element = svg("g", { class: `nbf-line-of nbf-${kind}` }, svg("path", { d, class: "nbf-edge" }));
      if (head) element.append(svg("path", { d: head, class: "nbf-head" }));
      if (count > 1) {
        const text = `×${number(count)}`, width = text.length * 6 + 8;
        element.append(svg("rect", { x: x - width / 2, y: y - 7, width, height: 14, rx: 7, class: "nbf-paper" }), words(x, y + 3.5, "nbf-middle", text));
      }
      drawn.set(`${kind} ${d}`, { element, rows: [row] });
    }
    this.drawnLines = [...drawn.values()];
    this.edges.replaceChildren(...this.drawnLines.map(({ element }) => element));
    this.lines = edges;
    this.flags = {};
  }

  // --- one box

  make(row) {
    const kind = kindOf(row), [, , width, height] = row.box, element = svg("g", { class: "nbf-node" }), made = { kind, element, name: "nbf-node", row: { box: [] } };
    if (kind === "dot") element.append(...(width ? [svg("circle", { cx: width / 2, cy: height / 2, r: 3.5, class: "nbf-head" })] : [])); // without one, its lines end at a frame
    else if (kind === "frame") this.makeFrame(made, row);
    else {
      const corner = kind === "tiny" ? 5 : 7;
      element.append(svg("rect", { x: -3, y: -3, width: width + 6, height: height + 6, rx: corner + 3, class: "nbf-halo" }));
      made.rects = [svg("rect", { width, height, rx: corner, class: "nbf-box" })];
      if (kind === "group" || (row.child && kind === "full")) made.rects.push(svg("rect", { x: 4, y: 4, width, height, rx: corner, class: "nbf-box nbf-behind" }));
      element.append(...[...made.rects].reverse());
      made.icon = icon(this.view.look, row.status, ...this.iconAt(kind, width, height));
      if (kind !== "tiny") element.append(made.stripe = svg("path", { class: "nbf-stripe", d: `M5 0v${height}a5 7 0 0 1 -5 -7v${14 - height}a5 7 0 0 1 5 -7z` }));
      element.append(made.icon);
      this.write(made, kind, width, height);
    }
    this.renew(made, row);
    return made;
  }

  /** An open composition: its rim, and a strip with its name that folds it. */
  makeFrame(made, { box: [, , width, height], frame, status }) {
    made.rects = [svg("rect", { width, height: frame, rx: 9, class: "nbf-nest" })];
    made.icon = icon(this.view.look, status, ...this.iconAt("frame", width, height));
    made.element.append(made.rects[0], svg("rect", { x: 2, y: 2, width: width - 4, height: height - 2, rx: 7, class: "nbf-halo nbf-strip" }), made.icon,
      made.title = words(26, 16, "nbf-name", ""), made.side = words(width - 24, 16, "nbf-end", ""), words(width - 15, 16, "nbf-fold", "▾"));
  }

  iconAt(kind, width, height) {
    if (kind === "frame") return [14, 12, 6];
    if (kind === "tiny") return [width / 2, height / 2, 7.5];
    return kind === "compact" ? [14, height / 2, 6] : [18, 14, 7];
  }

  /** The places of a box's words, still empty. */
  write(made, kind, width, height) {
    if (kind === "tiny") return;
    if (kind === "compact") return void made.element.append(made.title = words(24, height / 2 + 3.5, "nbf-ink", ""));
    made.element.append(made.side = words(width - 7, 18, "nbf-end", ""), made.title = words(30, 18, "nbf-name", ""), made.detail = words(11, 34, "", ""));
    if (kind === "full") made.element.append(made.bar = svg("g", { class: "nbf-shares" }));
    if (kind === "group") made.element.append(made.shares = svg("g", { class: "nbf-shares" }));
  }

  renew(made, row) {
    const old = made.row, { look } = this.view, { status } = row, { kind, element } = made;
    made.row = row;
    if (String(old.box) !== String(row.box)) element.setAttribute("transform", `translate(${row.box[0]} ${row.box[1]})`);
    if (kind === "dot") return;
    if (old.status !== status) this.restate(made, status);
    if (made.stripe && old.activity !== row.activity) made.stripe.setAttribute("fill", look.activities[Math.min(row.activity, look.activities.length - 1)]);
    if (old.name !== row.name) set(element, { "data-name": clean(row.name) });
    if (old.call !== row.call && row.call !== undefined) set(element, { "data-call": row.call });
    this.rewrite(made, old, row);
    if (made.bar && old.progress !== row.progress) this.progress(made, row);
    if (made.shares && row.counts && String(Object.entries(row.counts)) !== String(Object.entries(old.counts ?? {}))) this.share(made, row);
  }

  restate(made, status) {
    const { look } = this.view, known = shapeOf(status), [circle, path] = made.icon.children;
    const [, , radius] = this.iconAt(made.kind, 0, 0), [d, closed] = mark(look, status, radius), color = look.colors[known] ?? GREY;
    made.element.setAttribute("data-status", status);
    for (const rect of made.rects) rect.style.setProperty("--nbf-c", color); // not on the group: all in it would be styled anew
    if (made.kind !== "frame") made.rects[0].setAttribute("class", `nbf-box${look.dashed.includes(status) ? " nbf-dashed" : ""}`);
    made.icon.setAttribute("class", `nbf-icon nbf-is-${known}`);
    circle.setAttribute("fill", color);
    path.setAttribute("d", d);
    path.setAttribute("fill", closed ? "#fff" : "none");
  }

  rewrite(made, old, row) {
    const { kind } = made, [, , width] = row.box;
    if (!made.title) return;
    if (kind === "frame") {
      say(made.side, clean(row.side));
      return say(made.title, this.cut(row.name, width - 60 - row.side.length * 6, 12.5, 600));
    }
    if (kind === "compact") return void (old.name !== row.name && say(made.title, this.cut(row.name, width - 27, 10)));
    if (old.name !== row.name || old.side !== row.side || old.from !== row.from) this.head(made, row, width - 38);
    if (old.detail !== row.detail) say(made.detail, this.cut(row.detail, width - 18, 10));
    if (old.status !== row.status) made.detail.setAttribute("class", `nbf-small${row.status === "failed" && !row.counts ? " nbf-bad" : ""}`);
  }

  /** Write a box's first line; a status, which its mark tells too, makes room for the name. */
  head(made, { name, side, status, from }, width) {
    const aside = from == null ? side : "00.0 s", taken = aside ? Math.max(aside.length, 4) * 5.6 + 8 : 0;
    const short = this.cut(name, width - taken, 12.5, 600), alone = aside === status && short !== clean(name);
    say(made.title, alone ? this.cut(name, width, 12.5, 600) : short);
    if (from == null) say(made.side, alone ? "" : clean(side));
  }

  progress(made, { progress, box: [, , width, height] }) {
    const bar = (wide, name) => svg("rect", { x: 11, y: height - 5, width: wide, height: 3, rx: 1.5, class: name });
    made.bar.replaceChildren(...(progress == null ? [] : [bar(width - 20, "nbf-whole"), bar((width - 20) * progress, "nbf-so-far")]));
  }

  share(made, row) {
    const counts = inOrder(row.counts), all = counts.reduce((sum, [, count]) => sum + count, 0), room = row.box[2] - 22, found = [];
    let left = 12;
    for (const [status, count] of counts) {
      const wide = Math.max(2, (room * count) / all);
      left = Math.min(left, 12 + room - wide);
      found.push(svg("rect", { x: left, y: row.box[3] - 12, width: Math.max(1.5, wide - 0.8), height: 5, rx: 1, fill: this.view.look.colors[status] }));
      left += wide;
    }
    made.shares.replaceChildren(...found);
  }

  cut(text, pixels, size, weight = 400) {
    const key = `${size} ${round(pixels)} ${text}`;
    if (!this.cuts.has(key)) {
      if (this.cuts.size > 8000) this.cuts.clear();
      this.cuts.set(key, fit(clean(text), pixels, size, this.view.family, weight));
    }
    return this.cuts.get(key);
  }
}

