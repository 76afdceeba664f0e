// All about the selected call, below whichever tab is chosen: at once what the rows say, the rest
// when the kernel has answered.

import "./tabs.css";
import { bytes, columnsOf, isSettled, latestBars, packingOf, progressOf, queuedOf, ranOf } from "./attempts.js";
import { callLink, copyButton, partBar, refreshLinks, showPart, written } from "./bits.js";
import { Child } from "./child.js";
import { button, disk, h, say, set, take } from "./dom.js";
import { clock } from "./store.js";
import { clean, duration, number, plural, ticking } from "./words.js";

/** Seconds: after so long without an answer it is said; so long to wait before asking again. */
const PATIENCE = 3, AGAIN = 1.1;
/** Questions while one goes through calls quickly wait so many milliseconds. */
const CALM = 150;
/** The same question is not asked more often than this. */
const TRIES = 6;
const LINKS = 24;

export class DetailPane {
  constructor(view) {
    this.view = view;
    this.call = null;
    this.wanted = { call: null, key: "", tries: 0, since: 0 };
    this.calm = -Infinity;
    this.build();
  }

  build() {
    this.mark = h("span", "nbf-disk");
    this.name = h("strong", "nbf-mono nbf-detail-name");
    this.activity = h("span", "nbf-detail-activity");
    this.pill = h("span", "nbf-pill");
    this.cancel = button("nbf-action nbf-cancel", "Cancel call", () => this.view.store.act("cancel_call", { call: this.call }));
    const close = button("nbf-tool nbf-sign", "×", () => this.leave(), { "aria-label": "Close the details", title: "Close (Esc)" });
    this.bar = partBar();
    this.facts = h("dl", "nbf-facts");
    this.waiting = h("div", "nbf-waiting", { role: "status" });
    this.body = h("div", "nbf-detail-body");
    this.box = h("section", "nbf-detail", { "aria-label": "Details of a call" },
      h("header", "nbf-detail-head", {}, this.mark, this.name, this.activity, this.pill, h("span", "nbf-right", {}, this.cancel, close)),
      this.bar, this.facts, this.waiting, this.body);
    this.kin = h("div", "nbf-kin");
    this.opener = button("nbf-tool nbf-open-child", "", () => (this.child ? this.closeChild() : this.openChild()), { "aria-expanded": false });
    this.kinHead = h("div", "nbf-kin-head", {}, h("h4", "", {}, "Child run"), h("code", "nbf-mono"), this.opener);
    this.body.before(this.kinHead, this.kin);
    this.box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      take(event);
      this.leave();
    });
  }

  /** Close the pane; the keyboard goes back to the tab. */
  leave() {
    const inside = this.box.contains(document.activeElement);
    this.view.select(null);
    if (inside) this.view.page?.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
  }

  select(call) {
    if (call === this.call) return;
    this.closeChild();
    this.call = call;
    this.drawnAs = this.bodyOf = null;
    clearTimeout(this.timer);
    this.timer = null;
  }

  draw(store) {
    if (this.call == null || this.call >= store.calls.count) return this.unknown(store);
    this.want(store);
    this.drawHead(store);
    this.drawFacts(store);
    this.drawBody(store);
  }

  tick(store) {
    if (this.call == null || this.call >= store.calls.count) return;
    this.want(store);
    this.drawFacts(store);
    this.drawWaiting(store);
  }

  unknown(store) {
    if (this.call == null) return;
    say(this.name, clean(store.label(this.call)));
    say(this.waiting, "This call is not known here yet.");
    for (const part of [this.facts, this.body]) part.replaceChildren();
    this.kinHead.hidden = true;
  }

  // --- asking

  status(store) { return store.statusOf(store.calls.column.status[this.call]); }

  /** Whether what the kernel has told of the call is as new as its row. */
  fresh(store) {
    const told = store.details.get(this.call), { attempts } = store.calls.column;
    if (!told || told.status !== this.status(store)) return false;
    const last = told.attempts?.at(-1)?.attempt ?? 0, row = this.latest(store);
    return last >= Math.min(attempts[this.call], row < 0 ? 0 : store.bars.column.attempt[row]);
  }

  /** Ask for what is not known; not at once while one runs through the calls, and not for ever. */
  want(store) {
    if (this.fresh(store)) return;
    const key = `${this.status(store)} ${store.calls.column.attempts[this.call]}`, { wanted } = this, now = clock();
    if (wanted.call !== this.call) {
      const quick = now - this.calm < CALM / 1000;
      this.calm = now;
      this.wanted = { call: this.call, key: "", tries: 0, since: now };
      if (quick) return this.later(CALM);
    }
    if (this.wanted.key !== key) Object.assign(this.wanted, { key, tries: 0 });
    if (this.wanted.tries >= TRIES || now < (this.wanted.next ?? 0)) return;
    Object.assign(this.wanted, { tries: this.wanted.tries + 1, next: now + AGAIN * 2 ** (this.wanted.tries && this.wanted.tries - 1) });
    store.askDetail(this.call);
    this.later(AGAIN * 1000);
  }

  /** Draw again after a while, or earlier if that was said before. */
  later(milliseconds) {
    const due = clock() + milliseconds / 1000;
    if (this.timer && this.due <= due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.view.soon();
    }, milliseconds);
  }

  drawWaiting(store) {
    const missing = !store.details.has(this.call), waited = clock() - this.wanted.since;
    const busy = "The kernel is busy: the rest comes when it answers.";
    say(this.waiting, !missing ? "" : store.lost ? "Without its kernel there is no more to tell." : waited > PATIENCE ? busy : "Asking the kernel for the rest …");
    this.waiting.hidden = !missing;
    if (missing && waited <= PATIENCE && !store.lost) this.later((PATIENCE - waited) * 1000 + 50);
  }

  // --- what the rows know

  drawHead(store) {
    const status = this.status(store), { view: { look } } = this, pressed = store.isPressed("cancel_call");
    const key = JSON.stringify([this.call, status, store.label(this.call), look.colors[status]]);
    this.cancel.hidden = isSettled(status) || !store.can("cancel_call") || !store.running;
    this.cancel.disabled = pressed;
    say(this.cancel, pressed ? "Cancelling…" : "Cancel call");
    if (key === this.drawnAs) return;
    this.drawnAs = key;
    this.mark.replaceChildren(disk(look, status, 18));
    say(this.name, clean(store.label(this.call)));
    this.activity.replaceChildren(h("i", "nbf-dot", { style: `background:${store.color(store.calls.column.activity[this.call])}` }), clean(store.activity(this.call)));
    say(this.pill, status);
    this.box.style.setProperty("--nbf-status", look.colors[status] ?? "#7d7d7d");
  }

  drawFacts(store) {
    const bars = columnsOf(store.bars), { call } = this, { attempts, asked } = store.calls.column;
    const row = this.latest(store), open = row >= 0 && Number.isNaN(bars.ended[row]);
    const ran = ranOf(bars, row, store.now), packing = packingOf(bars, row), told = store.details.get(call)?.attempts?.at(-1);
    const facts = [
      ["asked at", duration(Math.max(0, asked[call]))],
      ["queued", row < 0 ? "" : duration(queuedOf(bars, row))],
      [open ? "running for" : "ran", row < 0 ? "" : open ? ticking(ran) : duration(ran)],
      ["storing", packing > 5e-5 ? duration(packing) : ""],
      ["attempts", attempts[call] > 1 ? number(attempts[call]) : ""],
      ["worker", row < 0 ? "" : store.worker(bars.worker[row])],
      ["started at", row < 0 ? "" : duration(Math.max(0, bars.started[row]))],
      ["ended at", row < 0 || open ? "" : duration(Math.max(0, bars.ended[row]))],
      ["processor", told?.cpu ? duration(told.cpu) : ""],
      ["peak memory", told?.memory ? bytes(told.memory) : ""],
      ["result size", told?.size ? bytes(told.size) : ""],
    ].filter(([, words]) => words);
    showPart(this.bar, progressOf(bars, row));
    const names = facts.map(([name]) => name).join();
    if (names !== this.factsOf) {
      this.factsOf = names;
      this.facts.replaceChildren(...facts.map(([name]) => h("div", "", {}, h("dt", "", {}, name), h("dd"))));
    }
    facts.forEach(([, words], i) => say(this.facts.children[i].lastChild, clean(words)));
  }

  /** The row of the call's latest attempt, or -1; looked for again when the rows have changed. */
  latest(store) {
    if (this.latestOf?.version !== store.bars.version || this.latestOf.calls !== store.calls.count) {
      const rows = latestBars(columnsOf(store.bars), store.calls.count);
      this.latestOf = { version: store.bars.version, calls: store.calls.count, rows };
    }
    return this.latestOf.rows[this.call] ?? -1;
  }

  // --- what the kernel tells

  drawBody(store) {
    this.drawWaiting(store);
    const told = store.details.get(this.call);
    this.drawKin(store, told?.child ?? "");
    if (told === this.bodyOf) return refreshLinks(this.view, this.body);
    const open = [...this.body.querySelectorAll("details")].filter((part) => part.open).map((part) => part.dataset.part);
    const same = told && this.bodyOf?.call === told.call;
    this.bodyOf = told;
    this.body.replaceChildren(...(told ? this.parts(told) : []));
    if (same) for (const part of this.body.querySelectorAll("details")) part.open = open.includes(part.dataset.part);
  }

  // --- a call that is a run of its own

  drawKin(store, run) {
    this.kinHead.hidden = !run;
    say(this.kinHead.children[1], clean(run));
    say(this.opener, this.child ? "Close its panel" : "Open its panel");
    set(this.opener, { "aria-expanded": Boolean(this.child) });
    this.opener.hidden = !this.child && (store.lost || store.model.alone);
  }

  openChild() {
    const model = new Child(this.view.store, this.call), close = this.view.mount(model, this.kin);
    this.child = () => {
      close();
      model.close();
    };
    this.view.soon();
  }

  closeChild() {
    this.child?.();
    this.child = null;
    this.view.soon?.();
  }

  parts(told) {
    return [
      told.label && told.label !== told.id ? written(told.label, "nbf-call-line") : null,
      told.why ? h("p", "nbf-why", {}, clean(told.why)) : null,
      this.part("Arguments", this.args(told.args)),
      told.error ? this.part("Error", this.error(told), copyButton(() => [told.error, ...(told.trace ?? [])].join("\n"))) : null,
      told.result ? this.part("Result", written(told.result), copyButton(() => told.result)) : null,
      this.part("Attempts", told.attempts?.length ? this.attempts(told.attempts) : null),
      this.part("Needs", this.links(told.needs)),
      this.part("Feeds", this.links(told.feeds)),
      told.source ? h("details", "nbf-more", { "data-part": "source" }, h("summary", "", {}, "Source"), written(told.source)) : null,
      told.key ? h("details", "nbf-more", { "data-part": "key" }, h("summary", "", {}, "Idempotency key"),
        h("div", "nbf-key-line", {}, h("code", "", {}, clean(told.key)), copyButton(() => told.key))) : null,
    ].filter(Boolean);
  }

  part(title, inside, more) {
    return inside && h("div", "nbf-part-of", {}, h("h4", "", {}, title, more ?? null), inside);
  }

  args(args) {
    if (!args?.length) return null;
    return h("table", "nbf-args", {}, h("tbody", "", {}, ...args.map(([name, value]) =>
      h("tr", "", {}, h("th", "", { scope: "row" }, clean(name)), h("td", "", {}, written(value))))));
  }

  error({ error, trace }) {
    return h("div", "", {}, written(error, "nbf-error"), trace?.length ? written(trace.join("\n"), "nbf-trace") : null);
  }

  attempts(attempts) {
    const columns = ["attempt", "status", "worker", "queued", "ran", "storing", "cpu", "memory", "size", "error"];
    const rows = attempts.map((one) => [number(one.attempt), one.status, one.worker ?? "",
      one.ready != null && one.started != null ? duration(Math.max(0, one.started - one.ready)) : "",
      one.ended != null ? duration(Math.max(0, one.ended - one.started)) : "…",
      one.packing ? duration(one.packing) : "", one.cpu ? duration(one.cpu) : "", one.memory ? bytes(one.memory) : "",
      one.size ? bytes(one.size) : "", one.error + (one.retry_at != null ? `${one.error ? " · " : ""}again at ${duration(Math.max(0, one.retry_at))}` : "")]);
    const used = columns.map((_, i) => i).filter((i) => i < 2 || rows.some((row) => row[i]));
    const cell = (row, i) => (i === 1 ? h("td", "", {}, disk(this.view.look, row[1], 12), ` ${row[1]}`) : h("td", i === 9 ? "nbf-bad-words" : "", {}, clean(row[i])));
    return h("div", "nbf-table-box", { tabindex: 0 }, h("table", "nbf-attempts", {},
      h("thead", "", {}, h("tr", "", {}, ...used.map((i) => h("th", "", { scope: "col" }, columns[i])))),
      h("tbody", "", {}, ...rows.map((row) => h("tr", "", {}, ...used.map((i) => cell(row, i)))))));
  }

  links(calls) {
    if (!calls?.length) return null;
    const box = h("div", "nbf-links"), more = button("nbf-tool", "", () => add(10 * LINKS));
    const add = (count) => {
      const from = box.querySelectorAll(".nbf-link").length, left = calls.length - from - count;
      more.before(...calls.slice(from, from + count).map((call) => callLink(this.view, call)));
      say(more, `${plural(Math.max(0, left), "more call")} …`);
      more.hidden = left <= 0;
    };
    box.append(more);
    add(LINKS);
    return box;
  }

  close() {
    clearTimeout(this.timer);
    this.closeChild();
  }
}
