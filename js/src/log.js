// The Log tab: what activities printed and logged.

import "./tabs.css";
import { copyButton, pressed, searchField } from "./bits.js";
import { button, h, say, set, take } from "./dom.js";
import { LONGEST, LogLines, asText, kindOf, markOf, stamp } from "./log_lines.js";
import { Rolling } from "./rolling.js";
import { Switch } from "./switch.js";
import { clean, number, plural } from "./words.js";

const HIGH = 20;

export class LogTab {
  constructor(view) {
    this.view = view;
    this.filter = { text: "", call: null, channel: "all" };
    this.only = false;
    this.follow = true;
    this.seen = 0;
    this.lines = new LogLines();
    this.shown = [];
    this.build();
  }

  build() {
    this.search = searchField("Filter the log", "Filter the log by text or call", (text) => this.change({ text }));
    this.channels = new Switch("Show", { all: "All", out: "stdout", err: "stderr", log: "log" }, (channel) => this.change({ channel }));
    this.mine = button("nbf-tool", "", () => {
      this.only = !this.only;
      this.view.soon();
    });
    this.told = h("span", "nbf-count", { role: "status" });
    const copied = copyButton(() => asText(this.shown, (call) => this.view.store.label(call)));
    this.on = button("nbf-tool nbf-follow", "", () => this.goOn(), { title: "Go to the end and stay there" });
    this.cut = h("div", "nbf-cut");
    this.empty = h("p", "nbf-empty");
    this.list = new Rolling(HIGH, () => this.make(), (row, i) => this.fill(row, i), { tabindex: 0, role: "log", "aria-live": "off", "aria-label": "Log" });
    this.list.box.classList.add("nbf-lines");
    this.list.box.addEventListener("scroll", () => this.scrolled());
    this.list.box.addEventListener("keydown", (event) => this.key(event));
    this.list.body.addEventListener("click", (event) => this.click(event));
    this.box = h("div", "nbf-log", {},
      h("div", "nbf-tools", {}, this.search, this.channels.box, this.mine, this.told, copied),
      this.cut, h("div", "nbf-lines-box", {}, this.list.box, this.on), this.empty);
  }

  change(choice) {
    Object.assign(this.filter, choice);
    this.view.soon();
  }

  draw(store) {
    this.store = store;
    if (!this.asked) {
      this.asked = true;
      store.askLog();
    }
    const { selected } = this.view, { log } = store;
    this.only &&= selected != null;
    this.filter.call = this.only ? selected : null;
    this.channels.choose(this.filter.channel);
    this.drawMine(selected);
    const key = JSON.stringify([this.filter, log.version]), asked = JSON.stringify(this.filter);
    if (key !== this.drawnAs) {
      const before = this.shown, { top } = this.list;
      this.shown = this.lines.update(log, this.filter, (call) => store.label(call));
      if (asked !== this.askedAs) this.seen = this.shown.length;
      else this.seen = Math.max(0, this.seen - this.gone(before));
      this.list.box.hidden = !this.shown.length; // first: what is hidden cannot be scrolled
      this.list.show(this.shown.length);
      if (this.follow) this.toEnd();
      else if (before !== this.shown) this.go(top - this.gone(before) * HIGH);
    } else this.list.draw();
    this.drawnAs = key;
    this.askedAs = asked;
    this.drawWords(log);
  }

  /** How many of the lines that were shown are not kept any more. */
  gone(before) {
    return before === this.shown || !this.shown.length ? 0 : Math.max(0, before.indexOf(this.shown[0]));
  }

  drawMine(selected) {
    this.mine.hidden = selected == null;
    if (selected == null) return;
    say(this.mine, `Only ${clean(this.store.label(selected))}`);
    pressed(this.mine, this.only);
  }

  drawWords(log) {
    const gone = Math.max(log.cut ?? 0, log.first ?? 0), all = log.lines.length, some = this.shown.length;
    say(this.cut, gone ? `${plural(gone, "earlier line")} not kept` : "");
    this.cut.hidden = !gone;
    say(this.told, some < all ? `${number(some)} of ${plural(all, "line")}` : plural(all, "line"));
    this.empty.hidden = some > 0;
    say(this.empty, this.emptyWords(all));
    this.drawFollow();
  }

  emptyWords(all) {
    if (all) return this.only ? "This call wrote nothing that fits." : "No line fits this filter.";
    if (!this.store.running) return "No call printed or logged anything.";
    return "Nothing written yet. What activities print and log stands here as it comes.";
  }

  drawFollow() {
    if (this.follow) this.seen = this.shown.length;
    const news = this.shown.length - this.seen;
    this.on.hidden = this.follow || !this.shown.length;
    say(this.on, news > 0 ? `↓ ${plural(news, "new line")}` : "↓ To the end");
  }

  tick() { /* lines have no running seconds */ }

  // --- rows

  make() {
    return h("div", "nbf-line", {}, h("span", "nbf-time"), h("span", "nbf-who"), h("span", "nbf-mark-word"), h("span", "nbf-text"));
  }

  fill(element, index) {
    const line = this.shown[index];
    if (!line) return;
    const [at, call, attempt, channel, text] = line, [time, who, mark, words] = element.children;
    set(element, { "data-kind": kindOf(channel), "data-call": call, "data-selected": call === this.view.selected, "data-hovered": call === this.view.hovered });
    say(time, stamp(at));
    const label = clean(this.store.label(call)) + (attempt > 1 ? ` ↻${attempt}` : "");
    say(who, label);
    set(who, { title: label });
    say(mark, clean(markOf(channel)));
    say(words, clean(text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${number(text.length - LONGEST)} more letters)` : text));
  }

  click(event) {
    if (!event.target.closest(".nbf-who")) return;
    this.view.select(Number(event.target.closest("[data-call]").dataset.call));
  }

  // --- following the end

  scrolled() {
    const { atEnd } = this.list;
    if (atEnd === this.follow) return;
    this.follow = atEnd;
    if (!atEnd) this.seen = this.shown.length;
    this.drawFollow();
  }

  goOn() {
    this.follow = true;
    this.toEnd();
    this.drawFollow();
    this.list.box.focus({ preventScroll: true });
  }

  toEnd() { this.go(this.list.total - this.list.room); }

  go(top) {
    this.list.top = Math.max(0, top);
    this.list.draw();
  }

  key(event) {
    if (event.key === "Tab" || event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    const { list } = this, keys = {
      ArrowDown: () => { list.top += HIGH; },
      ArrowUp: () => { list.top = Math.max(0, list.top - HIGH); },
      PageDown: () => { list.top += list.room - HIGH; },
      PageUp: () => { list.top = Math.max(0, list.top - list.room + HIGH); },
      Home: () => { list.top = 0; },
      End: () => this.goOn(),
      "/": () => this.search.focus(),
      Escape: () => this.view.select(null),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    take(event);
    keys[event.key]();
  }

  hover(call) {
    for (const row of this.list.body.children) set(row, { "data-hovered": Number(row.dataset.call) === call });
  }
}
